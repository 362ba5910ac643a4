//! The parameters of a request, as names and values.

use crate::serve::params::Params as Strings;

/// Returns a `NAME=value` string as name and value.
fn split(string: &[u8]) -> (&[u8], &[u8]) {
    let at = string.iter().position(|byte| *byte == b'=').unwrap_or(string.len());
    let (name, value) = string.split_at_checked(at).unwrap_or((string, &[]));
    (name, value.get(1..).unwrap_or_default())
}

/// The parameters of a request, such as `REQUEST_METHOD` and `HTTP_HOST`: names and values, which may contain
/// any bytes. A name ends at its first `=`, as in C programs.
#[derive(Clone, Copy, Debug)]
pub struct Params<'a>(pub(super) &'a Strings);

impl<'a> Params<'a> {
    /// Returns the value of the first parameter with this name.
    pub fn get(self, name: impl AsRef<[u8]>) -> Option<&'a [u8]> {
        let name = name.as_ref();
        self.iter().find(|(found, _)| *found == name).map(|(_, value)| value)
    }

    /// Returns the parameters in the order in which the web server has sent them.
    pub fn iter(self) -> Pairs<'a> {
        // The first string is the role's, which the web server has not sent.
        Pairs { strings: self.0, at: 1 }
    }
}

impl<'a> IntoIterator for Params<'a> {
    type Item = (&'a [u8], &'a [u8]);
    type IntoIter = Pairs<'a>;

    fn into_iter(self) -> Pairs<'a> {
        self.iter()
    }
}

/// Names and values, from [`Params::iter`].
#[derive(Clone, Debug)]
pub struct Pairs<'a> {
    strings: &'a Strings,
    at: usize,
}

impl<'a> Iterator for Pairs<'a> {
    type Item = (&'a [u8], &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let string = self.strings.string(self.at)?;
        self.at += 1;
        Some(split(string))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_string_is_split_at_its_first_equals_sign() {
        assert_eq!(split(b"A=b=c"), (&b"A"[..], &b"b=c"[..]));
        assert_eq!(split(b"=x"), (&b""[..], &b"x"[..]));
        assert_eq!(split(b"A="), (&b"A"[..], &b""[..]));
    }
}
