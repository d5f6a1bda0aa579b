//! Logins of single requests, as HTTP has them: each request proves anew who sends it.

use std::collections::HashSet;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::SystemTime;

use parking_lot::Mutex;
use rustvault_users::User;
use tokio_util::sync::CancellationToken;

use super::{LoginError, Logins};
use crate::access::UserAccess;
use crate::addr::Addr;
use crate::clients::ConnectedClient;

/// Most pairs of a user and an address whose login was reported. A program asks every few seconds: once is enough.
const MAX_REPORTED_PAIRS: usize = 256;

/// Login that a request has with it.
#[derive(Clone, Copy)]
pub(crate) enum RequestLogin<'a> {
    /// A name, and a password or token.
    Named { name: &'a [u8], secret: &'a [u8] },
    /// A token, which belongs to one user alone.
    Token(&'a [u8]),
}

/// Users whose logins by requests were reported, each with its client's address.
#[derive(Debug, Default)]
pub(super) struct ReportedLogins(Mutex<HashSet<(String, IpAddr)>>);

impl ReportedLogins {
    /// Returns whether a login is to be reported: the first of this user from this address.
    fn is_first(&self, user: &str, peer: &Addr) -> bool {
        let Addr::Tcp(peer) = peer else { return true };
        let mut reported = self.0.lock();
        if reported.len() >= MAX_REPORTED_PAIRS {
            reported.clear();
        }
        reported.insert((user.to_owned(), peer.ip()))
    }
}

impl Logins {
    /// Returns the user whom a request is from. It is counted and throttled as [`verify`](Self::verify) does it, and a message reports the first
    /// login of a user from an address, and every failure.
    pub(crate) async fn verify_request(
        &self,
        access: &UserAccess,
        client: &ConnectedClient,
        login: RequestLogin<'_>,
        stopping: &CancellationToken,
    ) -> Result<Arc<User>, LoginError> {
        let (name, verdict) = match login {
            RequestLogin::Named { name, secret } => {
                (name, self.find(access, client, (name, secret), stopping).await)
            }
            RequestLogin::Token(token) => (&b""[..], find_by_token(access, token)),
        };
        let is_reported =
            verdict.as_ref().map_or(true, |user| self.reported.is_first(&user.name, &client.peer));
        if is_reported {
            self.report(client, name, &verdict);
        }
        self.counter(verdict.as_ref().err()).add(1);
        verdict
    }
}

fn find_by_token(access: &UserAccess, token: &[u8]) -> Result<Arc<User>, LoginError> {
    let users = access.load().ok_or(LoginError::Changed)?;
    users.find_by_token(token, SystemTime::now()).cloned().ok_or(LoginError::WrongToken)
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use super::*;

    #[test]
    fn a_login_is_reported_once_for_each_user_and_address() {
        let reported = ReportedLogins::default();
        let first = |user: &str, host: u8, port| {
            reported.is_first(user, &Addr::from(SocketAddr::from(([10, 0, 0, host], port))))
        };
        assert!(first("ann", 1, 1) && first("ann", 2, 1) && first("bob", 1, 1));
        assert!(!first("ann", 1, 2) && !first("bob", 1, 3));
        for number in 0..3 * MAX_REPORTED_PAIRS {
            first(&number.to_string(), 1, 1);
        }
        assert!(reported.0.lock().len() <= MAX_REPORTED_PAIRS);
    }
}
