//! Where threads wait for the next request.
//!
//! Two ways of waiting:
//!
//! * **Plain**: the process has one thread and no connection is parked. accept4 blocks, the socket's
//!   flags are left alone, a request costs accept4, recv, send, close.
//! * **Pooled**: from the second thread, the first kept connection, or the first connection that has
//!   nothing to read. One epoll instance watches the listen socket, every parked connection and the
//!   wake-up descriptor of [`crate::os::signal`]: see `Pool`.
//!
//! A thread that was told of a new connection may find that another thread or a preforked process
//! has taken it; blocking in accept4 then would leave its parked connections unserved. So a pooled
//! listener makes its socket non-blocking. The flag belongs to the open file, which other processes
//! share: every accept4 here copes with EAGAIN. A socket that the program itself made non-blocking
//! must give -EAGAIN at once instead; [`crate::os::mark`] tells the two apart. The program may do so at
//! any time, or take the flag away: a pooled listener looks for that where nothing happens in the first
//! moment of a wait, and in each call as long as it finds the program's wish.
//!
//! Of preforked processes, those that are idle are to have the new connections: a process steps back
//! behind the others as `pace` says, and one with a single thread does not take a connection
//! away from them before its head is there, as `grace` says.

use std::io::{self, ErrorKind};
use std::os::fd::RawFd;
use std::sync::Arc;

use super::accept_options::AcceptOptions;
use super::company::Company;
use super::config::Config;
use super::connection::Connection;
use super::drain::{Drain, accept_announced};
use super::entrance::Entrance;
use super::entry::Entry;
use super::event::Event;
use super::grace::{self, Budget, End};
use super::head::{AcceptedRequest, HeadProgress, Turn, linger, receive_head, wait_alone};
use super::hold::hold;
use super::key::{Key, Tenant};
use super::last::Last;
use super::patience::{LONGEST_WAIT, SHORTAGE_WAIT};
use super::pool::Pool;
use super::turns::TakenOut;
use super::wait::{Again, Owner, Stage, Wait};
use super::watcher::{LISTEN, UNASKED};
use crate::os::descriptor::{close, is_open};
use crate::os::error::{AcceptTrouble, interrupted, not_open, shut_down, would_block};
use crate::os::lock::Lock;
use crate::os::poll::{self, PollFd, READABLE};
use crate::os::socket::{self, Accepted, Peer};
use crate::os::{clock, mark, signal, threads};

/// One listen socket and the connections that came through it.
#[derive(Debug)]
pub struct Listener {
    entrance: Entrance,
    pool: Arc<Pool>,
    /// What connections without a request may still cost a process with one thread.
    grace: Lock<Budget>,
    drain: Drain,
}

impl Listener {
    /// A listener on which no thread waits yet.
    pub(super) fn new(fd: RawFd) -> Self {
        Self {
            entrance: Entrance::new(fd),
            pool: Arc::new(Pool::new(fd)),
            grace: Lock::new(Budget::new()),
            drain: Drain::new(),
        }
    }

    /// The listen socket's descriptor.
    pub(super) const fn fd(&self) -> RawFd {
        self.entrance.fd
    }

    /// Waits for the next request. `last`: the connection that the caller's last request came on.
    ///
    /// Errors are those of accept4; EINTR also stands for the wish to shut down, and for a listener
    /// that [`Listener::belongs_to_parent`].
    pub fn next(&self, options: AcceptOptions, last: Last) -> io::Result<AcceptedRequest> {
        let (mut given, mut own) = match last {
            Last::None => (None, None),
            Last::Given(mut given) => {
                given.join(&self.pool);
                (Some(given), None)
            }
            Last::Parked(key, fd) => (None, Some((key, fd))),
        };
        let mut options = self.entrance.options(options);
        let mut has_waited = false;
        loop {
            if self.belongs_to_parent() {
                given.into_iter().for_each(Connection::close_copy);
                return Err(interrupted());
            }
            if has_waited && options.is_over() {
                if !self.entrance.refuses_to_wait() {
                    return Err(would_block());
                }
                // The listen socket itself has the last word.
                match self.accepted_or_would_block(&options)? {
                    Some(accepted) => return Ok(accepted),
                    None => continue,
                }
            }
            if signal::shutdown_requested() {
                return self.last(given, has_waited, &options).ok_or_else(interrupted);
            }
            let result = match (given.take(), own.take()) {
                (Some(given), _) => self.look(given, &options),
                _ if self.may_block() => self.plain(&options),
                (None, Some((key, fd))) if !threads::only_one() => {
                    self.see_to(hold(&self.pool, key, fd, &options), &options)
                }
                _ => self.pooled(&options),
            };
            has_waited = true;
            match result {
                Ok(Some(accepted)) => return Ok(accepted),
                Ok(None) => {}
                Err(error) if options.looks && error.kind() == ErrorKind::TimedOut => {
                    options = self.entrance.after_a_look(options);
                }
                Err(error) => {
                    use AcceptTrouble::{Empty, Interrupted};
                    if !matches!(AcceptTrouble::of(&error), Empty | Interrupted) {
                        // No thread is going to wait here any more.
                        self.pool.close_all();
                    }
                    return Err(error);
                }
            }
        }
    }

    /// Whether a signal handler has made a child while a thread waited here, and this is it.
    pub fn belongs_to_parent(&self) -> bool {
        self.pool.belongs_to_parent()
    }

    fn may_block(&self) -> bool {
        threads::only_one() && !self.pool.is_entered() && self.pool.is_unused()
    }

    /// The drain, when shutting down is asked for. `has_waited`: whether this thread may be the one
    /// that was woken for a connection.
    #[cold]
    fn last(
        &self,
        given: Option<Connection>,
        has_waited: bool,
        options: &AcceptOptions,
    ) -> Option<AcceptedRequest> {
        signal::forget_abandoned_accept();
        self.pool.call_reserve();
        let is_called = self.pool.take_announced() || has_waited;
        let new =
            (is_called && self.pool.is_entered()).then(|| accept_announced(self.fd(), options));
        self.drain.next(&self.pool, given, new.flatten(), options)
    }

    /// Blocks in accept4.
    fn plain(&self, options: &AcceptOptions) -> Turn {
        let accepting = signal::Accepting::on(self.fd(), self.entrance.file());
        if signal::shutdown_requested() {
            return Ok(None);
        }
        let result = self.entrance.accept();
        drop(accepting);
        match result {
            // Whatever it says: the socket may have been set aside.
            Err(_) if signal::shutdown_requested() => Ok(None),
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                if self.entrance.is_over_by_limit()? {
                    return Err(error);
                }
                self.pooled(options)
            }
            result => self.accepted(result, options),
        }
    }

    /// Goes on with what accept4 gave.
    fn accepted(&self, result: io::Result<Accepted>, options: &AcceptOptions) -> Turn {
        let Accepted { fd, peer, epoch } = match result {
            Ok(accepted) => accepted,
            Err(error) if AcceptTrouble::of(&error) == AcceptTrouble::Shortage => {
                return Ok(self.make_room(options));
            }
            Err(error) => return self.entrance.not_accepted(error, options).map(|()| None),
        };
        if !options.config.peers.admits(&peer) {
            close(fd);
            return Ok(None);
        }
        let Ok(mut connection) = Connection::open(fd, epoch) else { return Ok(None) };
        let outcome = receive_head(&mut connection, options);
        let mut end = End { outcome, signalled: false };
        if outcome.lacks_head() && threads::only_one() {
            end = grace::wait(&mut connection, outcome, &self.grace, options);
            if connection.is_inherited() {
                connection.close_copy();
                return Ok(None);
            }
        }
        if let HeadProgress::Ready(begin) = end.outcome {
            return Ok(Some((connection, begin)));
        }
        let patience = match peer {
            Peer::Unix => Some(options.config.keeper_timeout),
            _ => options.config.first_byte_timeout,
        };
        let wait = Wait::new(Stage::Silent, patience);
        if self.belongs_to_parent() {
            // Accepted by a child that a handler has made meanwhile, which waits elsewhere from now on.
            return wait_alone(connection, wait, None, options);
        }
        let accepted = self.settle(connection, end.outcome, wait, options)?;
        if accepted.is_none() && end.signalled {
            self.entrance.not_waited(interrupted(), options)?;
        }
        Ok(accepted)
    }

    /// Out of descriptors or memory: makes room for a connection that waits to be accepted by giving the
    /// parked one of least worth up, or waits a moment.
    fn make_room(&self, options: &AcceptOptions) -> Option<AcceptedRequest> {
        let surplus = if self.entrance.needs_room() { self.pool.take_least_worth() } else { None };
        if let Some(surplus) = surplus {
            return self.give_up(surplus, options);
        }
        self.entrance.wait_for_room();
        None
    }

    /// Looks at a connection whose last request is over, and that was not given back.
    fn look(&self, mut given: Connection, options: &AcceptOptions) -> Turn {
        let outcome = receive_head(&mut given, options);
        self.settle(given, outcome, Wait::IDLE, options)
    }

    /// Takes a connection back from the program whose request is over: it waits in its place, which is
    /// returned, until the next one comes. The caller gets it back where connections wait alone.
    pub fn take_back(
        &self,
        mut given: Connection,
        owner: Owner,
        config: &Config,
    ) -> Result<Key, Connection> {
        given.join(&self.pool);
        if self.company() != Company::Pool {
            return Err(given);
        }
        given.give_back(&self.pool, owner, config)
    }

    /// Returns the request, or parks the connection. `wait`: how it has waited so far.
    fn settle(
        &self,
        connection: Connection,
        outcome: HeadProgress,
        wait: Wait,
        options: &AcceptOptions,
    ) -> Turn {
        if let HeadProgress::Ready(begin) = outcome {
            return Ok(Some((connection, begin)));
        }
        let Some(wait) = outcome.next_wait(wait, options.config) else {
            connection.discard();
            return Ok(None);
        };
        if let Company::Alone(patience) = self.company() {
            return wait_alone(connection, wait, patience, options);
        }
        let is_new = connection.is_new();
        match connection.park(&self.pool, wait, Again::WhenHeard, options.config) {
            Ok(_) => {
                self.pool.step_back_if_due(is_new, wait.stage);
                Ok(None)
            }
            Err(connection) => wait_alone(connection, wait, Some(LONGEST_WAIT), options),
        }
    }

    /// Decides with whom a connection without a request waits.
    fn company(&self) -> Company {
        if self.pool.is_entered() && !self.entrance.refuses_to_wait() {
            Company::Pool
        } else {
            self.new_company()
        }
    }

    #[cold]
    fn new_company(&self) -> Company {
        let refuses = self.entrance.refuses_to_wait() || mark::nonblocking_by_program(self.fd());
        // A program that makes its connections itself has named no listen socket, or has closed it.
        if refuses || socket::check_listens(self.fd()).is_err() {
            return Company::Alone(None);
        }
        match self.enter() {
            Ok(Entry::Inside) => Company::Pool,
            // Others have to be served, too, and its descriptor may be the one that is missing.
            _ => Company::Alone(Some(LONGEST_WAIT)),
        }
    }

    /// Leaves the listen socket's flags as they were, unless another process needs them as they are. A
    /// later call sets them again.
    pub(super) fn leave(&self) {
        self.entrance.leave(self.pool.is_entered());
    }

    /// Enters the pool.
    #[cold]
    fn enter(&self) -> io::Result<Entry> {
        self.entrance.look_for_limit();
        self.pool.enter()
    }

    /// Waits for the listen socket and all parked connections.
    fn pooled(&self, options: &AcceptOptions) -> Turn {
        if !self.pool.is_entered() {
            return self.enter_and_wait(options);
        }
        self.see_to(self.pool.next(options), options)
    }

    fn see_to(&self, event: io::Result<Event>, options: &AcceptOptions) -> Turn {
        match event {
            Ok(Event::Nothing) => Ok(None),
            Ok(Event::Listen) => self.accept(options),
            Ok(Event::Unasked) => self.accept_unasked(options),
            Ok(Event::Heard(taken_out)) => self.hear(taken_out, options),
            Ok(Event::Late(taken_out)) => self.expire(taken_out, options),
            Ok(Event::Surplus(taken_out)) => Ok(self.give_up(taken_out, options)),
            // After a first wait the next look sees to it.
            Err(error) if error.kind() != ErrorKind::TimedOut && !is_open(self.fd()) => {
                if self.goes_on() { Ok(None) } else { Err(not_open()) }
            }
            Err(error) => self.entrance.not_waited(error, options).map(|()| None),
        }
    }

    /// Waits in the pool for the first time, or without it.
    #[cold]
    fn enter_and_wait(&self, options: &AcceptOptions) -> Turn {
        if mark::nonblocking_by_program(self.fd()) {
            return self.accepted_or_would_block(options);
        }
        match self.enter() {
            Ok(Entry::Inside) => self.pooled(options),
            Ok(Entry::NoEpoll) => self.without_epoll(options),
            Err(error) if AcceptTrouble::of(&error) == AcceptTrouble::Shortage => {
                self.without_epoll(options)
            }
            Err(error) => Err(error),
        }
    }

    /// The program's own non-blocking socket: what accept4 says is the answer.
    fn accepted_or_would_block(&self, options: &AcceptOptions) -> Turn {
        match self.entrance.accept() {
            Err(error) if error.kind() == ErrorKind::WouldBlock => Err(error),
            result => self.accepted(result, options),
        }
    }

    /// Without epoll, waits for the listen socket alone, for a moment.
    fn without_epoll(&self, options: &AcceptOptions) -> Turn {
        // Another thread may take the connection for which this one wakes.
        mark::make_nonblocking(self.fd())?;
        let mut fds = [PollFd::new(self.fd(), READABLE)];
        match poll::poll(&mut fds, Some(SHORTAGE_WAIT)) {
            Ok(0) => Ok(None),
            Ok(_) => self.accept(options),
            Err(error) => self.entrance.not_waited(error, options).map(|()| None),
        }
    }

    /// Accepts once, without waiting.
    fn accept(&self, options: &AcceptOptions) -> Turn {
        let result = self.entrance.accept();
        match result.as_ref().map_err(AcceptTrouble::of) {
            // The kernel may not speak of the socket again.
            Err(AcceptTrouble::Passing) => self.pool.queue(LISTEN),
            Err(_) if self.entrance.is_suspect() && socket::is_shut_down(self.fd()) => {
                return Err(shut_down());
            }
            Err(AcceptTrouble::NotListening) if self.goes_on() => return Ok(None),
            Ok(_) if self.entrance.may_have_more() => self.pool.queue(LISTEN),
            _ => {}
        }
        self.accepted(result, options)
    }

    /// Whether to go on although the number was no listen socket's: for a new one, or those connected.
    #[cold]
    fn goes_on(&self) -> bool {
        if self.entrance.listens_by_now() {
            self.pool.queue(UNASKED);
            return true;
        }
        self.entrance.is_changing() && self.pool.knows_any()
    }

    /// Accepts although epoll did not report the listen socket: its number may stand for another.
    fn accept_unasked(&self, options: &AcceptOptions) -> Turn {
        if !self.entrance.is_changing() && socket::is_shut_down(self.fd()) {
            return Err(shut_down());
        }
        // What cannot be made anew is missed by the next wait.
        let _ = self.pool.mend();
        let fd = self.fd();
        if let Err(error) = socket::check_listens(fd).and_then(|()| mark::make_nonblocking(fd)) {
            return if self.goes_on() { Ok(None) } else { Err(error) };
        }
        // The number may stand for a new socket of the program's.
        self.entrance.look_anew();
        let _ = self.pool.find_listen_socket();
        self.accept(options)
    }

    /// Looks at a connection on which something has come.
    fn hear(&self, taken_out: TakenOut, options: &AcceptOptions) -> Turn {
        let wait = taken_out.2.wait;
        let Some(mut connection) = Connection::taken_out(&self.pool, taken_out) else {
            return Ok(None);
        };
        let outcome = match wait.stage {
            Stage::Lingering => linger(&mut connection),
            _ => receive_head(&mut connection, options),
        };
        self.settle(connection, outcome, wait, options)
    }

    /// Sees to a connection whose time is over.
    fn expire(&self, taken_out: TakenOut, options: &AcceptOptions) -> Turn {
        let wait = taken_out.2.wait;
        if wait.stage == Stage::Lingering {
            self.pool.discard(taken_out);
            return Ok(None);
        }
        // It may have spoken in time, while every thread was busy.
        let Some(mut connection) = Connection::taken_out(&self.pool, taken_out) else {
            return Ok(None);
        };
        let outcome = receive_head(&mut connection, options);
        let goes_on = outcome.next_wait(wait, options.config);
        if goes_on.is_some_and(|wait| wait.deadline.is_some_and(|end| end <= clock::now())) {
            connection.discard();
            return Ok(None);
        }
        self.settle(connection, outcome, wait, options)
    }

    /// Closes a connection to make room, unless it holds a whole request: that is served. Anything else
    /// does not count, or peers that send no request could keep their connections forever.
    fn give_up(&self, taken_out: TakenOut, options: &AcceptOptions) -> Option<AcceptedRequest> {
        if taken_out.2.wait.stage == Stage::Lingering {
            self.pool.discard(taken_out);
            return None;
        }
        let mut connection = Connection::taken_out(&self.pool, taken_out)?;
        if let HeadProgress::Ready(begin) = receive_head(&mut connection, options) {
            return Some((connection, begin));
        }
        connection.discard();
        None
    }

    /// Whose the place of a connection is that was taken back with this descriptor.
    pub fn tenant(&self, key: Key, fd: RawFd) -> Tenant {
        self.pool.tenant(key, fd)
    }

    /// Goes on with another listen socket, which its number has come to mean.
    pub(super) fn go_on_with_another(&self) {
        self.entrance.look_anew();
        self.pool.queue(UNASKED);
    }

    /// Takes a connection out of its place, if it still waits there with this descriptor.
    pub fn take_out(&self, key: Key, fd: RawFd) -> Option<Connection> {
        Connection::taken_out(&self.pool, self.pool.take(key, fd)?)
    }

    /// Gives a place up whose connection has come to have another descriptor.
    pub fn forget(&self, key: Key) {
        self.pool.forget_parked(key);
    }

    /// Where connections wait that came through it.
    pub(super) const fn pool(&self) -> &Arc<Pool> {
        &self.pool
    }
}
