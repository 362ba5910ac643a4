//! What the targets share: socket pairs, requests, pieces, and answers taken apart.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use fcgi::internals::protocol::{HEADER_LEN, Header, RecordType};

/// More than any answer to a target's input may take.
pub const PATIENCE: Duration = Duration::from_secs(5);

/// A record.
pub fn record(kind: RecordType, id: u16, content: &[u8]) -> Vec<u8> {
    let length = u16::try_from(content.len()).unwrap();
    [Header::new(kind, id, length).to_bytes().as_slice(), content].concat()
}

/// A Responder's request with these pairs, encoded already, and this body.
pub fn request(keep: bool, pairs: &[u8], body: &[u8]) -> Vec<u8> {
    let mut bytes = record(RecordType::BEGIN_REQUEST, 1, &[0, 1, u8::from(keep), 0, 0, 0, 0, 0]);
    for (kind, content) in [(RecordType::PARAMS, pairs), (RecordType::STDIN, body)] {
        if !content.is_empty() {
            bytes.extend(record(kind, 1, content));
        }
        bytes.extend(record(kind, 1, b""));
    }
    bytes
}

/// Into pieces of how many bytes a target cuts these: any change of them may change it.
pub fn piece(bytes: &[u8]) -> usize {
    usize::from(bytes.iter().fold(0, |sum: u8, byte| sum.wrapping_add(*byte))).max(1)
}

/// The records of an answer, which must be whole and of version 1.
pub fn records(mut bytes: &[u8]) -> Vec<(RecordType, u16, Vec<u8>)> {
    let mut list = Vec::new();
    while let Some((header, rest)) = bytes.split_first_chunk::<HEADER_LEN>() {
        let header = Header::from_bytes(*header);
        assert_eq!(header.version, 1);
        let (content, rest) = rest.split_at(usize::from(header.content_length));
        bytes = &rest[usize::from(header.padding_length)..];
        list.push((header.kind, header.request_id, content.to_vec()));
    }
    assert!(bytes.is_empty(), "the answer ends within a header");
    list
}

/// Sends everything and nothing more.
pub fn send(mut peer: &UnixStream, bytes: &[u8]) {
    peer.set_write_timeout(Some(PATIENCE)).unwrap();
    // The application may have closed before the end.
    let _ = peer.write_all(bytes);
    let _ = peer.shutdown(std::net::Shutdown::Write);
}

/// Everything up to the connection's end, which must come.
pub fn until_closed(mut peer: &UnixStream) -> Vec<u8> {
    peer.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut bytes = Vec::new();
    if let Err(error) = peer.read_to_end(&mut bytes) {
        assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset, "{error}");
    }
    bytes
}

/// What has come by now.
pub fn so_far(mut peer: &UnixStream) -> Vec<u8> {
    peer.set_nonblocking(true).unwrap();
    let mut bytes = Vec::new();
    // The end, or nothing more at this moment.
    let _ = peer.read_to_end(&mut bytes);
    bytes
}
