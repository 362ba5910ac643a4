//! The buffer of one output stream's records.
//!
//! Eight bytes stay free for a header in front of the content that the program writes. A flush fills the
//! header in, and sends header, content and the records that end the request in one piece. The first buffer
//! holds one record of 8 KB. A longer response borrows one of a few large buffers, for two records of the
//! largest size, until the request ends.

use std::io::{self, IoSlice};
use std::iter::once;

use super::sink::Sink;
use super::store::Store;
use crate::os::io::Then;
use crate::os::memory::{NoMemory, PartList, zeroed};
use crate::protocol::record::{HEADER_LEN, Header, MAX_WRITTEN_CONTENT, RecordType};
use crate::protocol::writer::{FIXED_RECORD_LEN, end_of_stream};

/// Room after the content for the ends of both streams and END_REQUEST.
const TAIL: usize = 2 * HEADER_LEN + FIXED_RECORD_LEN;

/// Content bytes of a first buffer: with the header 8 KB. Old programs that report progress expect their
/// first bytes to be sent after 8 KB.
pub(crate) const FIRST_CONTENT: usize = 8192 - HEADER_LEN;

/// The same for STDERR: messages are to reach the web server's log soon, in case the program then hangs or
/// is killed.
pub(crate) const ERROR_CONTENT: usize = 512 - HEADER_LEN;

/// Size of a large buffer, in bytes.
const LARGE: usize = 2 * (HEADER_LEN + MAX_WRITTEN_CONTENT) + TAIL;

/// Unused large buffers, shared by all requests: an idle request holds none.
static SPARE: Store<Vec<u8>> = Store::new(4);

/// Most records of one large content that one system call sends with a list of parts on the stack.
const FEW: usize = 4;

/// The same with a list on the heap.
const MANY: usize = 68;

/// The stream and the request that records belong to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RecordStream {
    /// The record type.
    pub kind: RecordType,
    /// The request id.
    pub id: u16,
}

/// A buffer of records: sealed records, and after them the open one that the program writes.
#[derive(Debug, Default)]
pub(crate) struct Outbound {
    bytes: Vec<u8>,
    /// The first buffer, while `bytes` is a large one.
    first: Vec<u8>,
    /// Used in place of `bytes` by a stream without a buffer, which can only end.
    ends: [u8; TAIL],
    sealed: usize,
    limit: usize,
    /// The list of parts of a large content; it has memory once one was sent.
    parts: PartList,
}

impl Outbound {
    /// A stream without a buffer.
    pub(crate) const fn new() -> Self {
        Self {
            bytes: Vec::new(),
            first: Vec::new(),
            ends: [0; TAIL],
            sealed: 0,
            limit: 0,
            parts: PartList::new(),
        }
    }

    /// Allocates a buffer for one record of `content` bytes.
    pub(crate) fn allocate(&mut self, content: usize) -> Result<(), NoMemory> {
        let content = content.min(MAX_WRITTEN_CONTENT);
        self.bytes = zeroed(HEADER_LEN + content + TAIL)?;
        self.limit = content;
        Ok(())
    }

    /// Reuses the buffer of the previous request, if there is one.
    pub(crate) fn reuse(&mut self) {
        self.limit = self.bytes.len().saturating_sub(HEADER_LEN + TAIL);
    }

    /// How many content bytes a full record has.
    pub(crate) const fn capacity(&self) -> usize {
        self.limit
    }

    /// Moves to a large buffer; when out of memory, keeps the first one. The buffer must be empty.
    pub(crate) fn enlarge(&mut self) {
        if !self.first.is_empty() {
            return;
        }
        let Some(large) = SPARE.take().or_else(|| zeroed(LARGE).ok()) else { return };
        self.first = std::mem::replace(&mut self.bytes, large);
        self.limit = MAX_WRITTEN_CONTENT;
    }

    /// Drops the records, and returns a large buffer to the spare ones.
    pub(crate) fn release(&mut self) {
        if !self.first.is_empty() {
            let first = std::mem::take(&mut self.first);
            SPARE.put(std::mem::replace(&mut self.bytes, first));
        }
        (self.sealed, self.limit) = (0, 0);
    }

    /// The buffer that the offsets of [`Outbound::window`] refer to.
    pub(crate) fn memory(&mut self) -> &mut Vec<u8> {
        &mut self.bytes
    }

    /// Returns where the content of the open record may start, and where it has to end.
    pub(crate) fn window(&self) -> (usize, usize) {
        let start = self.sealed + HEADER_LEN;
        let end = self.bytes.len().saturating_sub(TAIL);
        if start > end { (0, 0) } else { (start, end.min(start + self.limit)) }
    }

    /// Whether another record of at least half the full size fits after an open one with `used` bytes.
    pub(crate) fn has_room_behind(&self, used: usize) -> bool {
        let start = self.sealed + 2 * HEADER_LEN + used;
        self.limit > 0 && start + self.limit / 2 < self.bytes.len().saturating_sub(TAIL)
    }

    /// Seals the open record, which has `used` bytes of content. Without content there is no record.
    pub(crate) fn seal(&mut self, stream: RecordStream, used: usize) {
        if used == 0 {
            return;
        }
        let header = Header::new(stream.kind, stream.id, used as u16).to_bytes();
        if self.append(&header) {
            self.sealed += used;
        }
    }

    /// Appends the empty record that ends the stream.
    pub(crate) fn end(&mut self, stream: RecordStream) {
        self.append(&end_of_stream(stream.kind, stream.id));
    }

    /// Appends a whole record, or the header of a record whose content is in place. Returns false if it does
    /// not fit; the records that end a request always do.
    pub(crate) fn append<const N: usize>(&mut self, record: &[u8; N]) -> bool {
        let room = if self.bytes.is_empty() { &mut self.ends[..] } else { &mut self.bytes };
        let free = room.get_mut(self.sealed..).and_then(<[u8]>::first_chunk_mut);
        let fits = free.is_some();
        if let Some(free) = free {
            *free = *record;
            self.sealed += N;
        }
        fits
    }

    /// The sealed records.
    pub(crate) fn sealed(&self) -> &[u8] {
        sealed(&self.bytes, &self.ends, self.sealed)
    }

    /// Drops the sealed records.
    pub(crate) fn clear(&mut self) {
        self.sealed = 0;
    }

    /// Sends the sealed records.
    pub(crate) fn send(&mut self, sink: Sink) -> io::Result<()> {
        let result = sink.take(self.sealed(), Then::KeepOpen);
        self.clear();
        result
    }

    /// Sends the sealed records, and after them as much of `content` as one call takes, in records of its own
    /// and without copying it. Returns how many bytes of `content` were sent.
    pub(crate) fn send_with(
        &mut self,
        sink: Sink,
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
        // When out of memory, sending takes more system calls.
        let many = if is_large { self.parts.entries(part_count(MANY)).ok() } else { None };
        let list = many.unwrap_or(&mut few);
        let result = sink.take_parts(pieces, list, Then::KeepOpen);
        self.clear();
        result.map(|()| content.len())
    }
}

/// Frees the unused large buffers.
pub(crate) fn clear_spare() {
    SPARE.clear();
}

/// Sends the sealed records of both buffers in one piece, in this order.
pub(crate) fn send_both(
    sink: Sink,
    first: &mut Outbound,
    second: &mut Outbound,
    then: Then,
) -> io::Result<()> {
    let result = if first.sealed().is_empty() {
        sink.take(second.sealed(), then)
    } else {
        let pieces = [first.sealed(), second.sealed()].into_iter();
        sink.take_parts(pieces, &mut [IoSlice::new(&[]); 2], then)
    };
    first.clear();
    second.clear();
    result
}

/// Returns the sealed records: the first `count` bytes of the buffer, or of `ends` if there is no buffer.
fn sealed<'a>(bytes: &'a [u8], ends: &'a [u8], count: usize) -> &'a [u8] {
    let room = if bytes.is_empty() { ends } else { bytes };
    room.get(..count).unwrap_or_default()
}

/// Returns how many entries a list of parts needs for `records` records: a header and a content for each,
/// and one for the sealed records in front.
const fn part_count(records: usize) -> usize {
    1 + 2 * records
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::serve::unsent::Unsent;
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
            let unsent = Unsent::new();
            let mut left = &copy[..];
            while !left.is_empty() {
                let sent =
                    outbound.send_with(Sink::new(a.as_raw_fd(), &unsent), OUT, left).unwrap();
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
