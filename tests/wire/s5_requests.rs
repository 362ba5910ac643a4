//! Specification, section 5: how requests begin and end.

use fcgi::internals::protocol::{BeginRequest, ProtocolStatus, RecordType, Role};

use super::differences::differ;
use super::{A_WHILE, ID, echo, end, on_both, reply, split_on_both, split_on_ours};
use testkit::wire::{
    Record, abort, begin, begin_role, padded, pairs, params, record, request, stdin, stream,
};
use testkit::{App, Library};

#[test]
fn s5_1_the_three_roles() {
    on_both(|app| {
        for (role, name) in [
            (Role::Responder, "RESPONDER"),
            (Role::Authorizer, "AUTHORIZER"),
            (Role::Filter, "FILTER"),
        ] {
            let data = stream(RecordType::DATA, ID, b"");
            let rest = [params(ID, &[]), stdin(ID, b""), data].concat();
            let answer = app.exchange(&[begin_role(ID, role, false), rest].concat());
            let first = format!("FCGI_ROLE={name}\n");
            assert!(answer[0].content.starts_with(first.as_bytes()), "{answer:?}");
        }
    });
}

#[test]
fn s5_1_other_roles_are_unknown() {
    let app = App::start(Library::Ours);
    for number in [0, 4, 255, 256, 257, 258, 259, 65_535] {
        for keep in [false, true] {
            let role = Role::from_number(number);
            let bytes = [begin_role(ID, role, keep), params(ID, &[("A", "B")]), stdin(ID, b"x")];
            let next = request(2, false, &[], b"next");
            let mut expected = vec![end(ID, 0, ProtocolStatus::UnknownRole)];
            if keep {
                expected.extend(echo(2, "", "next"));
            }
            let answer = app.exchange(&[bytes.concat(), next].concat());
            assert_eq!(answer, expected, "role {number}, keep {keep}");
        }
    }
}

#[test]
fn s5_1_an_unknown_role_may_be_cut_anywhere() {
    let role = Role::Unknown(9);
    let bytes = [begin_role(ID, role, true), params(ID, &[]), request(ID, false, &[], b"next")];
    let mut expected = vec![end(ID, 0, ProtocolStatus::UnknownRole)];
    expected.extend(echo(ID, "", "next"));
    split_on_ours(&bytes.concat(), &expected);
}

#[test]
fn s5_1_a_longer_body_of_begin_is_read_as_far_as_it_is_known() {
    let body = BeginRequest { role: Role::Responder, flags: 0 }.to_bytes();
    let longer = padded(RecordType::BEGIN_REQUEST, ID, &[&body[..], b"more"].concat(), 4);
    let bytes = [longer, params(ID, &[]), stdin(ID, b"body")].concat();
    split_on_ours(&bytes, &echo(ID, "", "body"));
}

#[test]
fn s5_1_a_shorter_body_of_begin_is_no_request() {
    let app = App::start(Library::Ours);
    for length in 0..8 {
        let short = record(RecordType::BEGIN_REQUEST, ID, &[0, 1, 0, 0, 0, 0, 0][..length.min(7)]);
        let rest = [params(ID, &[]), stdin(ID, b"body")].concat();
        assert_eq!(app.exchange(&[short, rest].concat()), [], "{length} bytes");
    }
    assert_eq!(app.exchange(&request(ID, false, &[], b"next")), echo(ID, "", "next"));
}

#[test]
fn s5_1_a_request_that_begins_twice_ends_the_connection() {
    let app = App::start(Library::Ours);
    assert_eq!(app.exchange(&[begin(ID, true), request(ID, true, &[], b"x")].concat()), []);
    let answer = app.exchange(
        &[begin(ID, true), params(ID, &[]), record(RecordType::STDIN, ID, b"x"), begin(ID, true)]
            .concat(),
    );
    assert_eq!(answer, reply(ID, "FCGI_ROLE=RESPONDER\nbody: x\nerror: -3\n"));
    assert_eq!(app.exchange(&request(ID, false, &[], b"next")), echo(ID, "", "next"));
}

#[test]
fn s5_2_only_the_empty_record_ends_the_parameters() {
    let app = App::start(Library::Ours);
    let mut connection = app.connect();
    connection.send(&begin(ID, false));
    for name in ["A", "B", "C"] {
        connection.send(&record(RecordType::PARAMS, ID, &pairs(&[(name, "x")])));
        assert!(connection.is_silent(A_WHILE / 4));
    }
    connection.send(&[record(RecordType::PARAMS, ID, b""), stdin(ID, b"")].concat());
    assert_eq!(connection.until_closed(), echo(ID, "A=x\nB=x\nC=x\n", ""));
}

#[test]
fn s5_3_the_body_is_any_bytes() {
    let body: Vec<u8> = (0..=255).collect();
    on_both(|app| {
        let answer = app.exchange(&request(ID, false, &[], &body));
        let told = [b"FCGI_ROLE=RESPONDER\nbody: ", &body[..], b"\nerror: 0\n"].concat();
        assert_eq!(answer[0], Record::new(RecordType::STDOUT, ID, &told));
    });
}

/// Asserts that an aborted request is answered, and that a kept connection serves the next one.
fn aborted(before: &[Vec<u8>], after: &[Vec<u8>], expected: &[Record]) {
    for keep in [true, false] {
        let begin = begin(ID, keep);
        let next = request(2, false, &[], b"next");
        let bytes = [&[begin][..], before, &[abort(ID)], after, &[next]].concat().concat();
        let mut all = expected.to_vec();
        if keep {
            all.extend(echo(2, "", "next"));
        }
        split_on_ours(&bytes, &all);
    }
}

fn ended() -> [Record; 1] {
    [end(ID, 0, ProtocolStatus::RequestComplete)]
}

#[test]
fn s5_4_an_abort_after_begin() {
    aborted(&[], &[], &ended());
    let late = [params(ID, &[("A", "B")]), stdin(ID, b"late")];
    aborted(&[], &late, &ended());
}

#[test]
fn s5_4_an_abort_among_the_parameters() {
    let whole = record(RecordType::PARAMS, ID, &pairs(&[("A", "B")]));
    aborted(&[whole], &[], &ended());
    let half = record(RecordType::PARAMS, ID, b"\x04\x05NAMEva");
    aborted(&[half], &[record(RecordType::PARAMS, ID, b"")], &ended());
}

#[test]
fn s5_4_an_abort_before_and_in_the_body() {
    let told = |body| reply(ID, &format!("FCGI_ROLE=RESPONDER\nbody: {body}\nerror: -3\n"));
    aborted(&[params(ID, &[])], &[], &told(""));
    let part = record(RecordType::STDIN, ID, b"part");
    aborted(&[params(ID, &[]), part.clone()], &[], &told("part"));
    aborted(&[params(ID, &[]), part], &[stdin(ID, b"late")], &told("part"));
}

#[test]
fn s5_4_an_abort_after_the_body() {
    aborted(&[params(ID, &[]), stdin(ID, b"body")], &[], &echo(ID, "", "body"));
}

#[test]
fn s5_4_an_abort_that_the_program_does_not_read() {
    let list = params(ID, &[("READ", "2")]);
    let part = record(RecordType::STDIN, ID, b"body");
    aborted(&[list, part], &[], &echo(ID, "READ=2\n", "bo"));
}

#[test]
fn s5_4_an_abort_in_the_data_of_a_filter() {
    let bytes = [
        begin_role(ID, Role::Filter, true),
        params(ID, &[]),
        stdin(ID, b"in"),
        record(RecordType::DATA, ID, b"half"),
        abort(ID),
        request(2, false, &[], b"next"),
    ];
    let told = "FCGI_ROLE=FILTER\nbody: in\nerror: 0\nStartFilterData: 0\ndata: half\nerror: -3\n";
    split_on_ours(&bytes.concat(), &[reply(ID, told), echo(2, "", "next")].concat());
}

#[test]
fn s5_4_an_abort_of_another_request_aborts_nothing() {
    let bytes = [
        abort(9),
        begin(ID, false),
        abort(9),
        params(ID, &[]),
        abort(9),
        record(RecordType::STDIN, ID, b"body"),
        padded(RecordType::ABORT_REQUEST, 9, b"with content", 7),
        record(RecordType::STDIN, ID, b""),
    ];
    split_on_ours(&bytes.concat(), &echo(ID, "", "body"));
}

#[test]
fn s5_4_the_program_answers_an_aborted_request_with_its_own_status() {
    let bytes = [
        begin(ID, true),
        params(ID, &[("STATUS", "7")]),
        record(RecordType::STDIN, ID, b"part"),
        abort(ID),
        request(2, false, &[], b"next"),
    ];
    let told = "FCGI_ROLE=RESPONDER\nSTATUS=7\nbody: part\nerror: -3\n";
    let mut aborted = reply(ID, told);
    *aborted.last_mut().unwrap() = end(ID, 7, ProtocolStatus::RequestComplete);
    differ(&bytes.concat(), &[aborted.clone(), echo(2, "", "next")].concat(), &aborted);
}

#[test]
fn s5_5_the_application_status_has_four_bytes() {
    on_both(|app| {
        for status in [1, 255, 256, 65_536, 0x0102_0304, i32::MAX, -1] {
            let list = [("STATUS", &*status.to_string()), ("SIZE", "0")];
            let answer = app.exchange(&request(ID, false, &list, b""));
            let expected = end(ID, status as u32, ProtocolStatus::RequestComplete);
            assert_eq!(answer.last(), Some(&expected));
        }
    });
}

#[test]
fn s5_5_every_concurrent_request_is_refused() {
    let part = |text| record(RecordType::STDIN, 1, text);
    let bytes = [
        [begin(1, true), request(7, true, &[], b"in the parameters"), params(1, &[])].concat(),
        [part(b"one "), begin(2, true), begin(3, false), part(b"two"), begin(2, true)].concat(),
        stdin(1, b""),
        request(2, false, &[], b"later"),
    ];
    let refused = |id| end(id, 0, ProtocolStatus::CantMpxConn);
    let mut expected: Vec<_> = [7, 2, 3, 2].map(refused).to_vec();
    expected.extend(echo(1, "", "one two"));
    expected.extend(echo(2, "", "later"));
    split_on_ours(&bytes.concat(), &expected);
}

#[test]
fn s5_5_parameters_up_to_the_limit_are_taken() {
    let limit = [("LIBFCGI_MAX_PARAMS_BYTES", "200")];
    let app = App::start_with(Library::Ours, &limit);
    // The two lengths take five bytes together, and the name one.
    let fits = "x".repeat(200 - 5 - 1);
    let answer = app.exchange(&request(ID, false, &[("N", &fits)], b""));
    assert_eq!(answer, echo(ID, &format!("N={fits}\n"), ""));
    let overloaded = [end(ID, 0, ProtocolStatus::Overloaded)];
    let beyond = request(ID, true, &[("N", &format!("{fits}x"))], b"");
    assert_eq!(app.exchange_split(&beyond), overloaded);
}

#[test]
fn b_examples_1_and_2_requests_without_and_with_a_body() {
    let told = "SERVER_PORT=80\nSERVER_ADDR=199.170.183.42\n";
    let list = b"\x0b\x02SERVER_PORT80\x0b\x0eSERVER_ADDR199.170.183.42";
    let whole = [
        begin(ID, false),
        record(RecordType::PARAMS, ID, list),
        record(RecordType::PARAMS, ID, b""),
        record(RecordType::STDIN, ID, b""),
    ];
    split_on_both(&whole.concat(), &echo(ID, told, ""));
    let in_pieces = [
        begin(ID, false),
        record(RecordType::PARAMS, ID, &list[..20]),
        record(RecordType::PARAMS, ID, &list[20..]),
        record(RecordType::PARAMS, ID, b""),
        record(RecordType::STDIN, ID, b"quantity=100&item=3047936"),
        record(RecordType::STDIN, ID, b""),
    ];
    split_on_both(&in_pieces.concat(), &echo(ID, told, "quantity=100&item=3047936"));
}

#[test]
fn b_example_3_an_error_with_its_message_and_status() {
    let list = [("LOG", "config error: missing SI_UID\n"), ("STATUS", "938"), ("SIZE", "2")];
    on_both(|app| {
        let answer = app.exchange(&request(ID, false, &list, b""));
        let log = b"config error: missing SI_UID\n";
        assert!(answer.contains(&Record::new(RecordType::STDERR, ID, log)), "{answer:?}");
        assert!(answer.contains(&Record::new(RecordType::STDERR, ID, b"")), "{answer:?}");
        assert_eq!(answer.last(), Some(&end(ID, 938, ProtocolStatus::RequestComplete)));
    });
}

#[test]
fn b_example_4_the_second_of_two_multiplexed_requests_is_refused() {
    let bytes = [
        begin(1, true),
        params(1, &[("A", "1")]),
        begin(2, true),
        record(RecordType::PARAMS, 2, &pairs(&[("A", "2")])),
        record(RecordType::STDIN, 1, b""),
        record(RecordType::PARAMS, 2, b""),
        record(RecordType::STDIN, 2, b""),
    ];
    let mut expected = vec![end(2, 0, ProtocolStatus::CantMpxConn)];
    expected.extend(echo(1, "A=1\n", ""));
    let app = App::start(Library::Ours);
    assert_eq!(app.exchange_split(&bytes.concat()), expected);
}
