//! Debian's cgi-fcgi, which calls the OS_ functions and FCGX_CreateWriter, in front of fcgiwrap.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::path::Path;
use std::process::{Command, Stdio};

use super::{
    FCGIWRAP, SERVED, bytes, file, in_a_row, libraries, listen_socket, on_both, prepare,
    put_scripts, sha256,
};
use crate::web::Nginx;
use testkit::{Library, Running, TempDir, need, until};

const BRIDGE: &str = "/usr/bin/cgi-fcgi";

#[test]
fn cgi_fcgi() {
    with_scripts(|library, dir| {
        let mut fcgiwrap = Command::new(FCGIWRAP);
        let _fcgiwrap = Running::start(library.under(fcgiwrap.stdin(listen_socket(dir))));
        let ask = |variables: &[&str], script: &str, body: &[u8]| {
            let mut command = bridge(library, dir, variables, script);
            command.args(["-bind", "-connect"]).arg(dir.join("app.sock"));
            call(library, dir, &mut command, body).1
        };
        let response = ask(&["REQUEST_METHOD=GET", "QUERY_STRING=a"], "hello", b"");
        assert_eq!(response, b"Content-Type: text/plain\r\n\r\nGET a");
        let response = ask(&["REQUEST_METHOD=GET"], "large", b"");
        let large = fs::read(dir.join("large.bin")).unwrap();
        assert!(response.ends_with(&large), "{} bytes", response.len());
        // One byte, a little more than one record holds, and many records.
        for length in [0, 1, 65_535, 65_536, 5 << 20] {
            let body = &bytes(length + 8)[..length];
            let announced = format!("CONTENT_LENGTH={length}");
            let response = ask(&["REQUEST_METHOD=POST", &announced], "checksum", body);
            assert_eq!(String::from_utf8(response).unwrap(), checksum(body));
        }
    });
}

/// The bridge creates the listen socket, starts the processes on it and ends.
#[test]
fn cgi_fcgi_starts_an_application() {
    with_scripts(|library, dir| {
        let mut command = bridge(library, dir, &[], "");
        command.args(["-start", "-connect"]).arg(dir.join("app.sock")).args([FCGIWRAP, "3"]);
        let (started, response) = call(library, dir, &mut command, b"");
        assert_eq!(response, b"");
        assert_started(library, &started, 3);
        // The bridge's backlog is five connections.
        in_a_row(&Nginx::start(dir).client, dir);
    });
}

/// The bridge starts the processes only if nothing answers, and then forwards the request to them.
#[test]
fn cgi_fcgi_starts_an_application_when_there_is_none() {
    with_scripts(|library, dir| {
        let body = bytes(1 << 20);
        let announced = format!("CONTENT_LENGTH={}", body.len());
        let ask = || {
            let variables = ["REQUEST_METHOD=POST", &announced];
            let mut command = bridge(library, dir, &variables, "checksum");
            command.arg("-connect").arg(dir.join("app.sock")).args([FCGIWRAP, "2"]);
            let (started, response) = call(library, dir, &mut command, &body);
            assert_eq!(String::from_utf8(response).unwrap(), checksum(&body));
            started
        };
        let first = ask();
        assert_started(library, &first, 2);
        let second = ask();
        assert_eq!((servers(&first).len(), servers(&second).len()), (2, 0));
    });
}

fn with_scripts(test: impl Fn(Library, &TempDir)) {
    need("libfcgi-bin", BRIDGE);
    need("fcgiwrap", FCGIWRAP);
    on_both(|library| {
        let dir = prepare();
        put_scripts(&dir);
        test(library, &dir);
    });
}

/// Returns what the checksum script answers.
fn checksum(body: &[u8]) -> String {
    format!("Content-Type: text/plain\r\n\r\n{} {}", body.len(), sha256(body))
}

/// Returns a command that runs the bridge in the environment of a request.
fn bridge(library: Library, dir: &TempDir, variables: &[&str], script: &str) -> Command {
    let mut command = Command::new("/usr/bin/env");
    command.arg("-i").args(variables);
    command.arg(format!("SCRIPT_FILENAME={}", dir.join(script).display()));
    command.arg(format!("LARGE_FILE={}", dir.join("large.bin").display()));
    if library == Library::Ours {
        command.arg(format!("LD_LIBRARY_PATH={}", file(library).parent().unwrap().display()));
    }
    command.args(["LD_DEBUG=libs"]).arg(format!("LD_DEBUG_OUTPUT={}", dir.join("ld").display()));
    command.arg(BRIDGE);
    command
}

/// Runs the bridge to its end. Returns the response and the bridge's process group, in which the processes
/// that it started go on.
fn call(library: Library, dir: &TempDir, bridge: &mut Command, body: &[u8]) -> (Running, Vec<u8>) {
    fs::write(dir.join("body"), body).unwrap();
    let response = dir.join("response");
    bridge.stdin(File::open(dir.join("body")).unwrap()).stdout(File::create(&response).unwrap());
    let mut running = Running::start(bridge.stderr(Stdio::inherit()));
    assert!(running.wait(SERVED).expect("the bridge ends").success());
    assert_loaded(library, dir);
    (running, fs::read(response).unwrap())
}

/// Checks which library the dynamic linker reports as loaded.
fn assert_loaded(library: Library, dir: &TempDir) {
    let files = fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().path());
    let said = files.filter(|path| path.to_str().unwrap().contains("/ld."));
    let said: String = said.map(|path| fs::read_to_string(path).unwrap()).collect();
    let loaded = said.lines().filter_map(|line| line.split_once("calling init: "));
    let loaded = loaded.map(|(_, path)| path).filter(|path| path.contains("libfcgi.so"));
    let loaded: BTreeSet<_> = loaded.map(|path| fs::canonicalize(path).unwrap()).collect();
    assert_eq!(loaded, BTreeSet::from([file(library)]));
}

fn assert_started(library: Library, group: &Running, count: usize) {
    // Between fork and exec a process still is the bridge.
    let all = || Some(servers(group)).filter(|processes| processes.len() == count);
    for process in until("the application's processes", SERVED, all) {
        assert_eq!(Vec::from_iter(libraries(&process)), [file(library)]);
    }
}

/// Returns the processes of a group that are fcgiwrap. Others are its scripts.
fn servers(group: &Running) -> Vec<String> {
    let processes = fs::read_dir("/proc").unwrap().map(|entry| entry.unwrap().file_name());
    let processes = processes.filter_map(|name| name.into_string().ok());
    let is_member = |process: &String| {
        let stat = fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
        // The name in parentheses may hold any bytes. State, parent and group follow it.
        let mut fields = stat.rsplit(')').next().unwrap_or_default().split_whitespace();
        fields.nth(2) == Some(&group.pid().to_string())
    };
    let is_fcgiwrap = |process: &String| {
        fs::read_link(format!("/proc/{process}/exe")).is_ok_and(|file| file == Path::new(FCGIWRAP))
    };
    processes.filter(is_member).filter(is_fcgiwrap).collect()
}
