//! Management records (specification 4): questions about the application rather than one request.

use super::name_value::Pairs;
use super::record::{HEADER_LEN, Header, NULL_REQUEST_ID, RecordType};
use super::writer::Record;

/// What the application can take at the same time (specification 4.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Capacity {
    /// FCGI_MAX_CONNS: the most connections.
    pub max_conns: u32,
    /// FCGI_MAX_REQS: the most requests.
    pub max_reqs: u32,
    /// FCGI_MPXS_CONNS: whether requests may share a connection.
    pub multiplexes: bool,
}

impl Capacity {
    /// One request at a time.
    pub const ONE: Self = Self { max_conns: 1, max_reqs: 1, multiplexes: false };
}

const NAMES: [&[u8]; 3] = [b"FCGI_MAX_CONNS", b"FCGI_MAX_REQS", b"FCGI_MPXS_CONNS"];

/// The digits of the largest `u32`.
const MAX_DIGITS: usize = 10;

/// Appends one pair with a decimal value. Name and value are shorter than 128 bytes.
fn push_pair(result: &mut Record, name: &[u8], number: u32) {
    let mut digits = [0; MAX_DIGITS];
    let value = decimal(number, &mut digits);
    result.push(&[name.len() as u8, value.len() as u8]);
    result.push(name);
    result.push(value);
}

/// Writes `number` at the end of `digits`, and returns the digits used.
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

/// Returns the answer to GET_VALUES with this content: each known name once, in the order asked. Leaves
/// unknown names out, and stops at a pair that is cut off.
pub fn get_values_result(content: &[u8], capacity: Capacity) -> Record {
    let numbers = [capacity.max_conns, capacity.max_reqs, u32::from(capacity.multiplexes)];
    let mut answered = [false; NAMES.len()];
    let mut result = Record::new();
    result.push(&[0; HEADER_LEN]);
    for (name, _) in Pairs::new(content) {
        for ((known, number), done) in NAMES.iter().zip(numbers).zip(&mut answered) {
            if name == *known && !*done {
                *done = true;
                push_pair(&mut result, name, number);
            }
        }
    }
    let length = (result.as_bytes().len() - HEADER_LEN) as u16;
    result.set_header(Header::new(RecordType::GET_VALUES_RESULT, NULL_REQUEST_ID, length));
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
        assert!(result.as_bytes().ends_with(b"\x0e\x0aFCGI_MAX_CONNS4294967295"));
    }
}
