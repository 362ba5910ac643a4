//! FastCGI for programs behind a web server: nginx, Apache, lighttpd, Caddy, HAProxy, h2o.
//!
//! The web server connects to a [`ListenSocket`]. Each [`Request`] has parameters, a body that implements
//! [`Read`](std::io::Read), and takes a response that is written with [`Write`](std::io::Write):
//!
//! ```no_run
//! use std::io::Write;
//!
//! use fcgi::ListenSocket;
//!
//! fn main() -> std::io::Result<()> {
//!     let socket = ListenSocket::inherited()?; // or ListenSocket::bind("/run/app.sock", 128)?
//!     while let Some(mut request) = socket.accept()? {
//!         let name = request.param("QUERY_STRING").unwrap_or_default().escape_ascii().to_string();
//!         writeln!(request, "Content-Type: text/plain\r\n\r\nHello, {name}!")?;
//!         request.end(0)?;
//!     }
//!     Ok(()) // SIGTERM or SIGUSR1 has come, and every request is answered
//! }
//! ```
//!
//! An error of one request, such as a client that has gone away, is no reason to end the program: real programs
//! log it and go on.
//!
//! Everything blocks; programs use threads ([`ListenSocket`] says how) or processes. Connections that the web
//! server keeps open occupy no thread while they are idle. Steady traffic allocates no memory. Time limits and
//! other settings are environment variables: see libfcgi(7), or `docs/operating.md` in the crate.
//!
//! ```
//! # use std::io::{Read, Write};
//! # use std::net::Shutdown;
//! # use std::os::unix::net::{UnixListener, UnixStream};
//! # let directory = std::env::temp_dir().join(format!("fcgi-doc-{}", std::process::id()));
//! # std::fs::create_dir(&directory)?;
//! # let path = directory.join("socket");
//! // Any listen socket will do. This request echoes its body.
//! let socket = fcgi::ListenSocket::new(UnixListener::bind(&path)?)?;
//! # let mut client = UnixStream::connect(&path)?;
//! # std::fs::remove_dir_all(&directory)?;
//! # // BEGIN_REQUEST for a Responder, the empty PARAMS, a STDIN of four bytes and its end.
//! # client.write_all(b"\x01\x01\0\x01\0\x08\0\0\0\x01\0\0\0\0\0\0\x01\x04\0\x01\0\0\0\0")?;
//! # client.write_all(b"\x01\x05\0\x01\0\x04\0\0body\x01\x05\0\x01\0\0\0\0")?;
//! # client.shutdown(Shutdown::Write)?;
//! if let Some(mut request) = socket.accept()? {
//!     let fcgi::Parts { mut body, mut out, mut log, .. } = request.parts();
//!     out.write_all(b"Content-Type: application/octet-stream\r\n\r\n")?;
//!     let copied = std::io::copy(&mut body, &mut out)?;
//!     writeln!(log, "echoed {copied} bytes")?;
//!     request.end(0)?;
//! }
//! # let mut answer = Vec::new();
//! # client.read_to_end(&mut answer)?;
//! # let content = b"Content-Type: application/octet-stream\r\n\r\nbody";
//! # assert!(answer.windows(content.len()).any(|bytes| bytes == content));
//! # assert!(answer.windows(14).any(|bytes| bytes == b"echoed 4 bytes"));
//! # Ok::<(), std::io::Error>(())
//! ```
//!
//! # The C API
//!
//! The crate's main product is a drop-in replacement for libfcgi, the FastCGI Developer's Kit library: `make`
//! builds `libfcgi.so.0`, `libfcgi.a` and their headers from it. `README.md` and `docs/` in the crate describe
//! them. A program that links this crate may contain C code that uses the C API; a listen socket and its
//! connections may serve both.
//!
//! # Layers
//!
//! For those who work on the library, from the wire to programs:
//!
//! * [`protocol`]: the FastCGI 1.0 specification: bytes to values and back. No I/O, no clock.
//! * [`os`]: every system call, as safe functions over descriptors.
//! * [`serve`]: the life of a FastCGI application: waiting, connections, requests.
//! * [`capi`]: C names, C layouts, C pointers. [`api`]: safe types for Rust programs.
//!
//! Calls go one way: from capi and api to serve, from serve to protocol and os. Beside these layers are
//! `src/shim` (the printf family, in C), `src/cxx` (libfcgi++, in C++) and `src/bin/cgi-fcgi` (the bridge from
//! CGI, which uses protocol and os).

#![warn(rustdoc::broken_intra_doc_links)]
#![allow(
    rustdoc::private_intra_doc_links,
    reason = "the layers are for those who work on the library: cargo doc --document-private-items"
)]

mod api;
mod capi;
#[doc(hidden)]
pub mod internals;
mod os;
mod protocol;
mod serve;

pub use api::{
    Body, ListenSocket, Log, Out, Pairs, Params, Parts, Request, Role, request_shutdown,
};
