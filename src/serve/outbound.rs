//! Records of one output stream on their way out.
//!
//! The program writes content where a record header has already been given its eight bytes, so a
//! flush fills in the header and sends header, content and whatever ends the request as one piece.
//! A first buffer holds one record of 8 KB; an answer that is longer borrows one of a few large
//! buffers, for two records of the largest size, until the request ends.

use std::io::{self, IoSlice};
use std::iter::once;
use std::os::fd::RawFd;

use super::store::Store;
use crate::os::io::{Then, send_all, send_all_parts};
use crate::os::memory::{NoMemory, PartList, zeroed};
use crate::protocol::record::{HEADER_LEN, Header, MAX_WRITTEN_CONTENT, RecordType};
use crate::protocol::writer::{FIXED_RECORD_LEN, end_of_stream};

/// Room behind the content for the ends of both streams and END_REQUEST.
const TAIL: usize = 2 * HEADER_LEN + FIXED_RECORD_LEN;

/// Content bytes of a first buffer: with its header 8 KB, after which old programs that stream
/// progress expect their first bytes to be on their way.
pub const FIRST_CONTENT: usize = 8192 - HEADER_LEN;

/// The same for STDERR: what a program says there belongs into the web server's log soon, also when
/// the program hangs or is killed afterwards.
pub const ERROR_CONTENT: usize = 512 - HEADER_LEN;

/// Bytes of a large buffer.
const LARGE: usize = 2 * (HEADER_LEN + MAX_WRITTEN_CONTENT) + TAIL;

/// Large buffers that nobody uses at the moment: not one for each idle request.
static SPARE: Store<Vec<u8>> = Store::new(4);

/// Records of one large content that go into one system call: few, listed on the stack, or many, on
/// the heap.
const FEW: usize = 4;
const MANY: usize = 68;

/// Which stream of which request the records belong to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecordStream {
    /// The record type.
    pub kind: RecordType,
    /// The request id.
    pub id: u16,
}

/// A buffer of records: sealed ones, then the open one that the program is writing.
#[derive(Debug, Default)]
pub struct Outbound {
    bytes: Vec<u8>,
    /// The first buffer, while `bytes` is a large one.
    first: Vec<u8>,
    /// Serves a stream without a buffer, which can only end.
    ends: [u8; TAIL],
    sealed: usize,
    limit: usize,
    /// For the parts of a large content; memory from the first one on.
    parts: PartList,
}

impl Outbound {
    /// No buffer yet.
    pub const fn new() -> Self {
        Self {
            bytes: Vec::new(),
            first: Vec::new(),
            ends: [0; TAIL],
            sealed: 0,
            limit: 0,
            parts: PartList::new(),
        }
    }

    /// Gets a buffer for one record of `content` bytes.
    pub fn allocate(&mut self, content: usize) -> Result<(), NoMemory> {
        let content = content.min(MAX_WRITTEN_CONTENT);
        self.bytes = zeroed(HEADER_LEN + content + TAIL)?;
        self.limit = content;
        Ok(())
    }

    /// Goes on with the buffer of an earlier request, if there is one.
    pub fn reuse(&mut self) {
        self.limit = self.bytes.len().saturating_sub(HEADER_LEN + TAIL);
    }

    /// Content bytes of a full record.
    pub const fn capacity(&self) -> usize {
        self.limit
    }

    /// Goes over to a large buffer; without memory for one everything stays. Nothing may be sealed
    /// or written.
    pub fn enlarge(&mut self) {
        if !self.first.is_empty() {
            return;
        }
        let Some(large) = SPARE.take().or_else(|| zeroed(LARGE).ok()) else { return };
        self.first = std::mem::replace(&mut self.bytes, large);
        self.limit = MAX_WRITTEN_CONTENT;
    }

    /// Gives up the records, and a large buffer.
    pub fn release(&mut self) {
        if !self.first.is_empty() {
            let first = std::mem::take(&mut self.first);
            SPARE.put(std::mem::replace(&mut self.bytes, first));
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

    /// Whether there is room worth writing into behind an open record with `used` bytes.
    pub fn has_room_behind(&self, used: usize) -> bool {
        let start = self.sealed + 2 * HEADER_LEN + used;
        self.limit > 0 && start + self.limit / 2 < self.bytes.len().saturating_sub(TAIL)
    }

    /// Closes the open record, which has `used` bytes of content; without any there is no record.
    pub fn seal(&mut self, stream: RecordStream, used: usize) {
        if used == 0 {
            return;
        }
        let header = Header::new(stream.kind, stream.id, used as u16).to_bytes();
        if self.append(&header) {
            self.sealed += used;
        }
    }

    /// Adds the empty record that ends the stream.
    pub fn end(&mut self, stream: RecordStream) {
        self.append(&end_of_stream(stream.kind, stream.id));
    }

    /// Adds a whole record, or the header of one whose content lies there already. There is always
    /// room for those that end a request.
    pub fn append<const N: usize>(&mut self, record: &[u8; N]) -> bool {
        let room = if self.bytes.is_empty() { &mut self.ends[..] } else { &mut self.bytes };
        let place = room.get_mut(self.sealed..).and_then(<[u8]>::first_chunk_mut);
        let fits = place.is_some();
        if let Some(place) = place {
            *place = *record;
            self.sealed += N;
        }
        fits
    }

    /// The sealed records.
    pub fn sealed(&self) -> &[u8] {
        sealed(&self.bytes, &self.ends, self.sealed)
    }

    /// Forgets the sealed records.
    pub fn clear(&mut self) {
        self.sealed = 0;
    }

    /// Sends the sealed records.
    pub fn send(&mut self, fd: RawFd) -> io::Result<()> {
        let result = send_all(fd, self.sealed(), Then::KeepOpen);
        self.clear();
        result
    }

    /// Sends the sealed records, and behind them as much of `content` as goes into one call, in
    /// records made on the way, without copying it. Returns how much of `content` that was.
    pub fn send_with(
        &mut self,
        fd: RawFd,
        stream: RecordStream,
        content: &[u8],
    ) -> io::Result<usize> {
        let content = content.get(..MANY * MAX_WRITTEN_CONTENT).unwrap_or(content);
        let header = |length: usize| Header::new(stream.kind, stream.id, length as u16).to_bytes();
        let (full, last) =
            (header(MAX_WRITTEN_CONTENT), header(content.len() % MAX_WRITTEN_CONTENT));
        let records = content.chunks(MAX_WRITTEN_CONTENT).flat_map(|piece| {
            let header = if piece.len() == MAX_WRITTEN_CONTENT { &full } else { &last };
            [&header[..], piece]
        });
        let pieces = once(sealed(&self.bytes, &self.ends, self.sealed)).chain(records);
        let is_large = content.len() > FEW * MAX_WRITTEN_CONTENT;
        let mut few = [IoSlice::new(&[]); part_count(FEW)];
        // Without memory it takes more system calls.
        let many = if is_large { self.parts.entries(part_count(MANY)).ok() } else { None };
        let list = many.unwrap_or(&mut few);
        let result = send_all_parts(fd, pieces, list, Then::KeepOpen);
        self.clear();
        result.map(|()| content.len())
    }
}

/// Gives back the large buffers that nobody uses.
pub fn clear_spare() {
    SPARE.clear();
}

/// Sends the sealed records of both, in this order, in one piece.
pub fn send_both(
    fd: RawFd,
    first: &mut Outbound,
    second: &mut Outbound,
    then: Then,
) -> io::Result<()> {
    let result = if first.sealed().is_empty() {
        send_all(fd, second.sealed(), then)
    } else {
        let pieces = [first.sealed(), second.sealed()].into_iter();
        send_all_parts(fd, pieces, &mut [IoSlice::new(&[]); 2], then)
    };
    first.clear();
    second.clear();
    result
}

/// The sealed records, which fill `count` bytes of a buffer, or of its substitute if there is none.
fn sealed<'a>(bytes: &'a [u8], ends: &'a [u8], count: usize) -> &'a [u8] {
    let room = if bytes.is_empty() { ends } else { bytes };
    room.get(..count).unwrap_or_default()
}

/// Entries that so many records take in a list of parts: each has a header and its content, and
/// something goes ahead.
const fn part_count(records: usize) -> usize {
    1 + 2 * records
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read;
    use std::os::fd::AsRawFd;
    use std::os::unix::net::UnixStream;

    const OUT: RecordStream = RecordStream { kind: RecordType::STDOUT, id: 1 };

    fn write(outbound: &mut Outbound, content: &[u8]) {
        let (start, _) = outbound.window();
        outbound.memory()[start..start + content.len()].copy_from_slice(content);
        outbound.seal(OUT, content.len());
    }

    #[test]
    fn records_follow_each_other() {
        let mut outbound = Outbound::new();
        outbound.allocate(32).unwrap();
        write(&mut outbound, b"abc");
        outbound.seal(OUT, 0);
        outbound.end(OUT);
        assert_eq!(outbound.sealed(), b"\x01\x06\0\x01\0\x03\0\0abc\x01\x06\0\x01\0\0\0\0");
    }

    #[test]
    fn the_window_leaves_room_for_the_ends() {
        let mut outbound = Outbound::new();
        outbound.allocate(100).unwrap();
        let (start, end) = outbound.window();
        assert_eq!((start, end - start), (8, 100));
        write(&mut outbound, &[7; 100]);
        let before = outbound.memory().len();
        outbound.append(&[0; TAIL]);
        assert_eq!(outbound.memory().len(), before);
        assert_eq!(outbound.window(), (0, 0));
    }

    #[test]
    fn a_large_buffer_holds_two_records_and_goes_back() {
        let mut outbound = Outbound::new();
        outbound.allocate(FIRST_CONTENT).unwrap();
        assert!(!outbound.has_room_behind(FIRST_CONTENT));
        outbound.enlarge();
        for has_room in [true, false] {
            assert_eq!(outbound.has_room_behind(MAX_WRITTEN_CONTENT), has_room);
            write(&mut outbound, &[7; MAX_WRITTEN_CONTENT]);
        }
        outbound.append(&[0; TAIL]);
        assert_eq!(outbound.sealed().len(), LARGE);
        outbound.release();
        outbound.reuse();
        assert_eq!(outbound.capacity(), FIRST_CONTENT);
        clear_spare();
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
            outbound.allocate(8).unwrap();
            write(&mut outbound, b"first");
            let mut left = &copy[..];
            while !left.is_empty() {
                let sent = outbound.send_with(a.as_raw_fd(), OUT, left).unwrap();
                left = &left[sent..];
            }
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
