//! The situations that are tried. In all of them what a client is told is held against what a crash leaves.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use rustvault_storage::batch::{BatchStore, Op, Outcome};
use rustvault_storage::{DurableStore, Error, LogFormat, SyncPolicy, pass_time};
use shuttle::rand::{Rng, thread_rng};
use shuttle::thread;

use crate::disk::Trouble;
use crate::explore::explore;
use crate::world::{By, World};

const ALWAYS: SyncPolicy = SyncPolicy::Always;
const EVERY_100_MS: SyncPolicy = SyncPolicy::Interval(Duration::from_millis(100));
const BINARY: LogFormat = LogFormat::Binary;
const LINES: LogFormat = LogFormat::Json;

/// A value that needs more room than the log has reserved when it was opened, in bytes.
const MORE_THAN_RESERVED_BYTES: usize = 270 * 1024;

/// Runs `body` on a thread of its own with the world and a store.
fn client(
    world: &Arc<World>,
    store: &DurableStore,
    body: impl FnOnce(&World, &DurableStore) + Send + 'static,
) -> thread::JoinHandle<()> {
    let (world, store) = (Arc::clone(world), store.clone());
    thread::spawn(move || body(&world, &store))
}

/// A client that writes `writes` keys of its own, until a write fails.
fn writer(
    world: &Arc<World>,
    store: &DurableStore,
    name: &'static str,
    by: By,
    writes: usize,
) -> thread::JoinHandle<()> {
    client(world, store, move |world, store| {
        (0..writes)
            .try_for_each(|number| world.set(store, by, &format!("{name}{number}")))
            .unwrap_or_default();
    })
}

fn join(threads: impl IntoIterator<Item = thread::JoinHandle<()>>) {
    for thread in threads {
        thread.join().unwrap();
    }
}

/// Two who commit by themselves, and one whose records the log's thread commits.
fn committers(policy: SyncPolicy, format: LogFormat, trouble: Trouble, is_shown: bool) {
    let world = World::new(policy, format, trouble, is_shown);
    let store = world.open();
    let clients = [("a", By::Itself), ("b", By::Itself), ("c", By::Log)];
    join(clients.map(|(name, by)| writer(&world, &store, name, by, 2)));
    world.end(store);
}

#[test]
fn several_committers_lose_nothing_and_leave_no_gap() {
    explore("several committers", 6, |is_shown| committers(ALWAYS, BINARY, Trouble::None, is_shown));
}

#[test]
fn several_committers_lose_nothing_and_leave_no_gap_when_calls_fail() {
    explore("several committers, failing calls", 16, |is_shown| {
        committers(ALWAYS, BINARY, Trouble::Errors, is_shown);
    });
}

#[test]
fn several_committers_of_lines_lose_nothing_when_calls_fail() {
    explore("several committers of lines, failing calls", 8, |is_shown| {
        committers(ALWAYS, LINES, Trouble::Errors, is_shown);
    });
}

#[test]
fn what_is_synced_at_an_interval_is_durable_when_the_figures_say_so() {
    explore("syncs at an interval, failing calls", 8, |is_shown| {
        committers(EVERY_100_MS, BINARY, Trouble::Errors, is_shown);
    });
}

#[test]
fn what_is_written_without_syncs_survives_the_process() {
    explore("no syncs, failing calls", 3, |is_shown| {
        committers(SyncPolicy::Never, BINARY, Trouble::Errors, is_shown);
    });
}

#[test]
fn closing_beside_writers_loses_nothing_and_ends() {
    explore("close beside submit", 8, |is_shown| {
        let world = World::new(ALWAYS, BINARY, Trouble::Errors, is_shown);
        let store = world.open();
        let clients = [("a", By::Itself), ("b", By::Log), ("c", By::Wait)];
        let writers = clients.map(|(name, by)| writer(&world, &store, name, by, 2));
        let waiting_for_room = (thread_rng().gen_range(0..4) == 0).then(|| {
            client(&world, &store, |world, store| {
                let value = vec![b'l'; MORE_THAN_RESERVED_BYTES];
                world
                    .run(store, By::Log, Op::Set { key: b"large", value: &value })
                    .map(drop)
                    .unwrap_or_default();
            })
        });
        let closing = client(&world, &store, |_, store| drop(store.close()));
        join(writers.into_iter().chain(waiting_for_room));
        join([closing]);
        assert!(world.set(&store, By::Log, "too late").is_err());
        world.end(store);
    });
}

#[test]
fn a_seal_beside_writers_loses_nothing() {
    explore("seal beside submit", 7, |is_shown| {
        let world = World::new(ALWAYS, BINARY, Trouble::Errors, is_shown);
        let store = world.open();
        let paused = client(&world, &store, |world, store| {
            for key in ["a0", "a1", "a2"] {
                if world.set(store, By::Itself, key).is_err() {
                    return;
                }
                // The log is sealed a second later.
                pass_time(Duration::from_secs(1));
                (0..thread_rng().gen_range(0..30)).for_each(|_| thread::yield_now());
            }
        });
        let late = client(&world, &store, |world, store| {
            (0..thread_rng().gen_range(0..60)).for_each(|_| thread::yield_now());
            world.set(store, By::Log, "b").unwrap_or_default();
        });
        join([paused, late]);
        world.end(store);
    });
}

/// A compaction beside clients that change what it copies.
fn compaction(policy: SyncPolicy, format: LogFormat, trouble: Trouble, is_shown: bool) {
    let world = World::new(policy, format, Trouble::None, is_shown);
    let store = world.open();
    for key in ["a", "b", "gone"] {
        world.set(&store, By::Log, key).unwrap();
    }
    world.begin(trouble);
    let compacting = client(&world, &store, |world, store| world.compact(store).unwrap_or_default());
    let own = client(&world, &store, |world, store| {
        let set = |value: &[u8]| world.run(store, By::Itself, Op::Set { key: b"a", value });
        // What is admitted meanwhile needs its room in the new file.
        let two_bytes = if thread_rng().gen_range(0..8) == 0 { MORE_THAN_RESERVED_BYTES } else { 1 };
        set(b"one").and_then(|_| set(&vec![b'2'; two_bytes])).map(drop).unwrap_or_default();
    });
    let other = client(&world, &store, |world, store| {
        let deleted = world.run(store, By::Log, Op::Delete { key: b"gone" });
        deleted.and_then(|_| world.set(store, By::Log, "late")).unwrap_or_default();
    });
    join([compacting, own, other]);
    world.end(store);
}

#[test]
fn a_compaction_that_takes_over_beside_writers_loses_nothing() {
    explore("take-over beside submit, failing calls", 11, |is_shown| {
        compaction(ALWAYS, BINARY, Trouble::Errors, is_shown);
    });
}

#[test]
fn a_compaction_of_lines_that_takes_over_beside_writers_loses_nothing() {
    explore("take-over of lines beside submit, failing calls", 4, |is_shown| {
        compaction(ALWAYS, LINES, Trouble::Errors, is_shown);
    });
}

#[test]
fn a_compaction_that_takes_over_beside_syncs_at_an_interval_loses_nothing() {
    explore("take-over beside syncs at an interval, failing calls", 4, |is_shown| {
        compaction(EVERY_100_MS, BINARY, Trouble::Errors, is_shown);
    });
}

#[test]
fn a_waiter_that_is_dropped_leaves_nobody_waiting() {
    explore("a waiter dropped", 5, |is_shown| {
        let world = World::new(ALWAYS, BINARY, Trouble::Errors, is_shown);
        let store = world.open();
        let fickle = client(&world, &store, |world, store| {
            for key in ["a0", "a1"] {
                let set = Op::Set { key: key.as_bytes(), value: b"v" };
                let (submission, replies) = world.submit(store, &[set]);
                drop(submission);
                let mut waiting = pin!(store.wait(replies[0].depends_on));
                for _ in 0..thread_rng().gen_range(0..3) {
                    let mut context = Context::from_waker(Waker::noop());
                    if let Poll::Ready(result) = waiting.as_mut().poll(&mut context) {
                        world.told(store, replies[0].depends_on, &result);
                        break;
                    }
                    thread::yield_now();
                }
            }
        });
        let writers = [("b", By::Log), ("c", By::Wait)];
        join(writers.map(|(name, by)| writer(&world, &store, name, by, 2)));
        join([fickle]);
        world.end(store);
    });
}

#[test]
fn records_that_others_hold_back_are_committed_by_whoever_waits() {
    explore("a submission held", 4, |is_shown| {
        let world = World::new(ALWAYS, BINARY, Trouble::Errors, is_shown);
        let store = world.open();
        let holding = client(&world, &store, |world, store| {
            let set = |key| Op::Set { key, value: b"v" };
            let (first, _) = world.submit(store, &[set(b"a0")]);
            let (second, replies) = world.submit(store, &[set(b"a1")]);
            second.leave_to_earlier();
            pass_time(Duration::from_secs(2));
            if world.wait(store, replies[0].depends_on).is_ok() {
                let (_held, replies) = world.submit(store, &[set(b"a2")]);
                world.wait(store, replies[0].depends_on).unwrap_or_default();
            }
            first.commit_here();
        });
        let reading = client(&world, &store, |world, store| {
            for key in [b"a0", b"a1", b"a2"] {
                if world.run(store, By::Log, Op::Get { key }).is_err() {
                    return;
                }
            }
        });
        join([holding, reading]);
        world.end(store);
    });
}

#[test]
fn a_full_disk_refuses_writes_and_takes_them_again() {
    explore("a full disk", 4, |is_shown| {
        let world = World::new(ALWAYS, BINARY, Trouble::Full, is_shown);
        let store = world.open();
        // As much as is reserved at a time.
        let value = vec![b'v'; 200 * 1024];
        let clients = [("a", By::Itself), ("b", By::Log)].map(|(name, by)| {
            let value = value.clone();
            client(&world, &store, move |world, store| {
                for number in 0..2 {
                    let key = format!("{name}{number}");
                    let set = world.run(store, by, Op::Set { key: key.as_bytes(), value: &value });
                    assert!(matches!(set, Ok(_) | Err(Error::DiskFull)), "{set:?}");
                }
                // There is room left for what makes room.
                let deleted = world.run(store, by, Op::Delete { key: format!("{name}0").as_bytes() });
                assert!(deleted.is_ok(), "{deleted:?}");
            })
        });
        join(clients);
        world.heal();
        // Somebody looks for room a few times a second.
        while let Err(error) = world.run(&store, By::Log, Op::Set { key: b"again", value: &value }) {
            assert!(matches!(error, Error::DiskFull), "{error:?}");
            thread::yield_now();
        }
        world.end(store);
    });
}

#[test]
fn a_write_that_needs_more_room_than_is_reserved_gets_it_beside_small_ones() {
    explore("a large write beside small ones, failing calls", 3, |is_shown| {
        let world = World::new(ALWAYS, BINARY, Trouble::Errors, is_shown);
        let store = world.open();
        let large = client(&world, &store, |world, store| {
            let value = vec![b'l'; MORE_THAN_RESERVED_BYTES];
            let set = Op::Set { key: b"large", value: &value };
            world.run(store, By::Itself, set).map(drop).unwrap_or_default();
        });
        let small = [("a", By::Log), ("b", By::Itself)];
        join(small.map(|(name, by)| writer(&world, &store, name, by, 3)));
        join([large]);
        world.end(store);
    });
}

#[test]
fn several_keys_are_written_whole_or_not_at_all() {
    explore("several keys at once, failing calls", 4, |is_shown| {
        let world = World::new(ALWAYS, BINARY, Trouble::Errors, is_shown);
        let store = world.open();
        let clients = [(b"1", By::Itself), (b"2", By::Log)].map(|(value, by)| {
            client(&world, &store, move |world, store| {
                let pairs: [[&[u8]; 2]; 3] = [[b"a", value], [b"b", value], [b"c", value]];
                world.run(store, by, Op::SetMany { pairs: &pairs }).map(drop).unwrap_or_default();
            })
        });
        let reading = client(&world, &store, |world, store| {
            if let Ok(Outcome::Values(seen)) = world.run(store, By::Log, Op::GetMany { keys: &[b"a", b"c"] })
            {
                let [a, c] = [&seen[0], &seen[1]].map(|value| value.as_ref().map(AsRef::<[u8]>::as_ref));
                assert_eq!(a, c, "a part of a write");
            }
        });
        join(clients);
        join([reading]);
        world.end(store);
    });
}

#[test]
fn a_log_that_was_removed_is_written_anew_from_memory() {
    explore("the log removed", 5, |is_shown| {
        let world = World::new(ALWAYS, BINARY, Trouble::None, is_shown);
        let store = world.open();
        let clients = [("a", By::Itself), ("b", By::Log)];
        let writers = clients.map(|(name, by)| writer(&world, &store, name, by, 3));
        let healing = client(&world, &store, |world, store| {
            world.set(store, By::Log, "before").unwrap();
            world.remove_log();
            (0..thread_rng().gen_range(0..30)).for_each(|_| thread::yield_now());
            while world.compact(store).is_err() {
                thread::yield_now();
            }
        });
        join(writers);
        join([healing]);
        world.set(&store, By::Log, "after").unwrap();
        world.end(store);
    });
}

#[test]
fn a_removed_log_refuses_writes_at_most_a_second_after_the_next_one() {
    explore("writes to a removed log", 2, |is_shown| {
        let world = World::new(ALWAYS, BINARY, Trouble::None, is_shown);
        let store = world.open();
        let clients = [("a", By::Itself), ("b", By::Log)];
        let writers = clients.map(|(name, by)| writer(&world, &store, name, by, 3));
        world.remove_log();
        join(writers);
        pass_time(Duration::from_secs(1));
        // Should the log's thread not have run for so long, this write looks for the file.
        world.set(&store, By::Itself, "later").unwrap_or_default();
        assert!(matches!(world.set(&store, By::Log, "latest"), Err(Error::LogRemoved { .. })));
        world.compact(&store).unwrap();
        world.set(&store, By::Itself, "again").unwrap();
        world.end(store);
    });
}
