//! The API for Rust programs, driven by the web server's side of the protocol: in threads of this program, and
//! in processes of `examples/echo.rs`.

mod ending;
mod process;
mod reading;
mod server;
mod sockets;
mod writing;

/// Returns `count` bytes in which every value occurs.
fn bytes(count: usize) -> Vec<u8> {
    (0..count).map(|at| (at ^ (at >> 8)) as u8).collect()
}
