//! The application behind the web servers, c-tests/web, and what its responses must be.

use std::fs::{self, Permissions};
use std::net::TcpListener;
use std::os::fd::OwnedFd;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use crate::{Library, Running, SERVED, TempDir, compile, dist, install, root, run, scratch, until};

/// The size of the largest response.
pub const LARGE: usize = 20 << 20;

/// Returns the first bytes of what the application sends, which is the same every time.
pub fn content(length: usize) -> &'static [u8] {
    static CONTENT: OnceLock<Vec<u8>> = OnceLock::new();
    let all = CONTENT.get_or_init(|| {
        let mut state = 0x9e37_79b9_7f4a_7c15_u64;
        let words = std::iter::repeat_with(|| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state.to_le_bytes()
        });
        words.take(LARGE / 8).flatten().collect()
    });
    &all[..length]
}

/// Returns the application's description of a body: its length and FNV-1a checksum.
pub fn described(body: &[u8]) -> String {
    let add = |sum: u64, byte: &u8| (sum ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3);
    format!("{} {:016x}", body.len(), body.iter().fold(0xcbf2_9ce4_8422_2325, add))
}

/// A directory with the application and our library. The accounts that web servers change to may read
/// it.
pub struct Home {
    pub dir: TempDir,
    /// The library that the application runs on, and its settings.
    under: Library,
    settings: Settings,
}

/// Environment variables of the library.
pub type Settings = &'static [(&'static str, &'static str)];

impl Home {
    /// Makes the directory with the program from `source`, a file of c-tests/web.
    pub fn new(source: &str) -> Self {
        Self::under(Library::Ours, &[], source)
    }

    /// Makes the directory with an application that runs on this library, with these settings.
    pub fn under(under: Library, settings: Settings, source: &str) -> Self {
        let home = Self { dir: TempDir::new(), under, settings };
        fs::set_permissions(home.dir.path(), Permissions::from_mode(0o755)).unwrap();
        fs::create_dir(home.dir.join("lib")).unwrap();
        fs::copy(dist().join("libfcgi.so.0"), home.library()).unwrap();
        fs::create_dir(home.dir.join("www")).unwrap();
        fs::write(home.dir.join("www/file.txt"), "a file\n").unwrap();
        // Every test has a copy of its own, because processes are found by the file that they run.
        install(program(source), &home.program());
        home
    }

    pub fn program(&self) -> PathBuf {
        self.dir.join("app")
    }

    fn library(&self) -> PathBuf {
        self.dir.join("lib/libfcgi.so.0")
    }

    /// Returns the application's processes.
    pub fn processes(&self) -> Vec<u32> {
        let entries = fs::read_dir("/proc").unwrap().filter_map(Result::ok);
        let numbers = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
        let runs = |pid: &u32| {
            fs::read_link(format!("/proc/{pid}/exe")).is_ok_and(|exe| exe == self.program())
        };
        numbers.filter(runs).collect()
    }

    /// Returns the processes without the one that only starts the others.
    pub fn serving(&self) -> Vec<u32> {
        let all = self.processes();
        let parents: Vec<u32> = all.iter().filter_map(|pid| parent(*pid)).collect();
        all.into_iter().filter(|pid| !parents.contains(pid)).collect()
    }

    /// Checks that every process of the application has mapped the library that it runs on, and no
    /// other library of that name.
    pub fn assert_mapped(&self) {
        let processes = self.processes();
        assert!(!processes.is_empty(), "no process of the application");
        for pid in processes {
            let mapped = mapped(pid);
            assert_eq!(mapped.len(), 1, "{mapped:?} are mapped by {pid}");
            let is_ours = mapped[0] == self.library();
            assert_eq!(is_ours, self.under == Library::Ours, "{mapped:?} is mapped by {pid}");
        }
    }

    /// Ends these processes; the requests that they are serving are finished first.
    pub fn end(&self, processes: &[u32]) {
        for pid in processes {
            let mut kill = Command::new("kill");
            run(kill.args(["-s", "TERM", &pid.to_string()]), SERVED);
        }
        let gone = || self.processes().iter().all(|pid| !processes.contains(pid));
        until("the application to end", SERVED, || gone().then_some(()));
    }
}

fn parent(pid: u32) -> Option<u32> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name in parentheses may contain anything; the state and the parent follow it.
    stat.rsplit(')').next()?.split_whitespace().nth(1)?.parse().ok()
}

/// Returns the files named libfcgi that a process has mapped.
pub fn mapped(pid: u32) -> Vec<PathBuf> {
    // A process that has ended meanwhile has no mapped files.
    let maps = fs::read_to_string(format!("/proc/{pid}/maps")).unwrap_or_default();
    let paths = maps.lines().filter_map(|line| line.find('/').map(|start| &line[start..]));
    let mut files: Vec<_> = paths.filter(|path| path.contains("/libfcgi.so")).collect();
    files.sort_unstable();
    files.dedup();
    files.into_iter().map(PathBuf::from).collect()
}

/// Builds a program of c-tests/web once per test process.
fn program(source: &str) -> &'static Path {
    static APP: OnceLock<PathBuf> = OnceLock::new();
    static LOADER: OnceLock<PathBuf> = OnceLock::new();
    let built = if source == "app" { &APP } else { &LOADER };
    built.get_or_init(|| {
        let program = scratch().join(format!("{source}.{}", std::process::id()));
        let source = root("c-tests/web").join(format!("{source}.c"));
        compile(&source, Library::Ours, &program).unwrap_or_else(|error| panic!("{error}"));
        program
    })
}

/// A listen socket that the test keeps, as systemd does: it exists while no application runs.
pub struct Listen(OwnedFd);

impl Listen {
    pub fn unix(path: &Path) -> Self {
        let socket = UnixListener::bind(path).unwrap();
        // Web servers started by root change to an account of their own.
        fs::set_permissions(path, Permissions::from_mode(0o777)).unwrap();
        Self(socket.into())
    }

    /// Returns a listen socket on TCP and its port.
    pub fn tcp() -> (Self, u16) {
        let socket = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = socket.local_addr().unwrap().port();
        (Self(socket.into()), port)
    }

    /// Starts the application on it.
    pub fn serve(&self, home: &Home, options: &str) -> Running {
        let mut command = Command::new(home.program());
        command.args(options.split_whitespace()).envs(home.settings.iter().copied());
        if home.under == Library::Ours {
            command.env("LD_LIBRARY_PATH", home.dir.join("lib"));
        }
        command.stdin(Stdio::from(self.0.try_clone().unwrap()));
        Running::start(&mut command)
    }
}
