//! Encodes small whole records.

use super::body::{BODY_LEN, EndRequest, unknown_type};
use super::record::{HEADER_LEN, Header, NULL_REQUEST_ID, RecordType};

/// The size of a record with a content of fixed size, in bytes.
pub const FIXED_RECORD_LEN: usize = HEADER_LEN + BODY_LEN;

/// The most bytes that a [`Record`] holds.
pub const MAX_RECORD: usize = 96;

/// Copies as many bytes as fit. Unlike `copy_from_slice`, it cannot panic.
pub fn copy(room: &mut [u8], bytes: &[u8]) {
    for (to, from) in room.iter_mut().zip(bytes) {
        *to = *from;
    }
}

/// A small whole record to send.
#[derive(Clone, Copy, Debug)]
pub struct Record {
    bytes: [u8; MAX_RECORD],
    len: usize,
}

impl Record {
    /// An empty record.
    pub const fn new() -> Self {
        Self { bytes: [0; MAX_RECORD], len: 0 }
    }

    /// The record's bytes.
    pub fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or_default()
    }

    /// Appends bytes; leaves out those that do not all fit.
    pub fn push(&mut self, bytes: &[u8]) {
        let end = self.len + bytes.len();
        if let Some(room) = self.bytes.get_mut(self.len..end) {
            copy(room, bytes);
            self.len = end;
        }
    }

    /// Writes the header over the first bytes, which the caller pushed to keep room for it.
    pub fn set_header(&mut self, header: Header) {
        if let Some(room) = self.bytes.first_chunk_mut() {
            *room = header.to_bytes();
        }
    }
}

impl Default for Record {
    fn default() -> Self {
        Self::new()
    }
}

impl From<[u8; FIXED_RECORD_LEN]> for Record {
    fn from(record: [u8; FIXED_RECORD_LEN]) -> Self {
        let mut whole = Self::new();
        whole.push(&record);
        whole
    }
}

const fn fixed(kind: RecordType, request_id: u16, body: [u8; BODY_LEN]) -> [u8; FIXED_RECORD_LEN] {
    let h = Header::new(kind, request_id, BODY_LEN as u16).to_bytes();
    let b = body;
    [h[0], h[1], h[2], h[3], h[4], h[5], h[6], h[7], b[0], b[1], b[2], b[3], b[4], b[5], b[6], b[7]]
}

/// Encodes a whole END_REQUEST record (specification 5.5).
pub const fn end_request(request_id: u16, end: EndRequest) -> [u8; FIXED_RECORD_LEN] {
    fixed(RecordType::END_REQUEST, request_id, end.to_bytes())
}

/// Encodes a whole UNKNOWN_TYPE record (specification 4.2).
pub const fn unknown_type_record(type_byte: u8) -> [u8; FIXED_RECORD_LEN] {
    fixed(RecordType::UNKNOWN_TYPE, NULL_REQUEST_ID, unknown_type(type_byte))
}

/// Encodes the record that ends a stream: a header without content (specification 3.3).
pub const fn end_of_stream(kind: RecordType, request_id: u16) -> [u8; HEADER_LEN] {
    Header::new(kind, request_id, 0).to_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::body::ProtocolStatus;

    #[test]
    fn golden_records() {
        let end = EndRequest { app_status: 5, protocol_status: ProtocolStatus::Overloaded };
        assert_eq!(end_request(0x0203, end), [1, 3, 2, 3, 0, 8, 0, 0, 0, 0, 0, 5, 2, 0, 0, 0]);
        assert_eq!(unknown_type_record(99), [1, 11, 0, 0, 0, 8, 0, 0, 99, 0, 0, 0, 0, 0, 0, 0]);
        assert_eq!(end_of_stream(RecordType::STDOUT, 1), [1, 6, 0, 1, 0, 0, 0, 0]);
    }
}
