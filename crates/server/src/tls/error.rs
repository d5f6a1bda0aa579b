//! Errors of the files of TLS: which option, which file, what is wrong and what to do.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

/// Error of a file of TLS.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{option} '{}': {problem}", path.display())]
pub struct TlsError {
    /// The option that names the file: `tls.cert`.
    pub option: &'static str,
    /// The file.
    pub path: PathBuf,
    /// The problem with it.
    pub problem: TlsProblem,
}

/// Problem with a file of TLS.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum TlsProblem {
    /// There is no such file.
    #[error("the file does not exist; check the path")]
    Missing,
    /// The path is that of a folder.
    #[error("it is a directory; give the path of a file in it")]
    Directory,
    /// The path is that of a device, a pipe or a socket.
    #[error("it is not a regular file; give the path of one")]
    NotAFile,
    /// The server's user may not read the file.
    #[error("the server's user may not read it; change its owner or its mode")]
    Unreadable,
    /// The system cannot read the file.
    #[error("cannot read it: {0}; check the disk and the path")]
    Io(Arc<io::Error>),
    /// The file has no byte.
    #[error("the file is empty; it may be half written: write it beside this one and rename it")]
    Empty,
    /// The file is longer than any such file should be.
    #[error("the file is larger than {max_bytes} bytes; check that it is the right one")]
    TooLarge {
        /// The limit.
        max_bytes: u64,
    },
    /// The file has no certificate in PEM.
    #[error("it has no certificate in PEM, which begins with '-----BEGIN CERTIFICATE-----'{hint}")]
    NoCertificate {
        /// An addition, such as the format that was found; may be empty.
        hint: &'static str,
    },
    /// The file has no private key in PEM.
    #[error(
        "it has no private key in PEM, which begins with '-----BEGIN PRIVATE KEY-----', '… RSA PRIVATE KEY-----' or '… EC PRIVATE KEY-----'{hint}"
    )]
    NoKey {
        /// An addition, such as the format that was found; may be empty.
        hint: &'static str,
    },
    /// The private key is encrypted.
    #[error(
        "the key has a passphrase, which the server cannot ask for; write one without, readable by the server's user alone: openssl pkey -in FILE -out NEW"
    )]
    EncryptedKey,
    /// The key is of a kind, or a size, that is not supported.
    #[error(
        "the key is damaged, or of a kind that is not supported: {0}; use ECDSA P-256, P-384, Ed25519 or RSA of 2048 to 8192 bits"
    )]
    UnsupportedKey(rustls::Error),
    /// The PEM is malformed.
    #[error("the PEM is malformed: {detail}; write the file anew")]
    BadPem {
        /// The parser's words.
        detail: String,
    },
    /// A certificate cannot be read.
    #[error("certificate {number} of the file is damaged: {detail}; issue it anew")]
    BadCertificate {
        /// Its place in the file, from 1.
        number: usize,
        /// The parser's words.
        detail: String,
    },
    /// The key belongs to another certificate.
    #[error(
        "the key does not belong to the certificate in '{}'; if the pair is being replaced, replace the other file, too", cert.display()
    )]
    KeyOfAnotherCertificate {
        /// The certificate.
        cert: PathBuf,
    },
    /// The certificate has expired.
    #[error("the certificate has expired, on {not_after}; renew it")]
    Expired {
        /// Its end, in UTC.
        not_after: String,
    },
    /// The certificate is valid only later.
    #[error("the certificate is valid from {not_before} on only; wait, or check the machine's clock")]
    NotYetValid {
        /// Its beginning, in UTC.
        not_before: String,
    },
    /// The library refuses the certificates.
    #[error("it cannot be used: {0}")]
    Refused(String),
}
