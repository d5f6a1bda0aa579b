//! Compactions of a server's log, by command, and what `INFO` reports of them.

use std::time::{Duration, Instant};

use rustvault_protocol::Reply;
use tokio::time::{sleep, timeout};

use super::{Peer, Server};
use crate::error::Error;
use crate::resp::Connection;

/// How long a compaction may take.
const LIMIT: Duration = Duration::from_secs(300);

/// Between two looks whether it has ended.
const POLL_INTERVAL: Duration = Duration::from_millis(10);

/// What `INFO` tells of a server's compactions.
#[derive(Debug, PartialEq, Eq)]
struct Told {
    /// How many there were since its start.
    count: u64,
    is_running: bool,
    has_failed: bool,
}

impl Server {
    /// Has the server write its log anew (Redis: its append-only file); returns how long that took.
    pub(crate) async fn compact(&self) -> Result<Duration, Error> {
        let mut connection = self.connect().await?;
        let count_before = self.told(&mut connection).await?.count;
        let start = Instant::now();
        let reply = connection.ask("BGREWRITEAOF").await.map_err(self.lost())?;
        if !matches!(reply, Reply::Simple(_)) {
            return Err(self.bad_reply("BGREWRITEAOF", &reply));
        }
        let ended = timeout(LIMIT, self.until_compacted(&mut connection, count_before)).await;
        let what = || format!("the compaction of {}", self.peer.name());
        ended.map_err(|_| Error::TimedOut { what: what(), limit: LIMIT })??;
        Ok(start.elapsed())
    }

    async fn until_compacted(&self, connection: &mut Connection, count_before: u64) -> Result<(), Error> {
        loop {
            let told = self.told(connection).await?;
            if told.has_failed {
                let message = "its log says why".to_owned();
                return Err(Error::Compaction { server: self.peer.name(), message });
            }
            if told.count > count_before && !told.is_running {
                return Ok(());
            }
            sleep(POLL_INTERVAL).await;
        }
    }

    async fn told(&self, connection: &mut Connection) -> Result<Told, Error> {
        let info = connection.ask_text("INFO").await.map_err(self.lost())?;
        Told::read(self.peer, &info).ok_or_else(|| self.bad_reply("INFO", &info))
    }
}

impl Told {
    fn read(peer: Peer, info: &str) -> Option<Self> {
        let value = |name: &str| {
            let mut pairs = info.lines().filter_map(|line| line.split_once(':'));
            pairs.find(|(key, _)| *key == name).map(|(_, value)| value)
        };
        let (count, running, has_failed) = match peer {
            Peer::Ceiling => return None,
            // Counted when they have ended, so that the count alone will do for a baseline that reports no more.
            Peer::RustVault | Peer::Baseline => {
                let has_failed = value("last_compaction_error").is_some_and(|error| !error.is_empty());
                ("compactions", value("compaction_running").unwrap_or("0"), has_failed)
            }
            // Counted when they begin.
            Peer::Redis => {
                let has_failed = value("aof_last_bgrewrite_status")? != "ok";
                ("aof_rewrites", value("aof_rewrite_in_progress")?, has_failed)
            }
        };
        Some(Self { count: value(count)?.parse().ok()?, is_running: running != "0", has_failed })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_servers_tell_how_their_compactions_go() {
        let told = |peer, info: &str| Told::read(peer, &info.replace(' ', "\r\n")).unwrap();
        let running = Told { count: 2, is_running: true, has_failed: false };
        assert_eq!(
            told(Peer::RustVault, "keys:1 compactions:2 compaction_running:1 last_compaction_error: x:1"),
            running
        );
        assert_eq!(
            told(Peer::Redis, "aof_rewrites:2 aof_rewrite_in_progress:1 aof_last_bgrewrite_status:ok"),
            running
        );
    }

    #[test]
    fn a_failure_is_told() {
        let ours = "compactions:0\r\ncompaction_running:0\r\nlast_compaction_error:no room\r\n";
        assert!(Told::read(Peer::RustVault, ours).unwrap().has_failed);
        let theirs = "aof_rewrites:1\r\naof_rewrite_in_progress:0\r\naof_last_bgrewrite_status:err\r\n";
        assert!(Told::read(Peer::Redis, theirs).unwrap().has_failed);
    }

    #[test]
    fn a_baseline_may_report_the_count_alone() {
        let told = Told { count: 3, is_running: false, has_failed: false };
        assert_eq!(Told::read(Peer::Baseline, "keys:1\r\ncompactions:3\r\n"), Some(told));
    }

    #[test]
    fn what_tells_nothing_of_them_is_none() {
        assert_eq!(Told::read(Peer::RustVault, "keys:1\r\n"), None);
        assert_eq!(Told::read(Peer::Redis, "compactions:1\r\ncompaction_running:0\r\n"), None);
    }
}
