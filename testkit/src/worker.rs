//! A FastCGI program with threads and processes for tests to talk to: worker.c, with one of the two
//! libraries.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use super::wire::{Connection, request, text};
use super::{Library, PATIENCE, Running, TempDir, helper, until};

/// The way in which a program gets its listen socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Listen {
    /// A unix socket as descriptor 0.
    Unix,
    /// A TCP socket as descriptor 0.
    Tcp,
    /// A unix socket that the program makes with FCGX_OpenSocket.
    Own,
}

/// A running worker.c with a socket and a directory of its own.
pub struct Worker {
    // The order matters: the program ends before its directory goes.
    pub running: Running,
    tcp: Option<SocketAddr>,
    dir: TempDir,
}

impl Worker {
    /// Starts it with our library on a unix socket as descriptor 0.
    pub fn ours(options: &[&str]) -> Self {
        Self::start(Library::Ours, Listen::Unix, options)
    }

    pub fn start(library: Library, listen: Listen, options: &[&str]) -> Self {
        Self::start_in(&[], library, listen, options)
    }

    /// Starts it as the last arguments of another command, such as strace.
    pub fn start_in(around: &[&str], library: Library, listen: Listen, options: &[&str]) -> Self {
        Self::start_program("worker", around, library, listen, options)
    }

    /// Starts another program of testkit/programs as [`Worker::start_in`] does.
    pub fn start_program(
        name: &str,
        around: &[&str],
        library: Library,
        listen: Listen,
        options: &[&str],
    ) -> Self {
        let dir = TempDir::new();
        let program = helper(name, library).into_os_string();
        let mut words = around.iter().map(Into::into).chain([program]);
        let mut command = Command::new(words.next().unwrap());
        command.args(words).args(options).current_dir(dir.path());
        let (socket, tcp) = match listen {
            Listen::Unix => (OwnedFd::from(UnixListener::bind(dir.join("socket")).unwrap()), None),
            Listen::Tcp => {
                let socket = TcpListener::bind("127.0.0.1:0").unwrap();
                let address = socket.local_addr().unwrap();
                (socket.into(), Some(address))
            }
            Listen::Own => {
                command.args(["-o", "socket"]);
                (File::open("/dev/null").unwrap().into(), None)
            }
        };
        command.stdin(Stdio::from(socket));
        command.stdout(File::create(dir.join("stdout")).unwrap());
        command.stderr(File::create(dir.join("stderr")).unwrap());
        // The command owns our copy of the socket and closes it on return: what the program does to the
        // socket must not depend on our copy.
        let running = Running::start(library.under(&mut command));
        Self { running, tcp, dir }
    }

    pub fn connect(&self) -> Connection {
        match self.tcp {
            Some(address) => Connection::on(TcpStream::connect(address).unwrap().into()),
            None => Connection::open(&self.dir.join("socket")),
        }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    /// Returns the program's child processes, once there are `count` of them.
    pub fn children(&self, count: usize) -> BTreeSet<u32> {
        until("child processes", PATIENCE, || {
            children_of(self.running.pid()).filter(|list| list.len() == count)
        })
    }

    /// Returns the results of Accept so far, one number for each thread that has ended.
    pub fn results(&self) -> Vec<i32> {
        let text = fs::read_to_string(self.dir.join("stdout")).unwrap();
        text.lines().map(|line| line.parse().unwrap()).collect()
    }

    /// Sends a signal to the program alone, immediately.
    pub fn signal(&self, number: i32) {
        signal(self.running.pid(), number);
    }

    /// Returns the text that answers a request on a connection of its own.
    pub fn ask(&self, list: &[(&str, &str)]) -> String {
        let mut connection = self.connect();
        connection.send(&request(1, false, list, b""));
        let records = connection.until_closed();
        String::from_utf8(records[0].content.clone()).unwrap()
    }

    /// Returns the processor time that the program, not its children, has used.
    pub fn processor_time(&self) -> Duration {
        processor_time(self.running.pid())
    }

    /// Returns a keep-alive connection that has carried a request; the program waits again.
    pub fn kept(&self) -> Connection {
        let connection = self.just_kept();
        until_asleep(self.running.pid());
        connection
    }

    /// Returns a keep-alive connection that has carried a request; the program may still be finishing it.
    pub fn just_kept(&self) -> Connection {
        let mut connection = self.connect();
        connection.send(&request(1, true, &[], b"first"));
        assert_eq!(text(&connection.until_end_of(1)), "first");
        connection
    }

    /// Waits until every thread of the program waits, and a sanitizer's threads too.
    pub fn until_all_wait(&self, threads: usize) {
        let tasks = PathBuf::from(format!("/proc/{}/task", self.running.pid()));
        let tasks = until("the threads", PATIENCE, || {
            let tasks: Vec<_> = fs::read_dir(&tasks).unwrap().map(Result::unwrap).collect();
            (tasks.len() >= threads).then_some(tasks)
        });
        for task in tasks {
            until_asleep(task.file_name().to_str().unwrap().parse().unwrap());
        }
    }
}

/// Returns the processor time that a process, not its children, has used.
pub fn processor_time(process: u32) -> Duration {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).unwrap();
    // The name in parentheses may contain anything; user and system time are fields 14 and 15.
    let fields = stat.rsplit(')').next().unwrap().split_whitespace();
    let ticks: u64 = fields.skip(11).take(2).map(|field| field.parse::<u64>().unwrap()).sum();
    Duration::from_millis(ticks * 10)
}

/// Sends a signal to a process immediately; the process must exist.
pub fn signal(process: u32, number: i32) {
    // SAFETY: takes no pointer; the process is a test's own, and not waited for before.
    let result = unsafe { libc::kill(process as libc::pid_t, number) };
    assert_eq!(result, 0, "process {process}");
}

/// Returns the child processes of a process, if it exists.
pub fn children_of(process: u32) -> Option<BTreeSet<u32>> {
    let text = fs::read_to_string(format!("/proc/{process}/task/{process}/children")).ok()?;
    text.split_whitespace().map(|number| number.parse().ok()).collect()
}

/// Returns the state of a process or thread, as /proc shows it: 'S' asleep, 't' stopped by a tracer.
pub fn state(task: &Path) -> Option<char> {
    let stat = fs::read_to_string(task.join("stat")).ok()?;
    // The name in parentheses may contain anything.
    stat.rsplit(')').next()?.trim_start().chars().next()
}

/// Returns whether a thread is in this system call, or held at its entry.
pub fn is_at(task: &Path, number: libc::c_long) -> bool {
    let at = fs::read_to_string(task.join("syscall")).unwrap_or_default();
    at.split_whitespace().next() == Some(&*number.to_string())
}

/// Waits until one of a process's threads sleeps in one of these system calls.
pub fn until_in(process: u32, calls: &[libc::c_long]) {
    let tasks = format!("/proc/{process}/task");
    let is_in =
        |task: &Path| state(task) == Some('S') && calls.iter().any(|call| is_at(task, *call));
    until("a thread in a system call", PATIENCE, || {
        let mut tasks = fs::read_dir(&tasks).unwrap().filter_map(Result::ok);
        tasks.any(|task| is_in(&task.path())).then_some(())
    });
}

/// Waits until a thread sleeps in a system call.
pub fn until_asleep(thread: u32) {
    let task = Path::new("/proc").join(thread.to_string());
    until("a thread to sleep", PATIENCE, || (state(&task) == Some('S')).then_some(()));
}
