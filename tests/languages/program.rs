//! A program of examples-ffi: built in a temporary directory, and running with a listen socket.

use std::fs::{self, File};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};
use std::thread;
use std::time::{Duration, Instant};

use testkit::{LIMIT, Library, PATIENCE, Running, SERVED, TempDir, dist, root, run, signal, until};
use testkit::{state, wire};

use super::client::Client;
use super::table::Language;

/// A built program, in a copy of its directory.
pub(crate) struct Built {
    language: &'static Language,
    dir: TempDir,
}

impl Built {
    pub(crate) fn new(language: &'static Language) -> Self {
        Self::changed(language, &[])
    }

    /// Builds the program with changes: texts that are there once, and what takes their place.
    pub(crate) fn changed(language: &'static Language, changes: &[(&str, &str)]) -> Self {
        let dir = TempDir::new();
        let source = root("examples-ffi").join(language.name);
        run(Command::new("cp").arg("-R").arg(source).arg(dir.join("program")), PATIENCE)
            .must_succeed();
        for (old, new) in changes {
            replace(&dir.join("program"), old, new);
        }
        let built = Self { language, dir };
        if !language.build.is_empty() {
            run(&mut built.shell(language.build), LIMIT).must_succeed();
        }
        built
    }

    /// Returns a shell command in the program's directory. Compilers, linkers and the program find our library
    /// as if it were installed; caches go into the temporary directory.
    fn shell(&self, command: &str) -> Command {
        let mut sh = Command::new("sh");
        sh.args(["-e", "-c", command]).current_dir(self.dir.join("program"));
        sh.env("HOME", self.dir.path()).env_remove("XDG_CACHE_HOME");
        sh.env("CPATH", dist().join("include")).env("LIBRARY_PATH", dist());
        // R puts directories of its own before LD_LIBRARY_PATH, unless this names others.
        sh.env("R_LD_LIBRARY_PATH", dist());
        sh.env("COMPILER_PATH", root("tests/languages/linkers"));
        Library::Ours.under(&mut sh);
        sh
    }

    /// Starts it with a listen socket of its own. `name` tells the runs of a program apart.
    pub(crate) fn start(&self, name: &str) -> Program {
        let socket = self.dir.join(name);
        let said = self.dir.join(&format!("{name}.stderr"));
        let mut command = self.shell(&format!("exec {}", self.language.run));
        command.stdin(OwnedFd::from(UnixListener::bind(&socket).unwrap()));
        command.stdout(File::create(self.dir.join(&format!("{name}.stdout"))).unwrap());
        command.stderr(File::create(&said).unwrap());
        Program { running: Running::start(&mut command), socket, said }
    }
}

/// Replaces a text that is in one place of one file of a directory.
fn replace(dir: &Path, old: &str, new: &str) {
    let files = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    let texts = files.map(|path| (fs::read_to_string(&path).unwrap(), path));
    let found: Vec<(String, PathBuf)> = texts.filter(|(text, _)| text.contains(old)).collect();
    let [(text, path)] = found.as_slice() else { panic!("{} files have {old:?}", found.len()) };
    assert_eq!(text.matches(old).count(), 1, "{old:?}");
    fs::write(path, text.replace(old, new)).unwrap();
}

/// A running program.
pub(crate) struct Program {
    running: Running,
    socket: PathBuf,
    said: PathBuf,
}

impl Program {
    pub(crate) fn connect(&self) -> Client {
        Client::new(wire::Connection::open(&self.socket))
    }

    /// Returns what the program has written to its own stderr.
    pub(crate) fn said(&self) -> String {
        String::from_utf8_lossy(&fs::read(&self.said).unwrap()).into_owned()
    }

    pub(crate) fn descriptors(&self) -> usize {
        fs::read_dir(self.proc("fd")).unwrap().count()
    }

    pub(crate) fn threads(&self) -> usize {
        fs::read_dir(self.proc("task")).unwrap().count()
    }

    /// Fails unless the program has mapped the library that was built, and no other.
    pub(crate) fn assert_ours(&self) {
        let maps = fs::read_to_string(self.proc("maps")).unwrap();
        let mut libraries: Vec<&str> = maps
            .lines()
            .filter_map(|line| line.find('/').map(|start| &line[start..]))
            .filter(|path| path.contains("/libfcgi.so"))
            .collect();
        libraries.dedup();
        let ours = fs::canonicalize(dist().join("libfcgi.so.0")).unwrap();
        assert_eq!(libraries, [ours.to_str().unwrap()]);
    }

    /// Waits until all threads sleep: the program waits for a request, or for more of one.
    pub(crate) fn until_it_waits(&self) {
        let tasks = || fs::read_dir(self.proc("task")).unwrap().map(|task| task.unwrap().path());
        until("all threads to sleep", PATIENCE, || {
            tasks().all(|task| state(&task) == Some('S')).then_some(())
        });
    }

    pub(crate) fn signal(&self, number: i32) {
        signal(self.running.pid(), number);
    }

    /// Waits for the end. Returns how it ended and how long that took.
    pub(crate) fn until_ended(&mut self) -> (ExitStatus, Duration) {
        let start = Instant::now();
        let status = self.running.wait(SERVED);
        let status = status.unwrap_or_else(|| panic!("the program does not end: {}", self.said()));
        (status, start.elapsed())
    }

    fn proc(&self, file: &str) -> PathBuf {
        Path::new("/proc").join(self.running.pid().to_string()).join(file)
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        if thread::panicking() {
            println!("the program has said:\n{}", self.said());
        }
    }
}
