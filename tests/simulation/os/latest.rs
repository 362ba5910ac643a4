//! A value that is rarely replaced. A value equal to an earlier one reuses its memory, even in later
//! worlds.

use std::sync::{Mutex, PoisonError};

use super::memory::NoMemory;

pub struct Latest<T: 'static>(Mutex<(Option<&'static T>, Vec<&'static T>)>);

impl<T: PartialEq + Sync> Latest<T> {
    pub const fn empty() -> Self {
        Self(Mutex::new((None, Vec::new())))
    }

    pub fn get(&self) -> Option<&T> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).0
    }

    pub fn get_or_make(&self, make: fn() -> T) -> &T {
        if self.get().is_none() {
            let _ = self.replace(make());
        }
        self.get().unwrap()
    }

    pub fn replace(&self, value: T) -> Result<(), NoMemory> {
        let mut values = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let known = values.1.iter().find(|known| ***known == value).copied();
        let latest = known.unwrap_or_else(|| {
            let made: &'static T = Box::leak(Box::new(value));
            values.1.push(made);
            made
        });
        values.0 = Some(latest);
        Ok(())
    }
}
