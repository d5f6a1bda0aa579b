//! Reads the files of TLS, checks that they fit together, and makes of them what handshakes need.

use std::fs::{self, File};
use std::hash::Hasher;
use std::io::{self, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use rustls::crypto::ring::{Ticketer, default_provider};
use rustls::server::{NoServerSessionStorage, WebPkiClientVerifier};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::version::{TLS12, TLS13};
use rustls::{InconsistentKeys, RootCertStore};
use rustls_pki_types::pem::{self, PemObject};
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use siphasher::sip128::{Hasher128, SipHasher13};

use super::certificate::{CertificateFacts, date};
use super::config::{ClientAuth, ClientCertUser, MinTlsVersion, TlsConfig};
use super::error::{TlsError, TlsProblem};

/// Largest file of certificates or of a key.
const MAX_FILE_BYTES: u64 = 4 * 1024 * 1024;

const CERT: &str = "tls.cert";
const KEY: &str = "tls.key";
const CLIENT_CA: &str = "tls.client-ca";

/// The files of TLS, checked and ready for handshakes.
#[derive(Debug)]
pub(crate) struct LoadedTls {
    pub(crate) handshakes: Arc<rustls::ServerConfig>,
    /// The end of the server's certificate.
    pub(crate) not_after: SystemTime,
    /// Set if the common name of a client certificate names a user.
    pub(crate) names_users: bool,
    /// Content of the files that this was made of.
    pub(crate) fingerprint: TlsFingerprint,
    /// Settings that this was made by.
    config: TlsConfig,
    /// Sentences for messages about what is allowed and unwise.
    pub(crate) warnings: Vec<String>,
}

impl LoadedTls {
    /// Returns whether this was made of the same files, by the same settings.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        self.fingerprint == other.fingerprint && self.config == other.config
    }
}

/// Hash of the contents of all files of TLS, by which a change of them is noticed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TlsFingerprint(u128);

/// Returns the hash of what the files hold now, readable or not.
pub(crate) fn fingerprint(config: &TlsConfig) -> TlsFingerprint {
    let mut hasher = SipHasher13::new();
    for (_, path) in files(config) {
        match read(path) {
            Ok(content) => hash(&mut hasher, &content),
            Err(problem) => hash(&mut hasher, problem.to_string().as_bytes()),
        }
    }
    TlsFingerprint(hasher.finish128().as_u128())
}

fn files(config: &TlsConfig) -> impl Iterator<Item = (&'static str, &Path)> {
    let files = [(CERT, &config.cert), (KEY, &config.key), (CLIENT_CA, &config.client_ca)];
    files.into_iter().filter_map(|(option, path)| Some((option, path.as_deref()?)))
}

fn hash(hasher: &mut SipHasher13, content: &[u8]) {
    hasher.write_usize(content.len());
    hasher.write(content);
}

/// Reads and checks the files; `None` without an address to listen on.
///
/// # Errors
/// The first file that cannot be used.
pub(crate) fn load(config: &TlsConfig) -> Result<Option<LoadedTls>, TlsError> {
    if !config.is_on() {
        return Ok(None);
    }
    load_at(config, SystemTime::now()).map(Some)
}

fn load_at(config: &TlsConfig, now: SystemTime) -> Result<LoadedTls, TlsError> {
    let (mut hasher, mut warnings) = (SipHasher13::new(), Vec::new());
    let path = |path: &Option<PathBuf>| path.clone().unwrap_or_default();
    let cert = PemFile::read(CERT, path(&config.cert), &mut hasher)?;
    let key = PemFile::read(KEY, path(&config.key), &mut hasher)?;
    let client_ca = config.client_ca.clone();
    let client_ca = client_ca.map(|path| PemFile::read(CLIENT_CA, path, &mut hasher)).transpose()?;
    let (chain, not_after) = cert.chain(now)?;
    let certified = key.certified(chain, &cert.path)?;
    warnings.extend(key.readable_by_others());
    let provider = Arc::new(default_provider());
    let versions = match config.min_version {
        MinTlsVersion::V1_2 => &[&TLS13, &TLS12][..],
        MinTlsVersion::V1_3 => &[&TLS13],
    };
    let refused = |file: &PemFile, error: String| file.error(TlsProblem::Refused(error));
    let builder = rustls::ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_protocol_versions(versions)
        .map_err(|error| refused(&cert, error.to_string()))?;
    let builder = match (config.client_auth, &client_ca) {
        (ClientAuth::Off, _) | (_, None) => builder.with_no_client_auth(),
        (auth, Some(client_ca)) => {
            let verifier =
                WebPkiClientVerifier::builder_with_provider(Arc::new(client_ca.roots()?), provider);
            let verifier =
                if auth == ClientAuth::Optional { verifier.allow_unauthenticated() } else { verifier };
            builder.with_client_cert_verifier(
                verifier.build().map_err(|error| refused(client_ca, error.to_string()))?,
            )
        }
    };
    let mut handshakes = builder.with_cert_resolver(Arc::new(SingleCertAndKey::from(certified)));
    // A ticket holds the client's certificate, which is not verified again when the session is resumed. So the keys of tickets end
    // with the files that they were made beside: after a change of the authority nothing older is resumed.
    handshakes.ticketer = Ticketer::new().map_err(|error| refused(&key, error.to_string()))?;
    handshakes.session_storage = Arc::new(NoServerSessionStorage {});
    Ok(LoadedTls {
        handshakes: Arc::new(handshakes),
        not_after,
        names_users: config.client_cert_user == ClientCertUser::CommonName,
        fingerprint: TlsFingerprint(hasher.finish128().as_u128()),
        config: config.clone(),
        warnings,
    })
}

/// Reads a whole file.
fn read(path: &Path) -> Result<Vec<u8>, TlsProblem> {
    let problem = |error: io::Error| match error.kind() {
        io::ErrorKind::NotFound => TlsProblem::Missing,
        io::ErrorKind::PermissionDenied => TlsProblem::Unreadable,
        _ => TlsProblem::Io(Arc::new(error)),
    };
    let metadata = fs::metadata(path).map_err(problem)?;
    if metadata.is_dir() {
        return Err(TlsProblem::Directory);
    }
    if !metadata.is_file() {
        return Err(TlsProblem::NotAFile);
    }
    let mut content = Vec::new();
    File::open(path).map_err(problem)?.take(MAX_FILE_BYTES + 1).read_to_end(&mut content).map_err(problem)?;
    if content.len() as u64 > MAX_FILE_BYTES {
        return Err(TlsProblem::TooLarge { max_bytes: MAX_FILE_BYTES });
    }
    Ok(content)
}

/// Content of a file, with what messages about it need.
struct PemFile {
    option: &'static str,
    path: PathBuf,
    content: Vec<u8>,
}

impl PemFile {
    fn read(option: &'static str, path: PathBuf, hasher: &mut SipHasher13) -> Result<Self, TlsError> {
        match read(&path) {
            Ok(content) if content.is_empty() => Err(TlsError { option, path, problem: TlsProblem::Empty }),
            Ok(content) => {
                hash(hasher, &content);
                Ok(Self { option, path, content })
            }
            Err(problem) => Err(TlsError { option, path, problem }),
        }
    }

    fn error(&self, problem: TlsProblem) -> TlsError {
        TlsError { option: self.option, path: self.path.clone(), problem }
    }

    fn contains(&self, text: &str) -> bool {
        memmem(&self.content, text.as_bytes())
    }

    fn certificates(&self) -> Result<Vec<CertificateDer<'static>>, TlsError> {
        let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&self.content).collect();
        let certificates = certificates.map_err(|error| self.error(bad_pem(&error)))?;
        if certificates.is_empty() {
            let hint = if self.contains("PRIVATE KEY-----") {
                "; it has a private key: are tls.cert and tls.key interchanged?"
            } else if self.content.first() == Some(&0x30) {
                "; it may be in DER: convert it with openssl x509 -inform der -in FILE -out NEW"
            } else {
                ""
            };
            return Err(self.error(TlsProblem::NoCertificate { hint }));
        }
        Ok(certificates)
    }

    /// Reads the server's certificates; returns the end of the first as well.
    fn chain(&self, now: SystemTime) -> Result<(Vec<CertificateDer<'static>>, SystemTime), TlsError> {
        let certificates = self.certificates()?;
        let mut facts = Vec::new();
        for (number, certificate) in (1..).zip(&certificates) {
            facts.push(
                CertificateFacts::of(certificate)
                    .map_err(|detail| self.error(TlsProblem::BadCertificate { number, detail }))?,
            );
        }
        let not_after = facts.first().map_or(UNIX_EPOCH, |facts| facts.not_after);
        let not_before = facts.first().map_or(UNIX_EPOCH, |facts| facts.not_before);
        if now > not_after {
            return Err(self.error(TlsProblem::Expired { not_after: date(not_after) }));
        }
        if now < not_before {
            return Err(self.error(TlsProblem::NotYetValid { not_before: date(not_before) }));
        }
        Ok((certificates, not_after))
    }

    /// Reads the private key, which must be that of the first certificate of `chain`.
    fn certified(&self, chain: Vec<CertificateDer<'static>>, cert: &Path) -> Result<CertifiedKey, TlsError> {
        if self.contains("BEGIN ENCRYPTED PRIVATE KEY") || self.contains("Proc-Type: 4,ENCRYPTED") {
            return Err(self.error(TlsProblem::EncryptedKey));
        }
        let key = PrivateKeyDer::from_pem_slice(&self.content).map_err(|error| match error {
            pem::Error::NoItemsFound => self.error(TlsProblem::NoKey { hint: self.hint_of_no_key() }),
            error => self.error(bad_pem(&error)),
        })?;
        CertifiedKey::from_der(chain, key, &default_provider()).map_err(|error| {
            self.error(match error {
                rustls::Error::InconsistentKeys(InconsistentKeys::KeyMismatch) => {
                    TlsProblem::KeyOfAnotherCertificate { cert: cert.to_owned() }
                }
                error => TlsProblem::UnsupportedKey(error),
            })
        })
    }

    fn hint_of_no_key(&self) -> &'static str {
        if self.contains("BEGIN CERTIFICATE-----") {
            "; it has a certificate: are tls.cert and tls.key interchanged?"
        } else if self.content.first() == Some(&0x30) {
            "; it may be in DER: convert it with openssl pkey -inform der -in FILE -out NEW"
        } else {
            ""
        }
    }

    fn roots(&self) -> Result<RootCertStore, TlsError> {
        let mut roots = RootCertStore::empty();
        for (number, certificate) in (1..).zip(self.certificates()?) {
            roots.add(certificate).map_err(|error| {
                self.error(TlsProblem::BadCertificate { number, detail: error.to_string() })
            })?;
        }
        Ok(roots)
    }

    /// Returns a warning if every user of the machine may read the file.
    fn readable_by_others(&self) -> Option<String> {
        let mode = fs::metadata(&self.path).ok()?.permissions().mode() & 0o777;
        (mode & 0o007 != 0).then(|| {
            let path = self.path.display();
            format!(
                "every user of this machine may read the private key '{path}' (mode {mode:03o}): chmod 600 it"
            )
        })
    }
}

fn bad_pem(error: &pem::Error) -> TlsProblem {
    let detail = match error {
        pem::Error::MissingSectionEnd { .. } => "a section has no end, so it may be half written".to_owned(),
        pem::Error::IllegalSectionStart { .. } => "a line that begins a section is damaged".to_owned(),
        error => error.to_string(),
    };
    TlsProblem::BadPem { detail }
}

fn memmem(content: &[u8], text: &[u8]) -> bool {
    content.windows(text.len()).any(|window| window == text)
}

#[cfg(test)]
mod tests;
