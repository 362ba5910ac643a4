//! A connection in a thread's hands: its descriptor, what was received on it, where it came from.

use std::os::fd::RawFd;
use std::sync::Arc;
use std::time::Duration;

use super::config::{self, Config};
use super::exchange::Exchange;
use super::inbound::Inbound;
use super::key::Key;
use super::obligation::Obligation;
use super::parking::Parked;
use super::pool::Pool;
use super::pools;
use super::store::{new_exchange, recycle};
use super::turns::TakenOut;
use super::wait::{Again, Owner, Stage, Wait};
use crate::os::fork::ForkEpoch;
use crate::os::memory::NoMemory;
use crate::os::socket::close_at_once;
use crate::os::{descriptor, fork, socket};

/// A connection and the pool that watches it while it has no request. It is closed, parked, or left to
/// the program, never dropped.
#[derive(Debug)]
pub struct Connection {
    /// The descriptor that it was accepted or found as.
    pub fd: RawFd,
    /// What was received.
    pub exchange: Box<Exchange>,
    home: Option<(Arc<Pool>, Key)>,
    /// From when on a child may have a copy.
    pub(super) epoch: ForkEpoch,
    /// [`fork::generation`] when it last belonged to this process beyond doubt.
    generation: usize,
    obligation: Obligation,
}

impl Connection {
    /// A connection just accepted, or found in the program's hands; a child made since that moment
    /// may have a copy. Without memory for what it is going to say it is closed.
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
        Self { fd, exchange, home: None, epoch, generation, obligation }
    }

    /// A connection that was parked, in the caller's hands. Without memory for what it is going to
    /// say it is closed.
    pub(super) fn taken_out(pool: &Arc<Pool>, (key, fd, parked): TakenOut) -> Option<Self> {
        let Parked { exchange, wait, epoch } = parked;
        let Some(exchange) = exchange.or_else(|| new_exchange().ok()) else {
            pool.discard((key, fd, Parked { exchange: None, wait, epoch }));
            return None;
        };
        let home = Some((Arc::clone(pool), key));
        Some(Self { home, ..Self::new(fd, exchange, epoch) })
    }

    /// Puts it where the pool watches it. The caller gets it back when that is not possible.
    pub(super) fn park(
        self,
        pool: &Pool,
        wait: Wait,
        again: Again,
        config: &Config,
    ) -> Result<Key, Self> {
        let key = self.home.as_ref().map(|(_, key)| *key);
        let Ok(key) = pool.watch(self.fd, key, again) else { return Err(self) };
        let (fd, mut parked) = self.into_parked(wait);
        let mut spare = None;
        if let Some(exchange) = &mut parked.exchange {
            if !exchange.incoming().is_fresh() {
                exchange.shrink();
            } else if !key.is_among_the_first() {
                // Most have nothing to remember; their memory serves others. That of the first, which are
                // few, is used again soon.
                spare = parked.exchange.take();
            }
        }
        let counts = parked.exchange.as_ref().is_some_and(|exchange| exchange.held() > 0);
        pool.park((key, fd, parked), again, config.max_waiting);
        spare.into_iter().for_each(recycle);
        if counts {
            pools::relieve(config);
        }
        Ok(key)
    }

    /// Gives it back after a request that was answered, to the pool of this listen socket if it has a
    /// place there. Returns that; the caller gets it back when that is not possible.
    pub fn go_home(self, fd: RawFd, owner: Owner, config: &Config) -> Result<Key, Self> {
        match &self.home {
            Some((pool, _)) if pool.listen_fd() == fd => {
                let pool = Arc::clone(pool);
                self.give_back(&pool, owner, config)
            }
            _ => Err(self),
        }
    }

    /// Gives it back to the pool after a request that was answered. Returns where it waits; the caller
    /// gets it back when that is not possible.
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

    /// Puts it back into its place, if that needs no system call.
    fn put_back(self, pool: &Pool, owner: Owner, config: &Config) -> Result<Key, Self> {
        // The memory of others is given back.
        let Some((_, key)) = self.home.as_ref().filter(|(_, p)| p.is_among_the_first()) else {
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

    /// Whether it has no place in a pool: it was never parked.
    pub(super) const fn is_new(&self) -> bool {
        self.home.is_none()
    }

    /// Whether the request, or the kept connection, is the parent's: this process was forked since.
    pub fn is_inherited(&self) -> bool {
        self.generation != fork::generation()
    }

    /// The program has finished a request on it and it stays open: from now on it is this
    /// process's.
    pub fn keep(&mut self) {
        if self.is_inherited() {
            self.generation = fork::generation();
            self.home = None;
        }
        self.exchange.end_kept();
    }

    /// Leaves any pool but this one: the program waits here now.
    pub(super) fn join(&mut self, pool: &Arc<Pool>) {
        if self.home.as_ref().is_some_and(|(home, _)| !Arc::ptr_eq(home, pool)) {
            self.leave_home();
        }
    }

    /// Stops watching it: it is closed, or goes to the program. Returns false if the program has closed it.
    fn leave_home(&mut self) -> bool {
        let fd = self.fd;
        self.take_home().is_none_or(|(pool, key)| pool.forget(fd, key))
    }

    /// The pool that watches it and the place there; a parent's pool is not this process's.
    fn take_home(&mut self) -> Option<(Arc<Pool>, Key)> {
        let home = self.home.take();
        home.filter(|_| !self.is_inherited())
    }

    /// Closes it after a request. The peer sees the end of what was sent even if another process
    /// holds a copy, and loses nothing of it even if it is still sending. A detached connection
    /// goes on in another process: only this process's copy is closed.
    pub fn close(mut self, detached: bool) {
        let complete = self.exchange.end();
        if !self.leave_home() {
            // The number is the program's by now.
        } else if detached {
            descriptor::close(self.fd);
        } else if complete && !self.exchange.is_to_stay() {
            close_at_once(self.fd, self.epoch);
        } else {
            // What came after the request is only taken out of the way.
            let patience = if complete { Duration::ZERO } else { config::get().close_timeout };
            // Nobody is left to tell about a connection that cannot be closed.
            let _ = close_draining(self.fd, self.exchange.incoming().inbound(), patience);
        }
        self.end();
    }

    /// Closes it while it has no request: nothing that was sent on it matters.
    pub(super) fn discard(mut self) {
        if self.leave_home() {
            close_at_once(self.fd, self.epoch);
        }
        self.end();
    }

    /// Closes this process's copy of a connection that is the parent's.
    pub fn close_copy(self) {
        descriptor::close(self.fd);
        self.end();
    }

    /// Leaves the descriptor to the program, open, or whatever it has put in its place.
    pub fn release(mut self) {
        self.leave_home();
        self.end();
    }

    fn end(self) {
        self.obligation.fulfil();
        recycle(self.exchange);
    }
}

/// Closes a connection whose peer may still be sending: closing with unread bytes would destroy
/// what the peer has not read yet. Nothing more is sent; what comes in is thrown away until the
/// peer ends, `patience` is over or 64 MB have come. Closes anything but a connection at once.
pub fn close_gracefully(fd: RawFd, patience: Duration) -> std::io::Result<()> {
    let mut exchange = new_exchange().ok();
    let mut none = Inbound::new();
    let inbound = exchange.as_mut().map_or(&mut none, |exchange| exchange.incoming().inbound());
    let result = close_draining(fd, inbound, patience);
    if let Some(exchange) = exchange {
        recycle(exchange);
    }
    result
}

/// As [`close_gracefully`], with the memory of what was received.
fn close_draining(fd: RawFd, inbound: &mut Inbound, patience: Duration) -> std::io::Result<()> {
    if let Some(mut lingering) = socket::LingeringClose::begin(fd, patience) {
        // Without memory it takes more system calls.
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
    fn closing_gracefully_waits_for_the_peer_but_not_for_ever() {
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
        let patience = Duration::from_millis(50);
        let start = Instant::now();
        close_gracefully(a.into_raw_fd(), patience).unwrap();
        assert!(start.elapsed() >= patience);
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
