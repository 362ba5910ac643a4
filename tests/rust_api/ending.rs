//! Requests that are given up.

use std::io::Write;
use std::os::unix::net::UnixListener;
use std::panic::{AssertUnwindSafe, catch_unwind};

use fcgi::{ListenSocket, Request};
use testkit::TempDir;
use testkit::wire::{Connection, is_complete, output, request, text};

use super::server::Server;

fn is_send<T: Send>() {}

#[test]
fn requests_may_change_threads_and_sockets_may_be_shared() {
    is_send::<Request>();
    is_send::<fcgi::Parts<'_>>();
    is_send::<&fcgi::ListenSocket>();
}

#[test]
fn a_request_that_is_dropped_is_not_whole() {
    let server = Server::start(|mut request: Request| {
        request.write_all(b"sent").unwrap();
        request.flush().unwrap();
        request.write_all(b"not sent").unwrap();
        if request.param("DROP").is_none() {
            request.end(0).unwrap();
        }
    });
    for keep in [false, true] {
        let mut connection = server.connect();
        connection.send(&request(1, keep, &[("DROP", "")], b"body"));
        let records = connection.until_closed();
        assert_eq!(output(&records), b"sent");
        assert!(!is_complete(&records));
        let records = server.exchange(&request(1, false, &[], b""));
        assert_eq!(text(&records), "sentnot sent");
    }
}

#[test]
fn a_child_drops_its_copy_only() {
    let dir = TempDir::new();
    let listener = UnixListener::bind(dir.join("socket")).unwrap();
    let socket = ListenSocket::new(listener).unwrap();
    for keep in [false, true] {
        let mut connection = Connection::open(&dir.join("socket"));
        connection.send(&request(1, keep, &[], b""));
        let mut in_progress = socket.accept().unwrap().unwrap();
        in_progress.write_all(b"of the parent").unwrap();
        // SAFETY: the child calls the library and _exit only; the C library makes its heap usable.
        let child = unsafe { libc::fork() };
        if child == 0 {
            drop(in_progress);
            // SAFETY: takes a number.
            unsafe { libc::_exit(0) };
        }
        let mut status = -1;
        // SAFETY: the status is written to a local.
        assert_eq!(unsafe { libc::waitpid(child, &raw mut status, 0) }, child);
        assert_eq!(status, 0);
        in_progress.end(0).unwrap();
        let records = connection.until_end_of(1);
        assert_eq!(text(&records), "of the parent");
    }
}

#[test]
fn a_panic_gives_up_its_request_only() {
    let server = Server::start(|mut request: Request| {
        let handled = catch_unwind(AssertUnwindSafe(|| {
            request.write_all(b"answer").unwrap();
            assert!(request.param("PANIC").is_none(), "this panic is expected");
            request.end(0).unwrap();
        }));
        assert!(handled.is_ok() || cfg!(panic = "unwind"));
    });
    for keep in [true, false] {
        let mut kept = server.connect();
        kept.send(&request(1, true, &[], b""));
        kept.until_end_of(1);
        let mut connection = server.connect();
        connection.send(&request(1, keep, &[("PANIC", "")], b""));
        assert!(!is_complete(&connection.until_closed()));
        kept.send(&request(2, true, &[], b""));
        assert_eq!(text(&kept.until_end_of(2)), "answer");
    }
}
