//! Many callers on one client: none waits for, or gets, what is another's.

use crate::support::{FakeServer, Peer, Reply, get, greeting, hello, patient, ping, pong, set, text, value};
use rustvault_client::{Client, Commands};
use rustvault_protocol::Command;
use tokio::join;
use tokio::task::JoinSet;

const CALLERS: usize = 64;

/// Takes the commands of all callers before it answers the first, each with its own key.
async fn answer_once_all_are_here(peer: &mut Peer) {
    let mut keys = Vec::new();
    while keys.len() < CALLERS {
        let request = peer.recv().await.expect("a request of each caller");
        assert_eq!(request.command, Command::Get);
        keys.extend(request.arguments);
    }
    for key in keys {
        peer.send(value(key)).await;
    }
}

async fn callers_share_a_connection() {
    let server = FakeServer::start().await;
    let (client, mut peer) = server.client(patient()).await;
    let mut callers = JoinSet::new();
    for caller in 0..CALLERS {
        let client = client.clone();
        callers.spawn(async move {
            let key = format!("key {caller}");
            assert_eq!(text(client.get(&key).await), Some(key));
        });
    }
    answer_once_all_are_here(&mut peer).await;
    while let Some(caller) = callers.join_next().await {
        assert!(caller.is_ok());
    }
}

#[tokio::test]
async fn callers_are_pipelined_and_get_their_own_answers() {
    callers_share_a_connection().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn callers_on_many_threads_are_pipelined_and_get_their_own_answers() {
    callers_share_a_connection().await;
}

#[tokio::test]
async fn more_callers_than_the_queue_holds_are_all_served() {
    const MANY: usize = 10_000;
    let server = FakeServer::start().await;
    let (client, mut peer) = server.client(patient()).await;
    let mut callers = JoinSet::new();
    for _ in 0..MANY {
        let client = client.clone();
        callers.spawn(async move { client.ping().await.unwrap() });
    }
    for _ in 0..MANY {
        peer.answer(ping(), pong()).await;
    }
    while let Some(caller) = callers.join_next().await {
        assert!(caller.is_ok());
    }
}

#[tokio::test]
async fn large_requests_and_large_answers_do_not_wait_for_each_other() {
    let server = FakeServer::start().await;
    let (client, mut peer) = server.client(patient()).await;
    let key = "k".repeat(60_000);
    let mut calls = client.pipeline();
    for _ in 0..100 {
        calls.get(&key);
    }
    // The server takes no second command before its first answer is taken whole.
    let script = async {
        for _ in 0..100 {
            assert!(peer.recv().await.is_some());
            peer.send(value(vec![b'v'; 1024 * 1024])).await;
        }
    };
    let (replies, ()) = join!(calls.send(), script);
    assert_eq!(replies.unwrap().len(), 100);
}

#[tokio::test]
async fn read_is_answered_while_a_write_waits() {
    let server = FakeServer::start().await;
    let (client, mut reads) = server.client(patient()).await;
    let writer = tokio::spawn({
        let client = client.clone();
        async move { client.set("k", "new").await }
    });
    let mut writes = server.accept().await;
    writes.expect(set("k", "new")).await;

    let (found, ()) = join!(client.get("k"), reads.answer(get("k"), value("old")));
    assert_eq!(text(found).as_deref(), Some("old"));
    assert!(!writer.is_finished());
    writes.send(Reply::OK).await;
    writer.await.unwrap().unwrap();
}

#[tokio::test]
async fn answer_to_a_dropped_request_is_nobody_elses() {
    let server = FakeServer::start().await;
    let (client, mut peer) = server.client(patient()).await;
    tokio::select! {
        biased;
        _ = client.get("dropped") => panic!("nobody answered"),
        () = peer.expect(get("dropped")) => {}
    }
    let script = async {
        peer.expect(get("kept")).await;
        peer.send(value("of the dropped")).await;
        peer.send(value("of the kept")).await;
    };
    let (found, ()) = join!(client.get("kept"), script);
    assert_eq!(text(found).as_deref(), Some("of the kept"));
}

#[tokio::test]
async fn request_that_was_dropped_before_it_was_sent_is_never_sent() {
    let server = FakeServer::start().await;
    let (client, _reads) = server.client(patient()).await;
    let mut writes = tokio::select! {
        biased;
        _ = client.set("dropped", "1") => panic!("nobody answered"),
        writes = server.accept_raw() => writes,
    };
    let (done, ()) = join!(client.set("kept", "2"), async {
        writes.answer(hello(), greeting()).await;
        writes.answer(set("kept", "2"), Reply::OK).await;
    });
    done.unwrap();
}

#[tokio::test]
async fn command_that_is_dropped_before_it_is_polled_is_never_sent() {
    let server = FakeServer::start().await;
    let (client, mut reads) = server.client(patient()).await;
    drop(client.get("dropped"));
    let unpolled = client.get("dropped, too");
    let (found, ()) = join!(client.get("kept"), reads.answer(get("kept"), value("v")));
    assert_eq!(text(found).as_deref(), Some("v"));
    drop(unpolled);
    drop(client);
    assert_eq!(reads.recv().await, None);
}

#[tokio::test]
async fn a_call_keeps_the_connections_until_it_is_answered() {
    let server = FakeServer::start().await;
    let (client, mut reads) = server.client(patient()).await;
    let call = client.get("k");
    drop(client);
    let (found, ()) = join!(call, reads.answer(get("k"), value("v")));
    assert_eq!(text(found).as_deref(), Some("v"));
    assert_eq!(reads.recv().await, None);
}

#[tokio::test]
async fn one_connection_carries_reads_and_writes_in_their_order() {
    let server = FakeServer::start().await;
    let (client, mut only) = server.client(patient().one_connection(true)).await;
    let script = async {
        only.expect(get("k")).await;
        only.expect(set("k", "v")).await;
        only.expect(get("k")).await;
        for reply in [Reply::Null, Reply::OK, value("v")] {
            only.send(reply).await;
        }
    };
    let calls = async { join!(client.get("k"), client.set("k", "v"), client.get("k")) };
    let ((before, stored, after), ()) = join!(calls, script);
    stored.unwrap();
    assert_eq!((text(before), text(after).as_deref()), (None, Some("v")));
}

#[tokio::test]
async fn last_drop_closes_both_connections() {
    let server = FakeServer::start().await;
    let (client, mut reads) = server.client(patient()).await;
    let (done, mut writes) = join!(client.set("k", "v"), async {
        let mut writes = server.accept().await;
        writes.answer(set("k", "v"), Reply::OK).await;
        writes
    });
    done.unwrap();

    let clone = client.clone();
    drop(client);
    let (found, ()) = join!(clone.get("k"), reads.answer(get("k"), value("v")));
    assert_eq!(text(found).as_deref(), Some("v"));
    drop(clone);
    assert_eq!(reads.recv().await, None);
    assert_eq!(writes.recv().await, None);
}

#[tokio::test]
async fn last_drop_closes_a_connection_whose_server_takes_nothing() {
    let server = FakeServer::start().await;
    let (client, _reads) = server.client(patient()).await;
    let mut writes = tokio::select! {
        biased;
        _ = client.set("k", vec![b'v'; 16 * 1024 * 1024]) => panic!("nobody answered"),
        writes = server.accept() => writes,
    };
    drop(client);
    assert_eq!(writes.recv().await, None);
}

#[test]
fn request_after_its_runtime_ended_is_an_error() {
    let runtime = || tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let first = runtime();
    let client: Client = first.block_on(async {
        let server = FakeServer::start().await;
        server.client(patient()).await.0
    });
    drop(first);
    let error = runtime().block_on(client.ping()).unwrap_err();
    assert!(error.is_not_connected() && !error.is_retryable());
}
