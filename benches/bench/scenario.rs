//! The scenarios: every row of the benchmark, its gate, and the target ratio of times.

use std::fmt::Write;

/// The program of this directory that serves the scenario.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Program {
    /// application.c
    Application,
    /// stdio.c
    Stdio,
    /// iostreams.cpp
    Iostreams,
    /// requests.c
    Requests,
}

/// The most user instructions a request may need.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Instructions {
    AtMost(f64),
    /// This multiple of the original's instructions in the same run.
    TimesOriginal(f64),
}

/// The most that a request may cost. Heap calls have no field, because none is allowed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Gate {
    pub(crate) system_calls: Option<f64>,
    pub(crate) instructions: Instructions,
}

/// One kind of request, with its numbers of connections and threads.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scenario {
    pub(crate) title: &'static str,
    pub(crate) program: Program,
    /// The program's name for the scenario, and its SIZE.
    pub(crate) kind: &'static str,
    pub(crate) size: usize,
    pub(crate) tcp: bool,
    pub(crate) kept: bool,
    /// Simultaneous connections.
    pub(crate) clients: usize,
    pub(crate) threads: usize,
    /// Forked processes that serve, each with `threads` threads; 0: the program's first process serves.
    pub(crate) processes: usize,
    /// Milliseconds that the application sleeps in each request on a kept connection.
    pub(crate) work: usize,
    /// Requests after which a process ends and is replaced; 0: never.
    pub(crate) each: usize,
    pub(crate) params: usize,
    pub(crate) body: usize,
    pub(crate) lines: bool,
    /// Requests counted.
    pub(crate) requests: usize,
    pub(crate) gate: Gate,
}

const KB: usize = 1024;
const MB: usize = 1024 * KB;

/// What a split read may add to the system calls of a request: content that arrives in several parts.
const SPLIT_READ: f64 = 0.5;

/// What a kept request may add. Where few requests take 5 ms, a process lets idle siblings go first, with two
/// more calls. That happens now and then on a busy machine under strace.
const STEP_BACK: f64 = 0.125;

/// Heap calls of any request.
pub(crate) const HEAP_CALLS: f64 = 0.0;

/// Heap calls that several threads may show. It is chance when all of them first work simultaneously; what
/// they then allocate and keep is divided by the counted requests.
pub(crate) const LATE_THREADS: f64 = 0.5;

/// The library's file, stripped, in bytes.
pub(crate) const SIZE: f64 = 400.0 * 1024.0;

/// KB of resident memory that a thread may take beyond what the original takes.
pub(crate) const RESIDENT_PER_THREAD: f64 = 64.0;

/// Milliseconds that a process may start later than with the original.
pub(crate) const START: f64 = 0.3;

/// The word that print scenarios repeat; also in measured.h.
const WORD: &str = "benchmark";
const HEAD: &str = "Content-type: text/plain\r\n\r\n";

/// Stands for any digit of an answer, only in "who".
pub(crate) const DIGIT: char = '#';

/// The length of the lines of an uploaded text, including their ends.
const LINE: usize = 64;

const fn gate(system_calls: f64, instructions: f64) -> Gate {
    Gate { system_calls: Some(system_calls), instructions: Instructions::AtMost(instructions) }
}

const fn gate_times(system_calls: f64, times: f64) -> Gate {
    Gate { system_calls: Some(system_calls), instructions: Instructions::TimesOriginal(times) }
}

const fn gate_instructions(times: f64) -> Gate {
    Gate { system_calls: None, instructions: Instructions::TimesOriginal(times) }
}

/// Returns a scenario of one connection per request on a unix socket, 25 parameters, one thread.
pub(crate) const fn row(
    title: &'static str,
    kind: &'static str,
    size: usize,
    gate: Gate,
) -> Scenario {
    Scenario {
        title,
        program: Program::Application,
        kind,
        size,
        tcp: false,
        kept: false,
        clients: 1,
        threads: 1,
        processes: 0,
        work: 0,
        each: 0,
        params: 25,
        body: 0,
        lines: false,
        requests: 48,
        gate,
    }
}

impl Scenario {
    pub(crate) const fn tcp(self) -> Self {
        Self { tcp: true, ..self }
    }

    pub(crate) const fn kept(self) -> Self {
        Self { kept: true, ..self }
    }

    /// Changes to a connection per request.
    pub(crate) const fn not_kept(self) -> Self {
        Self { kept: false, ..self }
    }

    pub(crate) const fn clients(self, clients: usize, threads: usize) -> Self {
        Self { clients, threads, ..self }
    }

    /// Sets the number of forked processes of one thread and of their simultaneous connections.
    pub(crate) const fn processes(self, processes: usize, clients: usize) -> Self {
        Self { processes, clients, threads: 1, ..self }
    }

    pub(crate) const fn work(self, work: usize) -> Self {
        Self { work, ..self }
    }

    pub(crate) const fn each(self, each: usize) -> Self {
        Self { each, ..self }
    }

    const fn params(self, params: usize) -> Self {
        Self { params, ..self }
    }

    const fn body(self, body: usize) -> Self {
        Self { body, ..self }
    }

    const fn lines(self) -> Self {
        Self { lines: true, ..self }
    }

    const fn requests(self, requests: usize) -> Self {
        Self { requests, ..self }
    }

    const fn on(self, program: Program) -> Self {
        Self { program, ..self }
    }
}

/// The gates: system calls, instructions of library and C library.
pub(crate) const COUNTED: &[Scenario] = &[
    row("hello, connection per request, unix", "hello", 0, gate(4.0, 4_050.0)),
    row("hello, connection per request, TCP", "hello", 0, gate(4.0, 4_050.0)).tcp(),
    row("hello, kept, one connection", "hello", 0, gate(3.0, 4_600.0)).kept(),
    row("hello, kept, four busy connections", "hello", 0, gate(2.5, 4_500.0)).kept().clients(4, 1),
    row("hello, 200 parameters", "hello", 0, gate(4.0, 20_000.0)).params(200),
    row("25 FCGX_GetParam", "look_up", 0, gate(4.0, 10_300.0)),
    row("16 KB page, connection per request", "put_str", 16 * KB, gate(5.0, 6_000.0)),
    row("16 KB page, kept", "put_str", 16 * KB, gate(4.0, 6_000.0)).kept(),
    row("1 MB in one FCGX_PutStr, unix", "put_str", MB, gate(5.0, 7_000.0)).requests(16),
    row("1 MB in one FCGX_PutStr, TCP", "put_str", MB, gate(5.0, 7_000.0)).tcp().requests(16),
    row("16 MB in one FCGX_PutStr", "put_str", 16 * MB, gate(8.0, 40_000.0)).requests(4),
    row("1 MB in 64-byte FCGX_PutStr", "put_pieces", MB, gate_times(20.0, 0.8)).requests(6),
    row("256 KB by FCGX_PutChar", "put_char", 256 * KB, gate_times(7.0, 0.55)).requests(6),
    row("256 KB by FCGX_GetChar", "get_char", 0, gate_times(8.0, 0.55)).body(256 * KB).requests(6),
    row("FCGX_FPrintF \"%d %s\", 1000 lines", "print_integers", 1000, gate_instructions(0.4))
        .requests(4),
    row("FCGX_FPrintF \"%5.2f\", 1000 lines", "print_floats", 1000, gate_instructions(0.8))
        .requests(4),
    row("1 MB body, FCGX_GetStr of 4 KB", "get_str", 4 * KB, gate_times(20.0, 0.85))
        .body(MB)
        .requests(8),
    row("1 MB body, FCGX_GetStr of 64 KB", "get_str", 64 * KB, gate_times(20.0, 0.85))
        .body(MB)
        .requests(8),
    row("1 MB body, FCGX_GetStr of 1 MB", "get_str", MB, gate_times(20.0, 0.85))
        .body(MB)
        .requests(8),
    row("256 KB body, FCGX_GetLine", "get_line", 0, gate_times(8.0, 0.1))
        .body(256 * KB)
        .lines()
        .requests(4),
    row("256 KB body, FCGI_fgets", "stdio_fgets", 0, gate_times(8.0, 0.1))
        .on(Program::Stdio)
        .body(256 * KB)
        .lines()
        .requests(4),
    row("256 KB body, unread", "hello", 0, gate_times(12.0, 0.3)).body(256 * KB).requests(16),
    row("hello and one line on stderr, kept", "report", 0, gate(3.0, 5_000.0)).kept(),
    row("2 KB body, connection per request", "get_str", 4 * KB, gate(4.0, 6_000.0)).body(2 * KB),
    row("fcgi_stdio: hello", "stdio_hello", 0, gate(4.0, 5_000.0)).on(Program::Stdio),
    row("fcgi_stdio: 256 KB by printf \"%d %s\"", "stdio_printf", 16_500, gate_times(8.0, 0.4))
        .on(Program::Stdio)
        .requests(2),
    row("fcgi_request.h: hello, connection per request", "hello", 0, gate(4.0, 4_130.0))
        .on(Program::Requests),
    row("fcgi_request.h: hello, kept", "hello", 0, gate(3.0, 4_690.0)).on(Program::Requests).kept(),
    row("fcgi_request.h: 25 parameters", "look_up", 0, gate(4.0, 13_700.0)).on(Program::Requests),
    row("fcgi_request.h: 1 MB in 64-byte writes", "put_pieces", MB, gate_times(20.0, 0.8))
        .on(Program::Requests)
        .requests(6),
    row("fcgi_request.h: 1 MB body, reads of 4 KB", "get_str", 4 * KB, gate_times(20.0, 0.86))
        .on(Program::Requests)
        .body(MB)
        .requests(8),
    row("fcgi_request.h: 1 MB body, reads of 64 KB", "get_str", 64 * KB, gate_times(20.0, 0.85))
        .on(Program::Requests)
        .body(MB)
        .requests(8),
    row("libfcgi++: hello", "cxx_hello", 0, gate(4.0, 6_600.0)).on(Program::Iostreams),
    row("libfcgi++: 256 KB out", "cxx_put", 256 * KB, gate_times(8.0, 0.97))
        .on(Program::Iostreams)
        .requests(6),
    row("libfcgi++: std::getline over 256 KB", "cxx_lines", 0, gate_times(9.0, 0.2))
        .on(Program::Iostreams)
        .body(256 * KB)
        .lines()
        .requests(4),
    row("hello, 4 threads, connection per request", "hello", 0, gate(5.0, 5_000.0))
        .clients(4, 4)
        .requests(64),
    row("hello, 4 threads, kept", "hello", 0, gate(4.25, 5_500.0))
        .kept()
        .clients(4, 4)
        .requests(36),
];

/// The scenarios after which resident memory is measured.
pub(crate) const RESIDENT: &[Scenario] = &[
    row("1 thread, hello", "hello", 0, NONE),
    row("8 threads, hello", "hello", 0, NONE).clients(8, 8),
    row("1 thread, 256 KB bodies", "get_str", 4 * KB, NONE).body(256 * KB),
    row("8 threads, 256 KB bodies", "get_str", 4 * KB, NONE).body(256 * KB).clients(8, 8),
];

/// A scenario whose time is measured, and the target ratio of its requests per second to the original's.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Timed {
    pub(crate) scenario: Scenario,
    pub(crate) to_reach: f64,
}

const fn timed(scenario: Scenario, to_reach: f64) -> Timed {
    Timed { scenario, to_reach }
}

/// The gate of rows whose counts have none, because the struct requires a value.
pub(crate) const NONE: Gate = gate_instructions(1.0);

/// The rows with target ratios.
pub(crate) const TIMED: &[Timed] = &[
    timed(row("hello, unix, 1 client", "hello", 0, NONE), 1.2),
    timed(row("hello, unix, 4 clients", "hello", 0, NONE).clients(4, 1), 2.5),
    timed(row("hello, TCP, 1 client", "hello", 0, NONE).tcp(), 1.05),
    timed(row("hello, TCP, 4 clients", "hello", 0, NONE).tcp().clients(4, 1), 1.2),
    timed(row("hello, kept, 1 client", "hello", 0, NONE).kept(), 1.0),
    timed(row("hello, kept, 4 clients", "hello", 0, NONE).kept().clients(4, 1), 1.15),
    timed(row("200 parameters, kept", "hello", 0, NONE).params(200).kept(), 1.6),
    timed(row("1 MB out, unix", "put_str", MB, NONE), 1.4),
    timed(row("1 MB out, TCP", "put_str", MB, NONE).tcp(), 2.5),
    timed(row("1 MB upload", "get_str", 64 * KB, NONE).body(MB), 1.2),
    timed(row("256 KB by FCGX_GetLine", "get_line", 0, NONE).body(256 * KB).lines(), 3.5),
];

/// The parameters that nginx sends for a browser's request.
const PARAMS: [(&str, &str); 25] = [
    ("QUERY_STRING", "page=3&order=asc&filter=recent"),
    ("REQUEST_METHOD", "GET"),
    ("CONTENT_TYPE", ""),
    ("CONTENT_LENGTH", ""),
    ("SCRIPT_NAME", "/app/index"),
    ("REQUEST_URI", "/app/index?page=3&order=asc&filter=recent"),
    ("DOCUMENT_URI", "/app/index"),
    ("DOCUMENT_ROOT", "/srv/www/html"),
    ("SERVER_PROTOCOL", "HTTP/1.1"),
    ("REQUEST_SCHEME", "https"),
    ("GATEWAY_INTERFACE", "CGI/1.1"),
    ("SERVER_SOFTWARE", "nginx/1.22.1"),
    ("REMOTE_ADDR", "203.0.113.17"),
    ("REMOTE_PORT", "51734"),
    ("SERVER_ADDR", "198.51.100.4"),
    ("SERVER_PORT", "443"),
    ("SERVER_NAME", "www.example.org"),
    ("REDIRECT_STATUS", "200"),
    ("SCRIPT_FILENAME", "/srv/www/html/app/index"),
    ("HTTP_HOST", "www.example.org"),
    ("HTTP_USER_AGENT", "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"),
    ("HTTP_ACCEPT", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"),
    ("HTTP_ACCEPT_ENCODING", "gzip, deflate, br"),
    ("HTTP_ACCEPT_LANGUAGE", "en-GB,en;q=0.7,de;q=0.3"),
    ("HTTP_COOKIE", "session=4c0d1b6e9f7a4f6c8d1e2f3a4b5c6d7e; theme=dark; seen=1"),
];

impl Scenario {
    /// Returns the request's parameters: a browser's, and the additional headers of the scenario.
    pub(crate) fn parameters(&self) -> Vec<(String, String)> {
        let more = (PARAMS.len()..self.params)
            .map(|n| (format!("HTTP_X_HEADER_{n}"), format!("value number {n}")));
        PARAMS.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).chain(more).collect()
    }

    /// Returns the request's body.
    pub(crate) fn request_body(&self) -> Vec<u8> {
        let mut body: Vec<u8> = letters(self.body);
        if self.lines {
            body.chunks_mut(LINE).for_each(|line| line[line.len() - 1] = b'\n');
        }
        body
    }

    /// Returns the STDOUT content of the answer.
    pub(crate) fn answer(&self) -> Vec<u8> {
        let mut text = HEAD.to_owned();
        match self.kind {
            "hello" | "report" | "stdio_hello" | "cxx_hello" => text.push_str("hello\n"),
            "who" => {
                // The answering process's number plus a billion.
                text.extend([DIGIT; 10]);
                text.push('\n');
            }
            "look_up" => text.push_str("25 found\n"),
            "put_str" | "put_pieces" | "put_char" | "cxx_put" => {
                return [text.as_bytes(), &letters(self.size)].concat();
            }
            "print_integers" | "stdio_printf" => {
                (0..self.size).for_each(|line| writeln!(text, "{line} {WORD}").unwrap());
            }
            "print_floats" => {
                let number = |line: usize| f64::from(u32::try_from(line).unwrap()) / 4.0;
                (0..self.size).for_each(|line| writeln!(text, "{:5.2}", number(line)).unwrap());
            }
            "get_str" | "get_char" => writeln!(text, "{}", self.body).unwrap(),
            "get_line" | "stdio_fgets" | "cxx_lines" => {
                writeln!(text, "{}", self.body / LINE).unwrap();
            }
            kind => panic!("no such scenario: {kind}"),
        }
        text.into_bytes()
    }

    /// Returns the STDERR content.
    pub(crate) fn complaint(&self) -> &'static [u8] {
        if self.kind == "report" { b"something is amiss\n" } else { b"" }
    }

    /// Returns the number of requests before the counted ones: then buffers have grown, and threads have met.
    pub(crate) fn warm_up(&self) -> usize {
        match self {
            Self { threads: 1, .. } => self.requests,
            Self { kept: true, .. } => 20 * self.requests,
            // All connections must fit into the backlog of a listen socket (128), and requests in progress at
            // the marks must not weigh much.
            _ => 48,
        }
    }

    /// Returns the number of requests after the counted ones; application.c has the same rule.
    pub(crate) fn tail(&self) -> usize {
        if self.threads > 1 { 2 * self.threads } else { 0 }
    }

    /// Returns whether content may arrive in several pieces for reasons outside the library.
    fn may_split(&self) -> bool {
        self.tcp || self.body > 0 || self.size >= MB || self.threads > 1
    }

    /// Returns what chance may add to the system calls of a request.
    pub(crate) fn by_chance(&self) -> f64 {
        let split = if self.may_split() { SPLIT_READ } else { 0.0 };
        let step_back = if self.kept { STEP_BACK } else { 0.0 };
        split + step_back
    }
}

fn letters(length: usize) -> Vec<u8> {
    (b'a'..=b'z').cycle().take(length).collect()
}
