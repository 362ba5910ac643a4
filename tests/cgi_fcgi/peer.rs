//! A scripted application and a runner for tests of the bridge program. Nothing here uses the library: the
//! protocol is written by hand.

use std::fs::File;
use std::io::{self, Read, Write};
use std::net::TcpListener;
use std::os::unix::net::UnixListener;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use testkit::LIMIT;

pub(crate) const STDOUT: u8 = 6;
pub(crate) const STDERR: u8 = 7;

/// Returns one record of request 1.
pub(crate) fn record(kind: u8, content: &[u8]) -> Vec<u8> {
    let length = u16::try_from(content.len()).unwrap().to_be_bytes();
    [&[1, kind, 0, 1, length[0], length[1], 0, 0], content].concat()
}

/// Returns the END_REQUEST record of request 1.
pub(crate) fn end(app_status: u32, protocol_status: u8) -> Vec<u8> {
    let s = app_status.to_be_bytes();
    record(3, &[s[0], s[1], s[2], s[3], protocol_status, 0, 0, 0])
}

/// Returns `bytes` as a stream of records.
pub(crate) fn stream(kind: u8, bytes: &[u8]) -> Vec<u8> {
    bytes.chunks(65_535).flat_map(|chunk| record(kind, chunk)).collect()
}

/// What the application has received.
#[derive(Debug, Default)]
pub(crate) struct Heard {
    pub(crate) begin: Vec<u8>,
    pub(crate) params: Vec<u8>,
    pub(crate) body: Vec<u8>,
    pub(crate) body_bytes: u64,
    /// Whether the end of the body was received.
    pub(crate) complete: bool,
}

impl Heard {
    /// Returns the decoded parameters.
    pub(crate) fn pairs(&self) -> Vec<(String, String)> {
        let (mut rest, mut pairs) = (&self.params[..], Vec::new());
        while !rest.is_empty() {
            let (name, value) = (length(&mut rest), length(&mut rest));
            let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
            pairs.push((text(&rest[..name]), text(&rest[name..name + value])));
            rest = &rest[name + value..];
        }
        pairs
    }
}

fn length(bytes: &mut &[u8]) -> usize {
    let mut number = [0; 4];
    let n = if bytes[0] < 0x80 { 1 } else { 4 };
    number[4 - n..].copy_from_slice(&bytes[..n]);
    *bytes = &bytes[n..];
    (u32::from_be_bytes(number) & 0x7fff_ffff) as usize
}

/// The application's end of a connection.
pub(crate) trait Stream: Read + Write + Send {}
impl<T: Read + Write + Send> Stream for T {}

pub(crate) struct Conversation {
    stream: Box<dyn Stream>,
    pub(crate) heard: Heard,
    /// Whether the body is kept or only counted.
    pub(crate) keep_body: bool,
}

impl Conversation {
    /// Receives one record. Returns false at the end of the connection.
    fn hear_record(&mut self) -> bool {
        let mut header = [0; 8];
        if self.stream.read_exact(&mut header).is_err() {
            return false;
        }
        assert_eq!(&header[..1], [1], "version");
        assert_eq!(&header[2..4], [0, 1], "request id");
        let length = usize::from(u16::from_be_bytes([header[4], header[5]]));
        let mut content = vec![0; length + usize::from(header[6])];
        self.stream.read_exact(&mut content).unwrap();
        content.truncate(length);
        match header[1] {
            1 => self.heard.begin = content,
            4 => self.heard.params.extend(content),
            5 => {
                self.heard.complete = content.is_empty();
                self.heard.body_bytes += length as u64;
                if self.keep_body {
                    self.heard.body.extend(content);
                }
            }
            kind => panic!("a record of type {kind}"),
        }
        true
    }

    /// Receives the whole request.
    pub(crate) fn hear(&mut self) {
        while !self.heard.complete && self.hear_record() {}
    }

    /// Sends bytes. Ignores errors: the bridge may have ended.
    pub(crate) fn say(&mut self, bytes: &[u8]) {
        let _ = self.stream.write_all(bytes);
    }
}

/// An application that accepts one connection and follows a script.
pub(crate) struct Peer {
    heard: Receiver<Heard>,
}

type Accept = Box<dyn FnOnce() -> io::Result<Box<dyn Stream>> + Send>;

impl Peer {
    fn start(accept: Accept, script: impl FnOnce(&mut Conversation) + Send + 'static) -> Self {
        let (tell, heard) = mpsc::channel();
        thread::spawn(move || {
            let stream = accept().unwrap();
            let mut conversation =
                Conversation { stream, heard: Heard::default(), keep_body: true };
            script(&mut conversation);
            drop(conversation.stream);
            let _ = tell.send(conversation.heard);
        });
        Self { heard }
    }

    /// Starts one that listens on a unix socket.
    pub(crate) fn unix(
        path: &Path,
        script: impl FnOnce(&mut Conversation) + Send + 'static,
    ) -> Self {
        let _ = std::fs::remove_file(path);
        let socket = UnixListener::bind(path).unwrap();
        let accept = move || {
            let (stream, _) = socket.accept()?;
            stream.set_read_timeout(Some(LIMIT))?;
            Ok(Box::new(stream) as Box<dyn Stream>)
        };
        Self::start(Box::new(accept), script)
    }

    /// Starts one that listens on a TCP socket.
    pub(crate) fn tcp(
        socket: TcpListener,
        script: impl FnOnce(&mut Conversation) + Send + 'static,
    ) -> Self {
        let accept = move || {
            let (stream, _) = socket.accept()?;
            stream.set_read_timeout(Some(LIMIT))?;
            Ok(Box::new(stream) as Box<dyn Stream>)
        };
        Self::start(Box::new(accept), script)
    }

    /// Returns what the application has received, once its script has ended.
    pub(crate) fn heard(self) -> Heard {
        self.heard.recv_timeout(LIMIT).expect("the application's script ends")
    }
}

/// The outcome of a program.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) status: i32,
    pub(crate) stdout: Vec<u8>,
    pub(crate) stderr: String,
}

/// The standard input of a program.
pub(crate) enum Input {
    /// These bytes, then the end.
    Bytes(Vec<u8>),
    /// These bytes, and no end while the program runs.
    Open(Vec<u8>),
    /// The content of a file.
    File(File),
}

/// A running program whose output is collected.
pub(crate) struct Running {
    pub(crate) child: Child,
    stdout: Receiver<Vec<u8>>,
    stderr: Receiver<Vec<u8>>,
    /// Keeps standard input open.
    _stdin: Receiver<std::process::ChildStdin>,
}

/// Starts `command` with `input`.
pub(crate) fn start(command: &mut Command, input: Input) -> Running {
    let (bytes, open, stdin) = match input {
        Input::Bytes(bytes) => (bytes, false, Stdio::piped()),
        Input::Open(bytes) => (bytes, true, Stdio::piped()),
        Input::File(file) => (Vec::new(), false, file.into()),
    };
    command.stdin(stdin).stdout(Stdio::piped()).stderr(Stdio::piped());
    // Tests that run under nohup or in the background of a shell ignore signals, and the programs that they
    // start would inherit that.
    // SAFETY: signal(2) is async-signal-safe.
    unsafe {
        command.pre_exec(|| {
            for number in [libc::SIGHUP, libc::SIGINT, libc::SIGTERM] {
                libc::signal(number, libc::SIG_DFL);
            }
            Ok(())
        });
    }
    let mut child = command.spawn().unwrap();
    let stdout = collect(child.stdout.take().unwrap());
    let stderr = collect(child.stderr.take().unwrap());
    let (keep, kept) = mpsc::channel();
    if let Some(mut pipe) = child.stdin.take() {
        thread::spawn(move || {
            // A program may end before it has read everything.
            let _ = pipe.write_all(&bytes);
            if open {
                let _ = keep.send(pipe);
            }
        });
    }
    Running { child, stdout, stderr, _stdin: kept }
}

fn collect(mut from: impl Read + Send + 'static) -> Receiver<Vec<u8>> {
    let (tell, told) = mpsc::channel();
    thread::spawn(move || {
        let mut bytes = Vec::new();
        let _ = from.read_to_end(&mut bytes);
        let _ = tell.send(bytes);
    });
    told
}

impl Running {
    /// Waits for the end. Kills a program that takes too long and fails the test.
    pub(crate) fn finish(mut self) -> Outcome {
        let outputs = (self.stdout.recv_timeout(LIMIT), self.stderr.recv_timeout(LIMIT));
        let (Ok(stdout), Ok(stderr)) = outputs else {
            let _ = self.child.kill();
            panic!("the program hangs");
        };
        let status = status(self.child.wait().unwrap());
        Outcome { status, stdout, stderr: String::from_utf8(stderr).unwrap() }
    }
}

fn status(status: ExitStatus) -> i32 {
    status.code().unwrap_or_else(|| panic!("the program was killed: {status}"))
}
