//! A client that speaks HTTP/1.1 to a web server, one request per connection.

// Every test program uses only a part of this.
#![allow(dead_code)]

use crate::SERVED;
use std::fmt;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::thread;
use std::time::Duration;

/// The address on which a web server listens.
#[derive(Clone, Debug)]
pub enum Client {
    Unix(PathBuf),
    /// A port of this machine.
    Tcp(u16),
}

/// A connection that is kept for further requests.
pub struct Kept {
    stream: UnixStream,
    reader: BufReader<UnixStream>,
}

/// A complete response.
pub struct Response {
    pub status: u16,
    headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

/// A request to be sent.
#[derive(Clone, Copy, Default)]
pub struct Request<'a> {
    pub target: &'a str,
    /// The body of a POST request; without it the request is a GET.
    pub body: Option<&'a [u8]>,
    /// Additional header lines, each with its end of line.
    pub headers: &'a str,
}

impl Client {
    /// Returns the response to a GET request; its status must be 200.
    pub fn get(&self, target: &str) -> Response {
        self.must_answer(Request { target, ..Request::default() })
    }

    pub fn post(&self, target: &str, body: &[u8]) -> Response {
        self.must_answer(Request { target, body: Some(body), ..Request::default() })
    }

    fn must_answer(&self, request: Request) -> Response {
        let target = request.target;
        let response = self.send(request).unwrap_or_else(|error| panic!("{target}: {error}"));
        assert_eq!(response.status, 200, "{target}: {response:?}");
        response
    }

    /// Returns the response, whatever its status. An incomplete response is an error.
    pub fn send(&self, request: Request) -> io::Result<Response> {
        let stream = self.connect()?;
        let mut writer = UnixStream::from(stream.try_clone()?);
        let body = request.body.unwrap_or_default();
        let head = head(&request, body.len());
        thread::scope(|scope| {
            // Sending runs apart from reading: the web server may answer before it has read everything,
            // and may then close. Only the response counts.
            scope.spawn(move || writer.write_all(&head).and_then(|()| writer.write_all(body)));
            read_response(BufReader::new(UnixStream::from(stream)))
        })
    }

    /// Returns the statuses of the responses to GET requests sent one after the other on one
    /// connection.
    pub fn in_a_row(&self, target: &str, times: usize) -> io::Result<Vec<u16>> {
        let mut kept = self.keep()?;
        (0..times).map(|_| kept.get(target, SERVED).map(|response| response.status)).collect()
    }

    /// Opens a connection that is kept.
    pub fn keep(&self) -> io::Result<Kept> {
        let stream = UnixStream::from(self.connect()?);
        let reader = BufReader::new(stream.try_clone()?);
        Ok(Kept { stream, reader })
    }

    /// Sends a request that announces `announced` bytes of body but sends only `body`, reads `enough`
    /// bytes of the answer and closes.
    pub fn go_away(&self, target: &str, announced: usize, body: &[u8], enough: usize) {
        let mut stream = UnixStream::from(self.connect().unwrap());
        let request = Request { target, body: Some(body), ..Request::default() };
        stream.write_all(&head(&request, announced)).unwrap();
        stream.write_all(body).unwrap();
        stream.read_exact(&mut vec![0; enough]).unwrap();
    }

    /// Returns a connected stream socket. The functions of UnixStream used here work on every kind.
    pub fn connect(&self) -> io::Result<OwnedFd> {
        let stream: OwnedFd = match self {
            Self::Unix(path) => UnixStream::connect(path)?.into(),
            Self::Tcp(port) => TcpStream::connect((Ipv4Addr::LOCALHOST, *port))?.into(),
        };
        let stream = UnixStream::from(stream);
        stream.set_read_timeout(Some(SERVED))?;
        stream.set_write_timeout(Some(SERVED))?;
        Ok(stream.into())
    }
}

impl Kept {
    /// Returns the response to a GET request, or an error if the next bytes do not come within the
    /// limit.
    pub fn get(&mut self, target: &str, limit: Duration) -> io::Result<Response> {
        self.stream.set_read_timeout(Some(limit))?;
        let head = format!("GET {target} HTTP/1.1\r\nHost: localhost\r\n\r\n");
        self.stream.write_all(head.as_bytes())?;
        read_response(&mut self.reader)
    }
}

fn head(request: &Request, length: usize) -> Vec<u8> {
    let method = if request.body.is_some() { "POST" } else { "GET" };
    let mut text =
        format!("{method} {} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n", request.target);
    if request.body.is_some() {
        text += &format!("Content-Type: application/octet-stream\r\nContent-Length: {length}\r\n");
    }
    (text + request.headers + "\r\n").into_bytes()
}

/// Reads a response. A web server sends the last chunk only after a complete response of the
/// application: a body without it has been cut off.
fn read_response(mut stream: impl BufRead) -> io::Result<Response> {
    let status = read_line(&mut stream)?;
    let number = status.split(' ').nth(1).and_then(|number| number.parse().ok());
    let status = number.ok_or_else(|| broken(&format!("status line {status:?}")))?;
    let mut headers = Vec::new();
    while let Some((name, value)) = read_line(&mut stream)?.split_once(':') {
        headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
    }
    let mut response = Response { status, headers, body: Vec::new() };
    response.body = if response.header("transfer-encoding") == "chunked" {
        read_chunks(stream)?
    } else if let Ok(length) = response.header("content-length").parse() {
        read_exactly(&mut stream, length)?
    } else {
        let mut body = Vec::new();
        stream.read_to_end(&mut body)?;
        body
    };
    Ok(response)
}

fn read_line(stream: &mut impl BufRead) -> io::Result<String> {
    let mut line = String::new();
    stream.read_line(&mut line)?;
    if line.ends_with('\n') {
        Ok(line.trim_end().to_owned())
    } else {
        Err(broken(&format!("ends in {line:?}")))
    }
}

fn read_chunks(mut stream: impl BufRead) -> io::Result<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let line = read_line(&mut stream)?;
        let size = usize::from_str_radix(&line, 16).map_err(|_| broken("size of a chunk"))?;
        body.append(&mut read_exactly(&mut stream, size)?);
        if !read_line(&mut stream)?.is_empty() {
            return Err(broken("end of a chunk"));
        }
        if size == 0 {
            return Ok(body);
        }
    }
}

fn read_exactly(stream: &mut impl Read, length: usize) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; length];
    stream.read_exact(&mut bytes)?;
    Ok(bytes)
}

fn broken(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("broken response: {what}"))
}

impl Response {
    /// Returns the value of a header; empty if the header is missing.
    pub fn header(&self, name: &str) -> &str {
        let found = self.headers.iter().find(|(known, _)| known == name);
        found.map_or("", |(_, value)| value)
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

impl fmt::Debug for Response {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let body = &self.body[..self.body.len().min(300)];
        write!(f, "{} {:?} \"{}\"", self.status, self.headers, body.escape_ascii())
    }
}
