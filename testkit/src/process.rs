//! Temporary directories, programs with time limits, and waiting for events.

use super::original::has_original;
use std::fmt;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// A directory of one test alone. It is removed with the value unless the test has failed.
pub struct TempDir(PathBuf);

impl TempDir {
    pub fn new() -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("libfcgi-{}-{number}", std::process::id()));
        // An earlier run that failed under the same process number may have left files; they are of no
        // use now.
        let _ = fs::remove_dir_all(&path);
        fs::create_dir(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        Self(path)
    }

    pub fn path(&self) -> &Path {
        &self.0
    }

    pub fn join(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for TempDir {
    fn drop(&mut self) {
        if !thread::panicking() {
            let _ = fs::remove_dir_all(&self.0);
        }
    }
}

/// Waits for something that cannot be polled by descriptor: asks again every two milliseconds.
pub fn until<T>(what: &str, limit: Duration, mut ask: impl FnMut() -> Option<T>) -> T {
    let end = Instant::now() + limit;
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(Instant::now() < end, "time is up, waiting for: {what}");
        thread::sleep(Duration::from_millis(2));
    }
}

/// A running program that leads a process group of its own. The whole group is ended with the value.
pub struct Running {
    child: Child,
    name: String,
}

impl Running {
    pub fn start(command: &mut Command) -> Self {
        let name = format!("{command:?}");
        let child = command.process_group(0).spawn();
        Self { child: child.unwrap_or_else(|error| panic!("{name}: {error}")), name }
    }

    /// Starts it as leader of a session of its own, as services are started.
    pub fn start_in_session(command: &mut Command) -> Self {
        let name = format!("{command:?}");
        let lead = || {
            // SAFETY: takes no pointer.
            let session = unsafe { libc::setsid() };
            if session < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
        };
        // SAFETY: between fork and exec the closure makes one system call and allocates nothing.
        unsafe { command.pre_exec(lead) };
        let child = command.spawn();
        Self { child: child.unwrap_or_else(|error| panic!("{name}: {error}")), name }
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Returns the exit status if the program has ended.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().unwrap()
    }

    /// Waits for the end. Returns `None` when the time is up; the program still runs then.
    pub fn wait(&mut self, limit: Duration) -> Option<ExitStatus> {
        let end = Instant::now() + limit;
        loop {
            let status = self.ended();
            if status.is_some() || Instant::now() >= end {
                return status;
            }
            thread::sleep(Duration::from_millis(2));
        }
    }

    /// Sends a signal, given by its name, to the program alone.
    pub fn signal(&self, name: &str) {
        kill(name, &self.pid().to_string());
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // The group's number stays taken while a member lives; without members nothing is stopped.
        kill("KILL", &format!("-{}", self.pid()));
        let _ = self.child.wait();
    }
}

fn kill(signal: &str, whom: &str) {
    let script = format!("kill -s {signal} -- {whom}");
    let _ = Command::new("sh").args(["-c", &script]).stderr(Stdio::null()).status();
}

/// The result of a program: how it ended and what it wrote.
#[derive(Debug)]
pub struct Ended {
    pub name: String,
    pub stdout: String,
    pub stderr: String,
    pub code: Option<i32>,
    pub how: String,
}

impl Ended {
    pub fn must_succeed(self) -> String {
        assert_eq!(self.code, Some(0), "{self}");
        self.stdout
    }
}

impl fmt::Display for Ended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}\n{}{}", self.name, self.how, self.stdout, self.stderr)
    }
}

/// Puts an executable file where it will be run. Another process writes it: while this one had it open,
/// a program that another test starts could get a copy of the descriptor. Until that program had called
/// exec, the file could not be run (ETXTBSY).
pub fn install(from: &Path, to: &Path) {
    run(Command::new("install").args(["-m", "755"]).args([from, to]), Duration::from_secs(60))
        .must_succeed();
}

/// Runs a program to its end, or to the limit.
pub fn run(command: &mut Command, limit: Duration) -> Ended {
    // Files, not pipes: a surviving grandchild that holds a pipe open would keep us waiting.
    let dir = TempDir::new();
    let file = |name: &str| File::create(dir.join(name)).unwrap();
    command.stdin(Stdio::null()).stdout(file("stdout")).stderr(file("stderr"));
    let mut running = Running::start(command);
    let status = running.wait(limit);
    let text =
        |name: &str| String::from_utf8_lossy(&fs::read(dir.join(name)).unwrap()).into_owned();
    let how = match status {
        None => format!("still running after {limit:?}"),
        Some(status) => match status.signal() {
            Some(signal) => format!("signal {signal}"),
            None => format!("exit {}", status.code().unwrap_or_default()),
        },
    };
    Ended {
        name: running.name.clone(),
        stdout: text("stdout"),
        stderr: text("stderr"),
        code: status.and_then(|status| status.code()),
        how,
    }
}

/// Makes sure that a Debian package is installed, by a path that it provides. Installs it as root, or
/// fails with the command to run. `make test` installs nothing.
pub fn need(package: &str, path: &str) {
    static UPDATED: OnceLock<()> = OnceLock::new();
    if Path::new(path).exists() {
        return;
    }
    assert!(
        has_original(),
        "{path} is missing, of the package {package}: `make check` installs it"
    );
    let limit = Duration::from_secs(600);
    let apt = |arguments: &[&str]| {
        let mut apt = Command::new("apt-get");
        run(apt.env("DEBIAN_FRONTEND", "noninteractive").args(arguments), limit).must_succeed()
    };
    let root = fs::metadata("/proc/self").unwrap().uid() == 0;
    assert!(root, "{path} is missing: run\n  sudo apt-get install -y {package}");
    UPDATED.get_or_init(|| {
        apt(&["update"]);
    });
    apt(&["install", "-y", "--no-install-recommends", package]);
    assert!(Path::new(path).exists(), "{package} was installed, but {path} is missing");
}

/// Raises the limit on descriptors of the test to this number; programs that it starts inherit that.
pub fn allow_descriptors(count: usize) {
    let count = count as libc::rlim_t;
    // SAFETY: an all-zero rlimit is valid, and both calls use its address only while they run.
    unsafe {
        let mut limit: libc::rlimit = std::mem::zeroed();
        assert_eq!(libc::getrlimit(libc::RLIMIT_NOFILE, &mut limit), 0);
        assert!(limit.rlim_max >= count, "the hard limit of descriptors is below {count}");
        limit.rlim_cur = limit.rlim_cur.max(count);
        assert_eq!(libc::setrlimit(libc::RLIMIT_NOFILE, &limit), 0);
    }
}
