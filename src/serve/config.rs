//! Settings for unmodified programs: environment variables, read when the library begins.

use std::ffi::OsStr;
use std::io::Write;
use std::os::unix::ffi::OsStrExt;
use std::time::Duration;

use super::peers::PeerList;
use crate::os::io::Stderr;
use crate::os::latest::Latest;

/// What the environment says, or the defaults.
#[derive(Debug, PartialEq, Eq)]
pub struct Config {
    /// How long closing waits for a peer that still sends (LIBFCGI_OS_CLOSE_POLL_TIMEOUT).
    pub close_timeout: Duration,
    /// How long a peer on a unix socket may stay silent after connecting
    /// (LIBFCGI_IS_AF_UNIX_KEEPER_POLL_TIMEOUT).
    pub keeper_timeout: Duration,
    /// How long any other peer may stay silent after connecting (LIBFCGI_FIRST_BYTE_TIMEOUT).
    pub first_byte_timeout: Option<Duration>,
    /// How long the head of a request may take from its first byte on (LIBFCGI_HEAD_TIMEOUT).
    pub head_timeout: Option<Duration>,
    /// Bytes of parameters that one request may have (LIBFCGI_MAX_PARAMS_BYTES).
    pub max_params: usize,
    /// Connections without a request that one listen socket may have (LIBFCGI_MAX_WAITING).
    pub max_waiting: usize,
    /// Web servers that may connect (FCGI_WEB_SERVER_ADDRS).
    pub peers: PeerList,
}

static CONFIG: Latest<Config> = Latest::empty();

/// The settings of this process; read from the environment at the first call.
pub fn get() -> &'static Config {
    CONFIG.get_or_make(Config::of_environment)
}

/// Reads the environment again, for what asks for the settings from now on. To be called by one thread
/// at a time. Without memory for them the settings stay as they are.
pub fn read_again() {
    if CONFIG.get().is_none() {
        get();
    } else {
        let _ = CONFIG.replace(Config::of_environment());
    }
}

impl Config {
    fn of_environment() -> Self {
        Self::read(&|name| std::env::var_os(name))
    }

    fn read(variable: &dyn Fn(&str) -> Option<std::ffi::OsString>) -> Self {
        let number = |name, default| {
            let text = variable(name)?;
            let value = parse(&text);
            if value.is_none() {
                complain(name, &text, default);
            }
            value
        };
        let milliseconds =
            |name, default| Duration::from_millis(number(name, default).unwrap_or(default));
        let limit = |name, default| match number(name, default).unwrap_or(default) {
            0 => None,
            limit => Some(limit),
        };
        let max_params = number("LIBFCGI_MAX_PARAMS_BYTES", 16 << 20).unwrap_or(16 << 20);
        let max_waiting = limit("LIBFCGI_MAX_WAITING", 4096);
        let peers = variable("FCGI_WEB_SERVER_ADDRS").unwrap_or_default();
        Self {
            close_timeout: milliseconds("LIBFCGI_OS_CLOSE_POLL_TIMEOUT", 2000),
            keeper_timeout: milliseconds("LIBFCGI_IS_AF_UNIX_KEEPER_POLL_TIMEOUT", 2000),
            first_byte_timeout: limit("LIBFCGI_FIRST_BYTE_TIMEOUT", 60_000)
                .map(Duration::from_millis),
            head_timeout: limit("LIBFCGI_HEAD_TIMEOUT", 60_000).map(Duration::from_millis),
            max_params: usize::try_from(max_params).unwrap_or(usize::MAX),
            max_waiting: max_waiting.map_or(usize::MAX, |most| most as usize),
            peers: PeerList::parse(peers.as_bytes()),
        }
    }
}

fn parse(text: &OsStr) -> Option<u64> {
    let number: u32 = text.to_str()?.parse().ok()?;
    (number <= i32::MAX as u32).then_some(u64::from(number))
}

fn complain(name: &str, text: &OsStr, default: u64) {
    let value = text.to_string_lossy();
    // Nobody is left to tell when stderr is closed.
    let _ = writeln!(
        Stderr,
        "libfcgi: {name}={value} is not a number from 0 to 2147483647; using {default}"
    );
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::ffi::OsString;

    fn with(name: &'static str, value: &'static str) -> Config {
        Config::read(&move |asked| (asked == name).then(|| OsString::from(value)))
    }

    #[test]
    fn defaults() {
        let config = with("OTHER", "1");
        assert_eq!(config.close_timeout, Duration::from_secs(2));
        assert_eq!(config.keeper_timeout, Duration::from_secs(2));
        assert_eq!(config.max_params, 16 << 20);
        assert_eq!(config.first_byte_timeout, Some(Duration::from_secs(60)));
        assert_eq!(config.head_timeout, Some(Duration::from_secs(60)));
        assert_eq!(config.max_waiting, 4096);
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
}
