//! The end of a connection whose peer is still sending: no response is lost, and the library waits
//! for no peer without a bound.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use super::{IN_VAIN, answered, is_answered_within, text};
use testkit::turns::{alone, beside_others};
use testkit::wire::{Connection, abort, get_values, record, records, request};
use testkit::{Library, Listen, PATIENCE, TempDir, Worker, until_in};

use fcgi::internals::protocol::RecordType;
use fcgi::internals::serve::last::Last;
use fcgi::internals::serve::{AcceptOptions, config, registry};

/// Sends all it can, then reads everything, and returns the text of the response.
fn sends_first(mut stream: UnixStream, bytes: &[u8]) -> String {
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.set_write_timeout(Some(PATIENCE)).unwrap();
    // The pieces imitate the body of a slow client. The application may already have closed.
    for piece in bytes.chunks(16_384) {
        if stream.write_all(piece).is_err() {
            break;
        }
        thread::sleep(Duration::from_micros(200));
    }
    let _ = stream.shutdown(Shutdown::Write);
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    text(&records(&answer).0)
}

#[test]
fn no_answer_is_lost_while_the_body_is_still_coming() {
    let _turn = beside_others();
    for listen in [Listen::Unix, Listen::Tcp] {
        let worker = Worker::start(Library::Ours, listen, &[]);
        for size in [1000, 100_000, 250_000, 2_000_000] {
            for read in ["0", "10"] {
                // First a response that fits the socket's buffers, then a large one.
                let bytes = request(1, false, &[("READ", read)], &vec![b'b'; size]);
                let answer = sends_first(worker.connect().into_stream(), &bytes);
                assert_eq!(answer, "b".repeat(read.parse().unwrap()), "{listen:?}, {size}");
                let list = [("SIZE", "100000")];
                let bytes = request(1, false, &list, &vec![b'b'; size]);
                let answer = sends_first(worker.connect().into_stream(), &bytes);
                assert_eq!(answer.len(), 100_000, "{listen:?}, {size}");
            }
        }
    }
}

/// A web server never reuses a connection that is about to end for its next request.
#[test]
fn a_kept_tcp_connection_ends_with_the_last_bytes_of_the_answer() {
    let _turn = beside_others();
    for _ in 0..20 {
        let worker = Worker::start(Library::Ours, Listen::Tcp, &[]);
        let mut connections: Vec<_> = (0..8).map(|_| worker.connect()).collect();
        for connection in &mut connections {
            connection.send(&request(1, true, &[], b"")).until_end_of(1);
        }
        worker.signal(libc::SIGTERM);
        for mut connection in connections {
            connection.send(&request(2, true, &[("SIZE", "1000")], b"")).until_end_of(2);
            let mut stream = connection.into_stream();
            stream.set_nonblocking(true).unwrap();
            assert_eq!(stream.read(&mut [0; 1]).ok(), Some(0), "the end comes late");
        }
    }
}

#[test]
fn what_comes_after_a_request_does_not_destroy_its_answer() {
    let _turn = beside_others();
    let answered = |library, listen, keep, late: &[u8]| {
        let worker = Worker::start(library, listen, &[]);
        let mut connection = worker.connect();
        let sleep = [("SLEEP", "100"), ("KEEP", "0")];
        connection.send(&request(1, keep, &sleep[..], b"the body"));
        until_in(worker.running.pid(), &[libc::SYS_clock_nanosleep]);
        connection.send(late);
        text(&connection.until_closed()) == "the body"
    };
    let late = [
        ("second end of STDIN", record(RecordType::STDIN, 1, b"")),
        ("end of DATA", record(RecordType::DATA, 1, b"")),
        ("ABORT_REQUEST", abort(1)),
        ("GET_VALUES", get_values(&["FCGI_MAX_CONNS"])),
        ("next request", request(2, true, &[], b"")),
    ];
    for library in Library::BOTH {
        for listen in [Listen::Unix, Listen::Tcp] {
            for keep in [false, true] {
                for (what, bytes) in &late {
                    let good = answered(library, listen, keep, bytes);
                    assert!(good, "{library:?}, {listen:?}, keep {keep}: {what}");
                }
            }
        }
    }
}

#[test]
fn no_answer_is_lost_to_a_peer_that_reads_late() {
    let _turn = beside_others();
    for listen in [Listen::Unix, Listen::Tcp] {
        let worker = Worker::start(Library::Ours, listen, &[]);
        // The response is larger than the buffers, and the peer sends its body at the same time.
        let bytes = request(1, false, &[("SIZE", "3000000")], &[b'b'; 200_000]);
        let mut stream = worker.connect().into_stream();
        let mut writer = stream.try_clone().unwrap();
        thread::scope(|scope| {
            scope.spawn(move || {
                for piece in bytes.chunks(10_000) {
                    let _ = writer.write_all(piece);
                    thread::sleep(Duration::from_millis(5));
                }
            });
            thread::sleep(Duration::from_millis(30));
            let mut answer = Vec::new();
            stream.set_read_timeout(Some(PATIENCE)).unwrap();
            let _ = stream.read_to_end(&mut answer);
            assert_eq!(text(&records(&answer).0).len(), 3_000_000, "{listen:?}");
        });
    }
}

#[test]
fn a_closing_peer_that_trickles_is_left_in_bounded_time() {
    let _turn = alone();
    let served_in_time = |library| {
        let worker = Worker::start(library, Listen::Tcp, &[]);
        let mut trickling = worker.connect();
        // The body never ends: after the response one byte arrives every 50 ms.
        let whole = request(1, false, &[("READ", "0")], &[b'b'; 1000]);
        trickling.send(&whole[..whole.len() - 900]);
        trickling.until_end_of(1);
        let start = Instant::now();
        while start.elapsed() < Duration::from_millis(2300) {
            trickling.send(b"b");
            thread::sleep(Duration::from_millis(50));
        }
        is_answered_within(worker.connect(), IN_VAIN)
    };
    assert!(served_in_time(Library::Ours));
    assert!(!served_in_time(Library::Original), "the original does it right");
}

#[test]
fn a_closing_peer_that_floods_is_left_after_some_bytes() {
    let _turn = alone();
    let worker = Worker::start(Library::Ours, Listen::Tcp, &[]);
    let mut flooding = worker.connect();
    flooding.send(&request(1, false, &[("READ", "0")], &[b'b'; 1000])[..100]);
    flooding.until_end_of(1);
    let start = Instant::now();
    flooding.flood(&[b'b'; 50_000], start + Duration::from_secs(3));
    answered(worker.connect(), "the next");
    assert!(start.elapsed() < Duration::from_secs(1), "left after {:?}", start.elapsed());
}

/// Programs shut their listen socket down to get their threads back. No thread waits on it any
/// more, so idle connections that came through it are closed.
#[test]
fn every_thread_comes_back_from_a_listen_socket_that_is_shut_down() {
    let _turn = beside_others();
    for how in [libc::SHUT_RDWR, libc::SHUT_RD] {
        let dir = TempDir::new();
        let path = dir.join("socket");
        let unix = UnixListener::bind(&path).unwrap();
        come_back(unix.into(), Connection::open(&path), how);
        let tcp = TcpListener::bind("127.0.0.1:0").unwrap();
        let stream = TcpStream::connect(tcp.local_addr().unwrap()).unwrap();
        come_back(tcp.into(), Connection::on(stream.into()), how);
    }
}

/// Shuts the listen socket down in that way while four threads wait on it.
fn come_back(listen: OwnedFd, mut idle: Connection, how: libc::c_int) {
    let fd = listen.as_raw_fd();
    let (tell, told) = mpsc::channel();
    for _ in 0..4 {
        let tell = tell.clone();
        thread::spawn(move || {
            let options = AcceptOptions::plain(config::get());
            tell.send(registry::of(fd).unwrap().next(&options, Last::None).map(drop))
        });
    }
    idle.send(&get_values(&["FCGI_MAX_CONNS"])).until_record(|_| true);
    // SAFETY: no pointer is passed; `listen` keeps the descriptor open.
    assert_eq!(unsafe { libc::shutdown(fd, how) }, 0);
    for _ in 0..4 {
        let error = told.recv_timeout(PATIENCE).expect("a thread comes back").unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::EINVAL), "{how}");
    }
    assert_eq!(idle.until_closed(), []);
}
