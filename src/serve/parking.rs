//! The table of parked connections.

use std::os::fd::RawFd;
use std::time::Instant;

use super::descriptors::Descriptors;
use super::exchange::Exchange;
use super::heap::Heap;
use super::key::{Key, Tenant};
use super::patience::LONG_UNARMED;
use super::queues::Queues;
use super::sizes::Sizes;
use super::slot::{Registration, Slot, UNUSED, Waiting};
use super::wait::{Stage, Wait};
use crate::os::fork::ForkEpoch;
use crate::os::memory::{NoMemory, push};

/// The queue of free slots, behind those of stages.
const FREE: usize = 3;

/// A parked connection.
#[derive(Debug)]
pub(crate) struct Parked {
    /// What was received; `None` if there is nothing to remember.
    pub exchange: Option<Box<Exchange>>,
    /// Why it waits.
    pub wait: Wait,
    /// Tells whether a child may have a copy of the descriptor.
    pub epoch: ForkEpoch,
}

/// The table of parked connections, and of those that are out. A step takes O(log n) at most in the
/// number of connections. Only a new slot needs memory.
#[derive(Debug)]
pub(crate) struct Parking {
    slots: Vec<Slot>,
    /// Parked connections in the order in which they were parked, those of least worth in the first
    /// queue; and free slots.
    queues: Queues<{ FREE + 1 }>,
    deadlines: Heap<Instant>,
    sizes: Sizes,
    /// Unarmed connections, the one that has been so longest first.
    unarmed: Queues<1>,
    descriptors: Descriptors,
    parked: usize,
    /// Slots in use.
    in_use: usize,
    /// The generation of every new slot. It differs between tables, so that a key of another table
    /// matches nothing here.
    first_generation: u32,
}

impl Parking {
    /// Returns an empty table. Tables with different numbers have different keys.
    pub(crate) fn new(number: u32) -> Self {
        Self {
            slots: Vec::new(),
            queues: Queues::default(),
            deadlines: Heap::default(),
            sizes: Sizes::default(),
            unarmed: Queues::default(),
            descriptors: Descriptors::default(),
            parked: 0,
            in_use: 0,
            first_generation: number << 16,
        }
    }

    /// Returns how many connections are parked.
    pub(crate) const fn len(&self) -> usize {
        self.parked
    }

    /// Returns whether no connection is parked.
    pub(crate) const fn is_empty(&self) -> bool {
        self.parked == 0
    }

    /// Returns whether any connection has a slot: it is parked, out on a request, or a thread looks at
    /// it.
    pub(crate) const fn is_any_known(&self) -> bool {
        self.in_use > 0
    }

    /// Returns the number of slots, in use and free.
    pub(crate) fn slots_made(&self) -> usize {
        self.slots.len()
    }

    /// Returns the next deadline.
    pub(crate) fn earliest(&self) -> Option<Instant> {
        self.deadlines.first().map(|(deadline, _)| deadline)
    }

    /// Returns the sizes of the parked exchanges.
    pub(super) const fn sizes(&self) -> &Sizes {
        &self.sizes
    }

    fn slot(&mut self, key: Key) -> Option<&mut Slot> {
        let slot = self.slots.get_mut(key.slot as usize)?;
        (slot.fd != UNUSED && slot.generation == key.generation).then_some(slot)
    }

    /// Returns the key of a slot for a connection that has none.
    pub(crate) fn reserve(&mut self) -> Result<Key, NoMemory> {
        let number = match self.queues.first(FREE) {
            Some(number) => number,
            None => self.new_slot()?,
        };
        self.queues.remove(number);
        self.in_use += 1;
        let mut key = Key { slot: number, generation: 0 };
        if let Some(slot) = self.slots.get_mut(number as usize) {
            (slot.fd, slot.file) = (-1, 0);
            (slot.registration, slot.quick) = (Registration::No, true);
            key.generation = slot.generation;
        }
        Ok(key)
    }

    fn new_slot(&mut self) -> Result<u32, NoMemory> {
        // Memory is reserved now: later steps with the slot must not need any.
        let slots = self.slots.len() + 1;
        self.queues.make_room(slots)?;
        self.deadlines.make_room(slots)?;
        self.unarmed.make_room(slots)?;
        self.sizes.make_room(slots)?;
        let slot = Slot {
            generation: self.first_generation,
            fd: UNUSED,
            file: 0,
            registration: Registration::No,
            quick: true,
            since: 0,
            parked: None,
        };
        push(&mut self.slots, slot).map_err(|_| NoMemory)?;
        Ok(self.slots.len() as u32 - 1)
    }

    /// Notes which file a new slot's descriptor stands for. If a connection is parked with the same
    /// descriptor, the program has closed it, and it is removed.
    pub(crate) fn identify(&mut self, key: Key, fd: RawFd, file: u32) -> Result<(), NoMemory> {
        self.descriptors.make_room(fd)?;
        let latest = self.descriptors.slot(fd).and_then(|number| self.key(number));
        if let Some(stale) = latest.filter(|latest| *latest != key) {
            if self.is_parked(stale, fd) {
                self.release(stale);
            }
        }
        self.descriptors.set(fd, key.slot);
        if let Some(slot) = self.slot(key) {
            slot.file = file;
        }
        Ok(())
    }

    /// Returns whether a slot's descriptor still stands for the same file, by `file_number`. The program
    /// may have closed it and reused the number.
    pub(crate) fn is_own(&mut self, key: Key, file_number: impl Fn(RawFd) -> u32) -> bool {
        self.slot(key).is_some_and(|slot| slot.is_own(&file_number))
    }

    /// Notes that the kernel does not watch the descriptor in the slot with this number. Returns its key
    /// if a connection is parked there.
    pub(crate) fn unwatch(&mut self, number: usize) -> Option<Key> {
        let slot = self.slots.get_mut(number)?;
        if std::mem::replace(&mut slot.registration, Registration::No) == Registration::Unarmed {
            self.unarmed.remove(number as u32);
        }
        let key = Key { slot: number as u32, generation: slot.generation };
        slot.parked.is_some().then_some(key)
    }

    /// Returns how the descriptor is registered.
    pub(crate) fn registration(&mut self, key: Key) -> Registration {
        self.slot(key).map_or(Registration::No, |slot| slot.registration)
    }

    /// Notes how the descriptor is registered now.
    pub(crate) fn set_registration(&mut self, key: Key, fd: RawFd, registration: Registration) {
        if let Some(slot) = self.slot(key) {
            (slot.fd, slot.registration) = (fd, registration);
        }
    }

    /// Returns whether no other slot has been given this descriptor later.
    pub(crate) fn is_latest(&self, key: Key, fd: RawFd) -> bool {
        self.descriptors.slot(fd).is_none_or(|slot| slot == key.slot)
    }

    /// Parks a connection in its slot. Returns whether it must be looked at: an event came before
    /// parking, or the kernel does not watch it any more.
    pub(crate) fn park(&mut self, key: Key, fd: RawFd, parked: Parked) -> bool {
        let Parked { exchange, wait: Wait { stage, deadline }, epoch } = parked;
        let size = exchange.as_ref().map_or(0, |exchange| exchange.held());
        let Some(slot) = self.slot(key) else { return false };
        let early = matches!(slot.registration, Registration::Early | Registration::No);
        if slot.registration == Registration::Early {
            slot.registration = Registration::Once;
        }
        slot.parked = Some(Waiting { exchange, stage, epoch });
        slot.fd = fd;
        self.parked += 1;
        self.queues.put_last(stage.queue(), key.slot);
        if let Some(deadline) = deadline {
            self.deadlines.insert(key.slot, deadline);
        }
        self.sizes.insert(key.slot, size);
        early
    }

    /// Takes a connection and its descriptor out; it keeps its slot. `None` if the connection is not
    /// parked.
    pub(crate) fn take(&mut self, key: Key) -> Option<(RawFd, Parked)> {
        let slot = self.slot(key)?;
        let Waiting { exchange, stage, epoch } = slot.parked.take()?;
        let fd = slot.fd;
        if slot.registration == Registration::Unarmed {
            slot.registration = Registration::Once;
            self.unarmed.remove(key.slot);
        }
        self.parked -= 1;
        self.queues.remove(key.slot);
        let deadline = self.deadlines.remove(key.slot);
        if exchange.is_some() {
            self.sizes.remove(key.slot);
        }
        Some((fd, Parked { exchange, wait: Wait { stage, deadline }, epoch }))
    }

    /// Returns whether a connection with this key and descriptor is parked.
    pub(crate) fn is_parked(&mut self, key: Key, fd: RawFd) -> bool {
        self.slot(key).is_some_and(|slot| slot.fd == fd && slot.parked.is_some())
    }

    /// Returns which connection has a key, for a caller that remembers it with this descriptor.
    pub(crate) fn tenant(&mut self, key: Key, fd: RawFd) -> Tenant {
        match self.slot(key) {
            Some(slot) if slot.fd == fd => Tenant::Same,
            Some(slot) if slot.parked.is_some() => Tenant::Another,
            _ => Tenant::Unknown,
        }
    }

    /// Returns whether a connection that was out may be parked unarmed: it is registered and silent, and
    /// its client is quick.
    pub(crate) fn may_stay_unarmed(&mut self, key: Key) -> bool {
        self.slot(key).is_some_and(|slot| slot.registration == Registration::Once && slot.quick)
    }

    /// Notes that no thread will hold a connection next: the kernel is to report it.
    pub(crate) fn leave_to_kernel(&mut self, key: Key) {
        if let Some(slot) = self.slot(key) {
            slot.quick = false;
        }
    }

    /// Notes that a connection is out from now on. Its client is quick if the connection was parked for a
    /// short time.
    pub(crate) fn goes_out(&mut self, key: Key, now: u32) {
        if let Some(slot) = self.slot(key) {
            slot.quick = slot.age(now) < LONG_UNARMED;
            slot.since = now as u16;
        }
    }

    /// Returns for how many milliseconds a connection has been out.
    pub(crate) fn out_for(&mut self, key: Key, now: u32) -> Option<u32> {
        self.slot(key).map(|slot| slot.age(now))
    }

    /// Notes that a parked connection is unarmed.
    pub(crate) fn leave_unarmed(&mut self, key: Key, now: u32) {
        if let Some(slot) = self.slot(key).filter(|slot| slot.parked.is_some()) {
            (slot.registration, slot.since) = (Registration::Unarmed, now as u16);
            self.unarmed.put_last(0, key.slot);
        }
    }

    /// Notes that an unarmed connection is going to be armed, and returns its descriptor; `None` if it is
    /// not unarmed.
    pub(crate) fn take_unarmed(&mut self, key: Key) -> Option<RawFd> {
        let slot = self.slot(key)?;
        if slot.registration != Registration::Unarmed {
            return None;
        }
        let fd = slot.fd;
        slot.registration = Registration::Once;
        self.unarmed.remove(key.slot);
        Some(fd)
    }

    /// Returns whether an unarmed connection with this key and descriptor is parked.
    pub(crate) fn is_unarmed(&mut self, key: Key, fd: RawFd) -> bool {
        self.slot(key)
            .is_some_and(|slot| slot.registration == Registration::Unarmed && slot.fd == fd)
    }

    /// Returns the connection that has been unarmed longest, and for how many milliseconds.
    pub(crate) fn first_unarmed(&self, now: u32) -> Option<(Key, u32)> {
        let number = self.unarmed.first(0)?;
        let age = self.slots.get(number as usize)?.age(now);
        self.key(number).map(|key| (key, age))
    }

    /// Notes an event for a connection that is about to be parked. Returns false if the key matches no
    /// slot.
    pub(crate) fn note_early(&mut self, key: Key) -> bool {
        let slot = self.slot(key);
        slot.is_some_and(|slot| {
            if slot.registration == Registration::Once {
                slot.registration = Registration::Early;
            }
            true
        })
    }

    /// Returns the descriptor of a connection that is out but still registered level-triggered, and notes
    /// that it is not registered any more.
    pub(crate) fn unwatch_out(&mut self, key: Key) -> Option<RawFd> {
        let slot = self.slot(key)?;
        if slot.parked.is_some() || slot.registration != Registration::Level {
            return None;
        }
        slot.registration = Registration::No;
        Some(slot.fd)
    }

    /// Frees a slot.
    pub(crate) fn release(&mut self, key: Key) {
        self.take(key);
        if let Some(slot) = self.slot(key) {
            slot.fd = UNUSED;
            slot.generation = slot.generation.wrapping_add(1);
            self.queues.put_first(FREE, key.slot);
            self.in_use -= 1;
        }
    }

    /// Closes and abandons all parked connections, in a child: no memory may be freed there.
    pub(crate) fn abandon(&mut self, file_number: impl Fn(RawFd) -> u32, close: impl Fn(RawFd)) {
        for (number, slot) in self.slots.iter_mut().enumerate() {
            if let Some(parked) = slot.parked.take() {
                if slot.is_own(&file_number) {
                    close(slot.fd);
                }
                std::mem::forget(parked);
                self.queues.remove(number as u32);
                if slot.registration == Registration::Unarmed {
                    self.unarmed.remove(number as u32);
                }
            }
        }
        self.deadlines.clear();
        self.sizes.clear();
        self.parked = 0;
    }

    /// Returns the key of the slot with this number.
    pub(super) fn key(&self, number: u32) -> Option<Key> {
        let generation = self.slots.get(number as usize)?.generation;
        Some(Key { slot: number, generation })
    }

    /// Returns the parked connection with the earliest deadline, if that has passed.
    pub(crate) fn expired(&self, now: Instant) -> Option<Key> {
        let (_, slot) = self.deadlines.first().filter(|(deadline, _)| *deadline <= now)?;
        self.key(slot)
    }

    /// Returns the connection that has been idle longest.
    pub(crate) fn longest_idle(&self) -> Option<Key> {
        self.key(self.queues.first(Stage::Idle.queue())?)
    }

    /// Returns the parked connection that is closed first when there are too many: of those that never
    /// had a request the one that waits longest; then of those that have begun another request; then of
    /// the idle ones.
    pub(crate) fn least_worth(&self) -> Option<Key> {
        self.key((0..FREE).find_map(|queue| self.queues.first(queue))?)
    }
}

#[cfg(test)]
mod tests;
