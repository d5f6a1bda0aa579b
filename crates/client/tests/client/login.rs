//! Logins: with each connection's greeting, and what becomes of one that is refused.

use std::fs;
use std::sync::atomic::{AtomicU32, Ordering};

use rustvault_client::{Client, Commands, Error, ErrorCode, LoginSecret, Options};
use rustvault_protocol::{Command, ErrorReply};

use crate::support::{
    FakeServer, LONG, OwnedRequest, Reply, get, greeting, patient, request, set, text, value,
};

fn hello_as(user: &'static str, secret: &'static str) -> OwnedRequest {
    request(Command::Hello, ["3", "AUTH", user, secret])
}

fn wrong_password() -> Reply {
    ErrorReply::fixed(ErrorCode::Denied, "WRONGPASS invalid username-password pair or user is disabled.")
        .into()
}

fn no_login() -> Reply {
    Reply::error(ErrorCode::AuthRequired, "Authentication required.")
}

#[tokio::test]
async fn each_connection_logs_in_before_anything_is_asked() {
    let server = FakeServer::start().await;
    let options = patient().user("app").password("s3cret").client_name("web");
    let (client, mut reads) = tokio::join!(Client::connect_with(&server.addr, options), async {
        let mut peer = server.accept_raw().await;
        let hello = request(Command::Hello, ["3", "AUTH", "app", "s3cret", "SETNAME", "web"]);
        peer.answer(hello, greeting()).await;
        peer
    });
    let client = client.unwrap();
    let (read, ()) = tokio::join!(client.get("k"), reads.answer(get("k"), value("v")));
    assert_eq!(text(read).as_deref(), Some("v"));
    let (written, ()) = tokio::join!(client.set("k", "v"), async {
        let mut writes = server.accept_raw().await;
        writes
            .answer(request(Command::Hello, ["3", "AUTH", "app", "s3cret", "SETNAME", "web"]), greeting())
            .await;
        writes.answer(set("k", "v"), Reply::OK).await;
    });
    written.unwrap();
}

#[tokio::test]
async fn a_password_without_a_user_is_that_of_the_default_user() {
    let server = FakeServer::start().await;
    let url = format!("rustvault://:s3cret@{}", server.addr);
    let (client, ()) = tokio::join!(Client::connect(url), async {
        server.accept_raw().await.answer(hello_as("default", "s3cret"), greeting()).await;
    });
    client.unwrap();
}

async fn refused(options: Options, reply: Reply) -> Error {
    let server = FakeServer::start().await;
    let (client, ()) = tokio::join!(Client::connect_with(&server.addr, options), async {
        let mut peer = server.accept_raw().await;
        peer.recv().await;
        peer.send(reply).await;
    });
    client.expect_err("the login is refused")
}

#[tokio::test]
async fn a_refused_login_says_who_was_refused_and_no_secret() {
    let error = refused(patient().user("app").password("s3cret"), wrong_password()).await;
    let shown = error.to_string();
    assert!(
        shown.starts_with("the server refused to log 'app' in: invalid username-password pair"),
        "{shown}"
    );
    assert!(shown.ends_with("(DENIED); check the user and the password"), "{shown}");
    assert!(error.is_login_refused() && !error.is_retryable() && !error.is_not_connected());
    assert_eq!(error.code(), Some(ErrorCode::Denied));
    assert!(!format!("{error:?}").contains("s3cret"));
}

#[tokio::test]
async fn a_server_that_wants_a_login_is_not_taken_for_one_that_refuses_it() {
    let error = refused(patient(), no_login()).await;
    assert_eq!(error.code(), Some(ErrorCode::AuthRequired));
    assert!(!error.is_login_refused() && !error.is_retryable());
}

#[tokio::test]
async fn a_login_that_is_refused_later_fails_what_waits_and_is_not_repeated_at_once() {
    let server = FakeServer::start().await;
    let options = patient().user("app").password("s3cret").one_connection(true);
    let (client, ()) = tokio::join!(Client::connect_with(&server.addr, options), async {
        // The connection ends with this.
        server.accept_raw().await.answer(hello_as("app", "s3cret"), greeting()).await;
    });
    let client = client.unwrap();
    let (first, ()) = tokio::join!(async { tokio::join!(client.get("a"), client.get("b")) }, async {
        server.accept_raw().await.answer(hello_as("app", "s3cret"), wrong_password()).await
    });
    assert!(first.0.unwrap_err().is_login_refused());
    assert!(first.1.unwrap_err().is_login_refused());
    for _ in 0..3 {
        assert!(client.get("a").await.unwrap_err().is_login_refused());
    }
    assert!(!server.has_new_connection());
    // After a pause it is tried again, if somebody asks.
    let recovered = async {
        loop {
            match client.get("a").await {
                Ok(found) => return found,
                Err(error) => assert!(error.is_login_refused()),
            }
            tokio::task::yield_now().await;
        }
    };
    let (found, ()) = tokio::join!(tokio::time::timeout(LONG, recovered), async {
        let mut peer = server.accept_raw().await;
        peer.answer(hello_as("app", "s3cret"), greeting()).await;
        peer.answer(get("a"), value("1")).await;
    });
    assert_eq!(found.unwrap().as_deref(), Some(&b"1"[..]));
}

#[tokio::test]
async fn what_waits_for_a_login_that_is_put_off_is_not_failed() {
    let server = FakeServer::start().await;
    let options = patient().user("app").password("s3cret").one_connection(true);
    let (client, ()) = tokio::join!(Client::connect_with(&server.addr, options), async {
        server.accept_raw().await.answer(hello_as("app", "s3cret"), greeting()).await;
    });
    let client = client.unwrap();
    let (read, ()) = tokio::join!(client.get("k"), async {
        let busy = ErrorReply::fixed(ErrorCode::Busy, "ERR too many logins at once; try again later");
        server.accept_raw().await.answer(hello_as("app", "s3cret"), busy.into()).await;
        let mut peer = server.accept_raw().await;
        peer.answer(hello_as("app", "s3cret"), greeting()).await;
        peer.answer(get("k"), value("v")).await;
    });
    assert_eq!(text(read).as_deref(), Some("v"));
}

#[tokio::test]
async fn a_connection_that_is_logged_out_is_left_for_one_that_logs_in() {
    let server = FakeServer::start().await;
    let logins = AtomicU32::new(0);
    let secret = LoginSecret::from_fn(move || {
        Ok(format!("token-{}", logins.fetch_add(1, Ordering::Relaxed)).into_bytes())
    });
    let options = patient().user("app").password(secret).one_connection(true);
    let (client, mut peer) = tokio::join!(Client::connect_with(&server.addr, options), async {
        let mut peer = server.accept_raw().await;
        peer.answer(hello_as("app", "token-0"), greeting()).await;
        peer
    });
    let client = client.unwrap();
    let (refused, ()) = tokio::join!(client.get("k"), peer.answer(get("k"), no_login()));
    assert_eq!(refused.unwrap_err().code(), Some(ErrorCode::AuthRequired));
    let (read, ()) = tokio::join!(client.get("k"), async {
        let mut peer = server.accept_raw().await;
        peer.answer(hello_as("app", "token-1"), greeting()).await;
        peer.answer(get("k"), value("v")).await;
    });
    assert_eq!(text(read).as_deref(), Some("v"));
}

#[tokio::test]
async fn a_secret_of_a_file_is_read_for_each_login_without_its_line_end() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("password");
    let server = FakeServer::start().await;
    let options = || patient().user("app").password(LoginSecret::from_file(&path));
    for (content, secret) in [("one\n", "one"), ("two\r\n", "two"), (" three", " three")] {
        fs::write(&path, content).unwrap();
        let (client, ()) = tokio::join!(Client::connect_with(&server.addr, options()), async {
            server.accept_raw().await.answer(hello_as("app", secret), greeting()).await;
        });
        client.unwrap();
    }
    fs::write(&path, "\n").unwrap();
    let error = Client::connect_with(&server.addr, options()).await.unwrap_err();
    assert_eq!(error.to_string(), "not logged in: the password is empty");
    fs::write(&path, "x".repeat(100_000)).unwrap();
    let error = Client::connect_with(&server.addr, options()).await.unwrap_err();
    assert!(error.to_string().contains("and the most are 2048"), "{error}");
    fs::remove_file(&path).unwrap();
    let error = Client::connect_with(&server.addr, options()).await.unwrap_err();
    assert!(error.to_string().contains("cannot read the password in"), "{error}");
    assert!(!server.has_new_connection());
}
