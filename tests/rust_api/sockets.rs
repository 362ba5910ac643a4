//! Listen sockets: making, waiting, sharing, closing.

use std::fs;
use std::io::{ErrorKind, Write};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::os::fd::AsRawFd;
use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::{Arc, Barrier};
use std::time::{Duration, Instant};

use fcgi::internals::capi::fcgiapp::{
    FCGX_Accept_r, FCGX_Finish_r, FCGX_Init, FCGX_InitRequest, FCGX_PutS, FCGX_Request,
};
use fcgi::{ListenSocket, Request};
use testkit::TempDir;
use testkit::wire::{Connection, request, text};

use super::server::Server;

fn answer(mut request: Request, with: &str) {
    request.write_all(with.as_bytes()).unwrap();
    request.end(0).unwrap();
}

#[test]
fn a_socket_is_made_at_a_path_or_a_port() {
    let dir = TempDir::new();
    let path = dir.join("socket");
    for _ in 0..2 {
        // The second replaces the file of the first.
        let socket = ListenSocket::bind(&path, 5).unwrap();
        let mut connection = Connection::open(&path);
        connection.send(&request(1, false, &[], b""));
        answer(socket.accept().unwrap().unwrap(), "unix");
        assert_eq!(text(&connection.until_closed()), "unix");
    }
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let socket = ListenSocket::new(listener).unwrap();
    let mut connection = Connection::on(TcpStream::connect(address).unwrap().into());
    connection.send(&request(1, false, &[], b""));
    answer(socket.accept().unwrap().unwrap(), "tcp");
    assert_eq!(text(&connection.until_closed()), "tcp");
}

#[test]
fn a_socket_that_cannot_be_made_says_why() {
    let dir = TempDir::new();
    let kind = |address: &str| ListenSocket::bind(address, 5).unwrap_err().kind();
    fs::write(dir.join("file"), "content").unwrap();
    assert_eq!(kind(dir.join("file").to_str().unwrap()), ErrorKind::AlreadyExists);
    assert_eq!(kind(dir.join("no/socket").to_str().unwrap()), ErrorKind::NotFound);
    assert_eq!(kind(":65536"), ErrorKind::InvalidInput);
    ListenSocket::bind("/".repeat(200), 5).unwrap_err();
    let datagrams = UdpSocket::bind("127.0.0.1:0").unwrap();
    ListenSocket::new(datagrams).unwrap_err();
}

#[test]
fn programs_that_are_executed_do_not_inherit_the_socket() {
    let dir = TempDir::new();
    let socket = ListenSocket::bind(dir.join("socket"), 5).unwrap();
    let info = fs::read_to_string(format!("/proc/self/fdinfo/{}", socket.as_raw_fd())).unwrap();
    let flags = info.lines().find_map(|line| line.strip_prefix("flags:")).unwrap().trim();
    let flags = u32::from_str_radix(flags, 8).unwrap();
    assert_ne!(flags & libc::O_CLOEXEC as u32, 0);
}

#[test]
fn a_wait_ends_in_time() {
    let dir = TempDir::new();
    let path = dir.join("socket");
    let socket = ListenSocket::new(UnixListener::bind(&path).unwrap()).unwrap();
    for wanted in [Duration::ZERO, Duration::from_millis(60)] {
        let start = Instant::now();
        assert_eq!(socket.accept_timeout(wanted).unwrap_err().kind(), ErrorKind::TimedOut);
        assert!(start.elapsed() >= wanted);
    }
    let mut connection = Connection::open(&path);
    connection.send(&request(1, true, &[], b""));
    answer(socket.accept_timeout(Duration::MAX).unwrap().unwrap(), "one");
    connection.until_end_of(1);
    // A kept connection is seen by a look, too.
    connection.send(&request(2, true, &[], b""));
    answer(socket.accept_timeout(Duration::ZERO).unwrap().unwrap(), "two");
    assert_eq!(text(&connection.until_end_of(2)), "two");
    assert_eq!(socket.accept_timeout(Duration::ZERO).unwrap_err().kind(), ErrorKind::TimedOut);
}

#[test]
fn a_non_blocking_socket_is_waited_for() {
    let dir = TempDir::new();
    let listener = UnixListener::bind(dir.join("socket")).unwrap();
    listener.set_nonblocking(true).unwrap();
    let socket = ListenSocket::new(listener).unwrap();
    let timeout = Duration::from_millis(30);
    assert_eq!(socket.accept_timeout(timeout).unwrap_err().kind(), ErrorKind::TimedOut);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            (0..3).for_each(|_| answer(socket.accept().unwrap().unwrap(), "waited for"));
        });
        let mut connection = Connection::open(&dir.join("socket"));
        for id in 1..=3 {
            connection.send(&request(id, true, &[], b""));
            assert_eq!(text(&connection.until_end_of(id)), "waited for");
        }
    });
}

#[test]
fn several_threads_accept_on_one_socket() {
    const THREADS: usize = 4;
    let barrier = Arc::new(Barrier::new(THREADS));
    let server = Server::start_threads(THREADS, |number| {
        let barrier = Arc::clone(&barrier);
        move |request: Request| {
            // Each thread has one.
            barrier.wait();
            answer(request, &number.to_string());
        }
    });
    let mut connections: Vec<_> = (0..THREADS).map(|_| server.connect()).collect();
    for id in 1..100 {
        for connection in &mut connections {
            connection.send(&request(id, true, &[], b""));
        }
        let mut answers: Vec<_> =
            connections.iter_mut().map(|connection| text(&connection.until_end_of(id))).collect();
        answers.sort();
        assert_eq!(answers, ["0", "1", "2", "3"]);
    }
}

#[test]
fn a_request_goes_to_another_thread() {
    let dir = TempDir::new();
    let path = dir.join("socket");
    let socket = ListenSocket::new(UnixListener::bind(&path).unwrap()).unwrap();
    let mut connections = [Connection::open(&path), Connection::open(&path)];
    for id in 1..20 {
        for connection in &mut connections {
            connection.send(&request(id, true, &[], b""));
        }
        let requests = [(); 2].map(|()| socket.accept().unwrap().unwrap());
        std::thread::scope(|scope| {
            for request in requests {
                scope.spawn(move || answer(request, "elsewhere"));
            }
        });
        for connection in &mut connections {
            assert_eq!(text(&connection.until_end_of(id)), "elsewhere");
        }
    }
}

#[test]
fn a_socket_that_is_dropped_ends_what_waits_and_not_what_is_in_progress() {
    let dir = TempDir::new();
    let path = dir.join("socket");
    let socket = ListenSocket::new(UnixListener::bind(&path).unwrap()).unwrap();
    let (mut idle, mut busy) = (Connection::open(&path), Connection::open(&path));
    idle.send(&request(1, true, &[], b""));
    answer(socket.accept().unwrap().unwrap(), "kept");
    idle.until_end_of(1);
    busy.send(&request(1, false, &[], b""));
    let in_progress = socket.accept().unwrap().unwrap();
    drop(socket);
    idle.until_closed();
    assert_eq!(UnixStream::connect(&path).unwrap_err().kind(), ErrorKind::ConnectionRefused);
    answer(in_progress, "whole");
    assert_eq!(text(&busy.until_closed()), "whole");
}

/// C code and Rust code of one program on one socket, and on one connection.
#[test]
fn the_c_api_serves_the_same_socket() {
    let dir = TempDir::new();
    let path = dir.join("socket");
    let socket = ListenSocket::new(UnixListener::bind(&path).unwrap()).unwrap();
    let mut connection = Connection::open(&path);
    assert_eq!(FCGX_Init(), 0);
    // SAFETY: a request of zeros is one that FCGX_InitRequest may initialise.
    let mut memory: FCGX_Request = unsafe { std::mem::zeroed() };
    let in_c = &raw mut memory;
    // SAFETY: the request does not move while it is in use.
    assert_eq!(unsafe { FCGX_InitRequest(in_c, socket.as_raw_fd(), 0) }, 0);
    for id in 1..10 {
        connection.send(&request(id, true, &[], b""));
        answer(socket.accept().unwrap().unwrap(), "Rust");
        assert_eq!(text(&connection.until_end_of(id)), "Rust");
        connection.send(&request(id, true, &[], b""));
        // SAFETY: the request is initialised and does not move; its streams are used while it is accepted.
        unsafe {
            assert_eq!(FCGX_Accept_r(in_c), 0);
            assert_eq!(FCGX_PutS(c"C".as_ptr(), (*in_c).out), 1);
            FCGX_Finish_r(in_c);
        }
        assert_eq!(text(&connection.until_end_of(id)), "C");
    }
}
