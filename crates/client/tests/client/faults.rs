//! Slow, broken, confused and absent servers.

use std::time::Duration;

use crate::support::{FakeServer, Reply, SHORT, get, hello, patient, request, set, text, value};
use bytes::Bytes;
use rustvault_client::{Client, Commands, Error, ErrorCode};
use rustvault_protocol::Command;
use tokio::join;
use tokio::task::JoinSet;
use tokio::time::timeout;

#[tokio::test]
async fn late_answer_is_discarded_and_the_next_request_gets_its_own() {
    let server = FakeServer::start().await;
    let (client, mut peer) = server.client(patient().request_timeout(SHORT)).await;
    let (late, ()) = join!(client.get("late"), peer.expect(get("late")));
    let error = late.unwrap_err();
    assert!(error.is_timeout() && error.is_retryable() && !error.is_not_connected());

    let script = async {
        peer.expect(get("next")).await;
        peer.send(value("of the late")).await;
        peer.send(value("of the next")).await;
    };
    let (found, ()) = join!(client.get("next"), script);
    assert_eq!(text(found).as_deref(), Some("of the next"));
}

#[tokio::test]
async fn write_that_timed_out_is_not_retryable_and_not_sent_again() {
    let server = FakeServer::start().await;
    let (client, _reads) = server.client(patient().request_timeout(SHORT)).await;
    let (late, mut writes) = join!(client.set("late", "1"), async {
        let mut writes = server.accept().await;
        writes.expect(set("late", "1")).await;
        writes
    });
    let error = late.unwrap_err();
    assert!(error.is_timeout() && !error.is_retryable());

    let script = async {
        writes.expect(set("next", "2")).await;
        writes.send(Reply::OK).await;
        writes.send(Reply::error(ErrorCode::ReadOnly, "next")).await;
    };
    let (next, ()) = join!(client.set("next", "2"), script);
    assert_eq!(next.unwrap_err().code(), Some(ErrorCode::ReadOnly));
}

#[tokio::test]
async fn connection_without_a_sign_of_life_is_replaced() {
    let server = FakeServer::start().await;
    let (client, mut silent) = server.client(patient().request_timeout(SHORT).connect_timeout(SHORT)).await;
    let (late, ()) = join!(client.get("k"), silent.expect(get("k")));
    assert!(late.unwrap_err().is_timeout());
    assert_eq!(silent.recv().await, None);

    let (found, ()) = join!(client.get("k"), async {
        server.accept().await.answer(get("k"), value("v")).await;
    });
    assert_eq!(text(found).as_deref(), Some("v"));
}

#[tokio::test]
async fn further_requests_are_no_sign_of_life_of_a_peer_that_answers_none() {
    let server = FakeServer::start().await;
    let (client, mut silent) = server.client(patient().request_timeout(SHORT).connect_timeout(SHORT)).await;
    let asking = async {
        loop {
            // Whoever asks does not wait for long, and asks again.
            let _ = timeout(SHORT / 3, client.get("k")).await;
        }
    };
    let given_up = timeout(SHORT * 50, async { while silent.recv().await.is_some() {} });
    tokio::select! {
        () = asking => {}
        given_up = given_up => given_up.expect("the connection is given up"),
    }
}

#[tokio::test]
async fn a_peer_that_reads_slowly_but_steadily_is_not_given_up() {
    const VALUE_BYTES: usize = 16 * 1024 * 1024;
    const UPLOAD_SECONDS: usize = 3;
    let timeout = Duration::from_secs(2);
    let server = FakeServer::start_narrow().await;
    let (client, _reads) = server.client(patient().request_timeout(timeout).connect_timeout(timeout)).await;
    let large = Bytes::from(vec![b'v'; VALUE_BYTES]);
    let upload = client.set("large", &large);
    // Whoever waits behind the upload is not left in doubt.
    let behind = async {
        let error = client.set("behind", "1").await.unwrap_err();
        assert!(error.is_timeout() && error.is_retryable(), "{error}");
        client.set("behind", "2").await
    };
    let script = async {
        let mut writes = server.accept().await;
        let received = writes.recv_slowly(VALUE_BYTES / UPLOAD_SECONDS).await;
        assert!(received == Some(request(Command::Set, ["large".into(), large.clone()])));
        writes.send(Reply::OK).await;
        writes.answer(set("behind", "2"), Reply::OK).await;
    };
    let (uploaded, stored, ()) = join!(upload, behind, script);
    assert!(uploaded.unwrap_err().is_timeout(), "its own time was over");
    stored.unwrap();
}

#[tokio::test]
async fn an_outage_is_told_while_requests_wait() {
    let server = FakeServer::start().await;
    let (client, reads) = server.client(patient()).await;
    let addr = server.addr.clone();
    drop((server, reads));
    let (found, ()) = join!(client.get("k"), async {
        let error = client.outage().await;
        assert!(error.is_not_connected() && error.to_string().contains(&addr), "{error}");
        let server = FakeServer::start_at(&addr).await;
        server.accept().await.answer(get("k"), value("v")).await;
    });
    assert_eq!(text(found).as_deref(), Some("v"));
    tokio::select! {
        biased;
        error = client.outage() => panic!("it is over, but: {error}"),
        () = tokio::task::yield_now() => {}
    }
}

#[tokio::test]
async fn client_reconnects_after_the_server_closed_the_connection() {
    let server = FakeServer::start().await;
    let (client, first) = server.client(patient()).await;
    drop(first);
    let (found, ()) = join!(client.get("k"), async {
        server.accept().await.answer(get("k"), value("v")).await;
    });
    assert_eq!(text(found).as_deref(), Some("v"));
}

#[tokio::test]
async fn unanswered_write_fails_as_unknown_and_is_never_sent_again() {
    let server = FakeServer::start().await;
    let (client, _reads) = server.client(patient()).await;
    let (lost, ()) = join!(client.set("lost", "1"), async {
        server.accept().await.expect(set("lost", "1")).await;
    });
    let error = lost.unwrap_err();
    assert!(error.is_not_connected() && !error.is_retryable() && !error.is_timeout());
    assert!(error.to_string().contains("unknown whether the write took effect"), "{error}");

    let (next, ()) = join!(client.set("next", "2"), async {
        server.accept().await.answer(set("next", "2"), Reply::OK).await;
    });
    next.unwrap();
}

#[tokio::test]
async fn pipeline_that_was_answered_in_part_fails_whole_and_is_never_sent_again() {
    let server = FakeServer::start().await;
    let (client, _reads) = server.client(patient()).await;
    let mut pipeline = client.pipeline();
    pipeline.get("a");
    pipeline.set("b", "1");
    let (lost, ()) = join!(pipeline.send(), async {
        let mut writes = server.accept().await;
        writes.answer(get("a"), value("v")).await;
        writes.expect(set("b", "1")).await;
    });
    assert!(!lost.unwrap_err().is_retryable());

    let (next, ()) = join!(client.set("next", "2"), async {
        server.accept().await.answer(set("next", "2"), Reply::OK).await;
    });
    next.unwrap();
}

#[tokio::test]
async fn write_that_was_never_sent_is_sent_once_connected() {
    let server = FakeServer::start().await;
    let (client, _reads) = server.client(patient()).await;
    let (done, ()) = join!(client.set("k", "v"), async {
        for _ in 0..3 {
            drop(server.accept_raw().await);
        }
        server.accept().await.answer(set("k", "v"), Reply::OK).await;
    });
    done.unwrap();
}

#[tokio::test]
async fn unanswered_reads_are_asked_again_once_in_their_order() {
    let server = FakeServer::start().await;
    let (client, mut first) = server.client(patient()).await;
    let reads = async { join!(client.get("a"), client.get("b")) };
    let script = async {
        first.expect(get("a")).await;
        first.expect(get("b")).await;
        drop(first);
        let mut second = server.accept().await;
        second.answer(get("a"), value("1")).await;
        second.expect(get("b")).await;
    };
    let ((a, b), ()) = join!(reads, script);
    assert_eq!(text(a).as_deref(), Some("1"));
    let error = b.unwrap_err();
    assert!(error.is_not_connected() && error.is_retryable() && !error.is_timeout(), "{error}");
}

#[tokio::test]
async fn pipeline_of_reads_that_was_answered_in_part_is_asked_again_whole() {
    let server = FakeServer::start().await;
    let (client, mut first) = server.client(patient()).await;
    let script = async {
        first.answer(get("a"), value("old")).await;
        first.expect(get("b")).await;
        drop(first);
        let mut second = server.accept().await;
        second.answer(get("a"), value("new")).await;
        second.answer(get("b"), Reply::Null).await;
    };
    let mut pipeline = client.pipeline();
    let (a, b) = (pipeline.get("a"), pipeline.get("b"));
    let (replies, ()) = join!(pipeline.send(), script);
    let mut replies = replies.unwrap();
    assert_eq!((replies.take(a).unwrap(), replies.take(b).unwrap()), (Some(Bytes::from("new")), None));
}

#[tokio::test]
async fn every_request_to_a_server_that_answers_nothing_times_out_and_those_not_sent_are_retryable() {
    const MORE_THAN_ARE_QUEUED: usize = 5_000;
    let server = FakeServer::start().await;
    let (client, _reads) = server.client(patient().request_timeout(SHORT)).await;
    let mut callers = JoinSet::new();
    for _ in 0..MORE_THAN_ARE_QUEUED {
        let client = client.clone();
        callers.spawn(async move { client.set("k", "v").await.unwrap_err() });
    }
    let _writes = server.accept().await;
    let errors = callers.join_all().await;
    assert!(errors.iter().all(Error::is_timeout));
    let unknown = errors.iter().filter(|error| !error.is_retryable()).count();
    assert!((1..MORE_THAN_ARE_QUEUED).contains(&unknown), "{unknown}");
}

#[tokio::test]
async fn requests_in_an_outage_wait_for_the_connect_timeout_and_no_longer() {
    let server = FakeServer::start().await;
    let (client, reads) = server.client(patient().connect_timeout(SHORT)).await;
    let addr = server.addr.clone();
    drop((server, reads));
    for result in [client.get("k").await.map(drop), client.set("k", "v").await] {
        let error = result.unwrap_err();
        assert!(error.is_not_connected() && error.is_retryable(), "{error}");
        assert!(std::error::Error::source(&error).is_some());
    }

    let server = FakeServer::start_at(&addr).await;
    let (found, ()) = join!(client.get("k"), async {
        server.accept().await.answer(get("k"), value("v")).await;
    });
    assert_eq!(text(found).as_deref(), Some("v"));
}

#[tokio::test]
async fn request_in_an_outage_is_served_when_the_server_is_back() {
    let server = FakeServer::start().await;
    let (client, reads) = server.client(patient()).await;
    let addr = server.addr.clone();
    drop((server, reads));
    let (found, ()) = join!(client.get("k"), async {
        // The request is on its way before the server is back.
        tokio::task::yield_now().await;
        let server = FakeServer::start_at(&addr).await;
        server.accept().await.answer(get("k"), value("v")).await;
    });
    assert_eq!(text(found).as_deref(), Some("v"));
}

#[tokio::test]
async fn without_reconnecting_requests_fail_at_once_after_the_connection_broke() {
    let server = FakeServer::start().await;
    let (client, mut reads) = server.client(patient().reconnect(false)).await;
    let (lost, ()) = join!(client.get("k"), async {
        reads.expect(get("k")).await;
        drop(reads);
    });
    for result in [lost, client.get("k").await] {
        let error = result.unwrap_err();
        assert!(error.is_not_connected() && error.is_retryable());
        assert!(error.to_string().contains("reconnecting is off"), "{error}");
    }
}

#[tokio::test]
async fn malformed_answer_is_a_protocol_error_and_breaks_the_connection() {
    for malformed in
        ["HTTP/1.1 400 Bad Request\r\n\r\n", "+PONG\r\n", ":1\r\n", "*x\r\n", "$-7\r\n", ":1x\r\n"]
    {
        let server = FakeServer::start().await;
        let (client, mut peer) = server.client(patient()).await;
        let (result, ()) = join!(client.get("k"), async {
            peer.expect(get("k")).await;
            peer.send_raw(malformed.as_bytes()).await;
        });
        let error = result.unwrap_err();
        assert!(error.to_string().contains("not RustVault's protocol"), "{error}");
        assert!(!error.is_retryable() && !error.is_timeout() && error.code().is_none());
        assert_eq!(peer.recv().await, None);
    }
}

#[tokio::test]
async fn answer_that_nobody_asked_for_breaks_the_connection() {
    let server = FakeServer::start().await;
    let (client, mut peer) = server.client(patient()).await;
    peer.send(value("surprise")).await;
    assert_eq!(peer.recv().await, None);
    let (found, ()) = join!(client.get("k"), async {
        server.accept().await.answer(get("k"), value("v")).await;
    });
    assert_eq!(text(found).as_deref(), Some("v"));
}

#[tokio::test]
async fn too_many_connections_is_what_connect_fails_with() {
    let server = FakeServer::start().await;
    let (result, ()) = join!(Client::connect_with(&server.addr, patient()), async {
        let mut peer = server.accept_raw().await;
        peer.send(too_many()).await;
    });
    let error = result.unwrap_err();
    assert_eq!(error.code(), Some(ErrorCode::TooManyConnections));
    assert!(error.is_retryable());
}

#[tokio::test]
async fn too_many_connections_is_what_a_request_fails_with_when_its_connection_is_refused() {
    let server = FakeServer::start().await;
    let (client, _reads) = server.client(patient()).await;
    let (refused, ()) = join!(client.set("k", "v"), async {
        server.accept_raw().await.send(too_many()).await;
    });
    let error = refused.unwrap_err();
    assert_eq!(error.code(), Some(ErrorCode::TooManyConnections));
    assert!(error.is_retryable());

    let (done, ()) = join!(client.set("k", "v"), async {
        server.accept().await.answer(set("k", "v"), Reply::OK).await;
    });
    done.unwrap();
}

fn too_many() -> Reply {
    Reply::error(ErrorCode::TooManyConnections, "max number of clients reached")
}

#[tokio::test]
async fn connect_fails_at_once_where_nobody_listens() {
    let server = FakeServer::start().await;
    let addr = server.addr.clone();
    drop(server);
    let error = Client::connect_with(&addr, patient()).await.unwrap_err();
    assert!(error.is_not_connected() && error.is_retryable() && !error.is_timeout());
    assert!(error.to_string().contains(&addr), "{error}");
}

#[tokio::test]
async fn connect_times_out_where_nobody_answers() {
    let server = FakeServer::start().await;
    let error = Client::connect_with(&server.addr, patient().connect_timeout(SHORT)).await.unwrap_err();
    assert!(error.is_not_connected() && error.is_timeout());
}

#[tokio::test]
async fn connect_tells_a_server_of_another_kind() {
    let server = FakeServer::start().await;
    let (result, ()) = join!(Client::connect_with(&server.addr, patient()), async {
        let mut peer = server.accept_raw().await;
        peer.send_raw(b"-ERR unknown command\r\n").await;
    });
    let error = result.unwrap_err();
    assert!(error.to_string().contains("is the address right?"), "{error}");
}

#[tokio::test]
async fn connect_tells_a_server_of_http() {
    let server = FakeServer::start().await;
    let (result, ()) = join!(Client::connect_with(&server.addr, patient()), async {
        let mut peer = server.accept_raw().await;
        peer.expect(hello()).await;
        peer.send_raw(b"HTTP/1.1 400 Bad Request\r\n\r\n").await;
    });
    let error = result.unwrap_err();
    assert!(error.to_string().contains("is the address right?"), "{error}");
    assert!(!error.is_retryable());
}

#[tokio::test]
async fn command_that_the_table_lacks_is_sent_as_it_is_and_never_again() {
    let server = FakeServer::start().await;
    let (client, _reads) = server.client(patient()).await;
    let frame = b"*3\r\n$6\r\nBFfAdd\r\n$1\r\nk\r\n$0\r\n\r\n";
    let (lost, ()) = join!(client.command(["BFfAdd", "k", ""]), async {
        let mut writes = server.accept().await;
        assert_eq!(writes.recv_raw(frame.len()).await, &frame[..]);
    });
    let error = lost.unwrap_err();
    assert!(error.is_not_connected() && !error.is_retryable(), "{error}");
    assert!(error.to_string().contains("unknown whether the write took effect"), "{error}");

    let (next, ()) = join!(client.set("next", "2"), async {
        server.accept().await.answer(set("next", "2"), Reply::OK).await;
    });
    next.unwrap();
}

#[tokio::test]
async fn read_by_its_words_is_asked_again_once() {
    let server = FakeServer::start().await;
    let (client, mut first) = server.client(patient()).await;
    let (found, ()) = join!(client.command(["get", "k"]), async {
        first.expect(get("k")).await;
        drop(first);
        server.accept().await.answer(get("k"), value("v")).await;
    });
    assert_eq!(found.unwrap(), value("v"));
}

#[tokio::test]
async fn answer_in_pieces_is_put_together() {
    let server = FakeServer::start().await;
    let (client, mut peer) = server.client(patient()).await;
    let (page, ()) = join!(client.scan(0, "", 10), async {
        peer.expect(request(Command::Scan, ["0", "MATCH", "*", "COUNT", "10"])).await;
        for piece in ["*", "2\r", "\n$1\r\n0\r\n*1", "\r\n$3\r\nke", "y\r\n"] {
            peer.send_raw(piece.as_bytes()).await;
            tokio::task::yield_now().await;
        }
    });
    assert_eq!(page.unwrap().keys, ["key"]);
}
