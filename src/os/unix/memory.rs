//! Memory that may run out. std's collections end the process then; here it is an error like others.

use std::alloc::{Layout, alloc, alloc_zeroed};
use std::io::{self, IoSlice};
use std::iter::repeat_n;
use std::mem::MaybeUninit;
use std::slice;

/// There is no memory left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoMemory;

impl From<NoMemory> for io::Error {
    fn from(_: NoMemory) -> Self {
        Self::from_raw_os_error(libc::ENOMEM)
    }
}

/// `length` zeros.
pub fn zeroed(length: usize) -> Result<Vec<u8>, NoMemory> {
    if length == 0 {
        return Ok(Vec::new());
    }
    let layout = Layout::array::<u8>(length).map_err(|_| NoMemory)?;
    // SAFETY: the layout has a size.
    let place = unsafe { alloc_zeroed(layout) };
    if place.is_null() {
        return Err(NoMemory);
    }
    // SAFETY: just allocated with the layout of such a vector; every byte has a value.
    Ok(unsafe { Vec::from_raw_parts(place, length, length) })
}

/// A box around `value`.
pub fn boxed<T>(value: T) -> Result<Box<T>, NoMemory> {
    let layout = Layout::new::<T>();
    if layout.size() == 0 {
        return Ok(Box::new(value));
    }
    // SAFETY: the layout has a size.
    let place = unsafe { alloc(layout) }.cast::<T>();
    if place.is_null() {
        return Err(NoMemory);
    }
    // SAFETY: just allocated with the layout of a `T`; it has a value before it is owned.
    unsafe {
        place.write(value);
        Ok(Box::from_raw(place))
    }
}

/// Makes room for `more` further items.
pub fn reserve<T>(list: &mut Vec<T>, more: usize) -> Result<(), NoMemory> {
    list.try_reserve(more).map_err(|_| NoMemory)
}

/// Makes room for `more` further items, and no others.
pub fn reserve_exact<T>(list: &mut Vec<T>, more: usize) -> Result<(), NoMemory> {
    list.try_reserve_exact(more).map_err(|_| NoMemory)
}

/// Adds items at the end.
#[inline]
pub fn extend<T>(
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
    // SAFETY: so many items behind the last one have a value now, and lie within the capacity.
    unsafe { list.set_len(before + added) };
    Ok(())
}

/// Adds an item at the end; gives it back if there is no memory for it.
#[inline]
pub fn push<T>(list: &mut Vec<T>, item: T) -> Result<(), T> {
    if list.len() == list.capacity() && reserve(list, 1).is_err() {
        return Err(item);
    }
    let Some(place) = list.spare_capacity_mut().first_mut() else { return Err(item) };
    place.write(item);
    // SAFETY: the item behind the last one has a value now, and lies within the capacity.
    unsafe { list.set_len(list.len() + 1) };
    Ok(())
}

/// Adds bytes at the end.
#[inline]
pub fn append(list: &mut Vec<u8>, bytes: &[u8]) -> Result<(), NoMemory> {
    if list.capacity() - list.len() < bytes.len() {
        reserve(list, bytes.len())?;
    }
    let end = list.len() + bytes.len();
    // SAFETY: there is room for the bytes behind the last one, which nothing else can lie in.
    unsafe {
        let place = list.as_mut_ptr().add(list.len());
        place.copy_from_nonoverlapping(bytes.as_ptr(), bytes.len());
        list.set_len(end);
    }
    Ok(())
}

/// Memory for lists of parts, one after the other. It stays where it is while a list is used: a thread
/// that never comes back from its system call loses nothing.
#[derive(Debug, Default)]
pub struct PartList(Vec<MaybeUninit<IoSlice<'static>>>);

impl PartList {
    /// No memory yet.
    pub const fn new() -> Self {
        Self(Vec::new())
    }

    /// Returns so many entries, all of them empty.
    pub fn entries<'a>(&mut self, count: usize) -> Result<&mut [IoSlice<'a>], NoMemory> {
        self.0.clear();
        extend(&mut self.0, repeat_n(MaybeUninit::new(IoSlice::new(&[])), count))?;
        // SAFETY: so many entries have just got a value. They differ in lifetime alone: what the caller
        // puts into them is never read again, because they get another value first.
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
