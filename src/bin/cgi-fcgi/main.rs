//! cgi-fcgi: carries a CGI request to a FastCGI application.
//!
//! `options` parses the command line, `launch` connects and starts applications, `supervise` restarts them
//! when they end. `request` encodes the request and `reply` decodes the reply, both without I/O; `bridge`
//! moves the bytes between them and the descriptors.

#![forbid(unsafe_code)]

mod bridge;
mod environment;
mod failure;
mod launch;
mod options;
mod reply;
mod request;
mod supervise;

use std::ffi::OsString;
use std::io::{self, Write};
use std::os::unix::ffi::OsStringExt;
use std::process::ExitCode;
use std::thread;
use std::time::Duration;

use fcgi::internals::os::signal;

use failure::{Failure, OTHER_STATUS, TIMEOUT_STATUS, complain};
use options::{Command, Options, USAGE};

fn main() -> ExitCode {
    signal::outlive_broken_pipes();
    match options::parse(std::env::args_os().skip(1)) {
        Ok(Command::Help) => say(USAGE),
        Ok(Command::Version) => {
            say(concat!("cgi-fcgi (libfcgi-rs) ", env!("CARGO_PKG_VERSION"), "\n"))
        }
        Ok(Command::Run(options)) => ExitCode::from(run(&options).unwrap_or_else(|failure| {
            complain(&format!("{}\n", failure.message));
            failure.status
        })),
        Err(complaints) => {
            complain(&format!("{}\n{USAGE}", complaints.join("\n")));
            ExitCode::from(OTHER_STATUS)
        }
    }
}

/// Executes the options. Returns the exit status: the lowest byte of the application's, which is all that a
/// system keeps.
fn run(options: &Options) -> Result<u8, Failure> {
    if let Some(timeout) = options.timeout {
        limit_time(timeout)?;
    }
    let Some(connection) = launch::open(options)? else { return Ok(0) };
    let length = std::env::var_os("CONTENT_LENGTH").map(OsString::into_vec);
    let variables = std::env::vars_os().map(|(name, value)| (name.into_vec(), value.into_vec()));
    let request = request::Request::new(variables, environment::body_length(length.as_deref()));
    let status = bridge::Bridge::new(connection, request).run()?;
    Ok(status.to_le_bytes()[0])
}

/// Starts a thread that ends the process after `timeout`, whatever it is doing: looking up a host, connecting
/// and writing cannot all have a timeout of their own.
fn limit_time(timeout: Duration) -> Result<(), Failure> {
    let watch = move || {
        thread::sleep(timeout);
        complain(&format!("Timeout: the request did not end within {} s\n", timeout.as_secs_f64()));
        std::process::exit(i32::from(TIMEOUT_STATUS));
    };
    match thread::Builder::new().spawn(watch) {
        Ok(_) => Ok(()),
        Err(error) => Err(Failure::system("Cannot keep the time", &error)),
    }
}

/// Writes to standard output.
fn say(text: &str) -> ExitCode {
    match io::stdout().write_all(text.as_bytes()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::from(OTHER_STATUS),
    }
}
