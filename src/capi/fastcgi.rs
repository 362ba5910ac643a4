//! The source of `fastcgi.h`: the numbers and record layouts of the FastCGI specification as C
//! programs that speak the protocol themselves know them (web servers, bridges, test clients).
//!
//! The library does not work with these: its own home of the protocol is [`crate::protocol`]. The
//! tests at the foot hold the two together. The name constants (`FCGI_MAX_CONNS` and so on) are
//! strings, which cbindgen cannot write; they stand in `cbindgen/fastcgi.after.h`.

use libc::{c_int, c_uchar};

/// The descriptor on which an application finds its listen socket.
pub const FCGI_LISTENSOCK_FILENO: c_int = 0;
/// The largest content of one record, in bytes.
pub const FCGI_MAX_LENGTH: c_int = 0xffff;
/// Bytes in a record header.
pub const FCGI_HEADER_LEN: c_int = 8;
/// The value of FCGI_Header.version.
pub const FCGI_VERSION_1: c_int = 1;

/// Record type: the web server starts a request.
pub const FCGI_BEGIN_REQUEST: c_int = 1;
/// Record type: the web server aborts a request.
pub const FCGI_ABORT_REQUEST: c_int = 2;
/// Record type: the application has finished a request.
pub const FCGI_END_REQUEST: c_int = 3;
/// Record type: name-value pairs of a request.
pub const FCGI_PARAMS: c_int = 4;
/// Record type: the body of a request.
pub const FCGI_STDIN: c_int = 5;
/// Record type: the application's response.
pub const FCGI_STDOUT: c_int = 6;
/// Record type: the application's error messages.
pub const FCGI_STDERR: c_int = 7;
/// Record type: the file that a Filter works on.
pub const FCGI_DATA: c_int = 8;
/// Management record type: the web server asks for variables.
pub const FCGI_GET_VALUES: c_int = 9;
/// Management record type: the answer to FCGI_GET_VALUES.
pub const FCGI_GET_VALUES_RESULT: c_int = 10;
/// Management record type: the answer to a management record of unknown type.
pub const FCGI_UNKNOWN_TYPE: c_int = 11;
/// The largest record type there is.
pub const FCGI_MAXTYPE: c_int = FCGI_UNKNOWN_TYPE;

/// The request id of management records.
pub const FCGI_NULL_REQUEST_ID: c_int = 0;
/// A bit of FCGI_BeginRequestBody.flags: keep the connection open after this request.
pub const FCGI_KEEP_CONN: c_int = 1;

/// Role: respond to the request.
pub const FCGI_RESPONDER: c_int = 1;
/// Role: decide whether the request may go on.
pub const FCGI_AUTHORIZER: c_int = 2;
/// Role: respond to the request by changing a file.
pub const FCGI_FILTER: c_int = 3;

/// Protocol status: the request ended normally.
pub const FCGI_REQUEST_COMPLETE: c_int = 0;
/// Protocol status: refused, one request at a time on this connection.
pub const FCGI_CANT_MPX_CONN: c_int = 1;
/// Protocol status: refused, out of some resource.
pub const FCGI_OVERLOADED: c_int = 2;
/// Protocol status: refused, the role is not known.
pub const FCGI_UNKNOWN_ROLE: c_int = 3;

/// The eight bytes at the head of every record. Numbers are sent high byte (B1) first.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct FCGI_Header {
    /// FCGI_VERSION_1.
    pub version: c_uchar,
    /// One of the record types.
    pub r#type: c_uchar,
    /// The request that the record belongs to, high byte.
    pub requestIdB1: c_uchar,
    /// The request that the record belongs to, low byte.
    pub requestIdB0: c_uchar,
    /// Bytes of content behind the header, high byte.
    pub contentLengthB1: c_uchar,
    /// Bytes of content behind the header, low byte.
    pub contentLengthB0: c_uchar,
    /// Bytes to ignore behind the content.
    pub paddingLength: c_uchar,
    /// Zero.
    pub reserved: c_uchar,
}

/// The content of an FCGI_BEGIN_REQUEST record.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct FCGI_BeginRequestBody {
    /// The role that the application is to play, high byte.
    pub roleB1: c_uchar,
    /// The role that the application is to play, low byte.
    pub roleB0: c_uchar,
    /// FCGI_KEEP_CONN or nothing.
    pub flags: c_uchar,
    /// Zero.
    pub reserved: [c_uchar; 5],
}

/// A whole FCGI_BEGIN_REQUEST record.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct FCGI_BeginRequestRecord {
    /// The record's header.
    pub header: FCGI_Header,
    /// The record's content.
    pub body: FCGI_BeginRequestBody,
}

/// The content of an FCGI_END_REQUEST record.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct FCGI_EndRequestBody {
    /// The application's exit status, highest byte.
    pub appStatusB3: c_uchar,
    /// The application's exit status, second byte.
    pub appStatusB2: c_uchar,
    /// The application's exit status, third byte.
    pub appStatusB1: c_uchar,
    /// The application's exit status, lowest byte.
    pub appStatusB0: c_uchar,
    /// One of the protocol statuses.
    pub protocolStatus: c_uchar,
    /// Zero.
    pub reserved: [c_uchar; 3],
}

/// A whole FCGI_END_REQUEST record.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct FCGI_EndRequestRecord {
    /// The record's header.
    pub header: FCGI_Header,
    /// The record's content.
    pub body: FCGI_EndRequestBody,
}

/// The content of an FCGI_UNKNOWN_TYPE record.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct FCGI_UnknownTypeBody {
    /// The record type that was not understood.
    pub r#type: c_uchar,
    /// Zero.
    pub reserved: [c_uchar; 7],
}

/// A whole FCGI_UNKNOWN_TYPE record.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct FCGI_UnknownTypeRecord {
    /// The record's header.
    pub header: FCGI_Header,
    /// The record's content.
    pub body: FCGI_UnknownTypeBody,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::{HEADER_LEN, ProtocolStatus, RecordType, Role, body, record};

    #[test]
    fn record_types_are_those_of_the_protocol_layer() {
        let pairs = [
            (FCGI_BEGIN_REQUEST, RecordType::BEGIN_REQUEST),
            (FCGI_ABORT_REQUEST, RecordType::ABORT_REQUEST),
            (FCGI_END_REQUEST, RecordType::END_REQUEST),
            (FCGI_PARAMS, RecordType::PARAMS),
            (FCGI_STDIN, RecordType::STDIN),
            (FCGI_STDOUT, RecordType::STDOUT),
            (FCGI_STDERR, RecordType::STDERR),
            (FCGI_DATA, RecordType::DATA),
            (FCGI_GET_VALUES, RecordType::GET_VALUES),
            (FCGI_GET_VALUES_RESULT, RecordType::GET_VALUES_RESULT),
            (FCGI_UNKNOWN_TYPE, RecordType::UNKNOWN_TYPE),
        ];
        for (number, kind) in pairs {
            assert_eq!(number, c_int::from(kind.to_byte()));
        }
        assert_eq!(RecordType::UNKNOWN_TYPE.to_byte(), FCGI_MAXTYPE as u8);
    }

    #[test]
    fn roles_and_statuses_are_those_of_the_protocol_layer() {
        assert_eq!(FCGI_RESPONDER, c_int::from(Role::Responder.number()));
        assert_eq!(FCGI_AUTHORIZER, c_int::from(Role::Authorizer.number()));
        assert_eq!(FCGI_FILTER, c_int::from(Role::Filter.number()));
        let pairs = [
            (FCGI_REQUEST_COMPLETE, ProtocolStatus::RequestComplete),
            (FCGI_CANT_MPX_CONN, ProtocolStatus::CantMpxConn),
            (FCGI_OVERLOADED, ProtocolStatus::Overloaded),
            (FCGI_UNKNOWN_ROLE, ProtocolStatus::UnknownRole),
        ];
        for (number, status) in pairs {
            assert_eq!(number, c_int::from(status.to_byte()));
        }
    }

    #[test]
    fn lengths_and_flags_are_those_of_the_protocol_layer() {
        assert_eq!(FCGI_HEADER_LEN as usize, HEADER_LEN);
        assert_eq!(FCGI_MAX_LENGTH as usize, record::MAX_CONTENT);
        assert_eq!(FCGI_VERSION_1, c_int::from(record::VERSION));
        assert_eq!(FCGI_NULL_REQUEST_ID, c_int::from(record::NULL_REQUEST_ID));
        assert_eq!(FCGI_KEEP_CONN, c_int::from(body::KEEP_CONN));
        assert_eq!(size_of::<FCGI_Header>(), HEADER_LEN);
        assert_eq!(size_of::<FCGI_BeginRequestBody>(), body::BODY_LEN);
        assert_eq!(size_of::<FCGI_EndRequestBody>(), body::BODY_LEN);
        assert_eq!(size_of::<FCGI_UnknownTypeBody>(), body::BODY_LEN);
        assert_eq!(size_of::<FCGI_BeginRequestRecord>(), 16);
        assert_eq!(size_of::<FCGI_EndRequestRecord>(), 16);
        assert_eq!(size_of::<FCGI_UnknownTypeRecord>(), 16);
    }
}
