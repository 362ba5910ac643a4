//! The environment of every process of a world.

use std::ffi::OsString;

use crate::kernel::tasks::with;

/// Returns true: no request's environment takes the program's place here.
pub fn belongs_to_program() -> bool {
    true
}

pub fn variable(name: &str) -> Option<OsString> {
    with(|kernel| kernel.environment.get(name).map(OsString::from))
}
