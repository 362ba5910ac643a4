//! Parked connections: those that have no request in the program's hands.
//!
//! A [`Place`] is a slot of a table and the slot's generation at the time, so that an event that
//! arrives late for an earlier connection in the same slot is recognised.

use std::os::fd::RawFd;
use std::time::Instant;

use super::session::Session;

/// Why a connection is parked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Accepted; nothing was ever said on it.
    Silent,
    /// Part of a request has arrived.
    Partial,
    /// Served at least one request, and nothing has come since.
    Idle,
    /// Refused and told so; waits for the peer to end, so that it can read the answer.
    Lingering,
}

/// A parked connection.
#[derive(Debug)]
pub struct Parked {
    /// What was received; `None` as long as there is nothing to remember.
    pub session: Option<Box<Session>>,
    /// Why it is here.
    pub stage: Stage,
    /// When to close it.
    pub deadline: Option<Instant>,
    /// [`crate::os::fork::count`] when it was accepted.
    pub forks: usize,
}

/// How the kernel watches a slot's descriptor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Watched {
    /// Not at all.
    No,
    /// All the time, also while a request is active.
    Level,
    /// Until the next event.
    Once,
}

/// A slot and its generation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    slot: u32,
    generation: u32,
}

impl Place {
    /// As the kernel carries it.
    pub const fn token(self) -> u64 {
        (self.generation as u64) << 32 | self.slot as u64
    }

    /// From what the kernel gave back.
    pub const fn from_token(token: u64) -> Self {
        Self { slot: token as u32, generation: (token >> 32) as u32 }
    }
}

#[derive(Debug)]
struct Slot {
    generation: u32,
    fd: RawFd,
    watched: Watched,
    used: bool,
    order: u64,
    parked: Option<Parked>,
}

/// The table of parked connections, and the places of those that are out on a request.
#[derive(Debug, Default)]
pub struct Parking {
    slots: Vec<Slot>,
    free: Vec<u32>,
    parked: usize,
    order: u64,
    earliest: Option<Instant>,
}

impl Parking {
    /// An empty table.
    pub const fn new() -> Self {
        Self { slots: Vec::new(), free: Vec::new(), parked: 0, order: 0, earliest: None }
    }

    /// Whether no connection is parked.
    pub const fn is_empty(&self) -> bool {
        self.parked == 0
    }

    /// When the next deadline may be; never later than the earliest one.
    pub const fn earliest(&self) -> Option<Instant> {
        self.earliest
    }

    fn slot(&mut self, place: Place) -> Option<&mut Slot> {
        let slot = self.slots.get_mut(place.slot as usize)?;
        (slot.used && slot.generation == place.generation).then_some(slot)
    }

    /// A place for a connection that has none.
    pub fn reserve(&mut self) -> Place {
        let number = self.free.pop().unwrap_or(self.slots.len() as u32);
        if number as usize == self.slots.len() {
            self.slots.push(Slot {
                generation: 0,
                fd: -1,
                watched: Watched::No,
                used: false,
                order: 0,
                parked: None,
            });
        }
        let mut place = Place { slot: number, generation: 0 };
        if let Some(slot) = self.slots.get_mut(number as usize) {
            slot.used = true;
            slot.watched = Watched::No;
            place.generation = slot.generation;
        }
        place
    }

    /// How the place's descriptor is watched.
    pub fn watched(&mut self, place: Place) -> Watched {
        self.slot(place).map_or(Watched::No, |slot| slot.watched)
    }

    /// Takes note of how the place's descriptor is watched now.
    pub fn set_watched(&mut self, place: Place, watched: Watched) {
        if let Some(slot) = self.slot(place) {
            slot.watched = watched;
        }
    }

    /// Puts a connection into its place.
    pub fn park(&mut self, place: Place, fd: RawFd, parked: Parked) {
        if let Some(deadline) = parked.deadline {
            self.earliest = Some(self.earliest.map_or(deadline, |e| e.min(deadline)));
        }
        self.order += 1;
        let order = self.order;
        if let Some(slot) = self.slot(place) {
            slot.parked = Some(parked);
            slot.fd = fd;
            slot.order = order;
            self.parked += 1;
        }
    }

    /// Takes a connection and its descriptor out; it keeps its place. `None` when there is none
    /// (any more).
    pub fn take(&mut self, place: Place) -> Option<(RawFd, Parked)> {
        let slot = self.slot(place)?;
        let parked = slot.parked.take()?;
        let fd = slot.fd;
        self.parked -= 1;
        Some((fd, parked))
    }

    /// The descriptor of a connection that is out but still watched all the time; from now on it
    /// counts as not watched.
    pub fn unwatch_out(&mut self, place: Place) -> Option<RawFd> {
        let slot = self.slot(place)?;
        if slot.parked.is_some() || slot.watched != Watched::Level {
            return None;
        }
        slot.watched = Watched::No;
        Some(slot.fd)
    }

    /// Gives a place up.
    pub fn release(&mut self, place: Place) {
        if let Some(slot) = self.slot(place) {
            slot.used = false;
            slot.generation = slot.generation.wrapping_add(1);
            if slot.parked.take().is_some() {
                self.parked -= 1;
            }
            self.free.push(place.slot);
        }
    }

    /// The places of all parked connections.
    fn places(&self) -> impl Iterator<Item = (Place, &Parked)> {
        self.slots.iter().enumerate().filter_map(|(number, slot)| {
            let place = Place { slot: number as u32, generation: slot.generation };
            slot.parked.as_ref().map(|parked| (place, parked))
        })
    }

    /// A parked connection whose deadline has passed. Looks at all of them, so only to be called
    /// once [`Parking::earliest`] has passed.
    pub fn expired(&mut self, now: Instant) -> Option<Place> {
        let mut earliest: Option<Instant> = None;
        let mut expired = None;
        for (place, parked) in self.places() {
            match parked.deadline {
                Some(deadline) if deadline <= now && expired.is_none() => expired = Some(place),
                Some(deadline) => earliest = Some(earliest.map_or(deadline, |e| e.min(deadline))),
                None => {}
            }
        }
        self.earliest = earliest;
        expired
    }

    /// The connection that was parked first of those that have said nothing.
    pub fn oldest_silent(&self) -> Option<Place> {
        let silent = self.places().filter(|(_, parked)| parked.stage == Stage::Silent);
        silent.min_by_key(|(place, _)| self.order_of(*place)).map(|(place, _)| place)
    }

    fn order_of(&self, place: Place) -> u64 {
        self.slots.get(place.slot as usize).map_or(0, |slot| slot.order)
    }

    /// Any parked connection.
    pub fn any(&self) -> Option<Place> {
        self.places().next().map(|(place, _)| place)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn parked(deadline: Option<Instant>) -> Parked {
        Parked { session: None, stage: Stage::Silent, deadline, forks: 0 }
    }

    #[test]
    fn a_late_event_for_an_earlier_connection_finds_nothing() {
        let mut parking = Parking::new();
        let first = parking.reserve();
        parking.park(first, 7, parked(None));
        assert_eq!(Place::from_token(first.token()), first);
        assert_eq!(parking.take(first).map(|(fd, _)| fd), Some(7));
        assert!(parking.take(first).is_none());
        parking.release(first);
        let second = parking.reserve();
        parking.park(second, 8, parked(None));
        assert!(parking.take(first).is_none());
        assert_eq!(parking.take(second).map(|(fd, _)| fd), Some(8));
        assert!(parking.is_empty());
    }

    #[test]
    fn deadlines_pass_in_order() {
        let mut parking = Parking::new();
        let now = Instant::now();
        for (fd, seconds) in [(1, 20), (2, 10), (3, 30)] {
            let place = parking.reserve();
            parking.park(place, fd, parked(Some(now + Duration::from_secs(seconds))));
        }
        assert_eq!(parking.earliest(), Some(now + Duration::from_secs(10)));
        assert!(parking.expired(now).is_none());
        let place = parking.expired(now + Duration::from_secs(15)).unwrap();
        assert_eq!(parking.take(place).map(|(fd, _)| fd), Some(2));
        assert_eq!(parking.earliest(), Some(now + Duration::from_secs(20)));
        assert!(parking.expired(now + Duration::from_secs(15)).is_none());
        let oldest = parking.oldest_silent().unwrap();
        assert_eq!(parking.take(oldest).map(|(fd, _)| fd), Some(1));
    }

    #[test]
    fn a_place_keeps_how_it_is_watched_until_it_is_released() {
        let mut parking = Parking::new();
        let place = parking.reserve();
        parking.set_watched(place, Watched::Level);
        parking.park(place, 5, parked(None));
        assert_eq!(parking.unwatch_out(place), None);
        assert!(parking.take(place).is_some());
        assert_eq!(parking.watched(place), Watched::Level);
        assert_eq!(parking.unwatch_out(place), Some(5));
        assert_eq!(parking.unwatch_out(place), None);
        parking.release(place);
        let again = parking.reserve();
        assert_eq!(parking.watched(again), Watched::No);
    }
}
