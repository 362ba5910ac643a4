//! The parameters of a request, in one arena.
//!
//! The PARAMS stream is collected as it is and turned into `NAME=value` strings where it lies, once
//! its end has come. An encoded pair has at least two bytes of lengths in front of its name: the name
//! moves down by one, `=` takes the place that becomes free between name and value, and NUL the
//! first byte of the next pair, whose lengths have been read by then. Values never move.

use crate::os::memory::{self, push};
use crate::protocol::name_value::split_length;

/// Room for the first string, `FCGI_ROLE=…`.
const ROLE_ROOM: usize = 32;

/// The first string of a request's environment, with NULs behind it.
#[derive(Clone, Copy, Debug)]
pub struct RoleString([u8; ROLE_ROOM]);

impl RoleString {
    /// The string; its first 31 bytes count.
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
const KEPT: usize = 64 * 1024;

/// Why parameters cannot be taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ParamsError {
    /// They are more than the limit.
    TooMany,
    /// The stream ended within a pair.
    Cut,
    /// There is no memory for them.
    NoMemory,
}

impl From<memory::NoMemory> for ParamsError {
    fn from(_: memory::NoMemory) -> Self {
        Self::NoMemory
    }
}

/// Strings, each ended by NUL, and where each starts.
#[derive(Debug, Default)]
pub struct Params {
    arena: Vec<u8>,
    starts: Vec<usize>,
}

impl Params {
    /// No parameters, no memory.
    pub const fn new() -> Self {
        Self { arena: Vec::new(), starts: Vec::new() }
    }

    /// Starts a request with the string that says the role.
    pub fn begin(&mut self, role: &RoleString) -> Result<(), ParamsError> {
        self.clear();
        push(&mut self.starts, 0).map_err(|_| ParamsError::NoMemory)?;
        memory::append(&mut self.arena, &role.0)?;
        Ok(())
    }

    /// Forgets the parameters, and gives back what an unusual number of them has taken.
    pub fn clear(&mut self) {
        self.starts.clear();
        self.arena.clear();
        if self.arena.capacity() > KEPT {
            *self = Self::new();
        }
    }

    /// Collects a piece of the PARAMS stream. `limit`: bytes of the whole stream.
    pub fn append(&mut self, content: &[u8], limit: usize) -> Result<(), ParamsError> {
        if self.arena.len().saturating_add(content.len()) > limit.saturating_add(ROLE_ROOM) {
            return Err(ParamsError::TooMany);
        }
        memory::append(&mut self.arena, content)?;
        Ok(())
    }

    /// Turns the collected stream into strings.
    pub fn decode(&mut self) -> Result<(), ParamsError> {
        let end = self.arena.len();
        // The NUL of the last string lies behind the stream.
        push(&mut self.arena, 0).map_err(|_| ParamsError::NoMemory)?;
        let arena = self.arena.as_mut_slice();
        let mut next = ROLE_ROOM;
        while next < end {
            let stream = arena.get(next..end).unwrap_or_default();
            let pair = Place::of_first(stream, next).ok_or(ParamsError::Cut)?;
            // Ends the string before this one; here were this pair's lengths.
            if let Some(byte) = arena.get_mut(next) {
                *byte = 0;
            }
            let start = pair.name - 1;
            if let Some(moved @ [_, ..]) = arena.get_mut(start..pair.value) {
                moved.copy_within(1.., 0);
                if let Some(byte) = moved.last_mut() {
                    *byte = b'=';
                }
            }
            push(&mut self.starts, start).map_err(|_| ParamsError::NoMemory)?;
            next = pair.end;
        }
        if let Some(byte) = arena.last_mut() {
            *byte = 0;
        }
        Ok(())
    }

    /// The arena and where each string in it starts.
    pub fn strings(&mut self) -> (&mut Vec<u8>, &[usize]) {
        (&mut self.arena, &self.starts)
    }
}

/// Where one encoded pair lies.
struct Place {
    name: usize,
    value: usize,
    end: usize,
}

impl Place {
    /// The first pair of `stream`, which itself lies at `at`.
    fn of_first(stream: &[u8], at: usize) -> Option<Self> {
        match *stream {
            // Nearly every pair: both lengths in one byte.
            [name, value, ..] if (name | value) < 0x80 => {
                Self::within(stream, at, 2, (usize::from(name), usize::from(value)))
            }
            _ => {
                let (name, rest) = split_length(stream)?;
                let (value, rest) = split_length(rest)?;
                Self::within(stream, at, stream.len() - rest.len(), (name, value))
            }
        }
    }

    /// A pair whose lengths take `head` bytes, unless the stream ends within it.
    #[inline]
    fn within(
        stream: &[u8],
        at: usize,
        head: usize,
        (name, value): (usize, usize),
    ) -> Option<Self> {
        // One length is less than 2^31, both together may be more than a word of 32 bits.
        let end = (head + name).checked_add(value).filter(|end| *end <= stream.len())?;
        Some(Self { name: at + head, value: at + head + name, end: at + end })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn strings(stream: &[u8]) -> Result<Vec<Vec<u8>>, ParamsError> {
        let mut params = Params::new();
        params.begin(&RoleString::new(b"FCGI_ROLE=FILTER"))?;
        params.append(stream, 1 << 20)?;
        params.decode()?;
        let (arena, starts) = params.strings();
        let text = |&at: &usize| arena[at..].split(|&b| b == 0).next().unwrap().to_vec();
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
}
