//! The library's messages on standard error say what was tried, on what, and why it failed.

use std::fs;
use std::process::Command;

use testkit::{Library, PATIENCE, TempDir, compile, run};

/// A program that creates a listen socket and prints errno.
const OPEN: &str = r#"
#include <errno.h>
#include <fcgiapp.h>
#include <stdio.h>

int main(int argc, char **argv)
{
    int fd = argc > 1 ? FCGX_OpenSocket(argv[1], 5) : -1;

    printf("%d", fd < 0 ? errno : 0);
    return 0;
}
"#;

/// The original prints messages about some of these, and ends the process.
#[test]
fn why_there_is_no_listen_socket() {
    let dir = TempDir::new();
    let (source, program) = (dir.join("open.c"), dir.join("open"));
    fs::write(&source, OPEN).unwrap();
    compile(&source, Library::Ours, &program).unwrap_or_else(|error| panic!("{error}"));
    fs::write(dir.join("file"), "contents").unwrap();
    let long = "l".repeat(108);
    for (name, errno, reason) in [
        // No name server is asked about a name like this.
        ("a..b:9000", libc::EADDRNOTAVAIL, "unknown host"),
        ("192.0.2.1:9000", libc::EADDRNOTAVAIL, "the address is not this machine's"),
        (":70000", libc::EINVAL, "a port ends at 65535"),
        ("[::1]:70000", libc::EINVAL, "a port ends at 65535"),
        (&*long, libc::ENAMETOOLONG, "the path of a socket ends at 107 bytes"),
        ("no/directory", libc::ENOENT, "No such file or directory"),
        ("file", libc::EEXIST, "something that is no socket is there"),
    ] {
        let mut command = Command::new(&program);
        command.arg(name).current_dir(dir.path());
        let ended = run(Library::Ours.under(&mut command), PATIENCE);
        assert_eq!(ended.stderr, format!("libfcgi: cannot listen on {name}: {reason}\n"));
        assert_eq!(ended.must_succeed(), errno.to_string(), "{name}");
    }
}
