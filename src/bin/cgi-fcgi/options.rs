//! Parses the command line, and the command file of `-f`.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::str;
use std::time::Duration;

use fcgi::internals::os::error;

/// The usage text: for `--help`, and after a complaint about the command line.
pub(crate) const USAGE: &str = "\
Usage:
    cgi-fcgi [--timeout SECONDS] -bind -connect NAME
    cgi-fcgi [--timeout SECONDS] -connect NAME APPLICATION [SERVERS]
    cgi-fcgi -start -connect NAME APPLICATION [SERVERS]
    cgi-fcgi -supervise -connect NAME APPLICATION [SERVERS]
    cgi-fcgi -f FILE
    cgi-fcgi --help | --version
NAME is where the application listens: the path of a unix socket, HOST:PORT,
:PORT for this host, or [IPV6-ADDRESS]:PORT.
";

/// How much of a command file is read, in bytes. The limit is for devices, which may never end.
const MAX_COMMAND_FILE: u64 = 1 << 20;

/// What the command line asks for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Command {
    /// Show the usage.
    Help,
    /// Show the version.
    Version,
    /// Carry a request, start an application, or both.
    Run(Options),
}

/// A valid command line.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Options {
    /// Where the application listens.
    pub(crate) name: Vec<u8>,
    /// What to do there.
    pub(crate) mode: Mode,
    /// The timeout for the whole run.
    pub(crate) timeout: Option<Duration>,
}

/// What to do with the connection name.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    /// `-bind`: carry a request to an application that listens already.
    Carry,
    /// Carry a request; start the application first if nothing listens.
    StartAndCarry(Application),
    /// `-start`: start the application and exit.
    Start(Application),
    /// `-supervise`: start the application, and restart each of its processes that ends.
    Supervise(Application),
}

/// A program to start, and in how many processes.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Application {
    pub(crate) path: Vec<u8>,
    pub(crate) servers: usize,
}

/// All errors of a command line, one line each.
pub(crate) type Complaints = Vec<String>;

/// The arguments found so far.
#[derive(Default)]
struct Words {
    bind: bool,
    start: bool,
    supervise: bool,
    name: Vec<u8>,
    path: Vec<u8>,
    servers: Option<usize>,
    timeout: Option<Duration>,
    complaints: Complaints,
}

/// Parses the arguments after the program's name.
pub(crate) fn parse(arguments: impl Iterator<Item = OsString>) -> Result<Command, Complaints> {
    let mut words = Words::default();
    let mut arguments = arguments.map(OsString::into_vec);
    while let Some(argument) = arguments.next() {
        match argument.as_slice() {
            b"--help" => return Ok(Command::Help),
            b"--version" => return Ok(Command::Version),
            b"-f" => return words.read_command_file(arguments.next()),
            b"--" => arguments.by_ref().for_each(|argument| words.operand(argument)),
            _ => words.take(argument, &mut arguments),
        }
    }
    words.finish()
}

impl Words {
    /// Takes one argument, and the value that it needs from `rest`.
    fn take(&mut self, argument: Vec<u8>, rest: &mut dyn Iterator<Item = Vec<u8>>) {
        match argument.as_slice() {
            b"-bind" => self.bind = true,
            b"-start" => self.start = true,
            b"-supervise" => self.supervise = true,
            b"-connect" => match rest.next() {
                Some(name) => self.name = name,
                None => self.complain("Missing connection name after -connect"),
            },
            b"--timeout" => match rest.next().as_deref().and_then(seconds) {
                Some(timeout) => self.timeout = Some(timeout),
                None => self.complain("--timeout needs a number of seconds greater than 0"),
            },
            [b'-', ..] => self.complain(format!("Unknown option {}", shown(&argument))),
            _ => self.operand(argument),
        }
    }

    /// Takes an operand: first the application, then the number of servers.
    fn operand(&mut self, argument: Vec<u8>) {
        if self.path.is_empty() {
            self.path = argument;
        } else if self.servers.is_none() && argument.iter().all(u8::is_ascii_digit) {
            self.servers = number(&argument);
            if self.servers.is_none_or(|servers| servers == 0) {
                self.complain("Number of servers must be greater than 0");
            }
        } else {
            self.complain(format!("Unknown argument {}", shown(&argument)));
        }
    }

    /// Takes the words of a command file instead of the rest of the command line, which it ignores: `#!`
    /// needs that.
    fn read_command_file(mut self, path: Option<Vec<u8>>) -> Result<Command, Complaints> {
        let Some(path) = path else {
            self.complain("Missing command file name after -f");
            return Err(self.complaints);
        };
        let text = match read_text(&path) {
            Ok(text) => text,
            Err(error) => {
                let why = error::message(&error);
                self.complain(format!("Cannot open command file {}: {why}", shown(&path)));
                return Err(self.complaints);
            }
        };
        let mut words = command_file_words(&text).map(<[u8]>::to_vec);
        while let Some(word) = words.next() {
            self.take(word, &mut words);
        }
        self.finish()
    }

    /// Checks that the arguments go together.
    fn finish(mut self) -> Result<Command, Complaints> {
        if self.path.is_empty() && !self.bind {
            self.complain("Missing application pathname");
        }
        if self.name.is_empty() {
            self.complain("Missing -connect <connName>");
        }
        if self.bind && self.start {
            self.complain("-bind and -start exclude each other");
        }
        if self.bind && self.supervise {
            self.complain("-bind and -supervise exclude each other");
        }
        if self.timeout.is_some() && self.supervise {
            self.complain("--timeout and -supervise exclude each other");
        }
        if !self.complaints.is_empty() {
            return Err(self.complaints);
        }
        let application = Application { path: self.path, servers: self.servers.unwrap_or(1) };
        let mode = match (self.bind, self.start, self.supervise) {
            (true, _, _) => Mode::Carry,
            (_, _, true) => Mode::Supervise(application),
            (_, true, _) => Mode::Start(application),
            _ => Mode::StartAndCarry(application),
        };
        Ok(Command::Run(Options { name: self.name, mode, timeout: self.timeout }))
    }

    fn complain(&mut self, complaint: impl Into<String>) {
        self.complaints.push(complaint.into());
    }
}

/// Returns bytes as text for messages.
pub(crate) fn shown(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn number(digits: &[u8]) -> Option<usize> {
    str::from_utf8(digits).ok()?.parse().ok()
}

/// Parses a time in seconds, with or without a fraction; `None` unless it is greater than 0.
fn seconds(text: &[u8]) -> Option<Duration> {
    let seconds: f64 = str::from_utf8(text).ok()?.parse().ok()?;
    Duration::try_from_secs_f64(seconds).ok().filter(|timeout| !timeout.is_zero())
}

fn read_text(path: &[u8]) -> io::Result<Vec<u8>> {
    let mut text = Vec::new();
    let file = File::open(OsStr::from_bytes(path))?;
    file.take(MAX_COMMAND_FILE).read_to_end(&mut text)?;
    Ok(text)
}

/// Returns the words of a command file, which are separated by white space. A line that begins with `#` is a
/// comment.
fn command_file_words(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    text.split(|byte| *byte == b'\n')
        .filter(|line| !line.trim_ascii_start().starts_with(b"#"))
        .flat_map(|line| line.split(u8::is_ascii_whitespace))
        .filter(|word| !word.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &str) -> Result<Command, Complaints> {
        parse(line.split_whitespace().map(OsString::from))
    }

    fn run(line: &str) -> Options {
        match parsed(line) {
            Ok(Command::Run(options)) => options,
            other => panic!("{line}: {other:?}"),
        }
    }

    fn application(path: &str, servers: usize) -> Application {
        Application { path: path.into(), servers }
    }

    #[test]
    fn the_modes() {
        let options = run("-bind -connect host:9000");
        assert_eq!((options.name, options.mode), (b"host:9000".to_vec(), Mode::Carry));
        assert_eq!(run("-connect s app").mode, Mode::StartAndCarry(application("app", 1)));
        assert_eq!(run("app 3 -start -connect s").mode, Mode::Start(application("app", 3)));
        assert_eq!(run("-bind -connect s app 2").mode, Mode::Carry);
        for line in ["-supervise -connect s app 3", "-start -supervise -connect s app 3"] {
            assert_eq!(run(line).mode, Mode::Supervise(application("app", 3)));
        }
    }

    #[test]
    fn two_dashes_end_the_options() {
        assert_eq!(run("-connect s -- -app 2").mode, Mode::StartAndCarry(application("-app", 2)));
    }

    #[test]
    fn the_timeout_is_a_positive_number() {
        let timeout = |text: &str| parsed(&format!("-bind -connect s --timeout {text}"));
        assert_eq!(run("-bind --timeout 0.5 -connect s").timeout, Some(Duration::from_millis(500)));
        for wrong in ["0", "-1", "x", "inf", "nan", "1e300", ""] {
            assert!(timeout(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn help_and_version() {
        assert_eq!(parsed("--help -x"), Ok(Command::Help));
        assert_eq!(parsed("-bind --version"), Ok(Command::Version));
    }

    #[test]
    fn every_mistake_is_named() {
        let complaints = |line| parsed(line).unwrap_err();
        assert_eq!(complaints(""), ["Missing application pathname", "Missing -connect <connName>"]);
        assert_eq!(complaints("-connect s a b 2 3"), ["Unknown argument b", "Unknown argument 3"]);
        assert_eq!(complaints("-bind -x -connect s"), ["Unknown option -x"]);
        assert_eq!(complaints("-connect s a 0"), ["Number of servers must be greater than 0"]);
        assert_eq!(
            complaints("-bind -supervise --timeout 1 -connect s"),
            [
                "-bind and -supervise exclude each other",
                "--timeout and -supervise exclude each other"
            ]
        );
        assert_eq!(
            complaints("-bind -connect"),
            ["Missing connection name after -connect", "Missing -connect <connName>"]
        );
        assert_eq!(complaints("-f"), ["Missing command file name after -f"]);
        assert_eq!(
            complaints("-f /nowhere/x"),
            ["Cannot open command file /nowhere/x: No such file or directory"]
        );
    }

    #[test]
    fn a_command_file_is_words_and_comments() {
        let text = b"#! /usr/bin/cgi-fcgi -f\n-connect\t/run/s\r\n\n  # two\n/bin/app 2";
        let words: Vec<_> = command_file_words(text).collect();
        assert_eq!(words, [&b"-connect"[..], b"/run/s", b"/bin/app", b"2"]);
    }
}
