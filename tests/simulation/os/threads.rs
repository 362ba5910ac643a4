//! The process's threads.

use crate::kernel::tasks::here;

pub fn only_one() -> bool {
    here(|process| !process.has_threads)
}
