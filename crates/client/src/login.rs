//! Login of a client: the secret by which a user proves itself.

use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::panic::{AssertUnwindSafe, RefUnwindSafe, UnwindSafe};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use tokio::task::spawn_blocking;

/// User of a login that names none, as in Redis.
pub(crate) const DEFAULT_USER: &str = "default";

/// Longest password or token, in bytes: a server takes short requests alone before a login.
const MAX_SECRET_BYTES: usize = 2 * 1024;

/// A password or a token, or where it is read from. It is never shown.
///
/// A string is the secret itself. A file, or a function, is read anew for each login, so a secret can be exchanged
/// while a program runs:
///
/// ```
/// use rustvault_client::{LoginSecret, Options};
///
/// let options = Options::new().user("app").password(LoginSecret::from_file("/run/secrets/app"));
/// ```
#[derive(Clone)]
pub struct LoginSecret(SecretSource);

#[derive(Clone)]
enum SecretSource {
    Fixed(Bytes),
    Call(Arc<SecretCall>),
}

type SecretCall = dyn Fn() -> io::Result<Vec<u8>> + Send + Sync + UnwindSafe + RefUnwindSafe;

impl LoginSecret {
    /// Takes the secret from a file, anew for each login. A line end at its end is not part of it.
    pub fn from_file(path: impl Into<PathBuf>) -> Self {
        let path = path.into();
        Self::from_fn(move || {
            read_file(&path).map_err(|error| {
                io::Error::new(
                    error.kind(),
                    format!("cannot read the password in {}: {error}", path.display()),
                )
            })
        })
    }

    /// Asks a function for the secret, anew for each login. It may block: it is called on a thread for that.
    pub fn from_fn(secret: impl Fn() -> io::Result<Vec<u8>> + Send + Sync + 'static) -> Self {
        // A panic in it ends a thread of its own, and is an error here.
        let secret = AssertUnwindSafe(secret);
        Self(SecretSource::Call(Arc::new(move || {
            let secret = &secret;
            (secret.0)()
        })))
    }

    /// Returns the secret, for programs that log in by themselves.
    ///
    /// # Errors
    /// It cannot be read, is empty, or has more than 2 KiB.
    pub async fn get(&self) -> io::Result<Bytes> {
        let secret = match &self.0 {
            SecretSource::Fixed(secret) => secret.clone(),
            SecretSource::Call(call) => {
                let call = Arc::clone(call);
                spawn_blocking(move || call()).await.map_err(io::Error::other)??.into()
            }
        };
        let problem = match secret.len() {
            0 => "the password is empty".to_owned(),
            len if len > MAX_SECRET_BYTES => {
                format!("the password has {len} bytes, and the most are {MAX_SECRET_BYTES}")
            }
            _ => return Ok(secret),
        };
        Err(io::Error::new(io::ErrorKind::InvalidInput, problem))
    }
}

fn read_file(path: &Path) -> io::Result<Vec<u8>> {
    let mut secret = Vec::new();
    // With room for a line end, and for the byte that is too much.
    File::open(path)?.take(MAX_SECRET_BYTES as u64 + 3).read_to_end(&mut secret)?;
    for end in [b'\n', b'\r'] {
        if secret.last() == Some(&end) {
            secret.pop();
        }
    }
    Ok(secret)
}

impl From<&str> for LoginSecret {
    fn from(secret: &str) -> Self {
        secret.as_bytes().to_vec().into()
    }
}

impl From<String> for LoginSecret {
    fn from(secret: String) -> Self {
        secret.into_bytes().into()
    }
}

impl From<Vec<u8>> for LoginSecret {
    fn from(secret: Vec<u8>) -> Self {
        Self(SecretSource::Fixed(secret.into()))
    }
}

impl fmt::Debug for LoginSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LoginSecret(…)")
    }
}
