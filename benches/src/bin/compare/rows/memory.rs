//! What a key costs in memory.

use super::Contest;
use crate::error::Error;
use crate::figures::Figure;
use crate::goals::Goal;
use crate::resp::Keys;
use crate::server::{Peer, Policy};

/// Hash tables double; at one of these the tables of either server may be nearly full, or just doubled.
const KEYS: [u64; 3] = [1_000_000, 1_500_000, 2_000_000];

const VALUE_BYTES: usize = 64;

const GOAL: Goal = Goal::ratio_at_most(0.75);

impl Contest {
    pub(super) async fn memory(&self) -> Result<Vec<Figure>, Error> {
        let [ours, theirs] = self.peers;
        let mut pairs = Vec::new();
        for index in 0..self.effort.pairs {
            self.say_pair(index);
            pairs.push([self.bytes_per_key(ours).await?, self.bytes_per_key(theirs).await?]);
        }
        let at = |index: usize| {
            Figure::of(format!("at {} keys", self.keys()[index]), "bytes/key", &pairs, |half| half[index])
        };
        let sizes = [at(0), at(1), at(2)];
        let mut all = Figure { name: "all sizes".to_owned(), samples: Vec::new(), ..at(0) };
        all.samples = sizes.iter().flat_map(|size| size.samples.clone()).collect();
        Ok(sizes.into_iter().chain([all.with_goal(GOAL)]).collect())
    }

    fn keys(&self) -> [u64; 3] {
        KEYS.map(|keys| keys / self.effort.keys_divisor)
    }

    /// By how much a fresh server has grown per key, at each of the sizes.
    async fn bytes_per_key(&self, peer: Peer) -> Result<[f64; 3], Error> {
        let server = self.server(peer, Policy::EverySecond).await?;
        let empty_bytes = server.resident_bytes()?;
        let mut result = [0.0; 3];
        let mut filled = 0;
        for (keys, result) in self.keys().into_iter().zip(&mut result) {
            server.fill(Keys::RedisBenchmark, filled..keys, VALUE_BYTES).await?;
            filled = keys;
            *result = server.resident_bytes()?.saturating_sub(empty_bytes) as f64 / keys as f64;
        }
        Ok(result)
    }
}
