//! The most common use of cgi-fcgi: health checks of PHP's process manager. A real php-fpm with a
//! configuration of its own answers Debian's cgi-fcgi and ours.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use testkit::{Ended, PATIENCE, Running, SERVED, TempDir, need, run, until};

const OURS: &str = env!("CARGO_BIN_EXE_cgi-fcgi");
const DEBIANS: &str = "/usr/bin/cgi-fcgi";

/// Returns the program, whose name contains PHP's version.
fn program() -> PathBuf {
    let find = || {
        let names = fs::read_dir("/usr/sbin").unwrap().map(|entry| entry.unwrap().path());
        names.into_iter().find(|path| path.to_string_lossy().contains("/php-fpm"))
    };
    find().unwrap_or_else(|| {
        need("php-fpm", "/usr/share/doc/php-fpm");
        find().expect("/usr/sbin/php-fpm of the package php-fpm")
    })
}

/// php-fpm in the foreground, with one worker.
struct Manager {
    // Declared first, so that the program ends before its directory is removed.
    running: Running,
    dir: TempDir,
    address: String,
}

impl Manager {
    /// Starts php-fpm at an address that `address` makes in its directory, and waits until it listens.
    fn try_start(address: impl FnOnce(&TempDir) -> String) -> Option<Self> {
        let dir = TempDir::new();
        let address = address(&dir);
        let configuration = dir.join("php-fpm.conf");
        let text = format!(
            "[global]\nerror_log = {0}/log\npid = {0}/pid\ndaemonize = no\n[pool]\n\
             listen = {address}\npm = static\npm.max_children = 1\nping.path = /ping\n\
             ping.response = well\npm.status_path = /status\n",
            dir.path().display()
        );
        fs::write(&configuration, text).unwrap();
        let mut command = Command::new(program());
        // Without the system's php.ini; also as root.
        command.args(["--nodaemonize", "-n", "--allow-to-run-as-root", "--fpm-config"]);
        command.arg(configuration).stdin(Stdio::null()).stdout(Stdio::null());
        command.stderr(File::create(dir.join("stderr")).unwrap());
        let mut running = Running::start(&mut command);
        let listens = until("php-fpm to listen", SERVED, || {
            let connected = if address.contains(":") {
                TcpStream::connect(&address).is_ok()
            } else {
                UnixStream::connect(&address).is_ok()
            };
            match connected {
                true => Some(true),
                false => running.ended().map(|_| false),
            }
        });
        listens.then_some(Self { running, dir, address })
    }

    fn on_unix() -> Self {
        let path = |dir: &TempDir| dir.join("php.sock").display().to_string();
        Self::try_start(path).expect("php-fpm starts")
    }

    /// Starts php-fpm on a port that was free a moment ago. Tries another port if that one is taken
    /// meanwhile.
    fn on_tcp() -> Self {
        let free = |_: &TempDir| {
            let socket = TcpListener::bind("127.0.0.1:0").unwrap();
            socket.local_addr().unwrap().to_string()
        };
        (0..5).find_map(|_| Self::try_start(free)).expect("php-fpm starts")
    }

    fn check(&self, program: &str, path: &str) -> Ended {
        check(program, &[], &self.address, path)
    }

    /// Writes a PHP script to the manager's directory.
    fn script(&self, text: &str) -> String {
        let path = self.dir.join("script.php");
        fs::write(&path, format!("<?php {text}")).unwrap();
        path.display().to_string()
    }
}

/// Runs the health check as people write it in their scripts.
fn check(program: &str, options: &[&str], address: &str, path: &str) -> Ended {
    let mut command = Command::new(program);
    command.env_clear().envs([
        ("SCRIPT_NAME", path),
        ("SCRIPT_FILENAME", path),
        ("REQUEST_METHOD", "GET"),
    ]);
    run(command.args(options).args(["-bind", "-connect", address]), SERVED)
}

fn on_both(test: impl Fn(&str)) {
    need("libfcgi-bin", DEBIANS);
    [DEBIANS, OURS].iter().for_each(|program| test(program));
}

fn one_line(text: &str) -> bool {
    text.len() > 1 && text.ends_with('\n') && text.matches('\n').count() == 1
}

#[test]
fn ping_and_status_page() {
    for manager in [Manager::on_unix(), Manager::on_tcp()] {
        on_both(|program| {
            let ping = manager.check(program, "/ping");
            assert_eq!((ping.code, &ping.stderr[..]), (Some(0), ""), "{ping}");
            assert!(ping.stdout.ends_with("\r\n\r\nwell"), "{ping}");
            let page = manager.check(program, "/status");
            assert_eq!(page.code, Some(0), "{page}");
            assert!(page.stdout.contains("pool:                 pool\n"), "{page}");
            assert!(page.stdout.contains("active processes:     1\n"), "{page}");
        });
    }
}

/// php-fpm's errors arrive on stderr, its statuses in the headers.
#[test]
fn a_path_that_is_not_there() {
    let manager = Manager::on_unix();
    on_both(|program| {
        let answer = manager.check(program, "/nowhere.php");
        assert!(answer.stdout.starts_with("Status: 404 Not Found\r\n"), "{answer}");
        assert_eq!(answer.stderr, "Primary script unknown", "{answer}");
        assert_eq!(answer.code, Some(0), "{answer}");
    });
}

/// php-fpm returns exit status 0 for every request that it has served. Errors of a script are in the answer.
#[test]
fn a_script_that_fails_is_served() {
    let manager = Manager::on_unix();
    for (text, said) in [("exit(3);", ""), ("throw new Exception('failed');", "Exception: failed")]
    {
        let script = manager.script(text);
        on_both(|program| {
            let answer = manager.check(program, &script);
            assert_eq!(answer.code, Some(0), "{answer}");
            assert!(answer.stdout.contains(said), "{answer}");
        });
    }
}

#[test]
fn a_body_arrives_whole() {
    let manager = Manager::on_unix();
    let script = manager.script("echo md5(file_get_contents('php://input'));");
    let body = "0123456789abcdef".repeat(100_000);
    let path = manager.dir.join("body");
    fs::write(&path, &body).unwrap();
    on_both(|program| {
        let mut command = Command::new(program);
        command.env_clear().env("REQUEST_METHOD", "POST").env("CONTENT_TYPE", "text/plain");
        command.env("SCRIPT_FILENAME", &script).env("CONTENT_LENGTH", body.len().to_string());
        command.args(["-bind", "-connect", &manager.address]);
        let answer = command.stdin(File::open(&path).unwrap()).output().unwrap();
        let text = String::from_utf8(answer.stdout).unwrap();
        let expected = run(Command::new("md5sum").arg(&path), SERVED).must_succeed();
        assert_eq!(text.rsplit("\r\n").next(), expected.split(' ').next(), "{text}");
    });
}

#[test]
fn nobody_there() {
    for (mut manager, status) in [(Manager::on_unix(), 2), (Manager::on_tcp(), 111)] {
        manager.running.signal("TERM");
        assert!(manager.running.wait(PATIENCE).is_some(), "php-fpm does not end");
        on_both(|program| {
            let answer = manager.check(program, "/ping");
            assert_eq!(answer.code, Some(status), "{answer}");
            assert!(answer.stderr.starts_with("Could not connect to "), "{answer}");
            assert!(one_line(&answer.stderr) && answer.stdout.is_empty(), "{answer}");
        });
    }
}

/// An extension of libfcgi-rs: every worker is busy, so even the ping waits.
#[test]
fn a_busy_manager_runs_into_the_timeout() {
    let manager = Manager::on_unix();
    let started = manager.dir.join("started");
    let script = manager.script(&format!("touch('{}'); sleep(60);", started.display()));
    let mut slow = Command::new(OURS);
    slow.env_clear().env("SCRIPT_FILENAME", script).env("REQUEST_METHOD", "GET");
    slow.args(["-bind", "-connect", &manager.address]).stdin(Stdio::null());
    let _slow = Running::start(&mut slow);
    until("the script to run", PATIENCE, || started.exists().then_some(()));

    let before = Instant::now();
    let answer = check(OURS, &["--timeout", "0.3"], &manager.address, "/ping");
    assert!(before.elapsed() >= Duration::from_millis(300));
    assert_eq!(answer.code, Some(110), "{answer}");
    assert_eq!(answer.stderr, "Timeout: the request did not end within 0.3 s\n");
}

/// A web server where the process manager should be. The original prints nothing.
#[test]
fn another_protocol() {
    let socket = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = socket.local_addr().unwrap().to_string();
    let server = thread::spawn(move || {
        let (mut connection, _) = socket.accept().unwrap();
        let _ = connection.read(&mut [0; 1000]);
        let _ = connection.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n");
    });
    let answer = check(OURS, &[], &address, "/ping");
    server.join().unwrap();
    assert_eq!(answer.code, Some(254), "{answer}");
    assert!(one_line(&answer.stderr) && answer.stdout.is_empty(), "{answer}");
}
