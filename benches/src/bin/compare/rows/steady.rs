//! Rows that put one load on all servers, in turn.

use super::Contest;
use crate::error::Error;
use crate::figures::Figure;
use crate::load::{Latency, Load, Measured, Work};
use crate::server::{Peer, Policy, Server};

#[derive(Debug, Clone, Copy)]
pub(super) struct Steady {
    pub(super) policy: Policy,
    pub(super) load: Load,
    /// Each server's `PING` is measured as well, for the processor time of the load beside it.
    pub(super) has_ping: bool,
}

/// One server's part of a round.
#[derive(Debug)]
struct Part {
    load: Measured,
    ping: Option<Measured>,
}

impl Contest {
    pub(super) async fn steady(&self, sides: &[Peer], row: &Steady) -> Result<Vec<Figure>, Error> {
        let servers = self.filled_servers(sides, row.policy, &row.load).await?;
        let requests = self.calibrate(&row.load, &servers).await?;
        let rounds = self.rounds(&servers, async |server| self.part(row, server, requests).await).await?;
        Ok(figures(&rounds, row.has_ping))
    }

    async fn part(&self, row: &Steady, server: &Server, requests: u64) -> Result<Part, Error> {
        let load = row.load.run(&self.programs, server, requests).await?;
        let ping = Load { work: Work::Ping, ..row.load };
        let ping = match row.has_ping {
            true => Some(ping.run(&self.programs, server, requests).await?),
            false => None,
        };
        Ok(Part { load, ping })
    }
}

fn figures(rounds: &[Vec<Part>], has_ping: bool) -> Vec<Figure> {
    let throughput = Figure::of("throughput", "ops/s", rounds, |part| part.load.ops_per_second);
    let mut figures = vec![throughput.higher_is_better()];
    figures.extend(latencies(rounds));
    figures.push(Figure::of("server CPU per op", "µs", rounds, |part| part.load.cpu_micros_per_op));
    if has_ping {
        figures.push(Figure::of("CPU per op ÷ its PING's", "", rounds, Part::cpu_to_ping));
    }
    figures
}

/// Median and 99th percentile of each kind of command in the load.
fn latencies(rounds: &[Vec<Part>]) -> Vec<Figure> {
    let first = rounds.first().and_then(|round| round.first());
    let kinds = first.map_or(&[][..], |part| &part.load.latencies);
    let mut figures = Vec::new();
    for (index, kind) in kinds.iter().enumerate() {
        let of = |name: &str, value: fn(&Latency) -> f64| {
            Figure::of(format!("{} {name}", kind.command), "ms", rounds, |part| {
                part.load.latencies.get(index).map_or(f64::NAN, value)
            })
        };
        figures.push(of("p50", |latency| latency.p50_millis));
        figures.push(of("p99", |latency| latency.p99_millis));
    }
    figures
}

impl Part {
    fn cpu_to_ping(&self) -> f64 {
        let ping = self.ping.as_ref().map_or(f64::NAN, |ping| ping.cpu_micros_per_op);
        self.load.cpu_micros_per_op / ping
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verdict::Better;

    fn measured(ops_per_second: f64, cpu_micros_per_op: f64) -> Measured {
        let latency = |command| Latency {
            command,
            p50_millis: 1.0,
            p99_millis: 2.0,
            p999_millis: None,
            max_millis: 3.0,
        };
        Measured { ops_per_second, cpu_micros_per_op, latencies: vec![latency("GET"), latency("SET")] }
    }

    #[test]
    fn a_load_has_throughput_latencies_by_command_and_processor_time() {
        let part = || Part { load: measured(200.0, 4.0), ping: Some(measured(200.0, 8.0)) };
        let told = figures(&[vec![part(), part(), part()]], true);
        let told: Vec<_> = told.iter().map(|it| (it.name.as_str(), it.better, it.samples[0][2])).collect();
        let expected = [
            ("throughput", Better::Higher, 200.0),
            ("GET p50", Better::Lower, 1.0),
            ("GET p99", Better::Lower, 2.0),
            ("SET p50", Better::Lower, 1.0),
            ("SET p99", Better::Lower, 2.0),
            ("server CPU per op", Better::Lower, 4.0),
            ("CPU per op ÷ its PING's", Better::Lower, 0.5),
        ];
        assert_eq!(told, expected);
    }
}
