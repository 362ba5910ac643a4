//! Connects to the application, and starts it if nothing listens.

use std::ffi::{CString, OsStr};
use std::io::{self, ErrorKind};
use std::os::fd::RawFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;

use fcgi::internals::os::address::is_unknown_host;
use fcgi::internals::os::error::message;
use fcgi::internals::os::{descriptor, socket, spawn};

use super::failure::{Failure, NAME_STATUS, OTHER_STATUS};
use super::options::{Application, Mode, Options, shown};
use super::supervise::Supervisor;

/// The backlog of the listen socket.
const BACKLOG: i32 = 128;

/// Returns the connection for the request, or `None` if the mode carries no request.
pub(crate) fn open(options: &Options) -> Result<Option<RawFd>, Failure> {
    let name = options.name.as_slice();
    match &options.mode {
        Mode::Start(application) => start(name, application).map(|()| None),
        Mode::Supervise(application) => supervise(name, application).map(|()| None),
        Mode::Carry => connect(name).map(Some),
        Mode::StartAndCarry(application) => match socket::connect(name) {
            Err(error) if nothing_listens(&error) => {
                if let Err(why) = executable(&application.path) {
                    return Err(neither(not_connected(name, &error), application, why));
                }
                start(name, application)?;
                connect(name).map(Some)
            }
            result => result.map(Some).map_err(|error| not_connected(name, &error)),
        },
    }
}

fn connect(name: &[u8]) -> Result<RawFd, Failure> {
    socket::connect(name).map_err(|error| not_connected(name, &error))
}

fn not_connected(name: &[u8], error: &io::Error) -> Failure {
    let reason = if nothing_listens(error) { ": nothing listens there" } else { "" };
    about_name(format!("Could not connect to {}{reason}", shown(name)), error)
}

/// A failure about a connection name.
fn about_name(what: String, error: &io::Error) -> Failure {
    let failure = Failure::system(what, error);
    if is_unknown_host(error) { Failure { status: NAME_STATUS, ..failure } } else { failure }
}

/// Whether the error means that an application may be started. Other errors do not: a socket for which the
/// permission is missing, for example, belongs to another program.
fn nothing_listens(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::NotFound | ErrorKind::ConnectionRefused)
}

/// Listens at `name` and starts the application's processes with the listen socket as descriptor 0.
fn start(name: &[u8], application: &Application) -> Result<(), Failure> {
    let (program, listen_socket) = prepare(name, application)?;
    let started = (0..application.servers).try_for_each(|_| spawn::spawn(&program, listen_socket));
    descriptor::close(listen_socket);
    started.map_err(|error| Failure::system(not_started(application), &error))
}

/// The same; then keeps the processes running until a signal stops them.
fn supervise(name: &[u8], application: &Application) -> Result<(), Failure> {
    let (program, listen_socket) = prepare(name, application)?;
    let supervised = Supervisor::new(&program, listen_socket, application.servers).run();
    descriptor::close(listen_socket);
    supervised.map_err(|error| Failure::system(not_started(application), &error))
}

fn not_started(application: &Application) -> String {
    format!("Could not start {}", shown(&application.path))
}

/// The failure when nothing listens and the application cannot be started. A directory may stand for no
/// application, as in `cgi-fcgi -connect NAME /`: then the exit status is that of the connection.
fn neither(connecting: Failure, application: &Application, why: Unusable) -> Failure {
    let message = format!("{}. {}: {}", connecting.message, not_started(application), why.words);
    Failure::new(message, if why.is_directory { connecting.status } else { OTHER_STATUS })
}

/// Returns the program to execute and its listen socket.
fn prepare(name: &[u8], application: &Application) -> Result<(CString, RawFd), Failure> {
    let program = executable(&application.path).map_err(|why| {
        Failure::new(format!("{}: {}", not_started(application), why.words), OTHER_STATUS)
    })?;
    let listen_socket = socket::listen(name, BACKLOG)
        .map_err(|error| about_name(format!("Could not listen at {}", shown(name)), &error))?;
    Ok((program, listen_socket))
}

/// Why a path cannot be executed.
struct Unusable {
    words: String,
    is_directory: bool,
}

/// Checks that a path is that of an executable file.
fn executable(path: &[u8]) -> Result<CString, Unusable> {
    let unusable = |words: &str| Unusable { words: words.to_owned(), is_directory: false };
    let file = std::fs::metadata(OsStr::from_bytes(path))
        .map_err(|e| unusable(&message(&e).to_string()))?;
    if file.is_dir() {
        return Err(Unusable { is_directory: true, ..unusable("it is a directory") });
    }
    if !file.is_file() || file.permissions().mode() & 0o111 == 0 {
        return Err(unusable("it is not executable"));
    }
    CString::new(path).map_err(|_| unusable("there is a zero byte in its name"))
}
