//! `-supervise`, an extension of libfcgi-rs.

use super::command_line::{build_application, process_id};
use super::peer::Running;
use super::*;

use std::thread;
use std::time::{Duration, Instant};

/// A running supervisor. Dropping the value stops it and its application.
struct Supervisor {
    running: Option<Running>,
    application: PathBuf,
    // Dropped last.
    dir: TempDir,
}

impl Supervisor {
    fn start(words: &[&str]) -> Self {
        let dir = TempDir::new();
        let application = build_application(&dir);
        let mut command = bare(OURS, &[]);
        command.args(words).arg("-connect").arg(dir.path("socket")).arg(&application).arg("2");
        let running = Some(start(&mut command, Input::Bytes(vec![])));
        Self { running, application, dir }
    }

    fn id(&self) -> u32 {
        self.running.as_ref().unwrap().child.id()
    }

    /// Waits until the application has two processes that `accepted` holds for, and returns their ids.
    fn processes(&self, accepted: impl Fn(&[String]) -> bool) -> Vec<String> {
        let end = Instant::now() + LIMIT;
        loop {
            let path = format!("/proc/{0}/task/{0}/children", self.id());
            let text = fs::read_to_string(path).unwrap();
            let ids: Vec<String> = text.split_whitespace().map(str::to_owned).collect();
            if ids.len() == 2 && accepted(&ids) {
                return ids;
            }
            assert!(Instant::now() < end, "the processes are {ids:?}");
            thread::sleep(Duration::from_millis(5));
        }
    }

    /// Sends a request and returns the id of the process that answered.
    fn ask(&self) -> String {
        let outcome = run(OURS, &[&"-bind", &"-connect", &self.dir.path("socket")]);
        process_id(&outcome, &self.application)
    }

    fn stop(mut self, signal: &str) -> Outcome {
        kill(signal, &self.id().to_string());
        self.running.take().unwrap().finish()
    }
}

impl Drop for Supervisor {
    fn drop(&mut self) {
        if let Some(mut running) = self.running.take() {
            kill("TERM", &running.child.id().to_string());
            let _ = running.child.wait();
        }
    }
}

fn kill(signal: &str, id: &str) {
    Command::new("sh").args(["-c", &format!("kill -s {signal} {id}")]).status().unwrap();
}

fn is_gone(id: &str) -> bool {
    !Path::new("/proc").join(id).exists()
}

#[test]
fn processes_that_end_are_started_again() {
    let supervisor = Supervisor::start(&["-supervise"]);
    let first = supervisor.processes(|_| true);
    // Each process answers one request and ends, so the third answer comes from a new process.
    let answers = [(); 3].map(|()| supervisor.ask());
    assert!(first.contains(&answers[0]) && first.contains(&answers[1]), "{first:?} {answers:?}");
    assert!(!first.contains(&answers[2]), "{first:?} {answers:?}");

    let now = supervisor.processes(|ids| !ids.contains(&answers[2]));
    kill("KILL", &now[0]);
    let last = supervisor.processes(|ids| !ids.contains(&now[0]));
    let outcome = supervisor.stop("TERM");
    assert_eq!((outcome.status, &outcome.stdout[..]), (0, &b""[..]));
    assert!(last.iter().all(|id| is_gone(id)), "{last:?}");
    let complaint =
        |id: &str, how: &str| format!("Application process {id} ended: {how}; starting another\n");
    let mut complaints: Vec<String> =
        answers.iter().map(|id| complaint(id, "exit status 0")).collect();
    complaints.push(complaint(&now[0], "signal 9"));
    for complaint in &complaints {
        assert!(outcome.stderr.contains(complaint), "{complaint}{}", outcome.stderr);
    }
    assert_eq!(outcome.stderr.lines().count(), complaints.len(), "{}", outcome.stderr);
}

#[test]
fn every_signal_that_means_stop_stops_all() {
    for signal in ["TERM", "INT", "HUP"] {
        let supervisor = Supervisor::start(&["-start", "-supervise"]);
        let processes = supervisor.processes(|_| true);
        let outcome = supervisor.stop(signal);
        assert_eq!((outcome.status, &outcome.stderr[..]), (0, ""), "{signal}");
        assert!(processes.iter().all(|id| is_gone(id)), "{signal}: {processes:?}");
    }
}

#[test]
fn what_cannot_be_started_is_told() {
    let dir = TempDir::new();
    let socket = dir.path("socket");
    let outcome = run(OURS, &[&"-supervise", &"-connect", &socket, &"/nowhere/application"]);
    assert_eq!(outcome.status, 1);
    assert_eq!(outcome.stderr, "Could not start /nowhere/application: No such file or directory\n");
    let outcome = run(OURS, &[&"-supervise", &"-bind", &"-connect", &socket]);
    assert!(outcome.stderr.starts_with("-bind and -supervise exclude each other\n"));
    assert_eq!(outcome.status, 1);
    let outcome = run(DEBIANS, &[&"-supervise", &"-bind", &"-connect", &socket]);
    assert!(outcome.stderr.starts_with("Unknown option -supervise\n"), "{}", outcome.stderr);
}
