//! What has happened to those who wait.

use super::turns::TakenOut;

/// What a thread that waited is to look at.
#[derive(Debug)]
pub(super) enum Event {
    /// Nothing; the thread may wait again.
    Nothing,
    /// The listen socket, which has a connection or an error.
    Listen,
    /// The listen socket, although the kernel has not spoken of it.
    Unasked,
    /// A parked connection on which something has come. It keeps its place.
    Heard(TakenOut),
    /// A parked connection whose time is over. It keeps its place.
    Late(TakenOut),
    /// A parked connection that has to go, because too many wait. It keeps its place.
    Surplus(TakenOut),
}

/// What there is to do with a connection that was taken out, if one was.
#[inline]
pub(super) fn taken(taken_out: Option<TakenOut>, event: impl Fn(TakenOut) -> Event) -> Event {
    taken_out.map_or(Event::Nothing, event)
}
