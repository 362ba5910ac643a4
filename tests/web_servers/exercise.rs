//! The tests that every web server runs with our library.

use std::collections::BTreeSet;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use testkit::web::app::{LARGE, content, described};
use testkit::web::http::{Client, Request, Response};
use testkit::web::site::Site;
use testkit::{LIMIT, timed, until};

const LARGE_BODY: usize = 5 << 20;

/// Sizes near those of records, buffers and pages, up to the largest.
const BODIES: [usize; 9] = [0, 1, 7, 8184, 8192, 65_535, 65_536, 300_001, LARGE_BODY];
const RESPONSES: [usize; 9] = [0, 1, 8184, 8185, 65_535, 65_536, 131_071, 1_000_003, LARGE];

const CLIENTS: usize = 8;
const REQUESTS: usize = 50;

/// More than the number of threads of any application in these tests.
const CROWD: usize = 16;
const SOON: Duration = Duration::from_secs(1);

/// The limits of a web server that the library cannot change.
#[derive(Clone, Copy)]
pub(crate) struct Except {
    /// It loses what the application writes to the error stream.
    pub(crate) log: bool,
    /// It exits when much is written to the error stream, on the original too.
    pub(crate) much_stderr: bool,
    /// It waits until its timeout when the application does not read a large body, on the original too.
    pub(crate) large_unread_body: bool,
    /// It does not send a request again when the application has closed its connection.
    pub(crate) repeating: bool,
    /// It waits a second before it tries a free process again.
    pub(crate) crowd: bool,
}

/// Runs every test that holds for each web server.
pub(crate) fn exercise(site: &mut Site, except: Except) {
    timed("stderr", || stderr(site, !except.log));
    if !except.much_stderr {
        timed("much stderr", || much_stderr(&site.client));
    }
    if !except.crowd {
        timed("crowd", || crowd(&site.client));
    }
    timed("bodies", || bodies(&site.client));
    timed("responses", || responses(&site.client));
    timed("in parallel", || parallel(&site.client));
    timed("unread body", || {
        unread(&site.client, if except.large_unread_body { 60_000 } else { LARGE_BODY })
    });
    timed("client goes away", || gone(&site.client));
    site.home.assert_mapped();
    timed("restarts", || restarts(site, !except.repeating));
    // Last, because a process with such a child looks like one that only starts others.
    timed("child in a request", || forked(&site.client));
    assert_content(&site.client.get("/?size=1000"), 1000);
    site.home.assert_mapped();
}

fn bodies(client: &Client) {
    assert_eq!(client.get("/").header("x-body"), described(b""));
    assert_eq!(client.get("/").header("x-method"), "GET");
    for size in BODIES {
        let response = client.post("/", content(size));
        assert_eq!(response.header("x-body"), described(content(size)));
        assert_eq!(response.header("x-method"), "POST");
        assert_eq!(response.header("x-role"), "RESPONDER");
    }
}

fn responses(client: &Client) {
    for size in RESPONSES {
        assert_content(&client.get(&format!("/?size={size}")), size);
    }
}

/// Runs all clients in parallel. Each sends requests of its own sizes, one after the other.
fn parallel(client: &Client) {
    thread::scope(|scope| {
        for number in 0..CLIENTS {
            scope.spawn(move || {
                for request in 0..REQUESTS {
                    let size = (number * REQUESTS + request) * 7919 % 200_000;
                    let target = format!("/?size={}", 200_000 - size);
                    let response = if request % 2 == 0 {
                        client.get(&target)
                    } else {
                        let response = client.post(&target, content(size));
                        assert_eq!(response.header("x-body"), described(content(size)));
                        response
                    };
                    assert_content(&response, 200_000 - size);
                }
            });
        }
    });
}

/// Checks that what the application writes to its error stream appears in the web server's log.
fn stderr(site: &Site, is_logged: bool) {
    assert_content(&site.client.get("/?log=said-by-the-application&size=100000"), 100_000);
    if is_logged {
        until("the log", LIMIT, || site.log().contains("said-by-the-application").then_some(()));
    }
}

/// Checks that more on the error stream than any buffer holds does no harm.
fn much_stderr(client: &Client) {
    assert_content(&client.get("/?lines=3000&size=100000"), 100_000);
}

/// Checks that the application may answer and end the request without reading its body.
fn unread(client: &Client, largest: usize) {
    // Repeated, because the web server may or may not still be sending when the application closes.
    for size in [1, 30_000, largest].repeat(8) {
        let response = client.post("/?unread&size=100000", content(size));
        assert_content(&response, 100_000);
        assert_eq!(client.get("/").header("x-body"), described(b""));
    }
}

/// Clients that disconnect before they have sent or read everything do not harm the application.
fn gone(client: &Client) {
    for _ in 0..4 {
        client.go_away("/", LARGE_BODY, content(100_000), 0);
        client.go_away(&format!("/?size={LARGE}"), 0, b"", 100_000);
        client.go_away("/?sleep=50", 0, b"", 0);
    }
    for _ in 0..8 {
        assert_content(&client.get("/?size=1000"), 1000);
    }
}

/// Checks that a child that goes on running does not keep the response open.
fn forked(client: &Client) {
    for _ in 0..2 {
        let start = Instant::now();
        assert_eq!(client.get("/?fork").text(), "from the child\n");
        assert!(start.elapsed() < Duration::from_secs(2), "took {:?}", start.elapsed());
    }
}

/// Checks that no request waits for an idle kept connection if there are more of these than threads.
fn crowd(client: &Client) {
    let longest = Mutex::new(Duration::ZERO);
    let all_ask = |target: &str| {
        thread::scope(|scope| {
            for _ in 0..CROWD {
                scope.spawn(|| {
                    let start = Instant::now();
                    client.get(target);
                    let mut longest = longest.lock().unwrap();
                    *longest = start.elapsed().max(*longest);
                });
            }
        });
    };
    // Slow enough for every request of the crowd to get a connection of its own.
    all_ask("/?sleep=20");
    all_ask("/");
    all_ask("/?size=1000");
    let longest = longest.into_inner().unwrap();
    assert!(longest < SOON, "a request took {longest:?}");
}

/// Restarts the application under load. Every request must be answered, unless the web server does not send
/// it again although it could.
fn restarts(site: &mut Site, repeats: bool) {
    const USERS: usize = 4;
    const RESTARTS: usize = 5;
    const BETWEEN: usize = 40;
    let client = site.client.clone();
    let answered = AtomicUsize::new(0);
    let stop = AtomicBool::new(false);
    let failures = Mutex::new(Vec::new());
    let served_by = Mutex::new(BTreeSet::new());
    let use_it = || {
        while !stop.load(Ordering::Relaxed) {
            let size = answered.fetch_add(1, Ordering::Relaxed) * 997 % 50_000;
            let target = format!("/?size={size}");
            match client.send(Request { target: &target, ..Request::default() }) {
                Ok(response) if response.status == 200 && response.body == content(size) => {
                    served_by.lock().unwrap().insert(response.header("x-app").to_owned());
                }
                Ok(response) => failures.lock().unwrap().push(format!("{response:?}")),
                Err(error) => failures.lock().unwrap().push(error.to_string()),
            }
        }
    };
    let more = || {
        let goal = answered.load(Ordering::Relaxed) + BETWEEN;
        until("answers", LIMIT, || (answered.load(Ordering::Relaxed) >= goal).then_some(()));
    };
    thread::scope(|scope| {
        for _ in 0..USERS {
            scope.spawn(use_it);
        }
        // Also raised when this fails, because the scope waits for the users.
        let _end = Raised(&stop);
        for _ in 0..RESTARTS {
            more();
            site.restart();
        }
        more();
    });
    let failures = failures.into_inner().unwrap();
    let (count, first) = (failures.len(), failures.first());
    println!(
        "  answered: {answered:?}, failed: {count}{}",
        first.map_or(String::new(), |first| format!(", {first}"))
    );
    assert!(!repeats || count == 0, "{count} of {answered:?} failed: {first:#?}");
    let processes = served_by.into_inner().unwrap();
    assert!(processes.len() > RESTARTS, "served by {processes:?} only");
}

/// A flag that is raised at the end of a block.
struct Raised<'a>(&'a AtomicBool);

impl Drop for Raised<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

fn assert_content(response: &Response, size: usize) {
    assert_eq!(response.body.len(), size);
    assert!(response.body == content(size), "the content of {size} bytes is not what was sent");
}
