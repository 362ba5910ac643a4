//! Looks at parked connections that a thread has taken out of the pool.

use std::sync::Arc;

use super::accept_options::AcceptOptions;
use super::connection::Connection;
use super::head::{AcceptedRequest, HeadProgress, linger, receive_head};
use super::pool::Pool;
use super::turns::TakenOut;
use super::wait::{Stage, Wait};
use crate::os::clock;

/// A connection after a look: what has arrived, and how it has waited.
pub(super) type Look = (Connection, HeadProgress, Wait);

/// Receives on a connection that is readable. Returns `None` if it is over.
pub(super) fn hear(pool: &Arc<Pool>, taken_out: TakenOut, options: &AcceptOptions) -> Option<Look> {
    let wait = taken_out.2.wait;
    let mut connection = Connection::taken_out(pool, taken_out)?;
    let progress = match wait.stage {
        Stage::Lingering => linger(&mut connection),
        _ => receive_head(&mut connection, options),
    };
    Some((connection, progress, wait))
}

/// Closes a connection whose deadline has passed, if nothing has arrived. Its request may have arrived in
/// time, while every thread was busy.
pub(super) fn expire(
    pool: &Arc<Pool>,
    taken_out: TakenOut,
    options: &AcceptOptions,
) -> Option<Look> {
    let wait = taken_out.2.wait;
    if wait.stage == Stage::Lingering {
        pool.discard(taken_out);
        return None;
    }
    let mut connection = Connection::taken_out(pool, taken_out)?;
    let progress = receive_head(&mut connection, options);
    let goes_on = progress.next_wait(wait, options.config);
    if goes_on.is_some_and(|wait| wait.deadline.is_some_and(|end| end <= clock::now())) {
        connection.discard();
        return None;
    }
    Some((connection, progress, wait))
}

/// Closes a connection to make room, unless a whole request has arrived: that is served. Less does not
/// count, or peers that send no request could keep their connections forever.
pub(super) fn give_up(
    pool: &Arc<Pool>,
    taken_out: TakenOut,
    options: &AcceptOptions,
) -> Option<AcceptedRequest> {
    if taken_out.2.wait.stage == Stage::Lingering {
        pool.discard(taken_out);
        return None;
    }
    let mut connection = Connection::taken_out(pool, taken_out)?;
    if let HeadProgress::Ready(begin) = receive_head(&mut connection, options) {
        return Some((connection, begin));
    }
    connection.discard();
    None
}
