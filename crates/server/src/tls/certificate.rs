//! Facts of a certificate: when it is valid, and the common name of its subject.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use x509_cert::Certificate;
use x509_cert::der::Decode;
use x509_cert::der::asn1::ObjectIdentifier;

/// The type of a common name, in the subject of a certificate.
const COMMON_NAME: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.4.3");

/// Facts of a certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct CertificateFacts {
    pub(crate) not_before: SystemTime,
    pub(crate) not_after: SystemTime,
    /// The first common name of the subject, if it has one and it is text.
    pub(crate) common_name: Option<String>,
}

impl CertificateFacts {
    /// Reads them.
    ///
    /// # Errors
    /// The parser's words, if this is no certificate.
    pub(crate) fn of(der: &[u8]) -> Result<Self, String> {
        let certificate = Certificate::from_der(der).map_err(|error| error.to_string())?;
        let certificate = certificate.tbs_certificate();
        let validity = certificate.validity();
        let at = |since: Duration| UNIX_EPOCH + since;
        let attributes = certificate.subject().as_ref().iter().flat_map(|name| name.as_ref().iter());
        let mut names = attributes.filter(|attribute| attribute.oid == COMMON_NAME);
        let common_name = names.next().and_then(|name| std::str::from_utf8(name.value.value()).ok());
        Ok(Self {
            not_before: at(validity.not_before.to_unix_duration()),
            not_after: at(validity.not_after.to_unix_duration()),
            common_name: common_name.filter(|name| !name.is_empty()).map(str::to_owned),
        })
    }
}

/// Returns the date of a moment, in UTC: `2027-01-31 09:30:00 UTC`.
pub(crate) fn date(moment: SystemTime) -> String {
    let since = moment.duration_since(UNIX_EPOCH).unwrap_or_default();
    let date = x509_cert::der::DateTime::from_unix_duration(since).map(|date| date.to_string());
    date.map_or_else(
        |_| format!("second {} of 1970", since.as_secs()),
        |date| date.replace('T', " ").replace('Z', " UTC"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_date_is_shown_for_people() {
        assert_eq!(date(UNIX_EPOCH + Duration::from_secs(1_801_387_800)), "2027-01-31 09:30:00 UTC");
    }

    #[test]
    fn what_is_no_certificate_is_an_error() {
        assert!(CertificateFacts::of(b"x").is_err());
    }
}
