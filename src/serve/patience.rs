//! Times and counts that limit waiting and trying, each with its reason. What a user may set is in
//! [`super::config`].

use std::time::Duration;

/// The longest single wait where connections wait alone.
pub(super) const LONGEST_WAIT: Duration = Duration::from_secs(1);

/// Seconds between two unasked looks of idle threads at the listen socket. epoll silently drops a closed
/// socket, and a preforked sibling that was woken for a connection may have died before it accepted it.
pub(super) const LOOKS: u32 = 1;

/// The most threads that wait in the pool; others are in reserve.
pub(super) const MOST_SLEEPERS: u32 = 4;

/// The longest time of a thread in reserve, in milliseconds for each thread there: threads that are
/// counted as waiting in the pool may have been cancelled. After the same time without an event all
/// threads wait in the pool.
pub(super) const RESERVED: u32 = 100;

/// The most threads that share a periodic task, each in an interval that grows with their number. Threads
/// that were cancelled, or have jumped out, are counted, too.
pub(super) const MOST_SHARES: u32 = 64;

/// Milliseconds without an event after which looks are rare: an idle process lets the processor sleep.
pub(super) const QUIET: u32 = 30_000;

/// Seconds between two rare looks.
pub(super) const QUIET_LOOKS: u32 = 30;

/// The first wait of a thread, before it checks whether the program has made the listen socket
/// non-blocking. Under load an event ends it earlier.
pub(super) const FIRST_WAIT: Duration = Duration::from_millis(10);

/// The time without epoll, or with a listen socket that epoll does not watch, before registering is tried
/// again.
pub(super) const SHORTAGE_WAIT: Duration = Duration::from_millis(100);

/// The most rounds of a call whose time is over, as long as there is something to do: an event loop has other
/// work, too.
pub(super) const MOST_ROUNDS: u32 = 64;

/// The pause when accept4 fails on the listen socket.
pub(super) const PAUSE: Duration = Duration::from_millis(10);

/// The pause of a thread that was woken because another one is cancelled.
pub(super) const CALL_PAUSE: Duration = Duration::from_millis(1);

/// The longest single wait of a call that may be cancelled, while shutting down: the wake-up is readable, and
/// says nothing more.
pub(super) const CANCEL_INTERVAL: Duration = Duration::from_millis(20);

/// The time in which threads that sleep in a polled pool wake after a request to shut down. Until then the
/// wake-up stays readable.
pub(super) const TIME_TO_WAKE: Duration = Duration::from_millis(50);

/// The longest time between two errors in a row. A connection that was awaited in between, and lost, says
/// nothing about the next.
pub(super) const SOON: Duration = Duration::from_millis(100);

/// Errors in a row, each of which may pass, after which one is returned if no connection waits; if one
/// waits, a pause follows each further error.
pub(super) const MOST_AT_ONCE: u32 = 16;

/// Errors in a row after which one is returned in any case: after a second of pauses.
pub(super) const MOST_ERRORS: u32 = MOST_AT_ONCE + 100;

/// Empty accepts in a row (another process was faster) before we check whether the socket was shut down.
pub(super) const MOST_EMPTY_ACCEPTS: u32 = 16;

/// Successful accepts in a row after which one is tried without asking the kernel first. If that finds
/// nothing, it costs an eighth of a call more for each request.
pub(super) const LUCK: u32 = 8;

/// The most steps of threads between two calls of epoll_wait: the listen socket must not starve.
pub(super) const MOST_STEPS: u32 = 16;

/// Keys between two looks at the limit of descriptors, which the program may change.
pub(super) const KEYS_BETWEEN_LOOKS: u32 = 16;

/// The longest grace for a head: a web server on another machine that sends its head in pieces, with a
/// busy processor, needs less.
pub(super) const LONGEST_GRACE: Duration = Duration::from_millis(20);

/// The most time that wasted graces may take in a row. The next connection is then parked immediately.
pub(super) const WASTED_GRACES: Duration = Duration::from_millis(100);

/// Wasted graces may take this fraction of all time: one in `GRACE_SHARE`.
pub(super) const GRACE_SHARE: u64 = 5;

/// The most reads on one connection within its grace: they end although the clock may stand still.
pub(super) const MOST_LOOKS: usize = 1000;

/// Milliseconds after which a process with kept requests steps back again: half the time of a request
/// that is slow enough to delay others. It costs two system calls.
pub(super) const STEP_BACK_INTERVAL: u32 = 5;

/// This number of kept requests in less than [`STEP_BACK_INTERVAL`] are quick: a connection that waits
/// behind them waits a short time, and two more system calls would matter. The interval begins again.
pub(super) const QUICK_REQUESTS: u32 = 4;

/// Milliseconds between two looks for connections that other threads have parked when shutting down: at
/// first, and after a while without any.
pub(super) const POLL_INTERVALS: [u64; 2] = [2, 32];

/// The longest time for which a thread holds a connection. It is one tick of the kernel and a bit: a
/// shorter one makes the kernel set its timer twice for each wait.
pub(super) const HOLD: Duration = Duration::from_millis(5);

/// Milliseconds after which a connection was unarmed for too long; and after which a client is slow, and
/// its connection not held. At least one tick of the kernel.
pub(super) const LONG_UNARMED: u32 = 5;

/// Milliseconds from which a request is slow. At least one tick of the kernel, or quick requests that
/// begin before a tick and end after it would count.
pub(super) const SLOW_REQUEST: u32 = 5;

/// Milliseconds for which slow requests are remembered.
pub(super) const SLOW_FOR: u32 = 1000;

/// Requests for which connections are not held after there were more connections than threads.
pub(super) const CROWD: u32 = 16;

/// The most bytes of a head that a thread receives from one connection before it sees to others.
pub(super) const MOST_RECEIVED: usize = 1 << 20;
