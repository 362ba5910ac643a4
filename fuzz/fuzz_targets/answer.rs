//! Checks that cgi-fcgi reads an application's reply the same however its bytes are cut. The sum of the bytes
//! decides the cuts.
#![no_main]

use fuzz_support::piece;
use libfuzzer_sys::fuzz_target;

#[allow(dead_code)]
#[path = "../../src/bin/cgi-fcgi/reply.rs"]
mod reply;

mod request {
    pub(crate) const REQUEST_ID: u16 = 1;
}

use reply::{ReplyEvent, ReplyReader};

/// Returns what was written and how the reply ended, both as text.
fn read(bytes: &[u8], piece: usize) -> (Vec<(String, u8)>, String) {
    let (mut written, mut reply) = (Vec::new(), ReplyReader::new());
    let (mut used, mut end) = (0, 0);
    while end < bytes.len() {
        end = bytes.len().min(end + piece);
        loop {
            let pending = &bytes[used..end];
            match reply.step(pending) {
                ReplyEvent::NeedMore => break,
                ReplyEvent::Drop(n) => {
                    assert!(0 < n && n <= pending.len());
                    used += n;
                }
                ReplyEvent::Output(output, n) => {
                    assert!(0 < n && n <= pending.len());
                    written.extend(pending[..n].iter().map(|&byte| (format!("{output:?}"), byte)));
                    reply.written(n);
                    used += n;
                }
                ReplyEvent::End(end) => return (written, format!("{end:?}")),
                ReplyEvent::Broken(breach) => return (written, breach.to_string()),
            }
        }
    }
    (written, String::new())
}

fuzz_target!(|bytes: &[u8]| {
    let bytes = &bytes[..bytes.len().min(4096)];
    let whole = read(bytes, bytes.len().max(1));
    assert_eq!(read(bytes, piece(bytes)), whole);
});
