//! Connecting, and starting the application where nobody listens.

use std::ffi::{CString, OsStr};
use std::io::{self, ErrorKind};
use std::os::fd::RawFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;

use fcgi::os::{io as descriptor, socket, spawn};

use super::failure::{Failure, NAME_STATUS, OTHER_STATUS};
use super::options::{Application, Mode, Options, shown};
use super::supervise::Supervisor;

/// Connections that wait for the application to accept them.
const BACKLOG: i32 = 128;

/// Gives the connection for the request, or none where none is to be carried.
pub(crate) fn open(options: &Options) -> Result<Option<RawFd>, Failure> {
    let name = options.name.as_slice();
    match &options.mode {
        Mode::Start(application) => start(name, application).map(|()| None),
        Mode::Supervise(application) => supervise(name, application).map(|()| None),
        Mode::Carry => connect(name).map(Some),
        Mode::StartAndCarry(application) => match socket::connect(name) {
            Err(error) if nobody_listens(&error) => {
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
    failure(format!("Could not connect to {}", shown(name)), error)
}

/// A failure about a connection name. No address is what `os` tells of a host that nobody knows.
fn failure(what: String, error: &io::Error) -> Failure {
    match error.kind() {
        ErrorKind::AddrNotAvailable => Failure::new(format!("{what}: unknown host"), NAME_STATUS),
        _ => Failure::system(what, error),
    }
}

/// Whether the error means that an application may be started. Not every error does: a socket that
/// we may not use is somebody's.
fn nobody_listens(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::NotFound | ErrorKind::ConnectionRefused)
}

/// Listens at `name` and starts the application's processes with the listen socket as descriptor 0.
fn start(name: &[u8], application: &Application) -> Result<(), Failure> {
    let (program, listen_socket) = prepare(name, application)?;
    let started = (0..application.servers).try_for_each(|_| spawn::spawn(&program, listen_socket));
    descriptor::close(listen_socket);
    started.map_err(|error| not_started(application, &error))
}

/// The same, and stays until all of them were told to stop.
fn supervise(name: &[u8], application: &Application) -> Result<(), Failure> {
    let (program, listen_socket) = prepare(name, application)?;
    let supervised = Supervisor::new(&program, listen_socket, application.servers).run();
    descriptor::close(listen_socket);
    supervised.map_err(|error| not_started(application, &error))
}

fn not_started(application: &Application, error: &io::Error) -> Failure {
    Failure::system(format!("Could not start {}", shown(&application.path)), error)
}

/// The program to execute and its listen socket.
fn prepare(name: &[u8], application: &Application) -> Result<(CString, RawFd), Failure> {
    let Some(program) = executable(&application.path) else {
        let path = shown(&application.path);
        return Err(Failure::new(format!("{path} is not executable"), OTHER_STATUS));
    };
    let listen_socket = socket::listen(name, BACKLOG)
        .map_err(|error| failure(format!("Could not listen at {}", shown(name)), &error))?;
    Ok((program, listen_socket))
}

/// The path of a file that can be executed.
fn executable(path: &[u8]) -> Option<CString> {
    let file = std::fs::metadata(OsStr::from_bytes(path)).ok()?;
    let executable = file.is_file() && file.permissions().mode() & 0o111 != 0;
    CString::new(path).ok().filter(|_| executable)
}
