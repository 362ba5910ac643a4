//! Processes that end after some requests as the manual describes lose no request.

use std::net::{TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::thread;
use std::time::Duration;

use super::Example;
use testkit::Library;
use testkit::wire::{Connection, begin, is_complete, params, request, stdin};

/// The number of clients, and the requests of each.
const CLIENTS: usize = 4;
const REQUESTS: usize = 500;

/// How a client sends its request: the time of the first piece, and the time between its three pieces.
#[derive(Clone, Copy, Debug)]
struct Pieces {
    first: Duration,
    between: Option<Duration>,
}

/// Sends a request on a connection of its own.
fn one(mut connection: Connection, pieces: Pieces) {
    thread::sleep(pieces.first);
    match pieces.between {
        None => _ = connection.send(&request(1, false, &[("NAME", "value")], b"")),
        Some(between) => {
            connection.send(&begin(1, false));
            thread::sleep(between);
            connection.send(&params(1, &[("NAME", "value")]));
            thread::sleep(between);
            connection.send(&stdin(1, b""));
        }
    }
    let records = connection.until_closed();
    let is_answered = is_complete(&records);
    assert!(is_answered, "lost: {pieces:?}");
}

fn all_clients(client: impl Fn() + Sync) {
    thread::scope(|scope| {
        for _ in 0..CLIENTS {
            scope.spawn(&client);
        }
    });
}

#[test]
fn no_request_is_lost_on_a_connection_of_its_own() {
    let [now, late] = [Duration::ZERO, Duration::from_millis(1)];
    let manners = [
        Pieces { first: now, between: None },
        Pieces { first: now, between: Some(now) },
        Pieces { first: late, between: None },
        Pieces { first: late, between: Some(late) },
    ];
    for library in Library::BOTH {
        let example = Example::build(library, "prefork");
        let server = example.on_descriptor_0();
        for pieces in manners {
            all_clients(|| {
                (0..REQUESTS).for_each(|_| one(Connection::open(&server.socket), pieces));
            });
        }
        server.stop();
    }
}

/// No connection is closed while the web server may have a request on its way. A connection closes only right
/// with a response, or when it has been unused for longer than the web server keeps one. Over TCP the end of
/// a connection arrives with the response.
#[test]
fn no_kept_connection_ends_while_it_is_used_often_enough() {
    let example = Example::build(Library::Ours, "prefork");
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let mut command = example.command();
    command.env("LIBFCGI_DRAIN", "500").stdin(OwnedFd::from(listener));
    let server = example.start(&mut command, example.dir.join("tcp"));
    all_clients(|| {
        let connect = || Connection::on(TcpStream::connect(address).unwrap().into());
        let mut connection = connect();
        for number in 0..REQUESTS {
            connection.send(&request(1, true, &[], b"")).until_end_of(1);
            if connection.has_ended() {
                connection = connect();
            }
            let pause = if number % 20 == 7 { 150 } else { number as u64 % 4 };
            thread::sleep(Duration::from_millis(pause));
            assert!(!connection.has_ended(), "request {number} would be lost");
        }
    });
    server.stop();
}
