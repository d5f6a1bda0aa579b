//! What a key costs in memory.

use super::Contest;
use crate::error::Error;
use crate::figures::Figure;
use crate::resp::Keys;
use crate::server::{Peer, Policy};

/// Hash tables double; at one of these the tables of either server may be nearly full, or just doubled.
const KEYS: [u64; 3] = [1_000_000, 1_500_000, 2_000_000];

const VALUE_BYTES: usize = 64;

impl Contest {
    pub(super) async fn memory(&self, sides: &[Peer]) -> Result<Vec<Figure>, Error> {
        let rounds = self.rounds(sides, async |side| self.bytes_per_key(*side).await).await?;
        let at = |index: usize| {
            Figure::of(format!("at {} keys", self.keys()[index]), "bytes/key", &rounds, |part| part[index])
        };
        let sizes = [at(0), at(1), at(2)];
        let samples = sizes.iter().flat_map(|size| size.samples.clone()).collect();
        let all = Figure { name: "all sizes".to_owned(), samples, ..at(0) };
        Ok(sizes.into_iter().chain([all]).collect())
    }

    fn keys(&self) -> [u64; 3] {
        KEYS.map(|keys| keys / self.effort.keys_divisor)
    }

    /// Measures by how much a fresh server has grown per key, at each of the sizes.
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
