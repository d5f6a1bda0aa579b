//! What every store does, run against each implementation.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use rustvault_storage::batch::{Op, Outcome, Sight};
use rustvault_storage::{DurableStore, Error, LogFormat, Lsn, MemoryStore, Options, Store, SyncPolicy};

fn small_limits() -> Options {
    let mut options = Options::default();
    options.max_key_bytes = 10;
    options.max_value_bytes = 100_000;
    options
}

fn with_policy(sync_policy: SyncPolicy) -> Options {
    let mut options = small_limits();
    options.sync_policy = sync_policy;
    options
}

/// Runs a claim against every store.
macro_rules! every_store {
    ($($claim:ident),* $(,)?) => {
        mod memory {
            $(
                #[tokio::test]
                async fn $claim() {
                    super::$claim(super::MemoryStore::new(super::small_limits()).unwrap()).await;
                }
            )*
        }
        mod durable_always {
            $(
                #[tokio::test]
                async fn $claim() {
                    let folder = tempfile::tempdir().unwrap();
                    let options = super::with_policy(super::SyncPolicy::Always);
                    super::$claim(super::DurableStore::open(folder.path().join("log"), options).unwrap()).await;
                }
            )*
        }
        mod durable_json {
            $(
                #[tokio::test]
                async fn $claim() {
                    let folder = tempfile::tempdir().unwrap();
                    let mut options = super::with_policy(super::SyncPolicy::Always);
                    options.log_format = Some(super::LogFormat::Json);
                    super::$claim(super::DurableStore::open(folder.path().join("log"), options).unwrap()).await;
                }
            )*
        }
        mod durable_never {
            $(
                #[tokio::test]
                async fn $claim() {
                    let folder = tempfile::tempdir().unwrap();
                    let options = super::with_policy(super::SyncPolicy::Never);
                    super::$claim(super::DurableStore::open(folder.path().join("log"), options).unwrap()).await;
                }
            )*
        }
    };
}

every_store!(
    what_is_set_is_there,
    what_is_deleted_is_gone,
    keys_and_values_are_any_bytes,
    limits_are_errors_and_change_nothing,
    operations_on_many_keys_end_a_submit,
    a_write_that_fits_into_no_batch_is_refused_and_those_around_it_are_not,
    a_batch_runs_in_order,
    a_batch_stops_at_the_reply_limit,
    a_held_value_outlives_its_key,
    count_counts_live_keys,
    scan_returns_every_key_once_when_nothing_changes,
    scan_respects_prefix_and_limit,
    scan_finds_what_stays_while_others_come_and_go,
    a_cursor_past_the_end_ends_the_scan,
    large_values_survive,
    writers_of_one_key_leave_one_of_their_values,
    several_keys_are_written_read_and_deleted_at_once,
    a_read_of_several_keys_holds_no_more_than_it_may_and_knows_the_rest_again,
    nobody_sees_a_part_of_a_write_of_several_keys,
    clear_leaves_nothing,
    keys_lists_all_keys_of_a_prefix,
);

async fn what_is_set_is_there(store: impl Store) {
    assert_eq!(store.get(b"k").await.unwrap(), None);
    store.set(b"k", b"one").await.unwrap();
    assert_eq!(store.get(b"k").await.unwrap().unwrap(), *b"one");
    store.set(b"k", b"two").await.unwrap();
    assert_eq!(store.get(b"k").await.unwrap().unwrap(), *b"two");
    assert!(store.exists(b"k").await.unwrap());
}

async fn what_is_deleted_is_gone(store: impl Store) {
    assert!(!store.delete(b"k").await.unwrap());
    store.set(b"k", b"v").await.unwrap();
    assert!(store.delete(b"k").await.unwrap());
    assert!(!store.delete(b"k").await.unwrap());
    assert!(!store.exists(b"k").await.unwrap());
    assert_eq!(store.get(b"k").await.unwrap(), None);
    store.set(b"k", b"again").await.unwrap();
    assert_eq!(store.get(b"k").await.unwrap().unwrap(), *b"again");
}

async fn keys_and_values_are_any_bytes(store: impl Store) {
    for key in [&b""[..], b"\0", b"\r\n", b"a b", &[0xff; 10]] {
        let value: Vec<u8> = (0..=255).collect();
        store.set(key, &value).await.unwrap();
        assert_eq!(store.get(key).await.unwrap().unwrap(), value[..]);
    }
    store.set(b"empty", b"").await.unwrap();
    assert_eq!(store.get(b"empty").await.unwrap().unwrap(), *b"");
}

async fn limits_are_errors_and_change_nothing(store: impl Store) {
    let too_long = [b'k'; 11];
    let refused = store.set(&too_long, b"v").await.unwrap_err();
    assert!(matches!(refused, Error::KeyTooLarge { len_bytes: 11, max_bytes: 10 }), "{refused}");
    let refused = store.set(b"k", &vec![0; 100_001]).await.unwrap_err();
    assert!(matches!(refused, Error::ValueTooLarge { len_bytes: 100_001, max_bytes: 100_000 }), "{refused}");
    assert_eq!(store.count().await.unwrap(), 0);
    store.set(&too_long[..10], &vec![0; 100_000]).await.unwrap();
}

async fn operations_on_many_keys_end_a_submit(store: impl Store) {
    let keys = vec![&b"k"[..]; 900];
    let ops = [(); 5].map(|()| Op::GetMany { keys: &keys });
    let mut replies = Vec::new();
    drop(store.submit(&ops, usize::MAX, &mut replies).await);
    assert_eq!(replies.len(), 3);
}

async fn a_write_that_fits_into_no_batch_is_refused_and_those_around_it_are_not(store: impl Store) {
    // The same memory 50,000 times.
    let value = vec![0; 100_000];
    let pairs = vec![[&b"many"[..], &value[..]]; 50_000];
    let ops = [
        Op::Set { key: b"before", value: b"1" },
        Op::SetMany { pairs: &pairs },
        Op::Set { key: b"after", value: b"2" },
        Op::Count,
    ];
    let mut replies = Vec::new();
    while replies.len() < ops.len() {
        // One that has many keys is the last of its submit.
        drop(store.submit(&ops[replies.len()..], usize::MAX, &mut replies).await);
    }
    let outcomes: Vec<_> = replies.iter().map(|reply| &reply.outcome).collect();
    let [Ok(Outcome::Stored), Err(refused), Ok(Outcome::Stored), Ok(Outcome::Count(2))] = outcomes[..] else {
        panic!("{outcomes:?}")
    };
    let is_right = |len_bytes| len_bytes > 5_000_000_000;
    assert!(
        matches!(*refused, Error::WriteTooLarge { len_bytes, max_bytes: 4_294_967_295 } if is_right(len_bytes)),
        "{refused}"
    );
    store.wait(replies[3].depends_on).await.unwrap();
    store.set(b"later", b"3").await.unwrap();
}

async fn a_batch_runs_in_order(store: impl Store) {
    let ops = [
        Op::Set { key: b"k", value: b"1" },
        Op::Get { key: b"k" },
        Op::Delete { key: b"k" },
        Op::Exists { key: b"k" },
        Op::Set { key: b"k", value: b"2" },
        Op::Count,
    ];
    let mut replies = Vec::new();
    store.submit(&ops, usize::MAX, &mut replies).await;
    let highest = replies.iter().map(|reply| reply.depends_on).max().unwrap();
    store.wait(highest).await.unwrap();
    let outcomes: Vec<_> = replies.into_iter().map(|reply| reply.outcome.unwrap()).collect();
    assert!(matches!(&outcomes[..], [
        Outcome::Stored,
        Outcome::Value(Some(value)),
        Outcome::Deleted(true),
        Outcome::Exists(false),
        Outcome::Stored,
        Outcome::Count(1),
    ] if *value == *b"1"));
}

async fn a_batch_stops_at_the_reply_limit(store: impl Store) {
    store.set(b"k", &[7; 1000]).await.unwrap();
    let ops = [Op::Get { key: b"k" }; 10];
    let mut replies = Vec::new();
    store.submit(&ops, 2500, &mut replies).await;
    assert_eq!(replies.len(), 3);
    replies.clear();
    store.submit(&ops, 0, &mut replies).await;
    assert_eq!(replies.len(), 1, "at least one is carried out");
}

async fn a_held_value_outlives_its_key(store: impl Store) {
    store.set(b"k", b"old").await.unwrap();
    let held = store.get(b"k").await.unwrap().unwrap();
    store.set(b"k", b"new").await.unwrap();
    store.delete(b"k").await.unwrap();
    assert_eq!(held, *b"old");
}

async fn count_counts_live_keys(store: impl Store) {
    fill(&store, 100).await;
    for n in 0..40 {
        store.delete(&key(n)).await.unwrap();
    }
    assert_eq!(store.count().await.unwrap(), 60);
    assert_eq!(store.stats().await.unwrap().keys, 60);
}

async fn scan_returns_every_key_once_when_nothing_changes(store: impl Store) {
    // Enough keys that the tables have split several times.
    fill(&store, 20_000).await;
    for limit in [7, 100, 10_000] {
        let mut seen = BTreeSet::new();
        for key in scan_all(&store, b"", limit).await {
            assert!(seen.insert(key), "returned twice");
        }
        assert_eq!(seen.len(), 20_000, "limit {limit}");
    }
}

async fn scan_respects_prefix_and_limit(store: impl Store) {
    fill(&store, 3000).await;
    for n in 0..30 {
        store.set(format!("user:{n}").as_bytes(), b"").await.unwrap();
    }
    assert_eq!(scan_all(&store, b"user:", 4).await.len(), 30);
    let page = store.scan(0, b"k", 5).await.unwrap();
    assert!((1..=5).contains(&page.keys.len()));
    assert!(page.next_cursor > 0 && page.next_cursor < 1 << 53);
}

async fn scan_finds_what_stays_while_others_come_and_go(store: impl Store) {
    fill(&store, 2000).await;
    let mut seen = BTreeSet::new();
    let (mut cursor, mut round) = (0, 0_i32);
    loop {
        let page = store.scan(cursor, b"k", 50).await.unwrap();
        seen.extend(page.keys.iter().map(|key| key.to_vec()));
        cursor = page.next_cursor;
        if cursor == 0 {
            break;
        }
        // The tables grow by far more than they hold, and shrink again.
        let coming: Vec<_> = (0..500).map(|n| format!("t{round}-{n}").into_bytes()).collect();
        let going: Vec<_> = (0..500).map(|n| format!("t{}-{n}", round - 2).into_bytes()).collect();
        let sets = coming.iter().map(|key| Op::Set { key, value: b"" });
        let deletes = going.iter().map(|key| Op::Delete { key });
        run(&store, &sets.chain(deletes).collect::<Vec<_>>()).await;
        round += 1;
    }
    assert!((0..2000).all(|n| seen.contains(&key(n))));
}

async fn a_cursor_past_the_end_ends_the_scan(store: impl Store) {
    fill(&store, 10).await;
    let page = store.scan(u64::MAX, b"", 10).await.unwrap();
    assert_eq!((page.next_cursor, page.keys.len()), (0, 0));
}

async fn large_values_survive(store: impl Store) {
    let value: Vec<u8> = (0..100_000_u32).map(|n| n as u8).collect();
    store.set(b"large", &value).await.unwrap();
    assert_eq!(store.get(b"large").await.unwrap().unwrap(), value[..]);
}

async fn writers_of_one_key_leave_one_of_their_values(store: impl Store) {
    let writers: Vec<_> = (0..8_u8)
        .map(|writer| {
            let store = store.clone();
            tokio::spawn(async move {
                for round in 0..50_u8 {
                    store.set(b"shared", &[writer, round]).await.unwrap();
                }
            })
        })
        .collect();
    for writer in writers {
        writer.await.unwrap();
    }
    assert_eq!(store.get(b"shared").await.unwrap().unwrap()[1], 49);
}

async fn one(store: &impl Store, op: Op<'_>) -> Result<Outcome, Error> {
    let mut replies = Vec::new();
    store.submit(&[op], usize::MAX, &mut replies).await;
    let reply = replies.pop().unwrap();
    store.wait(reply.depends_on).await.unwrap();
    reply.outcome
}

async fn several_keys_are_written_read_and_deleted_at_once(store: impl Store) {
    let pairs: [[&[u8]; 2]; 3] = [[b"a", b"1"], [b"b", b"2"], [b"a", b"3"]];
    assert!(matches!(one(&store, Op::SetMany { pairs: &pairs }).await, Ok(Outcome::Stored)));
    assert!(matches!(one(&store, Op::SetMany { pairs: &[] }).await, Ok(Outcome::Stored)));
    let keys: [&[u8]; 4] = [b"b", b"missing", b"a", b"b"];
    match one(&store, Op::GetMany { keys: &keys }).await {
        Ok(Outcome::Values(values)) => {
            let values: Vec<_> = values.iter().map(|value| value.as_deref()).collect();
            assert_eq!(values, [Some(&b"2"[..]), None, Some(b"3"), Some(b"2")]);
        }
        other => panic!("{other:?}"),
    }
    assert!(matches!(one(&store, Op::CountOf { keys: &keys }).await, Ok(Outcome::Count(3))));
    assert!(matches!(one(&store, Op::DeleteMany { keys: &keys }).await, Ok(Outcome::Count(2))));
    assert!(matches!(one(&store, Op::DeleteMany { keys: &keys }).await, Ok(Outcome::Count(0))));
    assert_eq!(store.count().await.unwrap(), 0);
    let too_long: [[&[u8]; 2]; 2] = [[b"c", b""], [b"a key that is too long", b""]];
    assert!(one(&store, Op::SetMany { pairs: &too_long }).await.is_err());
    assert_eq!(store.count().await.unwrap(), 0, "nothing of a refused write is done");
}

async fn a_read_of_several_keys_holds_no_more_than_it_may_and_knows_the_rest_again(store: impl Store) {
    let names: Vec<_> = (0..3000).map(|n| format!("k{n}")).collect();
    let keys: Vec<_> = names.iter().map(String::as_bytes).collect();
    for key in keys.iter().filter(|key| **key != b"k1") {
        store.set(key, &[b'v'; 1000]).await.unwrap();
    }
    let look = async |keys, max_bytes| match one(&store, Op::GetManyWithin { keys, max_bytes }).await {
        Ok(Outcome::Seen(sights)) => sights,
        other => panic!("{other:?}"),
    };
    for (count, max_bytes, held) in
        [(3000, 100_000, 96), (3000, 0, 1), (900, 5000, 4), (3000, usize::MAX, 2999)]
    {
        let sights = look(&keys[..count], max_bytes).await;
        assert!(matches!(sights[..2], [Sight::Value(_), Sight::Missing]));
        assert_eq!(sights.len(), count);
        assert_eq!(sights.iter().filter(|sight| matches!(sight, Sight::Value(_))).count(), held);
        let first_left = sights.iter().position(|sight| matches!(sight, Sight::NotHeld(_)));
        assert!(
            first_left.is_none_or(|at| sights[at..].iter().all(|sight| matches!(sight, Sight::NotHeld(_))))
        );
    }
    let lsns = |sights: Vec<Sight>| -> Vec<Lsn> {
        let lsn = |sight| match sight {
            Sight::Value(value) => value.lsn(),
            Sight::NotHeld(lsn) => lsn,
            Sight::Missing => Lsn::ZERO,
        };
        sights.into_iter().map(lsn).collect()
    };
    let seen = lsns(look(&keys, 0).await);
    assert_eq!(lsns(look(&keys, usize::MAX).await), seen, "what nobody has changed is known again");
    store.set(b"k7", &[b'w'; 1000]).await.unwrap();
    store.set(b"k8", &[b'v'; 1000]).await.unwrap();
    let after = lsns(look(&keys, 0).await);
    let changed: Vec<_> = (0..keys.len()).filter(|&key| after[key] != seen[key]).collect();
    assert_eq!(changed, [7, 8], "a value that was written again is another one");
}

async fn nobody_sees_a_part_of_a_write_of_several_keys(store: impl Store) {
    const KEYS: [&[u8]; 5] = [b"a", b"b", b"c", b"d", b"e"];
    let writer = tokio::spawn({
        let store = store.clone();
        async move {
            for round in 0..200_u8 {
                let value = [round];
                let pairs = KEYS.map(|key| [key, &value[..]]);
                one(&store, Op::SetMany { pairs: &pairs }).await.unwrap();
                if round % 5 == 0 {
                    one(&store, Op::DeleteMany { keys: &KEYS }).await.unwrap();
                }
                tokio::task::yield_now().await;
            }
        }
    });
    while !writer.is_finished() {
        match one(&store, Op::GetMany { keys: &KEYS }).await {
            Ok(Outcome::Values(values)) => {
                assert!(values.windows(2).all(|pair| pair[0] == pair[1]), "{values:?}")
            }
            other => panic!("{other:?}"),
        }
        tokio::task::yield_now().await;
    }
    writer.await.unwrap();
}

async fn clear_leaves_nothing(store: impl Store) {
    fill(&store, 3000).await;
    assert!(matches!(one(&store, Op::Clear).await, Ok(Outcome::Cleared)));
    assert_eq!(store.count().await.unwrap(), 0);
    assert_eq!(store.get(b"k1").await.unwrap(), None);
    assert_eq!(store.stats().await.unwrap().live_bytes, 0);
    store.set(b"k1", b"new").await.unwrap();
    assert_eq!(scan_all(&store, b"", 100).await, [b"k1"]);
}

async fn keys_lists_all_keys_of_a_prefix(store: impl Store) {
    fill(&store, 3000).await;
    store.set(b"other", b"").await.unwrap();
    store.delete(b"k7").await.unwrap();
    let keys = |prefix, max_keys| one(&store, Op::Keys { prefix, max_keys });
    assert!(matches!(keys(b"k", 2999).await, Ok(Outcome::Keys(keys)) if keys.len() == 2999));
    assert!(matches!(keys(b"", 3000).await, Ok(Outcome::Keys(keys)) if keys.len() == 3000));
    assert!(matches!(keys(b"", 2999).await, Err(Error::TooManyKeys { max_keys: 2999 })));
    assert!(matches!(keys(b"nothing", 0).await, Ok(Outcome::Keys(keys)) if keys.is_empty()));
}

async fn fill(store: &impl Store, keys: u32) {
    let keys: Vec<_> = (0..keys).map(key).collect();
    let ops: Vec<_> = keys.iter().map(|key| Op::Set { key, value: b"v" }).collect();
    run(store, &ops).await;
}

async fn run(store: &impl Store, ops: &[Op<'_>]) {
    let mut replies = Vec::new();
    store.submit(ops, usize::MAX, &mut replies).await;
    store.wait(replies.iter().map(|reply| reply.depends_on).max().unwrap()).await.unwrap();
}

fn key(n: u32) -> Vec<u8> {
    format!("k{n}").into_bytes()
}

async fn scan_all(store: &impl Store, prefix: &[u8], limit: usize) -> Vec<Vec<u8>> {
    let (mut keys, mut cursor) = (Vec::new(), 0);
    loop {
        let page = store.scan(cursor, prefix, limit).await.unwrap();
        keys.extend(page.keys.iter().map(|key| key.to_vec()));
        cursor = page.next_cursor;
        if cursor == 0 {
            return keys;
        }
    }
}

#[derive(Debug, Clone)]
enum Step {
    Set(u8, u8),
    Delete(u8),
    Get(u8),
    SetTwo(u8, u8),
    DeleteTwo(u8, u8),
    Clear,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        (0..20_u8, any::<u8>()).prop_map(|(key, value)| Step::Set(key, value)),
        (0..20_u8).prop_map(Step::Delete),
        (0..20_u8).prop_map(Step::Get),
        (0..20_u8, 0..20_u8).prop_map(|(one, two)| Step::SetTwo(one, two)),
        (0..20_u8, 0..20_u8).prop_map(|(one, two)| Step::DeleteTwo(one, two)),
        Just(Step::Clear),
    ];
    prop::collection::vec(step, 0..200)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_durable_store_is_a_map_before_and_after_a_restart(steps in steps(), is_json in any::<bool>()) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let mut model = BTreeMap::new();
        let mut options = with_policy(SyncPolicy::Never);
        options.log_format = Some(if is_json { LogFormat::Json } else { LogFormat::Binary });
        runtime.block_on(async {
            let store = DurableStore::open(&path, options.clone()).unwrap();
            for step in steps {
                match step {
                    Step::Set(key, value) => {
                        store.set(&[key], &[value]).await.unwrap();
                        model.insert(key, value);
                    }
                    Step::Delete(key) => {
                        assert_eq!(store.delete(&[key]).await.unwrap(), model.remove(&key).is_some());
                    }
                    Step::Get(key) => {
                        let value = store.get(&[key]).await.unwrap().map(|value| value[0]);
                        assert_eq!(value, model.get(&key).copied());
                    }
                    Step::SetTwo(a, b) => {
                        let bytes = [[a], [b]];
                        let pairs = bytes.each_ref().map(|byte| [&byte[..], &byte[..]]);
                        run(&store, &[Op::SetMany { pairs: &pairs }]).await;
                        model.extend([(a, a), (b, b)]);
                    }
                    Step::DeleteTwo(a, b) => {
                        let bytes = [[a], [b]];
                        let keys = bytes.each_ref().map(|byte| &byte[..]);
                        run(&store, &[Op::DeleteMany { keys: &keys }]).await;
                        model.retain(|&key, _| key != a && key != b);
                    }
                    Step::Clear => {
                        run(&store, &[Op::Clear]).await;
                        model.clear();
                    }
                }
            }
            drop(store);
            let store = DurableStore::open(&path, options).unwrap();
            assert_eq!(store.count().await.unwrap(), model.len() as u64);
            for (key, value) in model {
                assert_eq!(store.get(&[key]).await.unwrap().unwrap(), [value]);
            }
        });
    }
}
