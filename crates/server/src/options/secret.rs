//! Secrets in files of their own, as containers mount them.

use std::fs::OpenOptions;
use std::io::Read;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use rustix::fs::OFlags;

/// Most bytes of a secret.
const MAX_SECRET_BYTES: u64 = 4096;

/// Reads a regular file of at most `max_bytes`. It never waits, as for the other end of a named pipe.
///
/// # Errors
/// A text that continues the path: `does not exist`.
pub(super) fn read_file(path: &Path, max_bytes: u64) -> Result<Vec<u8>, String> {
    let flags = i32::try_from(OFlags::NONBLOCK.bits()).unwrap_or_default();
    let file = OpenOptions::new().read(true).custom_flags(flags).open(path);
    let file = file.map_err(|error| format!("cannot be read: {error}"))?;
    let metadata = file.metadata().map_err(|error| format!("cannot be read: {error}"))?;
    if metadata.is_dir() {
        return Err("is a folder: give the path of a file".to_owned());
    }
    if !metadata.is_file() {
        return Err("is not a regular file, which a reload could read again: give the path of one".to_owned());
    }
    let mut contents = Vec::new();
    let read = file.take(max_bytes + 1).read_to_end(&mut contents);
    read.map_err(|error| format!("cannot be read: {error}"))?;
    if contents.len() as u64 > max_bytes {
        return Err(format!("is over the limit of {max_bytes} bytes: is it the right file?"));
    }
    Ok(contents)
}

/// Reads the secret in a file, without the end of its line.
pub(super) fn read_secret(path: &Path) -> Result<String, String> {
    let contents = String::from_utf8(read_file(path, MAX_SECRET_BYTES)?);
    let contents = contents.map_err(|_| "is not valid UTF-8".to_owned())?;
    let secret = contents.strip_suffix('\n').unwrap_or(&contents);
    let secret = secret.strip_suffix('\r').unwrap_or(secret);
    if secret.is_empty() {
        Err("is empty: write the secret into it".to_owned())
    } else {
        Ok(secret.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_secret_is_its_file_without_the_end_of_the_line() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secret");
        let read = |contents: &[u8]| {
            fs::write(&path, contents).unwrap();
            read_secret(&path)
        };
        for contents in ["a b", "a b\n", "a b\r\n"] {
            assert_eq!(read(contents.as_bytes()), Ok("a b".to_owned()));
        }
        assert_eq!(read(b" a\n\n"), Ok(" a\n".to_owned()));
        assert!(read(b"\n").unwrap_err().contains("empty"));
        assert!(read(b"\xff").unwrap_err().contains("UTF-8"));
        assert_eq!(read(&[b'x'; 4096]).map(|secret| secret.len()), Ok(4096));
        assert!(read(&[b'x'; 4097]).unwrap_err().contains("over the limit of 4096 bytes"));
        assert!(read_secret(folder.path()).unwrap_err().contains("is a folder"));
        assert!(read_secret(&folder.path().join("none")).unwrap_err().contains("No such file"));
    }
}
