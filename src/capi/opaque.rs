//! The requests that FCGX_RequestNew makes: an `FCGX_Request` and what the library needs besides.

use std::ffi::c_int;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicUsize, Ordering};

use super::layout::{FCGX_Request, NO_REQUEST, OPAQUE};
use crate::os::memory::{NoMemory, boxed};
use crate::os::robust_lock::RobustLock;
use crate::os::{descriptor, fork};
use crate::serve::cancel::Cancel;

/// A request in the library's own memory. C sees its first field only.
#[repr(C)]
#[derive(Debug)]
pub(super) struct OpaqueRequest {
    request: FCGX_Request,
    pub(super) cancel: Cancel,
    /// Held while another thread shuts the connection down, and while this field changes.
    abort_lock: RobustLock,
    /// The connection of the request in progress; -1 without one.
    fd: AtomicI32,
    /// [`fork::generation`] of the process in which it began.
    generation: AtomicUsize,
    is_aborted: AtomicBool,
    /// Whether its requests are non-blocking.
    pub(super) is_nonblocking: AtomicBool,
    /// Whether the streams of the request in progress have ended, and bytes of them were unsent then.
    pub(super) is_ending: AtomicBool,
}

impl OpaqueRequest {
    /// Makes a request on a listen socket. Returns the pointer for C.
    pub(super) fn make(sock: c_int, flags: c_int) -> Result<*mut FCGX_Request, NoMemory> {
        let request = FCGX_Request { listen_sock: sock, flags: flags | OPAQUE, ..NO_REQUEST };
        let opaque = Self {
            request,
            cancel: Cancel::new(),
            abort_lock: RobustLock::new(),
            fd: AtomicI32::new(-1),
            generation: AtomicUsize::new(0),
            is_aborted: AtomicBool::new(false),
            is_nonblocking: AtomicBool::new(false),
            is_ending: AtomicBool::new(false),
        };
        Ok(Box::into_raw(boxed(opaque)?).cast())
    }

    /// Frees a request.
    ///
    /// # Safety
    ///
    /// `request` is from [`OpaqueRequest::make`], has no connection and no block, and is not used again.
    pub(super) unsafe fn free(request: *mut FCGX_Request) {
        // SAFETY: `make` has made it with Box; the caller does not use it again.
        drop(unsafe { Box::from_raw(request.cast::<Self>()) });
    }

    /// Returns what belongs to a request; `None` if the program has made it.
    ///
    /// # Safety
    ///
    /// `request` points to a request that was initialised. The result is used before it is freed.
    #[inline]
    pub(super) unsafe fn of<'a>(request: *const FCGX_Request) -> Option<&'a Self> {
        // SAFETY: the caller passes an initialised request; only `make` sets the flag.
        unsafe {
            if (*request).flags & OPAQUE == 0 {
                return None;
            }
            // The fields behind the first one may be used by several threads at the same time.
            Some(&*request.cast::<Self>())
        }
    }

    /// Notes that a request has begun on a connection.
    pub(super) fn begin(&self, fd: c_int) {
        self.is_aborted.store(false, Ordering::Relaxed);
        self.is_ending.store(false, Ordering::Relaxed);
        self.generation.store(fork::generation(), Ordering::Relaxed);
        self.fd.store(fd, Ordering::Release);
    }

    /// Notes that the request is about to end: its descriptor may become another file's.
    pub(super) fn end(&self) {
        let _held = self.abort_lock.lock();
        self.fd.store(-1, Ordering::Relaxed);
    }

    /// Shuts the connection of the request in progress down. Returns false if this process has none: a child
    /// leaves its parent's alone.
    pub(super) fn abort(&self) -> bool {
        let _held = self.abort_lock.lock();
        let fd = self.fd.load(Ordering::Acquire);
        let is_own = fd >= 0 && self.generation.load(Ordering::Relaxed) == fork::generation();
        if is_own {
            self.is_aborted.store(true, Ordering::SeqCst);
            descriptor::shutdown_both(fd);
        }
        is_own
    }

    /// Returns whether the request in progress was given up.
    pub(super) fn is_aborted(&self) -> bool {
        self.is_aborted.load(Ordering::SeqCst)
    }
}
