//! epoll: registrations, the list of those that are ready, and the threads that wait for it.

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::os::fd::RawFd;

use super::files::{FileId, Kind, Waiter};
use super::tasks::TaskId;
use super::{Kernel, error};
use crate::os::poll::Interest;

/// A number, and the file that it stood for.
pub type Key = (RawFd, FileId);

pub struct Registration {
    pub token: u64,
    pub interest: Interest,
    /// Whether it reports events; a one-shot registration stops after its first event.
    pub armed: bool,
    is_queued: bool,
}

#[derive(Default)]
pub struct Epoll {
    pub registrations: BTreeMap<Key, Registration>,
    pub ready: VecDeque<Key>,
    pub waiters: VecDeque<TaskId>,
    /// Whether the library has abandoned the instance and its number.
    pub is_left: bool,
}

impl Kernel {
    pub fn epoll(&mut self, file: FileId) -> io::Result<&mut Epoll> {
        match &mut self.files[file].kind {
            Kind::Epoll(epoll) => Ok(epoll),
            _ => Err(error(libc::EINVAL)),
        }
    }

    /// Returns whether a registration has an event to report now.
    pub fn has_event(&self, epoll: &Epoll, key: Key) -> bool {
        epoll.registrations.get(&key).is_some_and(|registration| {
            let is_true = match registration.interest {
                Interest::BehindReady => self.can_send(key.1) || self.is_readable(key.1),
                Interest::Silent => self.has_hung_up(key.1),
                Interest::Level | Interest::OneShot | Interest::Exclusive => {
                    self.is_readable(key.1)
                }
            };
            registration.armed && is_true
        })
    }

    /// Notes an event on a registered file. Returns whether that has woken a thread.
    pub fn announce(&mut self, epoll: FileId, fd: RawFd, file: FileId) -> bool {
        let Ok(instance) = self.epoll(epoll) else { return false };
        let Some(registration) = instance.registrations.get_mut(&(fd, file)) else { return false };
        if !registration.armed {
            return false;
        }
        if !registration.is_queued {
            registration.is_queued = true;
            instance.ready.push_back((fd, file));
        }
        self.wake_one(epoll)
    }

    /// Wakes the thread that has waited longest, and all that poll the instance.
    fn wake_one(&mut self, epoll: FileId) -> bool {
        let next = self.epoll(epoll).ok().and_then(|instance| instance.waiters.pop_front());
        if let Some(task) = next {
            self.wake(task);
        }
        // Threads that poll do not count.
        self.notify(epoll);
        next.is_some()
    }

    pub fn add(
        &mut self,
        task: TaskId,
        epoll: RawFd,
        fd: RawFd,
        interest: Interest,
        token: u64,
    ) -> io::Result<()> {
        let (epoll, file) = (self.file_of(task, epoll)?, self.file_of(task, fd)?);
        let instance = self.epoll(epoll)?;
        if instance.registrations.contains_key(&(fd, file)) {
            return Err(error(libc::EEXIST));
        }
        let registration = Registration { token, interest, armed: true, is_queued: false };
        instance.registrations.insert((fd, file), registration);
        let exclusive = interest == Interest::Exclusive;
        let waiter = Waiter::Watch { epoll, fd, exclusive };
        let queue = &mut self.files[file].queue;
        if exclusive {
            queue.push_back(waiter)
        } else {
            queue.push_front(waiter)
        }
        self.look_at_once(epoll, (fd, file));
        Ok(())
    }

    pub fn modify(
        &mut self,
        task: TaskId,
        epoll: RawFd,
        fd: RawFd,
        interest: Interest,
        token: u64,
    ) -> io::Result<()> {
        let (epoll, file) = (self.file_of(task, epoll)?, self.file_of(task, fd)?);
        let registrations = &mut self.epoll(epoll)?.registrations;
        let registration = registrations.get_mut(&(fd, file)).ok_or_else(|| error(libc::ENOENT))?;
        (registration.interest, registration.token, registration.armed) = (interest, token, true);
        self.look_at_once(epoll, (fd, file));
        Ok(())
    }

    /// Reports what is already there as if it had just happened.
    fn look_at_once(&mut self, epoll: FileId, key: Key) {
        let Kind::Epoll(instance) = &self.files[epoll].kind else { return };
        if self.has_event(instance, key) {
            self.announce(epoll, key.0, key.1);
        }
    }

    pub fn remove(&mut self, task: TaskId, epoll: RawFd, fd: RawFd) -> io::Result<()> {
        let (epoll, file) = (self.file_of(task, epoll)?, self.file_of(task, fd)?);
        if !self.epoll(epoll)?.registrations.contains_key(&(fd, file)) {
            return Err(error(libc::ENOENT));
        }
        self.forget_registration(epoll, fd, file);
        self.forget_watch(epoll, fd, file);
        Ok(())
    }

    fn forget_watch(&mut self, of: FileId, number: RawFd, file: FileId) {
        self.files[file].queue.retain(|waiter| {
            !matches!(waiter, Waiter::Watch { epoll, fd, .. } if (*epoll, *fd) == (of, number))
        });
    }

    pub fn forget_registration(&mut self, epoll: FileId, fd: RawFd, file: FileId) {
        if let Ok(instance) = self.epoll(epoll) {
            let gone = instance.registrations.remove(&(fd, file));
            if gone.is_some_and(|registration| registration.is_queued) {
                instance.ready.retain(|key| *key != (fd, file));
            }
        }
    }

    /// Marks an instance as abandoned: the library cannot tell whether the number still stands for it,
    /// and waits there no more.
    pub fn leave_instance(&mut self, task: TaskId, number: RawFd) {
        let file = self.file_of(task, number);
        if let Ok(instance) = file.and_then(|file| self.epoll(file)) {
            instance.is_left = true;
        }
    }

    /// Removes the registrations of an instance that is gone.
    pub fn end_epoll(&mut self, file: FileId, epoll: &Epoll) {
        for (fd, watched) in epoll.registrations.keys() {
            self.forget_watch(file, *fd, *watched);
        }
    }

    /// Takes events. A level-triggered one moves behind the others. If any are left, the next waiting
    /// thread is woken for them.
    pub fn take_events(&mut self, epoll: FileId, most: usize) -> Vec<u64> {
        let Ok(instance) = self.epoll(epoll) else { return Vec::new() };
        let mut tokens = Vec::new();
        for _ in 0..instance.ready.len() {
            if tokens.len() == most {
                break;
            }
            let Kind::Epoll(instance) = &mut self.files[epoll].kind else { break };
            let Some(key) = instance.ready.pop_front() else { break };
            let Kind::Epoll(instance) = &self.files[epoll].kind else { break };
            let has_event = self.has_event(instance, key);
            let Ok(instance) = self.epoll(epoll) else { break };
            let Some(registration) = instance.registrations.get_mut(&key) else { continue };
            let once = matches!(
                registration.interest,
                Interest::OneShot | Interest::BehindReady | Interest::Silent
            );
            registration.is_queued = has_event && !once;
            if has_event {
                tokens.push(registration.token);
                registration.armed = !once;
                if !once {
                    instance.ready.push_back(key);
                }
            }
        }
        if self.epoll(epoll).is_ok_and(|instance| !instance.ready.is_empty()) {
            self.wake_one(epoll);
        }
        tokens
    }
}
