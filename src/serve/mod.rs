//! A FastCGI application's life: waiting for requests, reading and answering them.
//!
//! Reading order:
//!
//! 1. Waiting for a request: [`listener`] (where threads wait), [`accept_options`] and `patience` (for
//!    how long), [`cancel`] (from another thread), `entrance` (the listen socket) and `troubles` (errors of accept4), `grace` (a new
//!    connection in a process with one thread), `drain` (shutting down), [`registry`] (one listener for
//!    each listen socket), [`last`] (the connection of the caller's last request).
//! 2. A connection: [`connection`] and [`head`] (a thread receives the head of a request), `obligation`
//!    (a connection is never dropped), [`wait`] (why it waits), `company` (with which others).
//! 3. The pool: `pool` (where connections wait, with the listen socket), its `watcher` (epoll), `event`s
//!    and `entry`; `turns` (what comes next, and which connection goes when there are too many);
//!    `holding` with `hold`, `sleepers`, `reserve` and `duty` (how each of several threads waits); `pace`
//!    (the turns of several processes).
//! 4. The table of a pool: [`parking`], `slot`, [`key`], `queues`, `descriptors`, `heap` (by deadline),
//!    `sizes` (by size); `unfinished_heads` and `heads_budget` (what unfinished heads may use in all pools).
//! 5. A request: [`exchange`] (one request), [`incoming`] (the records of one socket), [`params`],
//!    [`inbound`] and [`outbound`] (bytes in, bytes out), [`sending`] and `answers` (threads that send on
//!    one connection), `sink` and [`unsent`] (non-blocking requests), [`store`] (memory for the next request).
//! 6. Beside them: [`process`] (initialising and shutting down), [`config`], [`peers`] (who may connect),
//!    [`blocking`] (accepting for programs that do the rest).
//!
//! A connection is *parked* while it has no request and no thread looks at it. It has a *slot* in the
//! table of its *pool*, which watches it; the slot's *key* is what others remember of it. A *kept*
//! connection is one that stays open after its request. It is parked immediately: any thread may serve
//! the next request on it, whatever becomes of the structure that had the last one. That structure
//! remembers the key only. A connection is *out* while it has a slot and a request. *Unfinished* is a
//! head of which only a part has arrived.
//!
//! # Invariants
//!
//! Each is checked on this code by tests/simulation, against a simulated kernel and clock: after every
//! step or whenever every thread waits (`check_…`, `give_to_program`, `has_asked`, `count_unasked`), or
//! by the case named.
//!
//! - Every request that is sent is answered exactly once, whatever the order of events: nothing that has
//!   arrived stays unread while a thread waits. `check_process`, `check_entrance`,
//!   `two_threads_and_kept_connections` and all beside it.
//! - What arrives on a connection that was left unarmed is read within two waits of `HOLD`, 10 ms, while
//!   any thread waits, although the connection's own thread may never come back.
//!   `check_patience_of_peers`, `threads_hold_connections_of_quick_clients`,
//!   `a_structure_for_each_request`, `a_thread_that_does_not_come_back`.
//! - No more connections are parked than the limit, unless it is 0, and than the descriptors allow. Those
//!   above it stay until a thread comes to wait and closes them: parking a connection closes no other
//!   one. `check_process`, `more_kept_connections_than_may_wait`, `few_descriptors`.
//! - Between two calls of epoll_wait each thread serves a limited number of events, however many there
//!   are: the listen socket is not starved. `count_unasked`, `requests_that_are_sent_ahead`.
//! - The kernel does not report again and again what a thread cannot act on. `has_asked`,
//!   `a_thread_that_comes_later`.
//! - Every parked connection has a deadline, unless its setting is 0, or it has had a request. Management
//!   records do not move it. `check_patience`, `a_connection_without_a_request_keeps_its_limit`,
//!   `a_connection_without_a_limit_stays`, `the_head_of_a_request_has_its_limit`.
//! - A process with one thread enters the program with an accepted connection that is not served only if
//!   that connection let its whole grace period pass. `give_to_program`,
//!   `a_process_of_one_thread_lets_the_grace_pass`.
//! - As long as any thread is idle, one waits in the pool. Those in reserve do not, and are called.
//!   `threads_in_reserve_come_when_they_are_needed`, `check_patience_of_peers`.
//! - No step takes longer the more connections wait: thousands that end together do not delay an active
//!   one by 10 ms. `16000_silent_connections_end_together`, and in [`parking`]
//!   `no_step_takes_longer_the_more_connections_wait`.
//! - A kept connection occupies a thread that another connection needs for 5 ms at most.
//!   `check_patience_of_peers`, `kept_connections_hold_no_thread_that_others_need`,
//!   `newcomers_beside_threads_that_hold`.
//! - The library closes a kept connection that has had a request only when shutting down, at the limit,
//!   or out of descriptors. Connections that never had a request go first.
//!   `those_without_a_request_go_first`, `out_of_descriptors_those_without_a_request_go_first`,
//!   `kept_connections_stay_for_hours_and_lost_events_are_made_up_for`.
//! - A descriptor is closed once, and no epoll instance of its process watches it then: a copy in a child
//!   would keep the registration. (An instance stays open whose wake-up descriptor the program has
//!   closed: it cannot be told from one of the program. No thread waits there any more.) `check_close`,
//!   `a_peer_sees_the_end_although_a_child_has_a_copy`.
//! - The program may close the library's descriptors, or reuse their numbers: within little more than one
//!   second, or two, requests are served as before, and no other connection is lost. Where it does so
//!   again within a millisecond, or closes a connection for which a thread waits and its number is reused
//!   before the thread looks, connections may be lost; a thread that waits in a lost instance receives no
//!   event until its wait is over. `the_program_closes_the_epoll_instance` and all beside it.
//! - Where the program opens another listen socket with the number of one, threads that wait there and
//!   connections that were accepted from it go on with the new one: no connection is lost, and no thread
//!   fails, whatever the number stood for in between.
//!   `threads_and_connections_go_on_with_a_new_listen_socket`.
//! - What the kernel does not report is found within one second, or two where several threads are idle: a
//!   listen socket that was replaced, a connection for which a process was woken that has died. Where the
//!   thread that looks for all has become busy, it takes twice as many seconds as threads wait.
//!   `kept_connections_stay_for_hours_and_lost_events_are_made_up_for`,
//!   `a_process_dies_that_was_woken_for_a_connection`.
//! - Idle threads wake once a second, all together, however many there are. In a process that has neither
//!   forked nor been forked, several threads do so once in half a minute, after half a minute of silence;
//!   what the kernel does not report is found that much later then.
//!   `idle_threads_wake_once_a_second_and_later_once_in_half_a_minute`.
//! - Shutting down loses nothing that was sent before or within the drain time, and every thread returns
//!   within twice that time. `shutting_down_serves_what_was_sent`,
//!   `what_is_sent_within_the_drain_time_is_answered`, `one_process_shuts_down_and_another_goes_on`,
//!   `a_process_shuts_down_that_was_woken_for_a_connection`.
//! - Where the program polls the pool, the epoll instance is readable whenever a call that does not wait would
//!   return something, and such a call never sleeps. It does not stay readable without reason, but while
//!   threads wake that sleep there, or one that is cancelled. `check_process`, `check_in_silence`,
//!   `an_event_loop_serves_every_request`, `an_event_loop_beside_threads_that_block`,
//!   `an_event_loop_keeps_the_limits_of_silent_connections`, `an_event_loop_out_of_descriptors`.
//! - A polled pool drains as any other does, in calls that do not wait or wait for a limited time; and in
//!   such calls any pool. New connections do not prolong that. `an_event_loop_drains_without_loss`,
//!   `an_event_loop_drains_beside_threads_that_block`, `a_drain_ends_although_connections_go_on_coming`,
//!   `a_request_that_ends_while_an_event_loop_drains`, `calls_with_limits_of_time_drain_without_loss`.
//! - A call with a limit of time returns when that is over. `calls_with_limits_of_time_serve_every_request`.
//! - A cancelled wait ends within 8 ms, or 50 ms while shutting down, and no other wait does.
//!   `a_cancelled_wait_ends_at_once_and_only_that`, `a_wait_is_cancelled_in_a_process_with_one_thread`,
//!   `a_wait_is_cancelled_while_the_program_drains`.
//! - A child closes its copies of what is parked, and nothing that is active.
//!   `a_child_closes_what_is_parked_and_nothing_else`.
//! - The last process that leaves restores what was set on the listen socket. `check_flags`.
//! - Of processes that share a listen socket, the idle ones get the new connections.
//!   `idle_processes_get_the_new_connections`.

#![forbid(unsafe_code)]

pub(crate) mod accept_options;
mod alarm;
mod answers;
pub(crate) mod blocking;
pub(crate) mod cancel;
pub(crate) mod closing;
mod company;
pub(crate) mod config;
pub(crate) mod connection;
mod descriptors;
mod drain;
mod duty;
mod entrance;
mod entry;
mod event;
pub(crate) mod exchange;
mod grace;
pub(crate) mod head;
mod heads_budget;
mod heap;
mod hold;
mod holding;
pub(crate) mod inbound;
pub(crate) mod incoming;
pub(crate) mod key;
pub(crate) mod last;
pub(crate) mod listener;
mod looks;
mod obligation;
pub(crate) mod outbound;
mod pace;
pub(crate) mod params;
pub(crate) mod parking;
mod patience;
pub(crate) mod peers;
mod polled;
mod pool;
pub(crate) mod process;
mod queues;
pub(crate) mod registry;
mod reserve;
pub(crate) mod sending;
pub(crate) mod sink;
mod sizes;
mod sleepers;
mod slot;
pub(crate) mod store;
mod troubles;
mod turns;
mod unfinished_heads;
pub(crate) mod unsent;
pub(crate) mod wait;
mod watcher;

pub use accept_options::AcceptOptions;
pub(crate) use accept_options::Limit;
pub(crate) use connection::Connection;
pub(crate) use exchange::{BodyEvent, RequestStart};
