//! The blocking client, against the same scripted server.

use std::sync::mpsc;
use std::thread;

use crate::support::{
    FakeServer, OwnedRequest, Peer, Reply, get, list, patient, refusal, request, set, value,
};
use bytes::Bytes;
use rustvault_client::{Commands, Error, ErrorCode, blocking};
use rustvault_protocol::Command;
use tokio::sync::oneshot;

/// A blocking client, and the server that its peer plays on another thread.
fn client_of<F: Future<Output = ()>>(
    play: impl FnOnce(FakeServer, Peer) -> F + Send + 'static,
) -> blocking::Client {
    let (addr, listening) = mpsc::channel();
    thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let server = FakeServer::start().await;
            addr.send(server.addr.clone()).unwrap();
            let peer = server.accept().await;
            play(server, peer).await;
        });
    });
    blocking::Client::connect_with(listening.recv().unwrap(), patient()).unwrap()
}

#[test]
fn a_method_returns_the_typed_reply() {
    let client = client_of(|server, mut reads| async move {
        reads.answer(get("k"), value("v")).await;
        server.accept().await.answer(set("k", "w"), Reply::OK).await;
        reads.answer(get("k"), refusal(ErrorCode::WrongType).0).await;
        assert_eq!(reads.recv().await, None, "the last drop closes the connections");
    });
    assert_eq!(client.get("k").unwrap(), Some(Bytes::from("v")));
    client.set("k", "w").unwrap();
    assert_eq!(client.command(["GET", "k"]).unwrap_err().code(), Some(ErrorCode::WrongType));
}

#[test]
fn threads_share_a_client_and_get_their_own_answers() {
    const THREADS: usize = 8;
    const REQUESTS: usize = 50;
    let client = client_of(|_, mut reads| async move {
        while let Some(OwnedRequest { arguments, .. }) = reads.recv().await {
            reads.send(value(arguments[0].clone())).await;
        }
    });
    thread::scope(|scope| {
        for thread in 0..THREADS {
            let client = client.clone();
            scope.spawn(move || {
                for request in 0..REQUESTS {
                    let key = format!("{thread}:{request}");
                    assert_eq!(client.get(&key).unwrap().as_deref(), Some(key.as_bytes()));
                }
            });
        }
    });
}

#[test]
fn a_pipeline_and_both_iterators_work_without_a_runtime() {
    let scan = || request(Command::Scan, ["0", "MATCH", "k*", "COUNT", "1000"]);
    let page = || Reply::Array(vec![value("0"), list(&["k1", "k2"])]);
    let client = client_of(move |_, mut reads| async move {
        reads.answer(get("a"), value("1")).await;
        reads.answer(get("b"), Reply::Null).await;
        reads.answer(scan(), page()).await;
        reads.answer(scan(), page()).await;
        reads.answer(request(Command::MGet, ["k1", "k2"]), list(&["v1", "v2"])).await;
    });
    let mut pipeline = client.pipeline();
    let (a, b) = (pipeline.get("a"), pipeline.get("b"));
    let mut replies = pipeline.send().unwrap();
    assert_eq!((replies.take(a).unwrap(), replies.take(b).unwrap()), (Some(Bytes::from("1")), None));
    let keys: Vec<Bytes> = client.keys("k").collect::<Result<_, Error>>().unwrap();
    assert_eq!(keys, ["k1", "k2"]);
    let entries: Vec<(Bytes, Bytes)> = client.entries("k").collect::<Result<_, Error>>().unwrap();
    assert_eq!(entries[1], (Bytes::from("k2"), Bytes::from("v2")));
}

#[test]
fn a_write_does_not_go_over_a_connection_that_was_closed_between_two_calls() {
    let ((answered, is_answered), (closed, is_closed)) = (oneshot::channel(), mpsc::channel());
    let client = client_of(|server, _reads| async move {
        let mut writes = server.accept().await;
        writes.answer(set("k", "1"), Reply::OK).await;
        is_answered.await.unwrap();
        drop(writes);
        closed.send(()).unwrap();
        server.accept().await.answer(set("k", "2"), Reply::OK).await;
    });
    client.set("k", "1").unwrap();
    answered.send(()).unwrap();
    is_closed.recv().unwrap();
    client.set("k", "2").unwrap();
}

#[test]
fn in_an_async_task_it_panics_and_says_why() {
    let client = client_of(|_, _reads| async {});
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let asked = std::panic::catch_unwind(|| runtime.block_on(async { drop(client.get("k")) }));
    let message = *asked.unwrap_err().downcast::<&str>().unwrap();
    assert!(message.contains("Cannot start a runtime from within a runtime"), "{message}");
    // And may be dropped in one.
    runtime.block_on(async move { drop(client) });
}
