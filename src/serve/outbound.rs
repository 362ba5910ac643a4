//! Records of one output stream on their way out.
//!
//! The program writes content where a record header has already been given its eight bytes, so a
//! flush fills in the header and sends header, content and whatever ends the request as one piece.

use std::io;
use std::os::fd::RawFd;

use crate::os::io::{MAX_PARTS, send_all, send_all_parts};
use crate::protocol::record::{HEADER_LEN, Header, MAX_WRITTEN_CONTENT, RecordType};
use crate::protocol::writer::{FIXED_RECORD_LEN, copy, end_of_stream, next_record};

/// Room behind the content for the ends of both streams and END_REQUEST.
const TAIL: usize = 2 * HEADER_LEN + FIXED_RECORD_LEN;

/// Content bytes of a first buffer: with its header 8 KB, after which old programs that stream
/// progress expect their first bytes to be on their way.
pub const FIRST_CONTENT: usize = 8192 - HEADER_LEN;

/// Records of one large content that go into one system call: few or many.
const FEW: usize = 4;
const MANY: usize = MAX_PARTS / 2;

/// Which stream of which request the records belong to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stream {
    /// The record type.
    pub kind: RecordType,
    /// The request id.
    pub id: u16,
}

/// A buffer of records: sealed ones, then the open one that the program is writing.
#[derive(Debug, Default)]
pub struct Outbound {
    bytes: Vec<u8>,
    sealed: usize,
    limit: usize,
}

impl Outbound {
    /// No buffer yet.
    pub const fn new() -> Self {
        Self { bytes: Vec::new(), sealed: 0, limit: 0 }
    }

    /// Sets the size of a full record to `content` bytes, and gets the memory that this needs. What
    /// was not sent yet is lost.
    pub fn allocate(&mut self, content: usize) {
        self.limit = content.min(MAX_WRITTEN_CONTENT);
        let size = HEADER_LEN + self.limit + TAIL;
        if self.bytes.len() < size {
            self.bytes = vec![0; size];
        }
        self.sealed = 0;
    }

    /// Content bytes of a full record.
    pub const fn capacity(&self) -> usize {
        self.limit
    }

    /// Gives up the records, and memory beyond `content` bytes.
    pub fn trim(&mut self, content: usize) {
        if self.bytes.len() > HEADER_LEN + content + TAIL {
            self.bytes = Vec::new();
        }
        (self.sealed, self.limit) = (0, 0);
    }

    /// The memory, for a caller that uses the offsets of [`Outbound::window`].
    pub fn memory(&mut self) -> &mut Vec<u8> {
        &mut self.bytes
    }

    /// Where the content of the open record may lie: its start and its end.
    pub fn window(&self) -> (usize, usize) {
        let start = self.sealed + HEADER_LEN;
        let end = self.bytes.len().saturating_sub(TAIL);
        if start > end { (0, 0) } else { (start, end.min(start + self.limit)) }
    }

    /// Closes the open record, which has `used` bytes of content; without any there is no record.
    pub fn seal(&mut self, stream: Stream, used: usize) {
        if used == 0 {
            return;
        }
        let header = Header::new(stream.kind, stream.id, used as u16).to_bytes();
        if let Some(place) = self.bytes.get_mut(self.sealed..self.sealed + HEADER_LEN) {
            copy(place, &header);
            self.sealed += HEADER_LEN + used;
        }
    }

    /// Adds the empty record that ends the stream.
    pub fn end(&mut self, stream: Stream) {
        self.append(&end_of_stream(stream.kind, stream.id));
    }

    /// Adds a whole record.
    pub fn append(&mut self, record: &[u8]) {
        let end = self.sealed + record.len();
        match self.bytes.get_mut(self.sealed..end) {
            Some(place) => copy(place, record),
            // Only while there is no buffer: a stream that was never written to.
            None => {
                self.bytes.truncate(self.sealed);
                self.bytes.extend_from_slice(record);
            }
        }
        self.sealed = end;
    }

    /// The sealed records.
    pub fn sealed(&self) -> &[u8] {
        self.bytes.get(..self.sealed).unwrap_or_default()
    }

    /// Forgets the sealed records.
    pub fn clear(&mut self) {
        self.sealed = 0;
    }

    /// Sends the sealed records.
    pub fn send(&mut self, fd: RawFd) -> io::Result<()> {
        let result = send_all(fd, self.sealed());
        self.clear();
        result
    }

    /// Sends the sealed records and `content` behind them, in records made on the way, without
    /// copying it.
    pub fn send_with(&mut self, fd: RawFd, stream: Stream, content: &[u8]) -> io::Result<()> {
        let result = send_content(fd, self.sealed(), stream, content);
        self.clear();
        result
    }
}

/// Sends the sealed records of both, in this order, in one piece.
pub fn send_both(fd: RawFd, first: &mut Outbound, second: &mut Outbound) -> io::Result<()> {
    let result = if first.sealed().is_empty() {
        send_all(fd, second.sealed())
    } else {
        send_all_parts(fd, first.sealed(), &mut [second.sealed()])
    };
    first.clear();
    second.clear();
    result
}

/// Sends `content` in records, behind the whole records in `ahead`.
fn send_content(fd: RawFd, ahead: &[u8], stream: Stream, content: &[u8]) -> io::Result<()> {
    // What is set up for a call costs time, too: usually there are few records.
    if content.len() <= FEW * MAX_WRITTEN_CONTENT {
        return send_records::<FEW>(fd, ahead, stream, content);
    }
    let mut ahead = ahead;
    for part in content.chunks(MANY * MAX_WRITTEN_CONTENT) {
        send_records::<MANY>(fd, ahead, stream, part)?;
        ahead = &[];
    }
    Ok(())
}

/// Sends at most `N` records made of `content`, and `ahead` before them.
fn send_records<const N: usize>(
    fd: RawFd,
    ahead: &[u8],
    stream: Stream,
    content: &[u8],
) -> io::Result<()> {
    let mut headers = [[0; HEADER_LEN]; N];
    let mut left = content.len();
    for header in headers.iter_mut().take(content.len().div_ceil(MAX_WRITTEN_CONTENT)) {
        let (bytes, n) = next_record(stream.kind, stream.id, left);
        *header = bytes;
        left -= n;
    }
    let mut parts = [[&[][..]; 2]; N];
    for ((part, header), piece) in
        parts.iter_mut().zip(&headers).zip(content.chunks(MAX_WRITTEN_CONTENT))
    {
        *part = [header, piece];
    }
    send_all_parts(fd, ahead, parts.as_flattened_mut())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read;
    use std::os::fd::AsRawFd;
    use std::os::unix::net::UnixStream;

    const OUT: Stream = Stream { kind: RecordType::Stdout, id: 1 };

    fn write(outbound: &mut Outbound, content: &[u8]) {
        let (start, _) = outbound.window();
        outbound.memory()[start..start + content.len()].copy_from_slice(content);
        outbound.seal(OUT, content.len());
    }

    #[test]
    fn records_follow_each_other() {
        let mut outbound = Outbound::new();
        outbound.allocate(32);
        write(&mut outbound, b"abc");
        outbound.seal(OUT, 0);
        outbound.end(OUT);
        assert_eq!(outbound.sealed(), b"\x01\x06\0\x01\0\x03\0\0abc\x01\x06\0\x01\0\0\0\0");
    }

    #[test]
    fn the_window_leaves_room_for_the_ends() {
        let mut outbound = Outbound::new();
        outbound.allocate(100);
        let (start, end) = outbound.window();
        assert_eq!((start, end - start), (8, 100));
        write(&mut outbound, &[7; 100]);
        let before = outbound.memory().len();
        outbound.append(&[0; TAIL]);
        assert_eq!(outbound.memory().len(), before);
        assert_eq!(outbound.window(), (0, 0));
    }

    #[test]
    fn a_stream_without_a_buffer_can_end() {
        let mut outbound = Outbound::new();
        outbound.end(OUT);
        outbound.append(&[9; 16]);
        assert_eq!(outbound.sealed().len(), 24);
    }

    #[test]
    #[cfg_attr(miri, ignore = "no sendmsg in Miri")]
    fn large_contents_are_cut_into_records() {
        let (a, mut b) = UnixStream::pair().unwrap();
        let content: Vec<u8> = (0..5_000_000_u32).map(|i| i as u8).collect();
        let copy = content.clone();
        let sender = std::thread::spawn(move || {
            let mut outbound = Outbound::new();
            outbound.allocate(8);
            write(&mut outbound, b"first");
            outbound.send_with(a.as_raw_fd(), OUT, &copy).unwrap();
        });
        let (mut all, mut header) = (Vec::new(), [0; 8]);
        while b.read_exact(&mut header).is_ok() {
            let header = Header::from_bytes(header);
            let start = all.len();
            all.resize(start + usize::from(header.content_length), 0);
            b.read_exact(&mut all[start..]).unwrap();
        }
        sender.join().unwrap();
        assert_eq!(all, [b"first", &content[..]].concat());
    }
}
