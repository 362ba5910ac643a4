//! A web server of the test's own, nginx, and a client that speaks HTTP/1.1 to it.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::support::{Running, TempDir, need, until};

const LIMIT: Duration = Duration::from_secs(30);
const CONFIGURATION: &str = include_str!("../fixtures/programs/nginx.conf");

/// nginx between `http.sock`, where the client connects, and `app.sock`, where the program listens.
pub(crate) struct Nginx {
    pub(crate) client: Client,
    _running: Running,
}

/// Sends each request on a connection of its own.
pub(crate) struct Client(PathBuf);

impl Nginx {
    pub(crate) fn start(dir: &TempDir) -> Nginx {
        need("nginx", "/usr/sbin/nginx");
        let path = dir.path().to_str().unwrap();
        let configuration = dir.join("nginx.conf");
        fs::write(&configuration, CONFIGURATION.replace("@DIR@", path)).unwrap();
        let log = dir.join("nginx.log");
        let mut nginx = Command::new("/usr/sbin/nginx");
        nginx.args(["-e", "stderr", "-p", path, "-c"]).arg(&configuration);
        nginx.stdin(Stdio::null()).stderr(File::create(&log).unwrap());
        let running = Running::start(&mut nginx);
        // What nginx says once its sockets listen.
        until("nginx to start", LIMIT, || {
            fs::read_to_string(&log).unwrap().contains("event method").then_some(())
        });
        Nginx { client: Client(dir.join("http.sock")), _running: running }
    }
}

impl Client {
    /// The body of the response, whose status must be 200.
    pub(crate) fn get(&self, target: &str) -> Vec<u8> {
        self.exchange("GET", target, &[])
    }

    pub(crate) fn post(&self, target: &str, body: &[u8]) -> Vec<u8> {
        self.exchange("POST", target, body)
    }

    fn exchange(&self, method: &str, target: &str, body: &[u8]) -> Vec<u8> {
        let mut stream = UnixStream::connect(&self.0).unwrap();
        stream.set_read_timeout(Some(LIMIT)).unwrap();
        stream.set_write_timeout(Some(LIMIT)).unwrap();
        let head = format!(
            "{method} {target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\
             Content-Type: application/octet-stream\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        stream.write_all(head.as_bytes()).unwrap();
        stream.write_all(body).unwrap();
        read_response(BufReader::new(stream))
    }
}

/// nginx sends the last chunk only after a complete response of the program: a body without it has
/// been cut off.
fn read_response(mut stream: impl BufRead) -> Vec<u8> {
    let mut status = String::new();
    stream.read_line(&mut status).unwrap();
    let mut chunked = false;
    let mut length = 0;
    loop {
        let mut line = String::new();
        stream.read_line(&mut line).unwrap();
        match line.trim_end().to_ascii_lowercase().split_once(": ") {
            Some(("transfer-encoding", "chunked")) => chunked = true,
            Some(("content-length", value)) => length = value.parse().unwrap(),
            Some(_) => {}
            None => break,
        }
    }
    let body = if chunked { read_chunks(stream) } else { read_exactly(&mut stream, length) };
    assert!(status.starts_with("HTTP/1.1 200 "), "{}{}", status, String::from_utf8_lossy(&body));
    body
}

fn read_chunks(mut stream: impl BufRead) -> Vec<u8> {
    let mut body = Vec::new();
    loop {
        let mut size = String::new();
        stream.read_line(&mut size).unwrap();
        let size = usize::from_str_radix(size.trim_end(), 16).expect("a chunk's size");
        body.append(&mut read_exactly(&mut stream, size));
        assert_eq!(read_exactly(&mut stream, 2), b"\r\n");
        if size == 0 {
            return body;
        }
    }
}

fn read_exactly(stream: &mut impl Read, length: usize) -> Vec<u8> {
    let mut bytes = vec![0; length];
    stream.read_exact(&mut bytes).unwrap();
    bytes
}
