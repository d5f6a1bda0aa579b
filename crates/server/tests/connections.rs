//! Limits, slow clients and stopping.
#![cfg(test)]

mod support;

use std::io::Write;
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use rustvault_storage::batch::{BatchStore, Completion, Op, Submission};
use rustvault_storage::{Error, Lsn, MemoryStore};
use rustvault_testkit::{Wire, until};
use support::{TestServer, config, memory_store, start, start_with_config, start_with_store};

#[test]
fn a_client_over_the_limit_is_told_so_and_a_free_place_is_given_again() {
    let mut config = config();
    config.max_connections = 2;
    let server = start_with_config(&config);
    let mut first = server.wire();
    let mut second = server.wire();
    first.ask("PING\r\n", "PONG\r\n");
    second.ask("PING\r\n", "PONG\r\n");

    let mut third = server.wire();
    third.send("PING\r\n");
    let answer = third.rest();
    assert!(answer.starts_with("ERROR TOO_MANY_CONNECTIONS ") && answer.ends_with("\r\n"), "{answer}");
    assert_eq!(first.info_number("rejected_connections"), 1);

    second.ask("QUIT\r\n", "OK\r\n");
    drop(second);
    until("its place is free", || first.info_number("connections") == 1);
    server.wire().ask("PING\r\n", "PONG\r\n");
}

#[test]
fn a_crowd_over_the_limit_is_told_so_to_the_last() {
    let mut config = config();
    config.max_connections = 1;
    let server = start_with_config(&config);
    let mut first = server.wire();
    first.ask("PING\r\n", "PONG\r\n");
    let mut crowd: Vec<_> = (0..300).map(|_| server.wire()).collect();
    for client in &mut crowd {
        assert!(client.rest().starts_with("ERROR TOO_MANY_CONNECTIONS "));
    }
}

/// A store that blocks the thread that reads the key `stuck` as long as `held` is locked.
#[derive(Clone)]
struct BlockingStore {
    memory: MemoryStore,
    is_stuck: Arc<AtomicBool>,
    held: Arc<Mutex<()>>,
}

impl BatchStore for BlockingStore {
    async fn submit(
        &self,
        ops: &[Op<'_>],
        max_reply_bytes: usize,
        replies: &mut Vec<Completion>,
    ) -> Submission<'_> {
        if matches!(ops, [Op::Get { key: b"stuck" }]) {
            self.is_stuck.store(true, Ordering::Relaxed);
            drop(self.held.lock());
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
fn a_storm_that_has_passed_keeps_nobody_out() {
    let store = BlockingStore { memory: memory_store(), is_stuck: Arc::default(), held: Arc::default() };
    let mut config = config();
    (config.threads, config.max_connections) = (1, 80);
    let server = start_with_store(store.clone(), &config);
    let mut asking = server.wire();
    let held = store.held.lock().unwrap();
    asking.send("GET stuck\r\n");
    until("the only thread is stuck", || store.is_stuck.load(Ordering::Relaxed));
    // No more than may wait with the system at such a listener.
    for _ in 0..100 {
        drop(server.wire());
    }
    let mut late = server.wire();
    late.send("PING\r\n");
    assert!(late.gets_nothing(), "its turn has not come, and it is not refused");
    drop(held);
    late.expect("PONG\r\n");
    asking.expect("NOT_FOUND\r\n");
}

#[test]
fn hundreds_of_clients_are_served_at_a_time() {
    // Both ends are in this process, which may have no more than 1024 files open.
    let server = start();
    let mut clients: Vec<_> = (0..300).map(|_| server.wire()).collect();
    for (i, client) in clients.iter_mut().enumerate() {
        client.send(format!("SET key:{i} {i}\r\nGET key:{i}\r\n"));
    }
    for (i, client) in clients.iter_mut().enumerate() {
        client.expect(format!("OK\r\nVALUE {i}\r\n"));
    }
}

#[test]
fn a_stop_leaves_no_command_answered_but_not_carried_out_nor_the_other_way_round() {
    let store = memory_store();
    let server = start_with_store(store.clone(), &config());
    let mut idle = server.wire();
    idle.ask("PING\r\n", "PONG\r\n");
    let mut client = server.wire();
    client.send((0..20_000).map(|i| format!("SET key:{i} {i}\r\n")).collect::<String>());
    client.expect("OK\r\n");
    server.begin_stop();
    let answers = client.rest();
    assert_eq!(idle.rest(), "");
    drop((client, idle));
    let addr = server.addr();
    server.join().unwrap();
    assert!(TcpStream::connect(addr).is_err(), "the listener is closed");
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let keys = runtime.block_on(store.count()).unwrap();
    assert_eq!(answers, "OK\r\n".repeat(keys as usize - 1));
}

#[test]
fn a_client_that_never_stops_sending_does_not_hold_up_the_stop() {
    let server = start();
    let mut client = server.wire();
    let mut writer = client.socket().try_clone().unwrap();
    let sending = std::thread::spawn(move || while writer.write_all(b"PING\r\nPING\r\nPING\r\n").is_ok() {});
    client.expect("PONG\r\n");
    let reading = std::thread::spawn(move || while client.try_read(&mut [0; 4096]).is_ok() {});
    let start = Instant::now();
    server.join().unwrap();
    assert!(start.elapsed() < Duration::from_secs(4), "{:?}", start.elapsed());
    sending.join().unwrap();
    reading.join().unwrap();
}

#[test]
fn a_client_that_never_reads_is_dropped_at_the_stop() {
    let server = start();
    let mut client = server.wire();
    fill_answers(&server, &mut client);
    let start = Instant::now();
    server.join().unwrap();
    assert!(start.elapsed() < Duration::from_secs(8), "{:?}", start.elapsed());
}

/// Sends until the server, whose answers nobody reads, takes no more.
fn fill_answers(server: &TestServer, client: &mut Wire) {
    server.wire().ask(format!("SET big {}\r\n", "v".repeat(1 << 20)), "OK\r\n");
    client.send("GET big\r\n".repeat(64));
    client.expect("VALUE v");
}
