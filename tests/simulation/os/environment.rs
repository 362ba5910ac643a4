//! The environment of every process of a world.

use std::ffi::OsString;

use crate::kernel::tasks::with;

/// As in src/os: no request's environment takes its place here.
pub fn belongs_to_program() -> bool {
    true
}

/// As in src/os.
pub fn variable(name: &str) -> Option<OsString> {
    with(|kernel| kernel.environment.get(name).map(OsString::from))
}
