//! Bytes in, bytes out: how an application on the library responds to a web server's records.
//!
//! This file has what the original does right: every test runs on both libraries, and on ours with a program
//! on fcgi_request.h.
//! `wire/differences.rs` has what it does wrong. `wire/sN_*.rs` follow sections 3 to 6 of the
//! specification and its appendix B, with one test per testable clause, named after its section.

mod differences;
mod s3_basics;
mod s4_management;
mod s5_requests;
mod s6_roles;

use std::time::Duration;

use fcgi::internals::protocol::{EndRequest, ProtocolStatus, RecordType, Role};
use testkit::wire::{
    Record, abort, begin, begin_role, get_values, padded, pairs, params, record, request, stdin,
    stream,
};
use testkit::{App, Library, dist};

/// A time long enough for a response that is on its way.
const A_WHILE: Duration = Duration::from_millis(200);

const ID: u16 = 1;

fn end(id: u16, app_status: u32, protocol_status: ProtocolStatus) -> Record {
    let body = EndRequest { app_status, protocol_status }.to_bytes();
    Record::new(RecordType::END_REQUEST, id, &body)
}

/// Returns a whole reply: the output, its end, and a normal end of the request.
fn reply(id: u16, output: &str) -> Vec<Record> {
    vec![
        Record::new(RecordType::STDOUT, id, output.as_bytes()),
        Record::new(RecordType::STDOUT, id, b""),
        end(id, 0, ProtocolStatus::RequestComplete),
    ]
}

/// Returns the response of echo.c as a Responder to these parameters, as text, and this body.
fn echo(id: u16, parameters: &str, body: &str) -> Vec<Record> {
    reply(id, &format!("FCGI_ROLE=RESPONDER\n{parameters}body: {body}\nerror: 0\n"))
}

fn on_both(test: impl Fn(&App)) {
    for (name, app) in App::all() {
        println!("on {name}");
        test(&app);
    }
}

/// Asserts that the bytes, whole and cut at every offset, get the same response from both
/// libraries, and from ours through fcgi_request.h.
fn split_on_both(bytes: &[u8], expected: &[Record]) {
    for (name, app) in App::all() {
        assert_eq!(app.exchange_split(bytes), expected, "on {name}");
    }
}

/// Asserts that the bytes, whole and cut at every offset, get this response from our library.
fn split_on_ours(bytes: &[u8], expected: &[Record]) {
    for (name, app) in App::ours() {
        assert_eq!(app.exchange_split(bytes), expected, "on {name}");
    }
}

#[test]
fn each_application_runs_on_its_own_library() {
    for library in Library::tested() {
        let app = App::start(library);
        app.exchange(&request(ID, false, &[], b""));
        let ours = dist().canonicalize().unwrap();
        assert_eq!(app.library().starts_with(ours), library == Library::Ours, "{library:?}");
    }
}

#[test]
fn a_request_is_answered() {
    on_both(|app| {
        let answer = app.exchange(&request(ID, false, &[("A", "B")], b"hello"));
        assert_eq!(answer, echo(ID, "A=B\n", "hello"));
        let answer = app.exchange(&request(ID, false, &[], b""));
        assert_eq!(answer, echo(ID, "", ""));
    });
}

#[test]
fn a_request_may_be_cut_anywhere() {
    on_both(|app| {
        let long = "v".repeat(130);
        let bytes = request(ID, false, &[("NAME", "value"), ("LONG", &long)], b"the body");
        let answer = app.exchange_split(&bytes);
        assert_eq!(answer, echo(ID, &format!("NAME=value\nLONG={long}\n"), "the body"));
    });
}

#[test]
fn every_request_id_comes_back() {
    on_both(|app| {
        for id in [1, 2, 127, 128, 255, 256, 32_767, 32_768, 65_535] {
            assert_eq!(app.exchange(&request(id, false, &[], b"x")), echo(id, "", "x"));
        }
    });
}

#[test]
fn one_body_in_many_records() {
    on_both(|app| {
        let mut bytes = [begin(ID, false), params(ID, &[])].concat();
        for byte in b"in pieces".chunks(1) {
            bytes.extend(record(RecordType::STDIN, ID, byte));
        }
        bytes.extend(record(RecordType::STDIN, ID, b""));
        assert_eq!(app.exchange(&bytes), echo(ID, "", "in pieces"));
    });
}

#[test]
fn a_body_in_records_of_the_largest_size() {
    on_both(|app| {
        let body = "0123456789abcdef".repeat(12_500);
        assert_eq!(app.exchange(&request(ID, false, &[], body.as_bytes())), echo(ID, "", &body));
    });
}

#[test]
fn pairs_in_both_length_forms_and_in_pieces() {
    on_both(|app| {
        for length in [0, 1, 127, 128, 255, 256, 5000] {
            let text = "n".repeat(length);
            let list = params(ID, &[(&text, "value"), ("NAME", &text)]);
            let bytes = [begin(ID, false), list, stdin(ID, b"")].concat();
            let told = format!("{text}=value\nNAME={text}\n");
            assert_eq!(app.exchange(&bytes), echo(ID, &told, ""), "{length}");
        }
        // The long form is legal for short lengths too.
        let content = b"\x80\0\0\x01\x80\0\0\x02Axy";
        let mut bytes = begin(ID, false);
        for byte in content.chunks(1) {
            bytes.extend(record(RecordType::PARAMS, ID, byte));
        }
        bytes.extend([record(RecordType::PARAMS, ID, b""), stdin(ID, b"")].concat());
        assert_eq!(app.exchange(&bytes), echo(ID, "A=xy\n", ""));
    });
}

#[test]
fn content_may_have_any_padding() {
    on_both(|app| {
        for padding in 0..=255 {
            let bytes = [
                begin(ID, false),
                padded(RecordType::PARAMS, ID, &pairs(&[("A", "B")]), padding),
                record(RecordType::PARAMS, ID, b""),
                padded(RecordType::STDIN, ID, b"one ", padding),
                padded(RecordType::STDIN, ID, b"two", padding),
                record(RecordType::STDIN, ID, b""),
            ];
            assert_eq!(app.exchange(&bytes.concat()), echo(ID, "A=B\n", "one two"), "{padding}");
        }
    });
}

#[test]
fn an_authorizer_answers_with_its_exit_status() {
    on_both(|app| {
        let bytes = [
            begin_role(ID, Role::Authorizer, false),
            params(ID, &[("STATUS", "200")]),
            stdin(ID, b""),
        ];
        let mut expected = reply(ID, "FCGI_ROLE=AUTHORIZER\nSTATUS=200\nbody: \nerror: 0\n");
        *expected.last_mut().unwrap() = end(ID, 200, ProtocolStatus::RequestComplete);
        assert_eq!(app.exchange(&bytes.concat()), expected);
    });
}

#[test]
fn a_filter_reads_the_body_and_then_the_file() {
    on_both(|app| {
        let bytes = [
            begin_role(ID, Role::Filter, false),
            params(ID, &[]),
            stdin(ID, b"input"),
            stream(RecordType::DATA, ID, b"the file"),
        ];
        let expected = "FCGI_ROLE=FILTER\nbody: input\nerror: 0\n\
                        StartFilterData: 0\ndata: the file\nerror: 0\n";
        assert_eq!(app.exchange_split(&bytes.concat()), reply(ID, expected));
    });
}

#[test]
fn the_error_stream_has_records_only_if_it_is_used() {
    on_both(|app| {
        let answer = app.exchange(&request(ID, false, &[("LOG", "oops"), ("SIZE", "0")], b""));
        let log = |text: &[u8]| Record::new(RecordType::STDERR, ID, text);
        assert_eq!(
            answer,
            [
                log(b"oops"),
                log(b""),
                Record::new(RecordType::STDOUT, ID, b""),
                end(ID, 0, ProtocolStatus::RequestComplete),
            ]
        );
    });
}

#[test]
fn a_large_answer_arrives_whole() {
    on_both(|app| {
        for size in [1, 8183, 8184, 8185, 65_528, 65_535, 65_536, 1_000_000] {
            let answer = app.exchange(&request(ID, false, &[("SIZE", &size.to_string())], b""));
            assert_eq!(answer, reply(ID, &"x".repeat(size)), "{size}");
        }
    });
}

#[test]
fn requests_follow_each_other_on_a_kept_connection() {
    on_both(|app| {
        let mut connection = app.connect();
        for id in [1, 1, 7] {
            connection.send(&request(id, true, &[("ID", &id.to_string())], b"body"));
            assert_eq!(connection.until_end_of(id), echo(id, &format!("ID={id}\n"), "body"));
        }
        assert!(connection.is_silent(A_WHILE));
        connection.send(&request(2, false, &[], b"last")).half_close();
        assert_eq!(connection.until_closed(), echo(2, "", "last"));
    });
}

#[test]
fn records_of_other_requests_are_ignored() {
    on_both(|app| {
        let bytes = [
            begin(ID, false),
            record(RecordType::STDIN, 9, b"not ours"),
            record(RecordType::PARAMS, 9, &pairs(&[("NOT", "ours")])),
            params(ID, &[("A", "B")]),
            record(RecordType::STDIN, 9, b"not ours"),
            record(RecordType::STDIN, ID, b"ours"),
            abort(9),
            record(RecordType::STDIN, ID, b""),
        ];
        assert_eq!(app.exchange(&bytes.concat()), echo(ID, "A=B\n", "ours"));
    });
}

#[test]
fn broken_input_is_an_error_of_the_stream_and_the_answer_is_complete() {
    on_both(|app| {
        let head = [begin(ID, false), params(ID, &[]), record(RecordType::STDIN, ID, b"text")];
        let told = |error| reply(ID, &format!("FCGI_ROLE=RESPONDER\nbody: text\nerror: {error}\n"));
        assert_eq!(app.exchange(&head.concat()), told(-3));
        let another_version = b"\x02\x05\0\x01\0\x04\0\0more";
        assert_eq!(app.exchange(&[head.concat(), another_version.to_vec()].concat()), told(-2));
    });
}

#[test]
fn a_broken_head_closes_the_connection_and_the_next_is_served() {
    on_both(|app| {
        let half_a_pair = record(RecordType::PARAMS, ID, b"\x04\x05NAMEva");
        let heads = [
            b"".to_vec(),
            b"\x01\x01\0".to_vec(),
            [begin(ID, false), half_a_pair].concat(),
            b"\x02\x01\0\x01\0\x08\0\0\0\x01\0\0\0\0\0\0".to_vec(),
        ];
        for head in heads {
            assert_eq!(app.exchange(&head), [], "{}", head.escape_ascii());
        }
        assert_eq!(app.exchange(&request(ID, false, &[], b"next")), echo(ID, "", "next"));
    });
}

#[test]
fn an_unread_body_does_not_spoil_the_answer() {
    on_both(|app| {
        let body = vec![b'b'; 100_000];
        let answer = app.exchange(&request(ID, false, &[("READ", "3")], &body));
        assert_eq!(answer, echo(ID, "READ=3\n", "bbb"));
    });
}

#[test]
fn variables_are_told_before_the_request() {
    on_both(|app| {
        let names = ["FCGI_MPXS_CONNS", "FCGI_MAX_CONNS", "FCGI_MAX_REQS", "FCGI_OTHER"];
        let bytes = [get_values(&names), request(ID, false, &[], b"x")].concat();
        let mut answer = app.exchange(&bytes);
        let values = answer.remove(0);
        assert_eq!((values.kind, values.id), (RecordType::GET_VALUES_RESULT, 0));
        // The application may choose the order of the pairs.
        let mut told: Vec<_> =
            fcgi::internals::protocol::name_value::Pairs::new(&values.content).collect();
        told.sort_unstable();
        assert_eq!(
            told,
            [
                (&b"FCGI_MAX_CONNS"[..], &b"1"[..]),
                (b"FCGI_MAX_REQS", b"1"),
                (b"FCGI_MPXS_CONNS", b"0"),
            ]
        );
        assert_eq!(answer, echo(ID, "", "x"));
    });
}

#[test]
fn unknown_management_records_are_refused() {
    on_both(|app| {
        let bytes = [record(RecordType::from_byte(42), 0, b""), request(ID, false, &[], b"x")];
        let mut expected = echo(ID, "", "x");
        let refusal = Record::new(RecordType::UNKNOWN_TYPE, 0, b"\x2a\0\0\0\0\0\0\0");
        expected.insert(0, refusal);
        assert_eq!(app.exchange(&bytes.concat()), expected);
    });
}
