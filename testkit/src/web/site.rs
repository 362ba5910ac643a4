//! A web server of the test's own in front of the application.

use std::fs::{self, OpenOptions};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Mutex, MutexGuard, TryLockError};
use std::time::Duration;

use super::app::{Home, Listen};
use super::document::{Changes, Places, configure, snippet};
use super::http::Client;
use crate::{Running, SERVED, until};

/// The longest wait for a place: longer than all the other tests together take.
const WAITING: Duration = Duration::from_secs(400);

/// The way in which the application gets its requests.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Application {
    /// It listens on a unix socket.
    Unix,
    /// It listens on a port of this machine.
    Tcp,
    /// The web server starts it.
    Spawned,
}

/// A kind of web server.
pub struct Kind {
    /// Its configuration around the document's snippet, in tests/fixtures/web.
    pub frame: &'static str,
    /// Whether it can only listen on ports.
    pub http_on_tcp: bool,
    /// The prefix of a unix socket's path in its configuration.
    pub unix: &'static str,
    /// The command that starts it in the foreground, given its configuration.
    pub command: fn(dir: &Path, configuration: &Path) -> Command,
}

/// The places of running web servers, which limit their number on every machine.
static PLACES: [Mutex<()>; 2] = [const { Mutex::new(()) }; 2];

pub struct Site {
    // The order matters: the web server and the application end before their directory goes.
    server: Running,
    application: Option<(Listen, Running, &'static str)>,
    pub client: Client,
    pub home: Home,
    _place: MutexGuard<'static, ()>,
}

impl Site {
    /// Starts the application with these options, and the web server with the snippet under the title.
    pub fn start(
        kind: &Kind,
        title: &str,
        application: Application,
        options: &'static str,
    ) -> Self {
        Self::with_program("app", kind, title, application, options)
    }

    /// Does the same with another program of c-tests/web.
    pub fn with_program(
        program: &str,
        kind: &Kind,
        title: &str,
        application: Application,
        options: &'static str,
    ) -> Self {
        Self::in_home(Home::new(program), kind, title, application, options, &[])
    }

    /// Does the same in a directory of the caller's, with the snippet changed.
    pub fn in_home(
        home: Home,
        kind: &Kind,
        title: &str,
        application: Application,
        options: &'static str,
        changes: &Changes,
    ) -> Self {
        let place = until("a free place", WAITING, free_place);
        let dir = home.dir.path();
        let (listen, port) = match application {
            Application::Unix => (Some(Listen::unix(&dir.join("app.sock"))), 0),
            Application::Tcp => {
                let (listen, port) = Listen::tcp();
                (Some(listen), port)
            }
            Application::Spawned => (None, 0),
        };
        let (client, http) = address(kind, dir);
        let places = Places { dir, http, port };
        let snippet = snippet(title, changes, &places);
        let configuration = configure(kind.frame, &snippet, &places);
        let mut command = (kind.command)(dir, &configuration);
        let log =
            OpenOptions::new().create(true).append(true).open(dir.join("server.log")).unwrap();
        command.stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log);
        command.env("LD_LIBRARY_PATH", dir.join("lib")).env("HOME", dir).current_dir(dir);
        let application = listen.map(|listen| {
            let running = listen.serve(&home, options);
            (listen, running, options)
        });
        let server = Running::start(&mut command);
        let site = Self { server, application, client, home, _place: place };
        site.wait_until_ready()
    }

    fn wait_until_ready(mut self) -> Self {
        until("the web server to listen", SERVED, || {
            let ended = self.server.ended();
            assert!(ended.is_none(), "the web server has ended, {ended:?}:\n{}", self.log());
            self.client.connect().ok()
        });
        self
    }

    /// Returns the web server's log.
    pub fn log(&self) -> String {
        let bytes = fs::read(self.home.dir.join("server.log")).unwrap();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// Ends the application and starts it again, as an administrator would. If the web server has
    /// started the application, the web server starts it again.
    pub fn restart(&mut self) {
        match &mut self.application {
            Some((listen, running, options)) => {
                running.signal("TERM");
                assert!(running.wait(SERVED).is_some(), "the application does not end");
                *running = listen.serve(&self.home, options);
            }
            None => self.home.end(&self.home.serving()),
        }
    }
}

fn free_place() -> Option<MutexGuard<'static, ()>> {
    PLACES.iter().find_map(|place| match place.try_lock() {
        Ok(guard) => Some(guard),
        // A test that has failed has reported it.
        Err(TryLockError::Poisoned(error)) => Some(error.into_inner()),
        Err(TryLockError::WouldBlock) => None,
    })
}

/// Returns the address where the web server will listen, for the client and for the configuration.
fn address(kind: &Kind, dir: &Path) -> (Client, String) {
    if kind.http_on_tcp {
        // The port is free now, and no other program on this machine asks the system for this very
        // port.
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        (Client::Tcp(port), format!("127.0.0.1:{port}"))
    } else {
        let path: PathBuf = dir.join("http.sock");
        let name = format!("{}{}", kind.unix, path.display());
        (Client::Unix(path), name)
    }
}
