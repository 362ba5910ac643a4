//! Accepting a connection for programs that do the rest by themselves.

use std::io;
use std::os::fd::RawFd;

use super::config;
use super::peers::PeerList;
use crate::os::error::{shut_down, would_block};
use crate::os::poll::{self, PollFd};
use crate::os::signal::{self, UNCHECKED};
use crate::os::socket::{self, Peer};
use crate::os::{descriptor, mark, threads};

/// Waits for the next connection of a peer that `list` admits and, on a unix socket, says
/// something before the keeper timeout; closes all others. Bytes are not read.
///
/// `Interrupted` when shutting down is asked for, and with `fail_on_intr` after a signal that
/// interrupts accept(2); `WouldBlock` when the program has made the listen socket non-blocking, or its
/// time limit there is over.
pub fn accept(listen_fd: RawFd, fail_on_intr: bool, list: &PeerList) -> io::Result<RawFd> {
    // In accept4 one of several threads would not hear of a signal that another one takes.
    if !threads::only_one() {
        let _ = mark::make_nonblocking(listen_fd);
    }
    let _accepting = signal::Accepting::on(listen_fd, descriptor::file_number(listen_fd));
    let mut is_checked = false;
    loop {
        if signal::shutdown_requested() {
            return Err(io::ErrorKind::Interrupted.into());
        }
        match socket::accept(listen_fd) {
            Ok(new) if list.admits(&new.peer) && speaks(new.fd, &new.peer) => return Ok(new.fd),
            Ok(new) => descriptor::close(new.fd),
            // Whatever it says: the socket may have been set aside.
            Err(_) if signal::shutdown_requested() => {}
            Err(error) => match error.kind() {
                io::ErrorKind::Interrupted if !fail_on_intr => {}
                io::ErrorKind::WouldBlock if mark::nonblocking_by_library(listen_fd) => {
                    is_checked = wait(listen_fd, fail_on_intr, is_checked)?;
                }
                _ => return Err(error),
            },
        }
    }
}

/// Waits until the listen socket has a connection or shutting down is asked for. `is_checked`: whether
/// the wake-up has been; returns whether it is now.
fn wait(listen_fd: RawFd, fail_on_intr: bool, is_checked: bool) -> io::Result<bool> {
    let own = socket::time_limit(listen_fd);
    let limit = own.or((!is_checked).then_some(UNCHECKED));
    let fds = [listen_fd, signal::wake_up_descriptor().unwrap_or(-1)];
    let mut fds = fds.map(|fd| PollFd::new(fd, poll::READABLE));
    match poll::poll(&mut fds, limit) {
        Err(error) if error.kind() != io::ErrorKind::Interrupted => Err(error),
        Err(error) if fail_on_intr && signal::would_interrupt_accept() => Err(error),
        Ok(0) if own.is_some() => Err(would_block()),
        Ok(_) if socket::is_shut_down(listen_fd) => Err(shut_down()),
        // Without it, whether shutting down is asked for has to be looked up now and then.
        Ok(0) => Ok(signal::check_wake_up().is_ok()),
        Ok(_) if fds[1].revents != 0 => {
            signal::ignore_wake_up();
            Ok(false)
        }
        _ => Ok(is_checked),
    }
}

/// Makes a fresh connection ready; false for a unix peer that has nothing to say.
fn speaks(fd: RawFd, peer: &Peer) -> bool {
    if *peer == Peer::Unix {
        let patience = config::get().keeper_timeout;
        return poll::one(fd, poll::READABLE, Some(patience)).is_ok_and(|events| events != 0);
    }
    // Without it the connection is slower, nothing else.
    let _ = socket::set_nodelay(fd);
    true
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;
    use std::net::{TcpListener, TcpStream};
    use std::os::fd::AsRawFd;

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
        let fd = accept(listener.as_raw_fd(), false, &PeerList::default()).unwrap();
        descriptor::close(fd);
    }

    #[test]
    #[cfg_attr(miri, ignore = "no SO_ACCEPTCONN in Miri")]
    fn a_peer_that_is_not_listed_is_closed_and_the_next_one_waited_for() {
        let listener = listener();
        let mut client = connect(&listener);
        listener.set_nonblocking(true).unwrap();
        let list = PeerList::parse(b"192.0.2.1");
        let error = accept(listener.as_raw_fd(), false, &list).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
        // The first write may be taken before the peer's end has arrived.
        while client.write_all(b"x").is_ok() {}
    }
}
