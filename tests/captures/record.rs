//! Records the captures again: each web server of docs/web-servers.md sends its requests through
//! c-tests/web/relay.c, which writes them to files.

use std::fs;
use std::io::{Read, Write};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

use fcgi::internals::protocol::RecordType;

use crate::captures;
use crate::streams::{content, sent, trimmed};
use testkit::web::app::{Home, Listen};
use testkit::web::servers::{APACHE, CADDY, H2O, HAPROXY, LIGHTTPD, NGINX};
use testkit::web::site::Application::{self, Spawned, Tcp, Unix};
use testkit::web::site::{Kind, Site};
use testkit::{LIMIT, Running, until};

const LARGE: usize = 100_000;
/// HAProxy 2.6.12 refuses chunked bodies that do not fit into one of its buffers, before it has sent anything
/// to the application.
const HAPROXY_CHUNKED: usize = 15_000;
/// The bytes of a large body that are sent before the client disconnects.
const PART: usize = 70_000;

struct Server {
    /// The name of the captures.
    name: &'static str,
    kind: &'static Kind,
    /// The section of docs/web-servers.md.
    title: &'static str,
    application: Application,
    /// Whether it keeps connections for more requests.
    keeps: bool,
    /// Whether it asks the application before it has the whole body.
    streams: bool,
    /// The length of the body that is sent to it in chunks.
    chunked: usize,
}

const fn server(
    name: &'static str,
    kind: &'static Kind,
    title: &'static str,
    application: Application,
) -> Server {
    Server { name, kind, title, application, keeps: false, streams: false, chunked: LARGE }
}

const fn keeping(server: Server) -> Server {
    Server { keeps: true, ..server }
}

const fn streaming(server: Server) -> Server {
    Server { streams: true, ..server }
}

const fn haproxy(name: &'static str, title: &'static str) -> Server {
    Server { chunked: HAPROXY_CHUNKED, ..streaming(server(name, &HAPROXY, title, Unix)) }
}

const RESPONDERS: [Server; 15] = [
    server("nginx-unix", &NGINX, "nginx, unix socket", Unix),
    server("nginx-tcp", &NGINX, "nginx, TCP", Tcp),
    keeping(server("nginx-unix-keepalive", &NGINX, "nginx, unix socket, keepalive", Unix)),
    keeping(server("nginx-tcp-keepalive", &NGINX, "nginx, TCP, keepalive", Tcp)),
    server("lighttpd-connecting", &LIGHTTPD, "lighttpd, connecting", Unix),
    server("lighttpd-spawning", &LIGHTTPD, "lighttpd, spawning", Spawned),
    streaming(server("apache-proxy", &APACHE, "Apache mod_proxy_fcgi", Unix)),
    streaming(keeping(server(
        "apache-proxy-enablereuse",
        &APACHE,
        "Apache mod_proxy_fcgi, enablereuse",
        Tcp,
    ))),
    server("apache-fcgid", &APACHE, "Apache mod_fcgid", Spawned),
    haproxy("haproxy", "HAProxy"),
    keeping(haproxy("haproxy-keep-conn", "HAProxy, keep-conn")),
    keeping(haproxy("haproxy-get-values", "HAProxy, get-values")),
    streaming(server("caddy-unix", &CADDY, "Caddy, unix socket", Unix)),
    streaming(server("caddy-tcp", &CADDY, "Caddy, TCP", Tcp)),
    server("h2o", &H2O, "h2o, connecting", Unix),
];

const AUTHORIZERS: [Server; 2] = [
    server("lighttpd-authorizer", &LIGHTTPD, "lighttpd, authorizer", Unix),
    server("apache-authnz", &APACHE, "Apache mod_authnz_fcgi", Tcp),
];

const GET: &str = "GET /directory/page?size=100&log=a-line&name=a%20value HTTP/1.1\r\n";
const POST: &str = "POST /directory/page?size=10 HTTP/1.1\r\n";
pub(crate) const FORM: &str = "quantity=100&item=3047936";

#[test]
#[ignore = "writes fuzz/captures; see scripts/capture.sh"]
fn record() {
    let form = format!("Content-Type: application/x-www-form-urlencoded\r\n{}", length(FORM.len()));
    let large = body(LARGE);
    for server in &RESPONDERS {
        let once = |what, head: &str, body: &[u8]| {
            let station = Station::start(server);
            station.ask(head, body);
            assert_eq!(station.passed().len(), 1, "{}, {what}", server.name);
            station.keep(what);
        };
        once("get", &head(GET, "Cookie: name=value; other=one\r\n"), b"");
        once("post", &head(POST, &form), FORM.as_bytes());
        once("large", &head(POST, &length(LARGE)), &large);
        let body = chunks(&large[..server.chunked]);
        once("chunked", &head(POST, "Transfer-Encoding: chunked\r\n"), &body);
        if server.keeps {
            let station = Station::start(server);
            // Each process of a web server keeps its own connections.
            until("a connection with three requests", LIMIT, || {
                station.ask(&head(GET, ""), b"");
                station.ask(&head(POST, &form), FORM.as_bytes());
                (station.most_requests() >= 3).then_some(())
            });
            station.keep("kept");
        }
        if server.streams {
            Station::start(server).give_up(&head(POST, &length(LARGE)), &large[..PART]);
        }
    }
    for server in &AUTHORIZERS {
        let station = Station::start(server);
        // "user:password" in Base64.
        let credentials = "Authorization: Basic dXNlcjpwYXNzd29yZA==\r\n";
        station.ask(&head("GET /file.txt HTTP/1.1\r\n", credentials), b"");
        station.keep("get");
    }
}

/// Returns the names of the captured requests that `record` makes, in order.
pub(crate) fn names() -> Vec<String> {
    let mut names = Vec::new();
    for server in &RESPONDERS {
        names.extend(["get", "post", "large", "chunked"].map(|what| (server, what)));
        names.extend(server.keeps.then_some((server, "kept")));
        names.extend(server.streams.then_some((server, "given-up")));
    }
    names.extend(AUTHORIZERS.iter().map(|server| (server, "get")));
    let mut names: Vec<_> =
        names.into_iter().map(|(server, what)| format!("{}-{what}", server.name)).collect();
    names.sort_unstable();
    names
}

fn head(line: &str, headers: &str) -> String {
    format!("{line}Host: localhost\r\nUser-Agent: client/1.0\r\nConnection: close\r\n{headers}\r\n")
}

fn length(length: usize) -> String {
    format!("Content-Length: {length}\r\n")
}

pub(crate) fn body(length: usize) -> Vec<u8> {
    b"The body, line after line.\n".iter().copied().cycle().take(length).collect()
}

fn chunks(body: &[u8]) -> Vec<u8> {
    let chunk =
        |piece: &[u8]| [format!("{:x}\r\n", piece.len()).as_bytes(), piece, b"\r\n"].concat();
    body.chunks(7000).chain([&b""[..]]).flat_map(chunk).collect()
}

/// A web server, the relay, and the application behind it.
struct Station {
    server: &'static Server,
    site: Site,
    // Declared first, so that the application ends before its directory is removed.
    _application: Running,
    _behind: Home,
}

/// The bytes that have passed on one connection so far.
struct Passed {
    request: Vec<u8>,
    answer: Vec<u8>,
    closed: bool,
}

impl Passed {
    fn requests(&self) -> usize {
        Self::has(&self.request, RecordType::BEGIN_REQUEST)
    }

    fn has(bytes: &[u8], kind: RecordType) -> usize {
        sent(bytes).0.iter().filter(|record| record.header.kind == kind).count()
    }
}

impl Station {
    fn start(server: &'static Server) -> Self {
        let behind = Home::new("app");
        let socket = behind.dir.join("behind.sock");
        let application = Listen::unix(&socket).serve(&behind, "-t 4");
        let site = Site::with_program("relay", server.kind, server.title, server.application, "");
        let dir = site.home.dir.path();
        symlink(&socket, dir.join("behind.sock")).unwrap();
        // A relay started by the web server may run under a different account.
        fs::set_permissions(dir, fs::Permissions::from_mode(0o777)).unwrap();
        Self { server, site, _application: application, _behind: behind }
    }

    fn send(&self, head: &str, body: &[u8]) -> UnixStream {
        let mut stream = UnixStream::from(self.site.client.connect().unwrap());
        stream.write_all(head.as_bytes()).unwrap();
        stream.write_all(body).unwrap();
        stream
    }

    /// Sends one HTTP request, which must be answered.
    fn ask(&self, head: &str, body: &[u8]) {
        let mut response = Vec::new();
        self.send(head, body).read_to_end(&mut response).unwrap();
        let name = self.server.name;
        assert!(
            response.starts_with(b"HTTP/1.1 200"),
            "{name}: {head}{}{}",
            response.escape_ascii(),
            self.site.log()
        );
    }

    /// Sends one request and aborts it when the application has received part of its body.
    fn give_up(&self, head: &str, part: &[u8]) {
        let client = self.send(head, part);
        until("the body", LIMIT, || {
            let all = self.passed();
            (Passed::has(&all.first()?.request, RecordType::STDIN) > 0).then_some(())
        });
        drop(client);
        until("the end", LIMIT, || {
            let all = self.passed();
            let first = all.first()?;
            let aborted = Passed::has(&first.request, RecordType::ABORT_REQUEST) > 0;
            (aborted || first.closed).then_some(())
        });
        self.keep_request("given-up", &self.passed()[0].request);
    }

    fn most_requests(&self) -> usize {
        self.passed().iter().map(Passed::requests).max().unwrap_or_default()
    }

    /// Saves what has passed on the connection with the most requests, once every request has ended.
    fn keep(&self, what: &str) {
        until("the answers", LIMIT, || {
            let ended = |passed: &Passed| {
                Passed::has(&passed.answer, RecordType::END_REQUEST) == passed.requests()
            };
            self.passed().iter().all(ended).then_some(())
        });
        let all = self.passed();
        let passed = all.iter().max_by_key(|passed| passed.requests()).unwrap();
        assert!(sent(&passed.request).1.is_empty(), "not whole records");
        assert!(sent(&passed.answer).1.is_empty(), "not whole records");
        self.keep_request(what, &passed.request);
        let answer = without_process(self.scrubbed(&passed.answer));
        let known = fs::read_dir(captures("answers")).unwrap();
        if !known.map(|entry| fs::read(entry.unwrap().path()).unwrap()).any(|old| old == answer) {
            self.write("answers", what, &answer);
        }
        if what == "get" {
            let params = content(&sent(&passed.request).0, RecordType::PARAMS);
            self.write("params", what, &self.scrubbed(&params));
        }
    }

    fn keep_request(&self, what: &str, request: &[u8]) {
        self.write("requests", what, &trimmed(&self.scrubbed(request)));
    }

    fn write(&self, directory: &str, what: &str, bytes: &[u8]) {
        let name = format!("{}-{what}", self.server.name);
        println!("{directory}/{name}: {} bytes", bytes.len());
        fs::write(captures(directory).join(name), bytes).unwrap();
    }

    /// Returns all connections in their order.
    fn passed(&self) -> Vec<Passed> {
        let entries = fs::read_dir(self.site.home.dir.path()).unwrap();
        let mut paths: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
        paths.retain(|path| path.extension().is_some_and(|ending| ending == "answer"));
        paths.sort_unstable();
        let passed = |path: &PathBuf| Passed {
            request: fs::read(path.with_extension("request")).unwrap(),
            answer: fs::read(path).unwrap(),
            closed: path.with_extension("closed").exists(),
        };
        paths.iter().map(passed).collect()
    }

    /// Replaces this machine's names. Every length stays.
    fn scrubbed(&self, bytes: &[u8]) -> Vec<u8> {
        let name = |path: &Path| path.to_str().unwrap().to_owned();
        let dir = name(self.site.home.dir.path());
        let path = std::env::var("PATH").unwrap();
        let same_length =
            |text: &str, length| text.chars().cycle().take(length).collect::<String>();
        let bytes = replaced(bytes, &dir, &format!("/tmp/{}", same_length("x", dir.len() - 5)));
        replaced(&bytes, &path, &same_length("/usr/bin:", path.len()))
    }
}

/// Replaces the application's process number in its header X-App, which differs from run to run.
fn without_process(mut bytes: Vec<u8>) -> Vec<u8> {
    let name = b"X-App: ";
    let mut at = 0;
    while let Some(found) = bytes[at..].windows(name.len()).position(|window| window == name) {
        at += found + name.len();
        for digit in bytes[at..].iter_mut().take_while(|byte| byte.is_ascii_digit()) {
            *digit = b'1';
        }
    }
    bytes
}

fn replaced(bytes: &[u8], old: &str, new: &str) -> Vec<u8> {
    assert_eq!(old.len(), new.len());
    let mut bytes = bytes.to_vec();
    for at in 0..=bytes.len().saturating_sub(old.len()) {
        if bytes[at..].starts_with(old.as_bytes()) {
            bytes[at..at + old.len()].copy_from_slice(new.as_bytes());
        }
    }
    bytes
}
