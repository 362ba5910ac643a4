//! Preforked processes behind nginx, whose four workers each keep their own connections.

use std::fs::{self, File, Permissions};
use std::io::ErrorKind;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use super::prefork::{self, Tally, in_turns};
use super::shape::{BEHIND_NGINX, BehindNginx, Idle};
use crate::crowd::Answer;
use crate::load::Address;
use crate::programs::Programs;
use crate::server::{Contender, Server, Session};
use testkit::web::http::{Client, Kept};
use testkit::{PATIENCE, Running, TempDir, root, until};

const PROGRAM: &str = "/usr/sbin/nginx";

/// The time after the turn's end at which an unanswered request is aborted.
const GRACE: Duration = Duration::from_millis(100);

impl Idle {
    /// Returns how long nginx keeps a connection without a request, in nginx's syntax.
    fn limit(self) -> &'static str {
        match self {
            Self::Closed => "20ms",
            Self::Kept => "60s",
        }
    }
}

/// The result of a row.
pub(crate) struct Row {
    pub(crate) shape: &'static BehindNginx,
    /// `None` without nginx.
    pub(crate) measured: Option<prefork::Row>,
}

/// Measures every row behind nginx whose title contains `only`.
pub(crate) fn measure(programs: &Programs, only: &str) -> Vec<Row> {
    let chosen = BEHIND_NGINX.iter().filter(|shape| shape.prefork.scenario.title.contains(only));
    let is_there = Path::new(PROGRAM).exists();
    let measure = |shape| Row { shape, measured: is_there.then(|| measure_one(programs, shape)) };
    chosen.map(measure).collect()
}

fn measure_one(programs: &Programs, shape: &'static BehindNginx) -> prefork::Row {
    let start = |contender| Site::start(programs, shape, contender);
    let (ours, original) = (start(Contender::Ours), start(Contender::Original));
    let clients = shape.prefork.scenario.clients;
    in_turns(&shape.prefork, ours, Some(original), |site| site.turn(clients))
}

/// nginx in front of a contender.
struct Site {
    // Declared first, so that nginx ends before the program and its directory.
    nginx: Running,
    client: Client,
    dir: TempDir,
    _server: Server,
}

impl Site {
    fn start(programs: &Programs, shape: &BehindNginx, contender: Contender) -> Self {
        let server = Server::start(programs, &shape.prefork.scenario, contender, Session::Own);
        let Address::Unix(socket) = &server.address else { panic!("not a unix socket") };
        let dir = TempDir::new();
        // If root starts nginx, the workers run under a different account.
        let allow =
            |path: &Path, mode| fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
        allow(socket, 0o777);
        allow(socket.parent().unwrap(), 0o755);
        allow(dir.path(), 0o755);
        let text = fs::read_to_string(root("benches/nginx.conf")).unwrap();
        let text = text.replace("@DIR@", &dir.path().display().to_string());
        let text = text.replace("@IDLE@", shape.idle.limit());
        let text = text.replace("@SOCKET@", &socket.display().to_string());
        let configuration = dir.join("nginx.conf");
        fs::write(&configuration, text).unwrap();
        let mut command = Command::new(PROGRAM);
        command.args(["-e", "stderr", "-p"]).arg(dir.path()).arg("-c").arg(configuration);
        command.stdin(Stdio::null()).stdout(Stdio::null());
        command.stderr(File::create(dir.join("log")).unwrap());
        let nginx = Running::start_in_session(&mut command);
        let client = Client::Unix(dir.join("http.sock"));
        let mut site = Self { nginx, client, dir, _server: server };
        until("nginx to listen", PATIENCE, || {
            let ended = site.nginx.ended();
            assert!(ended.is_none(), "nginx has ended, {ended:?}:\n{}", site.log());
            site.client.connect().ok()
        });
        site
    }

    fn log(&self) -> String {
        fs::read_to_string(self.dir.join("log")).unwrap_or_default()
    }

    /// Connects all clients in parallel. Each sends requests until the turn is over.
    fn turn(&self, clients: usize) -> Tally {
        let mut tally = Tally::begin();
        let end = tally.end();
        thread::scope(|scope| {
            let ask = |number| scope.spawn(move || self.ask(number, end));
            let all: Vec<_> = (0..clients).map(ask).collect();
            for answer in all.into_iter().flat_map(|thread| thread.join().unwrap()) {
                tally.add(&answer);
            }
        });
        tally
    }

    /// Returns the answers that one client receives until the turn is over.
    fn ask(&self, client: usize, end: Instant) -> Vec<Answer> {
        let mut kept = self.client.keep().unwrap();
        let mut answers = Vec::new();
        while let Some(answer) = self.answer(&mut kept, client, end) {
            answers.push(answer);
        }
        answers
    }

    /// Returns `None` if the answer does not arrive before the turn is over. It still waits until the end of
    /// the grace time, so that nginx keeps the connection to the application.
    fn answer(&self, kept: &mut Kept, client: usize, end: Instant) -> Option<Answer> {
        let begin = Instant::now();
        if begin >= end {
            return None;
        }
        let response = match kept.get("/", end + GRACE - begin) {
            Err(error) if error.kind() == ErrorKind::WouldBlock => return None,
            response => response.unwrap_or_else(|error| panic!("{error}\n{}", self.log())),
        };
        assert_eq!(response.status, 200, "{response:?}\n{}", self.log());
        let at = Instant::now();
        let worker = response.text().trim_end().parse().expect("a process's number");
        let answer = Answer { client, at, latency: at - begin, worker };
        (at < end).then_some(answer)
    }
}
