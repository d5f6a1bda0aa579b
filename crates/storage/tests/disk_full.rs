//! A full disk: what is refused, what goes on, and that writes come back by themselves.

mod support {
    pub(crate) mod hooked;
}

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use rustvault_storage::fs::OsFileSystem;
use rustvault_storage::{DurableStore, Error, Op, Options, Store};
use support::hooked::{Call, Hooked, WHOLE};

const ROOM_BYTES: u64 = 1024 * 1024;

/// The system's files on a disk that ends at `room` bytes of each.
fn disk(room: &Arc<AtomicU64>) -> Arc<Hooked<OsFileSystem>> {
    let room = Arc::clone(room);
    Arc::new(Hooked::new(OsFileSystem, move |operation| {
        let end = match operation.call {
            Call::Write { offset, len } => offset + len as u64,
            Call::Reserve { offset, len } => offset + len,
            _ => 0,
        };
        let fits = end <= room.load(Ordering::SeqCst);
        if fits { Ok(WHOLE) } else { Err(io::ErrorKind::StorageFull.into()) }
    }))
}

fn key(number: usize) -> Vec<u8> {
    format!("key:{number}").into_bytes()
}

/// Stores values of 1,000 bytes until one is refused; returns how many it took.
async fn fill(store: &DurableStore) -> usize {
    for number in 0..10_000 {
        match store.set(&key(number), &[b'v'; 1_000]).await {
            Ok(()) => {}
            Err(error) => {
                assert!(matches!(error, Error::DiskFull), "{error}");
                return number;
            }
        }
    }
    panic!("none of 10,000 writes was refused")
}

#[tokio::test]
async fn a_full_disk_refuses_writes_and_loses_nothing_until_there_is_space() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("vault.log");
    let room = Arc::new(AtomicU64::new(ROOM_BYTES));
    let store = DurableStore::open_on(disk(&room), &path, Options::default()).unwrap();
    let taken = fill(&store).await;
    assert!(store.stats().await.unwrap().is_disk_full);

    assert_eq!(store.get(&key(taken)).await.unwrap(), None, "a refused write has changed nothing");
    assert_eq!(store.get(&key(0)).await.unwrap().as_deref(), Some(&[b'v'; 1_000][..]));
    let keys = [key(1), key(2)];
    let pipeline = [
        Op::Set { key: b"large", value: &[0; 1_000] },
        Op::Delete { key: &keys[0] },
        Op::Get { key: &keys[0] },
    ];
    let mut replies = Vec::new();
    store.submit(&pipeline, usize::MAX, &mut replies).await;
    assert!(matches!(replies[0].outcome, Err(Error::DiskFull)), "{:?}", replies[0]);
    assert!(replies[1].outcome.is_ok() && replies[2].outcome.is_ok(), "{replies:?}");
    assert!(store.delete(&keys[1]).await.unwrap());

    room.store(100 * ROOM_BYTES, Ordering::SeqCst);
    while let Err(error) = store.set(b"after", b"v").await {
        assert!(matches!(error, Error::DiskFull), "{error}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    store.close().unwrap();
    drop(store);
    let store = DurableStore::open(&path, Options::default()).unwrap();
    assert_eq!(store.count().await.unwrap(), taken as u64 - 2 + 1);
}
