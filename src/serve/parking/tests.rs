//! Tests of the table of parked connections.

use super::*;
use std::time::Duration;

fn parked(deadline: Option<Instant>) -> Parked {
    at(Stage::Silent, deadline)
}

fn at(stage: Stage, deadline: Option<Instant>) -> Parked {
    Parked { exchange: None, wait: Wait { stage, deadline }, epoch: ForkEpoch::now() }
}

#[test]
fn a_late_event_for_an_earlier_connection_finds_nothing() {
    let mut parking = Parking::new(0);
    let first = parking.reserve().unwrap();
    parking.park(first, 7, parked(None));
    assert_eq!(Key::from_token(first.token()), first);
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
        let key = parking.reserve().unwrap();
        parking.park(key, fd, parked(Some(now + Duration::from_secs(seconds))));
    }
    assert_eq!(parking.earliest(), Some(now + Duration::from_secs(10)));
    assert!(parking.expired(now).is_none());
    let key = parking.expired(now + Duration::from_secs(15)).unwrap();
    assert_eq!(parking.take(key).map(|(fd, _)| fd), Some(2));
    assert_eq!(parking.earliest(), Some(now + Duration::from_secs(20)));
    assert!(parking.expired(now + Duration::from_secs(15)).is_none());
}

#[test]
fn who_has_had_no_request_goes_first_and_the_oldest_of_those() {
    let stages =
        [Stage::Idle, Stage::Next, Stage::First, Stage::Idle, Stage::Lingering, Stage::Silent];
    let mut parking = Parking::new(0);
    let keys: Vec<_> = stages.map(|stage| (stage, parking.reserve().unwrap())).into();
    for (fd, (stage, key)) in keys.iter().enumerate().rev() {
        parking.park(*key, fd as RawFd, at(*stage, None));
    }
    // Taken out and parked again: it has waited the shortest time now.
    let (_, again) = parking.take(keys[5].1).unwrap();
    parking.park(keys[5].1, 5, again);
    let order = std::iter::from_fn(|| {
        let key = parking.least_worth()?;
        parking.take(key).map(|(fd, _)| fd)
    });
    assert!(order.eq([4, 2, 5, 1, 3, 0]));
}

/// Chooses every fourth connection by its worth, the others by their deadlines, which come in order.
fn next_to_go(parking: &Parking, number: u32, last: &mut Instant, late: Instant) -> Key {
    if number % 4 == 0 {
        return parking.least_worth().unwrap();
    }
    let earliest = parking.earliest().unwrap();
    assert!(*last <= earliest);
    *last = earliest;
    parking.expired(late).unwrap()
}

/// Steps that take time are counted: entries of the heap. Everything else is O(1).
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
    let keys: Vec<Key> = (0..MANY).map(|_| parking.reserve().unwrap()).collect();
    for (number, key) in (0..MANY).zip(&keys) {
        // Half of the deadlines are in order, half in none.
        let after = if number % 2 == 0 { number } else { number * 7919 % MANY };
        let deadline = start + Duration::from_micros(u64::from(after));
        counted(&mut parking, &mut |parking| {
            parking.park(*key, number as RawFd, parked(Some(deadline)));
        });
    }
    // Each sends something that is not a request: its deadline stays.
    for key in &keys {
        counted(&mut parking, &mut |parking| {
            let (fd, parked) = parking.take(*key).unwrap();
            parking.park(*key, fd, parked);
        });
    }
    let (mut last, late) = (start, start + Duration::from_secs(1));
    for number in 0..MANY {
        counted(&mut parking, &mut |parking| {
            let key = next_to_go(parking, number, &mut last, late);
            assert!(parking.take(key).is_some());
            parking.release(key);
        });
    }
    assert!(parking.is_empty() && parking.expired(late).is_none());
    assert!(most <= 4 * u64::from(MANY.ilog2()), "{most} entries in one step");
}

#[test]
fn idle_connections_have_no_part_in_the_deadlines_and_little_memory() {
    let mut parking = Parking::new(0);
    for fd in 0..1000 {
        let key = parking.reserve().unwrap();
        parking.park(key, fd, at(Stage::Idle, None));
        assert!(parking.take(key).is_some());
        parking.park(key, fd, at(Stage::Idle, None));
    }
    assert_eq!((parking.deadlines.steps, parking.earliest()), (0, None));
    assert!(size_of::<Slot>() <= 40);
}

#[test]
fn a_child_gives_everything_up() {
    let mut parking = Parking::new(0);
    let now = Instant::now();
    for fd in 0..4 {
        let key = parking.reserve().unwrap();
        parking.park(key, fd, parked(Some(now)));
    }
    let out = parking.least_worth().unwrap();
    assert!(parking.take(out).is_some());
    let closed = std::cell::Cell::new(0);
    // The descriptor of the one whose file is known stands for another file.
    let foreign = parking.expired(now).unwrap();
    parking.identify(foreign, 3, 7).unwrap();
    assert!(!parking.is_own(foreign, |_| 8) && parking.is_own(foreign, |_| 7));
    parking.abandon(|_| 8, |_| closed.set(closed.get() + 1));
    assert_eq!((closed.get(), parking.len()), (2, 0));
    assert!(parking.least_worth().is_none() && parking.expired(now).is_none());
}

#[test]
fn an_event_before_parking_is_reported_when_parking() {
    let mut parking = Parking::new(0);
    let key = parking.reserve().unwrap();
    parking.note_early(key);
    parking.set_registration(key, 5, Registration::Once);
    assert!(!parking.park(key, 5, parked(None)));
    assert!(parking.take(key).is_some());
    parking.note_early(key);
    assert!(parking.park(key, 5, parked(None)));
    assert!(parking.take(key).is_some());
    assert!(!parking.park(key, 5, parked(None)));
}

#[test]
fn one_that_was_lost_meanwhile_is_reported_when_parking() {
    let mut parking = Parking::new(0);
    let key = parking.reserve().unwrap();
    parking.set_registration(key, 5, Registration::Once);
    assert_eq!(parking.unwatch(0), None, "it is not parked");
    assert!(parking.park(key, 5, parked(None)));
    assert_eq!(parking.unwatch(0), Some(key));
}

#[test]
fn a_slot_keeps_its_registration_until_it_is_released() {
    let mut parking = Parking::new(0);
    let key = parking.reserve().unwrap();
    parking.set_registration(key, 5, Registration::Level);
    parking.park(key, 5, parked(None));
    assert_eq!(parking.unwatch_out(key), None);
    assert!(parking.take(key).is_some());
    assert_eq!(parking.registration(key), Registration::Level);
    assert_eq!(parking.unwatch_out(key), Some(5));
    assert_eq!(parking.unwatch_out(key), None);
    parking.set_registration(key, 5, Registration::Once);
    parking.identify(key, 5, 0).unwrap();
    let other = parking.reserve().unwrap();
    assert!(parking.is_latest(key, 5));
    parking.identify(other, 5, 0).unwrap();
    assert!(parking.is_latest(other, 5) && !parking.is_latest(key, 5));
    parking.release(key);
    let again = parking.reserve().unwrap();
    assert_eq!(parking.registration(again), Registration::No);
}
