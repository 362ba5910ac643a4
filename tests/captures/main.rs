//! Replays to the library what real web servers have sent. fuzz/captures contains the bytes, and
//! fuzz/README.md says how they were recorded; `captures/record.rs` records them again.

mod record;
mod streams;

use std::fs;
use std::io::{Read, Write};
use std::os::unix::net::UnixListener;
use std::path::PathBuf;
use std::process::Command;
use std::thread;

use fcgi::internals::protocol::name_value::Pairs;
use fcgi::internals::protocol::{BeginRequest, EndRequest, ProtocolStatus, RecordType, Role};
use record::{FORM, body};
use streams::{Sent, content, ends, has, joined, requests, sent};
use testkit::wire::{Record, pairs};
use testkit::{App, Library, PATIENCE, TempDir, dist, root, run};

/// The value of FCGX_GetError for a body that has ended too early.
const ENDED_EARLY: i32 = -3;

fn captures(directory: &str) -> PathBuf {
    root("fuzz/captures").join(directory)
}

/// Returns the files of a directory with their names.
fn files(directory: &str) -> Vec<(String, Vec<u8>)> {
    let entries = fs::read_dir(captures(directory)).unwrap();
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort_unstable();
    let name = |path: &PathBuf| path.file_name().unwrap().to_str().unwrap().to_owned();
    paths.iter().map(|path| (name(path), fs::read(path).unwrap())).collect()
}

/// Returns the captured request streams whose names `wanted` picks, in records.
fn streams(wanted: impl Fn(&str) -> bool) -> Vec<(String, Vec<Sent>)> {
    let mut list = Vec::new();
    for (name, bytes) in files("requests").into_iter().filter(|(name, _)| wanted(name)) {
        let (records, rest) = sent(&bytes);
        assert!(rest.is_empty(), "{name} ends within a record");
        list.push((name, records));
    }
    assert!(!list.is_empty());
    list
}

fn begin(request: &[Sent]) -> (u16, BeginRequest) {
    let mut records = request.iter();
    let begin = records.find(|record| record.header.kind == RecordType::BEGIN_REQUEST).unwrap();
    let body = begin.content.as_slice().try_into().unwrap();
    (begin.header.request_id, BeginRequest::from_bytes(body))
}

/// Returns what echo.c answers to one request, and what the library answers to the records before it.
fn answer(request: &[Sent]) -> Vec<Record> {
    let mut answer = Vec::new();
    if has(request, RecordType::GET_VALUES) {
        let known = pairs(&[("FCGI_MAX_REQS", "1"), ("FCGI_MPXS_CONNS", "0")]);
        answer.push(Record::new(RecordType::GET_VALUES_RESULT, 0, &known));
    }
    let (id, begin) = begin(request);
    let mut told = match begin.role {
        Role::Responder => b"FCGI_ROLE=RESPONDER\n".to_vec(),
        Role::Authorizer => b"FCGI_ROLE=AUTHORIZER\n".to_vec(),
        other => panic!("{other:?}"),
    };
    for (name, value) in Pairs::new(&content(request, RecordType::PARAMS)) {
        told.extend([name, b"=", value, b"\n"].concat());
    }
    told.extend([b"body: ", content(request, RecordType::STDIN).as_slice()].concat());
    let error = if ends(request, RecordType::STDIN) { 0 } else { ENDED_EARLY };
    told.extend(format!("\nerror: {error}\n").into_bytes());
    let end = EndRequest { app_status: 0, protocol_status: ProtocolStatus::RequestComplete };
    answer.push(Record::new(RecordType::STDOUT, id, &told));
    answer.push(Record::new(RecordType::STDOUT, id, b""));
    answer.push(Record::new(RecordType::END_REQUEST, id, &end.to_bytes()));
    answer
}

fn answers(stream: &[Sent]) -> Vec<Record> {
    requests(stream).iter().flat_map(|request| answer(request)).collect()
}

#[test]
fn every_web_server_has_its_captures() {
    let names: Vec<String> = streams(|_| true).into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, record::names());
    for (name, stream) in streams(|_| true) {
        let got = content(&stream, RecordType::STDIN);
        if name.ends_with("-get") {
            assert_eq!(got, b"", "{name}");
        } else if name.ends_with("-post") {
            assert_eq!(got, FORM.as_bytes(), "{name}");
        } else if name.ends_with("-kept") {
            assert!(requests(&stream).len() >= 3, "{name}");
        } else {
            // The records between the first and the last were removed from the capture.
            let first = stream.iter().find(|record| record.header.kind == RecordType::STDIN);
            let first = &first.unwrap().content;
            assert!(first.len() > 5000 && *first == body(first.len()), "{name}");
        }
    }
}

#[test]
fn captures_are_small() {
    let all: Vec<_> = ["requests", "answers", "params"].into_iter().flat_map(files).collect();
    for (name, bytes) in &all {
        assert!(bytes.len() < 32 << 10, "{name}: {} bytes", bytes.len());
    }
    assert!(all.iter().map(|(_, bytes)| bytes.len()).sum::<usize>() < 1 << 20);
}

#[test]
fn a_captured_request_is_answered() {
    for library in Library::BOTH {
        let app = App::start(library);
        for (name, stream) in streams(|name| !name.ends_with("-kept")) {
            let got = app.exchange(&joined(&stream));
            assert_eq!(got, answers(&stream), "{name} on {library:?}");
        }
    }
}

/// As recorded: the next request is sent when the one before has been answered.
#[test]
fn captured_requests_on_a_kept_connection_are_answered() {
    for library in Library::BOTH {
        let app = App::start(library);
        for (name, stream) in streams(|name| name.ends_with("-kept")) {
            let mut connection = app.connect();
            for request in requests(&stream) {
                connection.send(&joined(&request));
                let got = connection.until_end_of(begin(&request).0);
                assert_eq!(got, answer(&request), "{name} on {library:?}");
            }
            assert!(!connection.has_ended(), "{name} on {library:?}");
        }
    }
}

/// The original loses requests that are sent ahead.
#[test]
fn captured_requests_sent_ahead_are_answered() {
    let app = App::start(Library::Ours);
    for (name, stream) in streams(|name| name.ends_with("-kept")) {
        assert_eq!(app.exchange(&joined(&stream)), answers(&stream), "{name}");
    }
}

#[test]
fn a_captured_request_may_be_cut_anywhere() {
    let app = App::start(Library::Ours);
    for server in ["nginx-unix", "lighttpd-connecting", "caddy-unix", "haproxy-get-values", "h2o"] {
        for (name, stream) in streams(|name| name == format!("{server}-post")) {
            assert_eq!(app.exchange_split(&joined(&stream)), answers(&stream), "{name}");
        }
    }
}

/// cgi-fcgi reads what the application has answered to web servers.
#[test]
fn cgi_fcgi_reads_the_captured_answers() {
    let dir = TempDir::new();
    for (name, bytes) in files("answers") {
        let (mut stream, rest) = sent(&bytes);
        assert!(rest.is_empty(), "{name} ends within a record");
        // cgi-fcgi does not ask for values, and sends a single request.
        stream.retain(|record| record.header.request_id != 0);
        let end = stream.iter().position(|record| record.header.kind == RecordType::END_REQUEST);
        let first = stream[..=end.unwrap()].to_vec();
        let bytes = joined(&stream);
        let listener = UnixListener::bind(dir.join(&name)).unwrap();
        let application = thread::spawn(move || {
            let (mut connection, _) = listener.accept().unwrap();
            connection.write_all(&bytes).unwrap();
            let mut request = Vec::new();
            // It may have closed the connection with part of the answer unread.
            let _ = connection.read_to_end(&mut request);
        });
        let mut bridge = Command::new(dist().join("cgi-fcgi"));
        bridge.args(["-bind", "-connect"]).arg(dir.join(&name));
        let ended = run(bridge.env_clear(), PATIENCE);
        let text = |kind| String::from_utf8_lossy(&content(&first, kind)).into_owned();
        assert_eq!(ended.stdout, text(RecordType::STDOUT), "{name}");
        assert_eq!(ended.stderr, text(RecordType::STDERR), "{name}");
        assert_eq!(ended.code, Some(0), "{name}");
        application.join().unwrap();
    }
}
