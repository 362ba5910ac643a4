//! A connection in use: its descriptor, the exchange on it, and the pool that it came from.

use std::os::fd::RawFd;
use std::sync::Arc;
use std::time::Duration;

use super::config::{self, Config};
use super::exchange::Exchange;
use super::heads_budget;
use super::inbound::Inbound;
use super::key::Key;
use super::obligation::Obligation;
use super::parking::Parked;
use super::pool::Pool;
use super::store::{new_exchange, recycle};
use super::turns::TakenOut;
use super::wait::{Again, Owner, Stage, Wait};
use crate::os::fork::ForkEpoch;
use crate::os::memory::NoMemory;
use crate::os::socket::close_without_lingering;
use crate::os::{descriptor, fork, socket};

/// A connection that one thread uses, with its exchange. It ends by being closed, parked or left to the
/// program; it is never dropped.
#[derive(Debug)]
pub struct Connection {
    /// The descriptor under which it was accepted or found.
    pub fd: RawFd,
    /// The request on it, with the bytes received.
    pub exchange: Box<Exchange>,
    /// The pool that watches it while it has no request, and its key there; `None` if it was never parked.
    pool: Option<(Arc<Pool>, Key)>,
    /// A child forked after this epoch may have a copy.
    pub(super) epoch: ForkEpoch,
    /// [`fork::generation`] of the process that accepted it or last finished a request on it.
    generation: usize,
    obligation: Obligation,
}

impl Connection {
    /// Wraps a descriptor that was just accepted, or that the program holds. A child forked after `epoch`
    /// may have a copy. Closes the descriptor if there is no memory for an exchange.
    pub fn open(fd: RawFd, epoch: ForkEpoch) -> Result<Self, NoMemory> {
        match new_exchange() {
            Ok(exchange) => Ok(Self::new(fd, exchange, epoch)),
            Err(error) => {
                descriptor::close(fd);
                Err(error)
            }
        }
    }

    fn new(fd: RawFd, exchange: Box<Exchange>, epoch: ForkEpoch) -> Self {
        let (generation, obligation) = (fork::generation(), Obligation::new());
        Self { fd, exchange, pool: None, epoch, generation, obligation }
    }

    /// Wraps a connection that the caller has taken out of the pool. Closes it and returns `None` if
    /// there is no memory for an exchange.
    pub(super) fn taken_out(pool: &Arc<Pool>, (key, fd, parked): TakenOut) -> Option<Self> {
        let Parked { exchange, wait, epoch } = parked;
        let Some(exchange) = exchange.or_else(|| new_exchange().ok()) else {
            pool.discard((key, fd, Parked { exchange: None, wait, epoch }));
            return None;
        };
        let pool = Some((Arc::clone(pool), key));
        Some(Self { pool, ..Self::new(fd, exchange, epoch) })
    }

    /// Parks the connection in `pool`. Returns it to the caller if it cannot be watched there.
    pub(super) fn park(
        self,
        pool: &Pool,
        wait: Wait,
        again: Again,
        config: &Config,
    ) -> Result<Key, Self> {
        let key = self.pool.as_ref().map(|(_, key)| *key);
        let Ok(key) = pool.watch(self.fd, key, again) else { return Err(self) };
        let (fd, mut parked) = self.into_parked(wait);
        let mut spare = None;
        if let Some(exchange) = &mut parked.exchange {
            if !exchange.incoming().is_fresh() {
                exchange.shrink();
            } else if !key.is_among_the_first() {
                // A fresh exchange holds nothing to remember: another connection may use its memory. The
                // few connections with the first keys keep theirs, which is used again soon.
                spare = parked.exchange.take();
            }
        }
        let counts = parked.exchange.as_ref().is_some_and(|exchange| exchange.held() > 0);
        pool.park((key, fd, parked), again, config.max_waiting);
        spare.into_iter().for_each(recycle);
        if counts {
            heads_budget::relieve(config);
        }
        Ok(key)
    }

    /// Parks the connection of an answered request in the pool of the listen socket `fd`, if it came from
    /// there. Returns its key, or the connection to the caller if it cannot be parked.
    #[inline(always)]
    pub fn return_to_pool(self, fd: RawFd, owner: Owner, config: &Config) -> Result<Key, Self> {
        match &self.pool {
            Some((pool, _)) if pool.listen_fd() == fd => {
                let pool = Arc::clone(pool);
                self.give_back(&pool, owner, config)
            }
            _ => Err(self),
        }
    }

    /// Parks the connection of an answered request in `pool`. Returns its key, or the connection to the
    /// caller if it cannot be parked.
    pub(super) fn give_back(
        mut self,
        pool: &Pool,
        owner: Owner,
        config: &Config,
    ) -> Result<Key, Self> {
        let again =
            if self.exchange.incoming().skip_ended() { Again::InTurn } else { Again::WhenHeard };
        let is_new = self.is_new();
        let key = match again {
            Again::WhenHeard => self.put_back(pool, owner, config),
            Again::InTurn => Err(self),
        };
        let key = key.or_else(|this| this.park(pool, Wait::IDLE, again, config))?;
        pool.step_back_if_due(is_new, Stage::Idle);
        Ok(key)
    }

    /// Puts the connection back into its slot, if that needs no system call.
    fn put_back(self, pool: &Pool, owner: Owner, config: &Config) -> Result<Key, Self> {
        // Only these keep their exchange: see `park`.
        let Some((_, key)) = self.pool.as_ref().filter(|(_, p)| p.is_among_the_first()) else {
            return Err(self);
        };
        let (key, mut this) = (*key, Some(self));
        let parked = || this.take().map(|this| this.into_parked(Wait::IDLE));
        pool.put_back(key, owner, parked, config.max_waiting);
        this.map_or(Ok(key), Err)
    }

    fn into_parked(self, wait: Wait) -> (RawFd, Parked) {
        let Self { fd, exchange, epoch, obligation, .. } = self;
        obligation.fulfil();
        (fd, Parked { exchange: Some(exchange), wait, epoch })
    }

    /// Whether the connection was never parked.
    pub(super) const fn is_new(&self) -> bool {
        self.pool.is_none()
    }

    /// Whether the request or the keep-alive connection belongs to the parent: this process is a child forked
    /// since it was taken.
    pub fn is_inherited(&self) -> bool {
        self.generation != fork::generation()
    }

    /// Ends a request after which the connection stays open. From now on the connection belongs to this
    /// process.
    #[inline(always)]
    pub fn keep(&mut self) {
        if self.is_inherited() {
            self.generation = fork::generation();
            self.pool = None;
        }
        self.exchange.end_kept();
    }

    /// Leaves any other pool: the program now waits at `pool`.
    pub(super) fn join(&mut self, pool: &Arc<Pool>) {
        if self.pool.as_ref().is_some_and(|(own, _)| !Arc::ptr_eq(own, pool)) {
            self.leave_pool();
        }
    }

    /// Has the pool stop watching the connection, before it is closed or left to the program. Returns false
    /// if the program has closed the descriptor.
    fn leave_pool(&mut self) -> bool {
        let fd = self.fd;
        self.take_pool().is_none_or(|(pool, key)| pool.forget(fd, key))
    }

    /// Takes the pool and the key; `None` for those of a parent, whose pool is not this process's.
    fn take_pool(&mut self) -> Option<(Arc<Pool>, Key)> {
        let pool = self.pool.take();
        pool.filter(|_| !self.is_inherited())
    }

    /// Closes the connection after a request. The peer receives all that was sent, even if it is still
    /// sending, and sees the end, even if another process holds a copy.
    pub fn close(mut self) {
        let complete = self.exchange.end();
        if !self.leave_pool() {
            // The program has closed the descriptor; the number may be in use for something else.
        } else if complete && !self.exchange.is_to_stay() {
            close_without_lingering(self.fd, self.epoch);
        } else {
            // After a complete request, only what has arrived already is drained.
            let timeout = if complete { Duration::ZERO } else { config::get().close_timeout };
            // An error has no one to report to: the request is over.
            let _ = close_draining(self.fd, self.exchange.incoming().inbound(), timeout);
        }
        self.end();
    }

    /// Closes the connection after a request, without waiting: if the peer may still be sending, `pool` drains
    /// it.
    pub(super) fn close_later(mut self, pool: &Arc<Pool>, config: &Config) {
        if self.is_inherited() || self.exchange.end() {
            return self.close();
        }
        descriptor::shutdown_write(self.fd);
        self.join(pool);
        let wait = Wait::new(Stage::Lingering, Some(config.close_timeout));
        if let Err(this) = self.park(pool, wait, Again::WhenHeard, config) {
            this.discard();
        }
    }

    /// Closes this process's copy of a detached connection, which another process goes on using.
    pub fn close_detached_copy(mut self) {
        if self.leave_pool() {
            descriptor::close(self.fd);
        }
        self.end();
    }

    /// Closes the connection without waiting: no data in either direction matters.
    pub fn discard(mut self) {
        if self.leave_pool() {
            close_without_lingering(self.fd, self.epoch);
        }
        self.end();
    }

    /// Closes this process's copy of a connection that belongs to the parent.
    pub fn close_copy(self) {
        descriptor::close(self.fd);
        self.end();
    }

    /// Leaves the descriptor to the program, open, even if the number now stands for something else.
    pub fn release(mut self) {
        self.leave_pool();
        self.end();
    }

    fn end(self) {
        self.obligation.fulfil();
        recycle(self.exchange);
    }
}

/// Drains a connection whose peer may still be sending, then closes it: closing with unread bytes would
/// destroy what the peer has not read yet. Sends nothing more, and discards input until the peer ends,
/// `timeout` is over or 64 MB have come. Closes any other descriptor without waiting.
pub(crate) fn close_gracefully(fd: RawFd, timeout: Duration) -> std::io::Result<()> {
    let mut exchange = new_exchange().ok();
    let mut none = Inbound::new();
    let inbound = exchange.as_mut().map_or(&mut none, |exchange| exchange.incoming().inbound());
    let result = close_draining(fd, inbound, timeout);
    if let Some(exchange) = exchange {
        recycle(exchange);
    }
    result
}

/// As [`close_gracefully`]; receives into the memory of `inbound`.
fn close_draining(fd: RawFd, inbound: &mut Inbound, timeout: Duration) -> std::io::Result<()> {
    if let Some(mut lingering) = socket::LingeringClose::begin(fd, timeout) {
        // Stands in when out of memory; it takes more system calls.
        let mut small = [0; 256];
        loop {
            inbound.advance(usize::MAX);
            let room = inbound.room().unwrap_or(&mut small);
            let Some(n) = lingering.next(room) else { break };
            inbound.received(n);
        }
    }
    descriptor::try_close(fd)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::os::io::{Then, send_all};
    use std::io::{Read, Write};
    use std::os::fd::{AsRawFd, IntoRawFd};
    use std::os::unix::net::UnixStream;
    use std::time::Instant;

    #[test]
    #[cfg_attr(miri, ignore = "no shutdown in Miri")]
    fn closing_gracefully_waits_for_the_peer_within_the_timeout() {
        let (a, mut b) = UnixStream::pair().unwrap();
        b.write_all(b"unread").unwrap();
        let closer = std::thread::spawn(move || {
            let start = Instant::now();
            close_gracefully(a.into_raw_fd(), Duration::from_secs(30)).unwrap();
            start.elapsed()
        });
        assert_eq!(b.read(&mut [0]).unwrap(), 0);
        drop(b);
        assert!(closer.join().unwrap() < Duration::from_secs(20));

        let (a, _b) = UnixStream::pair().unwrap();
        let timeout = Duration::from_millis(50);
        let start = Instant::now();
        close_gracefully(a.into_raw_fd(), timeout).unwrap();
        assert!(start.elapsed() >= timeout);
        assert!(close_gracefully(1_000_003, Duration::ZERO).is_err());
    }

    #[test]
    #[cfg_attr(miri, ignore = "no shutdown in Miri")]
    fn a_peer_that_never_stops_sending_is_cut_off() {
        let (a, b) = UnixStream::pair().unwrap();
        let sender = std::thread::spawn(move || {
            while send_all(b.as_raw_fd(), &[0; 4096], Then::KeepOpen).is_ok() {}
        });
        close_gracefully(a.into_raw_fd(), Duration::from_secs(30)).unwrap();
        sender.join().unwrap();
    }
}
