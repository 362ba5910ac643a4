//! Specification, section 6: the streams of the roles.

use fcgi::internals::protocol::{ProtocolStatus, RecordType, Role};

use super::{A_WHILE, ID, echo, end, on_both, reply, split_on_both, split_on_ours};
use testkit::wire::{Record, begin, begin_role, pairs, params, record, request, stdin, stream};
use testkit::{App, Library};

#[test]
fn s6_1_a_stream_has_a_record_even_if_it_is_empty_unless_it_is_stderr() {
    let bytes = request(ID, false, &[("SIZE", "0")], b"");
    let expected =
        [Record::new(RecordType::STDOUT, ID, b""), end(ID, 0, ProtocolStatus::RequestComplete)];
    split_on_both(&bytes, &expected);
}

#[test]
fn s6_2_nothing_is_written_before_the_parameters_are_complete() {
    on_both(|app| {
        let mut connection = app.connect();
        connection.send(
            &[begin(ID, false), record(RecordType::PARAMS, ID, &pairs(&[("SIZE", "9")]))].concat(),
        );
        assert!(connection.is_silent(A_WHILE));
        connection.send(&[record(RecordType::PARAMS, ID, b""), stdin(ID, b"")].concat());
        assert_eq!(connection.until_closed(), reply(ID, "xxxxxxxxx"));
    });
}

#[test]
fn s6_2_writing_may_begin_before_stdin_is_read() {
    on_both(|app| {
        let mut connection = app.connect();
        connection.send(&[begin(ID, true), params(ID, &[("SIZE", "100000")])].concat());
        // STDIN never arrives, but the response is complete.
        assert_eq!(connection.until_end_of(ID), reply(ID, &"x".repeat(100_000)));
    });
}

#[test]
fn s6_2_stdin_may_end_early_or_be_longer_than_content_length() {
    on_both(|app| {
        for (length, body) in [("0", "text"), ("4", "text"), ("100", "text")] {
            let answer =
                app.exchange(&request(ID, false, &[("CONTENT_LENGTH", length)], body.as_bytes()));
            assert_eq!(answer, echo(ID, &format!("CONTENT_LENGTH={length}\n"), body));
        }
    });
}

#[test]
fn s6_3_an_authorizer_gets_no_stdin() {
    on_both(|app| {
        let list = params(ID, &[("SIZE", "3"), ("STATUS", "200")]);
        let mut connection = app.connect();
        connection.send(&[begin_role(ID, Role::Authorizer, false), list].concat());
        let mut expected = reply(ID, "xxx");
        *expected.last_mut().unwrap() = end(ID, 200, ProtocolStatus::RequestComplete);
        assert_eq!(connection.until_closed(), expected);
    });
}

#[test]
fn s6_3_authorizers_follow_each_other_without_stdin() {
    let one = |id, keep| {
        let list = params(id, &[("SIZE", "3"), ("STATUS", "200")]);
        [begin_role(id, Role::Authorizer, keep), list].concat()
    };
    let told = |id| {
        let mut records = reply(id, "xxx");
        *records.last_mut().unwrap() = end(id, 200, ProtocolStatus::RequestComplete);
        records
    };
    let bytes = [one(1, true), one(1, true), one(2, false)].concat();
    split_on_ours(&bytes, &[told(1), told(1), told(2)].concat());
}

fn filter(id: u16, keep: bool, list: &[(&str, &str)], body: &[u8], data: &[u8]) -> Vec<u8> {
    let input = [params(id, list), stdin(id, body), stream(RecordType::DATA, id, data)];
    [begin_role(id, Role::Filter, keep), input.concat()].concat()
}

fn filtered(id: u16, list: &str, body: &str, data: &str) -> Vec<Record> {
    reply(
        id,
        &format!(
            "FCGI_ROLE=FILTER\n{list}body: {body}\nerror: 0\n\
             StartFilterData: 0\ndata: {data}\nerror: 0\n"
        ),
    )
}

#[test]
fn s6_4_a_filter_gets_stdin_and_then_data() {
    on_both(|app| {
        for (body, data) in [("", ""), ("in", ""), ("", "file"), ("in", &*"f".repeat(150_000))] {
            let answer = app.exchange(&filter(ID, false, &[], body.as_bytes(), data.as_bytes()));
            assert_eq!(answer, filtered(ID, "", body, data));
        }
    });
}

#[test]
fn s6_4_data_before_the_end_of_stdin_is_not_of_the_body() {
    let bytes = [
        begin_role(ID, Role::Filter, false),
        params(ID, &[]),
        record(RecordType::DATA, ID, b"too early"),
        stdin(ID, b"in"),
        stream(RecordType::DATA, ID, b"file"),
    ];
    split_on_ours(&bytes.concat(), &filtered(ID, "", "in", "file"));
}

#[test]
fn s6_4_data_of_a_responder_is_ignored() {
    let bytes = [
        begin(ID, false),
        params(ID, &[]),
        record(RecordType::DATA, ID, b"what for"),
        stdin(ID, b"in"),
    ];
    split_on_ours(&bytes.concat(), &echo(ID, "", "in"));
}

#[test]
fn s6_4_filters_follow_each_other_also_with_data_unread() {
    let unread = [("SIZE", "2")];
    let bytes = [
        filter(1, true, &unread, b"in", &b"unread ".repeat(10)),
        filter(1, true, &[], b"in", b"file"),
        filter(2, false, &[], b"", b""),
    ];
    let expected =
        [reply(1, "xx"), filtered(1, "", "in", "file"), filtered(2, "", "", "")].concat();
    split_on_ours(&bytes.concat(), &expected);
}

#[test]
fn s6_4_writing_may_begin_before_data_is_read() {
    let app = App::start(Library::Ours);
    let mut connection = app.connect();
    let head = [params(ID, &[("SIZE", "100000")]), stdin(ID, b"")].concat();
    connection.send(&[begin_role(ID, Role::Filter, true), head].concat());
    assert_eq!(connection.until_end_of(ID), reply(ID, &"x".repeat(100_000)));
    connection.send(&stream(RecordType::DATA, ID, b"late"));
    connection.send(&request(2, false, &[], b"next"));
    assert_eq!(connection.until_closed(), echo(2, "", "next"));
}
