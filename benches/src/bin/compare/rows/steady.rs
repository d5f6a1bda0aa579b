//! Rows that put one load on both servers, in turn.

use super::Contest;
use crate::error::Error;
use crate::figures::Figure;
use crate::goals::Goal;
use crate::load::{Load, Measured, Work};
use crate::server::{Policy, Server};

#[derive(Debug, Clone, Copy)]
pub(super) struct Steady {
    pub(super) policy: Policy,
    pub(super) load: Load,
    pub(super) goals: Goals,
}

/// Ratios to reach.
#[derive(Debug, Clone, Copy)]
pub(super) struct Goals {
    /// Of operations per second, at least.
    pub(super) throughput: f64,
    /// Of processor time per operation, at most.
    pub(super) cpu: Option<f64>,
    /// Of the median latency of `GET`, at most.
    pub(super) get_p50: Option<f64>,
    /// Of processor time per operation to that of a `PING` to the same server, at most.
    pub(super) cpu_to_ping: Option<f64>,
}

/// One server's half of a pair.
#[derive(Debug)]
struct Half {
    load: Measured,
    ping: Option<Measured>,
}

impl Goals {
    pub(super) const fn throughput(throughput: f64) -> Self {
        Self { throughput, cpu: None, get_p50: None, cpu_to_ping: None }
    }
}

impl Contest {
    pub(super) async fn steady(&self, row: &Steady) -> Result<Vec<Figure>, Error> {
        let servers = self.filled_servers(row.policy, &row.load).await?;
        let [ours, theirs] = &servers;
        let requests = self.calibrate(&row.load, &servers).await?;
        let mut pairs = Vec::new();
        for index in 0..self.effort.pairs {
            self.say_pair(index);
            pairs.push([self.half(row, ours, requests).await?, self.half(row, theirs, requests).await?]);
        }
        Ok(figures(&pairs, &row.goals))
    }

    async fn half(&self, row: &Steady, server: &Server, requests: u64) -> Result<Half, Error> {
        let load = row.load.run(&self.programs, server, requests).await?;
        let ping = Load { work: Work::Ping, ..row.load };
        let ping = match row.goals.cpu_to_ping {
            Some(_) => Some(ping.run(&self.programs, server, requests).await?),
            None => None,
        };
        Ok(Half { load, ping })
    }
}

fn figures(pairs: &[[Half; 2]], goals: &Goals) -> Vec<Figure> {
    let mut figures = vec![
        Figure::of("throughput", "ops/s", pairs, |half| half.load.ops_per_second)
            .with_goal(Goal::ratio_at_least(goals.throughput)),
    ];
    figures.extend(latencies(pairs, goals));
    figures.push(
        Figure::of("server CPU per op", "µs", pairs, |half| half.load.cpu_micros_per_op)
            .with_goal(goals.cpu.map(Goal::ratio_at_most)),
    );
    if let Some(bound) = goals.cpu_to_ping {
        let figure = Figure::of("CPU per op ÷ its PING's", "", pairs, Half::cpu_to_ping);
        figures.push(figure.with_goal(Goal::value_at_most(bound)));
    }
    figures
}

/// Median and 99th percentile of each kind of command in the load.
fn latencies(pairs: &[[Half; 2]], goals: &Goals) -> Vec<Figure> {
    let kinds = pairs.first().map_or(&[][..], |[half, _]| &half.load.latencies);
    let mut figures = Vec::new();
    for (index, kind) in kinds.iter().enumerate() {
        let goal = goals.get_p50.filter(|_| kind.command == "GET").map(Goal::ratio_at_most);
        let of = |name: &str, value: fn(&crate::load::Latency) -> f64| {
            Figure::of(format!("{} {name}", kind.command), "ms", pairs, |half| {
                half.load.latencies.get(index).map_or(f64::NAN, value)
            })
        };
        figures.push(of("p50", |latency| latency.p50_millis).with_goal(goal));
        figures.push(of("p99", |latency| latency.p99_millis));
    }
    figures
}

impl Half {
    fn cpu_to_ping(&self) -> f64 {
        let ping = self.ping.as_ref().map_or(f64::NAN, |ping| ping.cpu_micros_per_op);
        self.load.cpu_micros_per_op / ping
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::Latency;

    fn measured(ops_per_second: f64, cpu_micros_per_op: f64) -> Measured {
        let latency = |command| Latency { command, p50_millis: 1.0, p99_millis: 2.0, max_millis: 3.0 };
        Measured { ops_per_second, cpu_micros_per_op, latencies: vec![latency("GET"), latency("SET")] }
    }

    #[test]
    fn each_goal_stands_with_its_figure() {
        let half = |ops, cpu| Half { load: measured(ops, cpu), ping: Some(measured(ops, 4.0)) };
        let pairs = [[half(200.0, 4.0), half(100.0, 5.0)]];
        let goals = Goals { throughput: 1.5, cpu: Some(0.9), get_p50: Some(0.6), cpu_to_ping: Some(0.9) };
        let told = figures(&pairs, &goals);
        let told: Vec<_> = told.iter().map(|it| (it.name.as_str(), it.verdict())).collect();
        let expected = [
            ("throughput", "ok"),
            ("GET p50", "below: 0.60 of it"),
            ("GET p99", ""),
            ("SET p50", ""),
            ("SET p99", ""),
            ("server CPU per op", "ok"),
            ("CPU per op ÷ its PING's", "below: 0.90 of it"),
        ];
        assert_eq!(told, expected.map(|(name, verdict)| (name, verdict.to_owned())));
    }
}
