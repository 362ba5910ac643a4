//! The CGI environment as the parameters of a request.

use fcgi::internals::protocol::name_value::encode_length;

/// A name and its value.
pub(crate) type Variable = (Vec<u8>, Vec<u8>);

/// The PARAMS stream: name-value pairs, encoded one at a time as they are read.
pub(crate) struct Params<I> {
    variables: I,
    pair: Vec<u8>,
    used: usize,
}

impl<I: Iterator<Item = Variable>> Params<I> {
    /// The stream of all `variables`.
    pub(crate) fn new(variables: I) -> Self {
        Self { variables, pair: Vec::new(), used: 0 }
    }

    /// Fills `room` with the next bytes of the stream, and returns how many. The stream has ended if they do
    /// not fill it.
    pub(crate) fn read(&mut self, room: &mut [u8]) -> usize {
        let mut filled = 0;
        while let Some(free) = room.get_mut(filled..).filter(|free| !free.is_empty()) {
            let mut left = self.pair.get(self.used..).unwrap_or_default();
            if left.is_empty() {
                match self.variables.next() {
                    None => break,
                    Some(variable) => self.encode(variable),
                }
                left = &self.pair;
            }
            let n = left.len().min(free.len());
            if let (Some(to), Some(from)) = (free.get_mut(..n), left.get(..n)) {
                to.copy_from_slice(from);
            }
            self.used += n;
            filled += n;
        }
        filled
    }

    /// Makes the variable the current pair. Leaves out one of over 2 GB, which has no encoding.
    fn encode(&mut self, (name, value): Variable) {
        self.pair.clear();
        self.used = 0;
        let lengths = encode_length(name.len()).zip(encode_length(value.len()));
        let Some(((name_length, n), (value_length, v))) = lengths else { return };
        self.pair.extend_from_slice(name_length.get(..n).unwrap_or_default());
        self.pair.extend_from_slice(value_length.get(..v).unwrap_or_default());
        self.pair.extend_from_slice(&name);
        self.pair.extend_from_slice(&value);
    }
}

/// Returns the length of the body that CONTENT_LENGTH announces: its leading digits, or 0 without any.
pub(crate) fn body_length(content_length: Option<&[u8]>) -> u64 {
    let text = content_length.unwrap_or_default().trim_ascii_start();
    let text = text.strip_prefix(b"+").unwrap_or(text);
    text.iter().take_while(|byte| byte.is_ascii_digit()).fold(0, |length: u64, digit| {
        length.saturating_mul(10).saturating_add(u64::from(digit - b'0'))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use fcgi::internals::protocol::name_value::Pairs;

    fn variable(name: &str, value: &str) -> Variable {
        (name.into(), value.into())
    }

    #[test]
    fn golden_bytes() {
        let mut params = Params::new([variable("A", "bc"), variable("E", "")].into_iter());
        let mut room = [0; 16];
        assert_eq!(params.read(&mut room), 8);
        assert_eq!(&room[..8], b"\x01\x02Abc\x01\x00E");
        assert_eq!(params.read(&mut room), 0);
    }

    #[test]
    fn the_stream_is_the_same_in_pieces_of_any_size() {
        let variables = || {
            let long = variable("LONG", &"x".repeat(300));
            [variable("A", "b"), long, variable("", ""), variable("Z", "")].into_iter()
        };
        let mut whole = [0; 1000];
        let n = Params::new(variables()).read(&mut whole);
        for size in 1..=n {
            let (mut params, mut all) = (Params::new(variables()), Vec::new());
            let mut piece = vec![0; size];
            loop {
                let n = params.read(&mut piece);
                all.extend_from_slice(&piece[..n]);
                if n < size {
                    break;
                }
            }
            assert_eq!(all, whole[..n], "pieces of {size}");
        }
    }

    #[test]
    fn a_value_of_a_megabyte_arrives() {
        let mut params = Params::new([variable("BIG", &"y".repeat(1 << 20))].into_iter());
        let mut all = vec![0; 2 << 20];
        let n = params.read(&mut all);
        let mut pairs = Pairs::new(&all[..n]);
        assert_eq!(
            pairs.next().map(|(name, value)| (name, value.len())),
            Some((&b"BIG"[..], 1 << 20))
        );
        assert!(pairs.is_complete());
    }

    #[test]
    fn body_lengths() {
        let length = |text: &str| body_length(Some(text.as_bytes()));
        assert_eq!(body_length(None), 0);
        for none in ["", "junk", "-1", "0"] {
            assert_eq!(length(none), 0, "{none}");
        }
        assert_eq!(length("5"), 5);
        assert_eq!(length(" +5x"), 5);
        assert_eq!(length("5000000000"), 5_000_000_000);
        assert_eq!(length("99999999999999999999"), u64::MAX);
    }
}
