//! Debian's unmodified programs on this library, behind a real web server.

mod bridge;
mod git;
mod openjpip;
mod others;
mod perl;
mod shibboleth;
mod web;

use std::collections::BTreeSet;
use std::fs;
use std::io::Write;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;

use testkit::web::http::{Client, Response};
use testkit::{
    Library, PATIENCE, Running, SERVED, TempDir, dist, install, need, run, timed, until,
};
use web::Nginx;

const FCGIWRAP: &str = "/usr/sbin/fcgiwrap";
const FIXTURES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/programs");

#[test]
fn fcgiwrap() {
    need("fcgiwrap", "/usr/sbin/fcgiwrap");
    on_both(|library| {
        let dir = prepare();
        put_scripts(&dir);
        let mut fcgiwrap = Command::new("/usr/sbin/fcgiwrap");
        fcgiwrap.args(["-c", "4"]).stdin(listen_socket(&dir));
        serve(library, &dir, &mut fcgiwrap);
    });
}

#[test]
fn perl_fcgi() {
    need_perl();
    on_both(|library| {
        let dir = prepare();
        let mut perl = Command::new("perl");
        perl.arg(format!("{FIXTURES}/request.pl")).arg(dir.join("app.sock")).arg("3");
        serve(library, &dir, perl.stdin(Stdio::null()));
    });
}

#[test]
fn perl_cgi_fast() {
    need_perl();
    need("libcgi-fast-perl", "/usr/share/perl5/CGI/Fast.pm");
    on_both(|library| {
        let dir = prepare();
        let mut perl = Command::new("perl");
        perl.arg(format!("{FIXTURES}/cgi_fast.pl")).stdin(listen_socket(&dir));
        serve(library, &dir, &mut perl);
    });
}

/// Runs a test on the original first, which proves that the test is right.
fn on_both(test: impl Fn(Library)) {
    for library in Library::BOTH {
        println!("{library:?}");
        test(library);
    }
}

/// Requires Perl's module FCGI by the package's documents. Its other files are in a directory named after
/// Perl's version.
fn need_perl() {
    need("perl", "/usr/bin/perl");
    need("libfcgi-perl", "/usr/share/doc/libfcgi-perl");
}

/// Creates a temporary directory with the large file that the programs send.
fn prepare() -> TempDir {
    let dir = TempDir::new();
    fs::write(dir.join("large.bin"), bytes(20 * 1024 * 1024)).unwrap();
    dir
}

/// Copies the scripts that fcgiwrap runs.
fn put_scripts(dir: &TempDir) {
    for name in ["hello", "checksum", "large"] {
        install(Path::new(&format!("{FIXTURES}/{name}.sh")), &dir.join(name));
    }
}

/// Creates a listen socket for descriptor 0. A program that inherits it accepts requests immediately.
fn listen_socket(dir: &TempDir) -> OwnedFd {
    UnixListener::bind(dir.join("app.sock")).unwrap().into()
}

/// Returns whether a unix socket accepts connections.
fn is_listening(path: &Path) -> bool {
    const ACCEPTS: &str = "00010000";
    let sockets = fs::read_to_string("/proc/net/unix").unwrap();
    let mut lines = sockets.lines().map(|line| line.split_whitespace());
    lines.any(|mut line| line.nth(3) == Some(ACCEPTS) && line.nth(3).map(Path::new) == Some(path))
}

/// Starts the program on the library, sends it every kind of request through nginx, checks what it has mapped
/// and ends it.
fn serve(library: Library, dir: &TempDir, command: &mut Command) {
    serve_with(library, dir, command, |client| requests(client, dir));
}

/// Does the same with the caller's requests.
fn serve_with(library: Library, dir: &TempDir, command: &mut Command, ask: impl Fn(&Client)) {
    let mut program = Running::start(library.under(command));
    // A script that creates its own socket needs a moment. For the others it exists already.
    until("the listen socket", SERVED, || dir.join("app.sock").exists().then_some(()));
    ask(&Nginx::start(dir).client);
    assert_eq!(mapped(program.pid()), BTreeSet::from([file(library)]), "mapped libraries");
    timed("SIGTERM", || terminate(&mut program));
}

/// Sends every kind of request to a program that answers as fixtures/programs/request.pl does.
fn requests(client: &Client, dir: &TempDir) {
    timed("GET", || assert_eq!(text(client.get("/hello?name=value")), "GET name=value"));
    timed("5 MB POST", || post(client));
    timed("20 MB response", || large(client, &dir.join("large.bin")));
    timed("200 in parallel", || parallel(client));
}

/// Sends the same kinds of requests without the crowd of clients, for a short backlog.
fn in_a_row(client: &Client, dir: &TempDir) {
    post(client);
    large(client, &dir.join("large.bin"));
    for n in 0..50 {
        assert_eq!(text(client.get(&format!("/hello?n={n}"))), format!("GET n={n}"));
    }
}

fn post(client: &Client) {
    let body = bytes(5 * 1024 * 1024);
    let expected = format!("{} {}", body.len(), sha256(&body));
    assert_eq!(text(client.post("/checksum", &body)), expected);
}

fn large(client: &Client, file: &Path) {
    let expected = fs::read(file).unwrap();
    let body = client.get("/large").body;
    assert_eq!(body.len(), expected.len());
    assert_eq!(sha256(&body), sha256(&expected));
}

fn parallel(client: &Client) {
    thread::scope(|scope| {
        for n in 0..200 {
            scope.spawn(move || {
                assert_eq!(text(client.get(&format!("/hello?n={n}"))), format!("GET n={n}"));
            });
        }
    });
}

/// Asks every process of the program to end, and waits until all have ended.
fn terminate(program: &mut Running) {
    let workers = workers(program.pid());
    let kill = format!("kill -s TERM {} {}", workers.join(" "), program.pid());
    run(Command::new("sh").args(["-c", &kill]), SERVED).must_succeed();
    assert!(program.wait(SERVED).is_some(), "the program does not end");
    for pid in workers {
        // A process without a command line has ended, and at most waits for its parent.
        let command = || fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        until("a worker to end", SERVED, || command().is_empty().then_some(()));
    }
}

/// Returns the file that programs must have mapped.
fn file(library: Library) -> PathBuf {
    let path = match library {
        Library::Ours => dist().join("libfcgi.so.0"),
        Library::Original => installed("libfcgi0ldbl", "/libfcgi.so.0.0.0"),
    };
    fs::canonicalize(path).unwrap()
}

/// Returns the file of a Debian package whose path ends so.
fn installed(package: &str, ending: &str) -> PathBuf {
    let mut query = Command::new("dpkg-query");
    let files = run(query.args(["--listfiles", package]), SERVED).must_succeed();
    let found = files.lines().find(|line| line.ends_with(ending));
    found.unwrap_or_else(|| panic!("{package} has no {ending}")).into()
}

/// Returns the processes that serve, if the first process does not serve itself.
fn workers(pid: u32) -> Vec<String> {
    let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap();
    children.split_whitespace().map(str::to_owned).collect()
}

/// Returns every libfcgi that the processes of the program have mapped.
fn mapped(pid: u32) -> BTreeSet<PathBuf> {
    let processes = workers(pid).into_iter().chain([pid.to_string()]);
    processes.flat_map(|process| libraries(&process)).collect()
}

/// Returns the libfcgi that one process has mapped. A process between fork and exec has none.
fn libraries(pid: &str) -> BTreeSet<PathBuf> {
    until("a process to map libfcgi", PATIENCE, || {
        let maps = fs::read_to_string(format!("/proc/{pid}/maps")).unwrap();
        let files: BTreeSet<PathBuf> = maps
            .lines()
            .filter_map(|line| line.find('/').map(|start| PathBuf::from(&line[start..])))
            .filter(|path| path.file_name().is_some_and(|name| is_libfcgi(name.as_bytes())))
            .collect();
        (!files.is_empty()).then_some(files)
    })
}

fn is_libfcgi(name: &[u8]) -> bool {
    name.starts_with(b"libfcgi.so") || name.starts_with(b"libfcgi++.so")
}

/// Returns bytes that look random and are the same in every run.
fn bytes(length: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let words = std::iter::repeat_with(|| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_ne_bytes()
    });
    words.take(length / 8).flatten().collect()
}

fn sha256(bytes: &[u8]) -> String {
    let mut command = Command::new("sha256sum");
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(bytes).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    String::from_utf8(output.stdout).unwrap().split_whitespace().next().unwrap().to_owned()
}

fn text(response: Response) -> String {
    String::from_utf8(response.body).unwrap()
}
