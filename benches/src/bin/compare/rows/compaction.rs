//! What a compaction costs those who write meanwhile, and in memory.

use std::cell::Cell;
use std::time::Duration;

use tokio::time::sleep;

use super::Contest;
use crate::error::Error;
use crate::figures::Figure;
use crate::load::{Latency, Load, Work};
use crate::server::{Peer, Policy, Server};

/// Writers that overwrite keys, as in row 1, but of the millions of row 11.
const LOAD: Load = Load { work: Work::Set, connections: 50, pipeline: 1, value_bytes: 64, keys: 2_000_000 };

const KEY_BYTES: u64 = 16;

/// Between two looks at a server's memory: often enough to meet its peak, seldom enough to cost it little.
const MEMORY_INTERVAL: Duration = Duration::from_millis(100);

/// Phases are this much longer than a compaction, so that each has all of one, its end included.
const PHASE_PER_COMPACTION: f64 = 1.25;

/// Extra memory below this part of the data, in percent, is chance, and often 0.
const MEMORY_RESOLUTION_PERCENT: f64 = 1.0;

/// The load on a server for some time.
#[derive(Debug, Clone)]
struct Phase {
    ops_per_second: f64,
    latency: Latency,
    /// The most memory that the server and what it forked had in use.
    peak_bytes: u64,
}

/// One server's part of a round: the same load twice.
#[derive(Debug, Clone)]
struct Part {
    without: Phase,
    /// One compaction after the other.
    during: Phase,
    /// How long the first of these took.
    compaction: Duration,
}

impl Contest {
    pub(super) async fn compaction(&self, sides: &[Peer]) -> Result<Vec<Figure>, Error> {
        let load = Load { keys: LOAD.keys / self.effort.keys_divisor, ..LOAD };
        let servers = self.filled_servers(sides, Policy::Always, &load).await?;
        let requests = self.phase_requests(&load, &servers).await?;
        let rounds =
            self.rounds(&servers, async |server| self.compaction_part(&load, server, requests).await).await?;
        Ok(figures(&rounds, data_bytes(&load)))
    }

    /// Returns how many requests last a measurement, and on every server longer than a compaction.
    async fn phase_requests(&self, load: &Load, servers: &[Server]) -> Result<u64, Error> {
        let mut requests = self.calibrate(load, servers).await?;
        for server in servers {
            let ops_per_second = self.ops_per_second(load, server).await?;
            let compaction = self.compaction_under(load, server, requests).await?;
            let needed = ops_per_second * compaction.as_secs_f64() * PHASE_PER_COMPACTION;
            requests = requests.max(load.whole_rounds(needed as u64));
        }
        Ok(requests)
    }

    /// Measures how long a compaction takes under the load, which is repeated meanwhile.
    async fn compaction_under(&self, load: &Load, server: &Server, requests: u64) -> Result<Duration, Error> {
        let load = async {
            loop {
                load.run(&self.programs, server, requests).await?;
            }
        };
        tokio::select! {
            compaction = server.compact() => compaction,
            failure = load => failure,
        }
    }

    async fn compaction_part(&self, load: &Load, server: &Server, requests: u64) -> Result<Part, Error> {
        let without = self.phase(load, server, requests).await?;
        let is_under_load = Cell::new(true);
        let phase = async {
            let phase = self.phase(load, server, requests).await;
            is_under_load.set(false);
            phase
        };
        let compactions = async {
            let first = server.compact().await?;
            while is_under_load.get() {
                server.compact().await?;
            }
            Ok(first)
        };
        let (during, compaction) = tokio::try_join!(phase, compactions)?;
        Ok(Part { without, during, compaction })
    }

    async fn phase(&self, load: &Load, server: &Server, requests: u64) -> Result<Phase, Error> {
        let peak_bytes = Cell::new(0);
        let watch = async {
            loop {
                peak_bytes.set(server.tree_bytes()?.max(peak_bytes.get()));
                sleep(MEMORY_INTERVAL).await;
            }
        };
        let measured = tokio::select! {
            measured = load.run(&self.programs, server, requests) => measured?,
            failure = watch => return failure,
        };
        let [latency] = <[Latency; 1]>::try_from(measured.latencies).map_err(|latencies| {
            Error::NoResult { program: "the load generator", text: format!("{latencies:?}") }
        })?;
        Ok(Phase { ops_per_second: measured.ops_per_second, latency, peak_bytes: peak_bytes.get() })
    }
}

/// What clients have stored: keys and values.
fn data_bytes(load: &Load) -> u64 {
    load.keys * (KEY_BYTES + load.value_bytes as u64)
}

fn figures(rounds: &[Vec<Part>], data_bytes: u64) -> Vec<Figure> {
    let of = |name: &str, unit, value: fn(&Part) -> f64| Figure::of(name, unit, rounds, value);
    let extra_memory = |part: &Part| part.extra_bytes() as f64 / data_bytes as f64 * 100.0;
    vec![
        Figure::of("extra memory", "% of the data", rounds, extra_memory)
            .with_resolution(MEMORY_RESOLUTION_PERCENT),
        of("SET p99 without", "ms", |part| part.without.latency.p99_millis),
        of("SET p99 during", "ms", |part| part.during.latency.p99_millis),
        of("SET p99 during ÷ without", "", |part| {
            part.during.latency.p99_millis / part.without.latency.p99_millis
        }),
        of("SET p99.9 without", "ms", |part| part.without.p999_millis()),
        of("SET p99.9 during", "ms", |part| part.during.p999_millis()),
        of("slowest SET without", "ms", |part| part.without.latency.max_millis),
        of("slowest SET during", "ms", |part| part.during.latency.max_millis),
        of("throughput during ÷ without", "", |part| {
            part.during.ops_per_second / part.without.ops_per_second
        })
        .higher_is_better(),
        of("one compaction", "s", |part| part.compaction.as_secs_f64()),
    ]
}

impl Phase {
    fn p999_millis(&self) -> f64 {
        self.latency.p999_millis.unwrap_or(f64::NAN)
    }
}

impl Part {
    /// Returns by how much the peak is higher with compactions.
    fn extra_bytes(&self) -> u64 {
        self.during.peak_bytes.saturating_sub(self.without.peak_bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn phase(peak_bytes: u64, p99_millis: f64) -> Phase {
        let latency = Latency {
            command: "SET",
            p50_millis: 1.0,
            p99_millis,
            p999_millis: Some(2.0 * p99_millis),
            max_millis: 9.0,
        };
        Phase { ops_per_second: 1000.0, latency, peak_bytes }
    }

    #[test]
    fn figures_are_about_the_change_that_compactions_make() {
        let part = |without, during| Part { without, during, compaction: Duration::from_secs(1) };
        let ours = part(phase(1_000_000, 2.0), phase(1_040_000, 3.0));
        let theirs = part(phase(1_000_000, 2.0), phase(900_000, 2.0));
        let told = figures(&[vec![ours, theirs]], 800_000);
        let values = |name: &str| {
            let figure = told.iter().find(|figure| figure.name == name);
            figure.map(|figure| figure.samples[0].clone())
        };
        assert_eq!(values("extra memory"), Some(vec![5.0, 0.0]));
        assert_eq!(values("SET p99 during ÷ without"), Some(vec![1.5, 1.0]));
        assert_eq!(values("SET p99.9 without"), Some(vec![4.0, 4.0]));
        assert_eq!(values("SET p99.9 during"), Some(vec![6.0, 4.0]));
    }

    #[test]
    fn the_data_is_what_clients_have_stored() {
        assert_eq!(data_bytes(&LOAD), 160_000_000);
    }
}
