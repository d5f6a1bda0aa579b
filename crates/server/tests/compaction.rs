//! `COMPACT` and `BGREWRITEAOF`: who waits for a compaction, and what they are told.
#![cfg(test)]

mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use rustvault_storage::batch::{BatchStore, Completion, Op, Submission};
use rustvault_storage::{Error, Lsn, MemoryStore};
use support::{TestServer, config, memory_store, start_with_store};
use tokio::sync::watch;

/// A store whose compactions end when the test says so, and how it says.
#[derive(Clone)]
struct SlowStore {
    memory: MemoryStore,
    begun: Arc<AtomicUsize>,
    end: Arc<watch::Sender<Option<Result<(), Error>>>>,
}

impl SlowStore {
    fn new() -> Self {
        let end = Arc::new(watch::Sender::new(None));
        Self { memory: memory_store(), begun: Arc::new(AtomicUsize::new(0)), end }
    }

    fn end(&self, result: Result<(), Error>) {
        self.end.send_replace(Some(result));
    }
}

impl BatchStore for SlowStore {
    async fn submit(
        &self,
        ops: &[Op<'_>],
        max_reply_bytes: usize,
        replies: &mut Vec<Completion>,
    ) -> Submission<'_> {
        self.memory.submit(ops, max_reply_bytes, replies).await
    }

    async fn wait(&self, lsn: Lsn) -> Result<(), Error> {
        self.memory.wait(lsn).await
    }

    fn reply_watermark(&self) -> Lsn {
        self.memory.reply_watermark()
    }

    async fn compact(&self) -> Result<(), Error> {
        self.begun.fetch_add(1, Ordering::SeqCst);
        let mut end = self.end.subscribe();
        end.wait_for(Option::is_some).await.unwrap().clone().unwrap()
    }
}

fn on_one_thread(store: &SlowStore) -> TestServer {
    let mut config = config();
    config.threads = 1;
    start_with_store(store.clone(), &config)
}

#[test]
fn answers_before_a_compaction_leave_first_and_commands_after_it_are_carried_out_after_it() {
    let store = SlowStore::new();
    let server = on_one_thread(&store);
    let (mut client, mut other) = (server.wire(), server.wire());
    client.send("SET a 1\r\nGET a\r\nCOMPACT\r\nGET a\r\nPING\r\n");
    client.expect("OK\r\nVALUE 1\r\n");
    other.ask("SET a 2\r\nGET a\r\n", "OK\r\nVALUE 2\r\n");
    store.end(Ok(()));
    client.expect("OK\r\nVALUE 2\r\nPONG\r\n");
}

#[test]
fn a_compaction_that_fails_is_answered_with_what_kept_it() {
    let store = SlowStore::new();
    let server = on_one_thread(&store);
    let mut client = server.wire();
    store.end(Err(Error::DiskFull));
    client.send("COMPACT\r\nPING\r\n");
    assert!(client.line().starts_with("ERROR READ_ONLY disk full"));
    client.expect("PONG\r\n");
    store.end(Err(Error::Internal("no")));
    client.send("compact\r\n");
    assert!(client.line().starts_with("ERROR STORAGE "));
    assert_eq!(client.info_number("total_errors"), 2);
}

#[test]
fn a_stop_answers_those_who_wait_for_a_compaction_and_what_they_sent_after_it() {
    let store = SlowStore::new();
    let server = on_one_thread(&store);
    let mut client = server.wire();
    client.ask("PING\r\n", "PONG\r\n");
    client.send("COMPACT\r\nSET a 1\r\n");
    while store.begun.load(Ordering::SeqCst) == 0 {
        std::thread::yield_now();
    }
    server.begin_stop();
    assert!(client.line().starts_with("ERROR SHUTTING_DOWN "));
    assert_eq!(client.rest(), "OK\r\n");
    server.join().unwrap();
}

#[test]
fn a_background_rewrite_is_answered_at_once_and_only_one_is_begun() {
    const REWRITE: &str = "*1\r\n$12\r\nBGREWRITEAOF\r\n";
    const STARTED: &str = "+Background append only file rewriting started\r\n";
    let store = SlowStore::new();
    let server = on_one_thread(&store);
    let mut client = server.wire();
    client.ask(REWRITE, STARTED);
    client.ask(REWRITE, "-ERR Background append only file rewriting already in progress\r\n");
    client.ask("*1\r\n$4\r\nPING\r\n", "+PONG\r\n");
    assert_eq!(store.begun.load(Ordering::SeqCst), 1);
    store.end(Ok(()));
    loop {
        client.send(REWRITE);
        match client.line().as_str() {
            "-ERR Background append only file rewriting already in progress" => {}
            answer => break assert_eq!(format!("{answer}\r\n"), STARTED),
        }
    }
}
