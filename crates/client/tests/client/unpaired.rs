//! Servers whose answers and the client's requests do not come in pairs.

use crate::support::{FakeServer, get, patient, text, value};
use rustvault_client::{Client, Commands};
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
