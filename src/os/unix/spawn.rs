//! Starting a FastCGI application.

use std::ffi::CStr;
use std::io;
use std::os::fd::RawFd;
use std::ptr;

use super::error::errno;
use super::syscall::checked;

/// Starts the program at `path`, without arguments, as specification 2.2 requires: descriptor 0 is the
/// listen socket, 1 and 2 are closed.
///
/// Succeeds even if the program cannot be executed: the child then ends with errno as its exit status,
/// without running the parent's atexit functions.
pub fn spawn(path: &CStr, listen_fd: RawFd) -> io::Result<()> {
    let arguments = [path.as_ptr(), ptr::null()];
    // SAFETY: the child only makes async-signal-safe calls, as the child of a process with threads must.
    if checked(unsafe { libc::fork() })? == 0 {
        // SAFETY: `arguments` ends with NULL, its string with NUL, and both outlive the call.
        unsafe { become_application(&arguments, listen_fd) }
    }
    Ok(())
}

/// Does the child's part of [`spawn`].
///
/// # Safety
///
/// To be called in a child after fork; `arguments` satisfies the requirements of execv(3).
pub(super) unsafe fn become_application(
    arguments: &[*const libc::c_char; 2],
    listen_fd: RawFd,
) -> ! {
    // SAFETY: these calls take numbers, and `arguments`, which the caller vouches for. All of them are
    // async-signal-safe, and none allocates.
    unsafe {
        if listen_fd == 0 {
            libc::fcntl(0, libc::F_SETFD, 0);
        } else {
            libc::close(0);
            libc::dup2(listen_fd, 0);
            libc::close(listen_fd);
        }
        libc::close(1);
        libc::close(2);
        libc::execv(arguments[0], arguments.as_ptr());
        libc::_exit(errno())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read, Write};
    use std::os::fd::AsRawFd;
    use std::os::unix::net::UnixStream;

    #[test]
    #[cfg_attr(miri, ignore = "Miri has no processes")]
    fn the_program_finds_the_descriptor_at_0_and_nothing_at_1_and_2() {
        let (mut here, there) = UnixStream::pair().unwrap();
        // The shell reads its commands from descriptor 0 and answers there.
        here.write_all(b"for n in 1 2; do test -e /proc/self/fd/$n || echo no $n >&0; done\n")
            .unwrap();
        here.shutdown(std::net::Shutdown::Write).unwrap();
        spawn(c"/bin/sh", there.as_raw_fd()).unwrap();
        drop(there);
        let mut answer = String::new();
        here.read_to_string(&mut answer).unwrap();
        assert_eq!(answer, "no 1\nno 2\n");
    }

    #[test]
    #[cfg_attr(miri, ignore = "Miri has no processes")]
    fn a_program_that_is_not_there_leaves_nothing_open() {
        let (mut here, there) = UnixStream::pair().unwrap();
        spawn(c"/nonexistent/application", there.as_raw_fd()).unwrap();
        drop(there);
        assert_eq!(here.read(&mut [0]).unwrap(), 0);
    }
}
