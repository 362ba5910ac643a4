//! Handlers of signals.

/// Returns true: no handler here has SA_RESTART.
pub fn would_interrupt_accept() -> bool {
    true
}

/// Does nothing: every process here has its handlers.
pub fn install() {}

/// Does nothing.
pub fn uninstall() {}

/// Does nothing.
pub fn take() {}
