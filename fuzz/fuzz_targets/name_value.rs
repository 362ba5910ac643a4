//! The name-value decoder, and the parameters that the library makes of a stream of pairs.
#![no_main]

use fcgi::protocol::name_value::{Pairs, encode_length};
use fcgi::serve::params::{Params, RoleString};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let mut pairs = Pairs::new(bytes);
    let list: Vec<_> = pairs.by_ref().collect();
    let mut encoded = Vec::new();
    for (name, value) in &list {
        for text in [name, value] {
            let (length, used) = encode_length(text.len()).unwrap();
            encoded.extend_from_slice(&length[..used]);
        }
        encoded.extend_from_slice(name);
        encoded.extend_from_slice(value);
    }
    // The same pairs again, in their shortest form.
    assert!(encoded.len() <= bytes.len());
    assert_eq!(Pairs::new(&encoded).collect::<Vec<_>>(), list);

    let mut params = Params::new();
    params.begin(&RoleString::new(b"FCGI_ROLE=RESPONDER")).unwrap();
    let limit = 1 << 16;
    let taken = bytes.chunks(7).try_for_each(|piece| params.append(piece, limit));
    assert_eq!(taken.is_ok(), bytes.len() <= limit);
    if taken.is_ok() {
        assert_eq!(params.decode().is_ok(), pairs.is_complete());
    }
    if taken.is_ok() && pairs.is_complete() {
        let (arena, starts) = params.strings();
        assert_eq!(starts.len(), 1 + list.len());
        for (&start, (name, value)) in starts[1..].iter().zip(&list) {
            let expected = [name, &b"="[..], value, b"\0"].concat();
            assert_eq!(arena[start..start + expected.len()], expected);
        }
    }
});
