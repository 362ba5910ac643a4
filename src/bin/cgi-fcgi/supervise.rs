//! Keeps an application running: restarts each of its processes that ends.

use std::ffi::CStr;
use std::io;
use std::os::fd::RawFd;
use std::time::{Duration, Instant};

use fcgi::internals::os::children::{self, End, Event, Supervision};
use fcgi::internals::os::error::message;

use super::failure::complain;

/// The shortest time between two starts of a process, so that one that fails immediately does not keep the
/// machine busy.
const PAUSE: Duration = Duration::from_secs(1);

/// The application and its processes.
pub(crate) struct Supervisor<'a> {
    program: &'a CStr,
    listen_socket: RawFd,
    /// Process ids, with the time of each start.
    running: Vec<(i32, Instant)>,
    /// When to start each of the others.
    due: Vec<Instant>,
}

impl<'a> Supervisor<'a> {
    /// A supervisor of `servers` processes, none of which has been started.
    pub(crate) fn new(program: &'a CStr, listen_socket: RawFd, servers: usize) -> Self {
        let due = vec![Instant::now(); servers];
        Self { program, listen_socket, running: Vec::new(), due }
    }

    /// Starts the processes, and restarts them until a signal to stop. Then stops them, and waits until they
    /// have finished their requests and ended. A second signal kills them.
    pub(crate) fn run(mut self) -> io::Result<()> {
        let supervision = Supervision::begin()?;
        let mut stopping = false;
        loop {
            if !stopping {
                if let Err(error) = self.start_what_is_due(&supervision) {
                    // No process can be made now: it is tried again later.
                    let (program, why) = (self.program.to_string_lossy(), message(&error));
                    complain(&format!("Could not start {program}: {why}\n"));
                }
            }
            if stopping && self.running.is_empty() {
                return Ok(());
            }
            match supervision.wait(if stopping { None } else { self.pause() })? {
                Event::Stop => {
                    let stop = if stopping { children::kill } else { children::terminate };
                    self.running.iter().for_each(|(child, _)| stop(*child));
                    stopping = true;
                }
                Event::Ended if stopping => while self.next_ended().is_some() {},
                Event::Ended => self.replace_ended(),
                Event::Timeout => {}
            }
        }
    }

    /// Returns the time until the next start.
    fn pause(&self) -> Option<Duration> {
        let next = self.due.iter().min()?;
        Some(next.saturating_duration_since(Instant::now()))
    }

    fn start_what_is_due(&mut self, supervision: &Supervision) -> io::Result<()> {
        let now = Instant::now();
        let (due, later) = self.due.drain(..).partition::<Vec<_>, _>(|time| *time <= now);
        self.due = later;
        let mut result = Ok(());
        for _ in due {
            match supervision.start(self.program, self.listen_socket) {
                Ok(child) => self.running.push((child, now)),
                Err(error) => {
                    self.due.push(now + PAUSE);
                    result = Err(error);
                }
            }
        }
        result
    }

    /// Reports the processes that have ended, and schedules another start for each.
    fn replace_ended(&mut self) {
        while let Some((child, started, end)) = self.next_ended() {
            let how = match end {
                End::Exit(status) => format!("exit status {status}"),
                End::Signal(signal) => format!("signal {signal}"),
            };
            complain(&format!("Application process {child} ended: {how}; starting another\n"));
            self.due.push((started + PAUSE).max(Instant::now()));
        }
    }

    /// Takes a process that has ended off the list. Returns its id, when it was started and how it ended.
    fn next_ended(&mut self) -> Option<(i32, Instant, End)> {
        while let Some((child, end)) = children::ended() {
            if let Some(at) = self.running.iter().position(|(running, _)| *running == child) {
                return Some((child, self.running.swap_remove(at).1, end));
            }
        }
        None
    }
}
