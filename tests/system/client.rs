//! The client crate against a daemon that stops, crashes and comes back.

use std::time::Duration;

use rustvault_client::{Client, Commands, ErrorCode, Options, Pool, Reply, SetOptions, blocking};
use rustvault_tests::Launch;
use tokio::sync::watch;
use tokio::time::{sleep, timeout};

/// Within this a client is expected to be back after a restart.
pub(super) const COMEBACK: Duration = Duration::from_secs(20);

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
    let mut pipeline = client.pipeline();
    pipeline.mset([("user:1", "a"), ("user:2", "b")]);
    let second = pipeline.get("user:2");
    let mut replies = pipeline.send().await.unwrap();
    assert_eq!(replies.take(second).unwrap().as_deref(), Some(&b"b"[..]));
    replies.check().unwrap();
    let mut keys = client.keys("user:");
    let mut found = Vec::new();
    while let Some(key) = keys.try_next().await.unwrap() {
        found.push(key);
    }
    found.sort();
    assert_eq!(found, ["user:1", "user:2"]);
    let info = client.info().await.unwrap();
    assert!(info.iter().any(|(name, value)| name == "keys" && value == "3"), "{info:?}");
}

/// The daemon's replies have the types that the methods expect: one that has not would be an error.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_typed_method_reads_what_the_daemon_replies() {
    let daemon = Launch::new().start();
    let options = Options::new().one_connection(true).client_name("tester");
    let client = Client::connect_with(format!("rustvault://{}", daemon.addr()), options).await.unwrap();
    strings_are_read(&client).await;
    keys_are_read(&client).await;
    connections_are_read(&client).await;
    figures_are_read(&client).await;
    client.compact().await.unwrap();
    client.flush_all().await.unwrap();
    client.flush_db().await.unwrap();
    assert_eq!(client.count().await.unwrap(), 0);
}

async fn strings_are_read(client: &Client) {
    let value = |text: &'static str| Some(rustvault_client::Bytes::from(text));
    assert!(client.set_with("k", "1", SetOptions::new().nx()).await.unwrap());
    assert!(!client.set_with("k", "2", SetOptions::new().nx()).await.unwrap());
    assert_eq!(client.set_with_get("k", "3", SetOptions::new().xx()).await.unwrap(), value("1"));
    assert_eq!(client.mget(["k", "nobody"]).await.unwrap(), [value("3"), None]);
    client.mset([("a", "1"), ("b", "2")]).await.unwrap();
    assert!(!client.mset_nx([("a", "1"), ("c", "2")]).await.unwrap());
    assert!(client.set_nx("n", "x").await.unwrap() && !client.set_nx("n", "x").await.unwrap());
    assert_eq!(client.get_set("n", "y").await.unwrap(), value("x"));
    assert_eq!(client.get_del("n").await.unwrap(), value("y"));
    assert_eq!((client.incr("i").await.unwrap(), client.decr("i").await.unwrap()), (1, 0));
    assert_eq!((client.incr_by("i", -5).await.unwrap(), client.decr_by("i", 5).await.unwrap()), (-5, -10));
    assert_eq!(client.incr_by_float("f", 0.25).await.unwrap(), 0.25);
    assert_eq!(client.append("t", "abc").await.unwrap(), 3);
    assert_eq!(client.set_range("t", 1, "xyz").await.unwrap(), 4);
    assert_eq!(client.strlen("t").await.unwrap(), 4);
    assert_eq!(client.get_range("t", -2, -1).await.unwrap(), "yz");
    let error = client.incr("t").await.unwrap_err();
    assert_eq!((error.code(), error.is_retryable()), (Some(ErrorCode::WrongType), false));
}

async fn keys_are_read(client: &Client) {
    client.mset([("x1", "1"), ("x2", "2"), ("x*", "star")]).await.unwrap();
    assert_eq!(client.count_existing(["x1", "x1", "nobody"]).await.unwrap(), 2);
    assert_eq!(client.touch(["x1", "nobody"]).await.unwrap(), 1);
    client.rename("x1", "y1").await.unwrap();
    assert_eq!(client.rename("nobody", "y1").await.unwrap_err().code(), Some(ErrorCode::NoSuchKey));
    assert!(!client.rename_nx("y1", "x2").await.unwrap());
    assert!(!client.copy("y1", "x2").await.unwrap() && client.copy_replace("y1", "x2").await.unwrap());
    assert_eq!(client.type_of("x2").await.unwrap(), "string");
    assert_eq!(client.object_encoding("x2").await.unwrap().as_deref(), Some("int"));
    assert_eq!(client.object_encoding("nobody").await.unwrap(), None);
    assert!(client.random_key().await.unwrap().is_some());
    assert_eq!(client.scan(0, "x*", 10).await.unwrap().keys, ["x*"]);
    assert_eq!(client.keys_matching("y?").await.unwrap(), ["y1"]);
    let mut entries = client.entries("y");
    assert_eq!(entries.try_next().await.unwrap(), Some(("y1".into(), "1".into())));
    assert_eq!(entries.try_next().await.unwrap(), None);
    assert_eq!(client.del(["x2", "nobody"]).await.unwrap(), 1);
    assert_eq!(client.unlink(["y1"]).await.unwrap(), 1);
    let long = "p".repeat(60_000);
    client.set(&long, "").await.unwrap();
    assert_eq!(client.keys(&long[..59_999]).try_next().await.unwrap().unwrap(), long);
}

async fn connections_are_read(client: &Client) {
    assert_eq!(client.echo("hello").await.unwrap(), "hello");
    assert_eq!(client.client_get_name().await.unwrap().as_deref(), Some("tester"));
    client.client_set_name("other").await.unwrap();
    let id = client.client_id().await.unwrap();
    let info = client.client_info().await.unwrap();
    assert!(info.starts_with(&format!("id={id} ")) && info.contains("name=other"), "{info}");
    assert!(client.client_list().await.unwrap().contains("resp=3"));
    client.client_set_info("LIB-NAME", "mine").await.unwrap();
    client.client_no_evict(true).await.unwrap();
    assert_eq!(client.client_kill_id(u64::from(u32::MAX)).await.unwrap(), 0);
    assert!(client.client_kill("127.0.0.1:1").await.is_err());
}

async fn figures_are_read(client: &Client) {
    let time = client.time().await.unwrap();
    assert!(time.elapsed().unwrap_or_default() < COMEBACK);
    assert!(client.memory_usage("i").await.unwrap() > Some(0));
    assert_eq!(client.memory_usage("nobody").await.unwrap(), None);
    let settings = client.config_get("max*").await.unwrap();
    assert!(settings.iter().any(|(name, _)| name == "maxclients"), "{settings:?}");
    let names = client.command_list().await.unwrap();
    assert!(names.iter().any(|name| name == "client|id"));
    assert!(client.command_count().await.unwrap() > 40);
    assert_eq!(client.command_info(["get", "nonsense"]).await.unwrap()[1], Reply::Null);
    assert!(matches!(client.command_docs(["get"]).await.unwrap(), Reply::Map(docs) if docs.len() == 1));
    assert_eq!(client.command_get_keys(["mset", "a", "1", "b", "2"]).await.unwrap(), ["a", "b"]);
    client.bg_rewrite_aof().await.unwrap();
    let unknown = client.command(["ZADD", "board", "7", "ada"]).await.unwrap_err();
    assert_eq!(unknown.code(), Some(ErrorCode::UnknownCommand));
}

/// The figures that stand still are the same in both, and all names are, in their order.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn info_of_the_client_is_that_of_the_text_protocol() {
    let daemon = Launch::new().start();
    let client = Client::connect(daemon.addr().to_string()).await.unwrap();
    let info = client.info().await.unwrap();
    let mut wire = daemon.wire();
    wire.send("INFO\r\n");
    let lines = wire.list();
    let lines: Vec<_> = lines.iter().map(|line| line.split_once('=').unwrap()).collect();
    let names: Vec<_> = info.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, lines.iter().map(|(name, _)| *name).collect::<Vec<_>>());
    let still = ["version", "pid", "wal_path", "fsync", "last_compaction_error", "max_memory_bytes"];
    let still = |name: &str| still.contains(&name);
    let ours: Vec<_> = info.iter().filter(|(name, _)| still(name)).map(|(_, value)| value.as_str()).collect();
    let theirs: Vec<_> = lines.iter().filter(|(name, _)| still(name)).map(|(_, value)| *value).collect();
    assert_eq!(ours, theirs);
}

#[test]
fn a_blocking_client_works_from_several_threads() {
    let daemon = Launch::new().start();
    let client = blocking::Client::connect(daemon.addr().to_string()).unwrap();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            let client = client.clone();
            scope.spawn(move || (0..100).for_each(|_| assert!(client.incr("hits").unwrap() > 0)));
        }
    });
    assert_eq!(client.get("hits").unwrap().as_deref(), Some(&b"400"[..]));
    assert_eq!(client.entries("").count(), 1);
    client.compact().unwrap();
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
