//! Roles, parameters and bodies.

use std::io::{BufRead, ErrorKind, Read, Write, copy};
use std::sync::mpsc::channel;
use std::thread;

use fcgi::internals::protocol::{ProtocolStatus, RecordType, Role as WireRole};
use fcgi::{Parts, Request, Role};
use testkit::wire::{
    abort, begin, begin_role, get_values, output, params, record, request, stdin, stream, text,
};

use super::bytes;
use super::server::Server;

#[test]
fn a_request_has_its_role_and_its_parameters() {
    let server = Server::start(|mut request: Request| {
        let all: Vec<_> = request.params().iter().map(|(n, v)| (n.to_vec(), v.to_vec())).collect();
        let expected = [("A", "1"), ("B", ""), ("", "no name"), ("A", "2"), ("C", "a=b\0\0")];
        assert_eq!(all, expected.map(|(n, v)| (n.as_bytes().to_vec(), v.as_bytes().to_vec())));
        assert_eq!(request.param("A"), Some(&b"1"[..]));
        assert_eq!(request.param(b"C"), Some(&b"a=b\0\0"[..]));
        assert_eq!(request.param("FCGI_ROLE"), None);
        write!(request, "{:?}", request.role()).unwrap();
        request.end(0).unwrap();
    });
    let list = [("A", "1"), ("B", ""), ("", "no name"), ("A", "2"), ("C", "a=b\0\0")];
    for (role, expected) in [
        (WireRole::Responder, Role::Responder),
        (WireRole::Authorizer, Role::Authorizer),
        (WireRole::Filter, Role::Filter),
    ] {
        let whole = [begin_role(7, role, false), params(7, &list), stdin(7, b"")].concat();
        assert_eq!(text(&server.exchange(&whole)), format!("{expected:?}"));
    }
}

#[test]
fn a_parameter_may_have_70_kilobytes() {
    let server = Server::start(|mut request: Request| {
        let Parts { params, mut out, .. } = request.parts();
        out.write_all(params.get("LONG").unwrap()).unwrap();
        out.write_all(params.get("AFTER").unwrap()).unwrap();
        request.end(0).unwrap();
    });
    let long: String = bytes(70_000).iter().map(|byte| char::from(byte & 0x7f)).collect();
    let whole = request(1, false, &[("LONG", &long), ("AFTER", "!")], b"");
    assert_eq!(text(&server.exchange(&whole)), format!("{long}!"));
}

#[test]
fn a_body_of_300_kilobytes_is_read_in_any_way() {
    let mut round = 0;
    let server = Server::start(move |mut request: Request| {
        let Parts { mut body, mut out, .. } = request.parts();
        match round {
            0 => drop(copy(&mut body, &mut out).unwrap()),
            1 => {
                let mut all = Vec::new();
                assert_eq!(body.read_to_end(&mut all).unwrap(), 300_000);
                out.write_all(&all).unwrap();
            }
            2 => {
                let mut line = Vec::new();
                while body.read_until(b'\n', &mut line).unwrap() > 0 {
                    out.write_all(&line).unwrap();
                    line.clear();
                }
            }
            _ => body.by_ref().bytes().for_each(|byte| out.write_all(&[byte.unwrap()]).unwrap()),
        }
        assert_eq!(body.read(&mut [0]).unwrap(), 0, "the end stays the end");
        round += 1;
        request.end(0).unwrap();
    });
    let body = bytes(300_000);
    for round in 0..4 {
        let answer = output(&server.exchange(&request(1, false, &[], &body)));
        assert!(answer == body, "round {round}: {} bytes", answer.len());
    }
}

#[test]
fn a_filter_reads_its_file_after_its_body() {
    let server = Server::start(|mut request: Request| {
        let Parts { mut body, mut out, .. } = request.parts();
        assert!(!body.start_data());
        copy(&mut body, &mut out).unwrap();
        out.write_all(b"|").unwrap();
        assert!(body.start_data());
        copy(&mut body, &mut out).unwrap();
        assert!(!body.start_data());
        request.end(0).unwrap();
    });
    let data = stream(RecordType::DATA, 1, b"the file");
    let head = [begin_role(1, WireRole::Filter, false), params(1, &[])];
    let whole = [head.concat(), stdin(1, b"the body"), data].concat();
    assert_eq!(text(&server.exchange(&whole)), "the body|the file");
}

#[test]
fn an_authorizer_decides() {
    let server = Server::start(|mut request: Request| {
        assert_eq!(request.role(), Role::Authorizer);
        assert_eq!(request.body().read(&mut [0]).unwrap(), 0);
        request.write_all(b"Status: 200\r\nVariable-USER: me\r\n\r\n").unwrap();
        request.end(0).unwrap();
    });
    let whole = [begin_role(1, WireRole::Authorizer, true), params(1, &[])].concat();
    let mut connection = server.connect();
    for _ in 0..3 {
        connection.send(&whole);
        assert!(text(&connection.until_end_of(1)).contains("Variable-USER: me"));
    }
}

/// Starts a server that reads bodies until they fail, twice, and reports the kinds of the errors.
fn failing() -> (Server, std::sync::mpsc::Receiver<(usize, ErrorKind, ErrorKind)>) {
    let (report, reports) = channel();
    let server = Server::start(move |mut request: Request| {
        let mut all = Vec::new();
        let first = request.body().read_to_end(&mut all).unwrap_err();
        let second = request.body().read(&mut [0; 10_000]).unwrap_err();
        report.send((all.len(), first.kind(), second.kind())).unwrap();
        // The answer is allowed.
        let _ = request.end(0);
    });
    (server, reports)
}

#[test]
fn a_body_that_breaks_off_never_looks_whole() {
    let (server, reports) = failing();
    let head = [begin(1, true), params(1, &[])].concat();
    let part = record(RecordType::STDIN, 1, &bytes(20_000));
    let broken = vec![9; 30];
    for (rest, kind) in [
        (abort(1), ErrorKind::ConnectionAborted),
        (broken, ErrorKind::InvalidData),
        (vec![], ErrorKind::UnexpectedEof),
    ] {
        let mut connection = server.connect();
        connection.send(&head).send(&part).send(&rest).half_close();
        assert_eq!(reports.recv().unwrap(), (20_000, kind, kind));
        connection.until_closed();
    }
}

#[test]
fn an_aborted_request_is_answered_and_its_connection_kept() {
    let (server, reports) = failing();
    let mut connection = server.connect();
    for id in [1, 2] {
        connection.send(&[begin(id, true), params(id, &[]), abort(id)].concat());
        let aborted = ErrorKind::ConnectionAborted;
        assert_eq!(reports.recv().unwrap(), (0, aborted, aborted));
        connection.until_end_of(id);
    }
}

#[test]
fn it_is_noticed_that_the_web_server_is_gone() {
    let (gone, are_gone) = channel();
    let (go_on, may_go_on) = channel::<()>();
    let (look, looks) = channel();
    let server = Server::start(move |mut request: Request| {
        let before = request.is_gone();
        look.send(()).unwrap();
        may_go_on.recv().unwrap();
        testkit::until("the web server to go", testkit::PATIENCE, || {
            request.is_gone().then_some(())
        });
        let mut body = Vec::new();
        let is_whole = request.body().read_to_end(&mut body).is_ok();
        gone.send((before, body, is_whole)).unwrap();
    });
    // An abort behind a body that was not read.
    let mut connection = server.connect();
    let head = [begin(1, true), params(1, &[])].concat();
    connection.send(&head).send(&record(RecordType::STDIN, 1, b"part"));
    connection.send(&abort(1));
    looks.recv().unwrap();
    go_on.send(()).unwrap();
    assert_eq!(are_gone.recv().unwrap().1, b"part");
    // A closed connection.
    let mut connection = server.connect();
    connection.send(&head).send(&stdin(1, b"whole"));
    looks.recv().unwrap();
    drop(connection);
    go_on.send(()).unwrap();
    let (_, body, is_whole) = are_gone.recv().unwrap();
    assert_eq!((body, is_whole), (b"whole".to_vec(), true));
    // One that is open until the program has looked.
    let mut connection = server.connect();
    connection.send(&head).send(&stdin(1, b""));
    looks.recv().unwrap();
    drop(connection);
    go_on.send(()).unwrap();
    assert!(!are_gone.recv().unwrap().0);
}

#[test]
fn a_question_within_the_body_is_answered() {
    let server = Server::start(|mut request: Request| {
        let Parts { mut body, mut out, .. } = request.parts();
        copy(&mut body, &mut out).unwrap();
        request.end(0).unwrap();
    });
    let mut connection = server.connect();
    connection.send(&[begin(1, true), params(1, &[])].concat());
    connection.send(&record(RecordType::STDIN, 1, b"one"));
    connection.send(&get_values(&["FCGI_MPXS_CONNS"]));
    connection.until_record(|record| record.kind == RecordType::GET_VALUES_RESULT);
    connection.send(&stdin(1, b"two"));
    assert_eq!(text(&connection.until_end_of(1)), "onetwo");
}

#[test]
fn one_thread_reads_while_another_writes() {
    const PIECES: usize = 200;
    let server = Server::start(|mut request: Request| {
        let Parts { mut body, mut out, .. } = request.parts();
        thread::scope(|scope| {
            scope.spawn(move || {
                (0..PIECES).for_each(|_| out.write_all(&bytes(20_000)).unwrap());
            });
            let mut all = Vec::new();
            body.read_to_end(&mut all).unwrap();
            assert!(all == bytes(4_000_000));
        });
        request.end(0).unwrap();
    });
    // The web server reads nothing before the whole body is taken.
    let answer = output(&server.exchange(&request(1, false, &[], &bytes(4_000_000))));
    assert!(answer == bytes(20_000).repeat(PIECES));
}

#[test]
fn no_program_sees_a_hostile_head() {
    let server = Server::start(|mut request: Request| {
        request.write_all(b"served").unwrap();
        request.end(0).unwrap();
    });
    let claim = [&[1, 4, 0, 1, 0, 20, 0, 0][..], &[0xff; 20]].concat();
    for bytes in [
        vec![0xff; 100],
        [begin(1, false), claim, record(RecordType::PARAMS, 1, b"")].concat(),
        [begin(1, false), begin(1, false)].concat(),
        begin(1, false)[..11].to_vec(),
    ] {
        assert_eq!(output(&server.exchange(&bytes)), b"");
        assert_eq!(text(&server.exchange(&request(1, false, &[], b""))), "served");
    }
    let unknown = [begin_role(1, WireRole::Unknown(9), false), params(1, &[])].concat();
    let records = server.exchange(&unknown);
    let end = records.last().unwrap().end_request().unwrap();
    assert_eq!(end.protocol_status, ProtocolStatus::UnknownRole);
}
