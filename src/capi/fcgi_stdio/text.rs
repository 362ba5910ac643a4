//! Reading and writing.

use std::io;
use std::ptr;

use libc::{EOF, c_char, c_int, c_void, size_t};

use super::{FCGI_FILE, Target, standard_err, standard_in, standard_out, target};
use crate::capi::fcgiapp::{
    FCGX_ClearError, FCGX_GetChar, FCGX_GetError, FCGX_GetLine, FCGX_GetStr, FCGX_HasSeenEOF,
    FCGX_PutChar, FCGX_PutS, FCGX_PutStr, FCGX_UnGetChar,
};
use crate::os::error::set_errno;

/// Reads one byte.
///
/// Results: the byte, 0 to 255; EOF at the end, on failure, and when fp is closed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn FCGI_fgetc(fp: *mut FCGI_FILE) -> c_int {
    // SAFETY: the caller promises `fp`.
    unsafe {
        match target(fp) {
            Target::File(file) => libc::fgetc(file),
            Target::Stream(stream) => FCGX_GetChar(stream),
            Target::Closed => EOF,
        }
    }
}

/// FCGI_fgetc from FCGI_stdin.
#[unsafe(no_mangle)]
pub extern "C" fn FCGI_getchar() -> c_int {
    // SAFETY: FCGI_stdin always is a FCGI_FILE.
    unsafe { FCGI_fgetc(standard_in()) }
}

/// Puts one byte back, which is read next. One is always possible after a read; on a stream of the
/// request not once its end has been met.
///
/// Results: c; EOF on failure, for EOF, and when fp is closed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn FCGI_ungetc(c: c_int, fp: *mut FCGI_FILE) -> c_int {
    // SAFETY: the caller promises `fp`.
    unsafe {
        match target(fp) {
            Target::File(file) => libc::ungetc(c, file),
            Target::Stream(stream) => FCGX_UnGetChar(c, stream),
            Target::Closed => EOF,
        }
    }
}

/// Reads up to and with the next newline, at most size - 1 bytes, and puts a NUL behind them.
///
/// Results: str; NULL when the end comes before the first byte, on failure, and when fp is
/// closed.
///
/// str: room for size bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn FCGI_fgets(
    str: *mut c_char,
    size: c_int,
    fp: *mut FCGI_FILE,
) -> *mut c_char {
    // SAFETY: the caller promises `fp` and `str`.
    unsafe {
        match target(fp) {
            Target::File(file) => libc::fgets(str, size, file),
            Target::Stream(stream) => FCGX_GetLine(str, size, stream),
            Target::Closed => ptr::null_mut(),
        }
    }
}

/// Reads the next line of FCGI_stdin without its newline and puts a NUL behind it. It cannot know
/// how much room there is: use FCGI_fgets.
///
/// Results: str; NULL when the end comes before the first byte, and on failure.
///
/// str: room for whatever the web server sends.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn FCGI_gets(str: *mut c_char) -> *mut c_char {
    let mut next = str;
    loop {
        let c = FCGI_getchar();
        if c == EOF && next == str {
            return ptr::null_mut();
        }
        let end = c == EOF || c == c_int::from(b'\n');
        // SAFETY: the caller promises room.
        unsafe { *next = if end { 0 } else { c as c_char } };
        if end {
            return str;
        }
        next = next.wrapping_add(1);
    }
}

/// Writes one byte.
///
/// Results: the byte, 0 to 255; EOF on failure, and when fp is closed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn FCGI_fputc(c: c_int, fp: *mut FCGI_FILE) -> c_int {
    // SAFETY: the caller promises `fp`.
    unsafe {
        match target(fp) {
            Target::File(file) => libc::fputc(c, file),
            Target::Stream(stream) => FCGX_PutChar(c, stream),
            Target::Closed => EOF,
        }
    }
}

/// FCGI_fputc to FCGI_stdout.
#[unsafe(no_mangle)]
pub extern "C" fn FCGI_putchar(c: c_int) -> c_int {
    // SAFETY: FCGI_stdout always is a FCGI_FILE.
    unsafe { FCGI_fputc(c, standard_out()) }
}

/// Writes a string, without its NUL.
///
/// Results: not negative (for a stream of the request the number of bytes); EOF on failure, and when
/// fp is closed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn FCGI_fputs(str: *const c_char, fp: *mut FCGI_FILE) -> c_int {
    // SAFETY: the caller promises `fp` and `str`.
    unsafe {
        match target(fp) {
            Target::File(file) => libc::fputs(str, file),
            Target::Stream(stream) => FCGX_PutS(str, stream),
            Target::Closed => EOF,
        }
    }
}

/// Writes a string and a newline to FCGI_stdout.
///
/// Results: not negative; EOF on failure, and when FCGI_stdout is closed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn FCGI_puts(str: *const c_char) -> c_int {
    // SAFETY: the caller promises `str`; FCGI_stdout always is a FCGI_FILE.
    match unsafe { FCGI_fputs(str, standard_out()) } {
        EOF => EOF,
        _ => FCGI_putchar(c_int::from(b'\n')),
    }
}

/// Reads nmemb members of size bytes each, or up to the end.
///
/// Results: the number of whole members read; less than nmemb at the end and on failure, which
/// FCGI_feof and FCGI_ferror tell apart; 0 when fp is closed. Bytes of a last, incomplete member
/// are read but not counted.
/// Errors: EOVERFLOW when size times nmemb is no size_t.
///
/// ptr: room for nmemb members.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn FCGI_fread(
    ptr: *mut c_void,
    size: size_t,
    nmemb: size_t,
    fp: *mut FCGI_FILE,
) -> size_t {
    // SAFETY: the caller promises `fp` and `ptr`; in_pieces stays inside the members.
    unsafe {
        match target(fp) {
            Target::File(file) => libc::fread(ptr, size, nmemb, file),
            Target::Stream(stream) => in_pieces(size, nmemb, |done, count| {
                FCGX_GetStr(ptr.cast::<c_char>().add(done), count, stream)
            }),
            Target::Closed => 0,
        }
    }
}

/// Writes nmemb members of size bytes each.
///
/// Results: the number of whole members written; less than nmemb on failure; 0 when fp is closed.
/// Errors: EOVERFLOW when size times nmemb is no size_t.
///
/// ptr: nmemb members.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn FCGI_fwrite(
    ptr: *mut c_void,
    size: size_t,
    nmemb: size_t,
    fp: *mut FCGI_FILE,
) -> size_t {
    // SAFETY: the caller promises `fp` and `ptr`; in_pieces stays inside the members.
    unsafe {
        match target(fp) {
            Target::File(file) => libc::fwrite(ptr, size, nmemb, file),
            Target::Stream(stream) => in_pieces(size, nmemb, |done, count| {
                FCGX_PutStr(ptr.cast::<c_char>().add(done), count, stream)
            }),
            Target::Closed => 0,
        }
    }
}

/// Tells whether the end of the input has been met.
///
/// Results: nonzero if so, and when fp is closed; 0 otherwise.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn FCGI_feof(fp: *mut FCGI_FILE) -> c_int {
    // SAFETY: the caller promises `fp`.
    unsafe {
        match target(fp) {
            Target::File(file) => libc::feof(file),
            Target::Stream(stream) => FCGX_HasSeenEOF(stream),
            Target::Closed => EOF,
        }
    }
}

/// Tells whether an error has happened.
///
/// Results: 0 if none; for a stream of the request what FCGX_GetError says; -1 when fp is closed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn FCGI_ferror(fp: *mut FCGI_FILE) -> c_int {
    // SAFETY: the caller promises `fp`.
    unsafe {
        match target(fp) {
            Target::File(file) => libc::ferror(file),
            Target::Stream(stream) => FCGX_GetError(stream),
            Target::Closed => EOF,
        }
    }
}

/// Clears the error, and a file's end mark, as FCGX_ClearError or the C library's clearerr does.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn FCGI_clearerr(fp: *mut FCGI_FILE) {
    // SAFETY: the caller promises `fp`.
    unsafe {
        match target(fp) {
            Target::File(file) => libc::clearerr(file),
            Target::Stream(stream) => FCGX_ClearError(stream),
            Target::Closed => {}
        }
    }
}

/// Writes a line to FCGI_stderr: str and ": ", unless it is NULL or empty, and the message for
/// errno.
///
/// Side effects: errno stays.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn FCGI_perror(str: *const c_char) {
    let code = io::Error::last_os_error().raw_os_error().unwrap_or(0);
    let mut message = [0; 256];
    // SAFETY: the caller promises `str`; strerror_r leaves a string in `message`, whose last byte it
    // does not touch; FCGI_stderr always is a FCGI_FILE.
    unsafe {
        libc::strerror_r(code, message.as_mut_ptr(), message.len() - 1);
        if !str.is_null() && *str != 0 {
            FCGI_fputs(str, standard_err());
            FCGI_fputs(c": ".as_ptr(), standard_err());
        }
        FCGI_fputs(message.as_ptr(), standard_err());
        FCGI_fputc(c_int::from(b'\n'), standard_err());
    }
    set_errno(code);
}

/// Moves size * nmemb bytes through `work`, which takes at most an int's worth at a time, from the
/// offset it is told, and says how many bytes it moved. Gives the number of whole members.
fn in_pieces(size: size_t, nmemb: size_t, mut work: impl FnMut(usize, c_int) -> c_int) -> size_t {
    let Some(total) = size.checked_mul(nmemb) else {
        set_errno(libc::EOVERFLOW);
        return 0;
    };
    let mut done = 0;
    while done < total {
        let count = c_int::try_from(total - done).unwrap_or(c_int::MAX);
        let moved = work(done, count);
        done += usize::try_from(moved).unwrap_or(0);
        if moved < count {
            break;
        }
    }
    done.checked_div(size).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LARGEST: usize = c_int::MAX as usize;

    #[test]
    fn more_than_an_int_is_moved_in_pieces() {
        let mut pieces = Vec::new();
        let members = in_pieces(2, LARGEST, |done, count| {
            pieces.push((done, count));
            count
        });
        assert_eq!(members, LARGEST);
        assert_eq!(pieces, [(0, c_int::MAX), (LARGEST, c_int::MAX)]);
    }

    #[test]
    fn a_short_piece_is_the_last() {
        assert_eq!(in_pieces(3, 4, |_, _| 8), 2);
        assert_eq!(in_pieces(3, 4, |_, _| 0), 0);
        assert_eq!(in_pieces(1, 4, |_, _| EOF), 0);
        assert_eq!(
            in_pieces(1, LARGEST + 5, |done, _| if done == 0 { c_int::MAX } else { EOF }),
            LARGEST
        );
    }

    #[test]
    fn nothing_to_move_asks_for_nothing() {
        for (size, nmemb) in [(0, 3), (3, 0), (0, 0)] {
            assert_eq!(in_pieces(size, nmemb, |_, _| unreachable!()), 0);
        }
    }

    #[test]
    fn more_than_there_can_be_is_refused() {
        assert_eq!(in_pieces(usize::MAX, 2, |_, _| unreachable!()), 0);
        assert_eq!(io::Error::last_os_error().raw_os_error(), Some(libc::EOVERFLOW));
    }
}
