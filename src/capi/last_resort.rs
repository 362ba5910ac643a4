//! The end of the process after a panic or a failed allocation.

/// Aborts the process. The shipped library is linked so that a panic or a failed allocation calls this
/// directly: Rust's own handling would link its backtrace printer, which is larger than this library.
#[unsafe(no_mangle)]
pub(super) extern "C" fn fcgi_last_resort() -> ! {
    std::process::abort()
}
