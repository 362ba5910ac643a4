//! Streams of records as they were sent, split without changing anything.

use std::mem;

use fcgi::internals::protocol::{HEADER_LEN, Header, RecordType};

/// The most that is kept of a body record.
const PIECE: usize = 8192;

/// One record with its padding.
#[derive(Clone)]
pub(crate) struct Sent {
    pub(crate) header: Header,
    pub(crate) content: Vec<u8>,
    padding: Vec<u8>,
}

impl Sent {
    pub(crate) fn bytes(&self) -> Vec<u8> {
        [&self.header.to_bytes()[..], &self.content, &self.padding].concat()
    }

    fn is_of_a_body(&self) -> bool {
        self.header.kind == RecordType::STDIN && !self.content.is_empty()
    }

    /// Returns the record, cut to PIECE bytes if it belongs to a body.
    fn shortened(mut self) -> Self {
        if self.is_of_a_body() {
            self.content.truncate(PIECE);
            self.header.content_length = u16::try_from(self.content.len()).unwrap();
        }
        self
    }
}

/// Returns the whole records at the start of `bytes`, and the rest.
pub(crate) fn sent(mut bytes: &[u8]) -> (Vec<Sent>, &[u8]) {
    let mut list = Vec::new();
    while let Some((header, rest)) = bytes.split_first_chunk::<HEADER_LEN>() {
        let header = Header::from_bytes(*header);
        let Some((content, rest)) = rest.split_at_checked(header.content_length.into()) else {
            break;
        };
        let Some((padding, rest)) = rest.split_at_checked(header.padding_length.into()) else {
            break;
        };
        bytes = rest;
        list.push(Sent { header, content: content.to_vec(), padding: padding.to_vec() });
    }
    (list, bytes)
}

pub(crate) fn joined(list: &[Sent]) -> Vec<u8> {
    list.iter().flat_map(Sent::bytes).collect()
}

/// Keeps the first and the last of many records of a body, and of each at most PIECE bytes. Drops what
/// follows the last whole record, in a request that was aborted.
pub(crate) fn trimmed(bytes: &[u8]) -> Vec<u8> {
    let (list, _) = sent(bytes);
    let mut kept: Vec<Sent> = Vec::new();
    let mut run = 0;
    for record in list {
        run = if record.is_of_a_body() { run + 1 } else { 0 };
        if run > 2 {
            kept.pop();
        }
        kept.push(record.shortened());
    }
    joined(&kept)
}

/// Splits a stream into requests. What precedes the first belongs to it.
pub(crate) fn requests(stream: &[Sent]) -> Vec<Vec<Sent>> {
    let mut all: Vec<Vec<Sent>> = vec![Vec::new()];
    let mut begun = false;
    for record in stream {
        if record.header.kind == RecordType::BEGIN_REQUEST && mem::replace(&mut begun, true) {
            all.push(Vec::new());
        }
        all.last_mut().unwrap().push(record.clone());
    }
    all
}

/// Returns whether there is a record of that type.
pub(crate) fn has(stream: &[Sent], kind: RecordType) -> bool {
    stream.iter().any(|record| record.header.kind == kind)
}

/// Returns whether a stream of a request has its empty record.
pub(crate) fn ends(request: &[Sent], kind: RecordType) -> bool {
    request.iter().any(|record| record.header.kind == kind && record.content.is_empty())
}

/// Returns the joined contents of one stream of a request.
pub(crate) fn content(request: &[Sent], kind: RecordType) -> Vec<u8> {
    let records = request.iter().filter(|record| record.header.kind == kind);
    records.flat_map(|record| record.content.clone()).collect()
}
