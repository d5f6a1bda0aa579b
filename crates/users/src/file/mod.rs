//! The file of users, `users.toml`: read and checked as a whole, every mistake with its place.

mod dates;
mod mistakes;
mod parse;
mod read;

use std::io;
use std::path::{Path, PathBuf};

pub use mistakes::{MAX_SHOWN_MISTAKES, Mistake, Mistakes};
pub use read::read;

use crate::Users;

/// Largest file of users.
pub const MAX_FILE_BYTES: u64 = 16 * 1024 * 1024;

/// Reads and checks a file of users.
///
/// # Errors
/// It cannot be read, others may read or write it, or it has mistakes.
pub fn load(path: &Path) -> Result<Users, UsersFileError> {
    let text = read(path)?;
    parse(&text).map_err(|mistakes| UsersFileError::Invalid { path: path.to_owned(), mistakes })
}

/// Makes users of the text of a file.
///
/// # Errors
/// All mistakes in it.
pub fn parse(text: &str) -> Result<Users, Mistakes> {
    parse::parse(text)
}

/// Returns what to do about a file that cannot be read, as the end of a sentence.
fn remedy(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::NotFound => "; 'rustvault-cli user add' makes one",
        io::ErrorKind::PermissionDenied => "; run this as the user that the file belongs to",
        _ => "",
    }
}

/// Reason why a file of users cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum UsersFileError {
    /// The system does not let us read it.
    #[error("cannot read the file of users {}: {source}{}", path.display(), remedy(source))]
    Read {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// It is a folder, a pipe or a device.
    #[error("the file of users {} is {found}, not a file", path.display())]
    NotAFile {
        /// The file.
        path: PathBuf,
        /// What it is.
        found: &'static str,
    },
    /// Others could learn the hashes, or make themselves users.
    #[error("the file of users {} may be read or changed by others (its mode is {mode:04o}): run 'chmod 600 {0}'", path.display())]
    TooOpen {
        /// The file.
        path: PathBuf,
        /// Its permissions.
        mode: u32,
    },
    /// It belongs to a user who is neither the one that runs this process nor root.
    #[error("the file of users {} belongs to another user (number {owner}), who could change it: run 'chown {user} {0}' as root", path.display())]
    ForeignOwner {
        /// The file.
        path: PathBuf,
        /// The number of the user to whom it belongs.
        owner: u32,
        /// The number of the user that runs this process.
        user: u32,
    },
    /// It is too large.
    #[error("the file of users {} is larger than {} MiB", path.display(), MAX_FILE_BYTES >> 20)]
    TooLarge {
        /// The file.
        path: PathBuf,
    },
    /// It is not text.
    #[error("the file of users {} is not UTF-8: line {line} has bytes that are none", path.display())]
    NotText {
        /// The file.
        path: PathBuf,
        /// The number of the line, from 1.
        line: usize,
    },
    /// It has mistakes.
    #[error("the file of users {} has {}", path.display(), mistakes.in_file(path))]
    Invalid {
        /// The file.
        path: PathBuf,
        /// All of them.
        mistakes: Mistakes,
    },
}

#[cfg(test)]
mod tests;
