//! Programs that poll the listen socket before they call Accept. They do not hear of a connection that waits
//! inside the library: `LIBFCGI_KEEP_CONN=0` leaves none there.

use std::process::Command;
use std::time::Duration;

use super::client::{Program, Then};
use super::contract::{Connections, End, GET, check, holds};
use super::{script, source};
use testkit::{Library, TempDir, compile, need};

/// How long a request is observed that is never answered.
const IN_VAIN: Duration = Duration::from_millis(500);

/// The setting for such programs, which the original does not have.
const REMEDY: (&str, &str) = ("LIBFCGI_KEEP_CONN", "0");

/// Returns a program with one thread. It ends with its directory.
fn in_c() -> (TempDir, Command) {
    let dir = TempDir::new();
    let program = dir.join("polled");
    compile(&source("polled.c"), Library::Original, &program).unwrap();
    (dir, Command::new(program))
}

/// Returns a program with threads.
fn in_ruby() -> Command {
    need("ruby", "/usr/bin/ruby");
    script(&["/usr/bin/ruby"], "polled.rb")
}

#[test]
fn select_in_c() {
    let (_dir, mut program) = in_c();
    holds(&mut program, Library::Original, Connections::New, End::OfLoop);
    let program = program.env(REMEDY.0, REMEDY.1);
    holds(program, Library::Ours, Connections::Closed, End::OfLoop);
}

#[test]
fn io_select_in_ruby() {
    holds(&mut in_ruby(), Library::Original, Connections::New, End::Signal);
    let mut program = in_ruby();
    let program = program.env(REMEDY.0, REMEDY.1);
    holds(program, Library::Ours, Connections::Closed, End::Signal);
}

/// Neither library can make such a program serve a kept connection. With the setting there is none.
#[test]
fn the_next_request_on_a_kept_connection_is_never_heard_of() {
    let (_dir, mut program) = in_c();
    for command in [&mut program, &mut in_ruby()] {
        for library in Library::BOTH {
            let program = Program::start(command, library);
            let mut kept = program.connect();
            check(&kept.ask(Then::Keep, GET, b""), GET, b"");
            kept.send(Then::Keep, GET);
            assert!(kept.connection.is_silent(IN_VAIN), "{library:?}");
        }
        let program = Program::start(command.env(REMEDY.0, REMEDY.1), Library::Ours);
        for _ in 0..2 {
            let mut closed = program.connect();
            check(&closed.ask(Then::Keep, GET, b""), GET, b"");
            assert_eq!(closed.connection.until_closed(), []);
        }
    }
}

/// A connection is silent when it is accepted, and another one brings its request meanwhile. The original
/// waits for the first one. Ours serves the second one; the first one waits inside the library then, where
/// the program does not hear of it.
#[test]
fn a_request_that_comes_late_is_heard_of_where_no_connection_waits_inside() {
    let (_dir, mut program) = in_c();
    for command in [&mut program, &mut in_ruby()] {
        late_request_is_answered(&Program::start(command, Library::Original));

        let program = Program::start(command, Library::Ours);
        let mut late = program.connect();
        let mut other = program.connect();
        check(&other.ask(Then::Close, GET, b""), GET, b"");
        late.send(Then::Close, GET);
        assert!(late.connection.is_silent(IN_VAIN));

        let program = Program::start(command.env(REMEDY.0, REMEDY.1), Library::Ours);
        late_request_is_answered(&program);
    }
}

fn late_request_is_answered(program: &Program) {
    let mut late = program.connect();
    let mut other = program.connect();
    other.send(Then::Close, GET);
    assert!(other.connection.is_silent(IN_VAIN));
    check(&late.ask(Then::Close, GET, b""), GET, b"");
    // The original waits until the web server has closed.
    drop(late);
    check(&other.answer(), GET, b"");
}
