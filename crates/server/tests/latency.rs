//! `LATENCY`: which commands and syncs were slow, and how the durations of commands are distributed.
#![cfg(test)]

mod support;

use std::sync::Arc;

use rustvault_protocol::Reply;
use rustvault_storage::batch::{BatchStore, Completion, Op, Outcome, Submission};
use rustvault_storage::{Error, Lsn, MemoryStore, SyncPeak};
use rustvault_testkit::{Wire, resp_reply, resp_request};
use support::{config, memory_store, start, start_with_store};
use tokio::sync::watch;

/// A store whose writes become durable when the test says so, and whose log has had slow syncs.
#[derive(Clone)]
struct SlowStore {
    memory: MemoryStore,
    is_durable: Arc<watch::Sender<bool>>,
}

const WRITE: Lsn = Lsn::new(1);

fn sync(unix_seconds: u64, ms: u64) -> SyncPeak {
    let mut peak = SyncPeak::default();
    (peak.unix_seconds, peak.ms) = (unix_seconds, ms);
    peak
}

impl BatchStore for SlowStore {
    async fn submit(
        &self,
        ops: &[Op<'_>],
        max_reply_bytes: usize,
        replies: &mut Vec<Completion>,
    ) -> Submission<'_> {
        let submission = self.memory.submit(ops, max_reply_bytes, replies).await;
        for (op, reply) in ops.iter().zip(replies) {
            reply.depends_on = if matches!(op, Op::Get { .. }) { Lsn::ZERO } else { WRITE };
            if let Ok(Outcome::Stats(stats)) = &mut reply.outcome {
                stats.recent_syncs = vec![sync(1_700_000_000, 20), sync(1_700_000_007, 15)];
            }
        }
        submission
    }

    async fn wait(&self, lsn: Lsn) -> Result<(), Error> {
        let mut is_durable = self.is_durable.subscribe();
        is_durable.wait_for(|is_durable| *is_durable || lsn == Lsn::ZERO).await.unwrap();
        Ok(())
    }

    fn reply_watermark(&self) -> Lsn {
        if *self.is_durable.borrow() { WRITE } else { Lsn::ZERO }
    }

    async fn compact(&self) -> Result<(), Error> {
        self.memory.compact().await
    }
}

/// Sends a command in RESP and returns the reply.
fn ask(client: &mut Wire, words: &[&str]) -> Reply {
    client.send(resp_request(words));
    resp_reply(&client.reply())
}

/// Returns a reply in one line, with brackets around arrays.
fn shown(reply: &Reply) -> String {
    match reply {
        Reply::Integer(number) => number.to_string(),
        Reply::Bulk(bytes) => String::from_utf8_lossy(bytes).into_owned(),
        Reply::Array(items) => format!("[{}]", items.iter().map(shown).collect::<Vec<_>>().join(" ")),
        other => format!("{other:?}"),
    }
}

fn numbers(reply: &Reply) -> Vec<i64> {
    let Reply::Array(items) = reply else { panic!("{reply:?} is no array") };
    let number = |item: &Reply| match item {
        Reply::Integer(number) => Some(*number),
        _ => None,
    };
    items.iter().filter_map(number).collect()
}

#[test]
fn slow_commands_and_slow_syncs_are_told_second_by_second_until_a_reset() {
    let store = SlowStore { memory: memory_store(), is_durable: Arc::default() };
    let mut config = config();
    // It has a threshold of its own.
    config.slow_threshold = None;
    let server = start_with_store(store.clone(), &config);
    let (mut client, mut writer) = (server.wire(), server.wire());
    // As in Redis, nothing is remembered before somebody asks for it.
    assert_eq!(shown(&ask(&mut client, &["LATENCY", "LATEST"])), "[]");
    assert!(shown(&ask(&mut client, &["LATENCY", "DOCTOR"])).contains("CONFIG SET latency-ms"));
    ask(&mut client, &["CONFIG", "SET", "latency-monitor-threshold", "12"]);
    // What is not durable yet does not hold the answer: it is needed when the disk hangs.
    assert_eq!(shown(&ask(&mut client, &["LATENCY", "LATEST"])), "[[aof-fsync-always 1700000007 15 20]]");
    writer.send("SET k v\r\n");
    assert!(writer.gets_nothing());
    store.is_durable.send_replace(true);
    writer.expect("OK\r\n");
    let has_command =
        |client: &mut Wire| shown(&ask(client, &["LATENCY", "LATEST"])).starts_with("[[command ");
    rustvault_testkit::until("the command is recorded", || has_command(&mut client));
    let Reply::Array(seconds) = ask(&mut client, &["LATENCY", "HISTORY", "command"]) else { panic!() };
    let [_, ms] = numbers(&seconds[0])[..] else { panic!("{seconds:?}") };
    assert!(seconds.len() == 1 && ms >= 20, "{seconds:?}");
    let syncs = ask(&mut client, &["LATENCY", "HISTORY", "aof-fsync-always"]);
    assert_eq!(shown(&syncs), "[[1700000000 20] [1700000007 15]]");
    assert_eq!(shown(&ask(&mut client, &["LATENCY", "HISTORY", "fork"])), "[]");
    let report = shown(&ask(&mut client, &["LATENCY", "DOCTOR"]));
    assert!(
        report.contains("command: slow in 1 ") && report.contains("aof-fsync-always: slow in 2 "),
        "{report}"
    );
    assert_eq!(shown(&ask(&mut client, &["LATENCY", "RESET", "command", "fork"])), "1");
    assert_eq!(shown(&ask(&mut client, &["LATENCY", "RESET"])), "1");
    assert_eq!(shown(&ask(&mut client, &["LATENCY", "LATEST"])), "[]");
}

#[test]
fn a_histogram_has_every_command_by_its_name_as_often_as_it_was_called() {
    let server = start();
    let mut client = server.wire();
    (0..3).for_each(|_| drop(ask(&mut client, &["SET", "k", "v"])));
    ask(&mut client, &["CLIENT", "ID"]);
    let calls = |reply: &Reply, name: &str| {
        let shown = shown(reply);
        let (_, rest) = shown.split_once(&format!("{name} [calls "))?;
        rest.split(' ').next()?.parse::<u64>().ok()
    };
    let all = ask(&mut client, &["LATENCY", "HISTOGRAM"]);
    assert_eq!([calls(&all, "set"), calls(&all, "client|id"), calls(&all, "get")], [Some(3), Some(1), None]);
    let some = ask(&mut client, &["LATENCY", "HISTOGRAM", "client", "GET", "nonsense"]);
    assert_eq!([calls(&some, "set"), calls(&some, "client|id")], [None, Some(1)]);
    // The last bucket has all calls.
    let set = shown(&ask(&mut client, &["LATENCY", "HISTOGRAM", "set"]));
    assert!(set.ends_with(" 3]]]"), "{set}");
    ask(&mut client, &["CONFIG", "RESETSTAT"]);
    let after = ask(&mut client, &["LATENCY", "HISTOGRAM"]);
    assert_eq!((calls(&after, "set"), calls(&after, "config|resetstat")), (None, Some(1)), "{after:?}");
}

#[test]
fn more_names_than_there_are_commands_are_refused() {
    let server = start();
    let mut client = server.wire();
    let words: Vec<_> =
        ["LATENCY", "HISTOGRAM"].into_iter().chain(std::iter::repeat_n("get", 100_000)).collect();
    assert!(matches!(ask(&mut client, &words), Reply::Error(_)));
}
