//! The programs of this directory, compiled once against Debian's headers and run on both libraries.

use std::env;
use std::fs::File;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::scenario::{Program, Scenario};
use testkit::{Library, Running, TempDir, dist, need, root, run};

/// The compiled programs.
pub(crate) struct Programs {
    dir: TempDir,
}

impl Programs {
    pub(crate) fn build() -> Self {
        need("libfcgi-dev", "/usr/include/fcgiapp.h");
        // Without it the original would be compared with itself.
        assert!(dist().join("libfcgi.so.0").exists(), "no library in {}", dist().display());
        let programs = Self { dir: TempDir::new() };
        let c = ["-std=gnu99", "-Wall", "-Wextra", "-Werror", "-O2"];
        let cxx = ["-Wall", "-Wextra", "-Werror", "-O2"];
        let apart = ["-shared", "-fPIC"];
        let library = ["-lfcgi", "-lpthread"];
        programs.compile("CC", "cc", &c, "application.c", "application", &library);
        programs.compile("CC", "cc", &c, "stdio.c", "stdio", &library);
        programs.compile("CC", "cc", &c, "requests.c", "requests", &library);
        programs.compile("CC", "cc", &c, "bare.c", "bare", &["-lpthread"]);
        programs.compile("CC", "cc", &[&c[..], &apart].concat(), "heap.c", "heap.so", &[]);
        let library = ["-lfcgi++", "-lfcgi"];
        programs.compile("CXX", "c++", &cxx, "iostreams.cpp", "iostreams", &library);
        programs
    }

    fn compile(
        &self,
        variable: &str,
        compiler: &str,
        flags: &[&str],
        source: &str,
        made: &str,
        libraries: &[&str],
    ) {
        let mut command = Command::new(env::var_os(variable).unwrap_or_else(|| compiler.into()));
        command.args(flags).arg("-o").arg(self.path(made));
        command.arg(root("benches").join(source)).args(libraries);
        run(&mut command, Duration::from_secs(60)).must_succeed();
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    /// Returns the words that start a scenario's program. It ends after `warm_up` and `counted` requests.
    pub(crate) fn words(&self, scenario: &Scenario, warm_up: usize, counted: usize) -> Vec<String> {
        let numbers = [scenario.size, scenario.threads, warm_up, counted].map(|n| n.to_string());
        let program = self.path(scenario.program.name()).display().to_string();
        let mut words = [&[program, scenario.kind.to_owned()], &numbers[..]].concat();
        if scenario.program == Program::Application {
            let numbers = [scenario.processes, scenario.work, scenario.each];
            words.extend(numbers.map(|n| n.to_string()));
        }
        words
    }
}

impl Program {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Application => "application",
            Self::Stdio => "stdio",
            Self::Requests => "requests",
            Self::Iostreams => "iostreams",
        }
    }

    /// Returns whether there is a library to run it on.
    pub(crate) fn is_built(self) -> bool {
        self != Self::Iostreams || dist().join("libfcgi++.so.0").exists()
    }
}

/// Returns a command that owns the listen socket. The caller must not keep it, because the socket must close
/// when the program ends.
pub(crate) fn command(
    words: &[String],
    library: Option<Library>,
    socket: OwnedFd,
    log: &Path,
) -> Command {
    let mut command = Command::new(&words[0]);
    command.args(&words[1..]).stdin(Stdio::from(socket));
    command.stdout(Stdio::null()).stderr(File::create(log).unwrap());
    if let Some(library) = library {
        library.under(&mut command);
    }
    command
}

/// Starts such a command.
pub(crate) fn start(
    words: &[String],
    library: Option<Library>,
    socket: OwnedFd,
    log: &Path,
) -> Running {
    Running::start(&mut command(words, library, socket, log))
}
