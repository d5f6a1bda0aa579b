//! The client crate against a daemon that stops, crashes and comes back.

use std::time::Duration;

use rustvault_client::{Client, Options, Pool};
use rustvault_tests::Launch;
use tokio::sync::watch;
use tokio::time::{sleep, timeout};

/// Within this a client is expected to be back after a restart.
const COMEBACK: Duration = Duration::from_secs(20);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_request_works_against_the_daemon() {
    let daemon = Launch::new().start();
    let client = Client::connect(daemon.addr().to_string()).await.unwrap();
    client.ping().await.unwrap();
    let bytes: Vec<u8> = (0..=255).collect();
    client.set(&bytes, &bytes).await.unwrap();
    client.set("empty", "").await.unwrap();
    assert_eq!(client.get(&bytes).await.unwrap().as_deref(), Some(&bytes[..]));
    assert_eq!(client.get("empty").await.unwrap().as_deref(), Some(&b""[..]));
    assert_eq!(client.get("nobody").await.unwrap(), None);
    assert!(client.exists(&bytes).await.unwrap() && !client.exists("nobody").await.unwrap());
    assert_eq!(client.count().await.unwrap(), 2);
    assert!(client.delete("empty").await.unwrap() && !client.delete("empty").await.unwrap());
    let replies = client.pipeline().set("user:1", "a").set("user:2", "b").get("user:2").send().await.unwrap();
    assert_eq!(replies.len(), 3);
    let mut keys = client.keys("user:");
    let mut found = Vec::new();
    while let Some(key) = keys.next().await.unwrap() {
        found.push(key);
    }
    found.sort();
    assert_eq!(found, ["user:1", "user:2"]);
    let info = client.info().await.unwrap();
    assert!(info.iter().any(|(name, value)| name == "keys" && value == "3"), "{info:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_large_value_comes_back_as_it_was() {
    let daemon = Launch::new().start();
    let client = Client::connect(daemon.addr().to_string()).await.unwrap();
    let value: Vec<u8> = std::iter::repeat_with(|| fastrand::u8(..)).take(16 << 20).collect();
    client.set("big", &value).await.unwrap();
    assert!(client.get("big").await.unwrap().is_some_and(|found| found == value));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_works_on_after_the_daemon_was_restarted_on_its_port() {
    let daemon = Launch::new().start();
    let launch = daemon.launch().clone().with_bind(daemon.addr());
    let client = Client::connect(daemon.addr().to_string()).await.unwrap();
    let pool = Pool::connect(daemon.addr().to_string(), 3, Options::new()).await.unwrap();
    client.set("k", "before").await.unwrap();
    daemon.stop();
    let daemon = launch.start();
    assert_eq!(
        client.get("k").await.unwrap().as_deref(),
        Some(&b"before"[..]),
        "a read finds its way by itself"
    );
    // A write may find out that its connection has gone, and must not be sent again by itself.
    if let Err(error) = client.set("k", "after").await {
        assert!(error.is_not_connected(), "{error}");
        client.set("k", "after").await.unwrap();
    }
    for _ in 0..6 {
        assert_eq!(pool.client().get("k").await.unwrap().as_deref(), Some(&b"after"[..]));
    }
    daemon.stop();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_daemon_a_request_fails_in_time_and_says_so() {
    let daemon = Launch::new().start();
    let options = Options::new().connect_timeout(Duration::from_millis(300));
    let client = Client::connect_with(daemon.addr().to_string(), options).await.unwrap();
    daemon.kill();
    let error = timeout(COMEBACK, client.get("k")).await.unwrap().unwrap_err();
    assert!(error.is_not_connected() && error.is_retryable(), "{error}");
}

/// Each writer counts upwards under a key of its own; whatever `set` has returned for must be there.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn writers_go_on_through_kill_9_and_lose_nothing_that_was_done() {
    const WRITERS: usize = 8;
    const RESTARTS: u64 = 5;
    const STEP: u64 = 100;
    let mut daemon = Launch::new().start();
    let launch = daemon.launch().clone().with_bind(daemon.addr());
    let client = Client::connect(daemon.addr().to_string()).await.unwrap();
    let (progress, _) = watch::channel([0; WRITERS]);
    let writers: Vec<_> = (0..WRITERS)
        .map(|writer| tokio::spawn(count_upwards(client.clone(), writer, progress.clone(), RESTARTS * STEP)))
        .collect();
    for restart in 1..RESTARTS {
        let mut progress = progress.subscribe();
        let reached = progress.wait_for(|done| done.iter().max() >= Some(&(restart * STEP)));
        timeout(COMEBACK, reached).await.expect("the writers go on after a restart").unwrap();
        daemon.kill();
        daemon = launch.start();
        let done = *progress.borrow();
        for (writer, done) in done.iter().enumerate() {
            let found: u64 = read_number(&client, writer).await;
            assert!(found >= *done, "writer {writer} had done {done}, {found} is there");
        }
    }
    for writer in writers {
        timeout(COMEBACK, writer).await.unwrap().unwrap();
    }
    assert_eq!(client.count().await.unwrap(), WRITERS as u64);
    for writer in 0..WRITERS {
        assert_eq!(read_number(&client, writer).await, RESTARTS * STEP);
    }
}

async fn count_upwards(client: Client, writer: usize, progress: watch::Sender<[u64; 8]>, end: u64) {
    for number in 1..=end {
        while let Err(error) = client.set(key(writer), number.to_string()).await {
            assert!(error.is_not_connected() || error.is_timeout() || error.is_retryable(), "{error}");
            // Writing the same again is harmless here; not at once, because the daemon is away.
            sleep(Duration::from_millis(5)).await;
        }
        progress.send_modify(|done| done[writer] = number);
    }
}

async fn read_number(client: &Client, writer: usize) -> u64 {
    let value = client.get(key(writer)).await.unwrap();
    value.map_or(0, |value| std::str::from_utf8(&value).unwrap().parse().unwrap())
}

fn key(writer: usize) -> String {
    format!("writer:{writer}")
}
