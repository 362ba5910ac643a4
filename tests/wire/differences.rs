//! The original's errors. Each test is a row of "Differences from the original", and says what the
//! original does instead.

use fcgi::internals::protocol::{ProtocolStatus, RecordType, Role};

use super::{A_WHILE, ID, echo, end, reply};
use testkit::wire::{
    Record, abort, begin, begin_role, get_values, padded, pairs, params, record, request, stdin,
};
use testkit::{App, Library, PATIENCE, until};

/// Asserts that the same bytes get these two different responses, and that the original ends the
/// connection.
pub(super) fn differ(bytes: &[u8], ours: &[Record], original: &[Record]) {
    assert_ne!(ours, original);
    assert_eq!(App::start(Library::Ours).exchange(bytes), ours);
    if let Some(library) = Library::original() {
        assert_eq!(App::start(library).exchange(bytes), original);
    }
}

#[test]
fn a_variable_asked_for_twice_is_told_once() {
    let bytes = [get_values(&["FCGI_MAX_CONNS"; 20]), request(ID, false, &[], b"x")].concat();
    let mut expected = echo(ID, "", "x");
    let values = pairs(&[("FCGI_MAX_CONNS", "1")]);
    expected.insert(0, Record::new(RecordType::GET_VALUES_RESULT, 0, &values));
    assert_eq!(App::start(Library::Ours).exchange(&bytes), expected);
    // The original writes beyond the end of an array, which ends the process: before its answer, or after it
    // where the stack lies otherwise.
    let Some(library) = Library::original() else { return };
    let mut original = App::start(library);
    let repeated = pairs(&[("FCGI_MAX_CONNS", "1"); 20]);
    let repeated = [Record::new(RecordType::GET_VALUES_RESULT, 0, &repeated)];
    let answer = original.exchange(&bytes);
    assert!(answer.is_empty() || answer == repeated, "{answer:?}");
    until("the original's end", PATIENCE, || (!original.is_running()).then_some(()));
}

#[test]
fn variables_are_told_at_once() {
    let values = pairs(&[("FCGI_MAX_REQS", "1")]);
    let values = Record::new(RecordType::GET_VALUES_RESULT, 0, &values);
    let ask = |app: &App| {
        let mut connection = app.connect();
        connection.send(&get_values(&["FCGI_MAX_REQS"])).until_read();
        connection
    };
    let ours = App::start(Library::Ours);
    // Not by a look after a second or two.
    assert_eq!(ask(&ours).within(A_WHILE), std::slice::from_ref(&values));

    // The original has read the record, and sleeps until a request arrives.
    let Some(library) = Library::original() else { return };
    let original = App::start(library);
    let mut connection = ask(&original);
    original.until_asleep();
    assert!(connection.is_silent(A_WHILE));
    connection.send(&request(ID, false, &[], b"body")).half_close();
    let answer = [&[values][..], &echo(ID, "", "body")].concat();
    assert_eq!(connection.until_closed(), answer);
}

#[test]
fn a_body_left_unread_is_no_request() {
    let hidden = request(ID, true, &[("SMUGGLED", "yes")], b"");
    let bytes = [
        request(ID, true, &[("READ", "0")], &hidden),
        request(ID, false, &[("SECOND", "yes")], b""),
    ];
    let expected = [echo(ID, "READ=0\n", ""), echo(ID, "SECOND=yes\n", "")];
    // The original ends the connection.
    differ(&bytes.concat(), &expected.concat(), &expected[0]);
}

#[test]
fn a_late_end_of_the_body_does_not_end_the_connection() {
    let served = |library| {
        let app = App::start(library);
        let mut connection = app.connect();
        let first =
            [begin(ID, true), params(ID, &[("READ", "4")]), record(RecordType::STDIN, ID, b"body")];
        connection.send(&first.concat());
        let mut records = connection.until_end_of(ID);
        connection.send(&record(RecordType::STDIN, ID, b"")).send(&abort(ID));
        connection.send(&request(ID, false, &[], b"second")).half_close();
        records.extend(connection.until_closed());
        records
    };
    let expected = [echo(ID, "READ=4\n", "body"), echo(ID, "", "second")];
    assert_eq!(served(Library::Ours), expected.concat());
    if let Some(original) = Library::original() {
        assert_eq!(served(original), expected[0]);
    }
}

#[test]
fn pipelined_requests_are_served_in_turn() {
    let bytes = [
        request(1, true, &[], b"one"),
        request(2, true, &[], b"two"),
        request(1, false, &[], b"three"),
    ];
    let expected = [echo(1, "", "one"), echo(2, "", "two"), echo(1, "", "three")];
    differ(&bytes.concat(), &expected.concat(), &expected[0]);
}

#[test]
fn a_second_request_within_the_first_is_refused() {
    let bytes = [
        begin(1, false),
        params(1, &[]),
        record(RecordType::STDIN, 1, b"one "),
        request(2, false, &[], b"two"),
        record(RecordType::STDIN, 1, b"and one"),
        record(RecordType::STDIN, 1, b""),
    ];
    // The original loses the rest of the body.
    let [ours, original] = ["one and one", "one "]
        .map(|body| [vec![end(2, 0, ProtocolStatus::CantMpxConn)], echo(1, "", body)].concat());
    differ(&bytes.concat(), &ours, &original);
}

#[test]
fn a_request_that_begins_twice_ends_with_its_connection() {
    let bytes = |again: Vec<u8>| {
        let before = [begin(ID, true), params(ID, &[]), record(RecordType::STDIN, ID, b"part ")];
        [before.concat(), again, stdin(ID, b"and rest"), request(2, false, &[], b"next")].concat()
    };
    let ours = reply(ID, "FCGI_ROLE=RESPONDER\nbody: part \nerror: -3\n");
    // The original refuses the second one, goes on, and loses the pipelined request.
    let refused = end(ID, 0, ProtocolStatus::CantMpxConn);
    let original = [vec![refused], echo(ID, "", "part and rest")].concat();
    differ(&bytes(begin(ID, true)), &ours, &original);
}

#[test]
fn a_record_out_of_place_is_ignored() {
    let part = record(RecordType::STDIN, ID, b"part ");
    for kind in [RecordType::PARAMS, RecordType::DATA, RecordType::STDOUT] {
        let stray = record(kind, ID, &pairs(&[("C", "D")]));
        let bytes = [begin(ID, true), params(ID, &[]), part.clone(), stray, stdin(ID, b"rest")];
        let original = reply(ID, "FCGI_ROLE=RESPONDER\nbody: part \nerror: -3\n");
        differ(&bytes.concat(), &echo(ID, "", "part rest"), &original);
    }
    for kind in [RecordType::STDIN, RecordType::DATA, RecordType::STDOUT] {
        let first = record(RecordType::PARAMS, ID, &pairs(&[("A", "B")]));
        let stray = record(kind, ID, b"stray");
        let bytes = [begin(ID, true), first, stray, params(ID, &[("C", "D")]), stdin(ID, b"body")];
        let original = reply(ID, "FCGI_ROLE=RESPONDER\nA=B\nbody: \nerror: -3\n");
        differ(&bytes.concat(), &echo(ID, "A=B\nC=D\n", "body"), &original);
    }
}

#[test]
fn a_longer_begin_request_is_read() {
    let longer = [begin(ID, false).split_off(8), vec![1; 8]].concat();
    let beginning = record(RecordType::BEGIN_REQUEST, ID, &longer);
    let bytes = [beginning, params(ID, &[]), stdin(ID, b"body")];
    differ(&bytes.concat(), &echo(ID, "", "body"), &[]);
}

#[test]
fn an_empty_record_of_another_request_takes_nothing_with_it() {
    let bytes =
        [begin(ID, false), params(ID, &[]), record(RecordType::STDIN, 9, b""), stdin(ID, b"whole")];
    differ(&bytes.concat(), &echo(ID, "", "whole"), &echo(ID, "", ""));
}

#[test]
fn every_record_may_have_padding() {
    let begin_body = begin(ID, false).split_off(8);
    for padding in [1, 7, 8, 255] {
        let bytes = [
            padded(RecordType::BEGIN_REQUEST, ID, &begin_body, padding),
            padded(RecordType::PARAMS, ID, &pairs(&[("A", "B")]), padding),
            padded(RecordType::PARAMS, ID, b"", padding),
            padded(RecordType::STDIN, ID, b"body", padding),
            padded(RecordType::STDIN, ID, b"", padding),
        ];
        // The original takes the padding for records.
        let original = reply(ID, "FCGI_ROLE=RESPONDER\nbody: \nerror: -2\n");
        differ(&bytes.concat(), &echo(ID, "A=B\n", "body"), &original);
    }
}

#[test]
fn an_unknown_management_record_leaves_no_content_behind() {
    let bytes = [
        begin(ID, false),
        params(ID, &[]),
        record(RecordType::from_byte(200), 0, b"what is this"),
        stdin(ID, b"body"),
    ];
    let unknown = Record::new(RecordType::UNKNOWN_TYPE, 0, b"\xc8\0\0\0\0\0\0\0");
    let [ours, original] = ["body", "what is thisbody"]
        .map(|body| [vec![unknown.clone()], echo(ID, "", body)].concat());
    differ(&bytes.concat(), &ours, &original);
}

#[test]
fn half_the_parameters_are_no_request() {
    let bytes = [begin(ID, false), record(RecordType::PARAMS, ID, &pairs(&[("A", "B")]))];
    let original = reply(ID, "FCGI_ROLE=RESPONDER\nA=B\nbody: \nerror: -3\n");
    differ(&bytes.concat(), &[], &original);
}

#[test]
fn an_unknown_role_is_refused_and_the_connection_kept() {
    let bytes = [
        begin_role(ID, Role::Unknown(77), true),
        params(ID, &[]),
        stdin(ID, b""),
        request(ID, false, &[], b"next"),
    ];
    let mut expected = vec![end(ID, 0, ProtocolStatus::UnknownRole)];
    expected.extend(echo(ID, "", "next"));
    differ(&bytes.concat(), &expected, &[]);
}

#[test]
fn an_abort_before_the_parameters_are_complete_ends_the_request() {
    let bytes = [begin(ID, true), abort(ID), request(2, false, &[], b"next")].concat();
    let ours = [vec![end(ID, 0, ProtocolStatus::RequestComplete)], echo(2, "", "next")].concat();
    // In the original, the program gets the request with no parameters and no body, and the next
    // one is refused.
    let aborted = reply(ID, "FCGI_ROLE=RESPONDER\nbody: \nerror: -3\n");
    let original = [vec![end(2, 0, ProtocolStatus::CantMpxConn)], aborted].concat();
    differ(&bytes, &ours, &original);
}

#[test]
fn an_abort_in_the_body_is_an_error_of_the_stream() {
    let bytes = [
        begin(ID, true),
        params(ID, &[]),
        record(RecordType::STDIN, ID, b"part"),
        abort(ID),
        request(2, false, &[], b"next"),
    ];
    let aborted = reply(ID, "FCGI_ROLE=RESPONDER\nbody: part\nerror: -3\n");
    // The original ends the connection.
    differ(&bytes.concat(), &[aborted.clone(), echo(2, "", "next")].concat(), &aborted);
}

#[test]
fn an_exit_status_belongs_to_one_request() {
    let bytes = [
        request(1, true, &[("STATUS", "5"), ("SIZE", "0")], b""),
        request(2, false, &[("SIZE", "0")], b""),
    ];
    let statuses = |library| {
        let app = App::start(library);
        let mut connection = app.connect();
        let mut ended = |bytes: &[u8], id| {
            let records = connection.send(bytes).until_end_of(id);
            records.last().unwrap().end_request().unwrap().app_status
        };
        [ended(&bytes[0], 1), ended(&bytes[1], 2)]
    };
    assert_eq!(statuses(Library::Ours), [5, 0]);
    if let Some(original) = Library::original() {
        assert_eq!(statuses(original), [5, 5]);
    }
}

#[test]
fn parameters_beyond_the_limit_are_refused() {
    let limit = [("LIBFCGI_MAX_PARAMS_BYTES", "1000")];
    let app = App::start_with(Library::Ours, &limit);
    let answer = app.exchange(&request(ID, true, &[("LONG", &"x".repeat(2000))], b""));
    assert_eq!(answer, [end(ID, 0, ProtocolStatus::Overloaded)]);
    assert_eq!(app.exchange(&request(ID, false, &[], b"next")), echo(ID, "", "next"));

    // The original has no limit: 20 MB of parameters reach the program.
    let long = "x".repeat(60_000);
    let pair = record(RecordType::PARAMS, ID, &pairs(&[("LONG", &long)]));
    let rest = [record(RecordType::PARAMS, ID, b""), stdin(ID, b"")].concat();
    let list = [("SIZE", "1")];
    let first = record(RecordType::PARAMS, ID, &pairs(&list));
    let bytes = [begin(ID, false), first, pair.repeat(340), rest].concat();
    if let Some(original) = Library::original() {
        assert_eq!(App::start(original).exchange(&bytes), reply(ID, "x"));
    }
    let ours = App::start(Library::Ours);
    assert_eq!(ours.exchange(&bytes), [end(ID, 0, ProtocolStatus::Overloaded)]);
}

#[test]
fn claimed_lengths_alone_take_no_memory() {
    // Twenty requests claim two strings of 96 MiB each, which never arrive.
    let claim = record(RecordType::PARAMS, ID, &[0x86, 0, 0, 0, 0x86, 0, 0, 0]);
    let taken = |library| {
        let app = App::start(library);
        for _ in 0..20 {
            assert_eq!(app.exchange(&[begin(ID, false), claim.clone()].concat()), []);
        }
        app.most_memory()
    };
    assert!(taken(Library::Ours) < 100 << 20);
    if let Some(original) = Library::original() {
        assert!(taken(original) > 150 << 20, "the original does it right");
    }
}
