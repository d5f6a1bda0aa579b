//! Puts a new file in the place of an old one, at once and for good, while a lock keeps others from doing the same.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions, Permissions, TryLockError};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt, fchown};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use super::EditError;
use crate::file::{UsersFileError, read};

/// Longest wait for another change of the file.
const MAX_LOCK_WAIT: Duration = Duration::from_secs(10);

const LOCK_POLL: Duration = Duration::from_millis(10);

/// Most symbolic links that lead to a file, as in the system.
const MAX_LINKS: usize = 40;

/// Permissions of a file of users: it is read and written by its owner alone.
const MODE: u32 = 0o600;

/// A file that nobody else replaces in this way.
#[derive(Debug)]
pub(super) struct LockedFile {
    /// The file itself, behind all links.
    path: PathBuf,
    /// Its folder, whose lock is held: the file itself is another one after each change.
    folder: File,
    text: Option<String>,
}

impl LockedFile {
    /// Locks a file, and reads it unless it is missing.
    pub(super) fn open(path: &Path) -> Result<Self, EditError> {
        let path = resolve(path)?;
        let folder_path = path.parent().unwrap_or(Path::new("/"));
        let folder = File::open(folder_path).map_err(failed("open the folder", folder_path))?;
        lock(&folder, &path)?;
        let text = match read(&path) {
            Ok(text) => Some(text),
            Err(UsersFileError::Read { source, .. }) if source.kind() == ErrorKind::NotFound => None,
            Err(error) => return Err(error.into()),
        };
        Ok(Self { path, folder, text })
    }

    /// Returns the text; `None` if the file is missing.
    pub(super) fn text(&self) -> Option<&str> {
        self.text.as_deref()
    }

    /// Writes a new text. Whatever fails, the file has the old text or the new one.
    pub(super) fn replace(&self, text: &str) -> Result<(), EditError> {
        self.replace_by(text, |from, to| fs::rename(from, to))
    }

    pub(super) fn replace_by(
        &self,
        text: &str,
        rename: impl FnOnce(&Path, &Path) -> io::Result<()>,
    ) -> Result<(), EditError> {
        let new_path = self.beside();
        let result = self.write(&new_path, text).and_then(|()| {
            self.check_unchanged()?;
            rename(&new_path, &self.path).map_err(failed("put the new file in place of", &self.path))
        });
        if let Err(error) = result {
            // The first error is the one to report.
            let _ = fs::remove_file(&new_path);
            return Err(error);
        }
        self.folder.sync_all().map_err(failed("sync the folder of", &self.path))
    }

    /// Writes the new file, and syncs it.
    fn write(&self, new_path: &Path, text: &str) -> Result<(), EditError> {
        let fail = || failed("write", new_path);
        // A process that was killed may have left one; we hold the lock.
        match fs::remove_file(new_path) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(fail()(error)),
            _ => {}
        }
        let mut file =
            OpenOptions::new().write(true).create_new(true).mode(MODE).open(new_path).map_err(fail())?;
        self.keep_owner(&file)?;
        file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).map_err(fail())
    }

    /// Gives the new file the owner, group and permissions of the old one.
    fn keep_owner(&self, new: &File) -> Result<(), EditError> {
        if self.text.is_none() {
            return Ok(());
        }
        let fail = || failed("keep the owner of", &self.path);
        let (old, found) = (fs::metadata(&self.path).map_err(fail())?, new.metadata().map_err(fail())?);
        if old.uid() != found.uid() {
            let refused = |_| EditError::Owner { path: self.path.clone(), owner: old.uid() };
            fchown(new, Some(old.uid()), None).map_err(refused)?;
        }
        if old.gid() != found.gid() {
            // The group has no permissions, so that it may be another one.
            let _ = fchown(new, None, Some(old.gid()));
        }
        new.set_permissions(Permissions::from_mode(old.mode() & MODE)).map_err(fail())
    }

    /// Checks that nobody has written the file without a lock, as editors do.
    fn check_unchanged(&self) -> Result<(), EditError> {
        let now = match read(&self.path) {
            Err(UsersFileError::Read { source, .. }) if source.kind() == ErrorKind::NotFound => None,
            now => Some(now?),
        };
        if now == self.text { Ok(()) } else { Err(EditError::Changed { path: self.path.clone() }) }
    }

    /// Returns the path of the new file while it is written.
    fn beside(&self) -> PathBuf {
        let mut name = OsString::from(".");
        name.push(self.path.file_name().unwrap_or_default());
        name.push(".new");
        self.path.with_file_name(name)
    }
}

/// Follows links to the file, which itself may be missing.
fn resolve(path: &Path) -> Result<PathBuf, EditError> {
    let mut path = path.to_owned();
    for _ in 0..MAX_LINKS {
        match fs::read_link(&path) {
            Ok(target) => path = path.parent().unwrap_or(Path::new("")).join(target),
            Err(_) => break,
        }
    }
    let folder = match path.parent() {
        Some(folder) if folder != Path::new("") => folder,
        _ => Path::new("."),
    };
    let folder = folder.canonicalize().map_err(failed("find the folder", folder))?;
    Ok(folder.join(path.file_name().unwrap_or_default()))
}

fn lock(folder: &File, path: &Path) -> Result<(), EditError> {
    let give_up_at = Instant::now() + MAX_LOCK_WAIT;
    loop {
        match folder.try_lock() {
            Ok(()) => return Ok(()),
            Err(TryLockError::WouldBlock) if Instant::now() < give_up_at => thread::sleep(LOCK_POLL),
            Err(TryLockError::WouldBlock) => {
                return Err(EditError::Busy { path: path.to_owned(), seconds: MAX_LOCK_WAIT.as_secs() });
            }
            Err(TryLockError::Error(error)) => return Err(failed("lock the folder of", path)(error)),
        }
    }
}

fn failed(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> EditError {
    move |source| EditError::Write { action, path: path.to_owned(), source }
}
