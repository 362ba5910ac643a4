//! Management records (specification 4): what the web server may ask of the application as a whole.

use super::name_value::Pairs;
use super::record::{HEADER_LEN, Header, NULL_REQUEST_ID, RecordType};

/// What the application can take at once (specification 4.1), as the numbers sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Capacity {
    /// FCGI_MAX_CONNS: connections at the same time.
    pub max_conns: u32,
    /// FCGI_MAX_REQS: requests at the same time.
    pub max_reqs: u32,
    /// FCGI_MPXS_CONNS: whether requests may share a connection.
    pub multiplexes: bool,
}

impl Capacity {
    /// One request at a time.
    pub const ONE: Self = Self { max_conns: 1, max_reqs: 1, multiplexes: false };
}

const NAMES: [&[u8]; 3] = [b"FCGI_MAX_CONNS", b"FCGI_MAX_REQS", b"FCGI_MPXS_CONNS"];

/// Digits in the largest `u32`.
const MAX_DIGITS: usize = 10;

/// Room for the answer with all three pairs in it.
const MAX_RESULT: usize = HEADER_LEN + (2 + 14 + MAX_DIGITS) + (2 + 13 + MAX_DIGITS) + (2 + 15 + 1);

/// A GET_VALUES_RESULT record.
#[derive(Clone, Copy, Debug)]
pub struct ValuesResult {
    bytes: [u8; MAX_RESULT],
    len: usize,
}

impl ValuesResult {
    /// The record's bytes.
    pub fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or_default()
    }

    fn push(&mut self, bytes: &[u8]) {
        let end = self.len + bytes.len();
        if let Some(room) = self.bytes.get_mut(self.len..end) {
            room.copy_from_slice(bytes);
            self.len = end;
        }
    }

    fn push_pair(&mut self, name: &[u8], number: u32) {
        let mut digits = [0; MAX_DIGITS];
        let value = decimal(number, &mut digits);
        self.push(&[name.len() as u8, value.len() as u8]);
        self.push(name);
        self.push(value);
    }
}

/// Writes `number` at the end of `digits` and gives the digits used.
fn decimal(mut number: u32, digits: &mut [u8; MAX_DIGITS]) -> &[u8] {
    let mut start = MAX_DIGITS;
    for (at, digit) in digits.iter_mut().enumerate().rev() {
        *digit = b'0' + (number % 10) as u8;
        number /= 10;
        start = at;
        if number == 0 {
            break;
        }
    }
    digits.get(start..).unwrap_or_default()
}

/// Answers GET_VALUES with the given content: each known name once, in the order asked, unknown
/// names left out. A cut pair ends the list.
pub fn get_values_result(content: &[u8], capacity: Capacity) -> ValuesResult {
    let numbers = [capacity.max_conns, capacity.max_reqs, u32::from(capacity.multiplexes)];
    let mut answered = [false; NAMES.len()];
    let mut result = ValuesResult { bytes: [0; MAX_RESULT], len: HEADER_LEN };
    for (name, _) in Pairs::new(content) {
        for ((known, number), done) in NAMES.iter().zip(numbers).zip(&mut answered) {
            if name == *known && !*done {
                *done = true;
                result.push_pair(name, number);
            }
        }
    }
    let content_length = (result.len - HEADER_LEN) as u16;
    let header = Header::new(RecordType::GetValuesResult, NULL_REQUEST_ID, content_length);
    if let Some(room) = result.bytes.first_chunk_mut() {
        *room = header.to_bytes();
    }
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_known_name_is_answered_once_in_the_order_asked() {
        let asked =
            b"\x0f\x00FCGI_MPXS_CONNS\x03\x00FOO\x0e\x00FCGI_MAX_CONNS\x0e\x00FCGI_MAX_CONNS";
        let result = get_values_result(asked, Capacity::ONE);
        assert_eq!(
            result.as_bytes(),
            b"\x01\x0a\0\0\0\x23\0\0\x0f\x01FCGI_MPXS_CONNS0\x0e\x01FCGI_MAX_CONNS1"
        );
    }

    #[test]
    fn nothing_known_gets_an_empty_result() {
        for asked in [&b""[..], b"\x03\x00FOO", b"\xff", b"\x7f\x7fFCGI_MAX_CONNS"] {
            let result = get_values_result(asked, Capacity::ONE);
            assert_eq!(result.as_bytes(), b"\x01\x0a\0\0\0\0\0\0");
        }
    }

    #[test]
    fn the_largest_result_fits() {
        let capacity = Capacity { max_conns: u32::MAX, max_reqs: u32::MAX, multiplexes: true };
        let asked = b"\x0f\x00FCGI_MPXS_CONNS\x0d\x00FCGI_MAX_REQS\x0e\x00FCGI_MAX_CONNS";
        let result = get_values_result(asked, capacity);
        assert_eq!(result.as_bytes().len(), MAX_RESULT);
        assert!(result.as_bytes().ends_with(b"\x0e\x0aFCGI_MAX_CONNS4294967295"));
    }
}
