//! Where panics and failed allocations end.

/// Ends the process. The shipped library is linked so that a panic, and a failed allocation, come
/// straight here: Rust's own way would take its backtrace printer along, which is larger than all of
/// this library.
#[unsafe(no_mangle)]
pub extern "C" fn fcgi_last_resort() -> ! {
    std::process::abort()
}
