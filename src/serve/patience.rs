//! How long is waited for what, and how often something is tried, each with its reason. What a user may
//! set is in [`super::config`].

use std::time::Duration;

/// The longest single wait where connections wait alone.
pub(super) const LONGEST_WAIT: Duration = Duration::from_secs(1);

/// Seconds between two looks of idle threads at the listen socket, unasked. epoll silently drops a closed
/// one, and a preforked sibling that was woken for a connection may have died before it took it.
pub(super) const LOOKS: u32 = 1;

/// Threads that wait in the pool at most; others are in reserve.
pub(super) const MOST_SLEEPERS: u32 = 4;

/// Milliseconds that a thread is in reserve at most, times as many as there are: those who seem to wait in
/// the pool may have been cancelled. After as long a time without an event all threads wait in the pool.
pub(super) const RESERVED: u32 = 100;

/// Threads at most that share what one of them has to do from time to time, each for as long as it takes
/// all: those that were cancelled, or have jumped out, are counted, too.
pub(super) const MOST_SHARES: u32 = 64;

/// Milliseconds without an event after which looks are rare: an idle process lets the processor sleep.
pub(super) const QUIET: u32 = 30_000;

/// Seconds between two looks then.
pub(super) const QUIET_LOOKS: u32 = 30;

/// How long a thread waits first, before it looks whether the program itself has made the listen socket
/// non-blocking. Under load such a wait does not get to its end.
pub(super) const FIRST_WAIT: Duration = Duration::from_millis(10);

/// How long to do without epoll, or without the kernel's word about the listen socket, before it is
/// tried again.
pub(super) const SHORTAGE_WAIT: Duration = Duration::from_millis(100);

/// How long to leave the listen socket alone when it cannot be accepted from.
pub(super) const PAUSE: Duration = Duration::from_millis(10);

/// How soon after an error another one is in a row with it: a connection that was waited for in
/// between, and lost, says nothing about the next.
pub(super) const SOON: Duration = Duration::from_millis(100);

/// Errors in a row, each of which may pass, after which one is returned if no connection is there; with
/// one there, each further error is followed by a pause.
pub(super) const MOST_AT_ONCE: u32 = 16;

/// Errors in a row after which one is returned in any case: a second of pauses.
pub(super) const MOST_ERRORS: u32 = MOST_AT_ONCE + 100;

/// How many times the kernel may announce a connection that is not there, because others were faster,
/// before the listen socket is looked at.
pub(super) const MOST_EMPTY_ACCEPTS: u32 = 16;

/// How many calls of accept4 in a row have to find a connection before one is made without asking the
/// kernel first: where it finds none, it costs an eighth of a call more for each request.
pub(super) const LUCK: u32 = 8;

/// Steps that threads take at most before the kernel is asked for what has come since: whatever there
/// is to do, the listen socket has to be heard.
pub(super) const MOST_STEPS: u32 = 16;

/// New places after which the limit of descriptors is looked up again: the program may change it.
pub(super) const PLACES_BETWEEN_LOOKS: u32 = 16;

/// The longest grace for a head: a web server on another machine that sends its head in pieces, with a
/// busy processor, needs less.
pub(super) const LONGEST_GRACE: Duration = Duration::from_millis(20);

/// Graces that pass in vain may take so long in a row. The next connection is then parked at once.
pub(super) const WASTED_GRACES: Duration = Duration::from_millis(100);

/// One part in so many of all time may go to graces in vain.
pub(super) const GRACE_SHARE: u64 = 5;

/// Looks at one connection within its grace: a clock that stands still does not make it endless.
pub(super) const MOST_LOOKS: usize = 1000;

/// Milliseconds after which a process with kept requests steps back again: half of what a request
/// takes that is slow enough to make others wait. It costs two system calls.
pub(super) const STEP_BACK_INTERVAL: u32 = 5;

/// As many kept requests in less than [`STEP_BACK_INTERVAL`] are quick ones: whoever comes to wait
/// behind them waits for little, and two system calls more would be felt. The interval begins anew.
pub(super) const QUICK_REQUESTS: u32 = 4;

/// How often, in milliseconds, a thread looks whether another one has given connections back when shutting
/// down: at first, and after a while without any.
pub(super) const POLL_INTERVALS: [u64; 2] = [2, 32];

/// The longest time for which a thread waits for a connection of its own. One tick of the kernel and a
/// bit: a shorter limit makes it set its timer twice for each wait.
pub(super) const HOLD: Duration = Duration::from_millis(5);

/// Milliseconds after which a connection was left unarmed for too long; and after which a client is one that
/// thinks, and is not held. At least one tick of the kernel.
pub(super) const LONG_UNARMED: u32 = 5;

/// Milliseconds from which on a request is slow. At least one tick of the kernel, or quick ones that
/// begin before it and end behind it would count.
pub(super) const SLOW_REQUEST: u32 = 5;

/// Milliseconds for which slow requests are remembered.
pub(super) const SLOW_FOR: u32 = 1000;

/// Requests for which connections are not held where there were more of them than threads.
pub(super) const CROWD: u32 = 16;

/// Bytes of a head that a thread receives from one connection before it looks at others.
pub(super) const MOST_RECEIVED: usize = 1 << 20;
