//! Failed handshakes, as a person can act on them.

use std::io;
use std::time::Duration;

use rustls::{AlertDescription, CertificateError, Error};
use rustls_pki_types::UnixTime;

/// First byte of a TLS record that is an alert, or a handshake.
const RECORD_TYPES: [u8; 2] = [21, 22];

/// Second byte of every TLS record.
const RECORD_MAJOR_VERSION: u8 = 3;

/// Returns whether these bytes are TLS, which a server speaks on another port than the plain one.
pub(crate) fn is_tls_record(received: &[u8]) -> bool {
    matches!(received, [kind, RECORD_MAJOR_VERSION, ..] if RECORD_TYPES.contains(kind))
}

/// Returns what is wrong, and what to do about it, if TLS is what failed.
pub(crate) fn problem_of(error: &io::Error) -> Option<String> {
    let error = error.get_ref()?.downcast_ref::<Error>()?;
    Some(match error {
        Error::InvalidCertificate(error) => certificate(error),
        Error::InvalidMessage(_) => {
            "what came is not TLS: is this the plain port? give the address of the TLS port, or leave TLS out"
                .to_owned()
        }
        Error::AlertReceived(alert) => refusal(*alert),
        Error::PeerIncompatible(reason) => {
            format!("the server has no version or cipher of TLS in common with this client ({reason:?})")
        }
        error => error.to_string(),
    })
}

fn certificate(error: &CertificateError) -> String {
    match error {
        CertificateError::UnknownIssuer => "the server's certificate is signed by nobody who is trusted here: give the \
             certificate of its CA (ca_file, or --ca)"
            .to_owned(),
        CertificateError::BadSignature => "the server's certificate is not signed by the CA that it names: give the \
             certificate of its own CA (ca_file, or --ca)"
            .to_owned(),
        CertificateError::Expired => expired(""),
        CertificateError::ExpiredContext { time, not_after } => {
            expired(&format!(" {} ago", rough(*time, *not_after)))
        }
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            "the server's certificate is not valid yet: compare the clocks of both machines".to_owned()
        }
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            format!("{error}: connect by a name that it is for, or set that (server_name, or --server-name)")
        }
        CertificateError::Other(other) if format!("{other:?}").contains("CaUsedAsEndEntity") => {
            "the server shows the certificate of a CA as its own: make one for the server, and sign it by that CA"
                .to_owned()
        }
        error => format!("the server's certificate is not accepted: {error}"),
    }
}

fn expired(since: &str) -> String {
    format!(
        "the server's certificate has expired{since}: renew it there; if that was done, look at this machine's clock"
    )
}

fn rough(now: UnixTime, then: UnixTime) -> String {
    const DAY: u64 = 24 * 60 * 60;
    let seconds = now.as_secs().saturating_sub(then.as_secs());
    let unit = if seconds > DAY { DAY } else { 60 };
    humantime::format_duration(Duration::from_secs(seconds - seconds % unit)).to_string()
}

fn refusal(alert: AlertDescription) -> String {
    match alert {
        AlertDescription::CertificateRequired => {
            "the server wants a certificate of the client: give one with its key \
             (cert_file and key_file, or --cert and --key)"
                .to_owned()
        }
        AlertDescription::UnknownCA
        | AlertDescription::BadCertificate
        | AlertDescription::CertificateExpired
        | AlertDescription::CertificateRevoked
        | AlertDescription::CertificateUnknown
        | AlertDescription::UnsupportedCertificate
        | AlertDescription::DecryptError => format!(
            "the server does not accept the client's certificate ({alert:?}): give one that its client-ca has signed, \
             and that has not expired"
        ),
        AlertDescription::ProtocolVersion | AlertDescription::HandshakeFailure => {
            format!("the server has no version or cipher of TLS in common with this client ({alert:?})")
        }
        alert => format!("the server ended the handshake with the alert {alert:?}"),
    }
}
