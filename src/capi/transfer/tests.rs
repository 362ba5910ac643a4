//! Reads and writes streams that a program has made. Miri runs these tests too.

use super::*;
use crate::capi::layout::{FCGX_Stream, NO_STREAM};

/// A stream that a program has made: with pieces of text to read, or a vector to write to.
struct Own {
    stream: FCGX_Stream,
    buffer: [u8; 8],
    pieces: Vec<&'static [u8]>,
    written: Vec<u8>,
    ends: usize,
}

unsafe extern "C" fn fill(stream: *mut FCGX_Stream) {
    // SAFETY: `own` made the stream and put itself into `data`.
    unsafe {
        let own: *mut Own = (*stream).data.cast();
        let Some(piece) = (*own).pieces.pop() else {
            (*stream).isClosed = 1;
            return;
        };
        let base: *mut u8 = (&raw mut (*own).buffer).cast();
        piece.as_ptr().copy_to(base.add(1), piece.len());
        (*stream).rdNext = base.add(1);
        (*stream).stop = base.add(1 + piece.len());
    }
}

unsafe extern "C" fn empty(stream: *mut FCGX_Stream, close: c_int) {
    // SAFETY: `own` made the stream and put itself into `data`.
    unsafe {
        let own: *mut Own = (*stream).data.cast();
        let base: *mut u8 = (&raw mut (*own).buffer).cast();
        let start = if (*stream).wrNext.is_null() { (*stream).wrNext } else { base };
        let n = (*stream).wrNext.offset_from(start) as usize;
        (*own).written.extend((0..n).map(|i| *base.add(i)));
        (*stream).wrNext = base;
        (*stream).stop = base.add(8);
        (*own).ends += close as usize;
    }
}

/// An open stream with this file's procedures, for writing.
const WRITER: FCGX_Stream =
    FCGX_Stream { isClosed: 0, fillBuffProc: Some(fill), emptyBuffProc: Some(empty), ..NO_STREAM };

fn own(stream: FCGX_Stream, pieces: &[&'static [u8]]) -> *mut Own {
    let pieces = pieces.iter().rev().copied().collect();
    let own = Own { stream, buffer: [0; 8], pieces, written: Vec::new(), ends: 0 };
    let own = Box::into_raw(Box::new(own));
    // SAFETY: `own` is a fresh allocation.
    unsafe { (*own).stream.data = own.cast() };
    own
}

/// Runs `test` on a stream that reads `pieces`.
fn reading(pieces: &[&'static [u8]], test: fn(Stream)) {
    run(own(FCGX_Stream { isReader: 1, ..WRITER }, pieces), test);
}

/// Runs `test` on a stream to write to. Returns what was written and how many times it was ended.
fn writing(test: fn(Stream)) -> (Vec<u8>, usize) {
    let own = run(own(WRITER, &[]), test);
    (own.written, own.ends)
}

fn run(own: *mut Own, test: fn(Stream)) -> Box<Own> {
    // SAFETY: the stream lives until the box is taken back, after the test.
    unsafe {
        if let Some(stream) = Stream::new(&raw mut (*own).stream) {
            test(stream);
        }
        Box::from_raw(own)
    }
}

fn get(stream: Stream, n: usize) -> Vec<u8> {
    let mut to = vec![0; n];
    // SAFETY: `to` has room for `n` bytes.
    let got = unsafe { get_bytes(stream, to.as_mut_ptr(), n) };
    to.truncate(got);
    to
}

fn line(stream: Stream, n: usize) -> Vec<u8> {
    let mut to = vec![0; n];
    // SAFETY: `to` has room for `n` bytes.
    let got = unsafe { get_line(stream, to.as_mut_ptr(), n) };
    to.truncate(got);
    to
}

fn put(stream: Stream, bytes: &[u8]) -> bool {
    // SAFETY: `bytes` is a slice.
    unsafe { put_bytes(stream, bytes.as_ptr(), bytes.len()) }
}

#[test]
fn reading_goes_on_over_the_pieces() {
    reading(&[b"abc", b"d", b"efg"], |stream| {
        assert_eq!(get(stream, 2), b"ab");
        assert_eq!(get_char(stream), c_int::from(b'c'));
        assert_eq!(get(stream, 3), b"def");
        assert_eq!(get(stream, 9), b"g");
        assert_eq!((get_char(stream), stream.is_closed()), (EOF, true));
    });
}

#[test]
fn lines_go_on_over_the_pieces() {
    reading(&[b"a", b"b\nc\n", b"\nlong", b"er"], |stream| {
        for expected in [&b"ab\n"[..], b"c\n", b"\n", b"long", b"er", b""] {
            assert_eq!(line(stream, 4), expected);
        }
    });
}

#[test]
fn bytes_are_put_back_as_far_as_they_were_read() {
    reading(&[b"ab"], |stream| {
        assert_eq!(stream.unget_char(c_int::from(b'x')), EOF);
        assert_eq!(get(stream, 2), b"ab");
        assert_eq!(stream.unget_char(EOF), EOF);
        assert_eq!(stream.unget_char(c_int::from(b'y')), c_int::from(b'y'));
        assert_eq!(stream.unget_char(c_int::from(b'x')), c_int::from(b'x'));
        assert_eq!(stream.unget_char(c_int::from(b'w')), EOF);
        assert_eq!(get(stream, 9), b"xy");
    });
}

#[test]
fn writing_flushes_when_the_room_is_used_up() {
    let (written, ends) = writing(|stream| {
        assert_eq!(put_char(stream, 0x141), 0x41);
        assert!(put(stream, b"BCDEFGHIJKLMNOPQRS"));
        assert!(put(stream, b""));
        assert_eq!(stream.flush(), 0);
        assert!(put(stream, b"T"));
        assert_eq!((stream.close(), stream.close()), (0, 0));
        assert!(!put(stream, b"late"));
        assert_eq!(put_char(stream, 0), EOF);
    });
    assert_eq!((&written[..], ends), (&b"ABCDEFGHIJKLMNOPQRST"[..], 1));
}

#[test]
fn the_first_error_stays() {
    reading(&[b"ab"], |stream| {
        stream.fail(5);
        stream.fail(-3);
        assert_eq!((stream.error(), stream.close()), (5, EOF));
        stream.set_error(0);
        assert_eq!((stream.close(), get_char(stream)), (0, EOF));
    });
}

#[test]
fn a_stream_without_procedures_ends_where_its_bytes_do() {
    writing(|stream| {
        // SAFETY: `run` keeps the stream until the test is over.
        unsafe { (*stream.as_ptr()).emptyBuffProc = None };
        assert_eq!(put_char(stream, 1), EOF);
        assert_eq!(stream.flush(), 0);
    });
}
