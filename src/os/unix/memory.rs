//! Fallible allocation. Out of memory, std's collections abort the process; these functions return an error.

use std::alloc::{Layout, alloc, alloc_zeroed};
use std::io::{self, IoSlice};
use std::iter::repeat_n;
use std::mem::MaybeUninit;
use std::slice;

/// The process is out of memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoMemory;

impl From<NoMemory> for io::Error {
    fn from(_: NoMemory) -> Self {
        Self::from_raw_os_error(libc::ENOMEM)
    }
}

/// Allocates `length` zero bytes.
pub(crate) fn zeroed(length: usize) -> Result<Vec<u8>, NoMemory> {
    if length == 0 {
        return Ok(Vec::new());
    }
    let layout = Layout::array::<u8>(length).map_err(|_| NoMemory)?;
    // SAFETY: the size of the layout is not 0: checked above.
    let place = unsafe { alloc_zeroed(layout) };
    if place.is_null() {
        return Err(NoMemory);
    }
    // SAFETY: allocated above with the layout of such a vector; every byte is initialised.
    Ok(unsafe { Vec::from_raw_parts(place, length, length) })
}

/// Moves `value` into a box.
pub(crate) fn boxed<T>(value: T) -> Result<Box<T>, NoMemory> {
    let layout = Layout::new::<T>();
    if layout.size() == 0 {
        return Ok(Box::new(value));
    }
    // SAFETY: the size of the layout is not 0: checked above.
    let place = unsafe { alloc(layout) }.cast::<T>();
    if place.is_null() {
        return Err(NoMemory);
    }
    // SAFETY: allocated above with the layout of a `T`, and initialised before the box owns it.
    unsafe {
        place.write(value);
        Ok(Box::from_raw(place))
    }
}

/// Reserves memory for at least `more` further items.
pub(crate) fn reserve<T>(list: &mut Vec<T>, more: usize) -> Result<(), NoMemory> {
    list.try_reserve(more).map_err(|_| NoMemory)
}

/// Reserves memory for exactly `more` further items.
pub(crate) fn reserve_exact<T>(list: &mut Vec<T>, more: usize) -> Result<(), NoMemory> {
    list.try_reserve_exact(more).map_err(|_| NoMemory)
}

/// Adds items at the end.
#[inline]
pub(crate) fn extend<T>(
    list: &mut Vec<T>,
    items: impl ExactSizeIterator<Item = T>,
) -> Result<(), NoMemory> {
    if list.capacity() - list.len() < items.len() {
        reserve(list, items.len())?;
    }
    let before = list.len();
    let mut added = 0;
    for (place, item) in list.spare_capacity_mut().iter_mut().zip(items) {
        place.write(item);
        added += 1;
    }
    // SAFETY: the `added` items after the last one are initialised, and lie within the capacity.
    unsafe { list.set_len(before + added) };
    Ok(())
}

/// Adds an item at the end. Returns it as the error if out of memory.
#[inline]
pub(crate) fn push<T>(list: &mut Vec<T>, item: T) -> Result<(), T> {
    if list.len() == list.capacity() && reserve(list, 1).is_err() {
        return Err(item);
    }
    let Some(place) = list.spare_capacity_mut().first_mut() else { return Err(item) };
    place.write(item);
    // SAFETY: the item after the last one is initialised, and lies within the capacity.
    unsafe { list.set_len(list.len() + 1) };
    Ok(())
}

/// Adds bytes at the end.
#[inline]
pub(crate) fn append(list: &mut Vec<u8>, bytes: &[u8]) -> Result<(), NoMemory> {
    if list.capacity() - list.len() < bytes.len() {
        reserve(list, bytes.len())?;
    }
    let end = list.len() + bytes.len();
    // SAFETY: the capacity beyond the last byte suffices: reserved above. `bytes` cannot overlap it.
    unsafe {
        let place = list.as_mut_ptr().add(list.len());
        place.copy_from_nonoverlapping(bytes.as_ptr(), bytes.len());
        list.set_len(end);
    }
    Ok(())
}

/// Reusable memory for lists of parts. It stays in place while a list is in use, so a thread that leaves
/// its system call (by siglongjmp or cancellation) does not leak it.
#[derive(Debug, Default)]
pub(crate) struct PartList(Vec<MaybeUninit<IoSlice<'static>>>);

impl PartList {
    /// Makes a list without memory.
    pub(crate) const fn new() -> Self {
        Self(Vec::new())
    }

    /// Returns `count` entries, all of them empty.
    pub(crate) fn entries<'a>(&mut self, count: usize) -> Result<&mut [IoSlice<'a>], NoMemory> {
        self.0.clear();
        extend(&mut self.0, repeat_n(MaybeUninit::new(IoSlice::new(&[])), count))?;
        // SAFETY: `count` entries were initialised above. The types differ only in lifetime: the caller's
        // entries are never read later, because the next call initialises them again.
        Ok(unsafe { slice::from_raw_parts_mut(self.0.as_mut_ptr().cast(), count) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_grow() {
        let mut list = Vec::new();
        for n in 0..100 {
            assert_eq!(push(&mut list, n), Ok(()));
        }
        extend(&mut list, 100..200).unwrap();
        assert!((0..200).eq(list));
        let mut bytes = b"ab".to_vec();
        append(&mut bytes, b"").unwrap();
        append(&mut bytes, &[b'c'; 1000]).unwrap();
        assert_eq!((bytes.len(), bytes.last()), (1002, Some(&b'c')));
    }

    #[test]
    fn boxes_and_zeros_are_what_they_say() {
        assert_eq!(*boxed(7_u64).unwrap(), 7);
        assert_eq!(*boxed(()).unwrap(), ());
        assert_eq!(zeroed(0).unwrap(), b"");
        assert_eq!(zeroed(3).unwrap(), [0; 3]);
    }

    #[test]
    fn a_list_of_parts_is_empty_each_time() {
        let mut list = PartList::new();
        for count in [9, 3, 9] {
            let bytes = [1, 2, 3];
            let entries = list.entries(count).unwrap();
            assert_eq!(entries.len(), count);
            assert!(entries.iter().all(|entry| entry.is_empty()));
            entries.fill(IoSlice::new(&bytes));
            assert_eq!(entries.last().map(|entry| &**entry), Some(&bytes[..]));
        }
        assert!(list.entries(usize::MAX).is_err());
    }

    #[test]
    fn more_than_there_can_be_is_an_error() {
        assert_eq!(zeroed(usize::MAX), Err(NoMemory));
        assert_eq!(reserve(&mut vec![0_u64], usize::MAX / 16), Err(NoMemory));
        assert_eq!(reserve_exact(&mut vec![0_u64], usize::MAX / 16), Err(NoMemory));
        assert_eq!(io::Error::from(NoMemory).raw_os_error(), Some(libc::ENOMEM));
    }
}
