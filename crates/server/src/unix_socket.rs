//! File of a Unix socket: taken over if no server listens on it, and removed at the end if it is still this server's.
//!
//! No system call removes a file only if it is still the same one. So a server examines and changes the file under a lock on
//! its folder: if two servers start at one stale file, the second finds the first one listening. The lock is on the folder,
//! because a lock file could not be removed safely and would remain.

use std::ffi::{OsStr, OsString};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use rustix::fs::{
    AtFlags, FileType, FlockOperation, Mode, OFlags, Stat, chmodat, flock, open, statat, unlinkat,
};
use rustix::io::Errno;
use rustix::net::{self, AddressFamily, SocketAddrUnix, SocketFlags, SocketType, connect, socket_with};

use crate::UnixSocketError;

/// Longest path that the system accepts: `sun_path` of unix(7), less its final 0.
pub(crate) const MAX_PATH_BYTES: usize = 107;

/// Mode of the file: connecting needs the right to write, which owner and group have.
const SOCKET_MODE: Mode = Mode::from_raw_mode(0o660);

/// Longest wait for the folder's lock at the start: other servers hold it for microseconds.
const LOCK_PATIENCE: Duration = Duration::from_secs(2);

/// Longest wait for the folder's lock at the end, where a file that remains does no harm.
const LAST_LOCK_PATIENCE: Duration = Duration::from_millis(100);

const LOCK_RETRY: Duration = Duration::from_millis(2);

/// File of a listening socket; dropping this removes the file, if it is still the same one.
///
/// It must be dropped before the socket: as long as the socket exists, no other file gets this one's inode number.
#[derive(Debug)]
pub(crate) struct SocketFile {
    folder: Folder,
    /// Its device and inode number; `None` before it is created.
    identity: Option<(u64, u64)>,
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        let Some(ours) = self.identity else { return };
        // Without the lock, another server could take the name between the check and the removal. A file that remains is
        // taken over by the next server.
        let Ok(_lock) = self.folder.lock(LAST_LOCK_PATIENCE) else { return };
        if self.folder.stat().is_ok_and(|stat| identity(&stat) == ours) {
            let _ = self.folder.remove();
        }
    }
}

/// Listens at this path, which must be free or a socket on which no server listens. Waits for the folder's lock, for
/// [`LOCK_PATIENCE`] at most.
pub(crate) fn listen(path: &Path, backlog: u32) -> Result<(OwnedFd, SocketFile), UnixSocketError> {
    let addr = address(path)?;
    let mut file = SocketFile { folder: Folder::of(path)?, identity: None };
    let folder = &file.folder;
    let lock = folder.lock(LOCK_PATIENCE)?;
    folder.make_way(&addr)?;
    let socket = new_socket()?;
    net::bind(&socket, &addr).map_err(|error| match error {
        // A program that does not use the lock has taken the name since it was examined.
        Errno::ADDRINUSE => UnixSocketError::InUse,
        error => system("create it", error),
    })?;
    file.identity = Some(identity(&folder.stat().map_err(|error| system("examine it", error))?));
    // The mode is set before the socket listens, so nobody can connect with another mode.
    chmodat(&folder.handle, folder.name(), SOCKET_MODE, AtFlags::empty())
        .map_err(|error| system("set its mode", error))?;
    net::listen(&socket, backlog.cast_signed()).map_err(|error| system("listen on it", error))?;
    drop(lock);
    Ok((socket, file))
}

fn address(path: &Path) -> Result<SocketAddrUnix, UnixSocketError> {
    let len_bytes = path.as_os_str().len();
    if len_bytes > MAX_PATH_BYTES {
        return Err(UnixSocketError::TooLong { len_bytes });
    }
    SocketAddrUnix::new(path).map_err(|error| system("use this name", error))
}

fn new_socket() -> Result<OwnedFd, UnixSocketError> {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)
        .map_err(|error| system("create a socket", error))
}

/// The folder of a socket's file, and the file's name in it.
#[derive(Debug)]
struct Folder {
    handle: OwnedFd,
    name: OsString,
}

impl Folder {
    fn of(path: &Path) -> Result<Self, UnixSocketError> {
        let is_folder = path.as_os_str().as_bytes().ends_with(b"/");
        let name = path.file_name().filter(|_| !is_folder).ok_or(UnixSocketError::NoName)?;
        let folder = path.parent().filter(|folder| *folder != Path::new("")).unwrap_or(Path::new("."));
        match open(folder, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty()) {
            Ok(handle) => Ok(Self { handle, name: name.to_owned() }),
            Err(Errno::NOENT | Errno::NOTDIR) => Err(UnixSocketError::NoFolder),
            Err(error) => Err(system("open its folder", error)),
        }
    }

    fn lock(&self, patience: Duration) -> Result<FolderLock<'_>, UnixSocketError> {
        let began = Instant::now();
        loop {
            match flock(&self.handle, FlockOperation::NonBlockingLockExclusive) {
                Ok(()) => return Ok(FolderLock(&self.handle)),
                Err(Errno::AGAIN | Errno::INTR) if began.elapsed() < patience => thread::sleep(LOCK_RETRY),
                Err(Errno::AGAIN | Errno::INTR) => return Err(UnixSocketError::FolderLocked),
                Err(error) => return Err(system("lock its folder", error)),
            }
        }
    }

    /// Removes the file of a socket on which no server listens; anything else that has the name stays, and is an error.
    fn make_way(&self, addr: &SocketAddrUnix) -> Result<(), UnixSocketError> {
        match self.stat() {
            Err(Errno::NOENT) => return Ok(()),
            Err(error) => return Err(system("examine it", error)),
            Ok(stat) if FileType::from_raw_mode(stat.st_mode) != FileType::Socket => {
                return Err(UnixSocketError::NotASocket);
            }
            Ok(_) => {}
        }
        match connect(&new_socket()?, addr) {
            Err(Errno::CONNREFUSED) => {
                self.remove().map_err(|error| system("remove the file of a server that has ended", error))
            }
            // A full queue (EAGAIN) belongs to a server that listens.
            Ok(()) | Err(Errno::AGAIN) => Err(UnixSocketError::InUse),
            // A socket of another type, for example of datagrams.
            Err(Errno::PROTOTYPE) => Err(UnixSocketError::NotASocket),
            Err(error) => Err(system("check whether a server listens on it", error)),
        }
    }

    fn stat(&self) -> rustix::io::Result<Stat> {
        statat(&self.handle, self.name(), AtFlags::SYMLINK_NOFOLLOW)
    }

    fn remove(&self) -> rustix::io::Result<()> {
        unlinkat(&self.handle, self.name(), AtFlags::empty())
    }

    fn name(&self) -> &OsStr {
        &self.name
    }
}

/// Lock on a folder, which every server takes that looks for a socket's file there.
struct FolderLock<'a>(&'a OwnedFd);

impl Drop for FolderLock<'_> {
    fn drop(&mut self) {
        // If this fails, closing the folder's handle ends the lock.
        let _ = flock(self.0, FlockOperation::Unlock);
    }
}

const fn identity(stat: &Stat) -> (u64, u64) {
    (stat.st_dev, stat.st_ino)
}

fn system(action: &'static str, error: Errno) -> UnixSocketError {
    UnixSocketError::System { action, source: io::Error::from(error) }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
    use std::os::unix::net::{UnixDatagram, UnixListener, UnixStream};
    use std::path::PathBuf;

    use tempfile::TempDir;

    use super::*;

    fn folder() -> (TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("vault.sock");
        (folder, path)
    }

    fn refusal(path: &Path) -> UnixSocketError {
        listen(path, 8).map(drop).unwrap_err()
    }

    #[test]
    fn owner_and_group_may_connect_and_the_file_goes_with_the_socket() {
        let (_folder, path) = folder();
        let (socket, file) = listen(&path, 8).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o7777, 0o660);
        UnixStream::connect(&path).unwrap();
        drop((file, socket));
        assert!(!path.exists());
    }

    #[test]
    fn a_socket_that_a_server_has_left_is_taken_over() {
        let (_folder, path) = folder();
        drop(UnixListener::bind(&path).unwrap());
        let _listening = listen(&path, 8).unwrap();
        UnixStream::connect(&path).unwrap();
    }

    #[test]
    fn what_is_not_ours_is_left_as_it_is() {
        let (folder, path) = folder();
        let inode = |path: &Path| fs::symlink_metadata(path).unwrap().ino();
        let other = UnixListener::bind(&path).unwrap();
        let before = inode(&path);
        assert!(matches!(refusal(&path), UnixSocketError::InUse));
        assert_eq!(inode(&path), before);
        drop(other);

        let path_of = |name: &str| folder.path().join(name);
        fs::write(path_of("file"), "x").unwrap();
        fs::create_dir(path_of("dir")).unwrap();
        symlink(&path, path_of("link")).unwrap();
        let _datagrams = UnixDatagram::bind(path_of("datagrams")).unwrap();
        for name in ["file", "dir", "link", "datagrams"] {
            let before = inode(&path_of(name));
            let refusal = refusal(&path_of(name));
            assert!(matches!(refusal, UnixSocketError::NotASocket), "{name}: {refusal}");
            assert_eq!(inode(&path_of(name)), before, "{name}");
        }
    }

    #[test]
    fn a_server_whose_queue_is_full_is_still_one() {
        let (_folder, path) = folder();
        let (_socket, _file) = listen(&path, 0).unwrap();
        let addr = SocketAddrUnix::new(&path).unwrap();
        let clients: Vec<_> = (0..4).map(|_| new_socket().unwrap()).collect();
        assert!(clients.iter().any(|client| connect(client, &addr) == Err(Errno::AGAIN)));
        assert!(matches!(refusal(&path), UnixSocketError::InUse));
    }

    #[test]
    fn paths_that_cannot_be_are_told_apart() {
        let (folder, path) = folder();
        let long = folder.path().join("x".repeat(MAX_PATH_BYTES));
        let len_bytes = long.as_os_str().len();
        assert!(matches!(refusal(&long), UnixSocketError::TooLong { len_bytes: told } if told == len_bytes));
        assert!(matches!(refusal(&folder.path().join("nowhere/x.sock")), UnixSocketError::NoFolder));
        fs::write(&path, "x").unwrap();
        assert!(matches!(refusal(&path.join("x.sock")), UnixSocketError::NoFolder));
        for path in ["", "/", "..", "x/"] {
            assert!(matches!(refusal(Path::new(path)), UnixSocketError::NoName), "{path:?}");
        }
        let longest = MAX_PATH_BYTES - folder.path().as_os_str().len() - 1;
        let longest = folder.path().join("x".repeat(longest));
        drop(listen(&longest, 8).unwrap());
    }

    #[test]
    fn of_many_that_start_at_one_stale_socket_one_gets_it() {
        let (_folder, path) = folder();
        for _ in 0..50 {
            drop(UnixListener::bind(&path).unwrap());
            let listening: Vec<_> = thread::scope(|scope| {
                let starts: Vec<_> = (0..4).map(|_| scope.spawn(|| listen(&path, 8))).collect();
                starts.into_iter().map(|start| start.join().unwrap()).collect()
            });
            let (got, refused): (Vec<_>, Vec<_>) = listening.into_iter().partition(Result::is_ok);
            assert_eq!(got.len(), 1);
            assert!(refused.iter().all(|refusal| matches!(refusal, Err(UnixSocketError::InUse))));
            UnixStream::connect(&path).unwrap();
        }
    }

    #[test]
    fn a_file_that_has_taken_the_place_of_ours_is_not_removed() {
        let (_folder, path) = folder();
        let (socket, file) = listen(&path, 8).unwrap();
        fs::remove_file(&path).unwrap();
        let _other = UnixListener::bind(&path).unwrap();
        drop((file, socket));
        UnixStream::connect(&path).unwrap();
    }

    #[test]
    fn a_folder_that_somebody_keeps_locked_is_an_error_and_no_wait_for_ever() {
        let (folder, path) = folder();
        let other = Folder::of(&path).unwrap();
        let _lock = other.lock(LOCK_PATIENCE).unwrap();
        let locked = Folder::of(&path).unwrap().lock(Duration::ZERO).map(drop);
        assert!(matches!(locked, Err(UnixSocketError::FolderLocked)), "{}", folder.path().display());
    }
}
