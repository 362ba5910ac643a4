//! Specification, sections 2 and 3: the first descriptors of the process, records, request ids,
//! name-value pairs, and the end of connections.

use fcgi::internals::protocol::{BeginRequest, ProtocolStatus, RecordType, Role};

use super::{A_WHILE, ID, echo, end, on_both, reply, split_on_both, split_on_ours};
use testkit::wire::{
    Record, abort, begin, get_values, padded, pairs, params, record, request, stdin,
};
use testkit::{App, Library, Listen, Worker};

/// Every record type but BEGIN_REQUEST, and some types that do not exist.
const OTHER_TYPES: [u8; 14] = [0, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 127, 255];

fn of_type(byte: u8, id: u16, content: &[u8]) -> Vec<u8> {
    record(RecordType::from_byte(byte), id, content)
}

/// Returns a whole request as a list of records, so that others can be put between them.
fn in_records() -> [Vec<u8>; 6] {
    [
        begin(ID, false),
        record(RecordType::PARAMS, ID, &pairs(&[("A", "B")])),
        record(RecordType::PARAMS, ID, b""),
        record(RecordType::STDIN, ID, b"one "),
        record(RecordType::STDIN, ID, b"two"),
        record(RecordType::STDIN, ID, b""),
    ]
}

#[test]
fn s2_2_the_listen_socket_is_descriptor_0_and_1_and_2_are_closed() {
    let closed = ["sh", "-c", "exec \"$0\" \"$@\" >&- 2>&-"];
    for library in Library::tested() {
        for listen in [Listen::Unix, Listen::Tcp] {
            let worker = Worker::start_in(&closed, library, listen, &[]);
            for body in ["one", "two", "three"] {
                let mut connection = worker.connect();
                connection.send(&request(ID, false, &[], body.as_bytes())).half_close();
                assert_eq!(connection.until_closed(), reply(ID, body));
            }
        }
    }
}

#[test]
fn s3_3_content_has_0_to_65535_bytes() {
    on_both(|app| {
        for length in [1, 255, 256, 8191, 8192, 65_534, 65_535] {
            let body = "c".repeat(length);
            let bytes = request(ID, false, &[], body.as_bytes());
            assert_eq!(app.exchange(&bytes), echo(ID, "", &body), "{length}");
        }
        let value = "v".repeat(65_535 - 6);
        let bytes = request(ID, false, &[("N", &value)], b"");
        assert_eq!(app.exchange(&bytes), echo(ID, &format!("N={value}\n"), ""));
    });
}

#[test]
fn s3_3_padding_of_0_to_255_bytes_follows_any_record() {
    let app = App::start(Library::Ours);
    let body = BeginRequest { role: Role::Responder, flags: 0 }.to_bytes();
    let list = pairs(&[("A", "B")]);
    let parts: [(RecordType, &[u8]); 5] = [
        (RecordType::BEGIN_REQUEST, &body),
        (RecordType::PARAMS, &list),
        (RecordType::PARAMS, b""),
        (RecordType::STDIN, b"body"),
        (RecordType::STDIN, b""),
    ];
    for which in 0..parts.len() {
        for padding in 0..=255 {
            let one = |(at, (kind, content)): (usize, &(RecordType, &[u8]))| {
                padded(*kind, ID, content, if at == which { padding } else { 0 })
            };
            let bytes = parts.iter().enumerate().flat_map(one).collect::<Vec<_>>();
            let answer = app.exchange(&bytes);
            assert_eq!(answer, echo(ID, "A=B\n", "body"), "record {which}, padding {padding}");
        }
    }
}

#[test]
fn s3_3_padding_is_ignored_whatever_it_holds() {
    let looks_like_records = abort(ID).repeat(3);
    let mut stuffed = padded(RecordType::STDIN, ID, b"one ", 24);
    let at = stuffed.len() - 24;
    stuffed[at..].copy_from_slice(&looks_like_records);
    let bytes = [begin(ID, false), params(ID, &[]), stuffed, stdin(ID, b"two")].concat();
    split_on_both(&bytes, &echo(ID, "", "one two"));
}

#[test]
fn s3_3_reserved_bytes_are_ignored() {
    let mut bytes = request(ID, false, &[("A", "B")], b"body");
    bytes[7] = 0xff;
    bytes[8 + 3..8 + 8].fill(0xff);
    bytes[16 + 7] = 0x5a;
    split_on_both(&bytes, &echo(ID, "A=B\n", "body"));
}

#[test]
fn s3_3_the_value_of_a_stream_does_not_depend_on_its_records() {
    on_both(|app| {
        let list = pairs(&[("NAME", "value"), ("N", &"v".repeat(130))]);
        let expected = app.exchange(
            &[
                begin(ID, false),
                record(RecordType::PARAMS, ID, &list),
                record(RecordType::PARAMS, ID, b""),
                stdin(ID, b"the body"),
            ]
            .concat(),
        );
        for at in 1..list.len() {
            let bytes = [
                begin(ID, false),
                record(RecordType::PARAMS, ID, &list[..at]),
                record(RecordType::PARAMS, ID, &list[at..]),
                record(RecordType::PARAMS, ID, b""),
                record(RecordType::STDIN, ID, &b"the body"[..at % 7 + 1]),
                record(RecordType::STDIN, ID, &b"the body"[at % 7 + 1..]),
                record(RecordType::STDIN, ID, b""),
            ];
            assert_eq!(app.exchange(&bytes.concat()), expected, "cut at {at}");
        }
    });
}

#[test]
fn s3_3_any_id_from_1_to_65535_is_a_request() {
    let app = App::start(Library::Ours);
    let mut connection = app.connect();
    for ids in (1..=u16::MAX).collect::<Vec<_>>().chunks(500) {
        let requests: Vec<_> =
            ids.iter().map(|&id| request(id, true, &[("SIZE", "1")], b"")).collect();
        connection.send(&requests.concat());
        let expected: Vec<_> = ids.iter().flat_map(|&id| reply(id, "x")).collect();
        assert_eq!(connection.until_end_of(*ids.last().unwrap()), expected);
    }
}

#[test]
fn s3_3_records_of_inactive_requests_are_ignored() {
    // A record of each type with another id comes before every record of the request and after the
    // last.
    for byte in OTHER_TYPES {
        let stray = of_type(byte, 9, b"stray");
        let mut bytes = Vec::new();
        for own in in_records() {
            bytes.extend([stray.clone(), own].concat());
        }
        split_on_ours(&bytes, &echo(ID, "A=B\n", "one two"));
    }
}

#[test]
fn s3_3_records_before_the_first_begin_are_ignored() {
    let strays: Vec<u8> =
        OTHER_TYPES.iter().flat_map(|&byte| of_type(byte, ID, b"\x01\x01XY")).collect();
    let bytes = [strays, request(ID, false, &[], b"body")].concat();
    split_on_ours(&bytes, &echo(ID, "", "body"));
}

#[test]
fn s3_3_an_id_is_inactive_from_its_end_to_its_next_begin() {
    let app = App::start(Library::Ours);
    let mut connection = app.connect();
    for round in ["first", "second", "third"] {
        connection.send(&request(ID, true, &[("ROUND", round)], b"body"));
        assert_eq!(connection.until_end_of(ID), echo(ID, &format!("ROUND={round}\n"), "body"));
        for byte in OTHER_TYPES {
            connection.send(&of_type(byte, ID, b"late"));
        }
    }
    connection.send(&request(2, false, &[], b"last")).half_close();
    assert_eq!(connection.until_closed(), echo(2, "", "last"));
}

#[test]
fn s3_3_an_empty_record_that_is_ignored_ends_nothing() {
    let strays = [
        record(RecordType::DATA, ID, b""),
        record(RecordType::STDOUT, ID, b""),
        record(RecordType::STDIN, 9, b""),
        record(RecordType::PARAMS, 9, b""),
        record(RecordType::PARAMS, ID, b""),
    ];
    for stray in &strays {
        let [start, list, list_end, one, two, stdin_end] = in_records();
        let bytes = [start, list, list_end, one, stray.clone(), two, stdin_end].concat();
        split_on_ours(&bytes, &echo(ID, "A=B\n", "one two"));
    }
}

#[test]
fn s3_3_application_records_do_not_have_the_null_id() {
    let mut expected = vec![Record::new(RecordType::UNKNOWN_TYPE, 0, b"\x01\0\0\0\0\0\0\0")];
    expected.extend(echo(ID, "", "x"));
    split_on_ours(&[begin(0, true), request(ID, false, &[], b"x")].concat(), &expected);
}

#[test]
fn s3_3_management_records_have_no_other_id_than_null() {
    // The id is that of an active request or of an inactive one. Neither gets a response, not even
    // before any request.
    for id in [ID, 9] {
        let query = record(RecordType::GET_VALUES, id, &pairs(&[("FCGI_MAX_CONNS", "")]));
        let unknown = of_type(77, id, b"who knows");
        for stray in [query, unknown] {
            let bytes = [
                stray.clone(),
                begin(ID, false),
                stray.clone(),
                params(ID, &[]),
                stray,
                stdin(ID, b"body"),
            ];
            split_on_ours(&bytes.concat(), &echo(ID, "", "body"));
        }
    }
}

#[test]
fn s3_3_nothing_behind_another_version_is_understood() {
    on_both(|app| {
        for version in [0, 2, 255] {
            let mut bytes = request(ID, true, &[], b"");
            bytes[0] = version;
            assert_eq!(app.exchange(&bytes), [], "version {version}");
        }
    });
}

/// Returns one pair, with each of the two lengths in the short or the long form.
fn pair(name: &[u8], long_name: bool, value: &[u8], long_value: bool) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (text, long) in [(name, long_name), (value, long_value)] {
        if long {
            bytes.extend((text.len() as u32 | 1 << 31).to_be_bytes());
        } else {
            bytes.push(u8::try_from(text.len()).unwrap());
        }
    }
    [&bytes[..], name, value].concat()
}

fn with_params(content: &[u8]) -> Vec<u8> {
    let list = record(RecordType::PARAMS, ID, content);
    [begin(ID, false), list, record(RecordType::PARAMS, ID, b""), stdin(ID, b"")].concat()
}

#[test]
fn s3_4_pairs_in_all_four_forms() {
    let long = "L".repeat(128);
    let content = [
        pair(b"F11", false, b"v", false),
        pair(b"F14", false, long.as_bytes(), true),
        pair(long.as_bytes(), true, b"v", false),
        pair(long.as_bytes(), true, long.as_bytes(), true),
    ];
    let told = format!("F11=v\nF14={long}\n{long}=v\n{long}={long}\n");
    split_on_both(&with_params(&content.concat()), &echo(ID, &told, ""));
}

#[test]
fn s3_4_short_lengths_may_have_the_long_form() {
    let mut content = Vec::new();
    let mut told = String::new();
    for (name, value) in [("A", ""), ("B", "x"), ("C", &*"y".repeat(127))] {
        for forms in [(false, true), (true, false), (true, true)] {
            content.extend(pair(name.as_bytes(), forms.0, value.as_bytes(), forms.1));
            told.push_str(&format!("{name}={value}\n"));
        }
    }
    split_on_both(&with_params(&content), &echo(ID, &told, ""));
}

#[test]
fn s3_4_empty_names_and_values() {
    let content = [pair(b"A", false, b"", false), pair(b"B", true, b"", true)].concat();
    split_on_both(&with_params(&content), &echo(ID, "A=\nB=\n", ""));
}

#[test]
fn s3_4_values_are_any_bytes() {
    let value: Vec<u8> = (1..=255).collect();
    let content = pair(b"ALL", false, &value, true);
    on_both(|app| {
        let answer = app.exchange(&with_params(&content));
        let told = [b"FCGI_ROLE=RESPONDER\nALL=", &value[..], b"\nbody: \nerror: 0\n"].concat();
        assert_eq!(answer[0], Record::new(RecordType::STDOUT, ID, &told));
    });
}

#[test]
fn s3_4_a_pair_that_does_not_end_is_no_request() {
    let whole = pair(b"NAME", false, b"value", true);
    on_both(|app| {
        // Position 0 is left out, because a request may have no parameters at all.
        for at in 1..whole.len() {
            assert_eq!(app.exchange(&with_params(&whole[..at])), [], "cut at {at}");
        }
    });
}

#[test]
fn s3_5_the_application_closes_when_keep_conn_is_not_set() {
    on_both(|app| {
        // The web server's side stays open, so it is the application that closes.
        let mut connection = app.connect();
        connection.send(&request(ID, false, &[], b"body"));
        assert_eq!(connection.until_closed(), echo(ID, "", "body"));
    });
}

#[test]
fn s3_5_keep_conn_is_one_bit_of_the_flags() {
    on_both(|app| {
        for (flags, kept) in [(0x00, false), (0x01, true), (0xfe, false), (0xff, true)] {
            let mut bytes = request(ID, false, &[], b"body");
            bytes[10] = flags;
            let mut connection = app.connect();
            connection.send(&bytes);
            assert_eq!(connection.until_end_of(ID), echo(ID, "", "body"));
            connection.within(A_WHILE);
            assert_eq!(!connection.closed, kept, "flags {flags:#x}");
        }
    });
}

#[test]
fn s3_5_the_web_server_may_close_when_no_request_is_active() {
    on_both(|app| {
        for _ in 0..3 {
            let mut connection = app.connect();
            connection.send(&request(ID, true, &[], b"one"));
            assert_eq!(connection.until_end_of(ID), echo(ID, "", "one"));
            drop(connection);
        }
        assert_eq!(app.exchange(&request(ID, false, &[], b"two")), echo(ID, "", "two"));
    });
}

#[test]
fn s3_5_a_connection_closed_in_the_middle_of_a_request_is_followed_by_the_next() {
    let app = App::start(Library::Ours);
    let bytes = request(ID, true, &[("A", "B")], b"the body");
    for at in 0..bytes.len() {
        let mut connection = app.connect();
        connection.send(&bytes[..at]);
        drop(connection);
    }
    assert_eq!(app.exchange(&request(ID, false, &[], b"next")), echo(ID, "", "next"));
}

#[test]
fn pipelined_requests_may_be_cut_anywhere() {
    let bytes = [
        request(1, true, &[("A", "1")], b"one"),
        get_values(&["FCGI_MAX_REQS"]),
        request(1, true, &[("READ", "1")], b"two"),
        request(3, false, &[], b"three"),
    ];
    let values = Record::new(RecordType::GET_VALUES_RESULT, 0, &pairs(&[("FCGI_MAX_REQS", "1")]));
    let expected =
        [echo(1, "A=1\n", "one"), vec![values], echo(1, "READ=1\n", "t"), echo(3, "", "three")];
    split_on_ours(&bytes.concat(), &expected.concat());
}

#[test]
fn a_refused_request_may_be_cut_anywhere() {
    let bytes = [
        begin(1, false),
        params(1, &[]),
        record(RecordType::STDIN, 1, b"one "),
        request(2, true, &[("NOT", "this")], b"nor this"),
        record(RecordType::STDIN, 1, b"and one"),
        record(RecordType::STDIN, 1, b""),
    ];
    let mut expected = vec![end(2, 0, ProtocolStatus::CantMpxConn)];
    expected.extend(echo(1, "", "one and one"));
    split_on_ours(&bytes.concat(), &expected);
}
