//! Settings for unmodified programs: environment variables, read only when the library is initialised.
//!
//! [`SETTINGS`] is the one table of them. The code that reads and checks them follows it, and so do
//! docs/operating.md, man/libfcgi.7 and the headers (tests/settings.rs).

use std::ffi::{OsStr, OsString};
use std::fmt::Write;
use std::ops::RangeInclusive;
use std::os::unix::ffi::OsStrExt;
use std::time::Duration;

use super::peers::PeerList;
use crate::os::environment;
use crate::os::io::Stderr;
use crate::os::latest::Latest;

/// An environment variable that the library reads.
#[derive(Debug)]
pub struct Setting {
    /// The variable.
    pub name: &'static str,
    /// Which values it may have.
    pub value: Value,
    /// Its meaning, as one sentence without a full stop.
    pub says: &'static str,
}

/// Which values a variable may have, and which field of [`Config`] it sets.
#[derive(Debug)]
pub enum Value {
    /// A number. Any other value is rejected with a message on stderr, and the default is used.
    Number {
        /// The unit.
        unit: &'static str,
        /// The smallest and the largest number.
        range: RangeInclusive<u32>,
        /// The number if the variable is not set.
        default: u32,
        /// What 0 does, as the end of a sentence.
        zero: &'static str,
        /// Sets the field.
        put: fn(&mut Config, u32),
    },
    /// Any text.
    Text {
        /// How the text is written.
        form: &'static str,
        /// The effect if the variable is not set.
        default: &'static str,
        /// Sets the field.
        put: fn(&mut Config, &[u8]),
    },
}

/// The range of a number, unless there is a reason for another.
pub const ANY: RangeInclusive<u32> = 0..=i32::MAX as u32;

/// The range of a number that stands for no or yes.
pub const SWITCH: RangeInclusive<u32> = 0..=1;

/// All settings, in the order of the documents. After a change run `UPDATE_SETTINGS=1 cargo test --test
/// settings`, which writes the tables of docs/operating.md and man/libfcgi.7.
pub const SETTINGS: &[Setting] = &[
    Setting {
        name: "LIBFCGI_OS_CLOSE_POLL_TIMEOUT",
        value: Value::Number {
            unit: "milliseconds",
            range: ANY,
            default: 2000,
            zero: "does not wait",
            put: |config, number| config.close_timeout = milliseconds(number),
        },
        says: "how long to drain a connection before closing it, so that a web server that is still \
               sending does not lose the response",
    },
    Setting {
        name: "LIBFCGI_IS_AF_UNIX_KEEPER_POLL_TIMEOUT",
        value: Value::Number {
            unit: "milliseconds",
            range: ANY,
            default: 2000,
            zero: "closes a silent connection at once",
            put: |config, number| config.keeper_timeout = milliseconds(number),
        },
        says: "how long a new connection on a unix socket may take to begin a request; then it is closed",
    },
    Setting {
        name: "LIBFCGI_FIRST_BYTE_TIMEOUT",
        value: Value::Number {
            unit: "milliseconds",
            range: ANY,
            default: 60_000,
            zero: "means no limit",
            put: |config, number| config.first_byte_timeout = limit(number).map(milliseconds),
        },
        says: "how long a new connection that is not on a unix socket may take to begin a request; then \
               it is closed",
    },
    Setting {
        name: "LIBFCGI_HEAD_TIMEOUT",
        value: Value::Number {
            unit: "milliseconds",
            range: ANY,
            default: 60_000,
            zero: "means no limit",
            put: |config, number| config.head_timeout = limit(number).map(milliseconds),
        },
        says: "how long the head of a request (BEGIN_REQUEST and all parameters) may take from its \
               first byte to its last; then its connection is closed",
    },
    Setting {
        name: "LIBFCGI_DRAIN",
        value: Value::Number {
            unit: "milliseconds",
            range: ANY,
            default: 60,
            zero: "closes a silent connection at once",
            put: |config, number| config.drain = milliseconds(number),
        },
        says: "how long an open connection without a request may stay silent during a shutdown; then it \
               is closed, and a web server that uses it at that moment loses the request; with a value \
               above the web server's keep-alive time, no request on an idle connection is lost",
    },
    Setting {
        name: "LIBFCGI_MAX_WAITING",
        value: Value::Number {
            unit: "connections",
            range: ANY,
            default: 512,
            zero: "sets no limit of its own",
            put: |config, number| {
                config.max_waiting = limit(number).map_or(usize::MAX, |most| most as usize);
            },
        },
        says: "how many connections without a request a listen socket may have in one process, in \
               any case no more than three quarters of the descriptors that the process may open; \
               beyond that, the connection waiting longest is closed; idle keep-alive connections go \
               last; with the default, descriptors of requests stay below 1024",
    },
    Setting {
        name: "LIBFCGI_MAX_PARAMS_BYTES",
        value: Value::Number {
            unit: "bytes",
            range: ANY,
            default: 16 << 20,
            zero: "refuses every request that has parameters",
            put: |config, number| config.max_params = number as usize,
        },
        says: "how many bytes the parameters of one request may take; their number may be a third of \
               that; a request that exceeds either is answered with OVERLOADED, and its connection is \
               closed",
    },
    Setting {
        name: "LIBFCGI_MAX_HEADS_BYTES",
        value: Value::Number {
            unit: "bytes",
            range: ANY,
            default: 0,
            zero: "means four times LIBFCGI_MAX_PARAMS_BYTES",
            // The row of that setting is above: its field is set.
            put: |config, number| {
                config.max_heads =
                    limit(number).map_or(config.max_params.saturating_mul(4), |most| most as usize);
            },
        },
        says: "how many bytes the incomplete heads of all waiting requests of one process may take; \
               the first 64 KB of each, and a head that a thread is reading, do not count; beyond that, \
               the largest is answered with OVERLOADED, and its connection is closed",
    },
    Setting {
        name: "LIBFCGI_OUTPUT_BUFFER",
        value: Value::Number {
            unit: "bytes",
            range: ANY,
            default: 65_536,
            zero: "takes a byte at a time",
            put: |config, number| config.output_buffer = (number as usize).max(1),
        },
        says: "how much of the response of a non-blocking request (FCGX_RequestSetNonblocking) waits in the \
               library for a slow web server; FCGX_RequestWrite takes no more",
    },
    Setting {
        name: "LIBFCGI_KEEP_CONN",
        value: Value::Number {
            unit: "",
            range: SWITCH,
            default: 1,
            zero: "closes each connection after its request",
            put: |config, number| config.keep_connections = number != 0,
        },
        says: "whether a connection stays open if the web server asks for it; 0 is for programs that poll \
               the listen socket before they call Accept, behind a web server that does not keep \
               connections: each call then takes one new connection and waits for its request, and no \
               other connection waits inside the library",
    },
    Setting {
        name: "FCGI_WEB_SERVER_ADDRS",
        value: Value::Text {
            form: "IPv4 and IPv6 addresses separated by commas, without spaces, names or masks",
            default: "no list",
            put: |config, text| config.peers = PeerList::parse(text),
        },
        says: "which web servers may connect over TCP; connections from others are closed",
    },
];

/// The values of [`SETTINGS`], from the environment or the defaults.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Config {
    /// How long to drain a connection before closing it.
    pub close_timeout: Duration,
    /// How long a new connection on a unix socket may stay silent.
    pub keeper_timeout: Duration,
    /// How long any other new connection may stay silent.
    pub first_byte_timeout: Option<Duration>,
    /// How long the head of a request may take, from its first byte to its last.
    pub head_timeout: Option<Duration>,
    /// How long a connection without a request may stay silent during a shutdown.
    pub drain: Duration,
    /// The most bytes of parameters in one request.
    pub max_params: usize,
    /// The most bytes in all incomplete heads together.
    pub max_heads: usize,
    /// The most connections without a request for one listen socket.
    pub max_waiting: usize,
    /// How many bytes of a non-blocking request wait to be sent.
    pub output_buffer: usize,
    /// Whether a connection stays open if the web server asks for it, and waits together with others.
    pub keep_connections: bool,
    /// The web servers that may connect.
    pub peers: PeerList,
}

static CONFIG: Latest<Config> = Latest::empty();

/// The settings until the environment is read.
static DEFAULTS: Latest<Config> = Latest::empty();

/// Returns the settings of this process: the defaults until [`read`] is called.
pub fn get() -> &'static Config {
    CONFIG.get().unwrap_or_else(|| DEFAULTS.get_or_make(|| Config::of(&|_| None)))
}

/// Reads the settings from the environment; later calls of [`get`] return them. Called by one thread at a
/// time, when the library is initialised and when it is started again. Keeps the settings if a request's
/// environment has replaced the program's own, or if out of memory.
pub(crate) fn read() {
    if CONFIG.get().is_none() {
        CONFIG.get_or_make(Config::of_environment);
    } else if environment::belongs_to_program() {
        let _ = CONFIG.replace(Config::of_environment());
    }
}

const fn milliseconds(number: u32) -> Duration {
    Duration::from_millis(number as u64)
}

/// Returns `None`, no limit, for 0.
fn limit(number: u32) -> Option<u32> {
    (number != 0).then_some(number)
}

impl Config {
    fn of_environment() -> Self {
        Self::of(&environment::variable)
    }

    fn of(variable: &dyn Fn(&str) -> Option<OsString>) -> Self {
        let mut config = Self::default();
        for setting in SETTINGS {
            let text = variable(setting.name);
            match &setting.value {
                Value::Number { range, default, put, .. } => {
                    let number = text.and_then(|text| {
                        let number = parse(&text, range);
                        if number.is_none() {
                            complain(setting.name, &text, range, *default);
                        }
                        number
                    });
                    put(&mut config, number.unwrap_or(*default));
                }
                Value::Text { put, .. } => put(&mut config, text.unwrap_or_default().as_bytes()),
            }
        }
        config
    }
}

fn parse(text: &OsStr, range: &RangeInclusive<u32>) -> Option<u32> {
    let number = text.to_str()?.parse().ok()?;
    range.contains(&number).then_some(number)
}

fn complain(name: &str, text: &OsStr, range: &RangeInclusive<u32>, default: u32) {
    let (least, most) = (range.start(), range.end());
    let value = text.to_string_lossy();
    // If stderr is closed, the message is lost.
    let _ = writeln!(
        Stderr,
        "libfcgi: {name}={value} is not a number from {least} to {most}; using {default}"
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(name: &'static str, value: &'static str) -> Config {
        Config::of(&move |asked| (asked == name).then(|| OsString::from(value)))
    }

    #[test]
    fn defaults() {
        let config = with("OTHER", "1");
        assert_eq!(config.close_timeout, Duration::from_secs(2));
        assert_eq!(config.keeper_timeout, Duration::from_secs(2));
        assert_eq!(config.max_params, 16 << 20);
        assert_eq!(config.max_heads, 64 << 20);
        assert_eq!(config.first_byte_timeout, Some(Duration::from_secs(60)));
        assert_eq!(config.head_timeout, Some(Duration::from_secs(60)));
        assert_eq!(config.max_waiting, 512);
        assert_eq!(config.drain, Duration::from_millis(60));
        assert!(config.keep_connections);
    }

    #[test]
    fn no_limit_is_0() {
        assert_eq!(with("LIBFCGI_FIRST_BYTE_TIMEOUT", "0").first_byte_timeout, None);
        assert_eq!(with("LIBFCGI_HEAD_TIMEOUT", "0").head_timeout, None);
        assert_eq!(with("LIBFCGI_HEAD_TIMEOUT", "7").head_timeout, Some(Duration::from_millis(7)));
        assert_eq!(with("LIBFCGI_MAX_WAITING", "0").max_waiting, usize::MAX);
    }

    #[test]
    fn numbers_are_taken_and_anything_else_keeps_the_default() {
        let timeout = |text| with("LIBFCGI_OS_CLOSE_POLL_TIMEOUT", text).close_timeout;
        assert_eq!(timeout("0"), Duration::ZERO);
        assert_eq!(timeout("2147483647"), Duration::from_millis(2_147_483_647));
        for bad in ["", "-1", "5s", " 5", "2147483648", "x"] {
            assert_eq!(timeout(bad), Duration::from_secs(2), "{bad:?}");
        }
        assert_eq!(with("LIBFCGI_MAX_PARAMS_BYTES", "100").max_params, 100);
    }

    #[test]
    fn a_switch_is_0_or_1() {
        assert!(!with("LIBFCGI_KEEP_CONN", "0").keep_connections);
        for kept in ["1", "2", "no", ""] {
            assert!(with("LIBFCGI_KEEP_CONN", kept).keep_connections, "{kept:?}");
        }
    }

    #[test]
    fn a_default_that_depends_on_another_setting_follows_it() {
        let both = |params: &'static str, heads: &'static str| {
            Config::of(&move |asked| match asked {
                "LIBFCGI_MAX_PARAMS_BYTES" => Some(params.into()),
                "LIBFCGI_MAX_HEADS_BYTES" => Some(heads.into()),
                _ => None,
            })
            .max_heads
        };
        assert_eq!(both("100", "0"), 400);
        assert_eq!(both("100", "7"), 7);
        assert_eq!(both("100", "x"), 400);
        assert_eq!(both("2147483647", "0"), 2_147_483_647_usize.saturating_mul(4));
    }
}
