//! Sending whole records on a connection whose request several threads use.
//!
//! One thread may write to the out stream while another writes to the err stream and a third reads the
//! body, where it finds management records to answer. A thread that sends holds the connection's lock until
//! its records are sent: for one system call, or for a few if the kernel takes only a part. A reader does
//! not wait for the lock, because the peer may refuse to read until all of the body is taken. It queues its
//! answer for the thread that sends.

use std::io;
use std::os::fd::RawFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::answers::Answers;
use super::sink::Sink;
use super::unsent::Unsent;
use crate::os::descriptor::shutdown_write;
use crate::os::fork;
use crate::os::io::{Then, send_all, send_all_within};
use crate::os::poll;
use crate::os::robust_lock::RobustLock;
use crate::protocol::writer::Record;

/// How long a peer may take to read a short answer while the program reads the body.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(2);

/// Long enough for all threads to see what one has stored.
const MOMENT: Duration = Duration::from_millis(20);

/// The sending side of one connection.
#[derive(Debug)]
pub(crate) struct Sending {
    lock: RobustLock,
    /// Whether the holder of the lock is sending. A thread that takes the lock and finds this set comes, in
    /// the same process, after one that has left in the middle of a record: it ended, or called siglongjmp.
    is_midway: AtomicBool,
    /// Answers that a reader has queued because another thread was sending.
    answers: Answers,
    /// [`fork::generation`] of the process that the request belongs to.
    generation: usize,
    /// What a non-blocking request has written and not sent.
    unsent: Unsent,
}

impl Sending {
    /// A connection on which nothing is being sent.
    pub(crate) const fn new() -> Self {
        Self {
            lock: RobustLock::new(),
            is_midway: AtomicBool::new(false),
            answers: Answers::new(),
            generation: 0,
            unsent: Unsent::new(),
        }
    }

    /// Prepares for another connection or request, even if threads of the last one have left while sending.
    pub(crate) fn reset(&mut self) {
        self.lock = RobustLock::new();
        *self.is_midway.get_mut() = false;
        self.answers.clear();
        self.unsent.reset();
        self.generation = fork::generation();
    }

    /// Returns what a non-blocking request has not sent.
    pub(crate) fn unsent(&self) -> &Unsent {
        &self.unsent
    }

    /// Begins to send; the caller holds the lock. If a thread has left in the middle of a record, nothing may
    /// follow it: sending fails from now on.
    #[inline]
    fn begin(&self, fd: RawFd) {
        if self.is_midway.load(Ordering::Relaxed) {
            self.cut_off(fd);
        }
        self.is_midway.store(true, Ordering::Relaxed);
    }

    /// Shuts the connection down for writing, but not in a child: the thread that seems to have left goes
    /// on in the parent.
    #[cold]
    fn cut_off(&self, fd: RawFd) {
        if self.generation == fork::generation() {
            shutdown_write(fd);
        }
    }

    /// Notes that the records are sent, or that sending them has failed.
    #[inline]
    fn end(&self) {
        self.is_midway.store(false, Ordering::Relaxed);
    }

    /// Runs `send`, which sends whole records, while no other thread sends. Then sends the answers that were
    /// queued meanwhile. `send` fails if a thread has left in the middle of a record. After an error nothing
    /// more can be sent.
    #[inline]
    pub(crate) fn exclusively<T>(
        &self,
        fd: RawFd,
        send: impl FnOnce(Sink) -> io::Result<T>,
    ) -> io::Result<T> {
        let held = self.lock.lock();
        let has_others = held.has_others();
        self.begin(fd);
        let result = send(Sink::new(fd, &self.unsent));
        self.end();
        drop(held);
        if has_others && result.is_ok() && !self.answers.is_empty() {
            self.send_answers(fd, None)?;
        }
        result
    }

    /// Sends the answer to a management record, or queues it for the thread that is sending. Fails if too
    /// many are queued, or the peer does not take it.
    pub(crate) fn answer(&self, fd: RawFd, answer: &Record) -> io::Result<()> {
        self.answers.put(answer.as_bytes())?;
        self.send_answers(fd, Some(ANSWER_TIMEOUT))
    }

    /// Sends answers that this reader has queued, before it waits to receive. A thread that released the lock
    /// at the same moment may not have seen them; any that releases it later does.
    pub(crate) fn look_after_answers(&self, fd: RawFd) -> io::Result<()> {
        if self.answers.is_empty() || poll::one(fd, poll::READABLE, Some(MOMENT))? != 0 {
            return Ok(());
        }
        self.send_answers(fd, Some(ANSWER_TIMEOUT))
    }

    /// Sends the queued answers, unless another thread is sending, which then sends them too. Without
    /// `timeout`, the program's own timeout for sending holds.
    #[cold]
    fn send_answers(&self, fd: RawFd, timeout: Option<Duration>) -> io::Result<()> {
        while !self.answers.is_empty() {
            let Some(held) = self.lock.try_lock() else { break };
            self.begin(fd);
            let result = self.send_queued(fd, timeout);
            self.end();
            drop(held);
            result?;
        }
        Ok(())
    }

    /// Sends the queued answers; the caller holds the lock.
    fn send_queued(&self, fd: RawFd, timeout: Option<Duration>) -> io::Result<()> {
        let mut is_first = true;
        while !self.answers.is_empty() {
            let (bytes, count) = self.answers.next();
            let mut left = bytes.get(..count).unwrap_or_default();
            let result = match timeout {
                _ if self.unsent.is_used() => self.unsent.send(fd, std::iter::once(left)),
                Some(timeout) => send_all_within(fd, &mut left, timeout),
                None => send_all(fd, std::mem::take(&mut left), Then::KeepOpen),
            };
            if result.is_err() && !(is_first && left.len() == count) {
                // Part of a record may be sent: nothing can follow it.
                shutdown_write(fd);
            }
            result?;
            self.answers.sent(count);
            is_first = false;
        }
        Ok(())
    }
}

impl Default for Sending {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::writer::unknown_type_record;
    use std::io::Read;
    use std::os::fd::AsRawFd;
    use std::os::unix::net::UnixStream;
    use std::sync::mpsc::channel;
    use std::thread;

    fn answer(kind: u8) -> Record {
        unknown_type_record(kind).into()
    }

    #[test]
    #[cfg_attr(miri, ignore = "no send in Miri")]
    fn a_reader_leaves_its_answer_to_the_thread_that_sends() {
        let (ours, mut peer) = UnixStream::pair().unwrap();
        let (sending, fd) = (Sending::new(), ours.as_raw_fd());
        let (begun, has_begun) = channel();
        let content = vec![7; 1 << 20];
        thread::scope(|scope| {
            let writer = scope.spawn(|| {
                sending.exclusively(fd, |_| {
                    begun.send(()).unwrap();
                    send_all(fd, &content, Then::KeepOpen)
                })
            });
            has_begun.recv().unwrap();
            // The peer reads nothing yet.
            sending.answer(fd, &answer(70)).unwrap();
            sending.answer(fd, &answer(71)).unwrap();
            let mut all = vec![0; (1 << 20) + 32];
            peer.read_exact(&mut all).unwrap();
            writer.join().unwrap().unwrap();
            assert!(all[..1 << 20].iter().all(|byte| *byte == 7));
            assert_eq!((all[(1 << 20) + 8], all[(1 << 20) + 24]), (70, 71));
        });
        sending.answer(fd, &answer(72)).unwrap();
        let mut last = [0; 16];
        peer.read_exact(&mut last).unwrap();
        assert_eq!(last[8], 72);
    }

    #[test]
    #[cfg_attr(miri, ignore = "no send in Miri")]
    fn a_peer_that_asks_and_does_not_read_is_given_up() {
        let (ours, peer) = UnixStream::pair().unwrap();
        let (sending, fd) = (Sending::new(), ours.as_raw_fd());
        let (begun, has_begun) = channel();
        thread::scope(|scope| {
            let writer = scope.spawn(|| {
                sending.exclusively(fd, |_| {
                    begun.send(()).unwrap();
                    send_all(fd, &vec![7; 1 << 20], Then::KeepOpen)
                })
            });
            has_begun.recv().unwrap();
            let taken = (0..1000).take_while(|_| sending.answer(fd, &answer(70)).is_ok());
            assert_eq!(taken.count(), 4096 / 16);
            drop(peer);
            writer.join().unwrap().unwrap_err();
        });
    }

    #[test]
    #[cfg_attr(miri, ignore = "no send in Miri")]
    fn what_the_peer_does_not_take_stays_whole_until_the_next_request() {
        let (ours, mut peer) = UnixStream::pair().unwrap();
        let (mut sending, fd) = (Sending::new(), ours.as_raw_fd());
        ours.set_nonblocking(true).unwrap();
        let mut full = 0;
        while let Ok(sent) = crate::os::io::send_now(fd, &[7; 64]) {
            full += sent;
        }
        let timeout = Some(Duration::ZERO);
        for _ in 0..20 {
            sending.answers.put(answer(70).as_bytes()).unwrap();
            sending.send_answers(fd, timeout).unwrap_err();
        }
        let mut all = vec![0; full + 20 * 16];
        peer.read_exact(&mut all[..full]).unwrap();
        sending.send_answers(fd, timeout).unwrap();
        peer.read_exact(&mut all[full..]).unwrap();
        assert!(all[full..].chunks(16).all(|record| record == answer(70).as_bytes()));

        sending.answers.put(answer(71).as_bytes()).unwrap();
        sending.reset();
        assert!(sending.answers.is_empty());
    }

    #[test]
    #[cfg_attr(miri, ignore = "no send in Miri")]
    fn the_programs_time_limit_holds_for_answers_that_were_left() {
        let (ours, _peer) = UnixStream::pair().unwrap();
        let (sending, fd) = (Sending::new(), ours.as_raw_fd());
        ours.set_write_timeout(Some(Duration::from_millis(20))).unwrap();
        while crate::os::io::send_now(fd, &[7; 64]).is_ok() {}
        sending.answers.put(answer(70).as_bytes()).unwrap();
        sending.exclusively(fd, |_| Ok(())).unwrap_err();
    }
}
