//! Test suites of other packages that use the library through the Perl module FCGI, as Debian builds it. They
//! run unchanged.

use std::fs;
use std::process::Command;
use std::sync::{Mutex, PoisonError};

use crate::fetch::unpack;
use crate::{LIMIT, assert_loaded, loaded_from};
use testkit::{Library, TempDir, install, need, root, run};

struct Suite {
    package: &'static str,
    tests: &'static [&'static str],
    environment: &'static [(&'static str, &'static str)],
    /// The least number of tests that are not skipped.
    count: usize,
    /// The number of processes that load the library. Others are forked from them and inherit it.
    processes: usize,
}

/// Plack's own test suite for servers, through lighttpd, with a process manager.
#[test]
fn plack() {
    need_fcgi();
    need("libplack-perl", "/usr/share/perl5/Plack.pm");
    need("libfcgi-procmanager-perl", "/usr/share/perl5/FCGI/ProcManager.pm");
    need("libtest-requires-perl", "/usr/share/perl5/Test/Requires.pm");
    need("libwww-perl", "/usr/share/perl5/LWP/UserAgent.pm");
    need("lighttpd", "/usr/sbin/lighttpd");
    let suite = Suite {
        package: "libplack-perl",
        tests: &["t/Plack-Handler/fcgi.t", "t/Plack-Handler/fcgi_cleanup.t"],
        // The tests require these variables.
        environment: &[("RELEASE_TESTING", "1"), ("LIGHTTPD_BIN", "/usr/sbin/lighttpd")],
        count: 221,
        processes: 2,
    };
    suite.run(|_, _| ());
}

/// The package's own FastCGI client in front of small programs, with 7 MB in each direction.
#[test]
fn fcgi_client() {
    need_fcgi();
    need("libfcgi-client-perl", "/usr/share/perl5/FCGI/Client.pm");
    let suite = Suite {
        package: "libfcgi-client-perl",
        // Without 02_ruby.t, which does not use the library.
        tests: &[
            "xt/010_live/00_hello.t",
            "xt/010_live/03_post.t",
            "xt/010_live/04_external.t",
            "xt/010_live/05_long_key_names_values.t",
            "xt/010_live/06_big_post.t",
            "xt/010_live/07_timeout.t",
        ],
        environment: &[],
        count: 14,
        processes: 6,
    };
    suite.run(|_, _| ());
}

/// The tests that use no fixed port and no fixed file: in a CGI environment, and Plack's test suite for
/// servers through lighttpd.
#[test]
fn fcgi_engine() {
    need_fcgi();
    need("libplack-perl", "/usr/share/perl5/Plack.pm");
    need("libfcgi-client-perl", "/usr/share/perl5/FCGI/Client.pm");
    need("libfcgi-engine-perl", "/usr/share/perl5/FCGI/Engine.pm");
    need("libio-string-perl", "/usr/share/perl5/IO/String.pm");
    need("lighttpd", "/usr/sbin/lighttpd");
    let suite = Suite {
        package: "libfcgi-engine-perl",
        tests: &[
            "t/001_basic.t",
            "t/003_basic_with_options.t",
            "t/004_basic_psgi.t",
            "t/102_plack_server_fcgi_compat.t",
        ],
        environment: &[("LIGHTTPD_BIN", "/usr/sbin/lighttpd")],
        count: 147,
        processes: 4,
    };
    suite.run(|_, _| ());
}

/// h2o in front of plackup: unix and TCP, with and without kept connections, over HTTP/1, TLS and HTTP/2,
/// with a request header longer than a record.
#[test]
fn h2o() {
    need_fcgi();
    need("h2o", "/usr/bin/h2o");
    need("curl", "/usr/bin/curl");
    need("libplack-perl", "/usr/bin/plackup");
    need("libfcgi-procmanager-perl", "/usr/share/perl5/FCGI/ProcManager.pm");
    need("libpath-tiny-perl", "/usr/share/perl5/Path/Tiny.pm");
    need("libscope-guard-perl", "/usr/share/perl5/Scope/Guard.pm");
    let suite = Suite {
        package: "h2o",
        tests: &["t/50fastcgi.t"],
        environment: &[("PLACK_ENV", "deployment")],
        count: 110,
        // One process that checks whether the module exists, and six servers.
        processes: 7,
    };
    suite.run(|dir, prove| {
        // h2o, started by root, changes to a user that may not connect to root's unix socket.
        let wrapper = "#!/bin/sh\n\
                       test $(id -u) -ne 0 || echo 'user: root' >>\"$2\"\n\
                       exec /usr/bin/h2o \"$@\"\n";
        let programs = dir.join("programs");
        fs::create_dir(&programs).unwrap();
        fs::write(dir.join("wrapper"), wrapper).unwrap();
        install(&dir.join("wrapper"), &programs.join("h2o"));
        prove.env("BINARY_DIR", programs);
    });
}

fn need_fcgi() {
    need("perl", "/usr/bin/prove");
    // The files are in a directory named after Perl's version; the package's documents are not.
    need("libfcgi-perl", "/usr/share/doc/libfcgi-perl");
}

impl Suite {
    /// Runs the suite on the original first. All tests must succeed and be the same ones.
    fn run(&self, prepare: impl Fn(&TempDir, &mut Command)) {
        static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
        // The tests look for free ports and have time limits.
        let _guard = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
        let [original, ours] = Library::BOTH.map(|library| self.results(library, &prepare));
        assert_eq!(original, ours);
        let done = ours.iter().filter(|result| !result.contains("# skip")).count();
        assert!(done >= self.count, "only {done} tests: {ours:#?}");
        println!("{}: {done} tests", self.package);
    }

    /// Returns the name of each test, sorted: several processes of one test finish in any order.
    fn results(&self, library: Library, prepare: impl Fn(&TempDir, &mut Command)) -> Vec<String> {
        let dir = TempDir::new();
        let source = unpack(self.package, &dir);
        let modules = [source.join("lib"), source.clone(), root("tests/sources")];
        let mut prove = Command::new("prove");
        prove.args(["--verbose", "--exec=perl -MKillAtRest"]).args(self.tests);
        prove.env("PERL5LIB", std::env::join_paths(modules).unwrap());
        prove.current_dir(source).env("TMPDIR", dir.path());
        prove.envs(self.environment.iter().copied());
        prepare(&dir, &mut prove);
        let said = run(loaded_from(library, &dir, &mut prove), LIMIT).must_succeed();
        assert!(!said.contains("not ok"), "{said}");
        assert_eq!(assert_loaded(library, &dir), self.processes, "processes with {library:?}");
        let lines = said.lines().filter_map(|line| line.trim_start().strip_prefix("ok "));
        let name = |line: &str| line.trim_start_matches(|c: char| c.is_ascii_digit()).to_owned();
        let mut results: Vec<_> = lines.map(name).collect();
        results.sort();
        results
    }
}
