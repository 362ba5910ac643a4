//! What must not be dropped.

/// Part of a value that has to be ended in one of its own ways. Debug builds stop where it is dropped
/// instead; otherwise it is nothing.
#[derive(Debug)]
pub(super) struct Obligation(());

impl Obligation {
    pub(super) const fn new() -> Self {
        Self(())
    }

    /// Says that the value is at its end.
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
