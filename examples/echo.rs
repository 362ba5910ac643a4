//! Responds with the parameters and the body of the request.
//!
//! Usage: echo [THREADS [ADDRESS]]
//!
//! Without an address the listen socket is descriptor 0, as a web server or `spawn-fcgi` starts it.

use std::env;
use std::io::{self, Write};
use std::process::ExitCode;
use std::thread;

use fcgi::{ListenSocket, Parts, Request};

fn echo(mut request: Request) -> io::Result<()> {
    let Parts { params, mut body, mut out, mut log } = request.parts();
    out.write_all(b"Content-Type: application/octet-stream\r\n\r\n")?;
    for (name, value) in params {
        for piece in [name, b"=", value, b"\n"] {
            out.write_all(piece)?;
        }
    }
    out.write_all(b"\n")?;
    let copied = io::copy(&mut body, &mut out)?;
    writeln!(log, "echo: the body has {copied} bytes")?;
    request.end(0)
}

/// Answers requests until shutdown is requested. A request that fails is given up, and the next one served.
fn serve(socket: &ListenSocket) -> io::Result<()> {
    while let Some(request) = socket.accept()? {
        if let Err(error) = echo(request) {
            eprintln!("echo: a request was given up: {error}");
        }
    }
    Ok(())
}

fn main() -> ExitCode {
    let mut arguments = env::args_os().skip(1);
    let threads = arguments.next().and_then(|text| text.to_str()?.parse().ok()).unwrap_or(1_usize);
    let socket = match arguments.next() {
        Some(address) => ListenSocket::bind(address, 128),
        None => ListenSocket::inherited(),
    };
    let served = socket.and_then(|socket| {
        thread::scope(|scope| {
            let others: Vec<_> = (1..threads).map(|_| scope.spawn(|| serve(&socket))).collect();
            let own = serve(&socket);
            others.into_iter().filter_map(|thread| thread.join().ok()).fold(own, Result::and)
        })
    });
    match served {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("echo: {error}");
            ExitCode::FAILURE
        }
    }
}
