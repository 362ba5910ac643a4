//! Handlers of signals.

/// As in src/os: no handler here has SA_RESTART.
pub fn would_interrupt_accept() -> bool {
    true
}
