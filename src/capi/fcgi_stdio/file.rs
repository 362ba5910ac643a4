//! Opening and closing, buffers, positions.

use std::ptr;

use libc::{EOF, FILE, c_char, c_int, c_long, fpos_t, size_t};

use super::target::{FCGI_FILE, Target, standard, target};
use crate::capi::fcgiapp::{FCGX_FClose, FCGX_FFlush};
use crate::os::error::set_errno;

/// Opens a file.
///
/// Returns: the open file, which FCGI_fclose closes; NULL on failure.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn FCGI_fopen(path: *const c_char, mode: *const c_char) -> *mut FCGI_FILE {
    // SAFETY: the caller passes what fopen asks for.
    new_file(|| unsafe { libc::fopen(path, mode) })
}

/// Makes a file of an open descriptor.
///
/// Returns: the file, which FCGI_fclose closes together with the descriptor; NULL on failure.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn FCGI_fdopen(fd: c_int, mode: *const c_char) -> *mut FCGI_FILE {
    // SAFETY: the caller passes what fdopen asks for.
    new_file(|| unsafe { libc::fdopen(fd, mode) })
}

/// Runs a command with a pipe to or from it.
///
/// Returns: the program's end of the pipe, which FCGI_pclose closes; NULL on failure.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn FCGI_popen(cmd: *const c_char, r#type: *const c_char) -> *mut FCGI_FILE {
    // SAFETY: the caller passes what popen asks for.
    new_file(|| unsafe { libc::popen(cmd, r#type) })
}

/// Makes a file without a name.
///
/// Returns: the file, open for reading and writing, which FCGI_fclose closes; NULL on failure.
#[unsafe(no_mangle)]
pub extern "C" fn FCGI_tmpfile() -> *mut FCGI_FILE {
    // SAFETY: tmpfile has no preconditions.
    new_file(|| unsafe { libc::tmpfile() })
}

/// Puts another file in the place of what fp stands for. A stream of the request is closed, as
/// FCGX_FClose does, and fp becomes a file.
///
/// Parameters:
/// - path: NULL only for a file, where freopen allows it.
///
/// Returns: fp; NULL on failure, and then fp can only be closed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn FCGI_freopen(
    path: *const c_char,
    mode: *const c_char,
    fp: *mut FCGI_FILE,
) -> *mut FCGI_FILE {
    // SAFETY: the caller promises `fp` and both strings; fopen is not called with a NULL path.
    unsafe {
        let file = match target(fp) {
            Target::File(file) => libc::freopen(path, mode, file),
            Target::Stream(stream) if !path.is_null() => {
                FCGX_FClose(stream);
                libc::fopen(path, mode)
            }
            Target::Stream(_) | Target::Closed => return ptr::null_mut(),
        };
        // freopen closes the old file even if it cannot open the new one.
        *fp = FCGI_FILE { stdio_stream: file, fcgx_stream: ptr::null_mut() };
        if file.is_null() { ptr::null_mut() } else { fp }
    }
}

/// Closes. A stream of the request sends what it still holds and its end, as FCGX_FClose does.
///
/// Parameters:
/// - fp: a standard stream, or one that a function of this library has opened.
///
/// Returns: 0; EOF if it was closed already, and on a write error.
///
/// Side effects: frees fp, except for the three standard streams, which stay, closed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn FCGI_fclose(fp: *mut FCGI_FILE) -> c_int {
    // SAFETY: the caller promises `fp`; what it stands for is not used again.
    unsafe {
        let result = match target(fp) {
            Target::File(file) => libc::fclose(file),
            Target::Stream(stream) => FCGX_FClose(stream),
            Target::Closed => EOF,
        };
        discard(fp);
        result
    }
}

/// Closes a pipe of FCGI_popen and waits for the command to end.
///
/// Parameters:
/// - fp: the result of FCGI_popen.
///
/// Returns: the command's status, as from waitpid; -1 on failure, and if fp is not a file.
///
/// Side effects: frees fp.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn FCGI_pclose(fp: *mut FCGI_FILE) -> c_int {
    // SAFETY: the caller promises `fp`; what it stands for is not used again.
    unsafe {
        match target(fp) {
            Target::File(file) => {
                let status = libc::pclose(file);
                discard(fp);
                status
            }
            Target::Stream(_) | Target::Closed => -1,
        }
    }
}

/// Sends what was written: a stream's to the web server, as FCGX_FFlush does, a file's to the
/// system.
///
/// Parameters:
/// - fp: NULL flushes every file of the C library, and no stream.
///
/// Returns: 0; EOF on failure.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn FCGI_fflush(fp: *mut FCGI_FILE) -> c_int {
    // SAFETY: the caller promises `fp`; fflush takes NULL.
    unsafe {
        match target(fp) {
            Target::File(file) => libc::fflush(file),
            Target::Stream(stream) => FCGX_FFlush(stream),
            Target::Closed if fp.is_null() => libc::fflush(ptr::null_mut()),
            Target::Closed => EOF,
        }
    }
}

/// Chooses how a file is buffered. Streams of the request keep their own buffers.
///
/// Returns: 0; nonzero on failure, -1 for a stream.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn FCGI_setvbuf(
    fp: *mut FCGI_FILE,
    buf: *mut c_char,
    bufmode: c_int,
    size: size_t,
) -> c_int {
    // SAFETY: the caller promises `fp` and `buf`.
    unsafe {
        match target(fp) {
            Target::File(file) => libc::setvbuf(file, buf, bufmode, size),
            Target::Stream(_) | Target::Closed => -1,
        }
    }
}

/// Sets the buffer of a file, of BUFSIZ bytes, or with NULL turns buffering off. Streams of the
/// request keep their own buffers.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn FCGI_setbuf(fp: *mut FCGI_FILE, buf: *mut c_char) {
    // SAFETY: the caller promises `fp` and `buf`.
    unsafe {
        if let Target::File(file) = target(fp) {
            libc::setbuf(file, buf);
        }
    }
}

/// Moves the position of a file.
///
/// Returns: 0; -1 on failure, and if fp is not a file.
///
/// Errors: ESPIPE if fp is not a file.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn FCGI_fseek(fp: *mut FCGI_FILE, offset: c_long, whence: c_int) -> c_int {
    // SAFETY: the caller promises `fp`.
    unsafe { at_position(fp, |file| libc::fseek(file, offset, whence)) }
}

/// Returns the position of a file.
///
/// Returns: the position; -1 on failure, and if fp is not a file.
///
/// Errors: ESPIPE if fp is not a file. EOVERFLOW if an int cannot hold the position.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn FCGI_ftell(fp: *mut FCGI_FILE) -> c_int {
    // SAFETY: the caller promises `fp`.
    unsafe {
        at_position(fp, |file| {
            c_int::try_from(libc::ftell(file)).unwrap_or_else(|_| failed(libc::EOVERFLOW))
        })
    }
}

/// Moves the position of a file to its beginning and clears its error mark.
///
/// Errors: ESPIPE if fp is not a file.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn FCGI_rewind(fp: *mut FCGI_FILE) {
    // SAFETY: the caller promises `fp`.
    unsafe {
        at_position(fp, |file| {
            libc::rewind(file);
            0
        });
    }
}

/// Stores the position of a file for FCGI_fsetpos.
///
/// Returns: 0; nonzero on failure, -1 if fp is not a file.
///
/// Errors: ESPIPE if fp is not a file.
///
/// cbindgen:ignore
#[unsafe(no_mangle)]
pub unsafe extern "C" fn FCGI_fgetpos(fp: *mut FCGI_FILE, pos: *mut fpos_t) -> c_int {
    // SAFETY: the caller promises `fp` and `pos`.
    unsafe { at_position(fp, |file| libc::fgetpos(file, pos)) }
}

/// Moves a file to a position that FCGI_fgetpos has stored.
///
/// Returns: 0; nonzero on failure, -1 if fp is not a file.
///
/// Errors: ESPIPE if fp is not a file.
///
/// cbindgen:ignore
#[unsafe(no_mangle)]
pub unsafe extern "C" fn FCGI_fsetpos(fp: *mut FCGI_FILE, pos: *const fpos_t) -> c_int {
    // SAFETY: the caller promises `fp` and `pos`.
    unsafe { at_position(fp, |file| libc::fsetpos(file, pos)) }
}

/// Returns the descriptor of a file. A stream of the request has none of its own: its records share
/// the connection with others.
///
/// Returns: the descriptor; -1 if fp is not a file.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn FCGI_fileno(fp: *mut FCGI_FILE) -> c_int {
    // SAFETY: the caller promises `fp`.
    unsafe {
        match target(fp) {
            Target::File(file) => libc::fileno(file),
            Target::Stream(_) | Target::Closed => -1,
        }
    }
}

/// Makes a FCGI_FILE of the FILE that `open` returns. Returns NULL if that is NULL, or if out of memory.
fn new_file(open: impl FnOnce() -> *mut FILE) -> *mut FCGI_FILE {
    // The memory comes first, so that running out of it leaves nothing open. It is malloc's, because
    // some programs free it themselves.
    // SAFETY: malloc takes any size.
    let fp = unsafe { libc::malloc(size_of::<FCGI_FILE>()) }.cast::<FCGI_FILE>();
    if fp.is_null() {
        return fp;
    }
    let stdio_stream = open();
    // SAFETY: `fp` is from malloc above, and as large as a FCGI_FILE.
    unsafe {
        if stdio_stream.is_null() {
            libc::free(fp.cast());
            return ptr::null_mut();
        }
        fp.write(FCGI_FILE { stdio_stream, fcgx_stream: ptr::null_mut() });
    }
    fp
}

/// Frees a FCGI_FILE whose FILE or stream was closed; marks a standard stream as closed.
///
/// # Safety
///
/// `fp` is NULL, a standard stream, or comes from malloc; the caller does not use it again.
unsafe fn discard(fp: *mut FCGI_FILE) {
    // SAFETY: the caller passes a standard stream, memory from malloc, or NULL, which free takes.
    unsafe {
        if standard().contains(&fp) {
            fp.write(FCGI_FILE::CLOSED);
        } else {
            libc::free(fp.cast());
        }
    }
}

/// Runs `work` on a file. Returns -1 with ESPIPE for anything else, which has no position.
///
/// # Safety
///
/// `fp` is NULL or a FCGI_FILE.
unsafe fn at_position(fp: *mut FCGI_FILE, work: impl FnOnce(*mut FILE) -> c_int) -> c_int {
    // SAFETY: the caller promises `fp`.
    match unsafe { target(fp) } {
        Target::File(file) => work(file),
        Target::Stream(_) | Target::Closed => failed(libc::ESPIPE),
    }
}

/// Sets errno and returns -1.
fn failed(code: c_int) -> c_int {
    set_errno(code);
    -1
}
