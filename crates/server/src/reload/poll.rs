//! Takes over changed files of users and of TLS without a request, as whoever renews certificates or mounts secrets expects.

use std::fmt::Display;
use std::time::Duration;

use rustvault_users::Users;
use tracing::{error, info};

use super::blocking;
use super::files::FilesSeen;
use super::outcomes::FileOutcome;
use crate::engine::Engine;
use crate::login::load_users;
use crate::tls::{self, LoadedTls};

/// Time between two looks at the files.
pub(super) const POLL_INTERVAL: Duration = Duration::from_secs(60);

/// Result of a look at a group of files.
enum Found<T> {
    /// The contents that the last look found.
    Nothing,
    /// The contents that are in force, after others.
    InForce,
    /// Something new.
    Changed(T),
    /// Something that cannot be used.
    Bad(String),
}

impl<T> Found<T> {
    fn new<E: Display>(is_new: bool, is_in_force: bool, load: impl FnOnce() -> Result<T, E>) -> Self {
        match (is_new, is_in_force) {
            (false, _) => Self::Nothing,
            (true, true) => Self::InForce,
            (true, false) => load().map_or_else(|error| Self::Bad(error.to_string()), Self::Changed),
        }
    }

    /// Takes over what is new, and reports what was found; returns whether it is in force.
    fn take(self, what: &str, outcome: &FileOutcome, replace: impl FnOnce(T)) -> bool {
        match self {
            Self::Nothing => false,
            Self::InForce => {
                outcome.set(None);
                info!("the files of {what} are again those that are in force");
                true
            }
            Self::Changed(new) => {
                replace(new);
                outcome.set(None);
                info!("the files of {what} have changed and are taken over");
                true
            }
            Self::Bad(problem) => {
                error!(
                    "the files of {what} have changed and cannot be used, so the old ones stay in force: {problem}"
                );
                outcome.set(Some(problem));
                false
            }
        }
    }
}

/// Looks at the files of users and of TLS, and takes over each group that has changed and is good. The others stay, and one
/// message says why, not one at each look.
pub(super) async fn poll<S>(engine: &Engine<S>) {
    let reloads = &engine.reloads;
    let mut files = reloads.turn.lock().await;
    let (config, in_force, looked_at) =
        (engine.config_full(), files.in_force.clone(), files.looked_at.clone());
    let look = blocking(move || {
        let now = FilesSeen::of(&config);
        let (is_new, is_old) = (now.users != looked_at.users, now.users == in_force.users);
        let users: Found<Option<Users>> = Found::new(is_new, is_old, || load_users(&config));
        let (is_new, is_old) = (now.tls != looked_at.tls, now.tls == in_force.tls);
        let tls: Found<Option<LoadedTls>> = Found::new(is_new, is_old, || tls::load(&config.tls));
        Ok((now, users, tls))
    });
    let Ok((now, users, tls)) = look.await else { return };
    if users.take("users", &reloads.outcomes.users, |users| engine.replace_users(users)) {
        files.in_force.users = now.users.clone();
    }
    if tls.take("TLS", &reloads.outcomes.tls, |tls| engine.tls.replace(tls)) {
        files.in_force.tls = now.tls.clone();
    }
    files.looked_at = now;
}

#[cfg(test)]
mod tests;
