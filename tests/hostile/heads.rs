//! Heads of requests that are large and incomplete.

use std::sync::Barrier;
use std::thread;

use fcgi::internals::protocol::{ProtocolStatus, RecordType};

use super::{Program, Target, most_growth};
use testkit::Listen;
use testkit::wire::{Connection, Record, begin, record, stdin, stream};

const MB: usize = 1 << 20;

/// The default of LIBFCGI_MAX_PARAMS_BYTES, a quarter of that of LIBFCGI_MAX_HEADS_BYTES.
const LIMIT: usize = 16 * MB;

/// Returns a head with at least `size` bytes of parameters, and without its end.
fn unfinished(size: usize) -> Vec<u8> {
    let pair = [&b"\x04\x80\x00\x75\x30NAME"[..], &[b'x'; 30_000]].concat();
    let params = record(RecordType::PARAMS, 1, &pair.repeat(2));
    [begin(1, true), params.repeat(size.div_ceil(60_000))].concat()
}

fn rest() -> Vec<u8> {
    [record(RecordType::PARAMS, 1, b""), stdin(1, b"served")].concat()
}

fn is_overloaded(reply: &[Record]) -> bool {
    let status = |record: &Record| record.end_request().map(|end| end.protocol_status);
    matches!(reply, [only] if status(only) == Some(ProtocolStatus::Overloaded))
}

/// Many connections each send almost as much as one may. Together they take what the setting
/// allows, plus the heads that threads are reading at the time.
pub(crate) fn unfinished_heads_have_one_budget(program: Program) {
    const CROWD: usize = 24;
    for (options, in_hands) in [(&[][..], 0), (&["-t", "4"], 4)] {
        let mut target = Target::start(program, Listen::Unix, options);
        let all_sent = Barrier::new(CROWD);
        let bytes = unfinished(15 * MB);
        let overloaded: usize = thread::scope(|scope| {
            let clients: Vec<_> = (0..CROWD)
                .map(|_| {
                    let mut connection = Connection::on(target.socket().into());
                    let (bytes, all_sent) = (&bytes, &all_sent);
                    scope.spawn(move || {
                        connection.send(bytes);
                        all_sent.wait();
                        // Every connection that has not been refused by now is served.
                        let reply = connection
                            .send(&rest())
                            .until_record(|record| record.kind == RecordType::END_REQUEST);
                        if !is_overloaded(&reply) {
                            assert_eq!(reply[0].content, b"served");
                        }
                        usize::from(is_overloaded(&reply))
                    })
                })
                .collect();
            clients.into_iter().map(|client| client.join().unwrap()).sum()
        });
        let grown = target.peak() - target.before;
        let most = (4 + in_hands) * LIMIT + most_growth();
        assert!(grown < most, "{} MB, {options:?}", grown / MB);
        // Four of 15 MB each may stay, plus those that a thread was reading when their end arrived.
        let stayed = CROWD - overloaded;
        assert!((4..=5 + in_hands).contains(&stayed), "{stayed}, {options:?}");
        target.must_be_well("twenty-four large heads");
    }
}

/// Beyond the budget the largest head is refused, whichever comes last. The others are served.
pub(crate) fn small_heads_do_not_pay_for_a_large_one(program: Program) {
    for options in [&[][..], &["-t", "4"]] {
        let settings = ["LIBFCGI_MAX_HEADS_BYTES=2000000"];
        let mut target = Target::start_with(program, Listen::Unix, options, &settings);
        let mut large = Connection::on(target.socket().into());
        large.send(&unfinished(MB));
        let mut others = Vec::new();
        for _ in 0..8 {
            let mut other = Connection::on(target.socket().into());
            other.send(&unfinished(200_000));
            others.push(other);
        }
        assert!(is_overloaded(&large.until_closed()), "{options:?}");
        for other in &mut others {
            let reply = other.send(&rest()).until_end_of(1);
            assert_eq!(reply[0].content, b"served", "{options:?}");
        }
        // A kept connection is refused like any other.
        for (number, other) in others.iter_mut().enumerate() {
            other.send(&unfinished(if number == 3 { MB } else { 200_000 }));
        }
        assert!(is_overloaded(&others.remove(3).until_closed()), "{options:?}");
        for other in &mut others {
            assert_eq!(other.send(&rest()).until_end_of(1)[0].content, b"served", "{options:?}");
        }
        target.must_be_well("eight heads and a larger one");
    }
}

/// Whatever the pairs, their representation takes less than four times their bytes.
pub(crate) fn a_head_of_the_largest_size_takes_less_than_four_times_as_much(program: Program) {
    let pairs = [&b"\x01\x00N"[..], b"\x00\x01v", b"\x01\x01Nv", b"\x04\x04NAMEtext", b"\x00\x00"];
    for pair in pairs {
        let mut target = Target::start(program, Listen::Unix, &[]);
        let mut connection = Connection::on(target.socket().into());
        let params = stream(RecordType::PARAMS, 1, &pair.repeat(LIMIT / pair.len()));
        let bytes = [begin(1, false), params, stdin(1, b"served")].concat();
        let reply = connection.send(&bytes).until_closed();
        if pair.len() < 3 {
            // The pointers to eight million strings would take more.
            assert!(is_overloaded(&reply));
        } else {
            assert_eq!(reply[0].content, b"served", "{pair:?}");
        }
        let grown = target.peak() - target.before;
        assert!(grown + 16 * MB < 4 * LIMIT + most_growth(), "{} MB for {pair:?}", grown / MB);
        target.must_be_well("a head of 16 MB");
    }
}
