//! Debian's git: gitweb, a CGI program and a FastCGI program, and git http-backend for clone and push.

use std::fs;
use std::io;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::process::Command;
use std::thread;

use super::{FCGIWRAP, bytes, listen_socket, need_perl, on_both, serve_with, text};
use testkit::web::http::Client;
use testkit::{SERVED, TempDir, need, run};

const GITWEB: &str = "/usr/lib/cgi-bin/gitweb.cgi";

/// The length of a pack that git sends in chunks, and that web servers and gitweb pass on in many records.
const LARGE: usize = 3 << 20;

/// Clients fetch from a repository and push to it. git sends small requests with their length, compressed or
/// not, and large ones in chunks.
#[test]
fn git_http_backend() {
    need("git", "/usr/lib/git-core/git-http-backend");
    need("fcgiwrap", FCGIWRAP);
    on_both(|library| {
        let dir = TempDir::new();
        put_repository(&dir);
        let mut fcgiwrap = Command::new(FCGIWRAP);
        fcgiwrap.args(["-c", "2"]).stdin(listen_socket(&dir));
        serve_with(library, &dir, &mut fcgiwrap, |client| {
            let url = format!("http://127.0.0.1:{}/git/project.git", on_tcp(client));
            git(&dir, &["clone", "-q", &url, "first"]);
            assert!(fs::read(dir.join("first/large")).unwrap() == bytes(LARGE));

            // A small push, a large one and an empty one.
            commit(&dir, "first", "text", b"a line\n", "Add a text");
            git(&dir, &["-C", "first", "push", "-q", "origin", "main"]);
            let other = bytes(2 * LARGE).split_off(LARGE);
            commit(&dir, "first", "other", &other, "Add another file");
            git(&dir, &["-C", "first", "push", "-q", "origin", "main"]);
            git(&dir, &["-C", "first", "push", "-q", "origin", "main"]);
            let pushed = git(&dir, &["-C", "first", "rev-parse", "main"]);
            assert_eq!(git(&dir, &["-C", "repositories/project.git", "rev-parse", "main"]), pushed);
            git(&dir, &["-C", "repositories/project.git", "fsck", "--strict"]);

            git(&dir, &["clone", "-q", &url, "second"]);
            assert_eq!(git(&dir, &["-C", "second", "rev-parse", "HEAD"]), pushed);
            assert_eq!(fs::read(dir.join("second/text")).unwrap(), b"a line\n");
            assert!(fs::read(dir.join("second/other")).unwrap() == other);
        });
    });
}

/// gitweb as a CGI program that fcgiwrap starts for each request.
#[test]
fn gitweb() {
    need("gitweb", GITWEB);
    need("fcgiwrap", FCGIWRAP);
    on_both(|library| {
        let dir = TempDir::new();
        put_repository(&dir);
        let mut fcgiwrap = Command::new(FCGIWRAP);
        fcgiwrap.args(["-c", "2"]).stdin(listen_socket(&dir));
        serve_with(library, &dir, &mut fcgiwrap, |client| browse(&dir, client));
    });
}

/// gitweb as a FastCGI program on Perl's modules.
#[test]
fn gitweb_on_perl() {
    need_perl();
    need("libcgi-fast-perl", "/usr/share/perl5/CGI/Fast.pm");
    need("gitweb", GITWEB);
    on_both(|library| {
        let dir = TempDir::new();
        put_repository(&dir);
        let mut gitweb = Command::new(GITWEB);
        gitweb.arg("--fastcgi").env("GITWEB_CONFIG", dir.join("gitweb.conf"));
        gitweb.stdin(listen_socket(&dir));
        serve_with(library, &dir, &mut gitweb, |client| browse(&dir, client));
    });
}

/// Asks gitweb for pages, for a file and for an archive.
fn browse(dir: &TempDir, client: &Client) {
    let projects = text(client.get("/gitweb"));
    assert!(projects.contains("project.git"), "{projects}");
    for _ in 0..5 {
        let log = text(client.get("/gitweb?p=project.git;a=log"));
        assert!(log.contains("Begin with größe"), "{log}");
        assert!(log.ends_with("</html>"), "{log}");
    }
    let commit = git(dir, &["-C", "repositories/project.git", "rev-parse", "main"]);
    let diff = text(client.get(&format!("/gitweb?p=project.git;a=commitdiff_plain;h={commit}")));
    assert!(diff.contains("+the first line"), "{diff}");
    let large = client.get("/gitweb?p=project.git;a=blob_plain;f=large").body;
    assert!(large == bytes(LARGE), "{} bytes", large.len());
    let archive = client.get("/gitweb?p=project.git;a=snapshot;h=main;sf=tgz").body;
    fs::write(dir.join("archive.tgz"), archive).unwrap();
    let mut tar = Command::new("tar");
    tar.args(["-tzf"]).arg(dir.join("archive.tgz"));
    let names = run(&mut tar, SERVED).must_succeed();
    assert!(names.lines().any(|name| name.ends_with("/large")), "{names}");
}

/// Creates repositories/project.git, which allows pushes and has one commit, and gitweb's configuration.
fn put_repository(dir: &TempDir) {
    git(dir, &["init", "-q", "--bare", "-b", "main", "repositories/project.git"]);
    git(dir, &["-C", "repositories/project.git", "config", "http.receivepack", "true"]);
    git(dir, &["init", "-q", "-b", "main", "seed"]);
    fs::write(dir.join("seed/large"), bytes(LARGE)).unwrap();
    commit(dir, "seed", "text", b"the first line\n", "Begin with größe");
    git(dir, &["-C", "seed", "push", "-q", "../repositories/project.git", "main"]);
    let repositories = dir.join("repositories");
    let configuration = format!(
        "$projectroot = '{}';\n$feature{{'snapshot'}}{{'default'}} = ['tgz'];\n",
        repositories.display()
    );
    fs::write(dir.join("gitweb.conf"), configuration).unwrap();
}

/// Commits everything in a working tree together with one file of this content.
fn commit(dir: &TempDir, tree: &str, name: &str, content: &[u8], message: &str) {
    fs::write(dir.join(tree).join(name), content).unwrap();
    git(dir, &["-C", tree, "add", "--all"]);
    git(dir, &["-C", tree, "commit", "-q", "-m", message]);
}

/// Runs git in the directory, with no configuration but its own. Returns what it prints.
fn git(dir: &TempDir, arguments: &[&str]) -> String {
    let mut git = Command::new("git");
    git.args(["-c", "user.name=Test", "-c", "user.email=test@localhost"]).args(arguments);
    git.env("HOME", dir.path()).env("GIT_CONFIG_NOSYSTEM", "1").env("GIT_TERMINAL_PROMPT", "0");
    git.env_remove("http_proxy").env("no_proxy", "127.0.0.1").current_dir(dir.path());
    run(&mut git, SERVED).must_succeed().trim_end().to_owned()
}

/// Returns a port on which the web server can be reached, because git knows no unix sockets. The threads that
/// carry the bytes end with the test program.
fn on_tcp(client: &Client) -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    let client = client.clone();
    thread::spawn(move || {
        for connection in listener.incoming().map_while(Result::ok) {
            let Ok(server) = client.connect() else { break };
            carry(connection, server.into());
        }
    });
    port
}

/// Carries the bytes of a connection in both directions.
fn carry(from: TcpStream, to: UnixStream) {
    let from = UnixStream::from(OwnedFd::from(from));
    let (mut back_from, mut back_to) = (to.try_clone().unwrap(), from.try_clone().unwrap());
    let (mut from, mut to) = (from, to);
    thread::spawn(move || {
        let _ = io::copy(&mut from, &mut to);
        let _ = to.shutdown(std::net::Shutdown::Write);
    });
    thread::spawn(move || {
        let _ = io::copy(&mut back_from, &mut back_to);
        let _ = back_to.shutdown(std::net::Shutdown::Write);
    });
}
