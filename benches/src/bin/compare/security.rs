//! Users and TLS of the servers that are compared, and logins as a load of their own.

use std::fs;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::ValueEnum;
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use rustvault_users::Secret;
use tempfile::TempDir;
use tokio::time::{MissedTickBehavior, interval};

use crate::error::Error;
use crate::resp::Connection;

/// Name of the user that logs in: a server without users lets it in, too, with any password.
pub(crate) const USER: &str = "default";

const PASSWORD: &str = "a password of the comparison";

/// Time from one login to the next: 50 a second.
const LOGIN_INTERVAL: Duration = Duration::from_millis(20);

/// Logins that go on beside a load.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Logins {
    /// By the same password.
    Password,
    /// By the same token.
    Token,
    /// Each by another password, which is wrong.
    Wrong,
}

/// Files of users and certificates, and what the load generators need of them. The files go away with it.
#[derive(Debug)]
pub(crate) struct Security {
    folder: TempDir,
    token: String,
    pub(crate) has_users: bool,
    pub(crate) has_tls: bool,
    pub(crate) logins: Option<Logins>,
}

impl Security {
    /// Makes a user who may read and write the keys of the loads and nothing else, a CA, and a certificate for the loopback
    /// address.
    pub(crate) fn new(
        has_users: bool,
        has_tls: bool,
        logins: Option<Logins>,
        scratch: &Path,
    ) -> Result<Self, Error> {
        let folder = tempfile::Builder::new().prefix("security-").tempdir_in(scratch);
        let folder = folder.map_err(Error::system(format!("make a folder in {}", scratch.display())))?;
        let failed = |error: &dyn std::error::Error| io::Error::other(error.to_string());
        let (token, token_hash) =
            Secret::new_token().map_err(|error| Error::system("make a token")(failed(&error)))?;
        let password = Secret::of(PASSWORD.as_bytes())
            .map_err(|error| Error::system("hash a password")(failed(&error)))?;
        let security = Self { folder, token, has_users: has_users || logins.is_some(), has_tls, logins };
        security.write("users.toml", &users_file(&token_hash, &password))?;
        let certificates =
            certificates().map_err(|error| Error::system("make certificates")(failed(&error)))?;
        for (name, pem) in certificates {
            security.write(name, &pem)?;
        }
        Ok(security)
    }

    fn write(&self, name: &str, text: &str) -> Result<(), Error> {
        use std::os::unix::fs::PermissionsExt;
        let path = self.path(name);
        let written = fs::write(&path, text)
            .and_then(|()| fs::set_permissions(&path, fs::Permissions::from_mode(0o600)));
        written.map_err(Error::system(format!("write {}", path.display())))
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Returns the path of the file of users.
    pub(crate) fn users(&self) -> PathBuf {
        self.path("users.toml")
    }

    /// Returns the path of the server's certificate.
    pub(crate) fn certificate(&self) -> PathBuf {
        self.path("server.pem")
    }

    /// Returns the path of the certificate's key.
    pub(crate) fn key(&self) -> PathBuf {
        self.path("server.key")
    }

    /// Returns the path of the CA that clients trust.
    pub(crate) fn ca(&self) -> PathBuf {
        self.path("ca.pem")
    }

    /// Returns what the loads log in with.
    pub(crate) fn token(&self) -> &str {
        &self.token
    }

    /// Logs in again and again, each time on a new connection, until this is dropped.
    pub(crate) async fn log_in_for_ever(&self, logins: Logins, addr: SocketAddr) -> Error {
        let mut ticks = interval(LOGIN_INTERVAL);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
        for number in 0_u64.. {
            ticks.tick().await;
            let secret = match logins {
                Logins::Password => PASSWORD.to_owned(),
                Logins::Token => self.token.clone(),
                Logins::Wrong => format!("wrong {number}"),
            };
            tokio::spawn(async move {
                // A server that refuses is what is measured.
                let _ = log_in(addr, &secret).await;
            });
        }
        Error::system("log in")(io::ErrorKind::Other.into())
    }
}

async fn log_in(addr: SocketAddr, secret: &str) -> io::Result<()> {
    let mut connection = Connection::open(addr).await?;
    connection.ask_words(&["AUTH", USER, secret]).await.map(drop)
}

fn users_file(token: &Secret, password: &Secret) -> String {
    let (Secret::Token(token), Secret::Password(password)) = (token, password) else { return String::new() };
    let token: String = token.iter().map(|byte| format!("{byte:02x}")).collect();
    let rights: String = ["key:", "bench:"]
        .map(|prefix| format!("[[user.right]]\nallow = [\"read\", \"write\"]\nprefix = \"{prefix}\"\n"))
        .concat();
    format!(
        "[[user]]\nname = \"{USER}\"\n\
         [[user.credential]]\nlabel = \"token\"\ntoken-sha256 = \"{token}\"\n\
         [[user.credential]]\nlabel = \"password\"\npassword = \"{password}\"\n{rights}"
    )
}

/// Makes the files `ca.pem`, `server.pem` and `server.key`.
fn certificates() -> Result<[(&'static str, String); 3], rcgen::Error> {
    let mut authority = CertificateParams::new(Vec::new())?;
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    // Otherwise both certificates have one name, and OpenSSL takes the server's for one that signs itself.
    authority.distinguished_name.push(DnType::CommonName, "compare");
    let authority_key = KeyPair::generate()?;
    let ca = authority.self_signed(&authority_key)?;
    let key = KeyPair::generate()?;
    let names = vec!["127.0.0.1".to_owned(), "localhost".to_owned()];
    let server = CertificateParams::new(names)?.signed_by(&key, &Issuer::new(authority, authority_key))?;
    Ok([("ca.pem", ca.pem()), ("server.pem", server.pem()), ("server.key", key.serialize_pem())])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_user_may_use_the_keys_of_the_loads_and_no_others() {
        let folder = tempfile::tempdir().unwrap();
        let security = Security::new(true, true, None, folder.path()).unwrap();
        let users = rustvault_users::file::load(&security.users()).unwrap();
        let user = users.get(USER).unwrap();
        use rustvault_protocol::Category::{Admin, Read, Write};
        for key in ["key:000000000001", "bench:0000000001"] {
            assert!(
                user.rights.allow_key(Read, key.as_bytes()) && user.rights.allow_key(Write, key.as_bytes())
            );
        }
        assert!(!user.rights.allow_key(Read, b"other") && !user.rights.allow_some_key(Admin));
        assert!(
            user.credentials.iter().any(|credential| credential.secret.matches(security.token().as_bytes()))
        );
    }
}
