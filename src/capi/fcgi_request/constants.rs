//! Flags and selectors.

use std::ffi::c_int;

/// The level of the functions in this header. It grows when functions are added.
pub const FCGX_API_LEVEL: c_int = 2;

/// Flag for FCGX_RequestNew: a signal that was handled ends a wait with FCGX_INTERRUPTED, unless its
/// handler has SA_RESTART.
pub const FCGX_INTERRUPTIBLE: c_int = 1;
/// Flag for FCGX_RequestNew: SIGINT, SIGTERM and SIGUSR1 request shutdown, from now on and in the
/// whole process, in place of the handlers that the program or its language has installed.
pub const FCGX_TAKE_SIGNALS: c_int = 2;

/// For FCGX_RequestInfo: the role, 1 for a Responder, 2 for an Authorizer, 3 for a Filter.
pub const FCGX_INFO_ROLE: c_int = 1;
/// For FCGX_RequestInfo: the request id of its records, 1 to 65535.
pub const FCGX_INFO_ID: c_int = 2;
/// For FCGX_RequestInfo: 1 if the connection stays open after the request, 0 if not.
pub const FCGX_INFO_KEEP: c_int = 3;
/// For FCGX_RequestInfo: the descriptor of the connection, to be polled. It must not be read, written
/// or closed.
pub const FCGX_INFO_DESCRIPTOR: c_int = 4;
/// For FCGX_RequestInfo: how many bytes of a non-blocking request wait to be sent.
pub const FCGX_INFO_UNSENT: c_int = 5;

/// For FCGX_RequestStream: the body.
pub const FCGX_STREAM_IN: c_int = 0;
/// For FCGX_RequestStream: the response.
pub const FCGX_STREAM_OUT: c_int = 1;
/// For FCGX_RequestStream: messages for the web server's log.
pub const FCGX_STREAM_ERR: c_int = 2;
