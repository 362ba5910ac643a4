//! The door for the programs of this repository: what cgi-fcgi, tests, benchmarks and fuzz targets use. No other
//! program uses it, because it changes without notice. What is neither here nor in the Rust API is `pub(crate)`.

/// The C API.
pub mod capi {
    pub use crate::capi::*;
}

/// The FastCGI specification, all of it.
pub mod protocol {
    pub use crate::protocol::*;
}

/// System calls.
pub mod os {
    /// Addresses of listen sockets.
    pub mod address {
        pub use crate::os::address::is_unknown_host;
    }
    /// Child processes.
    pub mod children {
        pub use crate::os::children::{End, Event, Supervision, ended, kill, terminate};
    }
    /// Descriptors.
    pub mod descriptor {
        pub use crate::os::descriptor::{
            close, file_number, is_nonblocking, shutdown_write, try_close,
        };
    }
    /// Errors, and words for them.
    pub mod error {
        pub use crate::os::error::{errno_of, message};
    }
    /// Reading and writing.
    pub mod io {
        pub use crate::os::io::{read, recv_now, send_now, write};
    }
    /// The library's mark on a listen socket.
    pub mod mark {
        pub use crate::os::mark::{
            make_nonblocking, nonblocking_by_library, nonblocking_by_program, take_back,
        };
    }
    /// Waiting for descriptors.
    pub mod poll {
        pub use crate::os::poll::{Epoll, Interest, PollFd, READABLE, Ready, WRITABLE, poll};
    }
    /// The request to shut down.
    pub mod shutdown {
        pub use crate::os::shutdown::{check_wake_up, existing_wake_up};
    }
    /// Signal handlers.
    pub mod signal {
        pub use crate::os::signal::outlive_broken_pipes;
    }
    /// Sockets.
    pub mod socket {
        pub use crate::os::socket::{accept, check_listens, connect, listen};
    }
    /// Programs that are started.
    pub mod spawn {
        pub use crate::os::spawn::spawn;
    }
}

/// An application's life.
pub mod serve {
    pub use crate::serve::AcceptOptions;
    /// The settings.
    pub mod config {
        pub use crate::serve::config::{ANY, SETTINGS, SWITCH, Setting, Value, get};
    }
    /// What a thread brings along.
    pub mod last {
        pub use crate::serve::last::Last;
    }
    /// A request's parameters.
    pub mod params {
        pub use crate::serve::params::{Params, RoleString};
    }
    /// The listeners of this process.
    pub mod registry {
        pub use crate::serve::registry::of;
    }
}
