//! Handlers of signals.

/// Returns true: no handler here has SA_RESTART.
pub fn would_interrupt_accept() -> bool {
    true
}
