//! Where one record ends and the next begins.
//!
//! A [`Reader`] looks at the bytes received and not yet used, and returns what comes next. It keeps no bytes:
//! it decodes a header once all eight bytes have arrived, passes contents on in pieces as they arrive, and
//! counts padding and unwanted contents off.

use super::record::{HEADER_LEN, Header};

/// What comes next in the bytes received.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Nothing, until more bytes are received.
    NeedMore,
    /// A header, already consumed: the caller drops [`HEADER_LEN`] bytes.
    Header(Header),
    /// This many bytes of content of the last header. The caller uses any number of them, and reports it with
    /// [`Reader::consume`].
    Content(usize),
    /// This many bytes to ignore, already consumed: the caller drops them.
    Skip(usize),
}

/// The position within the current record: how many bytes of content, and then of padding, are still to come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reader {
    content: u16,
    skip: u32,
}

impl Reader {
    /// A reader that expects a header.
    pub const fn new() -> Self {
        Self { content: 0, skip: 0 }
    }

    /// Returns what comes next in `bytes`, the ones received and not yet used.
    pub fn step(&mut self, bytes: &[u8]) -> Step {
        if self.content > 0 {
            return match bytes.len().min(usize::from(self.content)) {
                0 => Step::NeedMore,
                n => Step::Content(n),
            };
        }
        if self.skip > 0 {
            let n = bytes.len().min(self.skip as usize);
            self.skip -= n as u32;
            return if n == 0 { Step::NeedMore } else { Step::Skip(n) };
        }
        match bytes.first_chunk::<HEADER_LEN>() {
            None => Step::NeedMore,
            Some(chunk) => {
                let header = Header::from_bytes(*chunk);
                self.content = header.content_length;
                self.skip = u32::from(header.padding_length);
                Step::Header(header)
            }
        }
    }

    /// Notes that `n` bytes of content were used.
    pub fn consume(&mut self, n: usize) {
        let n = u16::try_from(n).unwrap_or(u16::MAX);
        self.content = self.content.saturating_sub(n);
    }

    /// Skips the rest of the current content.
    pub fn skip_content(&mut self) {
        self.skip += u32::from(self.content);
        self.content = 0;
    }

    /// Returns how many bytes of the current content are not used.
    pub const fn content_left(&self) -> usize {
        self.content as usize
    }

    /// Whether the next byte is the first of a header.
    pub const fn at_header(&self) -> bool {
        self.content == 0 && self.skip == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::record::RecordType;

    /// Reads `bytes` in pieces of `piece` bytes. Returns headers and contents in order.
    fn read(bytes: &[u8], piece: usize) -> (Vec<Header>, Vec<u8>) {
        let (mut headers, mut contents) = (Vec::new(), Vec::new());
        let (mut reader, mut pending) = (Reader::new(), Vec::new());
        for chunk in bytes.chunks(piece) {
            pending.extend_from_slice(chunk);
            loop {
                let used = match reader.step(&pending) {
                    Step::NeedMore => break,
                    Step::Header(header) => {
                        headers.push(header);
                        HEADER_LEN
                    }
                    Step::Content(n) => {
                        contents.extend_from_slice(&pending[..n]);
                        reader.consume(n);
                        n
                    }
                    Step::Skip(n) => n,
                };
                pending.drain(..used);
            }
        }
        assert!(reader.at_header() && pending.is_empty());
        (headers, contents)
    }

    #[test]
    fn records_are_the_same_however_they_are_cut() {
        let mut bytes = Vec::new();
        for (content, padding) in [(&b"hello"[..], 3u8), (b"", 255), (b"", 0), (b"x", 0)] {
            let mut header = Header::new(RecordType::STDIN, 1, content.len() as u16);
            header.padding_length = padding;
            bytes.extend_from_slice(&header.to_bytes());
            bytes.extend_from_slice(content);
            bytes.resize(bytes.len() + usize::from(padding), 0xaa);
        }
        let whole = read(&bytes, bytes.len());
        assert_eq!(whole.0.len(), 4);
        assert_eq!(whole.1, b"hellox");
        for piece in 1..bytes.len() {
            assert_eq!(read(&bytes, piece), whole, "in pieces of {piece}");
        }
    }

    #[test]
    fn unwanted_content_goes_with_its_padding() {
        let mut header = Header::new(RecordType::DATA, 1, 0xffff);
        header.padding_length = 0xff;
        let mut reader = Reader::new();
        assert_eq!(reader.step(&header.to_bytes()), Step::Header(header));
        reader.consume(1);
        reader.skip_content();
        assert_eq!(reader.content_left(), 0);
        assert_eq!(reader.step(&[0; 70_000]), Step::Skip(0xfffe + 0xff));
        assert!(reader.at_header());
    }
}
