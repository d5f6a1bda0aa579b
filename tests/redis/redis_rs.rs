//! The `redis` crate.

use std::collections::BTreeSet;

use redis::aio::MultiplexedConnection;
use redis::{AsyncCommands, Client, ErrorKind, RedisResult, ServerErrorKind, Value, cmd, pipe};
use rustvault_tests::{Daemon, Launch};

async fn connect(daemon: &Daemon, options: &str) -> MultiplexedConnection {
    let client = Client::open(format!("redis://{}/{options}", daemon.addr())).expect("a good address");
    client.get_multiplexed_async_connection().await.expect("it serves")
}

#[tokio::test]
async fn basic_operations_in_both_versions() -> RedisResult<()> {
    let daemon = Launch::new().start();
    for options in ["", "?protocol=resp3"] {
        let mut connection = connect(&daemon, options).await;
        let () = connection.set("user:1", "john").await?;
        assert_eq!(connection.get::<_, String>("user:1").await?, "john");
        assert_eq!(connection.get::<_, Option<String>>("missing").await?, None);
        assert_eq!(connection.strlen::<_, usize>("user:1").await?, 4);
        let () = connection.mset(&[("a", 1), ("b", 2)]).await?;
        assert_eq!(
            connection.mget::<_, Vec<Option<i64>>>(&["a", "missing", "b"]).await?,
            [Some(1), None, Some(2)]
        );
        assert_eq!(connection.exists::<_, usize>(&["a", "a", "missing"]).await?, 2);
        assert_eq!(connection.del::<_, usize>(&["a", "b", "missing"]).await?, 2);
        assert_eq!(cmd("DBSIZE").query_async::<usize>(&mut connection).await?, 1);
        assert_eq!(connection.key_type::<_, redis::ValueType>("user:1").await?, redis::ValueType::String);
        assert_eq!(connection.keys::<_, Vec<String>>("user:?").await?, ["user:1"]);
        assert_eq!(cmd("ECHO").arg("hi").query_async::<String>(&mut connection).await?, "hi");
        assert_eq!(connection.ping::<String>().await?, "PONG");
        let info: redis::InfoDict = cmd("INFO").query_async(&mut connection).await?;
        assert_eq!(info.get::<u32>("pid"), Some(daemon.pid()));
    }
    Ok(())
}

#[tokio::test]
async fn keys_and_values_are_any_bytes() -> RedisResult<()> {
    let daemon = Launch::new().start();
    let mut connection = connect(&daemon, "").await;
    let every_byte: Vec<u8> = (0..=255).collect();
    let large = every_byte.repeat(40_000);
    for value in [&[][..], b"\r\n", &every_byte, &large] {
        let () = connection.set(&every_byte, value).await?;
        assert_eq!(connection.get::<_, Vec<u8>>(&every_byte).await?, value);
    }
    assert_eq!(connection.keys::<_, Vec<Vec<u8>>>("*").await?, [every_byte]);
    Ok(())
}

#[tokio::test]
async fn tasks_share_a_connection() -> RedisResult<()> {
    const TASKS: usize = 50;
    const ROUNDS: usize = 100;
    let daemon = Launch::new().with_args("--fsync never").start();
    let connection = connect(&daemon, "").await;
    let work = |task: usize| {
        let mut connection = connection.clone();
        async move {
            let key = format!("task:{task}");
            for round in 0..ROUNDS {
                let () = connection.set(&key, round).await?;
                assert_eq!(connection.get::<_, usize>(&key).await?, round);
            }
            RedisResult::Ok(())
        }
    };
    let tasks: Vec<_> = (0..TASKS).map(|task| tokio::spawn(work(task))).collect();
    for task in tasks {
        task.await.expect("no task panics")?;
    }
    Ok(())
}

#[tokio::test]
async fn pipelines_are_answered_in_order() -> RedisResult<()> {
    const PAIRS: usize = 1_000;
    let daemon = Launch::new().start();
    let mut connection = connect(&daemon, "").await;
    let mut pipeline = pipe();
    for n in 0..PAIRS {
        pipeline.set(n % 7, n).ignore().get(n % 7);
    }
    let values: Vec<usize> = pipeline.query_async(&mut connection).await?;
    assert_eq!(values, (0..PAIRS).collect::<Vec<_>>());
    Ok(())
}

#[tokio::test]
async fn scan_iterators_find_every_key() -> RedisResult<()> {
    const KEYS: usize = 3_000;
    let daemon = Launch::new().start();
    let mut connection = connect(&daemon, "").await;
    let pairs: Vec<_> = (0..KEYS).map(|n| (format!("key:{n}"), n)).collect();
    let () = connection.mset(&pairs).await?;
    let expected: BTreeSet<_> = pairs.into_iter().map(|(key, _)| key).collect();

    let mut found = BTreeSet::new();
    let mut keys = connection.scan::<String>().await?;
    while let Some(key) = keys.next_item().await {
        found.insert(key?);
    }
    drop(keys);
    assert_eq!(found, expected);

    let mut found = BTreeSet::new();
    let mut keys = connection.scan_match::<_, String>("key:*9").await?;
    while let Some(key) = keys.next_item().await {
        found.insert(key?);
    }
    drop(keys);
    assert_eq!(found, expected.into_iter().filter(|key| key.ends_with('9')).collect());
    Ok(())
}

#[tokio::test]
async fn errors_surface_as_errors() {
    let daemon = Launch::new().start();
    let mut connection = connect(&daemon, "?protocol=resp3").await;
    let error =
        cmd("NOPE").arg("x").query_async::<Value>(&mut connection).await.expect_err("no such command");
    assert_eq!(error.kind(), ErrorKind::Server(ServerErrorKind::ResponseError), "{error}");
    assert_eq!(error.detail(), Some("unknown command 'NOPE', with args beginning with: 'x' "));
    let error = cmd("SET").arg("k").query_async::<Value>(&mut connection).await.expect_err("no value");
    assert_eq!(error.detail(), Some("wrong number of arguments for 'set' command"));
    let error = connection.set::<_, _, Value>("k".repeat(70_000), "v").await.expect_err("a long key");
    assert!(error.to_string().contains("over the limit"), "{error}");
    assert_eq!(connection.ping::<String>().await.expect("it goes on"), "PONG");
}

#[tokio::test]
async fn a_database_or_a_login_that_is_not_there_is_refused() {
    let daemon = Launch::new().start();
    for address in [format!("redis://{}/1", daemon.addr()), format!("redis://user:secret@{}", daemon.addr())]
    {
        let client = Client::open(address.as_str()).expect("a good address");
        let connected = client.get_multiplexed_async_connection().await;
        assert!(connected.is_err(), "{address}");
    }
}
