//! How long a server takes to come back.

use std::time::Duration;

use super::Contest;
use crate::error::Error;
use crate::figures::Figure;
use crate::resp::Keys;
use crate::server::{Peer, Policy, Server, Site};

const KEYS: u64 = 2_000_000;

const VALUE_BYTES: usize = 64;

/// How the server before ended, and what it left to be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Before {
    /// It was killed, and left a log of every write.
    Kill,
    /// It stopped cleanly after a compaction, and left a log of the keys as they were then.
    CompactionAndStop,
}

impl Contest {
    pub(super) async fn start(&self, sides: &[Peer], before: Before) -> Result<Vec<Figure>, Error> {
        let keys = KEYS / self.effort.keys_divisor;
        let mut sites = Vec::new();
        for side in sides {
            sites.push(self.left(*side, keys, before).await?);
        }
        let rounds = self.rounds(&sites, async |site| self.start_time(site, keys, before).await).await?;
        Ok(vec![Figure::of("first answer", "s", &rounds, Duration::as_secs_f64)])
    }

    /// Makes the folder of a server that has set these keys and has ended.
    async fn left(&self, peer: Peer, keys: u64, before: Before) -> Result<Site, Error> {
        // With any other policy Redis may lose acknowledged writes that are not written yet.
        let site = Site::new(peer, Policy::Always, &self.scratch)?;
        let server = site.start(&self.programs).await?;
        server.fill(Keys::RedisBenchmark, 0..keys, VALUE_BYTES).await?;
        if before == Before::CompactionAndStop {
            server.compact().await?;
        }
        end(server, before).await?;
        Ok(site)
    }

    /// Measures a start of the server, which ends afterwards as the one before it did.
    async fn start_time(&self, site: &Site, keys: u64, before: Before) -> Result<Duration, Error> {
        let server = site.start(&self.programs).await?;
        server.check_keys(keys).await?;
        let start_time = server.start_time();
        end(server, before).await?;
        Ok(start_time)
    }
}

async fn end(server: Server, before: Before) -> Result<(), Error> {
    match before {
        Before::Kill => drop(server),
        Before::CompactionAndStop => server.stop().await?,
    }
    Ok(())
}
