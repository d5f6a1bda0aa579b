//! Reads the bytes of a file of users, once it is seen that nobody else may.

use std::fs::{File, Metadata};
use std::io::{self, Read};
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::Path;

use rustix::fs::{Mode, OFlags};
use rustix::process::geteuid;

use super::{MAX_FILE_BYTES, UsersFileError};

/// Permissions of a file that group or others have.
const OF_OTHERS: u32 = 0o077;

const PERMISSIONS: u32 = 0o7777;

/// Reads the text of a file of users.
///
/// # Errors
/// It cannot be read, is no file, too large or not UTF-8, belongs to somebody else, or others may read or write it.
pub fn read(path: &Path) -> Result<String, UsersFileError> {
    let (mut file, metadata) = open(path)?;
    check_owner(path, &metadata)?;
    let mut bytes = Vec::new();
    file.by_ref().take(MAX_FILE_BYTES + 1).read_to_end(&mut bytes).map_err(of_io(path))?;
    if bytes.len() as u64 > MAX_FILE_BYTES {
        return Err(UsersFileError::TooLarge { path: path.to_owned() });
    }
    String::from_utf8(bytes).map_err(|error| {
        let (sound, _) = error.as_bytes().split_at(error.utf8_error().valid_up_to());
        let line = 1 + sound.iter().filter(|byte| **byte == b'\n').count();
        UsersFileError::NotText { path: path.to_owned(), line }
    })
}

/// Opens a regular file, without waiting for the other end of a pipe.
fn open(path: &Path) -> Result<(File, Metadata), UsersFileError> {
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let opened = rustix::fs::open(path, flags, Mode::empty());
    let file = File::from(opened.map_err(|error| of_io(path)(error.into()))?);
    let metadata = file.metadata().map_err(of_io(path))?;
    let found = match metadata.file_type() {
        kind if kind.is_file() => return Ok((file, metadata)),
        kind if kind.is_dir() => "a folder",
        kind if kind.is_fifo() => "a pipe",
        _ => "a device",
    };
    Err(UsersFileError::NotAFile { path: path.to_owned(), found })
}

fn check_owner(path: &Path, metadata: &Metadata) -> Result<(), UsersFileError> {
    let mode = metadata.mode() & PERMISSIONS;
    if mode & OF_OTHERS != 0 {
        return Err(UsersFileError::TooOpen { path: path.to_owned(), mode });
    }
    let (owner, user) = (metadata.uid(), geteuid().as_raw());
    // Root may read it whoever it belongs to, and what belongs to root is changed by root alone.
    if user != 0 && owner != 0 && owner != user {
        return Err(UsersFileError::ForeignOwner { path: path.to_owned(), owner, user });
    }
    Ok(())
}

fn of_io(path: &Path) -> impl FnOnce(io::Error) -> UsersFileError {
    move |source| UsersFileError::Read { path: path.to_owned(), source }
}
