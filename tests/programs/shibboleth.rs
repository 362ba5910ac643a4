//! Debian's shibresponder and shibauthorizer, which use libfcgi++, with the daemon that keeps their sessions.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixListener;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use super::{FIXTURES, file, installed, is_listening, mapped, on_both};
use fcgi::internals::protocol::{RecordType, Role};
use testkit::wire::{Record, begin_role, exchange, output, params, stdin};
use testkit::{Library, Running, SERVED, TempDir, need, until, until_asleep};

/// The responder creates a session, and the authorizer lets its owner in.
#[test]
fn shibboleth() {
    need("shibboleth-sp-utils", "/usr/sbin/shibd");
    on_both(|library| {
        let dir = TempDir::new();
        let path = dir.path().to_str().unwrap();
        let configuration = fs::read_to_string(format!("{FIXTURES}/shibboleth.xml")).unwrap();
        fs::write(dir.join("sp.xml"), configuration.replace("@DIR@", path)).unwrap();
        // In the programs the standard streams are FastCGI's, so that a log on them would be in the answers.
        let logger = "log4j.rootCategory=WARN, file\n\
                      log4j.appender.file=org.apache.log4j.FileAppender\n\
                      log4j.appender.file.fileName=@DIR@/log\n";
        fs::write(dir.join("logger"), logger.replace("@DIR@", path)).unwrap();
        let mut shibd = Command::new("/usr/sbin/shibd");
        shibd.arg("-F").arg("-c").arg(dir.join("sp.xml")).arg("-p").arg(dir.join("pid"));
        shibd.env("SHIBSP_LOGGING", dir.join("logger"));
        let _shibd = Running::start(shibd.stdin(Stdio::null()).stdout(log(&dir, "shibd")));
        let listens = || is_listening(&dir.join("shibd.sock")).then_some(());
        until("shibd to listen", SERVED, listens);

        let responder = Program::start(library, &dir, "shibresponder");
        let authorizer = Program::start(library, &dir, "shibauthorizer");
        let session = respond(&responder);
        authorize(&authorizer, &session);
        for program in [responder, authorizer] {
            program.end(library);
        }
    });
}

/// Asks the responder for each of its pages. Returns the name and the value of a session's cookie.
fn respond(responder: &Program) -> String {
    for _ in 0..10 {
        let metadata = responder.ask("/Shibboleth.sso/Metadata", "", b"");
        assert!(metadata.starts_with("Status: 200 OK\r\n"), "{metadata}");
        assert!(metadata.contains("entityID=\"https://sp.example.org/shibboleth\""), "{metadata}");
        assert!(metadata.ends_with("</md:EntityDescriptor>"), "{metadata}");
    }
    let session = responder.ask("/Shibboleth.sso/Session", "", b"");
    assert!(session.contains("A valid session was not found."), "{session}");

    let records = responder.exchange("/Shibboleth.sso/Missing", "", b"");
    let failure = "Shibboleth handler invoked at an unconfigured location.";
    let answer = String::from_utf8(output(&records)).unwrap();
    assert!(answer.starts_with("Status: 500 "), "{answer}");
    assert!(answer.contains(failure), "{answer}");
    let errors = records.iter().filter(|record| record.kind == RecordType::STDERR);
    let errors: Vec<u8> = errors.flat_map(|record| record.content.clone()).collect();
    assert_eq!(String::from_utf8(errors).unwrap(), format!("shib: {failure}"));

    let form = b"protocol=urn:oasis:names:tc:SAML:2.0:protocol";
    let created = responder.ask("/Shibboleth.sso/ExternalAuth", "", form);
    let cookie = created.split_once("Set-Cookie: ").and_then(|(_, rest)| rest.split_once(';'));
    let (cookie, _) = cookie.unwrap_or_else(|| panic!("{created}"));
    let session = responder.ask("/Shibboleth.sso/Session", cookie, b"");
    assert!(session.contains("<strong>Authentication Time:</strong>"), "{session}");
    cookie.to_owned()
}

/// Asks the authorizer about paths that need a session, that may have one, and that have no rule.
fn authorize(authorizer: &Program, cookie: &str) {
    for _ in 0..10 {
        let refused = authorizer.ask("/secure/page", "", b"");
        assert!(refused.starts_with("Status: 302 "), "{refused}");
        assert!(refused.contains("\r\nLocation: https://ds.example.org/choose?"), "{refused}");
        let (_, session) = cookie.split_once('=').unwrap();
        let granted = authorizer.ask("/secure/page", cookie, b"");
        assert!(granted.starts_with("Status: 200 OK\r\n"), "{granted}");
        let variable = format!("\r\nVariable-Shib-Session-ID: {session}\r\n");
        assert!(granted.contains(&variable), "{granted}");
    }
    let open = authorizer.ask("/open/page", "", b"");
    assert!(open.starts_with("Status: 200 OK\r\nVariable-Shib-Handler: https://"), "{open}");
    assert_eq!(authorizer.ask("/other/page", "", b""), "Status: 200 OK\r\n\r\n");
}

/// One of the two programs.
struct Program {
    running: Running,
    socket: PathBuf,
    role: Role,
}

impl Program {
    fn start(library: Library, dir: &TempDir, name: &str) -> Self {
        let socket = dir.join(&format!("{name}.sock"));
        let program = installed("shibboleth-sp-utils", &format!("/{name}"));
        let mut command = Command::new(program);
        command.env("SHIBSP_CONFIG", dir.join("sp.xml"));
        command.env("SHIBSP_LOGGING", dir.join("logger")).stdout(log(dir, name));
        command.stdin(OwnedFd::from(UnixListener::bind(&socket).unwrap()));
        let role = if name == "shibauthorizer" { Role::Authorizer } else { Role::Responder };
        Self { running: Running::start(library.under(&mut command)), socket, role }
    }

    fn ask(&self, path: &str, cookie: &str, body: &[u8]) -> String {
        String::from_utf8(output(&self.exchange(path, cookie, body))).unwrap()
    }

    /// Sends a request as a web server with TLS does; with a body it is a POST.
    fn exchange(&self, path: &str, cookie: &str, body: &[u8]) -> Vec<Record> {
        let length = body.len().to_string();
        let parameters = params(
            1,
            &[
                ("REQUEST_METHOD", if body.is_empty() { "GET" } else { "POST" }),
                ("REQUEST_URI", path),
                ("QUERY_STRING", ""),
                ("SERVER_NAME", "sp.example.org"),
                ("SERVER_PORT", "443"),
                ("HTTPS", "on"),
                ("REMOTE_ADDR", "127.0.0.1"),
                ("HTTP_COOKIE", cookie),
                ("CONTENT_TYPE", "application/x-www-form-urlencoded"),
                ("CONTENT_LENGTH", &length),
            ],
        );
        let body = if self.role == Role::Responder { stdin(1, body) } else { Vec::new() };
        exchange(&self.socket, &[begin_role(1, self.role, false), parameters, body].concat())
    }

    /// Checks which libraries the program has mapped, and ends it.
    fn end(mut self, library: Library) {
        let fcgi = file(library);
        let fcgixx = fs::canonicalize(fcgi.with_file_name("libfcgi++.so.0")).unwrap();
        assert_eq!(mapped(self.running.pid()), BTreeSet::from([fcgi, fcgixx]));
        // A signal between a request and the next accept is lost, with any library.
        until_asleep(self.running.pid());
        self.running.signal("TERM");
        assert_eq!(self.running.wait(SERVED).expect("the program ends").code(), Some(0));
    }
}

/// Returns a file for the output of a program.
fn log(dir: &TempDir, name: &str) -> File {
    File::create(dir.join(&format!("{name}.log"))).unwrap()
}
