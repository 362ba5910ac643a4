//! A FastCGI application's life: waiting for requests, reading and answering them.
//!
//! Reading order: [`listener`] (where threads wait), [`terms`] and `patience` (for how long), `entrance`
//! (the listen socket) and `troubles` (when it fails), `grace` (what a process owes to new connections), `last_call` (shutting down),
//! [`listeners`] (one for each listen socket); [`head`] and [`connected`] (a connection in a thread's
//! hands, with an `obligation`); `pool` (where connections wait, and the listen socket with them),
//! `turns` (who comes next, and who has to go), [`parking`] (the table, with `queues` and
//! `deadlines`), `pace` (what processes owe to each other); [`session`] (one request),
//! [`connection`] (records of one socket), [`params`], [`inbound`] and [`outbound`] (bytes in, bytes
//! out), [`sending`] and `answers` (threads that send on one connection), [`store`] (memory for the
//! next); [`config`], [`peers`] (who may connect), [`blocking`] (accepting for programs that do the
//! rest).
//!
//! A connection is *parked* while it has no request and no thread looks at it. Its *home* is the
//! pool that watches it and the place that it has there. The connection of a finished request is
//! *given* back to its listener with the next wait.
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
//! | finished, kept | the request, until its next FCGX_Accept_r gives it to the listener | the block | the request |
//! | finished, not kept | closed | the store | the store |
//! | FCGX_Free(r, 0) | the program, open, still in `ipcFd` | the store; what was received is lost | the store |
//! | FCGX_Free(r, 1) | closed; -1 | the store | the store |
//! | FCGX_InitRequest again, on an accepted or kept request | the program's loss: stays open until exit | lost with the block | lost: the old contents of the struct cannot be trusted |
//! | child after fork: accepted, detached | a copy each; both may finish it, only a child that was meant to should | a copy each | a copy each |
//! | child after fork: finished and kept | the parent; the child closes its copy in its next FCGX_Accept_r | a copy, given up | a copy, used on |
//! | child after fork: parked | the parent; the child closes its copies at once | a copy, given up | none |

#![forbid(unsafe_code)]

mod answers;
pub mod blocking;
pub mod config;
pub mod connected;
pub mod connection;
mod deadlines;
mod entrance;
mod grace;
pub mod head;
pub mod inbound;
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
mod pool;
mod queues;
pub mod sending;
pub mod session;
pub mod store;
pub mod terms;
mod troubles;
mod turns;

pub use connected::Connected;
pub use session::{Begin, Body, Session};
pub use terms::Terms;
