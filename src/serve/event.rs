//! Events for threads that wait.

use super::turns::TakenOut;

/// What a thread that has waited has to see to.
#[derive(Debug)]
pub(super) enum Event {
    /// Nothing: the thread may wait again.
    Nothing,
    /// The listen socket has a connection or an error.
    Listen,
    /// The listen socket is to be tried although epoll did not report it.
    Unasked,
    /// A parked connection is readable. It keeps its slot.
    Heard(TakenOut),
    /// A parked connection's deadline has passed. It keeps its slot.
    Late(TakenOut),
    /// A parked connection has to go, because too many wait. It keeps its slot.
    Surplus(TakenOut),
}

/// Returns the event for a connection that was taken out, or [`Event::Nothing`] without one.
#[inline]
pub(super) fn taken(taken_out: Option<TakenOut>, event: impl Fn(TakenOut) -> Event) -> Event {
    taken_out.map_or(Event::Nothing, event)
}
