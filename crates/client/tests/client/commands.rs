//! Every command, what goes on the wire for it, and what its answers become.

use std::time::Duration;

use crate::support::{Answer, FakeServer, bare, get, list, patient, ping, pong, request, set, value};
use bytes::Bytes;
use rustvault_client::{ErrorCode, MAX_PIPELINE_COMMANDS, Pool, Reply, ScanPage};
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
    let (missing, ()) = join!(client.get("k"), peer.answer(get("k"), Answer::Null));
    assert_eq!(missing.unwrap(), None);

    let exists = || request(Command::TextExists, ["k"]);
    let (there, ()) = join!(client.exists("k"), peer.answer(exists(), Answer::OK));
    assert!(there.unwrap());
    let (there, ()) = join!(client.exists("k"), peer.answer(exists(), Answer::Null));
    assert!(!there.unwrap());

    let (count, ()) =
        join!(client.count(), peer.answer(bare(Command::DbSize), value("18446744073709551615")));
    assert_eq!(count.unwrap(), u64::MAX);
    let (pong, ()) = join!(client.ping(), peer.answer(ping(), pong()));
    pong.unwrap();

    let lines = list(&["version=1.2", "note=a=b", "empty="]);
    let (info, ()) = join!(client.info(), peer.answer(bare(Command::TextInfo), lines));
    let info = info.unwrap();
    let info: Vec<_> = info.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    assert_eq!(info, [("version", "1.2"), ("note", "a=b"), ("empty", "")]);
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
        own.send(Answer::OK).await;
        let mut own = server.accept().await;
        let refusal = Answer::error(ErrorCode::ReadOnly, "disk full");
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
        writes.answer(set("k", "v"), Answer::OK).await;
        writes.answer(delete(), Answer::OK).await;
        writes.answer(delete(), Answer::Null).await;
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
        server.accept().await.answer(empty(), Answer::OK).await;
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
        server.accept().await.answer(command, Answer::OK).await;
    });
    done.unwrap();
}

#[tokio::test]
async fn scan_gives_pages_and_keys_follows_the_cursor() {
    let server = FakeServer::start().await;
    let (client, mut peer) = server.client(patient()).await;
    let scan = |arguments: &'static str| request(Command::TextScan, arguments.split(' '));
    let pages = [list(&["9007199254740991", "user:1", "user:2"]), list(&["7"]), list(&["0", "user:3"])];

    let (page, ()) =
        join!(client.scan(0, "user:", 2), peer.answer(scan("0 PREFIX user: LIMIT 2"), pages[0].clone()));
    let keys = vec![bytes("user:1"), bytes("user:2")];
    assert_eq!(page.unwrap(), ScanPage { next_cursor: (1 << 53) - 1, keys });

    let script = async {
        let requests = ["0 PREFIX user:", "9007199254740991 PREFIX user:", "7 PREFIX user:"];
        for (request, page) in requests.into_iter().zip(pages) {
            peer.answer(scan(request), page).await;
        }
    };
    let follow = async {
        let (mut keys, mut seen) = (client.keys("user:"), Vec::new());
        while let Some(key) = keys.next().await.unwrap() {
            seen.push(key);
        }
        seen
    };
    assert_eq!(join!(follow, script).0, ["user:1", "user:2", "user:3"]);
}

#[tokio::test]
async fn server_error_gives_its_code_and_leaves_the_connection_in_use() {
    let server = FakeServer::start().await;
    let (client, mut peer) = server.client(patient()).await;
    for code in ErrorCode::ALL {
        let refusal = Answer::error(code, "because");
        let (result, ()) = join!(client.get("k"), peer.answer(get("k"), refusal));
        let error = result.unwrap_err();
        assert_eq!(error.code(), Some(code));
        assert_eq!(error.to_string(), format!("because ({code})"));
        assert!(!error.is_timeout() && !error.is_not_connected());
    }
    let (found, ()) = join!(client.get("k"), peer.answer(get("k"), value("v")));
    assert_eq!(found.unwrap(), Some(bytes("v")));
}

#[tokio::test]
async fn over_long_keys_and_values_are_refused_before_sending() {
    let server = FakeServer::start().await;
    let (client, mut peer) = server.client(patient().max_key_bytes(4).max_value_bytes(8)).await;
    for result in [
        client.get("12345").await.map(drop),
        client.set("1234", "123456789").await,
        client.scan(0, "12345", 10).await.map(drop),
        client.pipeline().get("1").delete("12345").send().await.map(drop),
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
        let refusal = Answer::error(ErrorCode::ReadOnly, "disk full");
        for answer in [Answer::Null, refusal, Answer::Null, value("7")] {
            writes.send(answer).await;
        }
    };
    let (replies, ()) = join!(client.pipeline().get("a").set("a", "1").delete("b").count().send(), script);
    let replies = replies.unwrap();
    assert!(matches!(replies[0], Ok(Reply::Value(None))));
    assert_eq!(replies[1].as_ref().unwrap_err().code(), Some(ErrorCode::ReadOnly));
    assert!(matches!(replies[2], Ok(Reply::Existed(false))));
    assert!(matches!(replies[3], Ok(Reply::Count(7))));
    assert_eq!(replies.len(), 4);
}

#[tokio::test]
async fn pipeline_of_reads_goes_on_the_read_connection() {
    let server = FakeServer::start().await;
    let (client, mut reads) = server.client(patient()).await;
    let script = async {
        reads.answer(get("a"), value("1")).await;
        reads.answer(ping(), pong()).await;
    };
    let (replies, ()) = join!(client.pipeline().get("a").ping().send(), script);
    let replies: Vec<_> = replies.unwrap().into_iter().map(Result::unwrap).collect();
    assert_eq!(replies, [Reply::Value(Some(bytes("1"))), Reply::Done]);
}

#[tokio::test]
async fn empty_and_over_long_pipelines_send_nothing() {
    let server = FakeServer::start().await;
    let (client, mut reads) = server.client(patient()).await;
    assert!(client.pipeline().send().await.unwrap().is_empty());
    let over_long = (0..=MAX_PIPELINE_COMMANDS).fold(client.pipeline(), |pipeline, _| pipeline.ping());
    assert_eq!(over_long.send().await.unwrap_err().code(), Some(ErrorCode::TooLarge));
    let (found, ()) = join!(client.get("k"), reads.answer(get("k"), Answer::Null));
    assert_eq!(found.unwrap(), None);
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
