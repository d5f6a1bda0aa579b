//! Tests of logins in which the test does the thread's work, so that it holds a check for as long as it likes.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use rustvault_users::{Credential, Rights, Secret, User, Users};
use tokio_util::sync::CancellationToken;

use super::{LoginError, Logins};
use crate::access::UserAccess;
use crate::clients::{ClientRegistration, Clients};
use crate::metrics::ListenerKind;

/// The password of every user.
pub(super) const PASSWORD: &str = "password";

/// Makes users whose password is [`PASSWORD`].
pub(super) fn users(names: &[&str]) -> Users {
    let credential = |plain: &str| Credential {
        label: plain.to_owned(),
        secret: Secret::of(plain.as_bytes()).unwrap(),
        expires: None,
    };
    let user = |name: &&str| User {
        name: (*name).to_owned(),
        credentials: vec![credential(PASSWORD), credential("rv_token")],
        rights: Rights::default(),
    };
    Users::new(names.iter().map(user)).unwrap()
}

/// Logins without a thread, of one user, and a client.
struct HeldLogins {
    logins: Logins,
    access: UserAccess,
    clients: Arc<Clients>,
    stopping: CancellationToken,
}

impl HeldLogins {
    fn new() -> Self {
        let access = UserAccess::default();
        access.replace(Some(Arc::new(users(&["ann"]))));
        Self {
            logins: Logins::default(),
            access,
            clients: Arc::default(),
            stopping: CancellationToken::new(),
        }
    }

    fn client(&self, host: u8) -> ClientRegistration {
        let addr = |port| crate::addr::Addr::from(std::net::SocketAddr::from(([10, 0, 0, host], port)));
        self.clients.add(addr(1), addr(2), ListenerKind::Tcp)
    }

    async fn verify(
        &self,
        client: &ClientRegistration,
        name: &str,
        secret: &str,
    ) -> Result<String, LoginError> {
        let claim = (name.as_bytes(), secret.as_bytes());
        let user = self.logins.verify(&self.access, client, claim, &self.stopping).await;
        user.map(|user| user.name.clone())
    }

    /// Verifies while the test does the thread's work.
    async fn verify_now(
        &self,
        client: &ClientRegistration,
        name: &str,
        secret: &str,
    ) -> Result<String, LoginError> {
        let mut login = pin!(self.verify(client, name, secret));
        loop {
            if let Poll::Ready(verdict) = poll(login.as_mut()) {
                return verdict;
            }
            assert!(self.logins.verifier.step(), "it waits for nothing");
        }
    }

    fn figure(&self, name: &str) -> u64 {
        self.logins.figures().into_iter().find(|(figure, _)| *figure == name).unwrap().1
    }
}

fn poll<F: Future>(future: std::pin::Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}

#[tokio::test(start_paused = true)]
async fn unknown_name_wrong_password_and_impossible_ones_have_one_error_and_one_check() {
    let logins = HeldLogins::new();
    let long = "x".repeat(513);
    for (host, (name, password)) in
        [("ann", "wrong"), ("bob", PASSWORD), ("", ""), ("ann", &long), (&long, PASSWORD), ("ann\0", "x")]
            .into_iter()
            .enumerate()
    {
        let client = logins.client(host as u8);
        let mut login = pin!(logins.verify(&client, name, password));
        assert!(poll(login.as_mut()).is_pending(), "{name}");
        assert!(logins.logins.verifier.step());
        assert_eq!(poll(login.as_mut()), Poll::Ready(Err(LoginError::Wrong)), "{name}");
    }
    assert_eq!((logins.figure("failed_logins"), logins.figure("logins")), (6, 0));
}

#[tokio::test(start_paused = true)]
async fn a_token_and_a_remembered_password_wait_for_nobody() {
    let logins = HeldLogins::new();
    let client = logins.client(1);
    assert_eq!(logins.verify_now(&client, "ann", PASSWORD).await, Ok("ann".to_owned()));
    let others: Vec<_> = (2..50).map(|host| logins.client(host)).collect();
    let mut waiting: Vec<_> = others
        .iter()
        .map(|other| Box::pin(logins.verify(other, other.peer.to_string().leak(), "x")))
        .collect();
    assert!(waiting.iter_mut().all(|login| poll(login.as_mut()).is_pending()));
    let late = logins.client(60);
    assert_eq!(logins.verify(&late, "bob", "x").await, Err(LoginError::Busy));
    for secret in [PASSWORD, "rv_token"] {
        assert_eq!(logins.verify(&client, "ann", secret).await, Ok("ann".to_owned()), "{secret}");
    }
    assert_eq!(logins.verify(&client, "ann", "rv_other").await, Err(LoginError::Wrong));
    // A name that logged in from there has a place in the queue, though others filled theirs.
    let mut again = pin!(logins.verify(&client, "ann", "mistyped"));
    assert!(poll(again.as_mut()).is_pending());
    assert_eq!(logins.figure("queued_logins"), 49);
    assert_eq!((logins.figure("refused_logins"), logins.figure("remembered_logins")), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn wrong_passwords_throttle_their_address_and_no_token() {
    let logins = HeldLogins::new();
    let (bad, good) = (logins.client(1), logins.client(2));
    for number in 0..10 {
        let wrong = logins.verify_now(&bad, "ann", &format!("guess {number}")).await;
        assert_eq!(wrong, Err(LoginError::Wrong));
    }
    // The right one, too: a throttled address learns nothing.
    assert_eq!(logins.verify(&bad, "ann", PASSWORD).await, Err(LoginError::Throttled));
    assert_eq!(logins.verify(&bad, "ann", "rv_token").await, Ok("ann".to_owned()));
    assert_eq!(logins.verify_now(&good, "ann", PASSWORD).await, Ok("ann".to_owned()));
    assert_eq!(logins.verify(&bad, "ann", PASSWORD).await, Err(LoginError::Throttled));
    assert_eq!(logins.figure("throttled_logins"), 2);
}

#[tokio::test(start_paused = true)]
async fn a_verdict_about_users_that_were_replaced_meanwhile_counts_for_nothing() {
    let logins = HeldLogins::new();
    let client = logins.client(1);
    // The password is another one now, as its hash is.
    let mut login = pin!(logins.verify(&client, "ann", PASSWORD));
    assert!(poll(login.as_mut()).is_pending());
    logins.access.replace(Some(Arc::new(users(&["bob"]))));
    assert!(logins.logins.verifier.step());
    assert!(poll(login.as_mut()).is_pending(), "the removed user is looked for among the new ones");
    assert!(logins.logins.verifier.step());
    assert_eq!(poll(login.as_mut()), Poll::Ready(Err(LoginError::Wrong)));
    // The user came while the password was compared with nobody's.
    let mut login = pin!(logins.verify(&client, "ann", PASSWORD));
    assert!(poll(login.as_mut()).is_pending());
    logins.access.replace(Some(Arc::new(users(&["ann"]))));
    assert!(logins.logins.verifier.step() && poll(login.as_mut()).is_pending());
    assert!(logins.logins.verifier.step());
    assert_eq!(poll(login.as_mut()), Poll::Ready(Ok("ann".to_owned())));
    // What was right before the change is checked anew behind it.
    logins.access.replace(Some(Arc::new(users(&["ann"]))));
    let mut login = pin!(logins.verify(&client, "ann", PASSWORD));
    for _ in 0..3 {
        assert!(poll(login.as_mut()).is_pending());
        logins.access.replace(Some(Arc::new(users(&["ann"]))));
        assert!(logins.logins.verifier.step());
    }
    assert_eq!(poll(login.as_mut()), Poll::Ready(Err(LoginError::Changed)));
    logins.access.replace(None);
    assert_eq!(logins.verify(&client, "ann", PASSWORD).await, Err(LoginError::Changed));
}

#[tokio::test(start_paused = true)]
async fn no_login_waits_for_ever() {
    let logins = HeldLogins::new();
    let (one, killed) = (logins.client(1), logins.client(2));
    killed.kill();
    assert_eq!(logins.verify(&killed, "ann", PASSWORD).await, Err(LoginError::Busy));
    let start = tokio::time::Instant::now();
    assert_eq!(logins.verify(&one, "ann", PASSWORD).await, Err(LoginError::Busy));
    assert_eq!(start.elapsed(), super::MAX_CHECK_WAIT);
    logins.stopping.cancel();
    assert_eq!(logins.verify(&one, "ann", PASSWORD).await, Err(LoginError::Busy));
    assert_eq!(start.elapsed(), super::MAX_CHECK_WAIT + super::MAX_CHECK_WAIT_AT_STOP);
    // Nobody waits for these any more, so nothing is checked.
    assert!(!logins.logins.verifier.step());
}
