//! A listen socket that outlives the processes that serve it: what they leave behind, and which
//! programs can serve it beside them or after them.

use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::net::UnixListener;
use std::process::{Command, Stdio};

use super::processes::{flags, until_accepting};
use super::{IN_VAIN, answered, is_answered_within};
use testkit::turns::beside_others;
use testkit::wire::{Connection, request};
use testkit::{
    Library, PATIENCE, Running, TempDir, children_of, helper, signal, until, until_asleep,
};

/// A listen socket that stays open, as with a service manager.
struct Socket {
    socket: OwnedFd,
    dir: TempDir,
}

impl Socket {
    fn new() -> Self {
        let dir = TempDir::new();
        let socket = UnixListener::bind(dir.join("socket")).unwrap().into();
        Self { socket, dir }
    }

    /// Starts worker.c on it.
    fn serve(&self, library: Library, options: &[&str]) -> Running {
        let mut command = Command::new(helper("worker", library));
        command.args(options).current_dir(self.dir.path()).stdout(Stdio::null());
        command.stdin(Stdio::from(self.socket.try_clone().unwrap()));
        Running::start(library.under(&mut command))
    }

    fn connect(&self) -> Connection {
        Connection::open(&self.dir.join("socket"))
    }

    fn flags(&self) -> i32 {
        flags(std::process::id(), self.socket.as_raw_fd() as u32)
    }

    fn is_nonblocking(&self) -> bool {
        self.flags() & libc::O_NONBLOCK != 0
    }

    /// Starts a program with threads on it, and waits until the program serves.
    fn serve_pooled(&self) -> Running {
        let running = self.serve(Library::Ours, &["-t", "2"]);
        // Another program on the socket may have answered.
        until("it to wait in the pool", PATIENCE, || {
            answered(self.connect(), "body");
            self.is_nonblocking().then_some(())
        });
        running
    }
}

/// Ends a program with the signal: SIGTERM for an orderly end, or SIGKILL.
fn end(mut running: Running, by: i32) {
    signal(running.pid(), by);
    running.wait(PATIENCE).expect("its end");
}

#[test]
fn the_last_process_that_leaves_takes_the_flag_back() {
    let _turn = beside_others();
    let socket = Socket::new();
    let before = socket.flags();
    let programs = [socket.serve_pooled(), socket.serve_pooled(), socket.serve_pooled()];
    for program in programs {
        assert!(socket.is_nonblocking());
        end(program, libc::SIGTERM);
    }
    assert_eq!(socket.flags(), before);
}

#[test]
fn processes_that_leave_together_take_the_flag_back() {
    let _turn = beside_others();
    for options in [&["-p", "4", "-t", "2"][..], &["-p", "4"]] {
        let socket = Socket::new();
        let before = socket.flags();
        let mut pool = socket.serve(Library::Ours, options);
        let children = until("child processes", PATIENCE, || {
            children_of(pool.pid()).filter(|list| list.len() == 4)
        });
        children.iter().for_each(|child| until_asleep(*child));
        // After one connection each, all processes wait for several.
        let mut open: Vec<Connection> = (0..16).map(|_| socket.connect()).collect();
        for one in &mut open {
            one.send(&request(1, true, &[], b"body"));
        }
        for one in &mut open {
            one.until_end_of(1);
        }
        until("a socket that does not block", PATIENCE, || socket.is_nonblocking().then_some(()));
        drop(open);
        // SAFETY: no pointer is passed; the process group belongs to the test.
        assert_eq!(unsafe { libc::kill(-(pool.pid() as libc::pid_t), libc::SIGTERM) }, 0);
        pool.wait(PATIENCE).expect("its end");
        assert_eq!(socket.flags(), before, "{options:?}");
    }
}

#[test]
fn after_a_process_that_was_killed_the_next_one_takes_the_flag_back() {
    let _turn = beside_others();
    let socket = Socket::new();
    let before = socket.flags();
    end(socket.serve_pooled(), libc::SIGKILL);
    assert!(socket.is_nonblocking());
    let mut original = socket.serve(Library::Original, &[]);
    assert!(original.wait(PATIENCE).is_some(), "the original does it right");
    end(socket.serve_pooled(), libc::SIGTERM);
    assert_eq!(socket.flags(), before);
    let original = socket.serve(Library::Original, &[]);
    answered(socket.connect(), "body");
    end(original, libc::SIGKILL);
}

#[test]
fn a_flag_that_others_have_set_is_theirs() {
    let _turn = beside_others();
    let socket = Socket::new();
    // SAFETY: F_SETFL takes an int.
    let set = unsafe { libc::fcntl(socket.socket.as_raw_fd(), libc::F_SETFL, libc::O_NONBLOCK) };
    assert_eq!(set, 0);
    let before = socket.flags();
    end(socket.serve_pooled(), libc::SIGTERM);
    assert_eq!(socket.flags(), before);
}

/// Both libraries serve one listen socket. Our process has one thread and no waiting connection.
#[test]
fn both_libraries_serve_one_socket_without_threads_and_kept_connections() {
    let _turn = beside_others();
    let socket = Socket::new();
    let original = socket.serve(Library::Original, &[]);
    let ours = socket.serve(Library::Ours, &[]);
    for _ in 0..200 {
        answered(socket.connect(), "body");
    }
    assert!(!socket.is_nonblocking());
    for process in [&original, &ours] {
        until_accepting(process.pid());
    }
    end(ours, libc::SIGTERM);
    for _ in 0..20 {
        answered(socket.connect(), "body");
    }
    end(original, libc::SIGKILL);
}

/// With threads our library needs the flag, and the original stops because of it. Only a request
/// that the original has already accepted can be lost.
#[test]
fn ours_with_threads_takes_over_from_the_original() {
    let _turn = beside_others();
    let socket = Socket::new();
    let mut original = socket.serve(Library::Original, &[]);
    until_accepting(original.pid());
    let ours = socket.serve_pooled();
    // All three threads of our library are busy, so the original accepts the next connection.
    let mut busy: Vec<Connection> = (0..3).map(|_| socket.connect()).collect();
    for one in &mut busy {
        one.send(&request(1, false, &[("SLEEP", "500")], b"body"));
    }
    until("the original's end", PATIENCE, || {
        answered(socket.connect(), "body");
        original.ended()
    });
    for one in &mut busy {
        assert!(!one.until_closed().is_empty());
    }
    for _ in 0..20 {
        assert!(is_answered_within(socket.connect(), IN_VAIN));
    }
    end(ours, libc::SIGTERM);
}
