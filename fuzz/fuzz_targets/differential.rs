//! Sends valid requests to two programs, testkit/programs/echo.c on the original library and on ours, and
//! compares the answers. FUZZ_ORIGINAL and FUZZ_OURS name their sockets; see run.sh.
#![no_main]

use std::os::unix::net::UnixStream;

use fcgi::internals::protocol::name_value::encode_length;
use fcgi::internals::protocol::{HEADER_LEN, Header, RecordType};
use fuzz_support::{records, send, until_closed};
use libfuzzer_sys::fuzz_target;

/// Bytes that make choices; zeros when they are used up.
struct Choices<'a>(&'a [u8]);

impl Choices<'_> {
    fn byte(&mut self) -> u8 {
        let Some((&first, rest)) = self.0.split_first() else { return 0 };
        self.0 = rest;
        first
    }

    fn text(&mut self) -> Vec<u8> {
        let length = match self.byte() {
            short @ 0..200 => usize::from(short % 16),
            long => usize::from(long) * 3 - 500,
        };
        // NUL ends a string in C, and '=' ends a name.
        let letter = |n: usize, byte: u8| b'A' + ((usize::from(byte) + n) % 26) as u8;
        let byte = self.byte();
        (0..length).map(|n| letter(n, byte)).collect()
    }
}

/// Appends a stream in records of any size with any padding, with an empty record only at its end.
fn stream(bytes: &mut Vec<u8>, kind: RecordType, content: &[u8], choices: &mut Choices) {
    let mut rest = content;
    while !rest.is_empty() {
        let size = 1 + usize::from(choices.byte());
        let (piece, left) = rest.split_at(size.min(rest.len()));
        let padding_length = choices.byte();
        let header = Header { padding_length, ..Header::new(kind, 1, piece.len() as u16) };
        bytes.extend(header.to_bytes());
        bytes.extend_from_slice(piece);
        bytes.resize(bytes.len() + usize::from(padding_length), 0);
        rest = left;
    }
    bytes.extend(Header::new(kind, 1, 0).to_bytes());
}

/// Returns a request as a web server could send it.
fn well_formed(choices: &mut Choices) -> Vec<u8> {
    let role = 1 + choices.byte() % 3;
    let mut bytes =
        Header::new(RecordType::BEGIN_REQUEST, 1, HEADER_LEN as u16).to_bytes().to_vec();
    bytes.extend([0, role, 0, 0, 0, 0, 0, 0]);
    let mut pairs = Vec::new();
    for _ in 0..choices.byte() % 8 {
        let (name, value) = (choices.text(), choices.text());
        for text in [&name, &value] {
            let (length, used) = encode_length(text.len()).unwrap();
            pairs.extend_from_slice(&length[..used]);
        }
        pairs.extend(name);
        pairs.extend(value);
    }
    stream(&mut bytes, RecordType::PARAMS, &pairs, choices);
    let body = choices.text();
    stream(&mut bytes, RecordType::STDIN, &body, choices);
    if role == 3 {
        let file = choices.text();
        stream(&mut bytes, RecordType::DATA, &file, choices);
    }
    bytes
}

/// Returns the answer of the program behind a socket: each stream's joined content, and the end.
fn answer(variable: &str, bytes: &[u8]) -> [Vec<u8>; 3] {
    let path = std::env::var_os(variable).expect("the variable names a socket; see run.sh");
    let socket = UnixStream::connect(path).expect("a program listens; see run.sh");
    send(&socket, bytes);
    let mut parts = [const { Vec::new() }; 3];
    for (kind, _, content) in records(&until_closed(&socket)) {
        match kind {
            RecordType::STDOUT => parts[0].extend(content),
            RecordType::STDERR => parts[1].extend(content),
            RecordType::END_REQUEST => parts[2].extend(content),
            other => panic!("{other:?}"),
        }
    }
    parts
}

fuzz_target!(|input: &[u8]| {
    let bytes = well_formed(&mut Choices(input));
    let original = answer("FUZZ_ORIGINAL", &bytes);
    assert!(!original[2].is_empty(), "the original gave no answer");
    assert_eq!(answer("FUZZ_OURS", &bytes), original);
});
