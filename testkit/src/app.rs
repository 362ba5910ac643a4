//! A FastCGI application for tests to talk to: echo.c, with one of the two libraries, or the same on
//! fcgi_request.h.

use std::fs::{self, File};
use std::path::PathBuf;
use std::process::{Command, Stdio};

use super::wire::{self, Connection, Record};
use super::{Library, Running, TempDir, helper, mapped, until_asleep};

/// A running echo.c with a socket in a directory of its own.
pub struct App {
    // The order matters: the program ends before its directory goes.
    running: Running,
    dir: TempDir,
}

impl App {
    pub fn start(library: Library) -> Self {
        Self::start_with(library, &[])
    }

    /// Starts echo.c on each library, and echo_requests.c on ours, one after the other.
    pub fn all() -> impl Iterator<Item = (&'static str, Self)> {
        let original = Library::original().into_iter();
        original.map(|original| ("the original", Self::start(original))).chain(Self::ours())
    }

    /// Starts echo.c and echo_requests.c on our library, one after the other.
    pub fn ours() -> impl Iterator<Item = (&'static str, Self)> {
        let programs = [("ours", "echo"), ("fcgi_request.h", "echo_requests")];
        let start = |(name, program)| (name, Self::start_program(program, Library::Ours, &[]));
        programs.into_iter().map(start)
    }

    /// Starts it with additional environment variables.
    pub fn start_with(library: Library, environment: &[(&str, &str)]) -> Self {
        Self::start_program("echo", library, environment)
    }

    fn start_program(program: &str, library: Library, environment: &[(&str, &str)]) -> Self {
        let dir = TempDir::new();
        let mut command = Command::new(helper(program, library));
        command.arg("app.sock").current_dir(dir.path()).envs(environment.iter().copied());
        // Its output stays in the directory of a test that has failed.
        let said = File::create(dir.join("stderr")).unwrap();
        command.stdin(Stdio::null()).stderr(said);
        Self { running: Running::start(library.under(&mut command)), dir }
    }

    pub fn socket(&self) -> PathBuf {
        self.dir.join("app.sock")
    }

    pub fn connect(&self) -> Connection {
        Connection::open(&self.socket())
    }

    pub fn exchange(&self, bytes: &[u8]) -> Vec<Record> {
        wire::exchange(&self.socket(), bytes)
    }

    pub fn exchange_split(&self, bytes: &[u8]) -> Vec<Record> {
        wire::exchange_split(&self.socket(), bytes)
    }

    /// Returns the shared library file that the program has mapped.
    pub fn library(&self) -> PathBuf {
        mapped(self.running.pid())
    }

    /// Returns the most memory, used or only reserved, that the program has ever had, in bytes.
    pub fn most_memory(&self) -> usize {
        let status = fs::read_to_string(format!("/proc/{}/status", self.running.pid())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmPeak:")).unwrap();
        let kilobytes: usize = line.trim_end_matches("kB").trim().parse().unwrap();
        kilobytes * 1024
    }

    /// Waits until the program, which has one thread, sleeps.
    pub fn until_asleep(&self) {
        until_asleep(self.running.pid());
    }

    pub fn is_running(&mut self) -> bool {
        self.running.ended().is_none()
    }
}
