//! File system of the store, as a trait: the only file of this crate that uses `std::fs`.
//!
//! Tests implement the trait with faults: file systems that delay a sync, lose unsynced bytes, or fail at the Nth call.

use std::fs::{File, FileType, OpenOptions, Permissions, TryLockError};
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt, PermissionsExt, fchown};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::{FallocateFlags, OFlags, major, minor};
use rustix::process::{Resource, getrlimit};

/// Size of a sector, in bytes. Disks write sectors atomically: a crash leaves each one old or new.
pub(crate) const SECTOR_BYTES: u64 = 512;

/// Modes of files, and parts of them.
const OWNER_ALONE: u32 = 0o600;
const GROUP: u32 = 0o070;
const ALL_PERMISSIONS: u32 = 0o777;

/// Opens files and changes directories.
pub trait FileSystem: Send + Sync {
    /// Returns the path that `path` resolves to after following symbolic links; its file need not exist.
    ///
    /// # Errors
    /// The system's error.
    fn resolve(&self, path: &Path) -> io::Result<PathBuf>;

    /// Opens the file at `path` for reading and writing; creates a missing one, empty and accessible to its owner alone.
    ///
    /// # Errors
    /// The system's error; also an error if `path` names anything but a regular file.
    fn open(&self, path: &Path) -> io::Result<Arc<dyn LogFile>>;

    /// Opens the existing file at `path`. Only the tools of [`offline`](crate::offline) need this, so other file systems need not
    /// implement it.
    ///
    /// # Errors
    /// The system's error; [`io::ErrorKind::NotFound`] if nothing has that name; also an error if it names anything but a regular
    /// file: a link is not followed.
    fn open_existing(&self, path: &Path, access: Access) -> io::Result<Arc<dyn LogFile>> {
        let _ = (path, access);
        Err(io::ErrorKind::Unsupported.into())
    }

    /// Creates an empty file at `path`, a name that nothing has yet, not even a dangling link.
    ///
    /// It gets this mode, and this owner as far as the process may change it; at no moment can anybody read it whom they exclude.
    /// Without `Ownership` it is accessible to its owner alone.
    ///
    /// # Errors
    /// The system's error; [`io::ErrorKind::AlreadyExists`] if something has that name.
    fn create(&self, path: &Path, like: Option<Ownership>) -> io::Result<Arc<dyn LogFile>>;

    /// Renames the file at `from` to `to`, and replaces a file that has that name.
    ///
    /// # Errors
    /// The system's error.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;

    /// Links the file at `from` to the further name `to`. Only a compaction needs this, if another file has the log's name; a file
    /// system without it refuses that compaction.
    ///
    /// # Errors
    /// The system's error; [`io::ErrorKind::AlreadyExists`] if there is something at `to`.
    fn link(&self, from: &Path, to: &Path) -> io::Result<()> {
        let _ = (from, to);
        Err(io::ErrorKind::Unsupported.into())
    }

    /// Removes the regular file at `path`. Anything else that has that name stays, including a symbolic link.
    ///
    /// # Errors
    /// The system's error; [`io::ErrorKind::NotFound`] if nothing has that name; also an error if it names anything but a regular
    /// file.
    fn remove(&self, path: &Path) -> io::Result<()>;

    /// Opens the directory of `path`, to sync it later.
    ///
    /// Opening fails if the process has no free descriptor; syncing an open directory does not need one.
    ///
    /// # Errors
    /// The system's error.
    fn open_parent(&self, path: &Path) -> io::Result<Box<dyn Directory>>;

    /// Returns the free bytes on the file system of `path`.
    ///
    /// # Errors
    /// The system's error.
    fn free_bytes(&self, path: &Path) -> io::Result<u64>;
}

/// An open file of a log.
pub trait LogFile: Send + Sync {
    /// Locks the file for this process, without waiting.
    ///
    /// # Errors
    /// The system's error.
    fn try_lock(&self) -> io::Result<Lock>;

    /// Returns the file's size in bytes.
    ///
    /// # Errors
    /// The system's error.
    fn len_bytes(&self) -> io::Result<u64>;

    /// Reads bytes from `offset` on with one call; returns their number, 0 at the end.
    ///
    /// # Errors
    /// The system's error.
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize>;

    /// Writes bytes from `offset` on with one call; returns their number.
    ///
    /// # Errors
    /// The system's error.
    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<usize>;

    /// Makes the content, and the size, durable: `fdatasync(2)`.
    ///
    /// # Errors
    /// The system's error. After an error the content of the disk is unknown, and a retry may wrongly succeed.
    fn sync(&self) -> io::Result<()>;

    /// Truncates the file, or extends it with zeros.
    ///
    /// # Errors
    /// The system's error.
    fn set_len(&self, len_bytes: u64) -> io::Result<()>;

    /// Reserves room on the disk for bytes from `offset` on, also beyond the end of the file, which does not move.
    ///
    /// # Errors
    /// The system's error; [`io::ErrorKind::StorageFull`] if there is no such room, or
    /// [`io::ErrorKind::FileTooLarge`] if the process may not write a file of that size.
    fn reserve(&self, offset: u64, len_bytes: u64) -> io::Result<()>;

    /// Returns owner and mode of the file; `None` on a file system without them.
    ///
    /// # Errors
    /// The system's error.
    fn ownership(&self) -> io::Result<Option<Ownership>> {
        Ok(None)
    }

    /// Returns whether `path` still names this file, and not another one.
    ///
    /// # Errors
    /// The system's error.
    fn is_at(&self, path: &Path) -> io::Result<bool>;
}

/// Owner and mode of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ownership {
    /// User id.
    pub uid: u32,
    /// Group id.
    pub gid: u32,
    /// The permission bits, as of chmod(2).
    pub mode: u32,
}

/// An open directory.
pub trait Directory: Send + Sync {
    /// Makes the names in it durable: `fsync(2)`.
    ///
    /// # Errors
    /// The system's error. After an error the content of the disk is unknown, and a retry may wrongly succeed.
    fn sync(&self) -> io::Result<()>;
}

/// Access that a file is opened for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Reading only, without the right to write.
    Read,
    /// Reading and writing.
    Write,
}

/// Result of an attempt to lock a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lock {
    /// This process has the lock until the file is closed.
    Taken,
    /// Another process has the lock.
    HeldBy {
        /// Process id of its holder, if the system reports it.
        pid: Option<u32>,
    },
}

/// The system's own file system.
#[derive(Debug, Clone, Copy, Default)]
pub struct OsFileSystem;

impl FileSystem for OsFileSystem {
    fn resolve(&self, path: &Path) -> io::Result<PathBuf> {
        match path.canonicalize() {
            Err(error) if error.kind() == io::ErrorKind::NotFound => follow_dangling(path),
            resolved => resolved,
        }
    }

    fn open(&self, path: &Path) -> io::Result<Arc<dyn LogFile>> {
        let file = OpenOptions::new().read(true).write(true).create(true).mode(OWNER_ALONE).open(path)?;
        if file.metadata()?.is_file() { Ok(Arc::new(OsFile(file))) } else { Err(not_a_regular_file()) }
    }

    fn open_existing(&self, path: &Path, access: Access) -> io::Result<Arc<dyn LogFile>> {
        // Checked first, because opening some devices has side effects, and opening a pipe would wait for a writer.
        if !std::fs::symlink_metadata(path)?.is_file() {
            return Err(not_a_regular_file());
        }
        let flags = (OFlags::NOFOLLOW | OFlags::NONBLOCK).bits() as i32;
        let is_written = access == Access::Write;
        let file = OpenOptions::new().read(true).write(is_written).custom_flags(flags).open(path)?;
        if file.metadata()?.is_file() { Ok(Arc::new(OsFile(file))) } else { Err(not_a_regular_file()) }
    }

    fn create(&self, path: &Path, like: Option<Ownership>) -> io::Result<Arc<dyn LogFile>> {
        // Only a new file is certain to belong to nobody else: links of either kind may have been planted under a predictable
        // name. Until its mode is set, nobody else can open it.
        let file = OpenOptions::new().read(true).write(true).create_new(true).mode(OWNER_ALONE).open(path)?;
        if let Some(like) = like {
            let mode = if has_owner_of(&file, like)? { like.mode } else { like.mode & !GROUP };
            file.set_permissions(Permissions::from_mode(mode & ALL_PERMISSIONS))?;
        }
        // A later `fdatasync` may leave owner and mode out.
        file.sync_all()?;
        Ok(Arc::new(OsFile(file)))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        std::fs::rename(from, to)
    }

    fn link(&self, from: &Path, to: &Path) -> io::Result<()> {
        std::fs::hard_link(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        let found = std::fs::symlink_metadata(path)?.file_type();
        if found.is_file() { std::fs::remove_file(path) } else { Err(left_alone(found)) }
    }

    fn open_parent(&self, path: &Path) -> io::Result<Box<dyn Directory>> {
        Ok(Box::new(OsDirectory(File::open(parent_of(path))?)))
    }

    fn free_bytes(&self, path: &Path) -> io::Result<u64> {
        let system = rustix::fs::statvfs(parent_of(path))?;
        Ok(system.f_bavail.saturating_mul(system.f_frsize))
    }
}

/// Returns the target of a dangling link, or the path of a file that does not exist.
fn follow_dangling(path: &Path) -> io::Result<PathBuf> {
    if let Ok(target) = std::fs::read_link(path) {
        return OsFileSystem.resolve(&parent_of(path).join(target));
    }
    let name = path.file_name().ok_or(io::ErrorKind::InvalidInput)?;
    Ok(parent_of(path).canonicalize()?.join(name))
}

fn parent_of(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Gives the file the owner and group of another one; returns whether it has that group now.
fn has_owner_of(file: &File, like: Ownership) -> io::Result<bool> {
    let Ownership { uid, gid, .. } = like;
    let is = file.metadata()?;
    if (is.uid(), is.gid()) == (uid, gid) {
        return Ok(true);
    }
    let is_refused = |error: &io::Error| error.kind() == io::ErrorKind::PermissionDenied;
    match fchown(file, Some(uid), Some(gid)) {
        Err(error) if is_refused(&error) => match fchown(file, None, Some(gid)) {
            Err(error) if is_refused(&error) => Ok(false),
            of_group => of_group.map(|()| true),
        },
        of_both => of_both.map(|()| true),
    }
}

fn not_a_regular_file() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, "not a regular file")
}

fn left_alone(found: FileType) -> io::Error {
    let found = if found.is_symlink() {
        "a symbolic link"
    } else if found.is_dir() {
        "a directory"
    } else {
        "something that is no regular file"
    };
    let reason = format!("{found} has that name and was left as it is; move it away");
    io::Error::new(io::ErrorKind::InvalidInput, reason)
}

struct OsFile(File);

impl LogFile for OsFile {
    fn try_lock(&self) -> io::Result<Lock> {
        match self.0.try_lock() {
            Ok(()) => Ok(Lock::Taken),
            Err(TryLockError::WouldBlock) => Ok(Lock::HeldBy { pid: lock_holder(&self.0) }),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }

    fn len_bytes(&self) -> io::Result<u64> {
        Ok(self.0.metadata()?.len())
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        self.0.read_at(buffer, offset)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<usize> {
        self.0.write_at(bytes, offset)
    }

    fn sync(&self) -> io::Result<()> {
        self.0.sync_data()
    }

    fn set_len(&self, len_bytes: u64) -> io::Result<()> {
        self.0.set_len(len_bytes)
    }

    fn reserve(&self, offset: u64, len_bytes: u64) -> io::Result<()> {
        // Most file systems apply this limit to writes only, so they would reserve room that no write may use.
        let limit = getrlimit(Resource::Fsize).current;
        if limit.is_some_and(|limit_bytes| offset.saturating_add(len_bytes) > limit_bytes) {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        let reserve = || rustix::fs::fallocate(&self.0, FallocateFlags::KEEP_SIZE, offset, len_bytes);
        Ok(rustix::io::retry_on_intr(reserve)?)
    }

    fn ownership(&self) -> io::Result<Option<Ownership>> {
        let file = self.0.metadata()?;
        Ok(Some(Ownership { uid: file.uid(), gid: file.gid(), mode: file.mode() }))
    }

    fn is_at(&self, path: &Path) -> io::Result<bool> {
        let (here, there) = (self.0.metadata()?, std::fs::metadata(path)?);
        Ok((here.dev(), here.ino()) == (there.dev(), there.ino()))
    }
}

struct OsDirectory(File);

impl Directory for OsDirectory {
    fn sync(&self) -> io::Result<()> {
        self.0.sync_all()
    }
}

/// Makes the name `path` durable in its directory.
pub(crate) fn sync_parent(fs: &dyn FileSystem, path: &Path) -> io::Result<()> {
    fs.open_parent(path)?.sync()
}

/// Returns the process id of the holder of the lock on `file`, from /proc/locks.
fn lock_holder(file: &File) -> Option<u32> {
    let locks = std::fs::read_to_string("/proc/locks").ok()?;
    let metadata = file.metadata().ok()?;
    holder_in(&locks, metadata.dev(), metadata.ino())
}

/// Returns the holder of the lock on this file: the fifth field of a line is the pid, the sixth `major:minor:inode`, the
/// device in hexadecimal (proc_locks(5)). If a file system has another device there than in `stat`, as one with subvolumes may,
/// the holder is not found.
fn holder_in(locks: &str, device: u64, inode: u64) -> Option<u32> {
    let place = format!("{:02x}:{:02x}:{inode}", major(device), minor(device));
    locks.lines().filter(|line| line.contains("FLOCK")).find_map(|line| {
        let mut fields = line.split_ascii_whitespace().skip(4);
        let (pid, found) = (fields.next()?, fields.next()?);
        (found == place).then(|| pid.parse().ok().filter(|&pid| pid != 0))?
    })
}

/// Writes all of `bytes` from `offset` on, however many calls that takes.
pub(crate) fn write_all_at(file: &dyn LogFile, mut bytes: &[u8], mut offset: u64) -> io::Result<()> {
    while !bytes.is_empty() {
        match file.write_at(bytes, offset) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(written) => {
                bytes = bytes.get(written..).unwrap_or_default();
                offset += written as u64;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Writes chunks consecutively from `offset` on, so that no write but the last ends inside a sector.
///
/// A crash leaves a sector as it was after one of the writes to it. A sector that two writes share could be left half written,
/// which recovery does not recognise as a torn write.
pub(crate) fn write_chunks_at(file: &dyn LogFile, chunks: &[Vec<u8>], mut offset: u64) -> io::Result<()> {
    let mut carried = Vec::new();
    for (index, chunk) in chunks.iter().enumerate() {
        let mut rest = &chunk[..];
        if !carried.is_empty() {
            let missing = bytes_to_sector_end(offset + carried.len() as u64);
            let (filling, after) = rest.split_at(missing.min(rest.len()));
            carried.extend_from_slice(filling);
            if filling.len() < missing {
                continue;
            }
            write_all_at(file, &carried, offset)?;
            offset += carried.len() as u64;
            carried.clear();
            rest = after;
        }
        let is_last = index + 1 == chunks.len();
        let past_sector = (offset + rest.len() as u64) % SECTOR_BYTES;
        let carry = if is_last { 0 } else { rest.len().min(past_sector as usize) };
        let (whole, part) = rest.split_at(rest.len() - carry);
        write_all_at(file, whole, offset)?;
        offset += whole.len() as u64;
        carried.extend_from_slice(part);
    }
    write_all_at(file, &carried, offset)
}

/// Returns the distance from `offset` to the end of its sector, in bytes.
const fn bytes_to_sector_end(offset: u64) -> usize {
    (SECTOR_BYTES - offset % SECTOR_BYTES) as usize
}

/// Fills `buffer` from `offset` on, up to the end of the file; returns the number of bytes.
pub(crate) fn read_up_to(file: &dyn LogFile, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
    let mut filled = 0;
    while let Some(rest) = buffer.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        match file.read_at(rest, offset + filled as u64) {
            Ok(0) => break,
            Ok(read) => filled += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

#[cfg(test)]
mod tests {
    use rustix::fs::makedev;

    use super::*;

    #[test]
    fn the_holder_of_a_lock_is_not_that_of_a_file_with_the_same_number_on_another_disk() {
        let locks = "1: FLOCK  ADVISORY  WRITE 412 fe:00:77 0 EOF\n\
                     2: POSIX  ADVISORY  WRITE 413 08:11:77 0 EOF\n\
                     3: FLOCK  ADVISORY  WRITE 414 08:11:77 0 EOF\n\
                     4: FLOCK  ADVISORY  WRITE 0 103:02:77 0 EOF\n";
        assert_eq!(holder_in(locks, makedev(0x08, 0x11), 77), Some(414));
        assert_eq!(holder_in(locks, makedev(0xfe, 0), 77), Some(412));
        assert_eq!(holder_in(locks, makedev(0xfe, 1), 77), None);
        assert_eq!(
            holder_in(locks, makedev(0x103, 2), 77),
            None,
            "a process of another container has no number"
        );
    }
}
