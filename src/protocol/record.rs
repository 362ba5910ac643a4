//! The record header (specification 3.3) and the record types (8).

/// The only protocol version (FCGI_VERSION_1).
pub const VERSION: u8 = 1;

/// The size of a record header, in bytes.
pub const HEADER_LEN: usize = 8;

/// The largest content of one record, in bytes.
pub const MAX_CONTENT: usize = 0xffff;

/// The largest content that the library writes into one record: a multiple of eight, so that successive
/// records stay aligned without padding.
pub const MAX_WRITTEN_CONTENT: usize = 65_528;

/// The request id of management records (specification 3.3, FCGI_NULL_REQUEST_ID).
pub const NULL_REQUEST_ID: u16 = 0;

/// The type of a record, from its header (specification 8).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecordType(u8);

impl RecordType {
    /// The web server starts a request.
    pub const BEGIN_REQUEST: Self = Self(1);
    /// The web server aborts a request.
    pub const ABORT_REQUEST: Self = Self(2);
    /// The application has finished a request.
    pub const END_REQUEST: Self = Self(3);
    /// Name-value pairs of a request.
    pub const PARAMS: Self = Self(4);
    /// The body of a request.
    pub const STDIN: Self = Self(5);
    /// The application's response.
    pub const STDOUT: Self = Self(6);
    /// The application's error messages.
    pub const STDERR: Self = Self(7);
    /// The file that a Filter works on.
    pub const DATA: Self = Self(8);
    /// Management: the web server asks for variables.
    pub const GET_VALUES: Self = Self(9);
    /// Management: the answer to [`RecordType::GET_VALUES`].
    pub const GET_VALUES_RESULT: Self = Self(10);
    /// Management: the answer to a management record of unknown type.
    pub const UNKNOWN_TYPE: Self = Self(11);

    /// Wraps a type byte; the specification knows none above 11.
    pub const fn from_byte(byte: u8) -> Self {
        Self(byte)
    }

    /// The type byte.
    pub const fn to_byte(self) -> u8 {
        self.0
    }
}

/// A record header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// The protocol version; only [`VERSION`] can be decoded.
    pub version: u8,
    /// The record type.
    pub kind: RecordType,
    /// The request it belongs to; [`NULL_REQUEST_ID`] for management records.
    pub request_id: u16,
    /// How many bytes of content follow the header.
    pub content_length: u16,
    /// How many bytes to ignore follow the content.
    pub padding_length: u8,
}

impl Header {
    /// A version 1 header without padding.
    pub const fn new(kind: RecordType, request_id: u16, content_length: u16) -> Self {
        Self { version: VERSION, kind, request_id, content_length, padding_length: 0 }
    }

    /// Decodes a header. Any eight bytes are one; the caller checks its fields.
    pub const fn from_bytes(b: [u8; HEADER_LEN]) -> Self {
        Self {
            version: b[0],
            kind: RecordType::from_byte(b[1]),
            request_id: u16::from_be_bytes([b[2], b[3]]),
            content_length: u16::from_be_bytes([b[4], b[5]]),
            padding_length: b[6],
        }
    }

    /// Encodes the header; the reserved byte is zero.
    pub const fn to_bytes(self) -> [u8; HEADER_LEN] {
        let id = self.request_id.to_be_bytes();
        let len = self.content_length.to_be_bytes();
        [self.version, self.kind.to_byte(), id[0], id[1], len[0], len[1], self.padding_length, 0]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn golden_bytes() {
        let header = Header { padding_length: 5, ..Header::new(RecordType::STDIN, 0x0102, 0x0304) };
        let bytes = [1, 5, 1, 2, 3, 4, 5, 0];
        assert_eq!(header.to_bytes(), bytes);
        assert_eq!(Header::from_bytes(bytes), header);
    }

    #[test]
    fn another_version_is_kept_for_the_caller_to_refuse() {
        assert_eq!(Header::from_bytes([9, 1, 0, 1, 0, 0, 0, 0]).version, 9);
    }
}
