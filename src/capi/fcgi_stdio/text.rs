//! Reading and writing.

use std::io;
use std::ptr;

use libc::{EOF, FILE, c_char, c_int, c_void, size_t};

use super::target::{FCGI_FILE, Target, standard_err, standard_in, standard_out, target};
use crate::capi::fcgiapp::{
    FCGX_ClearError, FCGX_GetChar, FCGX_GetError, FCGX_GetLine, FCGX_GetStr, FCGX_HasSeenEOF,
    FCGX_PutChar, FCGX_PutS, FCGX_PutStr, FCGX_Stream, FCGX_UnGetChar,
};
use crate::os::error::set_errno;

/// Reads one byte.
///
/// Returns: the byte, 0 to 255; EOF at the end and on failure.
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

/// Reads one byte of FCGI_stdin.
///
/// Returns: as FCGI_fgetc.
#[unsafe(no_mangle)]
pub extern "C" fn FCGI_getchar() -> c_int {
    // SAFETY: FCGI_stdin is always a FCGI_FILE.
    unsafe { FCGI_fgetc(standard_in()) }
}

/// Pushes one byte back: the next read returns it first. One byte always fits after a read; on a
/// stream of the request not once the end has been met.
///
/// Returns: c; EOF on failure and for EOF.
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

/// Reads a line into str: up to and including a newline, at most size - 1 bytes, and a NUL.
///
/// Returns: str; NULL if the end comes before the first byte, and on failure.
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

/// Reads the next line of FCGI_stdin into str, without its newline, and adds a NUL. It cannot know
/// how much room str has: use FCGI_fgets.
///
/// Parameters:
/// - str: room for whatever the web server sends.
///
/// Returns: str; NULL if the end comes before the first byte, and on failure.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn FCGI_gets(str: *mut c_char) -> *mut c_char {
    let mut next = str;
    loop {
        let c = FCGI_getchar();
        if c == EOF && next == str {
            return ptr::null_mut();
        }
        let end = c == EOF || c == c_int::from(b'\n');
        // SAFETY: the caller promises room for the whole line and a NUL.
        unsafe { *next = if end { 0 } else { c as c_char } };
        if end {
            return str;
        }
        next = next.wrapping_add(1);
    }
}

/// Writes one byte.
///
/// Returns: the byte, 0 to 255; EOF on failure.
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

/// Writes one byte to FCGI_stdout.
///
/// Returns: as FCGI_fputc.
#[unsafe(no_mangle)]
pub extern "C" fn FCGI_putchar(c: c_int) -> c_int {
    // SAFETY: FCGI_stdout is always a FCGI_FILE.
    unsafe { FCGI_fputc(c, standard_out()) }
}

/// Writes a string, without its NUL.
///
/// Returns: not negative (for a stream of the request the number of bytes); EOF on failure.
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
/// Returns: not negative; EOF on failure.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn FCGI_puts(str: *const c_char) -> c_int {
    // SAFETY: the caller promises `str`; FCGI_stdout is always a FCGI_FILE.
    match unsafe { FCGI_fputs(str, standard_out()) } {
        EOF => EOF,
        _ => FCGI_putchar(c_int::from(b'\n')),
    }
}

/// Reads nmemb members of size bytes each, or up to the end.
///
/// Returns: the number of whole members read; less than nmemb at the end and on failure, which
/// FCGI_feof and FCGI_ferror tell apart. Bytes of a last, incomplete member are read but not
/// counted.
///
/// Errors: EOVERFLOW if a stream is to move more bytes than a size_t can count.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn FCGI_fread(
    ptr: *mut c_void,
    size: size_t,
    nmemb: size_t,
    fp: *mut FCGI_FILE,
) -> size_t {
    // SAFETY: the caller promises `fp` and `ptr`; in_pieces stays inside the members.
    unsafe {
        let piece =
            |stream, done, count| FCGX_GetStr(ptr.cast::<c_char>().add(done), count, stream);
        move_members(fp, size, nmemb, |file| libc::fread(ptr, size, nmemb, file), piece)
    }
}

/// Writes nmemb members of size bytes each.
///
/// Returns: the number of whole members written; less than nmemb on failure.
///
/// Errors: EOVERFLOW if a stream is to move more bytes than a size_t can count.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn FCGI_fwrite(
    ptr: *mut c_void,
    size: size_t,
    nmemb: size_t,
    fp: *mut FCGI_FILE,
) -> size_t {
    // SAFETY: the caller promises `fp` and `ptr`; in_pieces stays inside the members.
    unsafe {
        let piece =
            |stream, done, count| FCGX_PutStr(ptr.cast::<c_char>().add(done), count, stream);
        move_members(fp, size, nmemb, |file| libc::fwrite(ptr, size, nmemb, file), piece)
    }
}

/// Tells whether reading has met the end.
///
/// Returns: nonzero if so, and if fp is closed; 0 otherwise.
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
/// Returns: 0 without an error; for a stream of the request as FCGX_GetError; -1 if fp is closed.
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

/// Clears the error, and the end mark of a file. A stream of the request is cleared as
/// FCGX_ClearError does.
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

/// Writes a line to FCGI_stderr: str and ": ", unless str is NULL or empty, and the message for
/// errno.
///
/// Side effects: errno stays as it is.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn FCGI_perror(str: *const c_char) {
    let code = io::Error::last_os_error().raw_os_error().unwrap_or(0);
    let mut message = [0; 256];
    // SAFETY: the caller promises `str`; strerror_r does not write the last byte of `message`, which
    // stays NUL; FCGI_stderr is always a FCGI_FILE.
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

/// Moves members: of a file with `whole`, of a stream in pieces, by `piece` with the stream, an offset and a
/// number of bytes. Returns the number of whole members.
///
/// # Safety
///
/// `fp` is NULL or a FCGI_FILE.
unsafe fn move_members(
    fp: *mut FCGI_FILE,
    size: size_t,
    nmemb: size_t,
    whole: impl FnOnce(*mut FILE) -> size_t,
    mut piece: impl FnMut(*mut FCGX_Stream, usize, c_int) -> c_int,
) -> size_t {
    // SAFETY: the caller promises `fp`.
    match unsafe { target(fp) } {
        Target::File(file) => whole(file),
        Target::Stream(stream) => in_pieces(size, nmemb, |done, count| piece(stream, done, count)),
        Target::Closed => 0,
    }
}

/// Moves size * nmemb bytes through `work`, which takes an offset and at most an int's worth of bytes,
/// and returns how many it moved. Returns the number of whole members.
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
