//! Logging in: tokens are compared at once, passwords by a thread of low priority.

mod audit;
mod deadline;
mod load;
mod password;
mod remembered;
mod request;
mod secrets;
#[cfg(test)]
mod tests;
mod throttle;
mod verifier;

use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use rustvault_protocol::{ErrorCode, ErrorReply};
use rustvault_users::{MAX_NAME_BYTES, MAX_SECRET_BYTES, User, Users, is_token};
use tokio::select;
use tokio::sync::oneshot;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use crate::access::UserAccess;
use crate::clients::ConnectedClient;
use crate::engine::Counter;
use audit::Audit;
use remembered::{Moment, Remembered};
use request::ReportedLogins;
use secrets::HashKey;
use throttle::{AdmittedLogin, LoginSource, Throttle, Throttled};
use verifier::{Check, CheckedPassword, Verifier};

pub(crate) use deadline::{LoginDeadline, late_login};
pub use load::LoadUsersError;
pub(crate) use load::load_users;
pub use password::{Password, PasswordError};
pub(crate) use request::RequestLogin;

/// Longest request of a client that has not logged in, in bytes.
pub(crate) const MAX_FRAME_BYTES_BEFORE_LOGIN: usize = 4 * 1024;

/// Longest wait for the check of a password: less than the deadline of a login, so that the client gets an answer.
const MAX_CHECK_WAIT: Duration = Duration::from_secs(4);

/// Longest wait for it once the server stops.
const MAX_CHECK_WAIT_AT_STOP: Duration = Duration::from_secs(1);

/// Most checks of one login, each because the users have changed during the one before.
const MAX_CHECKS: u32 = 3;

/// State that logins share: the thread that checks passwords, what was right lately, and who failed too often.
#[derive(Debug)]
pub(crate) struct Logins {
    verifier: Arc<Verifier>,
    throttle: Arc<Throttle>,
    remembered: Remembered,
    key: HashKey,
    /// Logins of requests that messages have reported.
    reported: ReportedLogins,
    pub(crate) audit: Audit,
    accepted: Counter,
    failed: Counter,
    throttled: Counter,
    refused: Counter,
}

/// Reason for which a client is not logged in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LoginError {
    /// The name is unknown, or the password wrong or expired.
    Wrong,
    /// A token, given without a name, is nobody's, or has expired.
    WrongToken,
    /// Too many passwords from the client's address were wrong.
    Throttled,
    /// Too many passwords wait for their check.
    Busy,
    /// The users have changed during every check.
    Changed,
}

impl LoginError {
    pub(crate) const WRONG: &'static str = "WRONGPASS invalid username-password pair or user is disabled.";

    /// Returns the message for people.
    pub(crate) const fn message(self) -> &'static str {
        match self {
            Self::Wrong => "unknown user or wrong password",
            Self::WrongToken => {
                "unknown or expired token; a token that is given alone has no name in front of it"
            }
            Self::Throttled => "too many failed logins from this address; try again in a minute",
            Self::Busy => "too many logins at once; try again later",
            Self::Changed => "the users are being changed; try again",
        }
    }
}

impl From<LoginError> for Box<ErrorReply> {
    fn from(error: LoginError) -> Self {
        Self::new(match error {
            // Redis's sentence: client libraries recognise it.
            LoginError::Wrong | LoginError::WrongToken => {
                ErrorReply::fixed(ErrorCode::Denied, LoginError::WRONG)
            }
            _ => ErrorReply::new(ErrorCode::Busy, error.message()),
        })
    }
}

/// Figures of logins since the start.
#[derive(Debug)]
pub(crate) struct LoginTotals {
    /// Logins by their result.
    pub(crate) by_result: [(&'static str, u64); 4],
    /// Passwords that wait for their check.
    pub(crate) queued: usize,
    /// Right passwords of the last minute.
    pub(crate) remembered: usize,
}

impl Default for Logins {
    fn default() -> Self {
        Self {
            verifier: Arc::default(),
            throttle: Arc::default(),
            remembered: Remembered::default(),
            key: HashKey::random(),
            reported: ReportedLogins::default(),
            audit: Audit::default(),
            accepted: Counter::default(),
            failed: Counter::default(),
            throttled: Counter::default(),
            refused: Counter::default(),
        }
    }
}

impl Drop for Logins {
    fn drop(&mut self) {
        self.verifier.close();
    }
}

/// Name and secret that a client sent, or those of nobody if they cannot be right.
#[derive(Clone, Copy)]
struct GivenLogin<'a> {
    name: &'a str,
    secret: &'a [u8],
}

impl<'a> GivenLogin<'a> {
    /// Replaces a name or a secret that cannot be right by that of nobody, so that it takes as long as any other.
    fn new(name: &'a [u8], secret: &'a [u8]) -> Self {
        let name = str::from_utf8(name).ok().filter(|name| name.len() <= MAX_NAME_BYTES);
        match name.filter(|_| secret.len() <= MAX_SECRET_BYTES) {
            Some(name) => Self { name, secret },
            None => Self { name: "", secret: b"" },
        }
    }
}

impl Logins {
    /// Starts the thread that checks passwords.
    pub(crate) fn start(&self) -> io::Result<()> {
        self.verifier.start()
    }

    /// Returns the number of logins whose user or password was wrong.
    pub(crate) fn failed_logins(&self) -> u64 {
        self.failed.get()
    }

    /// Returns the figures of `INFO`.
    pub(crate) fn figures(&self) -> [(&'static str, u64); 6] {
        [
            ("logins", self.accepted.get()),
            ("failed_logins", self.failed.get()),
            ("throttled_logins", self.throttled.get()),
            ("refused_logins", self.refused.get()),
            ("queued_logins", self.verifier.queued() as u64),
            ("remembered_logins", self.remembered.len() as u64),
        ]
    }

    /// Returns the figures of `/metrics`.
    pub(crate) fn totals(&self) -> LoginTotals {
        LoginTotals {
            by_result: [
                ("accepted", self.accepted.total()),
                ("failed", self.failed.total()),
                ("throttled", self.throttled.total()),
                ("refused", self.refused.total()),
            ],
            queued: self.verifier.queued(),
            remembered: self.remembered.len(),
        }
    }

    /// Returns the user of this name if it is the client's: if the secret is one of the user's.
    ///
    /// An unknown name and a wrong password have the same error and take the same time. Dropping the future gives up.
    pub(crate) async fn verify(
        &self,
        access: &UserAccess,
        client: &ConnectedClient,
        claim: (&[u8], &[u8]),
        stopping: &CancellationToken,
    ) -> Result<Arc<User>, LoginError> {
        let verdict = self.find(access, client, claim, stopping).await;
        self.report(client, claim.0, &verdict);
        self.counter(verdict.as_ref().err()).add(1);
        verdict
    }

    /// Returns the user of this name, if the secret is one of the user's.
    async fn find(
        &self,
        access: &UserAccess,
        client: &ConnectedClient,
        (name, secret): (&[u8], &[u8]),
        stopping: &CancellationToken,
    ) -> Result<Arc<User>, LoginError> {
        let given = GivenLogin::new(name, secret);
        match access.load() {
            None => Err(LoginError::Changed),
            Some(users) if is_token(given.secret) => {
                let user = users.log_in(given.name, given.secret, SystemTime::now());
                user.cloned().ok_or(LoginError::Wrong)
            }
            Some(users) => self.check_password(users, access, client, given, stopping).await,
        }
    }

    fn report(&self, client: &ConnectedClient, name: &[u8], verdict: &Result<Arc<User>, LoginError>) {
        match verdict {
            Ok(user) => self.audit.accepted(client, &user.name),
            Err(error) => self.audit.failed(client, name, *error),
        }
    }

    fn counter(&self, error: Option<&LoginError>) -> &Counter {
        match error {
            None => &self.accepted,
            Some(LoginError::Wrong | LoginError::WrongToken) => &self.failed,
            Some(LoginError::Throttled) => &self.throttled,
            Some(LoginError::Busy | LoginError::Changed) => &self.refused,
        }
    }

    /// Asks whether the address may try, before anything else: what answers faster than a check would be a means to guess.
    async fn check_password(
        &self,
        users: Arc<Users>,
        access: &UserAccess,
        client: &ConnectedClient,
        given: GivenLogin<'_>,
        stopping: &CancellationToken,
    ) -> Result<Arc<User>, LoginError> {
        let source = LoginSource::from(&client.peer);
        let admitted = self.throttle.admit(source, self.key.name(given.name), Instant::now());
        let admitted = admitted.map_err(|throttled| match throttled {
            Throttled::Failures => LoginError::Throttled,
            Throttled::Pending => LoginError::Busy,
        })?;
        let hash = self.key.secret(given.name, given.secret);
        if let Some(user) = self.remembered.get(hash, &users, Moment::now()) {
            admitted.succeed(Instant::now());
            return Ok(user);
        }
        let mut users = users;
        for _ in 0..MAX_CHECKS {
            let checked = self.check(&users, given, &admitted, client, stopping).await?;
            let Some(now) = access.load() else { return Err(LoginError::Changed) };
            match checked.user {
                Some(user) => {
                    if let Some(current) =
                        now.get(&user.name).filter(|now| now.credentials == user.credentials)
                    {
                        let checked_at = Moment { monotonic: Instant::now(), calendar: checked.checked_at };
                        self.remembered.insert(hash, user, checked_at);
                        admitted.succeed(Instant::now());
                        return Ok(Arc::clone(current));
                    }
                }
                None if Arc::ptr_eq(&users, &now) => {
                    let is_blocked = admitted.fail(Instant::now());
                    return Err(if is_blocked { LoginError::Throttled } else { LoginError::Wrong });
                }
                None => {}
            }
            users = now;
        }
        Err(LoginError::Changed)
    }

    /// Queues the check of a password, and waits for the result.
    async fn check(
        &self,
        users: &Arc<Users>,
        given: GivenLogin<'_>,
        admitted: &AdmittedLogin,
        client: &ConnectedClient,
        stopping: &CancellationToken,
    ) -> Result<CheckedPassword, LoginError> {
        let check = Check {
            hash: self.key.secret(given.name, given.secret),
            users: Arc::clone(users),
            name: given.name.into(),
            password: given.secret.into(),
        };
        let checked = self.verifier.ask(check, admitted.is_known).ok_or(LoginError::Busy)?;
        wait(checked, client, stopping).await.ok_or(LoginError::Busy)
    }
}

/// Waits for the result of a check; returns `None` if it takes too long, or the client is disconnected.
async fn wait(
    checked: oneshot::Receiver<CheckedPassword>,
    client: &ConnectedClient,
    stopping: &CancellationToken,
) -> Option<CheckedPassword> {
    let stopped = async {
        stopping.cancelled().await;
        sleep(MAX_CHECK_WAIT_AT_STOP).await;
    };
    select! {
        checked = checked => checked.ok(),
        () = client.killed() => None,
        () = sleep(MAX_CHECK_WAIT) => None,
        () = stopped => None,
    }
}
