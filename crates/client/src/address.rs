//! Addresses of servers: `host:port`, `unix:PATH` and `rustvault://` URLs.

use std::io;
use std::num::NonZeroU16;
use std::time::Duration;

use crate::Options;
use crate::error::{Error, ErrorKind};

/// Port of a URL that names none.
const DEFAULT_PORT: u16 = 8080;

/// Begins an address that is the path of a Unix socket.
const UNIX_PREFIX: &str = "unix:";

/// Forms of an address, for errors.
const FORMS: &str = "expected HOST:PORT, unix:PATH or rustvault://HOST:PORT";

/// Server to connect to, and the options of the connection.
#[derive(Debug)]
pub(crate) struct Target {
    /// The address, for people.
    pub(crate) addr: String,
    pub(crate) endpoint: Endpoint,
    pub(crate) options: Options,
}

/// A socket's address.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Endpoint {
    /// `host:port`.
    Tcp(String),
    /// The path of a Unix socket.
    Unix(String),
}

impl Target {
    /// Reads an address; options of a URL take precedence over those given.
    pub(crate) fn parse(addr: &str, options: Options) -> Result<Self, Error> {
        let parsed = match (unix_path(addr), addr.split_once("://")) {
            (Some(path), _) => Ok((Endpoint::Unix(path.to_owned()), options)),
            (None, Some((scheme, rest))) => parse_url(scheme, rest, options),
            (None, None) if has_port(addr) => Ok((Endpoint::Tcp(addr.to_owned()), options)),
            (None, None) => Err(format!("the port is missing: {FORMS}")),
        };
        let (endpoint, options) =
            parsed.map_err(|problem| ErrorKind::Address { addr: without_user(addr), problem })?;
        let addr = match &endpoint {
            Endpoint::Tcp(addr) => addr.clone(),
            Endpoint::Unix(path) => format!("{UNIX_PREFIX}{path}"),
        };
        Ok(Self { addr, endpoint, options })
    }

    pub(crate) fn connect_error(&self, source: io::Error) -> Error {
        ErrorKind::Connect { addr: self.addr.clone(), source }.into()
    }
}

fn has_port(addr: &str) -> bool {
    addr.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok())
}

/// Returns the path of a Unix socket, if the address is one: `unix:` and anything but a port number.
fn unix_path(addr: &str) -> Option<&str> {
    addr.strip_prefix(UNIX_PREFIX).filter(|path| path.parse::<u16>().is_err() && !path.starts_with("//"))
}

fn parse_url(scheme: &str, rest: &str, mut options: Options) -> Result<(Endpoint, Options), String> {
    match scheme.to_ascii_lowercase().as_str() {
        "rustvault" => {}
        "rustvaults" => {
            return Err("TLS is not supported yet: write rustvault:// for a connection without".into());
        }
        _ => return Err(format!("unknown scheme '{}': {FORMS}", scheme.escape_debug())),
    }
    let (place, query) = rest.split_once('?').unwrap_or((rest, ""));
    let (host, path) = place.split_once('/').unwrap_or((place, ""));
    let port = with_port(host);
    // A password may have any character, also one that ends the host.
    if host.contains('@') || (port.is_err() && rest.contains('@')) {
        return Err("a user or password is not supported yet: write rustvault://HOST:PORT".into());
    }
    if !path.is_empty() {
        return Err("a path is not supported: there is one database; write rustvault://HOST:PORT".into());
    }
    for parameter in query.split('&').filter(|parameter| !parameter.is_empty()) {
        options = with_parameter(options, parameter)?;
    }
    Ok((Endpoint::Tcp(port?), options))
}

/// Adds the usual port where there is none. The colons of an IPv6 address stand in brackets.
fn with_port(host: &str) -> Result<String, String> {
    let behind_brackets = host.rfind(']').map_or(host, |end| host.split_at(end).1);
    match behind_brackets.rsplit_once(':') {
        _ if host.is_empty() || host.starts_with(':') => Err(format!("the host is missing: {FORMS}")),
        None => Ok(format!("{host}:{DEFAULT_PORT}")),
        Some((_, port)) if port.parse::<NonZeroU16>().is_ok() => Ok(host.to_owned()),
        Some((_, port)) => Err(format!("'{}' is no port: expected 1 to 65535", port.escape_debug())),
    }
}

fn with_parameter(options: Options, parameter: &str) -> Result<Options, String> {
    let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
    let expected = |form: &str| format!("{name}={}: expected {form}", value.escape_debug());
    let time = || -> Result<Duration, String> {
        humantime::parse_duration(value).map_err(|_| expected("a duration such as 2s or 500ms"))
    };
    let flag = || -> Result<bool, String> { value.parse().map_err(|_| expected("true or false")) };
    let bytes = || -> Result<usize, String> { value.parse().map_err(|_| expected("a number of bytes")) };
    Ok(match name {
        "connect_timeout" => options.connect_timeout(time()?),
        "request_timeout" => options.request_timeout(time()?),
        "reconnect" => options.reconnect(flag()?),
        "one_connection" => options.one_connection(flag()?),
        "max_key_bytes" => options.max_key_bytes(bytes()?),
        "max_value_bytes" => options.max_value_bytes(bytes()?),
        "client_name" if value.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'%') => {
            options.client_name(value)
        }
        "client_name" => return Err(expected("printable ASCII without spaces and %")),
        _ => {
            return Err(format!(
                "unknown option '{}': expected client_name, connect_timeout, max_key_bytes, max_value_bytes, \
                 one_connection, reconnect or request_timeout",
                name.escape_debug()
            ));
        }
    })
}

/// Returns the address without what stands before an `@`, which may be a password.
fn without_user(addr: &str) -> String {
    match (addr.split_once("://"), addr.rfind('@')) {
        (Some((scheme, _)), Some(at)) => format!("{scheme}://…{}", addr.split_at(at).1),
        _ => addr.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn endpoint(addr: &str) -> Endpoint {
        Target::parse(addr, Options::new()).unwrap().endpoint
    }

    fn tcp(addr: &str) -> Endpoint {
        Endpoint::Tcp(addr.to_owned())
    }

    #[test]
    fn an_address_behind_unix_is_a_path_unless_it_is_a_port() {
        assert_eq!(endpoint("unix:/run/rv.sock"), Endpoint::Unix("/run/rv.sock".into()));
        assert_eq!(endpoint("unix:rv.sock"), Endpoint::Unix("rv.sock".into()));
        for addr in ["unix:8080", "localhost:8080", "[::1]:8080"] {
            assert_eq!(endpoint(addr), tcp(addr));
        }
    }

    #[test]
    fn a_url_has_a_usual_port() {
        assert_eq!(endpoint("rustvault://db:9000"), tcp("db:9000"));
        assert_eq!(endpoint("rustvault://db"), tcp("db:8080"));
        assert_eq!(endpoint("RUSTVAULT://[::1]/"), tcp("[::1]:8080"));
        assert_eq!(endpoint("rustvault://[::1]:9000"), tcp("[::1]:9000"));
    }

    #[test]
    fn options_of_a_url_take_precedence() {
        let url = "rustvault://db?request_timeout=2s&connect_timeout=500ms&reconnect=false&one_connection=true\
            &client_name=web-1&max_key_bytes=10&max_value_bytes=20";
        let given = Options::new().request_timeout(Duration::from_secs(9)).client_name("other");
        let options = Target::parse(url, given).unwrap().options;
        assert_eq!(options.request_timeout, Duration::from_secs(2));
        assert_eq!(options.connect_timeout, Duration::from_millis(500));
        assert!(!options.reconnect && options.one_connection);
        assert_eq!(options.client_name.as_deref(), Some("web-1"));
        assert_eq!((options.limits.max_key_bytes, options.limits.max_value_bytes), (10, 20));
    }

    #[test]
    fn what_is_wrong_with_an_address_is_said() {
        for (url, problem) in [
            ("127.0.0.1", "the port is missing: expected HOST:PORT"),
            ("db:http", "the port is missing"),
            ("rustvaults://db", "TLS is not supported yet"),
            ("redis://db:6379", "unknown scheme 'redis': expected HOST:PORT"),
            ("rustvault://", "the host is missing"),
            ("rustvault://:8080", "the host is missing"),
            ("rustvault://db:http", "'http' is no port"),
            ("rustvault://db:99999", "'99999' is no port"),
            ("rustvault://db:0", "'0' is no port"),
            ("rustvault://app:secret@db", "a user or password is not supported yet"),
            ("rustvault://app:secret/1@db", "a user or password is not supported yet"),
            ("rustvault://app:secret?1@db", "a user or password is not supported yet"),
            ("rustvault://db/1", "a path is not supported"),
            ("rustvault://db?request_timeout=soon", "expected a duration such as 2s"),
            ("rustvault://db?reconnect=maybe", "expected true or false"),
            ("rustvault://db?client_name=a%20b", "printable ASCII"),
            ("rustvault://db?timeout=2s", "unknown option 'timeout'"),
        ] {
            let error = Target::parse(url, Options::new()).unwrap_err();
            assert!(error.to_string().contains(problem), "{error}");
            assert!(!error.is_retryable() && !error.is_not_connected() && error.code().is_none());
            assert!(!error.to_string().contains("secret"), "{error}");
        }
    }
}
