//! The record header (specification 3.3) and the record types (8).

/// The only protocol version there is (FCGI_VERSION_1).
pub const VERSION: u8 = 1;

/// Bytes in a record header.
pub const HEADER_LEN: usize = 8;

/// The largest content of one record, in bytes.
pub const MAX_CONTENT: usize = 0xffff;

/// The largest content we write into one record: a multiple of eight, so that records that follow
/// each other stay aligned without padding.
pub const MAX_WRITTEN_CONTENT: usize = 65_528;

/// The request id of management records (specification 3.3, FCGI_NULL_REQUEST_ID).
pub const NULL_REQUEST_ID: u16 = 0;

/// What a record is about (specification 8). Every byte has a meaning, if only `Unknown`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RecordType {
    /// The web server starts a request.
    BeginRequest,
    /// The web server gives a request up.
    AbortRequest,
    /// The application has finished a request.
    EndRequest,
    /// Name-value pairs of a request.
    Params,
    /// The body of a request.
    Stdin,
    /// The application's answer.
    Stdout,
    /// The application's error messages.
    Stderr,
    /// The file that a Filter works on.
    Data,
    /// Management: the web server asks for variables.
    GetValues,
    /// Management: the answer to [`RecordType::GetValues`].
    GetValuesResult,
    /// Management: the answer to a management record of unknown type.
    UnknownType,
    /// Any other type byte.
    Unknown(u8),
}

impl RecordType {
    /// The type that a type byte stands for.
    pub const fn from_byte(byte: u8) -> Self {
        match byte {
            1 => Self::BeginRequest,
            2 => Self::AbortRequest,
            3 => Self::EndRequest,
            4 => Self::Params,
            5 => Self::Stdin,
            6 => Self::Stdout,
            7 => Self::Stderr,
            8 => Self::Data,
            9 => Self::GetValues,
            10 => Self::GetValuesResult,
            11 => Self::UnknownType,
            other => Self::Unknown(other),
        }
    }

    /// The type byte.
    pub const fn to_byte(self) -> u8 {
        match self {
            Self::BeginRequest => 1,
            Self::AbortRequest => 2,
            Self::EndRequest => 3,
            Self::Params => 4,
            Self::Stdin => 5,
            Self::Stdout => 6,
            Self::Stderr => 7,
            Self::Data => 8,
            Self::GetValues => 9,
            Self::GetValuesResult => 10,
            Self::UnknownType => 11,
            Self::Unknown(byte) => byte,
        }
    }
}

/// A record header: what follows it, how much of it, and for which request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// The protocol version; anything but [`VERSION`] is not ours to read.
    pub version: u8,
    /// What the record is about.
    pub kind: RecordType,
    /// The request it belongs to; [`NULL_REQUEST_ID`] for management records.
    pub request_id: u16,
    /// Bytes of content behind the header.
    pub content_length: u16,
    /// Bytes to ignore behind the content.
    pub padding_length: u8,
}

impl Header {
    /// A version 1 header without padding.
    pub const fn new(kind: RecordType, request_id: u16, content_length: u16) -> Self {
        Self { version: VERSION, kind, request_id, content_length, padding_length: 0 }
    }

    /// Reads a header. Every eight bytes are a header; what they say is for the caller to judge.
    pub const fn from_bytes(b: [u8; HEADER_LEN]) -> Self {
        Self {
            version: b[0],
            kind: RecordType::from_byte(b[1]),
            request_id: u16::from_be_bytes([b[2], b[3]]),
            content_length: u16::from_be_bytes([b[4], b[5]]),
            padding_length: b[6],
        }
    }

    /// The header's bytes; the reserved byte is zero.
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
        let header = Header { padding_length: 5, ..Header::new(RecordType::Stdin, 0x0102, 0x0304) };
        let bytes = [1, 5, 1, 2, 3, 4, 5, 0];
        assert_eq!(header.to_bytes(), bytes);
        assert_eq!(Header::from_bytes(bytes), header);
    }

    #[test]
    fn every_type_byte_round_trips() {
        for byte in 0..=255 {
            assert_eq!(RecordType::from_byte(byte).to_byte(), byte);
        }
        assert_eq!(RecordType::from_byte(12), RecordType::Unknown(12));
        assert_eq!(RecordType::from_byte(0), RecordType::Unknown(0));
    }

    #[test]
    fn another_version_is_kept_for_the_caller_to_refuse() {
        assert_eq!(Header::from_bytes([9, 1, 0, 1, 0, 0, 0, 0]).version, 9);
    }
}
