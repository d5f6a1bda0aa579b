//! Servers whose answers and the client's requests do not come in pairs.

use crate::support::{FakeServer, Reply, SHORT, bare, get, list, patient, ping, request, set, text, value};
use rustvault_client::{Client, Commands, ErrorCode};
use rustvault_protocol::Command;
use tokio::join;

#[tokio::test]
async fn an_answer_that_comes_with_the_greeting_is_not_that_to_the_first_request() {
    let server = FakeServer::start().await;
    let (client, ()) = join!(Client::connect_with(&server.addr, patient()), async {
        let mut early = server.accept_raw().await;
        early.recv().await;
        early.send_raw(b"%0\r\n$5\r\nearly\r\n").await;
        assert_eq!(early.recv().await, None);
    });
    let client = client.unwrap();
    let (found, ()) = join!(client.get("k"), async {
        server.accept().await.answer(get("k"), value("v")).await;
    });
    assert_eq!(text(found).as_deref(), Some("v"));
}

#[tokio::test]
async fn a_write_that_was_only_queued_is_not_reported_as_done() {
    let server = FakeServer::start().await;
    let (client, mut only) = server.client(patient().one_connection(true)).await;
    let queued = || Reply::simple("QUEUED");
    let (reply, ()) = join!(client.command(["PING"]), only.answer(ping(), queued()));
    assert_eq!(reply.unwrap(), queued());
    let (reply, ()) = join!(client.command(["SET", "k", "v"]), only.answer(set("k", "v"), queued()));
    assert_eq!(reply.unwrap(), queued());
    let (stored, ()) = join!(client.set("k", "v"), only.answer(set("k", "v"), queued()));
    assert!(stored.unwrap_err().to_string().contains("QUEUED"));
    assert_eq!(only.recv().await, None);
}

#[tokio::test]
async fn the_end_of_a_transaction_is_never_sent_twice() {
    let server = FakeServer::start().await;
    let (client, _reads) = server.client(patient()).await;
    let (lost, ()) = join!(client.command(["EXEC"]), async {
        server.accept().await.expect(bare(Command::Exec)).await;
    });
    let error = lost.unwrap_err();
    assert!(error.is_not_connected() && !error.is_retryable(), "{error}");
}

#[tokio::test]
async fn an_unknown_command_without_an_answer_in_time_ends_its_connection() {
    let server = FakeServer::start().await;
    let (client, mut only) = server.client(patient().request_timeout(SHORT).one_connection(true)).await;
    let (unanswered, _) = join!(client.command(["SILENT"]), only.recv_raw(1));
    assert!(unanswered.unwrap_err().is_timeout());
    let (found, ()) = join!(client.get("k"), async {
        // Sent again, if it went out on the connection that ends.
        server.accept().await.answer(get("k"), value("v")).await;
    });
    assert_eq!(text(found).as_deref(), Some("v"));
}

#[tokio::test]
async fn a_page_with_a_value_too_few_is_an_error() {
    let server = FakeServer::start().await;
    let (client, mut reads) = server.client(patient()).await;
    let mut entries = client.entries("k");
    let (entry, ()) = join!(entries.try_next(), async {
        let page = Reply::Array(vec![value("0"), list(&["k1", "k2"])]);
        reads.answer(request(Command::Scan, ["0", "MATCH", "k*", "COUNT", "1000"]), page).await;
        reads.answer(request(Command::MGet, ["k1", "k2"]), list(&["v1"])).await;
    });
    let error = entry.unwrap_err();
    assert!(error.to_string().contains("1 values for 2 keys"), "{error}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_refuses_a_value_before_it_is_uploaded_is_heard() {
    const TIMES: usize = 20;
    let server = FakeServer::start_narrow().await;
    let (client, _reads) = server.client(patient()).await;
    let refusing = tokio::spawn(async move {
        for _ in 0..TIMES {
            let mut writes = server.accept().await;
            writes.recv_raw(100).await;
            writes.send_raw(b"-ERR Protocol error: bulk of 9 bytes is over the limit of 8\r\n").await;
        }
    });
    let large = vec![b'v'; 16 * 1024 * 1024];
    for _ in 0..TIMES {
        let error = client.set("k", &large).await.unwrap_err();
        assert_eq!(error.code(), Some(ErrorCode::TooLarge), "{error}");
    }
    refusing.await.unwrap();
}
