//! Accepting a connection for programs that read and answer its requests themselves.

use std::io;
use std::os::fd::RawFd;

use super::config;
use super::peers::PeerList;
use crate::os::error::{shut_down, would_block};
use crate::os::poll::{self, PollFd};
use crate::os::shutdown::{self, MAX_UNCHECKED_WAIT};
use crate::os::signal;
use crate::os::socket::{self, Peer};
use crate::os::{descriptor, mark, threads};

/// What a signal that would interrupt accept(2) does to the wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OnSignal {
    /// The wait goes on.
    WaitOn,
    /// The wait ends with `Interrupted`.
    Fail,
}

/// Whether the wake-up descriptor is known to be the library's; if not, a wait is short.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum WakeUp {
    Unchecked,
    Checked,
}

/// Waits for the next connection of a peer that `list` admits and that, on a unix socket, sends something
/// within the keeper timeout. Closes all other connections. Reads no bytes.
///
/// Fails with `Interrupted` if shutdown is requested, and with [`OnSignal::Fail`] after a signal; with
/// `WouldBlock` if the program has made the listen socket non-blocking, or after its receive timeout there.
pub(crate) fn accept(listen_fd: RawFd, on_signal: OnSignal, list: &PeerList) -> io::Result<RawFd> {
    // A thread that blocks in accept4 would not notice a signal that another thread takes.
    if !threads::only_one() {
        let _ = mark::make_nonblocking(listen_fd);
    }
    let _accepting = shutdown::Accepting::on(listen_fd, descriptor::file_number(listen_fd));
    let mut wake_up = WakeUp::Unchecked;
    loop {
        if shutdown::is_requested() {
            return Err(io::ErrorKind::Interrupted.into());
        }
        match socket::accept(listen_fd) {
            Ok(new) if list.admits(&new.peer) && is_usable(new.fd, &new.peer) => return Ok(new.fd),
            Ok(new) => descriptor::close(new.fd),
            // The error may come from the shutdown, which can put a placeholder at the number.
            Err(_) if shutdown::is_requested() => {}
            Err(error) => match error.kind() {
                io::ErrorKind::Interrupted if on_signal == OnSignal::WaitOn => {}
                io::ErrorKind::WouldBlock if mark::nonblocking_by_library(listen_fd) => {
                    wake_up = wait(listen_fd, on_signal, wake_up)?;
                }
                _ => return Err(error),
            },
        }
    }
}

/// Waits until the listen socket is readable or shutdown is requested. Returns what is known of the wake-up
/// descriptor afterwards.
fn wait(listen_fd: RawFd, on_signal: OnSignal, wake_up: WakeUp) -> io::Result<WakeUp> {
    let own = socket::time_limit(listen_fd);
    let limit = own.or((wake_up == WakeUp::Unchecked).then_some(MAX_UNCHECKED_WAIT));
    let fds = [listen_fd, shutdown::wake_up_descriptor().unwrap_or(-1)];
    let mut fds = fds.map(|fd| PollFd::new(fd, poll::READABLE));
    match poll::poll(&mut fds, limit) {
        Err(error) if error.kind() != io::ErrorKind::Interrupted => Err(error),
        Err(error) if on_signal == OnSignal::Fail && signal::would_interrupt_accept() => Err(error),
        Ok(0) if own.is_some() => Err(would_block()),
        Ok(_) if socket::is_shut_down(listen_fd) => Err(shut_down()),
        // Without a wake-up descriptor the caller has to poll for a requested shutdown.
        Ok(0) if shutdown::check_wake_up().is_ok() => Ok(WakeUp::Checked),
        Ok(0) => Ok(WakeUp::Unchecked),
        Ok(_) if fds[1].revents != 0 => {
            shutdown::ignore_wake_up();
            Ok(WakeUp::Unchecked)
        }
        _ => Ok(wake_up),
    }
}

/// Prepares a new connection. Returns false for a unix peer that sends nothing within the keeper timeout.
fn is_usable(fd: RawFd, peer: &Peer) -> bool {
    if *peer == Peer::Unix {
        let timeout = config::get().keeper_timeout;
        return poll::one(fd, poll::READABLE, Some(timeout)).is_ok_and(|events| events != 0);
    }
    // If it fails, the connection is slower but works.
    let _ = socket::set_nodelay(fd);
    true
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read;
    use std::net::{TcpListener, TcpStream};
    use std::os::fd::AsRawFd;
    use std::time::Duration;

    fn listener() -> TcpListener {
        TcpListener::bind("127.0.0.1:0").unwrap()
    }

    fn connect(listener: &TcpListener) -> TcpStream {
        TcpStream::connect(listener.local_addr().unwrap()).unwrap()
    }

    #[test]
    #[cfg_attr(miri, ignore = "no SO_ACCEPTCONN in Miri")]
    fn a_silent_tcp_peer_is_accepted() {
        let listener = listener();
        let _client = connect(&listener);
        let fd = accept(listener.as_raw_fd(), OnSignal::WaitOn, &PeerList::default()).unwrap();
        descriptor::close(fd);
    }

    #[test]
    #[cfg_attr(miri, ignore = "no SO_ACCEPTCONN in Miri")]
    fn a_peer_that_is_not_listed_is_closed_and_the_next_one_waited_for() {
        let listener = listener();
        let mut client = connect(&listener);
        listener.set_nonblocking(true).unwrap();
        let list = PeerList::parse(b"192.0.2.1");
        let error = accept(listener.as_raw_fd(), OnSignal::WaitOn, &list).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
        client.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        assert_eq!(client.read(&mut [0]).unwrap(), 0);
    }
}
