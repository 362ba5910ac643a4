//! Parked connections: those that have no request in the program's hands.
//!
//! A [`Place`] is a slot of a table and the slot's generation at the time, so that an event that
//! arrives late for an earlier connection in the same slot is recognised.

use std::os::fd::RawFd;
use std::time::{Duration, Instant};

use super::session::Session;
use crate::os::fork::Moment;
use crate::os::memory::{NoMemory, push, reserve};

/// Why a connection is parked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Accepted; nothing was ever said on it.
    Silent,
    /// Refused and told so; waits for the peer to end, so that it can read the answer.
    Lingering,
    /// Has had an answer, and nothing has come since.
    Idle,
    /// Part of a request has arrived.
    Partial,
}

/// Why a connection waits, and until when.
#[derive(Clone, Copy, Debug)]
pub struct Rest {
    /// Why.
    pub stage: Stage,
    /// When to close it.
    pub deadline: Option<Instant>,
}

impl Rest {
    /// A connection whose last request is over.
    pub const IDLE: Self = Self { stage: Stage::Idle, deadline: None };

    /// From now on for so long; without a limit for ever.
    pub fn new(stage: Stage, patience: Option<Duration>) -> Self {
        let deadline = patience.and_then(|patience| Instant::now().checked_add(patience));
        Self { stage, deadline }
    }
}

/// A parked connection.
#[derive(Debug)]
pub struct Parked {
    /// What was received; `None` as long as there is nothing to remember.
    pub session: Option<Box<Session>>,
    /// Why it is here.
    pub rest: Rest,
    /// From when on a child may have a copy.
    pub since: Moment,
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
    /// An event came between the moment from which the descriptor is watched and that of parking.
    early: bool,
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

    /// How many connections are parked.
    pub const fn len(&self) -> usize {
        self.parked
    }

    /// Whether no connection is parked.
    pub const fn is_empty(&self) -> bool {
        self.parked == 0
    }

    /// Places in use, and free ones that were.
    pub fn places_made(&self) -> usize {
        self.slots.len()
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
    pub fn reserve(&mut self) -> Result<Place, NoMemory> {
        let number = match self.free.pop() {
            Some(number) => number,
            None => self.new_slot()?,
        };
        let mut place = Place { slot: number, generation: 0 };
        if let Some(slot) = self.slots.get_mut(number as usize) {
            slot.used = true;
            slot.watched = Watched::No;
            slot.early = false;
            place.generation = slot.generation;
        }
        Ok(place)
    }

    fn new_slot(&mut self) -> Result<u32, NoMemory> {
        // Giving a place up must not need memory.
        reserve(&mut self.free, self.slots.len() + 1)?;
        let slot = Slot {
            generation: 0,
            fd: -1,
            watched: Watched::No,
            used: false,
            early: false,
            order: 0,
            parked: None,
        };
        push(&mut self.slots, slot).map_err(|_| NoMemory)?;
        Ok(self.slots.len() as u32 - 1)
    }

    /// How the place's descriptor is watched.
    pub fn watched(&mut self, place: Place) -> Watched {
        self.slot(place).map_or(Watched::No, |slot| slot.watched)
    }

    /// Takes note of how the place's descriptor is watched now.
    pub fn set_watched(&mut self, place: Place, fd: RawFd, watched: Watched) {
        if let Some(slot) = self.slot(place) {
            (slot.fd, slot.watched) = (fd, watched);
        }
    }

    /// Whether a descriptor of this number is watched for any place but this one.
    pub fn is_watched_elsewhere(&self, fd: RawFd, place: Place) -> bool {
        let mut slots = self.slots.iter().enumerate();
        slots.any(|(number, slot)| {
            let other = number as u32 != place.slot;
            other && slot.used && slot.fd == fd && slot.watched != Watched::No
        })
    }

    /// Puts a connection into its place. True when an event for it has come already.
    pub fn park(&mut self, place: Place, fd: RawFd, parked: Parked) -> bool {
        if let Some(deadline) = parked.rest.deadline {
            self.earliest = Some(self.earliest.map_or(deadline, |e| e.min(deadline)));
        }
        self.order += 1;
        let order = self.order;
        let Some(slot) = self.slot(place) else { return false };
        let early = std::mem::take(&mut slot.early);
        slot.parked = Some(parked);
        slot.fd = fd;
        slot.order = order;
        self.parked += 1;
        early
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

    /// Takes note of an event for a connection that is about to be parked.
    pub fn note_early(&mut self, place: Place) {
        if let Some(slot) = self.slot(place) {
            slot.early = slot.watched == Watched::Once;
        }
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
            // `new_slot` has made room.
            let _ = push(&mut self.free, place.slot);
        }
    }

    /// The places of all parked connections.
    fn places(&self) -> impl Iterator<Item = (Place, &Parked)> {
        self.slots.iter().enumerate().filter_map(|(number, slot)| {
            let place = Place { slot: number as u32, generation: slot.generation };
            slot.parked.as_ref().map(|parked| (place, parked))
        })
    }

    /// Gives up all connections, in a child: no memory may be freed at this moment.
    pub fn abandon(&mut self, close: impl Fn(RawFd)) {
        for slot in &mut self.slots {
            if let Some(parked) = slot.parked.take() {
                close(slot.fd);
                std::mem::forget(parked);
            }
        }
        self.parked = 0;
    }

    /// A parked connection whose deadline has passed. Looks at all of them, so only to be called
    /// once [`Parking::earliest`] has passed.
    pub fn expired(&mut self, now: Instant) -> Option<Place> {
        let mut earliest: Option<Instant> = None;
        let mut expired = None;
        for (place, parked) in self.places() {
            match parked.rest.deadline {
                Some(deadline) if deadline <= now && expired.is_none() => expired = Some(place),
                Some(deadline) => earliest = Some(earliest.map_or(deadline, |e| e.min(deadline))),
                None => {}
            }
        }
        self.earliest = earliest;
        expired
    }

    /// The connection that has waited longest, of all stages or of all but one.
    pub fn oldest(&self, but: Option<Stage>) -> Option<Place> {
        let eligible = self.places().filter(|(_, parked)| Some(parked.rest.stage) != but);
        eligible.min_by_key(|(place, _)| self.order_of(*place)).map(|(place, _)| place)
    }

    fn order_of(&self, place: Place) -> u64 {
        self.slots.get(place.slot as usize).map_or(0, |slot| slot.order)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn parked(deadline: Option<Instant>) -> Parked {
        let rest = Rest { stage: Stage::Silent, deadline };
        Parked { session: None, rest, since: Moment::now() }
    }

    #[test]
    fn a_late_event_for_an_earlier_connection_finds_nothing() {
        let mut parking = Parking::new();
        let first = parking.reserve().unwrap();
        parking.park(first, 7, parked(None));
        assert_eq!(Place::from_token(first.token()), first);
        assert_eq!(parking.take(first).map(|(fd, _)| fd), Some(7));
        assert!(parking.take(first).is_none());
        parking.release(first);
        let second = parking.reserve().unwrap();
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
            let place = parking.reserve().unwrap();
            parking.park(place, fd, parked(Some(now + Duration::from_secs(seconds))));
        }
        assert_eq!(parking.earliest(), Some(now + Duration::from_secs(10)));
        assert!(parking.expired(now).is_none());
        let place = parking.expired(now + Duration::from_secs(15)).unwrap();
        assert_eq!(parking.take(place).map(|(fd, _)| fd), Some(2));
        assert_eq!(parking.earliest(), Some(now + Duration::from_secs(20)));
        assert!(parking.expired(now + Duration::from_secs(15)).is_none());
    }

    #[test]
    fn the_oldest_is_the_one_that_was_parked_first() {
        let mut parking = Parking::new();
        let places: Vec<_> = (1..4).map(|fd| (fd, parking.reserve().unwrap())).collect();
        for (fd, place) in places.into_iter().rev() {
            parking.park(place, fd, parked(None));
        }
        assert!(parking.oldest(Some(Stage::Silent)).is_none());
        let order = std::iter::from_fn(|| {
            let place = parking.oldest(Some(Stage::Idle))?;
            parking.take(place).map(|(fd, _)| fd)
        });
        assert!(order.eq([3, 2, 1]));
    }

    #[test]
    fn an_event_before_parking_is_told_when_parking() {
        let mut parking = Parking::new();
        let place = parking.reserve().unwrap();
        parking.note_early(place);
        assert!(!parking.park(place, 5, parked(None)));
        assert!(parking.take(place).is_some());
        parking.set_watched(place, 5, Watched::Once);
        parking.note_early(place);
        assert!(parking.park(place, 5, parked(None)));
        assert!(parking.take(place).is_some());
        assert!(!parking.park(place, 5, parked(None)));
    }

    #[test]
    fn a_place_keeps_how_it_is_watched_until_it_is_released() {
        let mut parking = Parking::new();
        let place = parking.reserve().unwrap();
        parking.set_watched(place, 5, Watched::Level);
        parking.park(place, 5, parked(None));
        assert_eq!(parking.unwatch_out(place), None);
        assert!(parking.take(place).is_some());
        assert_eq!(parking.watched(place), Watched::Level);
        assert_eq!(parking.unwatch_out(place), Some(5));
        assert_eq!(parking.unwatch_out(place), None);
        parking.set_watched(place, 5, Watched::Once);
        let other = parking.reserve().unwrap();
        assert!(parking.is_watched_elsewhere(5, other));
        assert!(!parking.is_watched_elsewhere(5, place));
        parking.release(place);
        let again = parking.reserve().unwrap();
        assert_eq!(parking.watched(again), Watched::No);
    }
}
