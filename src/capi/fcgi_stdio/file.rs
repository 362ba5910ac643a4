//! Opening and closing, buffers, positions.

use std::ptr;

use libc::{EOF, FILE, c_char, c_int, c_long, fpos_t, size_t};

use super::{FCGI_FILE, Target, standard, target};
use crate::capi::fcgiapp::{FCGX_FClose, FCGX_FFlush};
use crate::os::error::set_errno;

/// Opens a file, as the C library's fopen does.
///
/// Results: the open file, to be closed with FCGI_fclose; NULL on failure.
/// Errors: errno as fopen leaves it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn FCGI_fopen(path: *const c_char, mode: *const c_char) -> *mut FCGI_FILE {
    // SAFETY: the caller gives what fopen asks for.
    new_file(|| unsafe { libc::fopen(path, mode) })
}

/// Makes a file of an open descriptor, as the C library's fdopen does.
///
/// Results: the file, to be closed with FCGI_fclose, which closes the descriptor too; NULL on
/// failure.
/// Errors: errno as fdopen leaves it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn FCGI_fdopen(fd: c_int, mode: *const c_char) -> *mut FCGI_FILE {
    // SAFETY: the caller gives what fdopen asks for.
    new_file(|| unsafe { libc::fdopen(fd, mode) })
}

/// Runs a command with a pipe to or from it, as the C library's popen does.
///
/// Results: our end of the pipe, to be closed with FCGI_pclose; NULL on failure.
/// Errors: errno as popen leaves it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn FCGI_popen(cmd: *const c_char, r#type: *const c_char) -> *mut FCGI_FILE {
    // SAFETY: the caller gives what popen asks for.
    new_file(|| unsafe { libc::popen(cmd, r#type) })
}

/// Makes a file without a name, as the C library's tmpfile does.
///
/// Results: the file, open for reading and writing, to be closed with FCGI_fclose; NULL on failure.
/// Errors: errno as tmpfile leaves it.
#[unsafe(no_mangle)]
pub extern "C" fn FCGI_tmpfile() -> *mut FCGI_FILE {
    // SAFETY: tmpfile asks for nothing.
    new_file(|| unsafe { libc::tmpfile() })
}

/// Puts another file in the place of what fp stands for. A stream of the request is closed, as
/// FCGX_FClose does, and fp becomes a file; a file goes through the C library's freopen.
///
/// Results: fp; NULL on failure, and then fp can only be closed. A closed fp stays so: NULL.
/// Errors: errno as fopen or freopen leaves it.
///
/// path may be NULL only where freopen allows it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn FCGI_freopen(
    path: *const c_char,
    mode: *const c_char,
    fp: *mut FCGI_FILE,
) -> *mut FCGI_FILE {
    // SAFETY: the caller promises `fp` and both strings; fopen gets no NULL.
    unsafe {
        let file = match target(fp) {
            Target::File(file) => libc::freopen(path, mode, file),
            Target::Stream(stream) if !path.is_null() => {
                FCGX_FClose(stream);
                libc::fopen(path, mode)
            }
            Target::Stream(_) | Target::Closed => return ptr::null_mut(),
        };
        // freopen has closed the old file also when it could not open the new one.
        *fp = FCGI_FILE { stdio_stream: file, fcgx_stream: ptr::null_mut() };
        if file.is_null() { ptr::null_mut() } else { fp }
    }
}

/// Closes. A stream of the request sends what it still holds and its end, as FCGX_FClose does; a
/// file goes through the C library's fclose.
///
/// Results: 0; EOF when it was closed already, and on an error while writing.
/// Errors: errno as fclose leaves it.
///
/// Side effects: frees fp, except for the three standard streams, which stay, closed.
///
/// fp: a standard stream, or what a function of this library has opened.
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

/// Closes a pipe that FCGI_popen opened and waits for the command to end, as the C library's pclose
/// does.
///
/// Results: the command's status as waitpid gives it; -1 on failure, and for whatever is no file.
/// Errors: errno as pclose leaves it.
///
/// Side effects: frees fp.
///
/// fp: what FCGI_popen has opened.
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

/// Hands on what was written and is still buffered: a stream's to the web server, as FCGX_FFlush
/// does, a file's to the system. NULL means every file of the C library, and no stream.
///
/// Results: 0; EOF on failure, and when fp is closed.
/// Errors: errno as fflush leaves it, for a file.
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

/// Chooses how a file is buffered, as the C library's setvbuf does. Streams of the request keep their
/// own buffers.
///
/// Results: 0; nonzero on failure, for a stream -1.
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

/// Gives a file a buffer of BUFSIZ bytes, or with NULL none, as the C library's setbuf does. Streams
/// of the request keep their own buffers.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn FCGI_setbuf(fp: *mut FCGI_FILE, buf: *mut c_char) {
    // SAFETY: the caller promises `fp` and `buf`.
    unsafe {
        if let Target::File(file) = target(fp) {
            libc::setbuf(file, buf);
        }
    }
}

/// Moves a file's position, as the C library's fseek does.
///
/// Results: 0; -1 on failure, and for whatever is no file.
/// Errors: errno as fseek leaves it; ESPIPE for whatever is no file.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn FCGI_fseek(fp: *mut FCGI_FILE, offset: c_long, whence: c_int) -> c_int {
    // SAFETY: the caller promises `fp`.
    unsafe { at_position(fp, |file| libc::fseek(file, offset, whence)) }
}

/// Tells a file's position, as the C library's ftell does.
///
/// Results: the position; -1 on failure, and for whatever is no file.
/// Errors: errno as ftell leaves it; ESPIPE for whatever is no file; EOVERFLOW for a position that
/// an int cannot hold.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn FCGI_ftell(fp: *mut FCGI_FILE) -> c_int {
    // SAFETY: the caller promises `fp`.
    unsafe {
        at_position(fp, |file| {
            c_int::try_from(libc::ftell(file)).unwrap_or_else(|_| failed(libc::EOVERFLOW))
        })
    }
}

/// Moves a file's position to its beginning and clears its error mark, as the C library's rewind
/// does.
///
/// Errors: errno as rewind leaves it; ESPIPE for whatever is no file.
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

/// Stores a file's position for FCGI_fsetpos, as the C library's fgetpos does.
///
/// Results: 0; nonzero on failure, for whatever is no file -1.
/// Errors: errno as fgetpos leaves it; ESPIPE for whatever is no file.
///
/// cbindgen:ignore
#[unsafe(no_mangle)]
pub unsafe extern "C" fn FCGI_fgetpos(fp: *mut FCGI_FILE, pos: *mut fpos_t) -> c_int {
    // SAFETY: the caller promises `fp` and `pos`.
    unsafe { at_position(fp, |file| libc::fgetpos(file, pos)) }
}

/// Moves a file to a position that FCGI_fgetpos has stored, as the C library's fsetpos does.
///
/// Results: 0; nonzero on failure, for whatever is no file -1.
/// Errors: errno as fsetpos leaves it; ESPIPE for whatever is no file.
///
/// pos: what FCGI_fgetpos has stored.
///
/// cbindgen:ignore
#[unsafe(no_mangle)]
pub unsafe extern "C" fn FCGI_fsetpos(fp: *mut FCGI_FILE, pos: *const fpos_t) -> c_int {
    // SAFETY: the caller promises `fp` and `pos`.
    unsafe { at_position(fp, |file| libc::fsetpos(file, pos)) }
}

/// Tells a file's descriptor, as the C library's fileno does. A stream of the request has none: its
/// records share the connection with others.
///
/// Results: the descriptor; -1 for whatever is no file.
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

/// A new FCGI_FILE for the FILE that `open` gives; NULL if it gives none.
fn new_file(open: impl FnOnce() -> *mut FILE) -> *mut FCGI_FILE {
    // Memory first: nothing open is to be undone then. It is the C library's, as some programs
    // free it themselves.
    // SAFETY: malloc takes any size.
    let fp = unsafe { libc::malloc(size_of::<FCGI_FILE>()) }.cast::<FCGI_FILE>();
    if fp.is_null() {
        return fp;
    }
    let stdio_stream = open();
    // SAFETY: `fp` is ours, and as large as a FCGI_FILE.
    unsafe {
        if stdio_stream.is_null() {
            libc::free(fp.cast());
            return ptr::null_mut();
        }
        fp.write(FCGI_FILE { stdio_stream, fcgx_stream: ptr::null_mut() });
    }
    fp
}

/// Ends a FCGI_FILE that has been closed.
///
/// # Safety
/// `fp` is NULL, a standard stream, or comes from malloc; the caller does not use it again.
unsafe fn discard(fp: *mut FCGI_FILE) {
    // SAFETY: the caller promises it; free takes NULL.
    unsafe {
        if standard().contains(&fp) {
            fp.write(FCGI_FILE::CLOSED);
        } else {
            libc::free(fp.cast());
        }
    }
}

/// Runs `work` on a file; nothing else has a position.
///
/// # Safety
/// `fp` is NULL or a FCGI_FILE.
unsafe fn at_position(fp: *mut FCGI_FILE, work: impl FnOnce(*mut FILE) -> c_int) -> c_int {
    // SAFETY: the caller promises `fp`.
    match unsafe { target(fp) } {
        Target::File(file) => work(file),
        Target::Stream(_) | Target::Closed => failed(libc::ESPIPE),
    }
}

fn failed(code: c_int) -> c_int {
    set_errno(code);
    -1
}
