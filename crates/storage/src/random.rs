//! Random bytes of the system.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use crate::Error;
use crate::sync::fill_random;

/// Returns random bytes from the system.
pub(crate) fn bytes<const N: usize>() -> Result<[u8; N], Error> {
    let mut bytes = [0; N];
    fill_random(&mut bytes).map_err(|error| Error::Io {
        action: "read random bytes from",
        path: PathBuf::from("the system"),
        source: Arc::new(io::Error::other(error)),
    })?;
    Ok(bytes)
}
