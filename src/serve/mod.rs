//! A FastCGI application's life: waiting for requests, reading and answering them.
//!
//! Reading order: [`listener`] (where threads wait), [`terms`] and `patience` (for how long), `entrance`
//! (the listen socket) and `troubles` (when it fails), `grace` (what a process owes to new
//! connections), `last_call` (shutting down), [`listeners`] (one for each listen socket); [`head`] and
//! [`connected`] (a connection in a thread's hands, with an `obligation`); `pool` (where connections
//! wait, and the listen socket with them), its `watcher` and `event`s, `hold` and `holding` (who of several
//! threads waits how), `turns` (what comes next, and who has to go), [`parking`] (the table of `slot`s, each a
//! [`place`]; with `queues` and `descriptors`, and in a `heap` each by deadline and by `sizes`), `heads` (what unfinished
//! heads may hold in all `pools`), [`rest`] (why a connection waits), `pace` (what processes owe to each
//! other); [`session`] (one request), [`connection`] (records of one socket), [`params`],
//! [`inbound`] and [`outbound`] (bytes in, bytes out), [`sending`] and `answers` (threads that send on
//! one connection), [`store`] (memory for the next); [`config`], [`peers`] (who may connect),
//! [`blocking`] (accepting for programs that do the rest).
//!
//! A connection is *parked* while it has no request and no thread looks at it. Its *home* is the
//! pool that watches it and the place that it has there. The connection of a finished request that is
//! kept is *given back* to its pool at once: any thread may serve the next request on it, whatever
//! becomes of the structure that had the last one. That structure remembers the place only.
//!
//! # Who owns what
//!
//! *Descriptor*: `FCGX_Request.ipcFd`, a connection. *Session*: what was received on it. *Block*:
//! the streams, output buffers and environment of a request (`paramsPtr`, [`crate::capi::request`]).
//! "stores" are bounded heaps of sessions and blocks for reuse, one per process.
//!
//! | state of the request | descriptor | session | block |
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

mod answers;
pub mod blocking;
pub mod config;
pub mod connected;
pub mod connection;
mod descriptors;
mod entrance;
mod event;
mod grace;
pub mod head;
mod heads;
mod heap;
mod hold;
mod holding;
pub mod inbound;
pub mod last;
mod last_call;
pub mod listener;
pub mod listeners;
mod obligation;
pub mod outbound;
mod pace;
pub mod params;
pub mod parking;
mod patience;
pub mod peers;
pub mod place;
mod pool;
mod pools;
mod queues;
pub mod rest;
pub mod sending;
pub mod session;
mod sizes;
mod slot;
pub mod store;
pub mod terms;
mod troubles;
mod turns;
mod watcher;

pub use connected::Connected;
pub use session::{Begin, Body, Session};
pub use terms::Terms;
