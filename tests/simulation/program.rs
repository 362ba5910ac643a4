//! The program: the only place that acts as FCGX_Accept_r and FCGX_Finish_r do.

use std::io::{self, ErrorKind};
use std::os::fd::RawFd;
use std::time::Duration;

use crate::kernel::tasks::{call, here, sleep, with_me};
use crate::os::io::{Then, send_all};
use crate::os::{clock, shutdown};
use crate::protocol::body::{EndRequest, ProtocolStatus};
use crate::protocol::record::{Header, RecordType};
use crate::protocol::writer;
use crate::serve::cancel::Cancel;
use crate::serve::key::{Key, Tenant};
use crate::serve::last::Last;
use crate::serve::wait::Owner;
use crate::serve::{AcceptOptions, Connection, Limit, RequestStart, config, registry};
use crate::world::{LISTEN_FD, random};

/// A request that the program is serving.
pub struct Request {
    pub connection: Connection,
    pub begin: RequestStart,
    pub owner: Owner,
    pub number: u32,
}

/// The program's choice for a connection whose request is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Finish {
    /// The connection stays or closes as the web server asked.
    AsAsked,
    /// Every second connection is closed, whatever the web server asked.
    ClosesOften,
    /// The connection stays or closes as the web server asked. Each request has a structure of its own,
    /// which is not used again.
    WithFreshStructures,
}

/// The content of a structure between two requests: nothing, the connection of its last request, or the
/// slot in which that waits.
#[derive(Debug, Default)]
pub enum Given {
    #[default]
    Nothing,
    Connection(Connection),
    Key(Key, RawFd),
}

impl Given {
    /// Drops the structure and leaves open what it holds.
    pub fn forget(self) {
        if let Self::Connection(connection) = self {
            connection.release();
        }
    }
}

/// Waits for a request, as FCGX_Accept_r does. Returns `None` after a shutdown request.
pub fn accept(given: Given) -> Option<Request> {
    match next(given, AcceptOptions::plain(config::get())) {
        Ok(request) => Some(request),
        Err(error) => {
            check_end(&error);
            None
        }
    }
}

/// Checks that a wait has ended because of a shutdown request.
pub fn check_end(error: &io::Error) {
    assert_eq!(error.kind(), ErrorKind::Interrupted, "{error}");
    assert!(here(|process| process.wish), "an error without a shutdown request");
}

/// Waits for a request until this time, as FCGX_RequestNext does; for `None` without limit.
pub fn accept_within(
    given: Given,
    limit: Option<Duration>,
    cancel: Option<&Cancel>,
) -> io::Result<Request> {
    let until = limit.map(|limit| clock::now() + limit);
    let options = AcceptOptions::plain(config::get());
    next(given, AcceptOptions { until, cancel, limit: Limit::Caller, ..options })
}

/// Waits for a request.
fn next(given: Given, options: AcceptOptions) -> io::Result<Request> {
    let listener = registry::of(LISTEN_FD).expect("memory");
    let owner = if matches!(given, Given::Nothing) { Owner::MayBeGone } else { Owner::Returns };
    let last = match given {
        Given::Nothing => Last::None,
        Given::Connection(connection) if connection.is_inherited() => {
            connection.close_copy();
            Last::None
        }
        Given::Connection(connection) => Last::Given(connection),
        Given::Key(key, fd) => match listener.tenant(key, fd) {
            Tenant::Same => Last::Parked(key, fd),
            Tenant::Another => {
                listener.forget(key);
                Last::None
            }
            Tenant::Unknown => registry::take_out(key, fd).map_or(Last::None, Last::Given),
        },
    };
    let ((mut connection, begin), _) = registry::next(listener, &options, last)?;
    call(|kernel, me| kernel.give_to_program(me, connection.fd));
    let number = number_of(&mut connection);
    with_me(|kernel, me| {
        *kernel.served.entry(number).or_default() += 1;
        kernel.servers.insert(number, kernel.tasks[me].process);
    });
    Ok(Request { connection, begin, owner, number })
}

/// Returns the parameter N, four bytes.
fn number_of(connection: &mut Connection) -> u32 {
    let strings = connection.exchange.params().iter_mut().map(|string| *string.get_mut());
    let bytes_of = |string: *mut u8| {
        // SAFETY: each is a string that lives as long as the request; NULL, behind them, is left out.
        // That of N has six bytes before its NUL, and a shorter one differs before its own.
        (0..6).map(move |at| unsafe { *string.add(at) })
    };
    let found = strings.filter(|string| !string.is_null()).map(bytes_of);
    let is_number = |bytes: &mut _| Iterator::eq(Iterator::take(bytes, 2), *b"N=");
    let mut found = found.filter(|bytes| is_number(&mut bytes.clone()));
    let number: Vec<u8> = found.next().expect("the parameter").skip(2).collect();
    u32::from_be_bytes(number.try_into().expect("four bytes"))
}

/// Answers and finishes a request, as FCGX_Finish_r does. Returns what the structure holds then.
pub fn finish(request: Request, how: Finish) -> Given {
    let Request { mut connection, begin, owner, number } = request;
    let keeps = begin.keep && !shutdown::is_requested();
    let record = |kind, content: &[u8]| {
        [&Header::new(kind, begin.id, content.len() as u16).to_bytes()[..], content].concat()
    };
    let end = EndRequest { app_status: 0, protocol_status: ProtocolStatus::RequestComplete };
    let answer = [
        record(RecordType::STDOUT, &number.to_be_bytes()),
        record(RecordType::STDOUT, b""),
        writer::end_request(begin.id, end).to_vec(),
    ]
    .concat();
    let is_sent = send_all(connection.fd, &answer, Then::KeepOpen).is_ok();
    call(|kernel, me| kernel.take_from_program(me, connection.fd));
    let stays = keeps && is_sent && (how != Finish::ClosesOften || random(2) == 0);
    if stays && connection.exchange.incoming().is_sound() {
        return give_back(connection, owner);
    }
    connection.close();
    Given::Nothing
}

/// Gives a connection back whose request is over.
pub fn give_back(mut connection: Connection, owner: Owner) -> Given {
    connection.keep();
    let (fd, config) = (connection.fd, config::get());
    let key = connection.return_to_pool(LISTEN_FD, owner, config).or_else(|connection| {
        registry::of(LISTEN_FD).expect("memory").take_back(connection, owner, Limit::Socket, config)
    });
    match key {
        Ok(key) => Given::Key(key, fd),
        Err(connection) => Given::Connection(connection),
    }
}

/// Runs one thread of a program until a shutdown request; each request takes the given time.
pub fn serve(work: Duration, how: Finish) {
    let mut given = Given::Nothing;
    while let Some(request) = accept(given) {
        if !work.is_zero() {
            sleep(work);
        }
        given = finish(request, how);
        if how == Finish::WithFreshStructures {
            std::mem::take(&mut given).forget();
        }
    }
}
