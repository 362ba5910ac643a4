//! Parked connections: those that have no request in the program's hands.

use std::os::fd::RawFd;
use std::time::Instant;

use super::heap::Heap;
use super::place::{Place, Tenant};
use super::queues::Queues;
use super::rest::Rest;
use super::session::Session;
use super::sizes::Sizes;
use super::slot::{Slot, Waiting, Watched};
use crate::os::fork::Moment;
use crate::os::memory::{NoMemory, push};

/// The queue of slots that are not in use, behind those of stages.
const FREE: usize = 3;

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

/// The table of parked connections, and the places of those that are out on a request. What it does
/// with one of them takes O(log n) steps at most, and only a new place needs memory.
#[derive(Debug)]
pub struct Parking {
    slots: Vec<Slot>,
    /// Parked connections in the order in which they came, those of least worth in the first queue.
    queues: Queues<{ FREE + 1 }>,
    deadlines: Heap<Instant>,
    sizes: Sizes,
    /// Those that are unarmed, the one that is so for the longest time first.
    unarmed: Queues<1>,
    parked: usize,
    /// Generation of every new slot: places of another table are none here.
    first_generation: u32,
}

impl Parking {
    /// An empty table, different from others by its number.
    pub fn new(number: u32) -> Self {
        Self {
            slots: Vec::new(),
            queues: Queues::default(),
            deadlines: Heap::default(),
            sizes: Sizes::default(),
            unarmed: Queues::default(),
            parked: 0,
            first_generation: number << 16,
        }
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

    /// Returns the next deadline.
    pub fn earliest(&self) -> Option<Instant> {
        self.deadlines.first().map(|(deadline, _)| deadline)
    }

    /// How large the parked sessions are that count.
    pub(super) const fn sizes(&self) -> &Sizes {
        &self.sizes
    }

    fn slot(&mut self, place: Place) -> Option<&mut Slot> {
        let slot = self.slots.get_mut(place.slot as usize)?;
        (slot.used && slot.generation == place.generation).then_some(slot)
    }

    /// A place for a connection that has none.
    pub fn reserve(&mut self) -> Result<Place, NoMemory> {
        let number = match self.queues.first(FREE) {
            Some(number) => number,
            None => self.new_slot()?,
        };
        self.queues.remove(number);
        let mut place = Place { slot: number, generation: 0 };
        if let Some(slot) = self.slots.get_mut(number as usize) {
            slot.used = true;
            slot.watched = Watched::No;
            (slot.early, slot.quick) = (false, true);
            place.generation = slot.generation;
        }
        Ok(place)
    }

    fn new_slot(&mut self) -> Result<u32, NoMemory> {
        // Whatever happens to the slot must not need memory.
        let slots = self.slots.len() + 1;
        self.queues.make_room(slots)?;
        self.deadlines.make_room(slots)?;
        self.unarmed.make_room(slots)?;
        self.sizes.make_room(slots)?;
        let slot = Slot {
            generation: self.first_generation,
            fd: -1,
            watched: Watched::No,
            used: false,
            early: false,
            quick: true,
            since: 0,
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

    /// Puts a connection into its place, out of which it was taken. True when an event for it has come
    /// already.
    pub fn park(&mut self, place: Place, fd: RawFd, parked: Parked) -> bool {
        let Parked { session, rest: Rest { stage, deadline }, since } = parked;
        let size = session.as_ref().map_or(0, |session| session.held());
        let Some(slot) = self.slot(place) else { return false };
        let early = std::mem::take(&mut slot.early);
        slot.parked = Some(Waiting { session, stage, since });
        slot.fd = fd;
        self.parked += 1;
        self.queues.put_last(stage.queue(), place.slot);
        if let Some(deadline) = deadline {
            self.deadlines.insert(place.slot, deadline);
        }
        self.sizes.insert(place.slot, size);
        early
    }

    /// Takes a connection and its descriptor out; it keeps its place. `None` when there is none
    /// (any more).
    pub fn take(&mut self, place: Place) -> Option<(RawFd, Parked)> {
        let slot = self.slot(place)?;
        let Waiting { session, stage, since } = slot.parked.take()?;
        let fd = slot.fd;
        if slot.watched == Watched::Unarmed {
            slot.watched = Watched::Once;
            self.unarmed.remove(place.slot);
        }
        self.parked -= 1;
        self.queues.remove(place.slot);
        let deadline = self.deadlines.remove(place.slot);
        if session.is_some() {
            self.sizes.remove(place.slot);
        }
        Some((fd, Parked { session, rest: Rest { stage, deadline }, since }))
    }

    /// Whether a connection with this descriptor is parked here.
    pub fn is_parked(&mut self, place: Place, fd: RawFd) -> bool {
        self.slot(place).is_some_and(|slot| slot.fd == fd && slot.parked.is_some())
    }

    /// Whose a place is, for one who remembers it with this descriptor.
    pub fn tenant(&mut self, place: Place, fd: RawFd) -> Tenant {
        match self.slot(place) {
            Some(slot) if slot.fd == fd => Tenant::Same,
            Some(slot) if slot.parked.is_some() => Tenant::Another,
            _ => Tenant::Unknown,
        }
    }

    /// Whether a connection that was just out may stay unarmed, if it is parked now: it is registered and
    /// silent, and its client is a quick one.
    pub fn may_stay_unarmed(&mut self, place: Place) -> bool {
        self.slot(place).is_some_and(|slot| slot.watched == Watched::Once && slot.quick)
    }

    /// Notes that a connection is out since then.
    pub fn goes_out(&mut self, place: Place, since: u32) {
        if let Some(slot) = self.slot(place) {
            slot.since = since;
        }
    }

    /// Returns since when a connection is out.
    pub fn out_since(&mut self, place: Place) -> Option<u32> {
        self.slot(place).map(|slot| slot.since)
    }

    /// Notes whether the client of a connection is a quick one.
    pub fn set_quick(&mut self, place: Place, quick: bool) {
        if let Some(slot) = self.slot(place) {
            slot.quick = quick;
        }
    }

    /// Leaves a parked connection unarmed.
    pub fn leave_unarmed(&mut self, place: Place, since: u32) {
        if let Some(slot) = self.slot(place).filter(|slot| slot.parked.is_some()) {
            (slot.watched, slot.since) = (Watched::Unarmed, since);
            self.unarmed.put_last(0, place.slot);
        }
    }

    /// Notes that an unarmed connection is going to be armed. Returns its descriptor; `None` if it is not
    /// unarmed.
    pub fn take_unarmed(&mut self, place: Place) -> Option<RawFd> {
        let slot = self.slot(place)?;
        if slot.watched != Watched::Unarmed {
            return None;
        }
        let fd = slot.fd;
        slot.watched = Watched::Once;
        self.unarmed.remove(place.slot);
        Some(fd)
    }

    /// Whether an unarmed connection with this descriptor is parked here.
    pub fn is_unarmed(&mut self, place: Place, fd: RawFd) -> bool {
        self.slot(place).is_some_and(|slot| slot.watched == Watched::Unarmed && slot.fd == fd)
    }

    /// Returns the connection that is unarmed for the longest time, and since when.
    pub fn first_unarmed(&self) -> Option<(Place, u32)> {
        let number = self.unarmed.first(0)?;
        let since = self.slots.get(number as usize)?.since;
        self.place(number).map(|place| (place, since))
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
        self.take(place);
        if let Some(slot) = self.slot(place) {
            slot.used = false;
            slot.generation = slot.generation.wrapping_add(1);
            self.queues.put_first(FREE, place.slot);
        }
    }

    /// Gives up all connections, in a child: no memory may be freed at this moment.
    pub fn abandon(&mut self, close: impl Fn(RawFd)) {
        for (number, slot) in self.slots.iter_mut().enumerate() {
            if let Some(parked) = slot.parked.take() {
                close(slot.fd);
                std::mem::forget(parked);
                self.queues.remove(number as u32);
                if slot.watched == Watched::Unarmed {
                    self.unarmed.remove(number as u32);
                }
            }
        }
        self.deadlines.clear();
        self.sizes.clear();
        self.parked = 0;
    }

    /// Returns the place of this number.
    pub(super) fn place(&self, number: u32) -> Option<Place> {
        let generation = self.slots.get(number as usize)?.generation;
        Some(Place { slot: number, generation })
    }

    /// Returns the parked connection whose deadline has passed first.
    pub fn expired(&self, now: Instant) -> Option<Place> {
        let (_, slot) = self.deadlines.first().filter(|(deadline, _)| *deadline <= now)?;
        self.place(slot)
    }

    /// Returns the parked connection that is the first to close when there are too many: the one that
    /// has waited longest of those that never had a request, if there are any; then of those that have
    /// begun another one; then of the idle ones.
    pub fn least_worth(&self) -> Option<Place> {
        self.place((0..FREE).find_map(|queue| self.queues.first(queue))?)
    }
}

#[cfg(test)]
mod tests {
    use super::super::rest::Stage;
    use super::*;
    use std::time::Duration;

    fn parked(deadline: Option<Instant>) -> Parked {
        at(Stage::Silent, deadline)
    }

    fn at(stage: Stage, deadline: Option<Instant>) -> Parked {
        Parked { session: None, rest: Rest { stage, deadline }, since: Moment::now() }
    }

    #[test]
    fn a_late_event_for_an_earlier_connection_finds_nothing() {
        let mut parking = Parking::new(0);
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
        let mut parking = Parking::new(0);
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
    fn who_has_had_no_request_goes_first_and_the_oldest_of_those() {
        let stages =
            [Stage::Idle, Stage::Next, Stage::First, Stage::Idle, Stage::Lingering, Stage::Silent];
        let mut parking = Parking::new(0);
        let places: Vec<_> = stages.map(|stage| (stage, parking.reserve().unwrap())).into();
        for (fd, (stage, place)) in places.iter().enumerate().rev() {
            parking.park(*place, fd as RawFd, at(*stage, None));
        }
        // Looked at, and parked again: it has waited the shortest time now.
        let (_, again) = parking.take(places[5].1).unwrap();
        parking.park(places[5].1, 5, again);
        let order = std::iter::from_fn(|| {
            let place = parking.least_worth()?;
            parking.take(place).map(|(fd, _)| fd)
        });
        assert!(order.eq([4, 2, 5, 1, 3, 0]));
    }

    /// Steps are counted, which take time: entries of the heap. Everything else is O(1).
    #[test]
    fn no_step_takes_longer_the_more_connections_wait() {
        const MANY: u32 = if cfg!(miri) { 64 } else { 16_000 };
        let (mut parking, start) = (Parking::new(0), Instant::now());
        let mut most = 0;
        let mut counted = |parking: &mut Parking, step: &mut dyn FnMut(&mut Parking)| {
            let before = parking.deadlines.steps;
            step(parking);
            most = most.max(parking.deadlines.steps - before);
        };
        let places: Vec<Place> = (0..MANY).map(|_| parking.reserve().unwrap()).collect();
        for (number, place) in (0..MANY).zip(&places) {
            // Half of them in order, half of them in none.
            let after = if number % 2 == 0 { number } else { number * 7919 % MANY };
            let deadline = start + Duration::from_micros(u64::from(after));
            counted(&mut parking, &mut |parking| {
                parking.park(*place, number as RawFd, parked(Some(deadline)));
            });
        }
        // Each says something that is no request: its deadline stays.
        for place in &places {
            counted(&mut parking, &mut |parking| {
                let (fd, parked) = parking.take(*place).unwrap();
                parking.park(*place, fd, parked);
            });
        }
        let (mut last, late) = (start, start + Duration::from_secs(1));
        for number in 0..MANY {
            counted(&mut parking, &mut |parking| {
                let place = if number % 4 == 0 {
                    parking.least_worth().unwrap()
                } else {
                    let earliest = parking.earliest().unwrap();
                    assert!(last <= earliest);
                    last = earliest;
                    parking.expired(late).unwrap()
                };
                assert!(parking.take(place).is_some());
                parking.release(place);
            });
        }
        assert!(parking.is_empty() && parking.expired(late).is_none());
        assert!(most <= 4 * u64::from(MANY.ilog2()), "{most} entries in one step");
    }

    #[test]
    fn idle_connections_have_no_part_in_the_deadlines_and_little_memory() {
        let mut parking = Parking::new(0);
        for fd in 0..1000 {
            let place = parking.reserve().unwrap();
            parking.park(place, fd, at(Stage::Idle, None));
            assert!(parking.take(place).is_some());
            parking.park(place, fd, at(Stage::Idle, None));
        }
        assert_eq!((parking.deadlines.steps, parking.earliest()), (0, None));
        assert!(size_of::<Slot>() <= 40);
    }

    #[test]
    fn a_child_gives_everything_up() {
        let mut parking = Parking::new(0);
        let now = Instant::now();
        for fd in 0..4 {
            let place = parking.reserve().unwrap();
            parking.park(place, fd, parked(Some(now)));
        }
        let out = parking.least_worth().unwrap();
        assert!(parking.take(out).is_some());
        let closed = std::cell::Cell::new(0);
        parking.abandon(|_| closed.set(closed.get() + 1));
        assert_eq!((closed.get(), parking.len()), (3, 0));
        assert!(parking.least_worth().is_none() && parking.expired(now).is_none());
    }

    #[test]
    fn an_event_before_parking_is_told_when_parking() {
        let mut parking = Parking::new(0);
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
        let mut parking = Parking::new(0);
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
