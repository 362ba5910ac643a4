//! The record reader returns the same headers and contents however the bytes are cut, and uses every byte
//! exactly once. The sum of the bytes decides the cuts.
#![no_main]

use fcgi::internals::protocol::{HEADER_LEN, Header, Reader, Step};
use fuzz_support::piece;
use libfuzzer_sys::fuzz_target;

/// Returns headers and all contents, and the number of used bytes.
fn read(bytes: &[u8], piece: usize) -> (Vec<Header>, Vec<u8>, usize) {
    let (mut headers, mut contents, mut used) = (Vec::new(), Vec::new(), 0);
    let mut reader = Reader::new();
    let mut end = 0;
    while end < bytes.len() {
        end = bytes.len().min(end + piece);
        loop {
            let pending = &bytes[used..end];
            match reader.step(pending) {
                Step::NeedMore => break,
                Step::Header(header) => {
                    headers.push(header);
                    used += HEADER_LEN;
                }
                Step::Content(n) => {
                    assert!(0 < n && n <= pending.len() && n <= reader.content_left());
                    contents.extend_from_slice(&pending[..n]);
                    reader.consume(n);
                    used += n;
                }
                Step::Skip(n) => {
                    assert!(0 < n && n <= pending.len());
                    used += n;
                }
            }
        }
    }
    (headers, contents, used)
}

fuzz_target!(|bytes: &[u8]| {
    let whole = read(bytes, bytes.len().max(1));
    assert!(bytes.len() - whole.2 < HEADER_LEN);
    assert_eq!(read(bytes, piece(bytes)), whole);
    for header in &whole.0 {
        assert_eq!(Header::from_bytes(header.to_bytes()), *header);
    }
});
