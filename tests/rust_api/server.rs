//! A server in threads of the test program.

use std::io;
use std::os::unix::net::UnixListener;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use fcgi::{ListenSocket, Request};
use testkit::TempDir;
use testkit::wire::{Connection, Record, exchange};

/// Threads that accept on one socket. They end with the value.
pub(crate) struct Server {
    threads: Vec<JoinHandle<()>>,
    is_over: Arc<AtomicBool>,
    dir: TempDir,
}

impl Server {
    /// Starts one thread.
    pub(crate) fn start(handle: impl FnMut(Request) + Send + 'static) -> Self {
        let mut handles = vec![handle];
        Self::start_threads(1, move |_| handles.pop().unwrap())
    }

    /// Starts threads, of which each has a handler of its own.
    pub(crate) fn start_threads<H: FnMut(Request) + Send + 'static>(
        count: usize,
        mut handler: impl FnMut(usize) -> H,
    ) -> Self {
        let dir = TempDir::new();
        let listener = UnixListener::bind(dir.join("socket")).unwrap();
        let socket = Arc::new(ListenSocket::new(listener).unwrap());
        let is_over = Arc::new(AtomicBool::new(false));
        let start = |number| {
            let (socket, is_over) = (Arc::clone(&socket), Arc::clone(&is_over));
            let mut handle = handler(number);
            thread::spawn(move || {
                while !is_over.load(Ordering::SeqCst) {
                    match socket.accept_timeout(Duration::from_millis(20)) {
                        Ok(request) => handle(request.expect("nothing has requested shutdown")),
                        Err(error) => assert_eq!(error.kind(), io::ErrorKind::TimedOut),
                    }
                }
            })
        };
        Self { threads: (0..count).map(start).collect(), is_over, dir }
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.dir.join("socket")
    }

    pub(crate) fn connect(&self) -> Connection {
        Connection::open(&self.path())
    }

    /// Sends the bytes on a connection of their own. Returns the reply up to the connection's end.
    pub(crate) fn exchange(&self, bytes: &[u8]) -> Vec<Record> {
        exchange(&self.path(), bytes)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::SeqCst);
        for thread in self.threads.drain(..) {
            let ended = thread.join();
            assert!(ended.is_ok() || thread::panicking(), "a thread of the server has panicked");
        }
    }
}
