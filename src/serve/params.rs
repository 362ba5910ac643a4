//! The parameters of a request, in one arena.
//!
//! The PARAMS stream is collected as it is, and decoded in place into `NAME=value` strings once it has ended.
//! An encoded pair has at least two bytes of lengths in front of its name. The name moves one byte down, `=`
//! takes the byte that becomes free between name and value, and NUL the first byte of the next pair, whose
//! lengths have been read by then. Values never move.
//!
//! The memory of a large stream is bounded by its limit, however long its pairs are: the limit itself for the
//! bytes, and on 64 bits eight thirds of it for the pointers to the strings.

use std::ptr;
use std::sync::atomic::AtomicPtr;

use crate::os::memory::{self, push, reserve_exact};
use crate::protocol::name_value::{Pairs, split_length};

/// Room for the first string, `FCGI_ROLE=…`.
const ROLE_ROOM: usize = 32;

/// The first string of a request's environment, filled up with NULs.
#[derive(Clone, Copy, Debug)]
pub struct RoleString([u8; ROLE_ROOM]);

impl RoleString {
    /// The string `text`, cut after 31 bytes.
    pub const fn new(text: &[u8]) -> Self {
        let mut room = [0; ROLE_ROOM];
        let mut at = 0;
        while at < text.len() && at < ROLE_ROOM - 1 {
            room[at] = text[at];
            at += 1;
        }
        Self(room)
    }
}

/// Memory kept between requests, in bytes.
pub(super) const KEPT: usize = 64 * 1024;

/// Pointers kept between requests.
const KEPT_POINTERS: usize = 1024;

/// The share of each pair of a large stream in the limit, in bytes: two lengths and a name of one byte.
const LEAST_PAIR: usize = 3;

/// Why parameters are refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ParamsError {
    /// They exceed the limit.
    TooMany,
    /// The stream ended within a pair.
    Cut,
    /// The process is out of memory.
    NoMemory,
}

impl From<memory::NoMemory> for ParamsError {
    fn from(_: memory::NoMemory) -> Self {
        Self::NoMemory
    }
}

/// Strings that end with NUL, and pointers to them, with NULL after the last.
#[derive(Debug, Default)]
pub struct Params {
    arena: Vec<u8>,
    /// Plain pointers could not be sent to another thread; these can.
    pointers: Vec<AtomicPtr<u8>>,
}

impl Params {
    /// No parameters, and no memory.
    pub const fn new() -> Self {
        Self { arena: Vec::new(), pointers: Vec::new() }
    }

    /// Begins a request with the string that names its role.
    pub fn begin(&mut self, role: &RoleString) -> Result<(), ParamsError> {
        self.clear();
        memory::append(&mut self.arena, &role.0)?;
        Ok(())
    }

    /// Drops the parameters, and frees the memory if it is more than usual.
    pub fn clear(&mut self) {
        self.pointers.clear();
        self.arena.clear();
        if self.arena.capacity() > KEPT || self.pointers.capacity() > KEPT_POINTERS {
            *self = Self::new();
        }
    }

    /// Returns how much memory they take, in bytes.
    pub fn size(&self) -> usize {
        self.arena.capacity() + self.pointers.capacity() * size_of::<AtomicPtr<u8>>()
    }

    /// Collects a piece of the PARAMS stream, of which at most `limit` bytes may come in all.
    pub fn append(&mut self, content: &[u8], limit: usize) -> Result<(), ParamsError> {
        let length = self.arena.len().saturating_add(content.len());
        if length > limit.saturating_add(ROLE_ROOM) {
            return Err(ParamsError::TooMany);
        }
        if length > KEPT {
            self.grow(length, limit)?;
        }
        memory::append(&mut self.arena, content)?;
        Ok(())
    }

    /// Makes room for `length` bytes, for a quarter more as far as the limit allows, and for a NUL.
    #[cold]
    fn grow(&mut self, length: usize, limit: usize) -> Result<(), ParamsError> {
        if length < self.arena.capacity() {
            return Ok(());
        }
        let most = limit.saturating_add(ROLE_ROOM);
        let wanted = most.min(length.saturating_add(length / 4)).saturating_add(1);
        let more = wanted - self.arena.len();
        reserve_exact(&mut self.arena, more)?;
        Ok(())
    }

    /// Decodes the collected stream into strings, with the `limit` of [`Params::append`].
    #[inline(never)]
    pub fn decode(&mut self, limit: usize) -> Result<(), ParamsError> {
        if self.arena.len() > KEPT {
            self.make_pointers(limit)?;
        }
        // The NUL of the last string comes after the stream.
        push(&mut self.arena, 0).map_err(|_| ParamsError::NoMemory)?;
        // The arena does not move any more.
        let base = self.arena.as_mut_ptr();
        let end = base.wrapping_add(self.arena.len() - 1);
        let pointers = &mut self.pointers;
        point(pointers, base)?;
        let stream = self.arena.get_mut(ROLE_ROOM..).unwrap_or_default();
        let Some((last, mut rest)) = stream.split_last_mut() else { return Ok(()) };
        loop {
            match *rest {
                [] => break,
                // The usual pair: each length takes one byte.
                [name, value, ..] if (name | value) < 0x80 => {
                    point(pointers, end.wrapping_sub(rest.len() - 1))?;
                    let lengths = (usize::from(name), usize::from(value));
                    rest = into_string(rest, 2, lengths).ok_or(ParamsError::Cut)?;
                }
                _ => {
                    let left = rest.len();
                    let (head, others) = long_into_string(rest).ok_or(ParamsError::Cut)?;
                    point(pointers, end.wrapping_sub(left + 1 - head))?;
                    rest = others;
                }
            }
        }
        *last = 0;
        point(pointers, ptr::null_mut())
    }

    /// Makes room for exactly the pointers to the strings of a large stream.
    #[cold]
    fn make_pointers(&mut self, limit: usize) -> Result<(), ParamsError> {
        let pairs = Pairs::new(self.arena.get(ROLE_ROOM..).unwrap_or_default()).count();
        if pairs > limit / LEAST_PAIR {
            return Err(ParamsError::TooMany);
        }
        // Two more: the role's, and NULL.
        reserve_exact(&mut self.pointers, pairs + 2)?;
        Ok(())
    }

    /// Returns the pointers to the strings, with NULL after the last.
    pub fn pointers(&mut self) -> &mut [AtomicPtr<u8>] {
        &mut self.pointers
    }
}

#[inline(always)]
fn point(pointers: &mut Vec<AtomicPtr<u8>>, to: *mut u8) -> Result<(), ParamsError> {
    push(pointers, AtomicPtr::new(to)).map_err(|_| ParamsError::NoMemory)
}

/// Decodes the first pair of a stream, whose lengths take `head` bytes, into a string that starts one byte
/// before the name, and ends the string before it. Returns the rest of the stream; `None` if the stream ends
/// within the pair.
#[inline(always)]
fn into_string(stream: &mut [u8], head: usize, (name, value): (usize, usize)) -> Option<&mut [u8]> {
    // Each length is less than 2^31; their sum may overflow on 32 bits.
    let end = (head + name).checked_add(value)?;
    let (pair, behind) = stream.split_at_mut_checked(end)?;
    // The lengths have been read: their first byte becomes the NUL of the string before.
    *pair.first_mut()? = 0;
    let moved = pair.get_mut(head - 1..head + name)?;
    moved.copy_within(1.., 0);
    *moved.last_mut()? = b'=';
    Some(behind)
}

/// As [`into_string`], for lengths of any form. Returns also how many bytes they take.
#[cold]
fn long_into_string(stream: &mut [u8]) -> Option<(usize, &mut [u8])> {
    let (name, rest) = split_length(stream)?;
    let (value, rest) = split_length(rest)?;
    let head = stream.len() - rest.len();
    into_string(stream, head, (name, value)).map(|behind| (head, behind))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns where each string starts in the arena.
    fn starts(params: &mut Params) -> Vec<usize> {
        let base = params.arena.as_ptr().addr();
        let (last, pointers) = params.pointers().split_last_mut().unwrap();
        assert!(last.get_mut().is_null());
        pointers.iter_mut().map(|pointer| pointer.get_mut().addr() - base).collect()
    }

    fn decoded(stream: &[u8], limit: usize) -> Result<Params, ParamsError> {
        let mut params = Params::new();
        params.begin(&RoleString::new(b"FCGI_ROLE=FILTER"))?;
        stream.chunks(0xffff).try_for_each(|piece| params.append(piece, limit))?;
        params.decode(limit)?;
        Ok(params)
    }

    fn strings(stream: &[u8]) -> Result<Vec<Vec<u8>>, ParamsError> {
        let mut params = decoded(stream, 1 << 20)?;
        let starts = starts(&mut params);
        let text = |&at: &usize| params.arena[at..].split(|&b| b == 0).next().unwrap().to_vec();
        Ok(starts.iter().map(text).collect())
    }

    #[test]
    fn pairs_become_strings_in_order() {
        let stream = b"\x01\x02abc\x00\x00\x80\x00\x00\x01\x80\x00\x00\x00x\x01\x01ad";
        let expected = [&b"FCGI_ROLE=FILTER"[..], b"a=bc", b"=", b"x=", b"a=d"];
        assert_eq!(strings(stream).unwrap(), expected);
        assert_eq!(strings(b"").unwrap().len(), 1);
    }

    #[test]
    fn a_stream_that_ends_within_a_pair_is_refused() {
        let stream = b"\x01\x02abc\x02\x80\x00\x00\x01xyz";
        for cut in (1..5).chain(6..stream.len()) {
            assert_eq!(strings(&stream[..cut]), Err(ParamsError::Cut), "cut at {cut}");
        }
        assert_eq!(strings(b"\xff\xff\xff\xff\xff\xff\xff\xffab"), Err(ParamsError::Cut));
    }

    #[test]
    fn the_limit_counts_the_bytes_of_the_stream() {
        let mut params = Params::new();
        params.begin(&RoleString::new(b"")).unwrap();
        assert_eq!(params.append(&[0; 10], 10), Ok(()));
        assert_eq!(params.append(&[0; 1], 10), Err(ParamsError::TooMany));
    }

    #[test]
    fn every_string_survives_any_lengths() {
        let mut stream = Vec::new();
        let lengths = [(1, 0), (127, 128), (128, 127), (0, 300), (70_000, 3)];
        for (n, v) in lengths {
            for length in [n, v] {
                let (bytes, used) = crate::protocol::name_value::encode_length(length).unwrap();
                stream.extend_from_slice(&bytes[..used]);
            }
            stream.resize(stream.len() + n, b'n');
            stream.resize(stream.len() + v, b'v');
        }
        let expected: Vec<_> = lengths
            .iter()
            .map(|&(n, v)| [vec![b'n'; n], vec![b'='], vec![b'v'; v]].concat())
            .collect();
        assert_eq!(strings(&stream).unwrap()[1..], expected);
    }

    /// The memory of a megabyte of parameters, while they arrive and once they are decoded.
    #[test]
    #[cfg_attr(miri, ignore = "takes minutes")]
    fn no_stream_takes_four_times_its_limit() {
        const LIMIT: usize = 1 << 20;
        for pair in [&b"\x01\x00a"[..], b"\x00\x01a", b"\x01\x01ab", b"\x04\x07NAMEa value"] {
            let stream = pair.repeat(LIMIT / pair.len());
            let mut params = Params::new();
            params.begin(&RoleString::new(b"")).unwrap();
            for piece in stream.chunks(3001) {
                params.append(piece, LIMIT).unwrap();
                let length = params.arena.len();
                assert!(params.size() <= (2 * KEPT).max(length + length / 4 + 1), "{length}");
            }
            assert!(params.size() <= LIMIT + ROLE_ROOM + 1);
            params.decode(LIMIT).unwrap();
            assert_eq!(params.pointers().len(), LIMIT / pair.len() + 2);
            assert!(params.size() < LIMIT / 3 * 11 + 100, "{}", params.size());
        }
        // Empty pairs would take more.
        assert_eq!(decoded(&[0; LIMIT], LIMIT).err(), Some(ParamsError::TooMany));
        assert_eq!(starts(&mut decoded(&[0; LIMIT / 2], LIMIT).unwrap()).len(), LIMIT / 4 + 1);
    }

    #[test]
    #[cfg_attr(miri, ignore = "takes minutes")]
    fn what_is_kept_is_bounded() {
        for stream in
            [vec![0; KEPT / 2], [&b"\x04\x80\x01\x00\x00NAME"[..], &[0; 1 << 16]].concat()]
        {
            let mut params = decoded(&stream, 1 << 20).unwrap();
            params.clear();
            assert_eq!(params.size(), 0);
        }
        let mut params = decoded(b"\x01\x01ab", 1 << 20).unwrap();
        params.clear();
        assert!(params.size() > 0);
    }
}
