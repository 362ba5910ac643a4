//! Keeping an application running: a process of it that ends is started again.

use std::ffi::CStr;
use std::io;
use std::os::fd::RawFd;
use std::time::{Duration, Instant};

use fcgi::os::children::{self, End, Event, Supervision};
use fcgi::os::error::words;

use super::failure::complain;

/// The least time between two starts of the same process: one that fails at once must not keep the
/// machine busy.
const PAUSE: Duration = Duration::from_secs(1);

/// The application and its processes.
pub(crate) struct Supervisor<'a> {
    program: &'a CStr,
    listen_socket: RawFd,
    /// Process ids, with the time of their start.
    running: Vec<(i32, Instant)>,
    /// When to start the others.
    due: Vec<Instant>,
}

impl<'a> Supervisor<'a> {
    /// A supervisor of so many processes, none of which is started yet.
    pub(crate) fn new(program: &'a CStr, listen_socket: RawFd, servers: usize) -> Self {
        let due = vec![Instant::now(); servers];
        Self { program, listen_socket, running: Vec::new(), due }
    }

    /// Starts the processes, again and again, until a signal says stop; then stops them and waits
    /// for their ends, in which they finish their requests. A second signal ends them at once.
    pub(crate) fn run(mut self) -> io::Result<()> {
        let supervision = Supervision::begin()?;
        let mut stopping = false;
        loop {
            if !stopping {
                if let Err(error) = self.start_what_is_due(&supervision) {
                    // No more processes can be made now: later.
                    let (program, why) = (self.program.to_string_lossy(), words(&error));
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
                Event::Ended => self.note_ends(stopping),
                Event::Timeout => {}
            }
        }
    }

    /// How long until the next start.
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

    /// Takes the processes that have ended off the list. One that nobody has stopped is told of, and
    /// is due again.
    fn note_ends(&mut self, stopping: bool) {
        while let Some((child, end)) = children::ended() {
            let place = self.running.iter().position(|(running, _)| *running == child);
            let Some((_, started)) = place.map(|place| self.running.swap_remove(place)) else {
                continue;
            };
            if !stopping {
                let how = match end {
                    End::Exit(status) => format!("exit status {status}"),
                    End::Signal(signal) => format!("signal {signal}"),
                };
                complain(&format!("Application process {child} ended: {how}; starting another\n"));
                self.due.push((started + PAUSE).max(Instant::now()));
            }
        }
    }
}
