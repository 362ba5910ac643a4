//! The name-value decoder, and the parameters that the library builds from a stream of pairs.
#![no_main]

use fcgi::internals::protocol::name_value::{Pairs, encode_length};
use fcgi::internals::serve::params::{Params, RoleString};
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
        assert_eq!(params.decode(limit).is_ok(), pairs.is_complete());
    }
    if taken.is_ok() && pairs.is_complete() {
        let (last, strings) = params.pointers().split_last_mut().unwrap();
        assert!(last.get_mut().is_null());
        assert_eq!(strings.len(), 1 + list.len());
        for (string, (name, value)) in strings[1..].iter_mut().zip(&list) {
            let expected = [name, &b"="[..], value, b"\0"].concat();
            // SAFETY: a string has the length of its pair and ends with a NUL, as AddressSanitizer sees.
            let text = unsafe { std::slice::from_raw_parts(*string.get_mut(), expected.len()) };
            assert_eq!(text, expected);
        }
    }
});
