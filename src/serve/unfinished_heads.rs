//! The memory of unfinished request heads.
//!
//! A connection whose head is not complete waits in the table of its pool, and with it the memory of what
//! has arrived so far. All these heads together have one budget in a process, whatever their listen
//! sockets. When a connection is parked and they use more, the largest is refused: the new one or
//! another, so that a peer that sends a small head does not pay for others. This costs O(log n): each
//! table knows its largest head.
//!
//! The first 64 KB of each do not count, and usual heads fit into that: a request whose head arrives in
//! one or a few pieces costs nothing here. A thread may have one more head, of which it receives
//! [`MOST_RECEIVED`](super::patience::MOST_RECEIVED) bytes before it parks the connection again.

use super::config::Config;
use super::exchange::Exchange;
use super::parking::{Parked, Parking};
use super::wait::{Stage, Wait};
use crate::os::descriptor::shutdown_write;
use crate::os::io::send_now;

/// Refuses the largest head that waits in this table. Its connection stays parked until the peer has read
/// the answer. Returns its exchange, which is no longer needed.
pub(super) fn refuse_largest(parking: &mut Parking, config: &Config) -> Option<Box<Exchange>> {
    let (_, slot) = parking.sizes().largest()?;
    let key = parking.key(slot)?;
    let (fd, Parked { exchange, mut wait, epoch }) = parking.take(key)?;
    let mut exchange = exchange?;
    if wait.stage != Stage::Lingering {
        wait = Wait::new(Stage::Lingering, Some(config.close_timeout));
    }
    if let Some(answer) = exchange.overload() {
        // A peer that does not even take a short answer gets none: it is not waited for.
        let _ = send_now(fd, answer.as_bytes());
    }
    shutdown_write(fd);
    parking.park(key, fd, Parked { exchange: None, wait, epoch });
    Some(exchange)
}

#[cfg(test)]
pub(super) use tests::unfinished;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::os::fork::ForkEpoch;
    use crate::protocol::record::{Header, RecordType};
    use crate::serve::key::Key;
    use std::collections::BTreeMap;
    use std::io::Read;
    use std::os::fd::{AsRawFd, RawFd};
    use std::os::unix::net::UnixStream;

    /// Returns an exchange with this number of PARAMS records of a head that is not complete.
    pub(in crate::serve) fn unfinished(records: usize) -> Box<Exchange> {
        let mut exchange = Box::new(Exchange::new());
        let begin = Header::new(RecordType::BEGIN_REQUEST, 7, 8).to_bytes();
        receive(&mut exchange, &[begin, [0, 1, 1, 0, 0, 0, 0, 0]].concat());
        grow(&mut exchange, records);
        exchange
    }

    fn grow(exchange: &mut Exchange, records: usize) {
        let header = Header::new(RecordType::PARAMS, 7, 0xff00).to_bytes();
        for _ in 0..records {
            receive(exchange, &[&header[..], &[1; 0xff00]].concat());
        }
    }

    fn receive(exchange: &mut Exchange, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let room = exchange.incoming().room().unwrap();
            let now = bytes.len().min(room.len());
            room[..now].copy_from_slice(&bytes[..now]);
            exchange.incoming().received(now);
            assert!(matches!(
                exchange.head_event(16 << 20),
                crate::serve::exchange::HeadEvent::NeedMore
            ));
            bytes = &bytes[now..];
        }
    }

    fn parked(exchange: Option<Box<Exchange>>) -> Parked {
        let wait = Wait::new(Stage::First, None);
        Parked { exchange, wait, epoch: ForkEpoch::now() }
    }

    #[test]
    fn a_usual_head_is_not_counted_and_a_large_one_is() {
        let mut usual = unfinished(0);
        assert_eq!(usual.held(), 0);
        usual.shrink();
        assert_eq!(usual.held(), 0);
        let mut large = unfinished(16);
        assert!((1_000_000..1_300_000).contains(&large.held()), "{}", large.held());
        assert!(large.overload().is_some());
    }

    /// The sum is that of the exchanges, and the largest is the largest of them, in every order of events.
    #[test]
    #[cfg_attr(miri, ignore = "takes minutes")]
    fn the_sum_is_exact() {
        let mut parking = Parking::new(0);
        let mut keys: Vec<Option<Key>> = vec![None; 40];
        let mut model: BTreeMap<usize, usize> = BTreeMap::new();
        let mut random = random_numbers();
        for _ in 0..3000 {
            let at = random() % keys.len();
            let key = *keys[at].get_or_insert_with(|| parking.reserve().unwrap());
            match (parking.take(key), random() % 4) {
                (None, 0) => parking_of_nothing(&mut parking, key),
                (None, _) => {
                    let exchange = unfinished(random() % 6);
                    model.insert(at, exchange.held());
                    parking.park(key, 1, parked(Some(exchange)));
                }
                (Some((fd, mut taken)), 0 | 1) => {
                    // More has arrived, or its end.
                    model.remove(&at);
                    if let Some(exchange) = &mut taken.exchange {
                        grow(exchange, random() % 3);
                        model.insert(at, exchange.held());
                    }
                    parking.park(key, fd, taken);
                }
                (Some((fd, taken)), 2) => {
                    parking.park(key, fd, taken);
                    parking.release(key);
                    model.remove(&at);
                    keys[at] = None;
                }
                // It is out on a request.
                (Some(_), _) => drop(model.remove(&at)),
            }
            assert_sizes(&parking, &model);
        }
        parking.abandon(|_| 0, |_| {});
        assert_eq!(parking.sizes().sum_and_largest(), (0, 0));
    }

    /// Returns pseudo-random numbers, the same in every run.
    fn random_numbers() -> impl FnMut() -> usize {
        let mut number = 1_u64;
        move || {
            number = number.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (number >> 33) as usize
        }
    }

    fn assert_sizes(parking: &Parking, model: &BTreeMap<usize, usize>) {
        let (sum, _) = parking.sizes().sum_and_largest();
        assert_eq!(sum, model.values().sum::<usize>());
        let largest = parking.sizes().largest().map(|(size, _)| size);
        assert_eq!(largest, model.values().copied().filter(|&size| size > 0).max());
    }

    fn parking_of_nothing(parking: &mut Parking, key: Key) {
        parking.park(key, 1, parked(None));
        assert!(parking.take(key).is_some());
    }

    #[test]
    #[cfg_attr(miri, ignore = "no send in Miri")]
    fn the_largest_is_refused_and_lingers() {
        let config = crate::serve::config::get();
        let mut parking = Parking::new(0);
        let pairs: Vec<_> = (0..4).map(|_| UnixStream::pair().unwrap()).collect();
        let fd = |at: usize| -> RawFd { pairs[at].0.as_raw_fd() };
        for (at, records) in [3, 9, 5, 0].into_iter().enumerate() {
            let key = parking.reserve().unwrap();
            parking.park(key, fd(at), parked(Some(unfinished(records))));
        }
        for at in [1, 2, 0] {
            let (before, _) = parking.sizes().sum_and_largest();
            let exchange = refuse_largest(&mut parking, config).unwrap();
            let (sum, _) = parking.sizes().sum_and_largest();
            assert_eq!(sum, before - exchange.held());
            let mut answer = Vec::new();
            (&pairs[at].1).read_to_end(&mut answer).unwrap();
            // END_REQUEST of 7; OVERLOADED.
            assert_eq!((&answer[..4], answer[12]), (&[1, 3, 0, 7][..], 2));
        }
        // The small one is not counted, and the connections are still there.
        assert_eq!((parking.sizes().sum_and_largest(), parking.len()), ((0, 0), 4));
        assert!(refuse_largest(&mut parking, config).is_none());
        let stages = std::iter::from_fn(|| {
            let key = parking.least_worth()?;
            parking.take(key).map(|(_, parked)| parked.wait.stage)
        });
        assert_eq!(stages.filter(|stage| *stage == Stage::Lingering).count(), 3);
    }
}
