//! The sessions of a web site, kept in RustVault: they outlive the restart of the site, and of the server.
//!
//! Start a daemon, then run `cargo run -p rustvault-client --example session_cache -- 127.0.0.1:8080` (or set
//! `RUSTVAULT_ADDR`). Two visitors log in, look around and log out; what is left of them is removed.
//!
//! There is no expiry yet, so a session has its last use in its value, and `sweep` deletes those that are too old.

use std::process::ExitCode;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustvault_client::{Bytes, Client, Commands, Error, SetOptions};

const DEFAULT_ADDR: &str = "127.0.0.1:8080";

/// Begins the keys of sessions.
const PREFIX: &str = "session:";

/// A session that nobody used for so long has ended.
const MAX_IDLE: Duration = Duration::from_secs(30 * 60);

#[tokio::main]
async fn main() -> ExitCode {
    let addr = std::env::args().nth(1).or_else(|| std::env::var("RUSTVAULT_ADDR").ok());
    match run(addr.as_deref().unwrap_or(DEFAULT_ADDR)).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(addr: &str) -> Result<(), Box<dyn std::error::Error>> {
    let sessions = Sessions { client: Client::connect(addr).await? };
    let now = SystemTime::now();
    let ada = sessions.begin("ada", now).await?;
    let bob = sessions.begin("bob", now - 2 * MAX_IDLE).await?;
    println!("ada is {:?}", sessions.user_of(&ada, now).await?);
    println!("bob is {:?}: away for too long", sessions.user_of(&bob, now).await?);
    println!("{} session removed", sessions.sweep(now).await?);
    let logged_out = sessions.end(&ada).await?;
    let afterwards = sessions.user_of(&ada, now).await?;
    println!("ada has logged out: {logged_out}, and is {afterwards:?}");
    if afterwards.is_some() || !logged_out {
        return Err("a session was there after its end".into());
    }
    Ok(())
}

/// The sessions of the site. Clones share their connections, so every task of a service has its own.
#[derive(Clone)]
struct Sessions {
    client: Client,
}

impl Sessions {
    /// Begins a session of `user` and returns its name, which goes into a cookie.
    ///
    /// A service takes a random name that nobody guesses. `NX` makes sure that it is new all the same.
    async fn begin(&self, user: &str, now: SystemTime) -> Result<String, Error> {
        let mut number = self.client.incr("sessions").await?;
        loop {
            let name = format!("{user}-{number}");
            let value = encode(user, now);
            if self.client.set_with(key(&name), value, SetOptions::new().nx()).await? {
                return Ok(name);
            }
            number += 1;
        }
    }

    /// Returns the user of a session, and notes that it was used, if it has not ended.
    async fn user_of(&self, name: &str, now: SystemTime) -> Result<Option<String>, Error> {
        let Some((user, used)) = self.client.get(key(name)).await?.as_ref().and_then(decode) else {
            return Ok(None);
        };
        if has_ended(used, now) {
            return Ok(None);
        }
        // Only if it is there still: a session that ends at this moment must not come back.
        let is_there = self.client.set_with(key(name), encode(&user, now), SetOptions::new().xx()).await?;
        Ok(is_there.then_some(user))
    }

    /// Ends a session; true if there was one.
    async fn end(&self, name: &str) -> Result<bool, Error> {
        self.client.delete(key(name)).await
    }

    /// Removes the sessions that were not used for too long; returns how many.
    async fn sweep(&self, now: SystemTime) -> Result<usize, Error> {
        let mut removed = 0;
        let mut entries = self.client.entries(PREFIX);
        while let Some((key, value)) = entries.try_next().await? {
            if decode(&value).is_none_or(|(_, used)| has_ended(used, now)) {
                removed += usize::from(self.client.delete(key).await?);
            }
        }
        Ok(removed)
    }
}

fn key(name: &str) -> String {
    format!("{PREFIX}{name}")
}

fn has_ended(used: u64, now: SystemTime) -> bool {
    seconds(now).saturating_sub(used) > MAX_IDLE.as_secs()
}

fn seconds(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}

/// The value of a session: when it was used, and whose it is.
fn encode(user: &str, used: SystemTime) -> String {
    format!("{} {user}", seconds(used))
}

fn decode(value: &Bytes) -> Option<(String, u64)> {
    let (used, user) = std::str::from_utf8(value).ok()?.split_once(' ')?;
    Some((user.to_owned(), used.parse().ok()?))
}
