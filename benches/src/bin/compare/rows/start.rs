//! How long a server takes to come back.

use std::time::Duration;

use super::Contest;
use crate::error::Error;
use crate::figures::Figure;
use crate::goals::Goal;
use crate::resp::Keys;
use crate::server::{Peer, Policy, Site};

const KEYS: u64 = 2_000_000;

const VALUE_BYTES: usize = 64;

/// Three times as fast.
const GOAL: Goal = Goal::ratio_at_most(1.0 / 3.0);

impl Contest {
    pub(super) async fn start_after_kill(&self) -> Result<Vec<Figure>, Error> {
        let keys = KEYS / self.effort.keys_divisor;
        let [ours, theirs] = self.peers;
        let (ours, theirs) = tokio::try_join!(self.killed(ours, keys), self.killed(theirs, keys))?;
        let mut pairs = Vec::new();
        for index in 0..self.effort.pairs {
            self.say_pair(index);
            pairs.push([self.start_time(&ours, keys).await?, self.start_time(&theirs, keys).await?]);
        }
        let name = format!("first answer, {keys} keys");
        Ok(vec![Figure::of(name, "s", &pairs, Duration::as_secs_f64).with_goal(GOAL)])
    }

    /// The folder of a server that was killed when it had set these keys.
    async fn killed(&self, peer: Peer, keys: u64) -> Result<Site, Error> {
        // With any other policy Redis may lose acknowledged writes that are not written yet.
        let site = Site::new(peer, Policy::Always, &self.scratch)?;
        let server = site.start(&self.programs).await?;
        server.fill(Keys::RedisBenchmark, 0..keys, VALUE_BYTES).await?;
        Ok(site)
    }

    /// Of a server that is killed again afterwards.
    async fn start_time(&self, site: &Site, keys: u64) -> Result<Duration, Error> {
        let server = site.start(&self.programs).await?;
        server.check_keys(keys).await?;
        Ok(server.start_time())
    }
}
