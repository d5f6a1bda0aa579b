//! Every command, what goes on the wire for it, and what its answers become.

use std::time::Duration;

use crate::support::{
    FakeServer, OwnedRequest, Reply, bare, get, greeting, list, patient, ping, pong, refusal, request, set,
    value,
};
use bytes::Bytes;
use futures_util::TryStreamExt;
use rustvault_client::{Client, Commands, ErrorCode, MAX_PIPELINE_COMMANDS, Pool, ScanPage};
use rustvault_protocol::Command;
use tokio::join;

fn bytes(text: &'static str) -> Bytes {
    Bytes::from_static(text.as_bytes())
}

#[tokio::test]
async fn reads_become_their_commands_and_typed_answers() {
    let server = FakeServer::start().await;
    let (client, mut peer) = server.client(patient()).await;

    let (found, ()) = join!(client.get("k"), peer.answer(get("k"), value("v")));
    assert_eq!(found.unwrap(), Some(bytes("v")));
    let (missing, ()) = join!(client.get("k"), peer.answer(get("k"), Reply::Null));
    assert_eq!(missing.unwrap(), None);

    let exists = || request(Command::Exists, ["k"]);
    let (there, ()) = join!(client.exists("k"), peer.answer(exists(), Reply::Integer(1)));
    assert!(there.unwrap());
    let (there, ()) = join!(client.exists("k"), peer.answer(exists(), Reply::Integer(0)));
    assert!(!there.unwrap());

    let (count, ()) = join!(client.count(), peer.answer(bare(Command::DbSize), Reply::Integer(i64::MAX)));
    assert_eq!(count.unwrap(), i64::MAX as u64);
    let (pong, ()) = join!(client.ping(), peer.answer(ping(), pong()));
    pong.unwrap();

    let lines = Reply::Verbatim(Bytes::from("# RustVault\r\nversion:1.2\r\nnote:a:b\r\nempty:\r\n"));
    let (info, ()) = join!(client.info(), peer.answer(request(Command::Info, ["rustvault"]), lines));
    let info = info.unwrap();
    let info: Vec<_> = info.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    assert_eq!(info, [("version", "1.2"), ("note", "a:b"), ("empty", "")]);
}

#[tokio::test]
async fn a_compaction_has_its_own_connection_and_outlasts_the_request_timeout() {
    let server = FakeServer::start().await;
    let options = patient().request_timeout(Duration::from_millis(1));
    let (client, _reads) = server.client(options).await;
    let script = async {
        let mut own = server.accept().await;
        own.expect(bare(Command::Compact)).await;
        tokio::time::sleep(Duration::from_millis(50)).await;
        own.send(Reply::OK).await;
        let mut own = server.accept().await;
        let refusal = Reply::error(ErrorCode::ReadOnly, "disk full");
        own.answer(bare(Command::Compact), refusal).await;
        server.accept().await.expect(bare(Command::Compact)).await;
    };
    let calls = async {
        client.compact().await.unwrap();
        let error = client.compact().await.unwrap_err();
        assert_eq!((error.code(), error.is_retryable()), (Some(ErrorCode::ReadOnly), true));
        let error = client.compact().await.unwrap_err();
        assert!(error.is_not_connected(), "{error}");
    };
    join!(script, calls);
}

#[tokio::test]
async fn writes_go_on_a_connection_of_their_own() {
    let server = FakeServer::start().await;
    let (client, _reads) = server.client(patient()).await;
    let delete = || request(Command::Delete, ["k"]);
    let script = async {
        let mut writes = server.accept().await;
        writes.answer(set("k", "v"), Reply::OK).await;
        writes.answer(delete(), Reply::OK).await;
        writes.answer(delete(), Reply::Null).await;
    };
    let calls = async {
        client.set("k", "v").await.unwrap();
        assert!(client.delete("k").await.unwrap());
        assert!(!client.delete("k").await.unwrap());
    };
    join!(script, calls);
}

#[tokio::test]
async fn keys_and_values_are_any_bytes() {
    let server = FakeServer::start().await;
    let (client, mut reads) = server.client(patient()).await;
    let all: Bytes = (0..=255).collect();
    for sample in [all.clone(), bytes(" "), bytes("\""), bytes("\r\n"), Bytes::from(vec![0xff; 20_000])] {
        let command = request(Command::Get, [sample.clone()]);
        let (found, ()) = join!(client.get(&sample), reads.answer(command, value(sample.clone())));
        assert_eq!(found.unwrap(), Some(sample));
    }
    let empty = || request(Command::Set, [all.clone(), Bytes::new()]);
    let (done, ()) = join!(client.set(&all, ""), async {
        server.accept().await.answer(empty(), Reply::OK).await;
    });
    done.unwrap();
}

#[tokio::test]
async fn value_of_the_largest_size_goes_both_ways() {
    let server = FakeServer::start().await;
    let (client, mut reads) = server.client(patient()).await;
    let large = Bytes::from(vec![b'x'; 16 * 1024 * 1024]);
    let (found, ()) = join!(client.get("k"), reads.answer(get("k"), value(large.clone())));
    assert!(found.unwrap() == Some(large.clone()));
    let command = request(Command::Set, [bytes("k"), large.clone()]);
    let (done, ()) = join!(client.set("k", &large), async {
        server.accept().await.answer(command, Reply::OK).await;
    });
    done.unwrap();
}

fn page(cursor: &'static str, keys: &[&'static str]) -> Reply {
    Reply::Array(vec![value(cursor), list(keys)])
}

fn scan(cursor: &'static str, pattern: &'static str, count: &'static str) -> OwnedRequest {
    request(Command::Scan, [cursor, "MATCH", pattern, "COUNT", count])
}

#[tokio::test]
async fn scan_gives_pages_and_keys_follows_the_cursor() {
    let server = FakeServer::start().await;
    let (client, mut peer) = server.client(patient()).await;
    let first = page("9007199254740991", &["user:1", "user:2"]);
    let (found, ()) = join!(client.scan(0, "user:", 2), peer.answer(scan("0", "user:*", "2"), first.clone()));
    let keys = vec![bytes("user:1"), bytes("user:2")];
    assert_eq!(found.unwrap(), ScanPage { next_cursor: (1 << 53) - 1, keys });

    let script = async {
        peer.answer(scan("0", "user:*", "1000"), first).await;
        peer.answer(scan("9007199254740991", "user:*", "1000"), page("7", &[])).await;
        peer.answer(scan("7", "user:*", "1000"), page("0", &["user:3"])).await;
    };
    let (found, ()) = join!(client.keys("user:").try_collect::<Vec<Bytes>>(), script);
    assert_eq!(found.unwrap(), ["user:1", "user:2", "user:3"]);
}

#[tokio::test]
async fn keys_ends_with_its_first_error() {
    let server = FakeServer::start().await;
    let (client, mut peer) = server.client(patient()).await;
    let mut keys = client.keys("");
    let (first, ()) = join!(keys.try_next(), peer.answer(scan("0", "*", "1000"), page("7", &["k"])));
    assert_eq!(first.unwrap(), Some(bytes("k")));
    let refusal = Reply::error(ErrorCode::Storage, "why");
    let (second, ()) = join!(keys.try_next(), peer.answer(scan("7", "*", "1000"), refusal));
    assert_eq!(second.unwrap_err().code(), Some(ErrorCode::Storage));
    assert_eq!(keys.try_next().await.unwrap(), None);
}

#[tokio::test]
async fn entries_fetches_values_in_groups_over_all_pages_without_what_was_deleted_meanwhile() {
    let server = FakeServer::start().await;
    let (client, mut peer) = server.client(patient()).await;
    let keys = ["k0", "k1", "k2", "k3", "k4", "k5", "k6", "k7", "k8"];
    let mget = |keys: &[&'static str]| request(Command::MGet, keys.iter().copied());
    let script = async {
        peer.answer(scan("0", "k*", "1000"), page("7", &keys)).await;
        let values = keys[..8].iter().map(|key| if *key == "k1" { Reply::Null } else { value(*key) });
        peer.answer(mget(&keys[..8]), Reply::Array(values.collect())).await;
        peer.answer(mget(&keys[8..]), list(&["eight"])).await;
        peer.answer(scan("7", "k*", "1000"), page("0", &["k9"])).await;
        peer.answer(mget(&["k9"]), Reply::Array(vec![Reply::Null])).await;
    };
    let (entries, ()) = join!(client.entries("k").try_collect::<Vec<_>>(), script);
    let entries = entries.unwrap();
    assert_eq!(entries.len(), 8);
    assert_eq!(
        (entries[0].clone(), entries[1].clone()),
        ((bytes("k0"), bytes("k0")), (bytes("k2"), bytes("k2")))
    );
    assert_eq!(entries[7], (bytes("k8"), bytes("eight")));
}

#[tokio::test]
async fn server_error_gives_its_code_and_leaves_the_connection_in_use() {
    let server = FakeServer::start().await;
    let (client, mut peer) = server.client(patient()).await;
    for code in ErrorCode::ALL {
        let (refusal, message) = refusal(code);
        let (result, ()) = join!(client.get("k"), peer.answer(get("k"), refusal));
        let error = result.unwrap_err();
        assert_eq!(error.code(), Some(code));
        assert_eq!(error.to_string(), format!("{message} ({code})"));
        assert!(!error.is_timeout() && !error.is_not_connected());
    }
    let (found, ()) = join!(client.get("k"), peer.answer(get("k"), value("v")));
    assert_eq!(found.unwrap(), Some(bytes("v")));
}

#[tokio::test]
async fn over_long_keys_and_values_are_refused_before_sending() {
    let server = FakeServer::start().await;
    let (client, mut peer) = server.client(patient().max_key_bytes(4).max_value_bytes(8)).await;
    let mut pipeline = client.pipeline();
    pipeline.get("1");
    pipeline.delete("12345");
    for result in [
        client.get("12345").await.map(drop),
        client.set("1234", "123456789").await,
        client.scan(0, "12345", 10).await.map(drop),
        client.mset([("1", "1"), ("12345", "2")]).await,
        client.command(["append", "1", "123456789"]).await.map(drop),
        pipeline.send().await.map(drop),
    ] {
        let error = result.unwrap_err();
        assert_eq!(error.code(), Some(ErrorCode::TooLarge));
        assert!(!error.is_retryable());
    }
    let (pong, ()) = join!(client.ping(), peer.answer(ping(), pong()));
    pong.unwrap();
}

#[tokio::test]
async fn pipeline_with_a_write_goes_whole_on_the_write_connection_and_answers_in_order() {
    let server = FakeServer::start().await;
    let (client, _reads) = server.client(patient()).await;
    let script = async {
        let mut writes = server.accept().await;
        writes.expect(get("a")).await;
        writes.expect(set("a", "1")).await;
        writes.expect(request(Command::Delete, ["b"])).await;
        writes.expect(bare(Command::DbSize)).await;
        let refusal = Reply::error(ErrorCode::ReadOnly, "disk full");
        for answer in [Reply::Null, refusal, Reply::Null, Reply::Integer(7)] {
            writes.send(answer).await;
        }
    };
    let mut pipeline = client.pipeline();
    let (a, stored) = (pipeline.get("a"), pipeline.set("a", "1"));
    let (deleted, count) = (pipeline.delete("b"), pipeline.count());
    let (replies, ()) = join!(pipeline.send(), script);
    let mut replies = replies.unwrap();
    assert_eq!(replies.len(), 4);
    // In any order.
    assert_eq!(replies.take(count).unwrap(), 7);
    assert_eq!(replies.take(a).unwrap(), None);
    assert_eq!(replies.take(stored).unwrap_err().code(), Some(ErrorCode::ReadOnly));
    assert!(!replies.take(deleted).unwrap());
}

#[tokio::test]
async fn pipeline_of_reads_goes_on_the_read_connection() {
    let server = FakeServer::start().await;
    let (client, mut reads) = server.client(patient()).await;
    let script = async {
        reads.answer(get("a"), value("1")).await;
        reads.answer(ping(), pong()).await;
    };
    let mut pipeline = client.pipeline();
    let a = pipeline.get("a");
    pipeline.ping();
    let (replies, ()) = join!(pipeline.send(), script);
    let mut replies = replies.unwrap();
    assert_eq!(replies.take(a).unwrap(), Some(bytes("1")));
    replies.check().unwrap();
}

#[tokio::test]
async fn replies_that_were_not_taken_are_checked_for_errors() {
    let server = FakeServer::start().await;
    let (client, mut reads) = server.client(patient()).await;
    let mut pipeline = client.pipeline();
    let (first, _) = (pipeline.get("a"), pipeline.get("b"));
    let (replies, ()) = join!(pipeline.send(), async {
        reads.answer(get("a"), refusal(ErrorCode::WrongType).0).await;
        reads.answer(get("b"), Reply::error(ErrorCode::Storage, "b")).await;
    });
    let mut replies = replies.unwrap();
    replies.take(first).unwrap_err();
    assert_eq!(replies.check().unwrap_err().code(), Some(ErrorCode::Storage));
}

#[tokio::test]
async fn handle_of_another_pipeline_is_an_error() {
    let server = FakeServer::start().await;
    let (client, mut reads) = server.client(patient()).await;
    let (mut one, mut other) = (client.pipeline(), client.pipeline());
    let (mine, foreign) = (one.get("a"), other.get("a"));
    let (replies, ()) = join!(one.send(), reads.answer(get("a"), value("1")));
    let mut replies = replies.unwrap();
    let error = replies.take(foreign).unwrap_err();
    assert!(error.to_string().contains("another pipeline") && !error.is_retryable(), "{error}");
    assert_eq!(replies.take(mine).unwrap(), Some(bytes("1")));
}

#[tokio::test]
async fn empty_and_over_long_pipelines_send_nothing() {
    let server = FakeServer::start().await;
    let (client, mut reads) = server.client(patient()).await;
    assert!(client.pipeline().send().await.unwrap().is_empty());
    let mut over_long = client.pipeline();
    for _ in 0..=MAX_PIPELINE_COMMANDS {
        over_long.ping();
    }
    assert_eq!(over_long.send().await.unwrap_err().code(), Some(ErrorCode::TooLarge));
    let (found, ()) = join!(client.get("k"), reads.answer(get("k"), Reply::Null));
    assert_eq!(found.unwrap(), None);
}

#[tokio::test]
async fn what_would_leave_a_connection_out_of_step_is_refused_before_sending() {
    let server = FakeServer::start().await;
    let (client, mut reads) = server.client(patient()).await;
    let mut pipeline = client.pipeline();
    pipeline.command(["COMPACT"]);
    let mut refused = vec![pipeline.send().await.map(drop)];
    let commands: [&[&str]; 10] = [
        &["client", "Reply", "OFF"],
        &["subscribe", "ch"],
        &["MONITOR"],
        &["SYNC"],
        &["PSYNC", "?", "-1"],
        &["unsubscribe"],
        &["PUNSUBSCRIBE", "p*"],
        &["SUNSUBSCRIBE"],
        &["REPLCONF", "ACK", "1"],
        &[],
    ];
    for words in commands {
        refused.push(client.command(words).await.map(drop));
    }
    for result in refused {
        let error = result.unwrap_err();
        assert!(error.to_string().starts_with("not sent: "), "{error}");
        assert!(!error.is_retryable() && !error.is_not_connected() && error.code().is_none());
    }
    let monitor = client.command(["monitor"]).await.map(drop).unwrap_err().to_string();
    assert!(monitor.ends_with("; use redis-cli, or type it with nc"), "{monitor}");
    let (pong, ()) = join!(client.ping(), reads.answer(ping(), pong()));
    pong.unwrap();
}

#[tokio::test]
async fn command_by_its_words_has_the_reply_as_it_came_and_compact_a_connection_of_its_own() {
    let server = FakeServer::start().await;
    let (client, mut reads) = server.client(patient()).await;
    let map = Reply::Map(vec![(value("maxmemory"), value("0"))]);
    let config = request(Command::ConfigGet, ["max*"]);
    let (reply, ()) = join!(client.command(["config", "get", "max*"]), reads.answer(config, map.clone()));
    assert_eq!(reply.unwrap(), map);
    let (refusal, _) = refusal(ErrorCode::WrongType);
    let (reply, ()) = join!(client.command(["GET", "k"]), reads.answer(get("k"), refusal));
    assert_eq!(reply.unwrap_err().code(), Some(ErrorCode::WrongType));
    let (reply, ()) = join!(client.command(["compact"]), async {
        server.accept().await.answer(bare(Command::Compact), Reply::OK).await;
    });
    assert_eq!(reply.unwrap(), Reply::OK);
}

#[tokio::test]
async fn a_client_with_a_name_greets_with_it() {
    let server = FakeServer::start().await;
    let (client, ()) = join!(Client::connect_with(&server.addr, patient().client_name("web-1")), async {
        let hello = request(Command::Hello, ["3", "SETNAME", "web-1"]);
        server.accept_raw().await.answer(hello, greeting()).await;
    });
    client.unwrap();
}

#[tokio::test]
async fn pool_takes_its_clients_in_turn() {
    let server = FakeServer::start().await;
    let (pool, (mut first, mut second)) = join!(Pool::connect(&server.addr, 2, patient()), async {
        (server.accept().await, server.accept().await)
    });
    let pool = pool.unwrap();
    for peer in [&mut first, &mut second] {
        let (found, ()) = join!(pool.client().get("k"), peer.answer(get("k"), value("v")));
        assert_eq!(found.unwrap(), Some(bytes("v")));
    }
}
