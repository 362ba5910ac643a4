//! The contents of fixed size: BEGIN_REQUEST (specification 5.1), END_REQUEST (5.5), UNKNOWN_TYPE (4.2).

/// The size of each of these contents, in bytes.
pub const BODY_LEN: usize = 8;

/// The flag bit that asks to keep the connection open (FCGI_KEEP_CONN).
pub const KEEP_CONN: u8 = 1;

/// The part that the application plays in one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Answer the request (6.2).
    Responder,
    /// Decide whether the request may go on (6.3).
    Authorizer,
    /// Answer the request by transforming a file (6.4).
    Filter,
    /// A role that the specification does not know.
    Unknown(u16),
}

impl Role {
    /// Decodes a role number.
    pub const fn from_number(number: u16) -> Self {
        match number {
            1 => Self::Responder,
            2 => Self::Authorizer,
            3 => Self::Filter,
            other => Self::Unknown(other),
        }
    }

    /// The number on the wire.
    pub const fn number(self) -> u16 {
        match self {
            Self::Responder => 1,
            Self::Authorizer => 2,
            Self::Filter => 3,
            Self::Unknown(number) => number,
        }
    }
}

/// The content of BEGIN_REQUEST.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BeginRequest {
    /// The role that the application is to play.
    pub role: Role,
    /// The flag bits; only [`KEEP_CONN`] has a meaning.
    pub flags: u8,
}

impl BeginRequest {
    /// Decodes the content.
    pub const fn from_bytes(b: [u8; BODY_LEN]) -> Self {
        Self { role: Role::from_number(u16::from_be_bytes([b[0], b[1]])), flags: b[2] }
    }

    /// Encodes the content; reserved bytes are zero.
    pub const fn to_bytes(self) -> [u8; BODY_LEN] {
        let role = self.role.number().to_be_bytes();
        [role[0], role[1], self.flags, 0, 0, 0, 0, 0]
    }

    /// Whether the web server wants the connection to stay open after the request.
    pub const fn keep_connection(self) -> bool {
        self.flags & KEEP_CONN != 0
    }
}

/// How a request ended, for the protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProtocolStatus {
    /// It was answered.
    RequestComplete,
    /// Refused: the connection has another active request.
    CantMpxConn,
    /// Refused: the application is out of some resource.
    Overloaded,
    /// Refused: the application does not know the role.
    UnknownRole,
    /// A status that the specification does not know.
    Unknown(u8),
}

impl ProtocolStatus {
    /// Decodes a status byte.
    pub const fn from_byte(byte: u8) -> Self {
        match byte {
            0 => Self::RequestComplete,
            1 => Self::CantMpxConn,
            2 => Self::Overloaded,
            3 => Self::UnknownRole,
            other => Self::Unknown(other),
        }
    }

    /// The byte on the wire.
    pub const fn to_byte(self) -> u8 {
        match self {
            Self::RequestComplete => 0,
            Self::CantMpxConn => 1,
            Self::Overloaded => 2,
            Self::UnknownRole => 3,
            Self::Unknown(byte) => byte,
        }
    }
}

/// The content of END_REQUEST.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EndRequest {
    /// The application's exit status; its meaning depends on the role.
    pub app_status: u32,
    /// How the request ended.
    pub protocol_status: ProtocolStatus,
}

impl EndRequest {
    /// Decodes the content.
    pub const fn from_bytes(b: [u8; BODY_LEN]) -> Self {
        Self {
            app_status: u32::from_be_bytes([b[0], b[1], b[2], b[3]]),
            protocol_status: ProtocolStatus::from_byte(b[4]),
        }
    }

    /// Encodes the content; reserved bytes are zero.
    pub const fn to_bytes(self) -> [u8; BODY_LEN] {
        let s = self.app_status.to_be_bytes();
        [s[0], s[1], s[2], s[3], self.protocol_status.to_byte(), 0, 0, 0]
    }
}

/// Encodes the content of UNKNOWN_TYPE: the type byte that is not known.
pub const fn unknown_type(type_byte: u8) -> [u8; BODY_LEN] {
    [type_byte, 0, 0, 0, 0, 0, 0, 0]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn begin_request_golden_bytes() {
        let begin = BeginRequest::from_bytes([0, 3, 1, 9, 9, 9, 9, 9]);
        assert_eq!(begin, BeginRequest { role: Role::Filter, flags: 1 });
        assert!(begin.keep_connection());
        assert_eq!(begin.to_bytes(), [0, 3, 1, 0, 0, 0, 0, 0]);
    }

    #[test]
    fn only_the_lowest_flag_bit_counts() {
        let flags = |flags| BeginRequest { role: Role::Responder, flags }.keep_connection();
        assert!(!flags(0xfe));
        assert!(flags(0xff));
    }

    #[test]
    fn end_request_golden_bytes() {
        let end =
            EndRequest { app_status: 0xfffe_0102, protocol_status: ProtocolStatus::CantMpxConn };
        assert_eq!(end.to_bytes(), [0xff, 0xfe, 1, 2, 1, 0, 0, 0]);
        assert_eq!(EndRequest::from_bytes(end.to_bytes()), end);
    }

    #[test]
    fn numbers_round_trip() {
        for byte in 0..=255 {
            assert_eq!(ProtocolStatus::from_byte(byte).to_byte(), byte);
        }
        for number in (0..=65_535).step_by(if cfg!(miri) { 257 } else { 1 }) {
            assert_eq!(Role::from_number(number).number(), number);
        }
        assert_eq!(unknown_type(77)[0], 77);
    }
}
