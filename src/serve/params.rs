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
        // The NUL of the last string lies behind the stream.
        push(&mut self.arena, 0).map_err(|_| ParamsError::NoMemory)?;
        let arena = self.arena.get_mut(ROLE_ROOM..).unwrap_or_default();
        let Some((last, mut rest)) = arena.split_last_mut() else { return Ok(()) };
        let (mut at, end) = (ROLE_ROOM, ROLE_ROOM + rest.len());
        loop {
            let pair = match *rest {
                [] => break,
                // Nearly every pair: both lengths in one byte.
                [name, value, ..] if (name | value) < 0x80 => {
                    into_string(rest, 2, (usize::from(name), usize::from(value)))
                }
                _ => long_into_string(rest),
            };
            let (start, behind) = pair.ok_or(ParamsError::Cut)?;
            push(&mut self.starts, at + start).map_err(|_| ParamsError::NoMemory)?;
            rest = behind;
            at = end - rest.len();
        }
        *last = 0;
        Ok(())
    }

    /// The arena and where each string in it starts.
    pub fn strings(&mut self) -> (&mut Vec<u8>, &[usize]) {
        (&mut self.arena, &self.starts)
    }
}

/// Turns the first pair of a stream, whose lengths take `head` bytes, into a string, and ends the one
/// before it. Returns where it starts and what lies behind it; `None` where the stream ends within it.
#[inline(always)]
fn into_string(
    stream: &mut [u8],
    head: usize,
    (name, value): (usize, usize),
) -> Option<(usize, &mut [u8])> {
    // One length is less than 2^31, both together may be more than a word of 32 bits.
    let end = (head + name).checked_add(value)?;
    let (pair, behind) = stream.split_at_mut_checked(end)?;
    // The lengths have been read.
    *pair.first_mut()? = 0;
    let moved = pair.get_mut(head - 1..head + name)?;
    moved.copy_within(1.., 0);
    *moved.last_mut()? = b'=';
    Some((head - 1, behind))
}

#[cold]
fn long_into_string(stream: &mut [u8]) -> Option<(usize, &mut [u8])> {
    let (name, rest) = split_length(stream)?;
    let (value, rest) = split_length(rest)?;
    let head = stream.len() - rest.len();
    into_string(stream, head, (name, value))
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
