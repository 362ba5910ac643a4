//! A request from its head to its end.

use std::io::{self, Write};
use std::os::fd::RawFd;
use std::time::Duration;

use super::channel::Channel;
use super::input::{Body, Input};
use super::kept;
use super::output::{Log, Out, end_both};
use super::params::Params;
use super::streams::Streams;
use crate::os::io::Then;
use crate::os::{poll, shutdown};
use crate::protocol::body::{self, EndRequest, ProtocolStatus};
use crate::serve::accept_options::Limit;
use crate::serve::head::AcceptedRequest;
use crate::serve::params::Params as Strings;
use crate::serve::wait::Owner;
use crate::serve::{Connection, RequestStart, config, registry};

/// The part that the program plays in a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Role {
    /// Answers the request.
    Responder,
    /// Decides whether the request may go on.
    Authorizer,
    /// Answers the request by transforming a file, which follows the body: see [`Body::start_data`].
    Filter,
}

/// A request that the program answers.
///
/// What is written to it is the response: header lines such as `Content-Type: text/plain`, an empty line, and
/// the content, as from a CGI program. [`end`](Request::end) completes it.
///
/// # Dropping
///
/// A request that is dropped is given up: what was written and not yet sent is discarded, and the connection
/// is closed without the record that ends a request (END_REQUEST). So a web server sees that the response is
/// not whole, and reports an error of its own if it has received nothing. A panic that unwinds through the
/// owner of a request does the same; one that is caught leaves the socket and all other requests as they were.
/// In a forked child, dropping a request of the parent does nothing to it.
///
/// # Threads
///
/// A request may be sent to another thread. With its [`parts`](Request::parts), one thread may read the body
/// while others write the response and the log.
#[derive(Debug)]
pub struct Request {
    /// Present until the request ends.
    connection: Option<Connection>,
    fd: RawFd,
    listen_fd: RawFd,
    owner: Owner,
    start: RequestStart,
    params: Strings,
    input: Input,
    streams: Streams,
}

/// What a request consists of, to be used at the same time.
#[derive(Debug)]
pub struct Parts<'a> {
    /// The parameters.
    pub params: Params<'a>,
    /// The body, to be read.
    pub body: Body<'a>,
    /// The response, to be written.
    pub out: Out<'a>,
    /// The error stream, which web servers write to their logs.
    pub log: Log<'a>,
}

impl Request {
    /// Begins a request that came through the listen socket `listen_fd`.
    pub(super) fn begin(
        (mut connection, start): AcceptedRequest,
        listen_fd: RawFd,
        owner: Owner,
    ) -> Self {
        let mut params = Strings::new();
        connection.exchange.swap_params(&mut params);
        Self {
            fd: connection.fd,
            connection: Some(connection),
            listen_fd,
            owner,
            start,
            params,
            input: Input::new(),
            streams: Streams::begin(start.id),
        }
    }

    /// Returns the part that the program is to play.
    pub fn role(&self) -> Role {
        match self.start.role {
            body::Role::Authorizer => Role::Authorizer,
            body::Role::Filter => Role::Filter,
            // serve refuses unknown roles.
            body::Role::Responder | body::Role::Unknown(_) => Role::Responder,
        }
    }

    /// Returns the value of the first parameter with this name, such as `REQUEST_METHOD`.
    pub fn param(&self, name: impl AsRef<[u8]>) -> Option<&[u8]> {
        self.params().get(name)
    }

    /// Returns the parameters.
    pub fn params(&self) -> Params<'_> {
        Params(&self.params)
    }

    /// Returns the body, to be read on from where reading has stopped.
    pub fn body(&mut self) -> Body<'_> {
        self.parts().body
    }

    /// Returns the response, to be written. Writing to the request itself does the same.
    pub fn out(&mut self) -> Out<'_> {
        self.parts().out
    }

    /// Returns the error stream, which web servers write to their logs.
    pub fn log(&mut self) -> Log<'_> {
        self.parts().log
    }

    /// Returns parameters, body, response and log, to be used at the same time, also by several threads.
    pub fn parts(&mut self) -> Parts<'_> {
        let Self { connection, fd, start, params, input, streams, .. } = self;
        let Streams { sending, out, log } = streams;
        let channel = Channel { fd: *fd, sending };
        // An Authorizer has no body (6.3), and some web servers do not even send its end.
        let has_body = start.role != body::Role::Authorizer;
        let connection = connection.as_mut().filter(|_| has_body);
        Parts {
            params: Params(params),
            body: Body { connection, channel, input },
            out: Out(channel, out),
            log: Log(channel, log),
        }
    }

    /// Returns whether the web server is known to have given the request up: it has sent ABORT_REQUEST, or has
    /// closed the connection or shut down its sending side. Never waits, and leaves the body to be read.
    pub fn is_gone(&mut self) -> bool {
        let Some(connection) = &mut self.connection else { return true };
        let events = poll::one(self.fd, poll::HUNG_UP, Some(Duration::ZERO)).unwrap_or(0);
        let channel = Channel { fd: self.fd, sending: &self.streams.sending };
        events != 0
            || self.streams.out.has_failed()
            || self.streams.log.has_failed()
            || self.input.finds_abort(connection, channel)
    }

    /// Ends the request: sends what was written, and `status`, the exit status of a CGI program: 0 for success.
    /// (An HTTP status is a header line, `Status: 404 Not Found`.) A body that was not read is discarded.
    ///
    /// The connection is kept for another request if the web server has asked for that and shutdown was not
    /// requested. Closing it waits for at most `LIBFCGI_OS_CLOSE_POLL_TIMEOUT`, two seconds by default, if the
    /// web server is still sending.
    ///
    /// # Errors
    ///
    /// The web server has not received the whole response: errors are those of [`Out`]. The request is ended
    /// and its connection closed in any case.
    pub fn end(mut self, status: i32) -> io::Result<()> {
        let Some(mut connection) = self.take_connection() else { return Ok(()) };
        let keeps = self.start.keep && !shutdown::is_requested();
        let result = self.send_end(&connection, status, keeps);
        if result.is_ok() && keeps && connection.exchange.incoming().is_sound() {
            connection.keep();
            self.park(connection);
        } else {
            connection.close();
        }
        result
    }

    /// Takes the connection, with the memory of the parameters: the request is over.
    fn take_connection(&mut self) -> Option<Connection> {
        let mut connection = self.connection.take()?;
        connection.exchange.swap_params(&mut self.params);
        Some(connection)
    }

    /// Sends what was written, and the end of the request.
    fn send_end(&mut self, connection: &Connection, status: i32, keeps: bool) -> io::Result<()> {
        let end = EndRequest {
            app_status: status as u32,
            protocol_status: ProtocolStatus::RequestComplete,
        };
        // A peer that wants to keep a connection that we close must see the end together with the response.
        let closes = connection.exchange.is_to_stay() && !keeps;
        let then = if closes { Then::ShutDown } else { Then::KeepOpen };
        let Streams { sending, out, log } = &mut self.streams;
        end_both((out, log), Channel { fd: self.fd, sending }, end, then)
    }

    /// Parks the connection of an answered request. Closes it where no pool takes it.
    fn park(&self, connection: Connection) {
        let config = config::get();
        let key = match connection.return_to_pool(self.listen_fd, self.owner, config) {
            Ok(key) => Ok(key),
            Err(connection) => match registry::of(self.listen_fd) {
                Ok(listener) => listener.take_back(connection, self.owner, Limit::Caller, config),
                Err(_) => Err(connection),
            },
        };
        match key {
            Ok(key) => kept::note(self.listen_fd, key, self.fd),
            Err(connection) => connection.close(),
        }
    }
}

impl Write for Request {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.out().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out().flush()
    }
}

impl Drop for Request {
    fn drop(&mut self) {
        match self.take_connection() {
            // The parent continues to serve it.
            Some(connection) if connection.is_inherited() => connection.close_copy(),
            Some(connection) => connection.close(),
            None => {}
        }
        self.streams.recycle();
    }
}
