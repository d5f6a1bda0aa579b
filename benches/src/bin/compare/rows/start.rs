//! How long a server takes to come back.

use std::time::Duration;

use super::Contest;
use crate::error::Error;
use crate::figures::Figure;
use crate::goals::Goal;
use crate::resp::Keys;
use crate::server::{Peer, Policy, Server, Site};

const KEYS: u64 = 2_000_000;

const VALUE_BYTES: usize = 64;

/// Three times as fast.
const GOAL: Goal = Goal::ratio_at_most(1.0 / 3.0);

/// How the server before ended, and what it left to be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Before {
    /// It was killed, and left a log of every write.
    Kill,
    /// It stopped cleanly after a compaction, and left a log of the keys as they were then.
    CompactionAndStop,
}

impl Contest {
    pub(super) async fn start(&self, before: Before) -> Result<Vec<Figure>, Error> {
        let keys = KEYS / self.effort.keys_divisor;
        let [ours, theirs] = self.peers;
        let (ours, theirs) =
            tokio::try_join!(self.left(ours, keys, before), self.left(theirs, keys, before))?;
        let mut pairs = Vec::new();
        for index in 0..self.effort.pairs {
            self.say_pair(index);
            let ours = self.start_time(&ours, keys, before).await?;
            pairs.push([ours, self.start_time(&theirs, keys, before).await?]);
        }
        let name = format!("first answer, {keys} keys");
        Ok(vec![Figure::of(name, "s", &pairs, Duration::as_secs_f64).with_goal(GOAL)])
    }

    /// The folder of a server that has set these keys and has ended.
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

    /// Of a server that ends afterwards as the one before it did.
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
