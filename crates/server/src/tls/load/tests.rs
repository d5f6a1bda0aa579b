//! Files of TLS that cannot be used, each with its message, and those that can.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use rcgen::{CertificateParams, CertifiedKey as Made, DistinguishedName, DnType, KeyPair};
use tempfile::TempDir;

use super::*;

/// Files in a folder of the test's.
struct Files {
    folder: TempDir,
    config: TlsConfig,
}

impl Files {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| Some(folder.path().join(name));
        let config = TlsConfig {
            bind_addrs: vec!["127.0.0.1:0".to_owned()],
            cert: path("cert.pem"),
            key: path("key.pem"),
            ..TlsConfig::default()
        };
        let files = Self { folder, config };
        let made = made();
        files.write("cert.pem", made.cert.pem());
        files.write("key.pem", made.signing_key.serialize_pem());
        files
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        fs::write(self.path(name), content).unwrap();
        fs::set_permissions(self.path(name), fs::Permissions::from_mode(0o600)).unwrap();
    }

    /// Returns the message of the error, which names the file.
    #[track_caller]
    fn refusal(&self, option: &str, name: &str) -> String {
        let message = load(&self.config).unwrap_err().to_string();
        let place = format!("{option} '{}': ", self.path(name).display());
        message.strip_prefix(&place).unwrap_or_else(|| panic!("{message}")).to_owned()
    }
}

fn made() -> Made<KeyPair> {
    let mut params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, "alice");
    let signing_key = KeyPair::generate().unwrap();
    let cert = params.self_signed(&signing_key).unwrap();
    Made { cert, signing_key }
}

#[test]
fn a_pair_that_fits_is_loaded_and_tells_its_end() {
    let files = Files::new();
    let loaded = load(&files.config).unwrap().unwrap();
    assert_eq!(loaded.fingerprint, fingerprint(&files.config));
    assert!(loaded.warnings.is_empty(), "{:?}", loaded.warnings);
    assert!(loaded.not_after > SystemTime::now());
    let without_addresses = TlsConfig { bind_addrs: Vec::new(), ..files.config.clone() };
    assert!(load(&without_addresses).unwrap().is_none());
}

#[test]
fn a_file_that_is_missing_a_folder_empty_or_too_large_is_told_by_its_name() {
    let files = Files::new();
    fs::remove_file(files.path("cert.pem")).unwrap();
    assert!(files.refusal("tls.cert", "cert.pem").starts_with("the file does not exist"));
    fs::create_dir(files.path("cert.pem")).unwrap();
    assert!(files.refusal("tls.cert", "cert.pem").starts_with("it is a directory"));
    let files = Files::new();
    files.write("key.pem", "");
    assert!(files.refusal("tls.key", "key.pem").starts_with("the file is empty"));
    files.write("key.pem", vec![b'x'; MAX_FILE_BYTES as usize + 1]);
    assert!(files.refusal("tls.key", "key.pem").contains("larger than 4194304 bytes"));
}

#[test]
fn content_that_is_no_pem_of_its_kind_is_told_apart() {
    let files = Files::new();
    let (cert, key) =
        (fs::read(files.path("cert.pem")).unwrap(), fs::read_to_string(files.path("key.pem")).unwrap());
    files.write("cert.pem", &key);
    assert!(files.refusal("tls.cert", "cert.pem").contains("interchanged"));
    files.write("cert.pem", made().cert.der());
    assert!(files.refusal("tls.cert", "cert.pem").contains("-inform der"));
    files.write("cert.pem", &cert[..cert.len() / 2]);
    assert!(files.refusal("tls.cert", "cert.pem").contains("half written"));
    files.write("cert.pem", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
    assert!(files.refusal("tls.cert", "cert.pem").starts_with("certificate 1 of the file is damaged"));
    files.write("cert.pem", &cert);
    files.write("key.pem", &cert);
    assert!(files.refusal("tls.key", "key.pem").contains("interchanged"));
    files.write("key.pem", key.replace("BEGIN PRIVATE", "BEGIN ENCRYPTED PRIVATE"));
    assert!(files.refusal("tls.key", "key.pem").starts_with("the key has a passphrase"));
    files.write("key.pem", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n");
    assert!(files.refusal("tls.key", "key.pem").starts_with("the key is damaged"));
}

#[test]
fn a_half_replaced_pair_is_refused() {
    let files = Files::new();
    let before = fingerprint(&files.config);
    files.write("key.pem", KeyPair::generate().unwrap().serialize_pem());
    assert!(files.refusal("tls.key", "key.pem").contains("does not belong to the certificate in"));
    assert_ne!(fingerprint(&files.config), before);
}

#[test]
fn a_certificate_is_refused_before_and_after_its_time() {
    let files = Files::new();
    let not_after = load(&files.config).unwrap().unwrap().not_after;
    let refusal = |now| load_at(&files.config, now).unwrap_err().problem.to_string();
    let expired = refusal(not_after + Duration::from_secs(1));
    assert!(expired.starts_with("the certificate has expired, on "), "{expired}");
    assert!(refusal(UNIX_EPOCH).contains("is valid from"));
}

#[test]
fn a_key_that_everybody_may_read_is_used_with_a_warning() {
    let files = Files::new();
    fs::set_permissions(files.path("key.pem"), fs::Permissions::from_mode(0o644)).unwrap();
    let warnings = load(&files.config).unwrap().unwrap().warnings;
    assert!(warnings[0].contains("mode 644"), "{warnings:?}");
}

#[test]
fn an_authority_without_a_certificate_is_refused() {
    let mut files = Files::new();
    files.config.client_auth = ClientAuth::Required;
    files.config.client_ca = Some(files.path("ca.pem"));
    files.write("ca.pem", "hello");
    assert!(files.refusal("tls.client-ca", "ca.pem").starts_with("it has no certificate"));
    files.write("ca.pem", made().cert.pem());
    assert!(load(&files.config).is_ok());
}

#[test]
fn the_common_name_of_a_subject_is_read() {
    let facts = CertificateFacts::of(made().cert.der()).unwrap();
    assert_eq!(facts.common_name.as_deref(), Some("alice"));
}
