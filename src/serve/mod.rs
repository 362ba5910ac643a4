//! A FastCGI application's life: waiting for requests, reading and answering them.
//!
//! Reading order: [`listener`] (where threads wait), [`accept_options`] and `patience` (for how long), `entrance`
//! (the listen socket) and `troubles` (when it fails), `grace` (what a process owes to new
//! connections), `drain` (shutting down), [`registry`] (one for each listen socket); [`head`] and
//! [`connection`] (a connection in a thread's hands, with an `obligation`); `pool` (where connections
//! wait, and the listen socket with them), its `watcher` and `event`s, `hold`, `holding` with `sleepers`,
//! and `reserve` (who of several threads waits how), `turns` (what comes next, and who has to go), [`parking`] (the table of `slot`s, each a
//! [`key`]; with `queues` and `descriptors`, and in a `heap` each by deadline and by `sizes`), `heads` (what unfinished
//! heads may hold in all `pools`), [`wait`] (why a connection waits), `pace` (what processes owe to each
//! other); [`exchange`] (one request), [`incoming`] (records of one socket), [`params`],
//! [`inbound`] and [`outbound`] (bytes in, bytes out), [`sending`] and `answers` (threads that send on
//! one connection), [`store`] (memory for the next); [`config`], [`peers`] (who may connect),
//! [`blocking`] (accepting for programs that do the rest).
//!
//! A connection is *parked* while it has no request and no thread looks at it. Its *home* is the
//! pool that watches it and the place that it has there. The connection of a finished request that is
//! kept is *given back* to its pool at once: any thread may serve the next request on it, whatever
//! becomes of the structure that had the last one. That structure remembers the place only.
//!
//! # Invariants
//!
//! Each is checked on this code by tests/simulation, against a simulated kernel and clock, after every
//! step or while every thread waits (`check_…`, `give_to_program`, `has_asked`, `count_unasked`), or by
//! the case named.
//!
//! - Every request that is sent is answered exactly once, whatever the order of events: nothing that has
//!   come is left unheard while a thread waits. `check_process`, `check_entrance`,
//!   `two_threads_and_kept_connections` and all beside it.
//! - What has come on a connection that was left unarmed is heard within two waits of
//!   `HOLD`, 10 ms, while any thread waits, although its own may never come back.
//!   `check_patience_of_peers`, `threads_hold_connections_of_quick_clients`,
//!   `a_structure_for_each_request`, `a_thread_that_does_not_come_back`.
//! - No more connections are parked than the limit, unless it is 0, and than the descriptors allow.
//!   Beyond it, on purpose, are those that have to go, until a thread comes by to wait and closes them:
//!   who gives a connection back closes no other. `check_process`,
//!   `more_kept_connections_than_may_wait`, `few_descriptors`.
//! - Between two looks at the kernel each thread serves a fixed number of events, however many there are:
//!   the listen socket is heard. `count_unasked`, `requests_that_are_sent_ahead`.
//! - The kernel does not say again and again what nothing can be done about. `has_asked`,
//!   `a_thread_that_comes_later`.
//! - Every parked connection has a deadline, unless its setting is 0, or has had a request. Management
//!   records do not move it. `check_patience`, `a_connection_without_a_request_keeps_its_limit`,
//!   `a_connection_without_a_limit_stays`, `the_head_of_a_request_has_its_limit`.
//! - A process with one thread enters the program with an accepted, unserved connection only if that
//!   one let its whole grace pass. `give_to_program`, `a_process_of_one_thread_lets_the_grace_pass`.
//! - As long as a thread is idle one waits in the pool: those in reserve need not, and are called.
//!   `threads_in_reserve_come_when_they_are_needed`, `check_patience_of_peers`.
//! - No step takes longer the more connections wait: of thousands that end together, none makes an active
//!   one wait for 10 ms. `16000_silent_connections_end_together`, and in [`parking`]
//!   `no_step_takes_longer_the_more_connections_wait`.
//! - A kept connection holds no thread that another connection needs for more than 5 ms.
//!   `check_patience_of_peers`, `kept_connections_hold_no_thread_that_others_need`,
//!   `newcomers_beside_threads_that_hold`.
//! - The library closes a kept connection that has had a request only when shutting down, at the limit, or
//!   out of descriptors. One that never had a request goes first. `those_without_a_request_go_first`,
//!   `out_of_descriptors_those_without_a_request_go_first`,
//!   `kept_connections_stay_for_hours_and_lost_events_are_made_up_for`.
//! - A descriptor is closed once, and is watched nowhere in its process when it is closed: a copy in a
//!   child would keep the registration. (An instance is left open whose wake-up the program has closed:
//!   nothing else tells it from the program's own. No thread waits there any more.) `check_close`,
//!   `a_peer_sees_the_end_although_a_child_has_a_copy`.
//! - The program may close the library's descriptors, or use their numbers: within little more than a
//!   second, or two, requests are served as before, and no other connection is lost. Where it does so again within
//!   a millisecond, or closes a connection that a thread holds and its number is used at once,
//!   connections may be lost; a thread that waits in an instance that is lost hears of nothing until its
//!   wait is over. `the_program_closes_the_epoll_instance` and all beside it.
//! - Where the program opens another listen socket at the number of one, threads that wait there and
//!   connections that came through it go on with the new one: none is lost, and no thread fails, whatever
//!   the number stood for in between. `threads_and_connections_go_on_with_a_new_listen_socket`.
//! - What the kernel does not say is found within a second, or two where several threads are idle: a listen
//!   socket that is another one by now, a connection for which a process was woken that has died. Where the
//!   thread that looks for all has come to be busy, it is twice as many seconds as threads wait.
//!   `kept_connections_stay_for_hours_and_lost_events_are_made_up_for`,
//!   `a_process_dies_that_was_woken_for_a_connection`.
//! - Idle threads wake once a second, all together, however many they are. Several threads of a process
//!   without family do so once in half a minute, after half a minute of silence; what the kernel does not say
//!   is found so much later then.
//!   `idle_threads_wake_once_a_second_and_later_once_in_half_a_minute`.
//! - Shutting down loses nothing that was sent before or within the drain time, and every thread is back
//!   within twice that.
//!   `shutting_down_serves_what_was_sent`, `what_is_sent_within_the_drain_time_is_answered`,
//!   `one_process_shuts_down_and_another_goes_on`,
//!   `a_process_shuts_down_that_was_woken_for_a_connection`.
//! - A child closes its copies of what is parked, and nothing that is active.
//!   `a_child_closes_what_is_parked_and_nothing_else`.
//! - The last process that leaves takes back what was set on the listen socket. `check_flags`.
//! - Of processes that share a listen socket, the idle ones get the new connections.
//!   `idle_processes_get_the_new_connections`.
//!
//! # Who owns what
//!
//! *Descriptor*: `FCGX_Request.ipcFd`, a connection. *Exchange*: what was received on it. *Block*:
//! the streams, output buffers and environment of a request (`paramsPtr`, [`crate::capi::request`]).
//! "stores" are bounded heaps of exchanges and blocks for reuse, one per process.
//!
//! | state of the request | descriptor | exchange | block |
//! |---|---|---|---|
//! | fresh: after FCGX_InitRequest | none (-1) | none | none |
//! | waiting in FCGX_Accept_r | the listener, parked; or the thread that looks at it | with the descriptor; in the store while nothing is received | none |
//! | accepted | the request | the block | the request |
//! | detached: FCGX_Detach | the request; another process answers on its copy, and closing ends only ours | the block | the request |
//! | finished, kept | the pool, parked; its number stays in `ipcFd` | with the descriptor; in the store while nothing is received | the store |
//! | finished, kept, where connections wait alone | the request, until its next FCGX_Accept_r | the block | the request |
//! | finished, not kept | closed | the store | the store |
//! | FCGX_Free(r, 0) | the program, open, still in `ipcFd` | the store; what was received is lost | the store |
//! | FCGX_Free(r, 1) | closed; -1 | the store | the store |
//! | FCGX_InitRequest again, on an accepted request | the program's loss: stays open until exit | lost with the block | lost: the old contents of the struct cannot be trusted |
//! | FCGX_InitRequest again, on a finished and kept request; or its structure is freed | the pool, as before | with the descriptor | the store |
//! | child after fork: accepted, detached | a copy each; both may finish it, only a child that was meant to should | a copy each | a copy each |
//! | child after fork: parked, finished and kept | the parent; the child closes its copies at once | a copy, given up | none |

#![forbid(unsafe_code)]

pub mod accept_options;
mod answers;
pub mod blocking;
mod company;
pub mod config;
pub mod connection;
mod descriptors;
mod drain;
mod duty;
mod entrance;
mod entry;
mod event;
pub mod exchange;
mod grace;
pub mod head;
mod heads;
mod heap;
mod hold;
mod holding;
pub mod inbound;
pub mod incoming;
pub mod key;
pub mod last;
pub mod listener;
mod obligation;
pub mod outbound;
mod pace;
pub mod params;
pub mod parking;
mod patience;
pub mod peers;
mod pool;
mod pools;
mod queues;
pub mod registry;
mod reserve;
pub mod sending;
mod sizes;
mod sleepers;
mod slot;
pub mod store;
mod troubles;
mod turns;
pub mod wait;
mod watcher;

pub use accept_options::AcceptOptions;
pub use connection::Connection;
pub use exchange::{BodyEvent, Exchange, RequestStart};
