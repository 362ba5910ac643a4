//! Where threads wait for the next request, in one of two ways:
//!
//! * **Plain**: the process has one thread and no connection is parked. accept4 blocks, the socket's flags
//!   are left alone, a request costs accept4, recv, send, close.
//! * **Pooled**: from the second thread, the first kept connection, or the first connection without anything
//!   to read. One epoll instance watches the listen socket, every parked connection and the wake-up
//!   descriptor of [`crate::os::shutdown`]: see `Pool`.
//!
//! When a thread is woken for a new connection, another thread or a preforked process may have accepted it
//! already. A blocking accept4 would then leave the parked connections unserved, so a pooled listener makes
//! its socket non-blocking. The flag belongs to the open file, which other processes share: every accept4
//! here copes with EAGAIN. A socket that the program made non-blocking must return -EAGAIN immediately;
//! [`crate::os::mark`] tells the two apart. The program may set or clear the flag at any time: a pooled
//! listener checks it when nothing happens in the first moment of a wait, and in each call as long as the
//! program has set it. Of preforked processes the idle ones get the new connections: see `pace`, and `grace`
//! for a process with one thread.

use std::io::{self, ErrorKind};
use std::mem;
use std::os::fd::RawFd;
use std::sync::Arc;

use super::accept_options::{AcceptOptions, Limit};
use super::company::Company;
use super::config::Config;
use super::connection::Connection;
use super::drain::{Drain, accept_announced};
use super::entrance::Entrance;
use super::entry::Entry;
use super::event::Event;
use super::grace::{self, Budget, End};
use super::head::{AcceptedRequest, HeadProgress, Turn, receive_head, wait_alone};
use super::hold::hold;
use super::key::{Key, Tenant};
use super::last::Last;
use super::looks::{self, Look};
use super::patience::{LONGEST_WAIT, MOST_ROUNDS, SHORTAGE_WAIT};
use super::polled;
use super::pool::Pool;
use super::wait::{Again, Owner, Wait};
use super::watcher::{LISTEN, UNASKED};
use crate::os::descriptor::{close, is_open};
use crate::os::error::{AcceptTrouble, cancelled, interrupted, not_open, shut_down, would_block};
use crate::os::lock::Lock;
use crate::os::poll::{self, PollFd, READABLE};
use crate::os::socket::{self, Accepted};
use crate::os::{mark, shutdown, threads};

/// A listen socket and the connections that were accepted from it.
#[derive(Debug)]
pub struct Listener {
    entrance: Entrance,
    pool: Arc<Pool>,
    /// The time that connections without a request may still cost a process with one thread.
    grace: Lock<Budget>,
    drain: Drain,
}

/// Tells the first round of a call of [`Listener::next`] from those after a wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Round {
    First,
    Later,
}

impl Listener {
    /// Returns a listener on which no thread waits yet.
    pub(super) fn new(fd: RawFd) -> Self {
        Self {
            entrance: Entrance::new(fd),
            pool: Arc::new(Pool::new(fd)),
            grace: Lock::new(Budget::new()),
            drain: Drain::new(),
        }
    }

    /// Returns the listen socket's descriptor.
    pub(super) const fn fd(&self) -> RawFd {
        self.entrance.fd
    }

    /// Waits for the next request. `last`: the connection of the caller's last request.
    ///
    /// Errors are those of accept4. EINTR is also the error when shutting down is requested, and of a
    /// listener that [`Listener::belongs_to_parent`].
    #[inline(always)]
    pub fn next(&self, options: &AcceptOptions, last: Last) -> io::Result<AcceptedRequest> {
        let accepted = self.rounds(options, last);
        self.pool.set_alarm();
        accepted
    }

    #[inline(always)]
    fn rounds(&self, options: &AcceptOptions, mut last: Last) -> io::Result<AcceptedRequest> {
        if let Last::Given(kept) = &mut last {
            kept.join(&self.pool);
        }
        let mut options = *options;
        self.entrance.prepare(&mut options);
        let mut round = Round::First;
        let mut left = MOST_ROUNDS;
        loop {
            if self.belongs_to_parent() {
                last.into_connection().into_iter().for_each(Connection::close_copy);
                return Err(interrupted());
            }
            if round == Round::Later && polled::is_over(&self.pool, &options, &mut left) {
                if let Some(accepted) = self.time_out(&options)? {
                    return Ok(accepted);
                }
                continue;
            }
            if options.is_cancelled() {
                last.park(&self.pool, options.config);
                return Err(cancelled());
            }
            if shutdown::is_requested() {
                return self.drain_next(last, round, &options)?.ok_or_else(interrupted);
            }
            let result = self.turn(mem::replace(&mut last, Last::None), &options);
            round = Round::Later;
            match result {
                Ok(Some(accepted)) => return Ok(accepted),
                Ok(None) => {}
                Err(error) if options.looks && error.kind() == ErrorKind::TimedOut => {
                    options = self.entrance.after_a_look(options);
                }
                Err(error) => return Err(self.stop(error)),
            }
        }
    }

    /// Waits once: for the connection of the caller's last request, or for all.
    #[inline(always)]
    fn turn(&self, last: Last, options: &AcceptOptions) -> Turn {
        match last {
            Last::Given(mut kept) => {
                let outcome = receive_head(&mut kept, options);
                self.settle(kept, outcome, Wait::IDLE, options)
            }
            _ if self.may_block(options) => self.plain(options),
            Last::Parked(key, fd) if !threads::only_one() && !self.pool.is_polled() => {
                self.see_to(hold(&self.pool, key, fd, options), options)
            }
            _ => self.pooled(options),
        }
    }

    /// Ends a wait whose time is over. If the program has made the socket non-blocking, accept4 decides.
    fn time_out(&self, options: &AcceptOptions) -> Turn {
        if self.entrance.refuses(options.limit) {
            self.accepted_or_would_block(options)
        } else {
            Err(would_block())
        }
    }

    /// Ends waiting with an error, which is returned. If it lasts, no thread will wait here again.
    fn stop(&self, error: io::Error) -> io::Error {
        if !matches!(AcceptTrouble::of(&error), AcceptTrouble::Empty | AcceptTrouble::Interrupted) {
            self.pool.close_all();
        }
        error
    }

    /// Returns whether this is a child that a signal handler forked while a thread waited here.
    pub fn belongs_to_parent(&self) -> bool {
        self.pool.belongs_to_parent()
    }

    fn may_block(&self, options: &AcceptOptions) -> bool {
        let is_alone = threads::only_one() && !self.pool.is_entered() && self.pool.is_unused();
        is_alone && !options.has_callers_limit()
    }

    /// Returns a request of the shutdown drain. After a wait a new connection may have woken this thread.
    #[cold]
    fn drain_next(&self, last: Last, round: Round, options: &AcceptOptions) -> Turn {
        shutdown::forget_abandoned_accept();
        self.pool.call_reserve();
        if self.pool.is_polled() && options.has_callers_limit() {
            return polled::drain_next(&self.drain, &self.pool, last.into_connection(), options);
        }
        let is_called = self.pool.look(|state| state.forget_event(LISTEN)) || round == Round::Later;
        let new =
            (is_called && self.pool.is_entered()).then(|| accept_announced(self.fd(), options));
        self.drain.next(&self.pool, last.into_connection(), new.flatten(), options)
    }

    /// Blocks in accept4.
    fn plain(&self, options: &AcceptOptions) -> Turn {
        let accepting = shutdown::Accepting::on(self.fd(), self.entrance.file());
        let is_called = || shutdown::is_requested() || options.is_cancelled();
        if is_called() {
            return Ok(None);
        }
        let result = self.entrance.accept();
        drop(accepting);
        match result {
            // The error does not matter: a placeholder may have had the number.
            Err(_) if is_called() || shutdown::is_calling() => Ok(None),
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                if options.limit == Limit::Socket && self.entrance.is_over_by_limit()? {
                    return Err(error);
                }
                self.pooled(options)
            }
            result => self.accepted(result, options),
        }
    }

    /// Receives the head on a connection that was accepted, or handles the error.
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
        if outcome.lacks_head() && threads::only_one() && !self.pool.is_polled() {
            end = grace::wait(&mut connection, outcome, &self.grace, options);
            if connection.is_inherited() {
                connection.close_copy();
                return Ok(None);
            }
        }
        if let HeadProgress::Ready(begin) = end.outcome {
            return Ok(Some((connection, begin)));
        }
        let wait = Wait::silent(&peer, options.config);
        if self.belongs_to_parent() {
            // A signal handler has forked: the child that accepted it waits elsewhere from now on.
            return wait_alone(connection, wait, None, options);
        }
        let accepted = self.settle(connection, end.outcome, wait, options)?;
        if accepted.is_none() && end.signalled {
            self.entrance.not_waited(interrupted(), options)?;
        }
        Ok(accepted)
    }

    /// Out of descriptors or memory: closes the parked connection of least worth for one that waits to be
    /// accepted, or waits a moment.
    fn make_room(&self, options: &AcceptOptions) -> Option<AcceptedRequest> {
        let surplus = if self.entrance.needs_room() {
            self.pool.look(|state| state.take_least_worth())
        } else {
            None
        };
        if let Some(surplus) = surplus {
            return looks::give_up(&self.pool, surplus, options);
        }
        if self.pool.is_polled() && options.has_callers_limit() {
            polled::rest(&self.pool);
        }
        self.entrance.wait_for_room(options);
        None
    }

    /// Parks a connection whose request is over, and returns its key; or returns it to wait alone.
    pub fn take_back(
        &self,
        mut kept: Connection,
        owner: Owner,
        limit: Limit,
        config: &Config,
    ) -> Result<Key, Connection> {
        kept.join(&self.pool);
        if self.company(limit, config) != Company::Pool {
            return Err(kept);
        }
        kept.give_back(&self.pool, owner, config)
    }

    /// Does what follows a look at a parked connection, if that goes on.
    fn settle_after(&self, look: Option<Look>, options: &AcceptOptions) -> Turn {
        let Some((connection, progress, wait)) = look else { return Ok(None) };
        self.settle(connection, progress, wait, options)
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
        if let Company::Alone(patience) = self.company(options.limit, options.config) {
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

    /// Returns how a connection without a request waits.
    fn company(&self, limit: Limit, config: &Config) -> Company {
        let alone = self.entrance.refuses(limit) || limit.forbids_pool(config);
        if self.pool.is_entered() && !alone {
            Company::Pool
        } else {
            self.new_company(limit, alone)
        }
    }

    #[cold]
    fn new_company(&self, limit: Limit, alone: bool) -> Company {
        let refuses = alone || self.entrance.is_nonblocking(limit);
        // A program that accepts connections itself has named no listen socket, or has closed it.
        if refuses || socket::check_listens(self.fd()).is_err() {
            return Company::Alone(None);
        }
        match self.enter() {
            Ok(Entry::Inside) => Company::Pool,
            // Others have to be served, too; and the missing descriptor may be that of this connection.
            _ => Company::Alone(Some(LONGEST_WAIT)),
        }
    }

    /// Restores the listen socket's flags, unless another process needs them. A later call sets them
    /// again.
    pub(super) fn leave(&self) {
        self.entrance.leave(self.pool.is_entered());
    }

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
            Ok(Event::Heard(taken_out)) => {
                self.settle_after(looks::hear(&self.pool, taken_out, options), options)
            }
            Ok(Event::Late(taken_out)) => {
                self.settle_after(looks::expire(&self.pool, taken_out, options), options)
            }
            Ok(Event::Surplus(taken_out)) => Ok(looks::give_up(&self.pool, taken_out, options)),
            // After a short first wait the next look at the flags sees to it.
            Err(error) if error.kind() != ErrorKind::TimedOut && !is_open(self.fd()) => {
                if self.goes_on(options) { Ok(None) } else { Err(not_open()) }
            }
            Err(error) => self.entrance.not_waited(error, options).map(|()| None),
        }
    }

    /// Enters the pool and waits there, or without epoll.
    #[cold]
    fn enter_and_wait(&self, options: &AcceptOptions) -> Turn {
        if self.entrance.is_nonblocking(options.limit) {
            return self.accepted_or_would_block(options);
        }
        match self.enter() {
            Ok(Entry::Inside) => self.pooled(options),
            Err(error) if AcceptTrouble::of(&error) != AcceptTrouble::Shortage => Err(error),
            Ok(Entry::NoEpoll) | Err(_) => self.without_epoll(options),
        }
    }

    /// Calls accept4 on a socket that the program made non-blocking, and returns what it says.
    fn accepted_or_would_block(&self, options: &AcceptOptions) -> Turn {
        match self.entrance.accept() {
            Err(error) if error.kind() == ErrorKind::WouldBlock => Err(error),
            result => self.accepted(result, options),
        }
    }

    /// Waits a moment for the listen socket alone.
    fn without_epoll(&self, options: &AcceptOptions) -> Turn {
        // Another thread may accept the connection for which this one wakes.
        mark::make_nonblocking(self.fd())?;
        let mut fds = [PollFd::new(self.fd(), READABLE)];
        match poll::poll(&mut fds, Some(options.wait(SHORTAGE_WAIT))) {
            Ok(0) => Ok(None),
            Ok(_) => self.accept(options),
            Err(error) => self.entrance.not_waited(error, options).map(|()| None),
        }
    }

    /// Accepts once, without waiting.
    fn accept(&self, options: &AcceptOptions) -> Turn {
        let result = self.entrance.accept();
        match result.as_ref().map_err(AcceptTrouble::of) {
            // The kernel may not report the socket again.
            Err(AcceptTrouble::Passing) => self.pool.queue(LISTEN),
            Err(_) if self.entrance.is_suspect() && socket::is_shut_down(self.fd()) => {
                return Err(shut_down());
            }
            Err(AcceptTrouble::NotListening) if self.goes_on(options) => return Ok(None),
            Ok(_) if self.entrance.may_have_more() => self.pool.queue(LISTEN),
            _ => {}
        }
        self.accepted(result, options)
    }

    /// Returns whether to go on although the number was not that of a listen socket: for a new one, or
    /// for connections.
    #[cold]
    fn goes_on(&self, options: &AcceptOptions) -> bool {
        if self.entrance.listens_by_now(options) {
            self.pool.queue(UNASKED);
            return true;
        }
        self.entrance.is_changing() && self.pool.look(|state| state.parking.is_any_known())
    }

    /// Accepts although epoll did not report the listen socket: its number may stand for another.
    fn accept_unasked(&self, options: &AcceptOptions) -> Turn {
        if !self.entrance.is_changing() && socket::is_shut_down(self.fd()) {
            return Err(shut_down());
        }
        // An instance that cannot be made is found missing by the next wait.
        let _ = self.pool.mend();
        let fd = self.fd();
        if let Err(error) = socket::check_listens(fd).and_then(|()| mark::make_nonblocking(fd)) {
            return if self.goes_on(options) { Ok(None) } else { Err(error) };
        }
        // The number may stand for a new socket of the program.
        self.entrance.look_anew();
        let _ = self.pool.find_listen_socket();
        self.accept(options)
    }

    /// Closes a connection after a request, without waiting for the peer.
    pub fn close_later(&self, connection: Connection, config: &Config) {
        connection.close_later(&self.pool, config);
    }

    /// Returns which connection has the key of one that was taken back with this descriptor.
    pub fn tenant(&self, key: Key, fd: RawFd) -> Tenant {
        self.pool.look(|state| state.parking.tenant(key, fd))
    }

    /// Goes on with another listen socket that has the same number.
    pub(super) fn go_on_with_another(&self) {
        self.entrance.look_anew();
        self.pool.queue(UNASKED);
    }

    /// Frees the slot of a connection that has another descriptor now.
    pub fn forget(&self, key: Key) {
        self.pool.forget_parked(key);
    }

    /// Has the program poll the listener. Returns a descriptor that is readable as long as a call that does
    /// not wait would return something.
    pub fn poll_descriptor(&self) -> io::Result<RawFd> {
        socket::check_listens(self.fd())?;
        let fd = polled::begin(&self.pool)?;
        polled::go_on(&self.pool);
        Ok(fd)
    }

    /// Returns the pool of connections that were accepted here.
    pub(super) const fn pool(&self) -> &Arc<Pool> {
        &self.pool
    }
}
