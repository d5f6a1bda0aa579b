//! Addresses of servers: `host:port`, `unix:PATH` and `rustvault://` URLs.

use std::io;
use std::num::NonZeroU16;
use std::sync::Arc;
use std::time::Duration;

use crate::Options;
use crate::error::{Error, ErrorKind};
use crate::tls::TlsDialer;

/// Port of a URL that names none.
const DEFAULT_PORT: u16 = 8080;

/// Begins an address that is the path of a Unix socket.
const UNIX_PREFIX: &str = "unix:";

/// Forms of an address, for errors.
const FORMS: &str = "expected HOST:PORT, unix:PATH, rustvault://HOST:PORT or rustvaults://HOST:PORT";

/// Way to write a login, for errors.
const LOGIN_FORM: &str =
    "write rustvault://USER:PASSWORD@HOST:PORT, with %2F for a /, %3F for a ?, %40 for an @, %25 for a %";

/// Server to connect to, and the options of the connection.
#[derive(Debug)]
pub(crate) struct Target {
    /// The address, for people.
    pub(crate) addr: String,
    pub(crate) endpoint: Endpoint,
    pub(crate) options: Options,
    /// `None` for connections without TLS.
    pub(crate) tls: Option<Arc<TlsDialer>>,
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
            (None, None) if addr.contains('@') => Err(format!("a login stands in a URL: {LOGIN_FORM}")),
            (None, None) if has_port(addr) => Ok((Endpoint::Tcp(addr.to_owned()), options)),
            (None, None) => Err(format!("the port is missing: {FORMS}")),
        };
        let parsed = parsed.and_then(|(endpoint, options)| {
            check_login(&options)?;
            Ok((tls_of(&endpoint, &options)?, endpoint, options))
        });
        let (tls, endpoint, options) =
            parsed.map_err(|problem| ErrorKind::Address { addr: without_user(addr), problem })?;
        let addr = match &endpoint {
            Endpoint::Tcp(addr) => addr.clone(),
            Endpoint::Unix(path) => format!("{UNIX_PREFIX}{path}"),
        };
        Ok(Self { addr, endpoint, options, tls })
    }

    pub(crate) fn connect_error(&self, source: io::Error) -> Error {
        ErrorKind::Connect { addr: self.addr.clone(), source }.into()
    }
}

fn check_login(options: &Options) -> Result<(), String> {
    match &options.user {
        Some(_) if options.password.is_none() => {
            Err("the user has no password: set one, or write it behind the user, USER:PASSWORD@HOST"
                .to_owned())
        }
        Some(user) if user.is_empty() => Err("the user's name is empty".to_owned()),
        _ => Ok(()),
    }
}

fn tls_of(endpoint: &Endpoint, options: &Options) -> Result<Option<Arc<TlsDialer>>, String> {
    let Some(tls) = options.tls.clone() else { return Ok(None) };
    match endpoint {
        Endpoint::Tcp(addr) => {
            let host = addr.rsplit_once(':').map_or(addr.as_str(), |(host, _)| host);
            TlsDialer::of_host(tls, host).map(|dialer| Some(Arc::new(dialer)))
        }
        Endpoint::Unix(_) => {
            Err("a Unix socket is on this machine, and has no TLS: leave TLS out".to_owned())
        }
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
        "rustvault" if options.tls.is_some() => {
            return Err("rustvault:// is without TLS, and TLS is set: write rustvaults://".into());
        }
        "rustvault" => {}
        "rustvaults" => {
            options.tls.get_or_insert_default();
        }
        _ => return Err(format!("unknown scheme '{}': {FORMS}", scheme.escape_debug())),
    }
    let (place, query) = rest.split_once('?').unwrap_or((rest, ""));
    let (authority, path) = place.split_once('/').unwrap_or((place, ""));
    let (login, host) =
        authority.rsplit_once('@').map_or((None, authority), |(login, host)| (Some(login), host));
    let addr = with_port(host);
    // A password may have any character, also one that ends the host.
    if login.is_none() && rest.contains('@') && (addr.is_err() || !path.is_empty()) {
        return Err(format!("a character of the login must be written otherwise: {LOGIN_FORM}"));
    }
    if let Some(login) = login {
        options = with_login(options, login)?;
    }
    if !path.is_empty() {
        return Err(format!("a path is not supported: there is one database; write {scheme}://HOST:PORT"));
    }
    for parameter in query.split('&').filter(|parameter| !parameter.is_empty()) {
        options = with_parameter(options, parameter)?;
    }
    Ok((Endpoint::Tcp(addr?), options))
}

/// Takes what stands before the `@`: a user, a password behind a colon, or both.
fn with_login(mut options: Options, login: &str) -> Result<Options, String> {
    let decoded = |text: &str| {
        percent_decoded(text).ok_or_else(|| format!("the login is not well-formed: {LOGIN_FORM}"))
    };
    let (user, password) =
        login.split_once(':').map_or((login, None), |(user, password)| (user, Some(password)));
    if !user.is_empty() {
        let user =
            String::from_utf8(decoded(user)?).map_err(|_| "the user's name is not UTF-8".to_owned())?;
        options = options.user(user);
    }
    match password {
        Some("") => Err("the password is empty".to_owned()),
        Some(password) => Ok(options.password(decoded(password)?)),
        None => Ok(options),
    }
}

/// Returns what a text of a URL stands for; `None` if a `%` has no two hexadecimal digits behind it.
fn percent_decoded(text: &str) -> Option<Vec<u8>> {
    let mut decoded = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [byte, after @ ..] = rest {
        rest = after;
        if *byte != b'%' {
            decoded.push(*byte);
            continue;
        }
        let (digits, after) = rest.split_at_checked(2)?;
        if !digits.iter().all(u8::is_ascii_hexdigit) {
            return None;
        }
        decoded.push(u8::from_str_radix(str::from_utf8(digits).ok()?, 16).ok()?);
        rest = after;
    }
    Some(decoded)
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
        "ca_file" | "cert_file" | "key_file" | "server_name" => {
            return with_tls_parameter(options, name, value);
        }
        _ => {
            return Err(format!(
                "unknown option '{}': expected client_name, connect_timeout, max_key_bytes, max_value_bytes, \
                 one_connection, reconnect or request_timeout; with TLS also ca_file, cert_file, key_file or server_name",
                name.escape_debug()
            ));
        }
    })
}

fn with_tls_parameter(mut options: Options, name: &str, value: &str) -> Result<Options, String> {
    let Some(tls) = options.tls.take() else {
        return Err(format!("{name} is for TLS: write rustvaults://HOST:PORT"));
    };
    let text =
        percent_decoded(value).filter(|text| !text.is_empty()).and_then(|text| String::from_utf8(text).ok());
    let Some(text) = text else {
        return Err(format!("{name}={}: expected a text in UTF-8, with %25 for a %", value.escape_debug()));
    };
    options.tls = Some(match name {
        "ca_file" => tls.ca_file(text),
        "cert_file" => tls.cert_file(text),
        "key_file" => tls.key_file(text),
        _ => tls.server_name(text),
    });
    Ok(options)
}

/// Returns the address without what stands before an `@`, which may be a password.
fn without_user(addr: &str) -> String {
    let Some(at) = addr.rfind('@') else { return addr.to_owned() };
    let scheme = addr.split_once("://").map(|(scheme, _)| format!("{scheme}://")).unwrap_or_default();
    format!("{scheme}…{}", addr.split_at(at).1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::TlsOptions;

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

    #[tokio::test]
    async fn the_login_of_a_url_is_percent_decoded() {
        for (url, user, password) in [
            ("rustvault://app:secret@db", Some("app"), "secret"),
            ("rustvaults://a%40b:p%2F%3f%25:@db:1", Some("a@b"), "p/?%:"),
            ("rustvault://:token@db", None, "token"),
            ("rustvault://x@y:a@b@[::1]:1", Some("x@y"), "a@b"),
        ] {
            let options = Target::parse(url, Options::new()).unwrap().options;
            assert_eq!(options.user.as_deref(), user, "{url}");
            assert_eq!(options.password.as_ref().unwrap().get().await.unwrap(), password, "{url}");
            assert!(!format!("{options:?}").contains(password));
        }
        let given = Options::new().password("given");
        let options = Target::parse("rustvault://app@db", given).unwrap().options;
        assert_eq!(options.password.unwrap().get().await.unwrap(), "given");
    }

    #[test]
    fn tls_is_chosen_by_the_scheme_or_by_options_and_never_taken_back() {
        let tls = || Options::new().tls(TlsOptions::new());
        let is_tls = |addr: &str, options| Target::parse(addr, options).unwrap().tls.is_some();
        assert!(is_tls("rustvaults://db?server_name=other&ca_file=%2Fca.pem", Options::new()));
        assert!(is_tls("db:8443", tls()) && is_tls("[::1]:8443", tls()) && is_tls("rustvaults://db", tls()));
        assert!(!is_tls("db:8080", Options::new()));
        for (addr, problem) in
            [("rustvault://db", "without TLS, and TLS is set"), ("unix:/run/rv.sock", "has no TLS")]
        {
            let error = Target::parse(addr, tls()).unwrap_err();
            assert!(error.to_string().contains(problem), "{error}");
        }
    }

    #[test]
    fn what_is_wrong_with_an_address_is_said() {
        for (url, problem) in [
            ("127.0.0.1", "the port is missing: expected HOST:PORT"),
            ("db:http", "the port is missing"),
            ("app:secret@db:8080", "a login stands in a URL"),
            ("rustvaults://", "the host is missing"),
            ("rustvault://db?ca_file=ca.pem", "ca_file is for TLS"),
            ("rustvaults://db?cert_file=c.pem", "set both"),
            ("rustvaults://db?ca_file=%zz", "expected a text in UTF-8"),
            ("rustvaults://a_/b:8080", "a path is not supported"),
            ("redis://db:6379", "unknown scheme 'redis': expected HOST:PORT"),
            ("rustvault://", "the host is missing"),
            ("rustvault://:8080", "the host is missing"),
            ("rustvault://db:http", "'http' is no port"),
            ("rustvault://db:99999", "'99999' is no port"),
            ("rustvault://db:0", "'0' is no port"),
            ("rustvault://app:secret/1@db", "a character of the login must be written otherwise"),
            ("rustvault://app:1/secret@db", "a character of the login must be written otherwise"),
            ("rustvault://app:secret?1@db", "a character of the login must be written otherwise"),
            ("rustvault://app:secret%2@db", "the login is not well-formed"),
            ("rustvault://app:secret%+1@db", "the login is not well-formed"),
            ("rustvault://app@db", "the user has no password"),
            ("rustvault://app:@db", "the password is empty"),
            ("rustvault://app:secret@", "the host is missing"),
            ("rustvault://app:secret@db:http", "'http' is no port"),
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
