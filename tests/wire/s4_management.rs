//! Specification, section 4: management records.

use fcgi::internals::protocol::RecordType;

use super::{A_WHILE, ID, echo, on_both, split_on_ours};
use testkit::wire::{Record, begin, get_values, padded, pairs, params, record, request, stdin};
use testkit::{App, Library};

fn values(told: &[(&str, &str)]) -> Record {
    Record::new(RecordType::GET_VALUES_RESULT, 0, &pairs(told))
}

fn unknown_type(byte: u8) -> Record {
    Record::new(RecordType::UNKNOWN_TYPE, 0, &[byte, 0, 0, 0, 0, 0, 0, 0])
}

/// Puts `management` before each record of a request in turn, and after the last one. The response
/// to it comes once, and the request's own response is whole.
fn anywhere(management: &[u8], answer: &Record) {
    let app = App::start(Library::Ours);
    let records = [
        begin(ID, true),
        record(RecordType::PARAMS, ID, &pairs(&[("A", "B")])),
        record(RecordType::PARAMS, ID, &pairs(&[("C", "D")])),
        record(RecordType::PARAMS, ID, b""),
        record(RecordType::STDIN, ID, b"one "),
        record(RecordType::STDIN, ID, b"two"),
        record(RecordType::STDIN, ID, b""),
    ];
    for at in 0..=records.len() {
        let bytes = [&records[..at], &[management.to_vec()], &records[at..]].concat().concat();
        let own = echo(ID, "A=B\nC=D\n", "one two");
        // After the last record it is answered once the request is over.
        let whole = if at == records.len() {
            [own, vec![answer.clone()]].concat()
        } else {
            [vec![answer.clone()], own].concat()
        };
        assert_eq!(app.exchange_split(&bytes), whole, "before record {at}");
    }
}

#[test]
fn s4_1_values_are_told_at_any_time() {
    anywhere(&get_values(&["FCGI_MAX_CONNS"]), &values(&[("FCGI_MAX_CONNS", "1")]));
}

#[test]
fn s4_1_a_kept_connection_answers_without_the_program() {
    let app = App::start(Library::Ours);
    let mut connection = app.connect();
    for round in 0..3 {
        connection.send(&get_values(&["FCGI_MPXS_CONNS"]));
        let told = connection.until_record(|record| record.kind == RecordType::GET_VALUES_RESULT);
        assert_eq!(told, [values(&[("FCGI_MPXS_CONNS", "0")])], "round {round}");
        connection.send(&request(ID, true, &[], b"x"));
        assert_eq!(connection.until_end_of(ID), echo(ID, "", "x"));
    }
}

#[test]
fn s4_1_names_that_are_not_understood_are_left_out() {
    on_both(|app| {
        for names in [&[][..], &["FCGI_OTHER"], &["", "fcgi_max_conns", "FCGI_MAX_CONNS2"]] {
            let bytes = [get_values(names), request(ID, false, &[], b"x")].concat();
            let expected = [vec![values(&[])], echo(ID, "", "x")].concat();
            assert_eq!(app.exchange(&bytes), expected, "{names:?}");
        }
    });
}

#[test]
fn s4_1_values_are_told_in_the_order_asked() {
    let names = ["FCGI_MPXS_CONNS", "OTHER", "FCGI_MAX_REQS", "FCGI_MAX_CONNS"];
    let bytes = [get_values(&names), request(ID, false, &[], b"x")].concat();
    let told = [("FCGI_MPXS_CONNS", "0"), ("FCGI_MAX_REQS", "1"), ("FCGI_MAX_CONNS", "1")];
    split_on_ours(&bytes, &[vec![values(&told)], echo(ID, "", "x")].concat());
}

#[test]
fn s4_1_a_value_in_the_query_does_not_matter() {
    let query = record(RecordType::GET_VALUES, 0, &pairs(&[("FCGI_MAX_REQS", "a value")]));
    let bytes = [query, request(ID, false, &[], b"x")].concat();
    split_on_ours(&bytes, &[vec![values(&[("FCGI_MAX_REQS", "1")])], echo(ID, "", "x")].concat());
}

#[test]
fn s4_1_the_largest_query_has_a_bounded_answer() {
    let app = App::start(Library::Ours);
    let list: Vec<u8> = pairs(&[("FCGI_MAX_REQS", "")]).repeat(4000);
    let query = padded(RecordType::GET_VALUES, 0, &list, 255);
    let bytes = [query, request(ID, false, &[], b"x")].concat();
    let expected = [vec![values(&[("FCGI_MAX_REQS", "1")])], echo(ID, "", "x")].concat();
    assert_eq!(app.exchange(&bytes), expected);
}

#[test]
fn s4_1_a_query_that_is_cut_off_is_answered_as_far_as_it_goes() {
    let mut list = pairs(&[("FCGI_MAX_REQS", ""), ("FCGI_MAX_CONNS", "")]);
    list.pop();
    let bytes = [record(RecordType::GET_VALUES, 0, &list), request(ID, false, &[], b"x")].concat();
    split_on_ours(&bytes, &[vec![values(&[("FCGI_MAX_REQS", "1")])], echo(ID, "", "x")].concat());
}

#[test]
fn s4_2_every_other_type_is_unknown() {
    let app = App::start(Library::Ours);
    let mut connection = app.connect();
    for byte in (0..=255).filter(|&byte| byte != 9) {
        connection.send(&padded(RecordType::from_byte(byte), 0, b"content", byte));
        let told = connection.until_record(|record| record.kind == RecordType::UNKNOWN_TYPE);
        assert_eq!(told, [unknown_type(byte)]);
    }
    connection.send(&request(ID, false, &[], b"x"));
    assert_eq!(connection.until_closed(), echo(ID, "", "x"));
}

#[test]
fn s4_2_unknown_types_are_refused_at_any_time() {
    let unknown = padded(RecordType::from_byte(200), 0, b"what is this", 3);
    anywhere(&unknown, &unknown_type(200));
}

#[test]
fn management_records_are_answered_while_the_body_is_awaited() {
    let app = App::start(Library::Ours);
    let mut connection = app.connect();
    let head = [begin(ID, false), params(ID, &[]), record(RecordType::STDIN, ID, b"one ")];
    connection.send(&head.concat()).send(&get_values(&["FCGI_MAX_REQS"]));
    assert_eq!(connection.within(A_WHILE), [values(&[("FCGI_MAX_REQS", "1")])]);
    connection.send(&stdin(ID, b"two"));
    let answer = connection.until_closed();
    assert_eq!(answer[answer.len() - 3..], echo(ID, "", "one two"));
}
