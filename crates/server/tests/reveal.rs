//! Nothing leaves before what it depends on is durable, and nothing else waits for it.
#![cfg(test)]

mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use rustvault_storage::batch::{BatchStore, Completion, Op, Submission};
use rustvault_storage::{Error, Lsn, MemoryStore};
use support::{config, memory_store, start_with_store};
use tokio::sync::{Notify, watch};

/// A store whose writes are durable when the test says so.
#[derive(Clone)]
struct HeldStore {
    memory: MemoryStore,
    state: Arc<watch::Sender<State>>,
}

#[derive(Clone, Copy, PartialEq)]
enum State {
    Held,
    Durable,
    Failed,
}

const WRITE: Lsn = Lsn::new(1);

impl HeldStore {
    fn new() -> Self {
        Self { memory: memory_store(), state: Arc::new(watch::Sender::new(State::Held)) }
    }

    fn become_(&self, state: State) {
        self.state.send_replace(state);
    }
}

impl BatchStore for HeldStore {
    async fn submit(
        &self,
        ops: &[Op<'_>],
        max_reply_bytes: usize,
        replies: &mut Vec<Completion>,
    ) -> Submission<'_> {
        let submission = self.memory.submit(ops, max_reply_bytes, replies).await;
        for (op, reply) in ops.iter().zip(replies) {
            let depends_on_write = matches!(
                op,
                Op::Set { .. }
                    | Op::Stats
                    | Op::Scan { .. }
                    | Op::GetManyWithin { .. }
                    | Op::DeleteMany { .. }
            );
            reply.depends_on = if depends_on_write { WRITE } else { Lsn::ZERO };
        }
        submission
    }

    async fn wait(&self, lsn: Lsn) -> Result<(), Error> {
        let mut state = self.state.subscribe();
        let state = *state.wait_for(|state| *state != State::Held || lsn == Lsn::ZERO).await.unwrap();
        let cause = Arc::new(Error::Internal("the test's disk"));
        if state == State::Failed { Err(Error::Poisoned { cause }) } else { Ok(()) }
    }

    fn reply_watermark(&self) -> Lsn {
        if *self.state.borrow() == State::Durable { WRITE } else { Lsn::ZERO }
    }

    async fn compact(&self) -> Result<(), Error> {
        self.memory.compact().await
    }
}

#[test]
fn replies_before_a_held_write_leave_at_once_and_later_ones_after_it() {
    let store = HeldStore::new();
    let server = start_with_store(store.clone(), &config());
    let mut client = server.wire();
    client.send("GET a\r\nPING\r\nSET a 1\r\nGET b\r\nPING\r\n");
    client.expect("NOT_FOUND\r\nPONG\r\n");
    assert!(client.gets_nothing());
    store.become_(State::Durable);
    client.expect("OK\r\nNOT_FOUND\r\nPONG\r\n");
}

#[test]
fn other_connections_do_not_wait_for_a_held_write() {
    let store = HeldStore::new();
    let mut config = config();
    config.threads = 1;
    let server = start_with_store(store, &config);
    let mut writer = server.wire();
    writer.send("SET a 1\r\n");
    for _ in 0..10 {
        server.wire().ask("GET b\r\n", "NOT_FOUND\r\n");
    }
    assert!(writer.gets_nothing());
}

#[test]
fn info_waits_like_any_other_reply() {
    let store = HeldStore::new();
    let server = start_with_store(store.clone(), &config());
    let mut client = server.wire();
    client.send("INFO\r\n");
    assert!(client.gets_nothing());
    store.become_(State::Durable);
    assert!(client.line().starts_with("LIST "));
}

#[test]
fn what_is_looked_up_in_several_turns_waits_like_any_other_reply() {
    let scan = ("SCAN 0 LIMIT 5000\r\n".to_owned(), "LIST 1\r\n".to_owned());
    let keys = ("*2\r\n$4\r\nKEYS\r\n$1\r\n*\r\n".to_owned(), "*0\r\n".to_owned());
    let mget = (long_mget(), format!("*10001\r\n{}", "$-1\r\n".repeat(10_001)));
    let unlink = (long_unlink(), ":0\r\n".to_owned());
    for (request, answer) in [scan, keys, mget, unlink] {
        let store = HeldStore::new();
        let server = start_with_store(store.clone(), &config());
        let mut client = server.wire();
        client.send(request);
        assert!(client.gets_nothing());
        store.become_(State::Durable);
        client.expect(answer);
    }
}

/// Of more keys than are looked up in one turn.
fn long_mget() -> String {
    format!("*10002\r\n$4\r\nMGET\r\n{}", "$1\r\nk\r\n".repeat(10_001))
}

/// Of more keys than are removed in one step.
fn long_unlink() -> String {
    format!("*10002\r\n$6\r\nUNLINK\r\n{}", "$1\r\nk\r\n".repeat(10_001))
}

#[test]
fn when_the_log_fails_what_was_looked_up_first_in_several_turns_is_an_error() {
    let scan = "*4\r\n$4\r\nSCAN\r\n$1\r\n0\r\n$5\r\nCOUNT\r\n$4\r\n5000\r\n".to_owned();
    for request in [long_mget(), scan, long_unlink()] {
        let store = HeldStore::new();
        let server = start_with_store(store.clone(), &config());
        let mut client = server.wire();
        client.send(request);
        assert!(client.gets_nothing());
        store.become_(State::Failed);
        let answer = client.line();
        assert!(answer.starts_with("-STORAGE "), "{answer}");
    }
}

#[test]
fn when_the_log_fails_the_replies_that_had_to_wait_become_errors() {
    let store = HeldStore::new();
    let server = start_with_store(store.clone(), &config());
    let mut client = server.wire();
    client.send("GET a\r\nSET a 1\r\nGET b\r\nSET c 2\r\n");
    client.expect("NOT_FOUND\r\n");
    store.become_(State::Failed);
    assert!(client.line().starts_with("ERROR STORAGE "));
    client.expect("NOT_FOUND\r\n");
    assert!(client.line().starts_with("ERROR STORAGE "));
}

#[test]
fn a_stop_answers_what_waits_and_what_the_socket_holds() {
    let store = HeldStore::new();
    let server = start_with_store(store.clone(), &config());
    let mut client = server.wire();
    client.send("PING\r\nSET a 1\r\n");
    client.expect("PONG\r\n");
    client.send("GET b\r\nSET c 3\r\nSET half a comm");
    server.begin_stop();
    assert!(client.gets_nothing());
    store.become_(State::Durable);
    assert_eq!(client.rest(), "OK\r\nNOT_FOUND\r\nOK\r\n");
    server.join().unwrap();
}

/// A store with a defect.
#[derive(Clone)]
struct PanickingStore(MemoryStore);

impl BatchStore for PanickingStore {
    async fn submit(
        &self,
        ops: &[Op<'_>],
        max_reply_bytes: usize,
        replies: &mut Vec<Completion>,
    ) -> Submission<'_> {
        assert!(!ops.iter().any(|op| matches!(op, Op::Get { key: b"bang" })), "the test's defect");
        self.0.submit(ops, max_reply_bytes, replies).await
    }

    async fn wait(&self, lsn: Lsn) -> Result<(), Error> {
        self.0.wait(lsn).await
    }

    fn reply_watermark(&self) -> Lsn {
        self.0.reply_watermark()
    }

    async fn compact(&self) -> Result<(), Error> {
        self.0.compact().await
    }
}

#[test]
fn a_defect_costs_its_connection_and_no_other() {
    let mut config = config();
    config.threads = 1;
    let server = start_with_store(PanickingStore(memory_store()), &config);
    let mut other = server.wire();
    other.ask("PING\r\n", "PONG\r\n");
    let mut unlucky = server.wire();
    unlucky.send("GET bang\r\n");
    assert_eq!(unlucky.rest(), "");
    other.ask("GET a\r\n", "NOT_FOUND\r\n");
    assert_eq!(other.info_number("connections"), 1);
    drop((other, unlucky));
    server.join().unwrap();
}

/// A store in which the second removal of many keys waits for the test, then fails.
#[derive(Clone)]
struct FailingStore {
    memory: MemoryStore,
    removals: Arc<AtomicUsize>,
    may_fail: Arc<Notify>,
}

impl BatchStore for FailingStore {
    async fn submit(
        &self,
        ops: &[Op<'_>],
        max_reply_bytes: usize,
        replies: &mut Vec<Completion>,
    ) -> Submission<'_> {
        let is_removal = matches!(ops, [Op::DeleteMany { .. }]);
        if is_removal && self.removals.fetch_add(1, Ordering::Relaxed) == 1 {
            self.may_fail.notified().await;
            replies.push(Completion { outcome: Err(Error::DiskFull), depends_on: Lsn::ZERO });
            return Submission::done();
        }
        self.memory.submit(ops, max_reply_bytes, replies).await
    }

    async fn wait(&self, lsn: Lsn) -> Result<(), Error> {
        self.memory.wait(lsn).await
    }

    fn reply_watermark(&self) -> Lsn {
        self.memory.reply_watermark()
    }

    async fn compact(&self) -> Result<(), Error> {
        self.memory.compact().await
    }
}

#[test]
fn a_removal_in_steps_that_fails_says_what_was_done_and_others_go_on_meanwhile() {
    let store = FailingStore { memory: memory_store(), removals: Arc::default(), may_fail: Arc::default() };
    let server = start_with_store(store.clone(), &config());
    let (mut first, mut second) = (server.wire(), server.wire());
    let words = |word: &str| (0..25_000).map(|key| format!(" k{key}{word}")).collect::<String>();
    first.ask(format!("MSET{}\r\n", words(" v")), "OK\r\n");
    first.send(format!("DEL{}\r\nCOUNT\r\n", words("")));
    while store.removals.load(Ordering::Relaxed) < 2 {
        second.ask("PING\r\n", "PONG\r\n");
    }
    // Between two steps of one client another one removes keys, and sees the first step.
    second.ask("COUNT\r\n", "VALUE 15000\r\n");
    second.ask("DEL k10000 k24999\r\n", "VALUE 2\r\n");
    store.may_fail.notify_one();
    let answer = first.line();
    let starts = "ERROR STORAGE disk full";
    assert!(answer.starts_with(starts) && answer.contains("10000 of which existed"), "{answer}");
    first.expect("VALUE 14998\r\n");
}
