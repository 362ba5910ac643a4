//! Connection names, options, command files, and the start of applications.

use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;

use super::*;

#[test]
fn tcp_names() {
    on_both(|program| {
        for host in ["127.0.0.1", "localhost", ""] {
            let socket = TcpListener::bind("127.0.0.1:0").unwrap();
            let port = socket.local_addr().unwrap().port();
            let peer = Peer::tcp(socket, hello);
            let outcome = run(program, &[&"-bind", &"-connect", &format!("{host}:{port}")]);
            assert_eq!((outcome.status, &outcome.stdout[..]), (7, &b"hello"[..]), "{host}");
            assert!(peer.heard().complete);
        }
    });
}

/// The original treats this name as a path.
#[test]
fn ipv6_names() {
    let socket = TcpListener::bind("[::1]:0").expect("a loopback with IPv6");
    let name = format!("[::1]:{}", socket.local_addr().unwrap().port());
    let peer = Peer::tcp(socket, hello);
    assert_eq!(run(OURS, &[&"-bind", &"-connect", &name]).status, 7);
    assert!(peer.heard().complete);
}

#[test]
fn nobody_listening_is_errno_and_a_line() {
    on_both(|program| {
        let dir = TempDir::new();
        let stale = dir.path("stale");
        drop(std::os::unix::net::UnixListener::bind(&stale).unwrap());
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let names = [
            (dir.path("none").to_str().unwrap().to_owned(), 2),
            (stale.to_str().unwrap().to_owned(), 111),
            (format!("127.0.0.1:{port}"), 111),
        ];
        for (name, status) in names {
            let outcome = run(program, &[&"-bind", &"-connect", &name]);
            assert_eq!(outcome.status, status, "{name}");
            assert!(outcome.stderr.starts_with(&format!("Could not connect to {name}")));
            assert!(one_line(&outcome.stderr), "{}", outcome.stderr);
        }
    });
}

#[test]
fn an_unknown_host_is_status_232() {
    on_both(|program| {
        // No name server is asked about a name like this.
        let outcome = run(program, &[&"-bind", &"-connect", &"a..b:9"]);
        assert_eq!(outcome.status, 232);
        assert!(outcome.stderr.to_lowercase().contains("unknown host"), "{}", outcome.stderr);
        assert!(outcome.stderr.contains("a..b") && one_line(&outcome.stderr));
    });
}

const COMMAND_FILE: &str = "Cannot open command file /nowhere/x";
const NO_FILE: &str = ": No such file or directory";

#[test]
fn mistakes_on_the_command_line_are_named() {
    let cases: [(&[&str], &[&str]); 10] = [
        (&[], &["Missing application pathname", "Missing -connect <connName>"]),
        (&["-x"], &["Unknown option -x"]),
        (&["-connect"], &["Missing connection name after -connect"]),
        (&["-bind"], &["Missing -connect <connName>"]),
        (&["-start", "-connect", "s"], &["Missing application pathname"]),
        (&["-connect", "s", "a", "b", "2", "3"], &["Unknown argument b", "Unknown argument 3"]),
        (&["-connect", "s", "a", "0"], &["Number of servers must be greater than 0"]),
        (&["-connect", "s", ""], &["Missing application pathname"]),
        (&["-f"], &["Missing command file name after -f"]),
        (&["-f", "/nowhere/x"], &[COMMAND_FILE]),
    ];
    on_both(|program| {
        for (arguments, complaints) in cases {
            let arguments: Vec<_> = arguments.iter().map(|a| a as &dyn AsRef<OsStr>).collect();
            let outcome = run(program, &arguments);
            assert_eq!(outcome.status, 1, "{}", outcome.stderr);
            for complaint in complaints {
                let lines = || outcome.stderr.lines();
                // The original prints no reason.
                let reason =
                    if *complaint == COMMAND_FILE && program == OURS { NO_FILE } else { "" };
                let wanted = format!("{complaint}{reason}");
                assert!(lines().any(|line| line == wanted), "{}", outcome.stderr);
                assert!(lines().any(|line| line == "Usage:"), "{}", outcome.stderr);
            }
        }
    });
}

#[test]
fn a_command_file_is_also_a_script() {
    on_both(|program| {
        let dir = TempDir::new();
        let socket = dir.path("socket");
        let script = dir.path("script");
        let name = socket.to_str().unwrap();
        let text = dir.path("text");
        fs::write(&text, format!("#!{program} -f\n# a comment\n-bind\n-connect {name}\n")).unwrap();
        // A script that this process has written may still be open in a child of another test, and then it
        // cannot be executed. So another process creates it.
        assert!(Command::new("cp").args([&text, &script]).status().unwrap().success());
        fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
        for command in [
            &mut bare(script.to_str().unwrap(), &[&"ignored"]),
            &mut bare(program, &[&"-f", &script]),
        ] {
            let peer = Peer::unix(&socket, hello);
            assert_eq!(start(command, Input::Bytes(vec![])).finish().status, 7);
            assert!(peer.heard().complete);
        }
    });
}

/// The original wants single spaces, a newline at the end, and at most 16 words.
#[test]
fn a_command_file_may_be_laid_out_freely() {
    let dir = TempDir::new();
    let peer = Peer::unix(&dir.path("socket"), hello);
    let words = " -bind".repeat(40);
    let text = format!("\t-connect\t {}\r\n  # note\n{words}", dir.path("socket").display());
    fs::write(dir.path("file"), text).unwrap();
    assert_eq!(run(OURS, &[&"-f", &dir.path("file")]).status, 7);
    assert!(peer.heard().complete);
}

/// A C application without any library. It answers one request with its process id and its arguments, then
/// ends. It also ends if no request comes.
const APPLICATION: &str = r#"
#define _POSIX_C_SOURCE 200809L
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
int main(int argc, char **argv)
{
    char in[65536], text[200], out[256] = {1, 6, 0, 1};
    const char end[16] = {1, 3, 0, 1, 0, 8, 0, 0, 0, 0, 0, 5};
    size_t have = 0;
    ssize_t n;
    alarm(60);
    int fd = accept(0, NULL, NULL);
    while (have < 8 || memcmp(in + have - 8, "\1\5\0\1\0\0\0\0", 8) != 0) {
        n = read(fd, in + have, sizeof in - have);
        if (n <= 0)
            return 1;
        have += (size_t)n;
    }
    n = snprintf(text, sizeof text, "%d %d %s", (int)getpid(), argc, argv[0]);
    out[5] = (char)n;
    memcpy(out + 8, text, (size_t)n);
    memcpy(out + 8 + n, end, sizeof end);
    return write(fd, out, 8 + (size_t)n + sizeof end) < 0;
}
"#;

pub(crate) fn build_application(dir: &TempDir) -> PathBuf {
    let (source, application) = (dir.path("application.c"), dir.path("application"));
    fs::write(&source, APPLICATION).unwrap();
    let compiler = std::env::var_os("CC").unwrap_or_else(|| "cc".into());
    let status = Command::new(compiler).arg("-o").args([&application, &source]).status().unwrap();
    assert!(status.success());
    application
}

/// Returns the process id in an answer of [`APPLICATION`].
pub(crate) fn process_id(outcome: &Outcome, application: &Path) -> String {
    let text = String::from_utf8(outcome.stdout.clone()).unwrap();
    let mut words = text.splitn(3, ' ');
    let id = words.next().unwrap().to_owned();
    assert_eq!((words.next(), words.next()), (Some("1"), application.to_str()), "{outcome:?}");
    assert_eq!(outcome.status, 5);
    id
}

#[test]
fn an_application_is_started_where_nobody_listens() {
    on_both(|program| {
        let dir = TempDir::new();
        let (application, socket) = (build_application(&dir), dir.path("socket"));
        // The second time, the first application has ended and its socket still exists.
        let ids = [(); 2].map(|()| {
            process_id(&run(program, &[&"-connect", &socket, &application]), &application)
        });
        assert_ne!(ids[0], ids[1]);
    });
}

#[test]
fn an_application_that_listens_is_not_started_again() {
    on_both(|program| {
        let dir = TempDir::new();
        let peer = Peer::unix(&dir.path("socket"), hello);
        let outcome = run(program, &[&"-connect", &dir.path("socket"), &"/nowhere/application"]);
        assert_eq!(outcome.status, 7);
        assert!(peer.heard().complete);
    });
}

#[test]
fn start_starts_so_many_processes_and_leaves() {
    on_both(|program| {
        let dir = TempDir::new();
        let (application, socket) = (build_application(&dir), dir.path("socket"));
        let outcome = run(program, &[&"-start", &"-connect", &socket, &application, &"2"]);
        assert_eq!((outcome.status, &outcome.stdout[..]), (0, &b""[..]));
        assert_eq!(outcome.stderr, "");
        let ids = [(); 2]
            .map(|()| process_id(&run(program, &[&"-bind", &"-connect", &socket]), &application));
        assert_ne!(ids[0], ids[1]);
    });
}

#[test]
fn what_is_not_executable_is_not_started() {
    on_both(|program| {
        let dir = TempDir::new();
        let (socket, file) = (dir.path("socket"), dir.path("file"));
        fs::write(&file, "").unwrap();
        for mode in [&["-start", "-connect"][..], &["-connect"]] {
            let mut arguments: Vec<_> = mode.iter().map(|a| a as &dyn AsRef<OsStr>).collect();
            arguments.extend([&socket as &dyn AsRef<OsStr>, &file]);
            let outcome = run(program, &arguments);
            assert_eq!(outcome.status, 1);
            let said = &outcome.stderr;
            assert!(said.contains(file.to_str().unwrap()), "{said}");
            assert!(said.ends_with("is not executable\n") && one_line(said), "{said}");
        }
    });
}

/// Health checks name a directory for the application because the original requires one.
#[test]
fn nobody_listening_is_named_besides_what_cannot_be_started() {
    on_both(|program| {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let name = format!("127.0.0.1:{port}");
        for (application, status, why) in [
            ("/", 111, "it is a directory"),
            ("/nowhere/application", 1, "No such file or directory"),
        ] {
            let outcome = run(program, &[&"-connect", &name, &application]);
            assert_eq!(outcome.status, status, "{application}: {}", outcome.stderr);
            if program == OURS {
                let nobody = "nothing listens there: Connection refused";
                let connecting = format!("Could not connect to {name}: {nobody}");
                let wanted = format!("{connecting}. Could not start {application}: {why}\n");
                assert_eq!(outcome.stderr, wanted);
            }
        }
    });
}

/// Errors in the connection name itself. The exit status is errno.
#[test]
fn what_is_wrong_with_a_name_is_said() {
    let dir = TempDir::new();
    let (file, long) = (dir.path("file"), "l".repeat(108));
    fs::write(&file, "contents").unwrap();
    let file = file.to_str().unwrap();
    let application = "/bin/sh";
    for (mode, name, status, words) in [
        ("-bind", "127.0.0.1:70000", 22, "connect to 127.0.0.1:70000: a port ends at 65535"),
        ("-bind", &*long, 36, "connect to l*: the path of a socket ends at 107 bytes"),
        ("-bind", "/nowhere/s", 2, "connect to /nowhere/s: nothing listens there: No such file"),
        ("-start", "a..b:9", 232, "listen at a..b:9: unknown host"),
        ("-start", "192.0.2.1:9", 99, "listen at 192.0.2.1:9: the address is not this machine's"),
        ("-start", file, 17, "file: something that is no socket is there"),
    ] {
        let outcome = run(OURS, &[&mode, &"-connect", &name, &application]);
        let said = outcome.stderr.replace(&long, "l*");
        assert!(said.starts_with("Could not ") && said.contains(words), "{said}");
        assert_eq!((outcome.status, said.contains("os error")), (status, false), "{said}");
        assert!(one_line(&outcome.stderr), "{said}");
    }
}

/// Extensions of libfcgi-rs.
#[test]
fn help_version_and_two_dashes() {
    let outcome = run(OURS, &[&"--help"]);
    assert!(outcome.status == 0 && outcome.stdout.starts_with(b"Usage:\n"));
    let outcome = run(OURS, &[&"--version"]);
    let version = format!("cgi-fcgi (libfcgi-rs) {}\n", env!("CARGO_PKG_VERSION"));
    assert_eq!((outcome.status, outcome.stdout), (0, version.into_bytes()));
    let outcome = run(OURS, &[&"-connect", &"/nowhere/s", &"--", &"-app"]);
    assert_eq!(outcome.status, 1);
    assert!(outcome.stderr.contains("Could not start -app: No such file"), "{}", outcome.stderr);
}
