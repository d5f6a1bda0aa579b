//! Values of arguments: bytes, addresses, durations and sizes.

use std::time::Duration;

use bytes::Bytes;
use bytesize::ByteSize;
use clap::builder::{OsStringValueParser, TypedValueParser};

/// Takes any bytes.
pub(crate) fn bytes_parser() -> impl TypedValueParser<Value = Bytes> {
    OsStringValueParser::new().map(|arg| Bytes::from(arg.into_encoded_bytes()))
}

/// Longest path of a Unix socket that the system takes: `sun_path` of unix(7), less its final 0.
const MAX_UNIX_PATH_BYTES: usize = 107;

/// Begins an address of a server that speaks TLS.
const TLS_SCHEME: &str = "rustvaults://";

/// Reads an address; of a URL, as the client crate takes it, host and port remain, and the scheme if that says TLS.
pub(super) fn parse_addr(text: &str) -> Result<String, String> {
    // A login is refused later, without being shown.
    if text.contains('@') && unix_path(text).is_none() {
        return Ok(text.to_owned());
    }
    let (scheme, rest) = match text.strip_prefix(TLS_SCHEME) {
        Some(rest) => (TLS_SCHEME, Some(rest)),
        None => ("", text.strip_prefix("rustvault://")),
    };
    let addr = rest.map_or(text, |rest| rest.strip_suffix('/').unwrap_or(rest));
    let is_host = |host: &str| !host.is_empty() && !host.contains('/');
    let is_host_and_port =
        addr.rsplit_once(':').is_some_and(|(host, port)| is_host(host) && port.parse::<u16>().is_ok());
    match unix_path(addr).map(str::len) {
        Some(len_bytes) if len_bytes > MAX_UNIX_PATH_BYTES => Err(format!(
            "the path has {len_bytes} bytes, and the system takes {MAX_UNIX_PATH_BYTES}; give a shorter one, such as one \
            from the current directory"
        )),
        None if !is_host_and_port => Err(
            "expected HOST:PORT, such as 127.0.0.1:8080 or [::1]:8080, rustvaults://HOST:PORT, or unix:PATH"
                .to_owned(),
        ),
        _ => Ok(format!("{scheme}{addr}")),
    }
}

/// Returns host and port of an address, and whether it says TLS.
pub(crate) fn host_and_port(addr: &str) -> (&str, bool) {
    addr.strip_prefix(TLS_SCHEME).map_or((addr, false), |addr| (addr, true))
}

/// Returns the path of a Unix socket, if the address is one; a port behind `unix:` is of a host of that name.
pub(crate) fn unix_path(addr: &str) -> Option<&str> {
    addr.strip_prefix("unix:").filter(|path| !path.is_empty() && path.parse::<u16>().is_err())
}

pub(super) fn parse_timeout(text: &str) -> Result<Duration, String> {
    match humantime::parse_duration(text) {
        Ok(Duration::ZERO) => Err("must be longer than zero".to_owned()),
        Ok(timeout) => Ok(timeout),
        Err(error) => Err(format!("{error}; expected a duration such as 500ms or 5s")),
    }
}

pub(super) fn parse_size(text: &str) -> Result<usize, String> {
    let size: ByteSize =
        text.parse().map_err(|error| format!("{error}; expected a size such as 64 or 16KiB"))?;
    usize::try_from(size.as_u64()).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_need_host_and_port_or_a_path() {
        for good in ["127.0.0.1:8080", "localhost:1", "[::1]:65535", "unix:/run/rv.sock", "unix:1"] {
            assert!(parse_addr(good).is_ok(), "{good}");
        }
        for url in ["rustvault://h:1", "rustvault://h:1/"] {
            assert_eq!(parse_addr(url).as_deref(), Ok("h:1"));
        }
        assert_eq!(parse_addr("rustvaults://h:1/").as_deref(), Ok("rustvaults://h:1"));
        assert_eq!(host_and_port("rustvaults://h:1"), ("h:1", true));
        for bad in [
            "",
            "localhost",
            ":8080",
            "localhost:",
            "localhost:x",
            "localhost:65536",
            "redis://h:1",
            "rustvaults://h",
            "unix:",
        ] {
            assert!(parse_addr(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_path_has_107_bytes_at_most() {
        let addr = |path_bytes: usize| format!("unix:/{}", "x".repeat(path_bytes - 1));
        assert!(parse_addr(&addr(107)).is_ok());
        let error = parse_addr(&addr(108)).unwrap_err();
        assert!(error.contains("108 bytes") && error.contains("107") && error.contains("shorter"), "{error}");
    }

    #[test]
    fn sizes_and_durations_take_units() {
        assert_eq!(parse_size("64"), Ok(64));
        assert_eq!(parse_size("16KiB"), Ok(16 * 1024));
        assert_eq!(parse_timeout("1500ms"), Ok(Duration::from_millis(1500)));
        assert!(parse_timeout("0s").is_err());
        assert!(parse_timeout("soon").is_err());
    }
}
