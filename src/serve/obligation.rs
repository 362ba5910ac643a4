//! Values that must not be dropped.

/// A field of a value that has to be ended by one of its methods. Debug builds panic if it is dropped
/// instead; in other builds it does nothing.
#[derive(Debug)]
pub(super) struct Obligation(());

impl Obligation {
    pub(super) const fn new() -> Self {
        Self(())
    }

    /// Ends the obligation: the value is at its end.
    pub(super) fn fulfil(self) {
        std::mem::forget(self);
    }
}

#[cfg(debug_assertions)]
impl Drop for Obligation {
    fn drop(&mut self) {
        assert!(std::thread::panicking(), "a connection was dropped instead of ended");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_fulfilled_may_go() {
        Obligation::new().fulfil();
    }

    #[test]
    #[should_panic = "dropped instead of ended"]
    fn what_is_not_fulfilled_stops() {
        drop(Obligation::new());
    }
}
