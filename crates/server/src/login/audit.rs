//! Audit messages, under the target `audit`: who logged in, who could not, and what was denied. They hold no value and no secret.

use tracing::{info, warn};

use super::LoginError;
use crate::clients::ConnectedClient;
use crate::preview::preview;
use crate::rate_limit::RateLimit;

/// Most messages of each kind in a minute; the next one says how many were left out.
const MAX_MESSAGES_PER_MINUTE: u32 = 600;

/// Audit messages, of each kind a limited number.
#[derive(Debug)]
pub(crate) struct Audit {
    accepted: RateLimit,
    failed: RateLimit,
    denied: RateLimit,
}

impl Default for Audit {
    fn default() -> Self {
        let limit = || RateLimit::of(MAX_MESSAGES_PER_MINUTE);
        Self { accepted: limit(), failed: limit(), denied: limit() }
    }
}

impl Audit {
    /// Reports a login.
    pub(super) fn accepted(&self, client: &ConnectedClient, user: &str) {
        if let Some(left_out) = self.accepted.admit() {
            let (peer, local) = (&client.peer, &client.local);
            info!(target: "audit", user, %peer, %local, left_out, "login accepted");
        }
    }

    /// Reports a login that failed.
    pub(super) fn failed(&self, client: &ConnectedClient, user: &[u8], error: LoginError) {
        if let Some(left_out) = self.failed.admit() {
            let (peer, local, user) = (&client.peer, &client.local, preview(user));
            warn!(target: "audit", user, %peer, %local, left_out, reason = error.message(), "login failed");
        }
    }

    /// Reports a command that was denied, with the right that is lacking: a category, and the beginning of the key, escaped.
    #[cold]
    pub(crate) fn denied(&self, client: &ConnectedClient, user: &str, command: &str, lacking: &str) {
        if let Some(left_out) = self.denied.admit() {
            let (peer, local) = (&client.peer, &client.local);
            warn!(target: "audit", user, %peer, %local, command, lacking, left_out, "command denied");
        }
    }
}
