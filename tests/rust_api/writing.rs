//! Responses, logs, and the connection afterwards.

use std::io::{ErrorKind, Write};
use std::sync::mpsc::channel;

use fcgi::Request;
use fcgi::internals::protocol::RecordType;
use testkit::wire::{Record, begin, is_complete, output, params, request, stdin, text};

use super::bytes;
use super::server::Server;

fn errors(records: &[Record]) -> Vec<u8> {
    let log = records.iter().filter(|record| record.kind == RecordType::STDERR);
    log.flat_map(|record| record.content.clone()).collect()
}

#[test]
fn the_status_and_the_log_arrive() {
    let server = Server::start(|mut request: Request| {
        writeln!(request.log(), "a line").unwrap();
        write!(request, "an answer").unwrap();
        request.end(-7).unwrap();
    });
    let records = server.exchange(&request(3, false, &[], b""));
    assert_eq!((text(&records).as_str(), &errors(&records)[..]), ("an answer", &b"a line\n"[..]));
    assert_eq!(records.last().unwrap().end_request().unwrap().app_status as i32, -7);
}

#[test]
fn an_empty_answer_has_no_log() {
    let server = Server::start(|request: Request| request.end(0).unwrap());
    let records = server.exchange(&request(1, false, &[], b""));
    let kinds: Vec<_> = records.iter().map(|record| record.kind).collect();
    assert_eq!(kinds, [RecordType::STDOUT, RecordType::END_REQUEST]);
}

#[test]
fn what_is_flushed_arrives_before_the_end() {
    let (go_on, may_go_on) = channel::<()>();
    let server = Server::start(move |mut request: Request| {
        request.write_all(b"first").unwrap();
        request.flush().unwrap();
        may_go_on.recv().unwrap();
        request.log().write_all(b"message").unwrap();
        request.log().flush().unwrap();
        may_go_on.recv().unwrap();
        request.end(0).unwrap();
    });
    let mut connection = server.connect();
    connection.send(&request(1, true, &[], b""));
    let records = connection.until_record(|record| record.kind == RecordType::STDOUT);
    assert_eq!(output(&records), b"first");
    go_on.send(()).unwrap();
    let records = connection.until_record(|record| record.kind == RecordType::STDERR);
    assert_eq!(errors(&records), b"message");
    go_on.send(()).unwrap();
    connection.until_end_of(1);
}

/// In pieces below, at and above the sizes of the buffers.
#[test]
fn an_answer_of_any_length_arrives_whole() {
    const SIZES: [usize; 9] = [1, 503, 504, 505, 8183, 8184, 8185, 65_536, 700_000];
    let server = Server::start(|mut request: Request| {
        let at: usize =
            std::str::from_utf8(request.param("SIZE").unwrap()).unwrap().parse().unwrap();
        for piece in bytes(1_000_000).chunks(SIZES[at]) {
            request.write_all(piece).unwrap();
            request.log().write_all(piece.get(..99).unwrap_or(piece)).unwrap();
        }
        request.end(0).unwrap();
    });
    let expected = bytes(1_000_000);
    let mut connection = server.connect();
    for (at, size) in SIZES.iter().enumerate() {
        connection.send(&request(1, true, &[("SIZE", &at.to_string())], b""));
        let records = connection.until_end_of(1);
        assert!(output(&records) == expected, "pieces of {size}");
        let logged: Vec<u8> = expected
            .chunks(*size)
            .flat_map(|piece| piece[..piece.len().min(99)].to_vec())
            .collect();
        assert!(errors(&records) == logged, "pieces of {size}");
    }
}

#[test]
fn writing_to_a_web_server_that_is_gone_fails_and_goes_on_failing() {
    let (report, reports) = channel();
    let (go_on, may_go_on) = channel::<()>();
    let server = Server::start(move |mut request: Request| {
        may_go_on.recv().unwrap();
        let first = request.write_all(&bytes(100_000)).unwrap_err().kind();
        let second = request.write_all(b"x").unwrap_err().kind();
        let third = request.flush().unwrap_err().kind();
        assert!(request.is_gone());
        report.send((first, second, third, request.end(0).unwrap_err().kind())).unwrap();
    });
    let mut connection = server.connect();
    connection.send(&request(1, true, &[], b""));
    drop(connection);
    go_on.send(()).unwrap();
    let pipe = ErrorKind::BrokenPipe;
    assert_eq!(reports.recv().unwrap(), (pipe, pipe, pipe, pipe));
}

#[test]
fn the_end_reports_what_could_not_be_sent() {
    let (report, reports) = channel();
    let (go_on, may_go_on) = channel::<()>();
    let server = Server::start(move |mut request: Request| {
        request.write_all(b"collected").unwrap();
        may_go_on.recv().unwrap();
        report.send(request.end(0).unwrap_err().kind()).unwrap();
    });
    let mut connection = server.connect();
    connection.send(&request(1, true, &[], b""));
    drop(connection);
    go_on.send(()).unwrap();
    assert_eq!(reports.recv().unwrap(), ErrorKind::BrokenPipe);
}

#[test]
fn an_unread_body_does_not_reach_the_next_request() {
    let server = Server::start(|request: Request| request.end(0).unwrap());
    let mut connection = server.connect();
    let hidden = request(9, true, &[], b"");
    for id in 1..5 {
        connection
            .send(&[begin(id, true), params(id, &[]), stdin(id, &hidden.repeat(100))].concat());
        assert!(is_complete(&connection.until_end_of(id)));
    }
}
