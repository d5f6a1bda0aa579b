//! The files that a log is made of: their modes and owners, and what somebody has put where they go.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink};
use std::os::unix::net::UnixListener;

use super::*;

#[tokio::test]
async fn a_new_log_is_for_its_owner_alone_and_one_that_is_there_keeps_its_mode() {
    let folder = Folder::new();
    let mode = || fs::metadata(folder.log()).unwrap().mode() & 0o777;
    drop(folder.open());
    assert_eq!(mode(), 0o600);
    fs::set_permissions(folder.log(), PermissionsExt::from_mode(0o644)).unwrap();
    drop(folder.open());
    assert_eq!(mode(), 0o644);
}

#[tokio::test]
async fn a_compacted_log_keeps_its_mode_and_owner() {
    let folder = Folder::new();
    let store = folder.open();
    fill(&store, 10, b"v").await;
    // Only root may give a file to somebody else.
    let may_chown = chown(folder.log(), Some(12), Some(34)).is_ok();
    let owner = |metadata: fs::Metadata| (metadata.uid(), metadata.gid());
    let before = owner(fs::metadata(folder.log()).unwrap());
    assert_eq!(may_chown, before == (12, 34));
    for mode in [0o600, 0o640] {
        fs::set_permissions(folder.log(), PermissionsExt::from_mode(mode)).unwrap();
        store.compact().await.unwrap();
        let after = fs::metadata(folder.log()).unwrap();
        assert_eq!(after.mode() & 0o777, mode);
        assert_eq!(owner(after), before);
    }
}

/// A file of somebody's that is not to change, with a name in the folder of the log.
fn somebodys(folder: &Folder) -> PathBuf {
    let path = folder.0.path().join("precious");
    fs::write(&path, b"somebody's").unwrap();
    path
}

async fn assert_not_compacted(store: &DurableStore, folder: &Folder, found: &str) {
    let error = store.compact().await.unwrap_err().to_string();
    assert!(error.contains(folder.compacting().to_str().unwrap()), "{error}");
    assert!(error.contains(found) && error.contains("move it away"), "{error}");
    assert_eq!(store.stats().await.unwrap().last_compaction_error.as_deref(), Some(&error[..]));
}

#[tokio::test]
async fn a_symbolic_link_in_the_successors_place_is_not_followed() {
    let folder = Folder::new();
    let somebodys = somebodys(&folder);
    let nowhere = folder.0.path().join("nowhere");
    for target in [&somebodys, &nowhere] {
        // It is there when the log is opened, and when it is compacted.
        symlink(target, folder.compacting()).unwrap();
        let store = folder.open();
        assert_not_compacted(&store, &folder, "a symbolic link").await;
        assert!(folder.compacting().is_symlink() && !nowhere.exists());
        assert_eq!(fs::read(&somebodys).unwrap(), b"somebody's");
        store.set(b"a", b"v").await.unwrap();
        fs::remove_file(folder.compacting()).unwrap();
        store.compact().await.unwrap();
    }
    assert_eq!(state_after_crash(&folder).await.len(), 1);
}

#[tokio::test]
async fn what_is_no_file_in_the_successors_place_is_left_as_it_is() {
    let folder = Folder::new();
    let store = folder.open();
    fs::create_dir(folder.compacting()).unwrap();
    assert_not_compacted(&store, &folder, "a directory").await;
    fs::remove_dir(folder.compacting()).unwrap();
    let _socket = UnixListener::bind(folder.compacting()).unwrap();
    assert_not_compacted(&store, &folder, "no regular file").await;
    fs::remove_file(folder.compacting()).unwrap();
    store.compact().await.unwrap();
}

#[tokio::test]
async fn a_file_in_the_successors_place_that_has_another_name_too_keeps_its_content_there() {
    let folder = Folder::new();
    let store = folder.open();
    let somebodys = somebodys(&folder);
    fs::hard_link(&somebodys, folder.compacting()).unwrap();
    store.compact().await.unwrap();
    assert_eq!(fs::read(&somebodys).unwrap(), b"somebody's");
    assert_eq!(fs::metadata(&somebodys).unwrap().nlink(), 1);
}
