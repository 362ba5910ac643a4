//! The C examples, built with their own Makefile as a user builds them, answer real requests. They run on the
//! original first, then on ours, with the same answers.

mod ending;

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;

use fcgi::internals::protocol::{EndRequest, ProtocolStatus, RecordType, Role};
use testkit::wire::{self, Connection};
use testkit::{LIMIT, Library, PATIENCE, Running, TempDir, dist, need, root, run, until};

#[test]
fn echo_answers_with_environment_and_body() {
    for library in Library::BOTH {
        let example = Example::build(library, "echo");
        let server = example.on_descriptor_0();
        check_echo(&server, "echo: the body broke off after 5 bytes\n");
        server.stop();
    }
}

#[test]
fn echo_is_a_cgi_program_too() {
    for library in Library::BOTH {
        let example = Example::build(library, "echo");
        let mut command = example.command();
        command.env("QUERY_STRING", "a=1");
        let output = run(&mut command, PATIENCE).must_succeed();
        assert!(output.starts_with("Content-Type: text/plain\r\n\r\n"), "{output}");
        assert!(output.contains("\nQUERY_STRING=a=1\n"), "{output}");
    }
}

#[test]
fn echo_fcgiapp_answers_with_environment_and_body() {
    for library in Library::BOTH {
        let example = Example::build(library, "echo_fcgiapp");
        for server in [example.on_descriptor_0(), example.on_an_address()] {
            check_echo(&server, "echo_fcgiapp: the body broke off\n");
            server.stop();
        }
    }
}

fn check_echo(server: &Server, complaint: &str) {
    let head = "Content-Type: text/plain\r\n\r\nFCGI_ROLE=RESPONDER\nA=b\nEMPTY=\n\n";
    let request = Request::new(Role::Responder).param("A", "b").param("EMPTY", "").body(b"hello");
    assert_eq!(server.ask(&request), Answer::of(&format!("{head}hello")));

    let cut = server.ask(&Request { broken_off: true, ..request });
    assert_eq!(cut, Answer { stderr: complaint.to_owned(), ..Answer::of(&format!("{head}hello")) });
}

#[test]
fn upload_reads_a_body_of_any_size() {
    for library in Library::BOTH {
        let example = Example::build(library, "upload");
        let server = example.on_descriptor_0();
        let upload = |announced: usize, body: &[u8]| {
            Request::new(Role::Responder).param("CONTENT_LENGTH", &announced.to_string()).body(body)
        };
        let report = "Content-Type: text/plain\r\n\r\nlength: 9\nadler32: 11e60398\n";
        assert_eq!(server.ask(&upload(9, b"Wikipedia")), Answer::of(report));

        let large: Vec<u8> = (0..5_000_000_u64).map(|n| ((n * n) >> 7) as u8).collect();
        let checksum = adler32(&large);
        assert_eq!(
            server.ask(&upload(large.len(), &large)),
            Answer::of(&format!(
                "Content-Type: text/plain\r\n\r\nlength: 5000000\nadler32: {checksum:08x}\n"
            ))
        );

        let refused = Answer::of(&format!("Status: 400 Bad Request\r\n{report}"));
        let short = upload(10, b"Wikipedia");
        assert_eq!(server.ask(&short), refused);
        assert_eq!(server.ask(&Request { broken_off: true, ..short }), refused);
        server.stop();
    }
}

fn adler32(bytes: &[u8]) -> u32 {
    let (low, high) = bytes.iter().fold((1, 0), |(low, high), &byte| {
        let low = (low + u32::from(byte)) % 65_521;
        (low, (high + low) % 65_521)
    });
    high << 16 | low
}

#[test]
fn threads_serve_one_socket() {
    const CLIENTS: usize = 8;
    const REQUESTS: usize = 25;
    for library in Library::BOTH {
        let example = Example::build(library, "threaded");
        let server = example.on_descriptor_0();
        let socket = &server.socket;
        let ask = || {
            let request = Request::new(Role::Responder).param("SCRIPT_NAME", "/x");
            let answer = request.send(socket).stdout;
            assert!(answer.contains("\r\n\r\npath: /x\nthread: "), "{answer}");
            let (_, number) = answer.trim_end().rsplit_once("request: ").unwrap();
            number.parse::<usize>().unwrap()
        };
        let numbers: BTreeSet<usize> = thread::scope(|scope| {
            let client = || (0..REQUESTS).map(|_| ask()).collect::<Vec<_>>();
            let clients: Vec<_> = (0..CLIENTS).map(|_| scope.spawn(client)).collect();
            clients.into_iter().flat_map(|client| client.join().unwrap()).collect()
        });
        assert_eq!(numbers, (1..=CLIENTS * REQUESTS).collect());
        server.stop();
    }
}

#[test]
fn authorizer_asks_for_the_token() {
    for library in Library::BOTH {
        let example = Example::build(library, "authorizer");
        let server = example.on_descriptor_0();
        let ask = |header| {
            server.ask(&Request::new(Role::Authorizer).param("HTTP_AUTHORIZATION", header)).stdout
        };
        assert_eq!(
            ask("Bearer secret"),
            "Status: 200 OK\r\nVariable-AUTHORIZED_BY: authorizer\r\n\r\n"
        );
        for header in ["Bearer secre", "Bearer secrets", "Bearer ", "Basic secret", ""] {
            let answer = ask(header);
            assert!(answer.starts_with("Status: 401 Unauthorized\r\n"), "{header}: {answer}");
        }
        let answer = server.ask(&Request::new(Role::Responder).param("A", "b")).stdout;
        assert!(answer.starts_with("Status: 500 "), "{answer}");
        server.stop();
    }
}

#[test]
fn filter_changes_the_file() {
    for library in Library::BOTH {
        let example = Example::build(library, "filter");
        let server = example.on_descriptor_0();
        let file = "a line of the file\n".repeat(10_000);
        let request = Request::new(Role::Filter).param("A", "b").body(b"unwanted");
        let answer = server.ask(&Request { data: Some(file.clone().into_bytes()), ..request });
        let expected = format!("Content-Type: text/plain\r\n\r\n{}", file.to_uppercase());
        assert_eq!(answer, Answer::of(&expected));

        let answer = server.ask(&Request::new(Role::Responder).param("A", "b")).stdout;
        assert!(answer.starts_with("Status: 500 "), "{answer}");
        server.stop();
    }
}

/// One example built against one library, in a directory that is removed with it.
struct Example {
    library: Library,
    name: &'static str,
    dir: TempDir,
}

impl Example {
    fn build(library: Library, name: &'static str) -> Self {
        let example = Self { library, name, dir: TempDir::new() };
        let mut pkg_config_path = PathBuf::new();
        match library {
            Library::Original => need("libfcgi-dev", "/usr/include/fcgiapp.h"),
            Library::Ours => {
                let build = format!("BUILDDIR={}", dist().display());
                let prefix = format!("PREFIX={}", example.dir.path().display());
                make(&root(""), &["install", &build, &prefix]);
                pkg_config_path = example.lib().join("pkgconfig");
            }
        }
        let program = example.dir.join(name).display().to_string();
        let out = format!("OUT={}", example.dir.path().display());
        let path = format!("PKG_CONFIG_PATH={}", pkg_config_path.display());
        make(&root("examples-c"), &[&program, &out, &path, "CFLAGS=-O2 -Werror"]);
        example
    }

    /// Returns the directory where ours is installed.
    fn lib(&self) -> PathBuf {
        self.dir.join("lib")
    }

    /// Returns a command that runs the program on the library that it was built with.
    fn command(&self) -> Command {
        let mut command = Command::new(self.dir.join(self.name));
        match self.library {
            Library::Original => command.env_remove("LD_LIBRARY_PATH"),
            Library::Ours => command.env("LD_LIBRARY_PATH", self.lib()),
        };
        command
    }

    fn on_descriptor_0(&self) -> Server<'_> {
        let socket = self.dir.join("descriptor-0");
        let listener = OwnedFd::from(UnixListener::bind(&socket).unwrap());
        self.start(self.command().stdin(listener), socket)
    }

    fn on_an_address(&self) -> Server<'_> {
        let socket = self.dir.join("address");
        self.start(self.command().arg(&socket).stdin(Stdio::null()), socket)
    }

    fn start(&self, command: &mut Command, socket: PathBuf) -> Server<'_> {
        let output = socket.with_extension("output");
        let file = File::create(&output).unwrap();
        command.env("AUTHORIZER_TOKEN", "secret").stdout(file.try_clone().unwrap()).stderr(file);
        Server { example: self, running: Running::start(command), socket, output }
    }
}

fn make(dir: &Path, arguments: &[&str]) {
    let mut make = Command::new("make");
    // A make that runs the tests keeps its job server for itself.
    make.env_remove("MAKEFLAGS").env_remove("MFLAGS").env_remove("MAKELEVEL");
    run(make.current_dir(dir).args(arguments), LIMIT).must_succeed();
}

/// A running example.
struct Server<'a> {
    example: &'a Example,
    running: Running,
    socket: PathBuf,
    output: PathBuf,
}

impl Server<'_> {
    fn ask(&self, request: &Request) -> Answer {
        request.send(&self.socket)
    }

    /// Checks that SIGTERM ends the program in order and silently, and that it ran on the library it was
    /// built for.
    fn stop(mut self) {
        let maps = fs::read_to_string(format!("/proc/{}/maps", self.running.pid())).unwrap();
        let ours = self.example.lib().join("libfcgi.so.0");
        assert!(maps.contains("/libfcgi.so.0"), "{maps}");
        let on_ours = maps.contains(ours.to_str().unwrap());
        assert_eq!(on_ours, self.example.library == Library::Ours, "{maps}");

        self.running.signal("TERM");
        let again = self.example.library == Library::Original;
        let status = until("the end after SIGTERM", PATIENCE, || {
            if again {
                // The original loses a signal that arrives just before it waits.
                self.running.signal("TERM");
            }
            self.running.ended()
        });
        assert_eq!(status.code(), Some(0), "{status}");
        assert_eq!(fs::read_to_string(&self.output).unwrap(), "");
    }
}

#[derive(Clone)]
struct Request {
    role: Role,
    params: Vec<(&'static str, String)>,
    body: Vec<u8>,
    /// The data of a filter.
    data: Option<Vec<u8>>,
    /// Whether the connection ends where the body's end should be.
    broken_off: bool,
}

impl Request {
    fn new(role: Role) -> Self {
        Self { role, params: Vec::new(), body: Vec::new(), data: None, broken_off: false }
    }

    fn param(mut self, name: &'static str, value: &str) -> Self {
        self.params.push((name, value.to_owned()));
        self
    }

    fn body(self, body: &[u8]) -> Self {
        Self { body: body.to_vec(), ..self }
    }

    fn to_bytes(&self) -> Vec<u8> {
        let params: Vec<_> = self.params.iter().map(|(name, value)| (*name, &value[..])).collect();
        let mut bytes = [
            wire::begin_role(1, self.role, false),
            wire::params(1, &params),
            wire::stdin(1, &self.body),
        ]
        .concat();
        if self.broken_off {
            bytes.truncate(bytes.len() - wire::stdin(1, b"").len());
            return bytes;
        }
        if let Some(data) = &self.data {
            bytes.extend(wire::stream(RecordType::DATA, 1, data));
        }
        bytes
    }

    fn send(&self, socket: &Path) -> Answer {
        let mut connection = Connection::open(socket);
        connection.send(&self.to_bytes());
        if self.broken_off {
            connection.half_close();
        }
        let mut answer = Answer::default();
        for record in connection.until_closed() {
            let text = || String::from_utf8(record.content.clone()).unwrap();
            match record.kind {
                RecordType::STDOUT => answer.stdout += &text(),
                RecordType::STDERR => answer.stderr += &text(),
                _ => answer.end = record.end_request(),
            }
        }
        answer
    }
}

#[derive(Debug, Default, PartialEq)]
struct Answer {
    stdout: String,
    stderr: String,
    end: Option<EndRequest>,
}

impl Answer {
    /// Returns the answer of a program that succeeds.
    fn of(stdout: &str) -> Self {
        let end = EndRequest { app_status: 0, protocol_status: ProtocolStatus::RequestComplete };
        Self { stdout: stdout.to_owned(), stderr: String::new(), end: Some(end) }
    }
}
