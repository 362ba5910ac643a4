//! What every program of examples-ffi does.

use std::time::Duration;

use fcgi::internals::protocol::RecordType;
use testkit::{PATIENCE, turns, until, wire};

use super::client::{Answer, Client, KEPT, Request};
use super::library::text_of_gone;
use super::program::{Built, Program};
use super::table::{AtATime, Language};

/// How long a program may take to end after a signal, or after the answer to the request in progress.
const PROMPT: Duration = Duration::from_millis(200);

/// Builds a program and checks the whole contract.
pub(crate) fn holds(language: &'static Language) {
    let turn = turns::beside_others();
    let built = Built::new(language);
    let program = built.start("served");
    program_answers(language, &program);
    drop(turn);
    let ending = Ending { language, built: &built, code: 0 };
    ending.sigterm_idle(program);
    ending.sigterm_busy();
    ending.sigint_idle();
}

/// Builds a changed program and checks how SIGTERM ends it: with an exit code, after the request in progress.
pub(crate) fn ends(language: &'static Language, changes: &[(&str, &str)], code: i32) {
    let turn = turns::beside_others();
    let built = Built::changed(language, changes);
    drop(turn);
    let ending = Ending { language, built: &built, code };
    ending.sigterm_idle(ending.start("idle"));
    ending.sigterm_busy();
}

/// Checks an answer to a request with the status that it asks for.
fn assert_answers(language: &Language, request: &Request, answer: &Answer) {
    let wanted = request.answer();
    if answer.output != wanted {
        let shown = |bytes: &[u8]| bytes[..bytes.len().min(400)].escape_ascii().to_string();
        let (is, should) = (shown(&answer.output), shown(&wanted));
        panic!("{} bytes, not {}\n{is}\n{should}", answer.output.len(), wanted.len());
    }
    assert_eq!(answer.log, format!("served by {}\n", language.says));
    assert_eq!(answer.status, if request.query == b"status=7" { 7 } else { 0 });
}

/// Checks everything but how the program ends.
fn program_answers(language: &Language, program: &Program) {
    let mut kept = program.connect();
    let ask = |client: &mut Client, request: &Request| {
        assert_answers(language, request, &client.ask(request));
    };
    ask(&mut kept, &Request::GET);
    program.assert_ours();
    let all: Vec<u8> = (0..=255).cycle().take(300 << 10).collect();
    ask(&mut kept, &Request { method: "POST", body: &all, ..Request::GET });
    parameters(&mut kept, ask);
    ask(&mut kept, &Request { query: b"status=7", ..Request::GET });
    kept_and_new(language, program, &mut kept);
    a_client_leaves(language, program);
    if language.at_a_time == AtATime::Many {
        many_at_a_time(language, program);
    }
}

/// Parameters come as they are, whatever they are.
fn parameters(kept: &mut Client, ask: impl Fn(&mut Client, &Request)) {
    let long: Vec<u8> = (b'!'..=b'~').cycle().take(70_000).collect();
    let name: &[u8] = b"N\xe4me\xff\xc3\x28";
    let value: &[u8] = b"\xfe\x80 = \xc3\x28\xe2\x82\xac";
    for (query, value) in [(&b"LONG"[..], &long[..]), (name, value), (b"EMPTY", b"")] {
        let more = [(&b"BEFORE"[..], &b"1"[..]), (query, value), (b"BEHIND", b"2")];
        ask(kept, &Request { query, more: &more, ..Request::GET });
    }
}

/// Requests alternate between a kept connection and new ones. The program has as many descriptors afterwards
/// as before.
fn kept_and_new(language: &Language, program: &Program, kept: &mut Client) {
    let request = Request { method: "POST", body: b"abcde", ..Request::GET };
    let mut both = || {
        assert_answers(language, &request, &kept.ask(&request));
        assert_answers(language, &request, &program.connect().ask_last(&request));
    };
    both();
    program.until_it_waits();
    let before = program.descriptors();
    for _ in 0..100 {
        both();
    }
    program.until_it_waits();
    assert_eq!(program.descriptors(), before, "descriptors");
}

/// A request that cannot be finished ends alone: the program says why, and serves the next one.
fn a_client_leaves(language: &Language, program: &Program) {
    let request = Request { method: "POST", body: b"first half, second half", ..Request::GET };
    let mut leaves = program.connect();
    let half = wire::record(RecordType::STDIN, 1, &request.body[..12]);
    leaves.send(&[request.head(KEPT), half].concat());
    drop(leaves);
    assert_answers(language, &request, &program.connect().ask_last(&request));
    // A runtime may write to its stderr in another thread.
    let reason = text_of_gone();
    until("the program to say why", PATIENCE, || program.said().contains(&reason).then_some(()));
}

/// Requests whose bodies have not all come, or whose answers are not read, keep no other from being served.
fn many_at_a_time(language: &Language, program: &Program) {
    let large = Request { method: "POST", body: &[b'l'; 1 << 20], ..Request::GET };
    let other = || {
        let answer = program.connect().ask_last(&Request::GET);
        assert_answers(language, &Request::GET, &answer);
    };
    assert_answers(language, &large, &program.connect().ask_slowly(&large, other));

    let request = Request { method: "POST", body: b"first half, second half", ..Request::GET };
    let (first, second) = request.body.split_at(12);
    let half = [request.head(KEPT), wire::record(RecordType::STDIN, 1, first)].concat();
    let mut waiting: Vec<Client> = (0..20).map(|_| program.connect()).collect();
    for client in &mut waiting {
        client.send(&half);
    }
    other();
    for client in waiting.iter_mut().rev() {
        client.send(&wire::stdin(1, second));
        assert_answers(language, &request, &client.answer());
    }
    assert_eq!(program.threads(), 1);
}

/// How a program ends.
struct Ending<'a> {
    language: &'static Language,
    built: &'a Built,
    /// The exit code of the process.
    code: i32,
}

impl Ending<'_> {
    /// Starts the program. Returns it when it has answered and waits for the next request.
    fn start(&self, name: &str) -> Program {
        let _turn = turns::beside_others();
        let program = self.built.start(name);
        let answer = program.connect().ask_last(&Request::GET);
        assert_answers(self.language, &Request::GET, &answer);
        program
    }

    fn sigterm_idle(&self, program: Program) {
        self.idle(program, libc::SIGTERM);
    }

    fn sigint_idle(&self) {
        self.idle(self.start("sigint"), libc::SIGINT);
    }

    fn idle(&self, program: Program, signal: i32) {
        let _turn = turns::alone();
        program.until_it_waits();
        program.signal(signal);
        self.ends(program);
    }

    /// The signal comes between the halves of a body: the answer is whole, and then the program ends.
    fn sigterm_busy(&self) {
        let program = self.start("busy");
        let _turn = turns::alone();
        let body = [b'b'; 100_000];
        let request = Request { method: "POST", body: &body, ..Request::GET };
        let (first, second) = body.split_at(body.len() / 2);
        let mut client = program.connect();
        client.send(&[request.head(KEPT), wire::record(RecordType::STDIN, 1, first)].concat());
        program.until_it_waits();
        program.signal(libc::SIGTERM);
        program.until_it_waits();
        client.send(&wire::stdin(1, second));
        assert_answers(self.language, &request, &client.answer());
        self.ends(program);
    }

    fn ends(&self, mut program: Program) {
        let (status, time) = program.until_ended();
        assert_eq!(status.code(), Some(self.code), "{status}: {}", program.said());
        assert!(time <= PROMPT, "{time:?}");
    }
}
