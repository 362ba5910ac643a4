//! The pools of this process, and the budget of the unfinished heads in all of them.

use std::sync::Arc;

use super::config::Config;
use super::pool::Pool;
use super::store::recycle;
use super::unfinished_heads::refuse_largest;
use crate::os::fork::PerProcess;
use crate::os::lock::Lock;
use crate::os::memory::{NoMemory, push};

/// The pools, one for each listen socket. Those of closed listeners stay until the next cleanup.
static LIST: PerProcess<Lock<Vec<Arc<Pool>>>> = PerProcess::new(Lock::new(Vec::new()));

/// Adds a pool.
pub(super) fn enlist(pool: &Arc<Pool>) -> Result<(), NoMemory> {
    let mut list = LIST.get().ok_or(NoMemory)?.lock();
    list.retain(is_used);
    push(&mut list, Arc::clone(pool)).map_err(|_| NoMemory)
}

/// Removes the pools of closed listeners, and frees the list's memory if it is empty.
pub(super) fn forget_gone() {
    let Some(list) = LIST.get() else { return };
    let mut list = list.lock();
    list.retain(is_used);
    if list.is_empty() {
        *list = Vec::new();
    }
}

/// Returns whether a pool is used outside the list.
fn is_used(pool: &Arc<Pool>) -> bool {
    Arc::strong_count(pool) > 1
}

/// Refuses the largest waiting head in any pool, until the others together use no more than the setting.
pub(super) fn relieve(config: &Config) {
    let Some(list) = LIST.get() else { return };
    // The lock makes threads take turns: the first may have done enough.
    let list = list.lock();
    loop {
        let (mut sum, mut largest) = (0, None);
        for pool in list.iter() {
            let (all, size) = pool.look(|state| state.parking.sizes().sum_and_largest());
            sum += all;
            if size > largest.as_ref().map_or(0, |(size, _)| *size) {
                largest = Some((size, pool));
            }
        }
        if sum <= config.max_heads {
            return;
        }
        let Some((_, pool)) = largest else { return };
        pool.look(|state| refuse_largest(&mut state.parking, config)).into_iter().for_each(recycle);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::os::fork::ForkEpoch;
    use crate::serve::parking::Parked;
    use crate::serve::unfinished_heads::unfinished;
    use crate::serve::wait::{Again, Stage, Wait};
    use std::os::fd::IntoRawFd;
    use std::os::unix::net::UnixStream;

    /// The heads of all pools are one sum: the largest is refused, in whichever pool it is.
    #[test]
    #[cfg_attr(miri, ignore = "no epoll of sockets in Miri")]
    fn the_largest_head_of_all_pools_is_refused() {
        let both = [0, 1].map(|_| Arc::new(Pool::new(-1)));
        both.iter().for_each(|pool| enlist(pool).unwrap());
        let park = |at: usize, records| {
            let (ours, peer) = UnixStream::pair().unwrap();
            let fd = ours.into_raw_fd();
            let key = both[at].watch(fd, None, Again::WhenHeard).unwrap();
            let (exchange, wait) = (Some(unfinished(records)), Wait::new(Stage::First, None));
            let parked = Parked { exchange, wait, epoch: ForkEpoch::now() };
            both[at].park((key, fd, parked), Again::WhenHeard, usize::MAX);
            peer
        };
        let sums = || {
            [0, 1].map(|at: usize| both[at].look(|state| state.parking.sizes().sum_and_largest()).0)
        };
        let _peers = [park(0, 3), park(0, 8), park(1, 4)];
        let [first, second] = sums();
        let config = |max_heads| Config { max_heads, ..Config::default() };
        relieve(&config(first + second));
        assert_eq!(sums(), [first, second]);
        relieve(&config(first + second - 1));
        assert!(sums()[0] < second && sums()[1] == second);
        relieve(&config(sums()[0]));
        assert!(sums()[0] > 0 && sums()[1] == 0);
        relieve(&config(0));
        assert_eq!(sums(), [0, 0]);
        both.iter().for_each(|pool| pool.close_all());
    }
}
