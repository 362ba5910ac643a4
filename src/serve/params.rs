//! The parameters of a request, in one arena.
//!
//! The PARAMS stream is collected as it is, and decoded in place into `NAME=value` strings once it has ended.
//! An encoded pair has at least two bytes of lengths in front of its name. The name moves one byte down, `=`
//! takes the byte that becomes free between name and value, and NUL the first byte of the next pair, whose
//! lengths have been read by then. Values never move. Lengths of four bytes leave a gap before their name: its last
//! byte says how long it is, so that each string's end can be found, whatever bytes the string has.
//!
//! The memory of a large stream is bounded by its limit, however long its pairs are: the limit itself for the
//! bytes, and on 64 bits eight thirds of it for the pointers to the strings.

use std::ptr;
use std::sync::atomic::{AtomicPtr, Ordering};

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

    /// Returns the string at this index, as `NAME=value` without its NUL; `None` behind the last.
    pub fn string(&self, index: usize) -> Option<&[u8]> {
        let start = self.offset(index)?;
        let end = match self.offset(index.checked_add(1)?) {
            // The byte in front of a string is the NUL of the one before, or says how far that is.
            Some(next) => {
                let before = next.checked_sub(1)?;
                before.checked_sub(usize::from(*self.arena.get(before)?))?
            }
            None => self.arena.len().checked_sub(1)?,
        };
        let string = self.arena.get(start..end)?;
        // The role's string is filled up with NULs.
        let is_role = index == 0;
        string.split(|byte| is_role && *byte == 0).next()
    }

    /// Returns the value of the first parameter with this name.
    pub fn find(&self, name: &[u8]) -> Option<&[u8]> {
        let base = self.arena.as_ptr().addr();
        let first = name.first().unwrap_or(&b'=');
        let has_name = |pointer: &AtomicPtr<u8>| {
            let start = pointer.load(Ordering::Relaxed).addr().wrapping_sub(base);
            // Comparing the first byte here skips most comparisons of names.
            self.arena.get(start) == Some(first)
                && self.arena.get(start..).is_some_and(|string| {
                    string.strip_prefix(name).is_some_and(|rest| rest.first() == Some(&b'='))
                })
        };
        let index = self.pointers.iter().position(has_name)?;
        self.string(index)?.get(name.len() + 1..)
    }

    /// Returns where a string starts in the arena. A program may have replaced its pointer by another.
    fn offset(&self, index: usize) -> Option<usize> {
        let pointer = self.pointers.get(index)?.load(Ordering::Relaxed);
        let offset = pointer.addr().checked_sub(self.arena.as_ptr().addr())?;
        (offset < self.arena.len()).then_some(offset)
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
    // The lengths have been read: their last byte but one, which stays in front of the string, says how many
    // bytes lie between the NUL before and the string.
    let gap = head.checked_sub(2)?;
    *stream.get_mut(gap)? = gap as u8;
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

    /// The strings, as [`Params::string`] returns them.
    fn whole_strings(params: &Params) -> Vec<Vec<u8>> {
        (0..).map_while(|index| params.string(index)).map(<[u8]>::to_vec).collect()
    }

    #[test]
    fn strings_have_their_whole_length_whatever_bytes_they_have() {
        let pairs: [(&[u8], &[u8]); 6] = [
            (b"a", b"\0b\0"),
            (b"", b""),
            (b"n\0", b"\0"),
            (b"A", b"=="),
            (b"\0", b""),
            (b"Z", b"\0"),
        ];
        // Each length in one byte or in four, in all combinations.
        for forms in (0..1_u32 << 12).step_by(if cfg!(miri) { 97 } else { 1 }) {
            let mut stream = Vec::new();
            for (at, (name, value)) in pairs.iter().enumerate() {
                for (half, text) in [name, value].into_iter().enumerate() {
                    if forms >> (2 * at + half) & 1 == 0 {
                        stream.push(text.len() as u8);
                    } else {
                        stream.extend((text.len() as u32 | 1 << 31).to_be_bytes());
                    }
                }
                stream.extend([*name, *value].concat());
            }
            let params = decoded(&stream, 1 << 20).unwrap();
            let mut expected = vec![b"FCGI_ROLE=FILTER".to_vec()];
            expected.extend(pairs.iter().map(|(name, value)| [*name, b"=", *value].concat()));
            assert_eq!(whole_strings(&params), expected, "{forms:b}");
        }
    }

    #[test]
    fn a_value_is_that_of_the_first_whole_name() {
        let params = decoded(b"\x02\x01AB1\x01\x03A2\0\0\x01\x01A3\0\x01x", 1 << 20).unwrap();
        assert_eq!(params.find(b"A"), Some(&b"2\0\0"[..]));
        assert_eq!(params.find(b"AB"), Some(&b"1"[..]));
        assert_eq!(params.find(b""), Some(&b"x"[..]));
        assert_eq!(params.find(b"FCGI_ROLE"), Some(&b"FILTER"[..]));
        assert_eq!((params.find(b"B"), params.find(b"A=2")), (None, None));
        assert_eq!(Params::new().find(b"A"), None);
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
