//! Rows: TLS.

use std::ffi::OsStr;
use std::time::Duration;

use super::super::value::{self, choice, list, list_text, number, optional_path, path, put, seconds};
use super::super::{ConfigOption, OptionKind};
use super::copy;
use crate::{ClientAuth, ClientCertUser, MAX_HANDSHAKE_TIMEOUT, MAX_HANDSHAKES_LIMIT, MinTlsVersion};

const CLIENT_AUTH: &[&str] = &["off", "optional", "required"];
const CLIENT_CERT_USER: &[&str] = &["off", "common-name"];
const VERSIONS: &[&str] = &["1.2", "1.3"];

pub(super) static TLS: &[ConfigOption] = &[
    ConfigOption {
        name: "tls.bind",
        flag: "tls-bind",
        variable: "RUSTVAULT_TLS_BIND",
        value_name: "HOST:PORT",
        kind: OptionKind::List,
        default: Some("none: no TLS"),
        example: "127.0.0.1:8443",
        is_live: false,
        help: "Address to listen on with TLS, beside those without. For several, repeat the option or separate them by \
               commas",
        get: |config| list_text(&config.tls.bind_addrs),
        set: |config, value| put(&mut config.tls.bind_addrs, list(value, value::bind_addr)),
        copy: copy!(tls.bind_addrs),
    },
    ConfigOption {
        name: "tls.http",
        flag: "tls-http",
        variable: "RUSTVAULT_TLS_HTTP",
        value_name: "HOST:PORT",
        kind: OptionKind::List,
        default: Some("none"),
        example: "127.0.0.1:9443",
        is_live: false,
        help: "Address of HTTP over TLS, which serves the same as --http",
        get: |config| list_text(&config.tls.http_addrs),
        set: |config, value| put(&mut config.tls.http_addrs, list(value, value::bind_addr)),
        copy: copy!(tls.http_addrs),
    },
    ConfigOption {
        name: "tls.cert",
        flag: "tls-cert",
        variable: "RUSTVAULT_TLS_CERT",
        value_name: "FILE",
        kind: OptionKind::Path,
        default: Some("none"),
        example: "/etc/rustvault/server.crt",
        is_live: true,
        help: "Path of the server's certificate in PEM, with its intermediate certificates behind it. It is read again at \
               each reload, and when its content changes",
        get: |config| optional_path(config.tls.cert.as_deref()),
        set: |config, value| put(&mut config.tls.cert, path(value).map(Some)),
        copy: copy!(tls.cert),
    },
    ConfigOption {
        name: "tls.key",
        flag: "tls-key",
        variable: "RUSTVAULT_TLS_KEY",
        value_name: "FILE",
        kind: OptionKind::Path,
        default: Some("none"),
        example: "/etc/rustvault/server.key",
        is_live: true,
        help: "Path of the certificate's private key in PEM, without a passphrase, readable by the server's user alone",
        get: |config| optional_path(config.tls.key.as_deref()),
        set: |config, value| put(&mut config.tls.key, path(value).map(Some)),
        copy: copy!(tls.key),
    },
    ConfigOption {
        name: "tls.client-ca",
        flag: "tls-client-ca",
        variable: "RUSTVAULT_TLS_CLIENT_CA",
        value_name: "FILE",
        kind: OptionKind::Path,
        default: Some("none"),
        example: "/etc/rustvault/clients.crt",
        is_live: true,
        help: "Path of the certificates, in PEM, of the authorities that issue client certificates",
        get: |config| optional_path(config.tls.client_ca.as_deref()),
        set: |config, value| put(&mut config.tls.client_ca, path(value).map(Some)),
        copy: copy!(tls.client_ca),
    },
    ConfigOption {
        name: "tls.client-auth",
        flag: "tls-client-auth",
        variable: "RUSTVAULT_TLS_CLIENT_AUTH",
        value_name: "DEMAND",
        kind: OptionKind::Choice(CLIENT_AUTH),
        default: None,
        example: "",
        is_live: true,
        help: "Demand for client certificates: off, optional (a wrong one is refused, none is not), or required",
        get: |config| word(CLIENT_AUTH, config.tls.client_auth as usize),
        set: |config, value| {
            let auths = [ClientAuth::Off, ClientAuth::Optional, ClientAuth::Required];
            put(&mut config.tls.client_auth, meaning(value, CLIENT_AUTH, &auths))
        },
        copy: copy!(tls.client_auth),
    },
    ConfigOption {
        name: "tls.client-cert-user",
        flag: "tls-client-cert-user",
        variable: "RUSTVAULT_TLS_CLIENT_CERT_USER",
        value_name: "FIELD",
        kind: OptionKind::Choice(CLIENT_CERT_USER),
        default: None,
        example: "",
        is_live: true,
        help: "Field of a client certificate that names the user that the client is logged in as: off, or common-name",
        get: |config| word(CLIENT_CERT_USER, config.tls.client_cert_user as usize),
        set: |config, value| {
            let fields = [ClientCertUser::Off, ClientCertUser::CommonName];
            put(&mut config.tls.client_cert_user, meaning(value, CLIENT_CERT_USER, &fields))
        },
        copy: copy!(tls.client_cert_user),
    },
    ConfigOption {
        name: "tls.min-version",
        flag: "tls-min-version",
        variable: "RUSTVAULT_TLS_MIN_VERSION",
        value_name: "VERSION",
        kind: OptionKind::Choice(VERSIONS),
        default: None,
        example: "",
        is_live: true,
        help: "Oldest version of TLS that is spoken: 1.2 or 1.3",
        get: |config| word(VERSIONS, config.tls.min_version as usize),
        set: |config, value| {
            let versions = [MinTlsVersion::V1_2, MinTlsVersion::V1_3];
            put(&mut config.tls.min_version, meaning(value, VERSIONS, &versions))
        },
        copy: copy!(tls.min_version),
    },
    ConfigOption {
        name: "tls.handshake-timeout",
        flag: "tls-handshake-timeout",
        variable: "RUSTVAULT_TLS_HANDSHAKE_TIMEOUT",
        value_name: "SECONDS",
        kind: OptionKind::Seconds,
        default: None,
        example: "",
        is_live: true,
        help: "Seconds in which a client must end its handshake; one second while as many run as may",
        get: |config| config.tls.handshake_timeout.as_secs().to_string(),
        set: |config, value| put(&mut config.tls.handshake_timeout, handshake_timeout(value)),
        copy: copy!(tls.handshake_timeout),
    },
    ConfigOption {
        name: "tls.max-handshakes",
        flag: "tls-max-handshakes",
        variable: "RUSTVAULT_TLS_MAX_HANDSHAKES",
        value_name: "N",
        kind: OptionKind::Number,
        default: None,
        example: "",
        is_live: false,
        help: "Most handshakes at a time; further clients wait to be accepted",
        get: |config| config.tls.max_handshakes.to_string(),
        set: |config, value| put(&mut config.tls.max_handshakes, number(value, MAX_HANDSHAKES_LIMIT)),
        copy: copy!(tls.max_handshakes),
    },
];

/// Returns the word of a variant, by its place.
fn word(words: &[&str], place: usize) -> String {
    words.get(place).copied().unwrap_or_default().to_owned()
}

/// Returns the variant of a word, by its place.
fn meaning<T: Copy>(value: &OsStr, words: &[&str], variants: &[T]) -> Result<T, String> {
    let word = choice(value, words)?;
    let place = words.iter().position(|known| *known == word).unwrap_or_default();
    variants.get(place).copied().ok_or_else(|| "expected another word".to_owned())
}

fn handshake_timeout(value: &OsStr) -> Result<Duration, String> {
    let max = MAX_HANDSHAKE_TIMEOUT;
    let timeout = seconds(value, max).ok().flatten();
    timeout.ok_or_else(|| format!("expected a number of seconds from 1 to {}", max.as_secs()))
}
