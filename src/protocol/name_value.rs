//! Name-value pairs (specification 3.4).
//!
//! A length below 128 takes one byte, any other four bytes with the highest bit set. The long form is valid
//! for short lengths, too.

/// Decodes one length. Returns it and the bytes after it, or `None` if bytes are missing.
pub fn split_length(bytes: &[u8]) -> Option<(usize, &[u8])> {
    let (&first, rest) = bytes.split_first()?;
    if first < 0x80 {
        return Some((usize::from(first), rest));
    }
    let (long, rest) = bytes.split_first_chunk::<4>()?;
    Some(((u32::from_be_bytes(*long) & 0x7fff_ffff) as usize, rest))
}

/// A name and its value.
pub type Pair<'a> = (&'a [u8], &'a [u8]);

/// Decodes one pair. Returns it and the bytes after it, or `None` if the bytes end within it.
pub fn split_pair(bytes: &[u8]) -> Option<(Pair<'_>, &[u8])> {
    let (name_length, rest) = split_length(bytes)?;
    let (value_length, rest) = split_length(rest)?;
    let (name, rest) = rest.split_at_checked(name_length)?;
    let (value, rest) = rest.split_at_checked(value_length)?;
    Some(((name, value), rest))
}

/// Iterates over the pairs of a whole stream or record. Stops early if the bytes end within a pair; see
/// [`Pairs::is_complete`].
#[derive(Clone, Debug)]
pub struct Pairs<'a> {
    rest: &'a [u8],
}

impl<'a> Pairs<'a> {
    /// The pairs in `bytes`.
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// Whether all bytes are decoded. Stays false if the last pair is cut off.
    pub const fn is_complete(&self) -> bool {
        self.rest.is_empty()
    }
}

impl<'a> Iterator for Pairs<'a> {
    type Item = Pair<'a>;

    fn next(&mut self) -> Option<Pair<'a>> {
        let (pair, rest) = split_pair(self.rest)?;
        self.rest = rest;
        Some(pair)
    }
}

/// Encodes one length. Returns the bytes and how many of them count; `None` for a length above 2^31 - 1,
/// which has no encoding.
pub fn encode_length(length: usize) -> Option<([u8; 4], usize)> {
    match u32::try_from(length) {
        Ok(short) if short < 0x80 => Some(([short as u8, 0, 0, 0], 1)),
        Ok(long) if long <= 0x7fff_ffff => Some(((long | 0x8000_0000).to_be_bytes(), 4)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn golden_pairs() {
        let mut pairs = Pairs::new(b"\x03\x02abcde\x01\x00x\x00\x01y");
        assert_eq!(pairs.next(), Some((&b"abc"[..], &b"de"[..])));
        assert_eq!(pairs.next(), Some((&b"x"[..], &b""[..])));
        assert_eq!(pairs.next(), Some((&b""[..], &b"y"[..])));
        assert_eq!(pairs.next(), None);
        assert!(pairs.is_complete());
    }

    #[test]
    fn the_long_form_is_legal_for_short_lengths() {
        let bytes = b"\x80\x00\x00\x01\x80\x00\x00\x02nvv";
        assert_eq!(split_pair(bytes), Some(((&b"n"[..], &b"vv"[..]), &b""[..])));
    }

    #[test]
    fn a_cut_pair_is_none_at_every_byte() {
        let bytes = b"\x03\x80\x00\x00\x02abcde";
        for cut in 0..bytes.len() {
            assert_eq!(split_pair(&bytes[..cut]), None, "cut at {cut}");
        }
        let mut pairs = Pairs::new(&bytes[..4]);
        assert_eq!(pairs.next(), None);
        assert!(!pairs.is_complete());
    }

    #[test]
    fn a_claim_of_two_gigabytes_is_only_a_number() {
        assert_eq!(split_pair(b"\xff\xff\xff\xff\x00"), None);
    }

    #[test]
    fn lengths_round_trip() {
        for length in [0, 1, 127, 128, 255, 65_536, 0x7fff_ffff] {
            let (bytes, used) = encode_length(length).unwrap();
            assert_eq!(used, if length < 128 { 1 } else { 4 });
            assert_eq!(split_length(&bytes[..used]), Some((length, &b""[..])));
        }
        assert_eq!(encode_length(0x8000_0000), None);
    }
}
