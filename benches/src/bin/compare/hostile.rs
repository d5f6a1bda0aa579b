//! Measures how much longer a well-behaved client waits while others attack the server, and how much of that is the
//! machine's: another client waits meanwhile for a server that nobody attacks.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use rustvault_tests::WellBehaved;
use rustvault_tests::attacks::{ATTACKS, Attack};
use tokio::task::spawn_blocking;

use crate::error::Error;
use crate::figures::{Figure, readable};
use crate::machine::Machine;
use crate::rows::Contest;
use crate::server::{Peer, Policy};

/// The goal of the ratio: docs/performance.md.
const MAX_RATIO: f64 = 2.0;

/// One round beside one attack, in milliseconds.
#[derive(Debug)]
struct Waits {
    p99_millis_without: f64,
    p99_millis_with: f64,
    /// At the server that nobody attacks, meanwhile.
    p99_millis_elsewhere: f64,
    longest_millis: f64,
}

impl Contest {
    /// Measures beside each attack in turn; returns the report in Markdown.
    pub(crate) async fn hostile(&self, machine: &Machine) -> Result<String, Error> {
        let mut text = format!(
            "{} on {} cores of {}, Linux {}; medians of {} rounds of at least {:.1} s.\n\n\
             | attack | p99 without, ms | p99 beside it, ms | ratio | p99 elsewhere, ms | beside ÷ elsewhere | longest wait, ms | goal: ratio ≤ {MAX_RATIO} |\n\
             |---|---:|---:|---:|---:|---:|---:|---|\n",
            machine.rustvault,
            machine.cores,
            machine.processor,
            machine.kernel,
            self.effort.pairs,
            self.effort.measurement.as_secs_f64(),
        );
        for attack in ATTACKS {
            eprintln!("{}", attack.name);
            let mut rounds = Vec::new();
            for index in 0..self.effort.pairs {
                eprintln!("  round {} of {}", index + 1, self.effort.pairs);
                rounds.push(vec![self.beside(attack).await?]);
            }
            text += &line(attack.name, &rounds);
        }
        Ok(text)
    }

    async fn beside(&self, attack: Attack) -> Result<Waits, Error> {
        let server = self.server(Peer::RustVault, Policy::Always).await?;
        let elsewhere = self.server(Peer::RustVault, Policy::Always).await?;
        let (addr, least) = (server.addr(), self.effort.measurement);
        let servers = [&server, &elsewhere].map(|server| (server.addr(), server.pid()));
        let measured = spawn_blocking(move || {
            attack.prepare(addr);
            let begin = || servers.map(|(addr, pid)| WellBehaved::begin(addr, pid));
            let clients = begin();
            std::thread::sleep(least);
            let [without, _] = clients.map(WellBehaved::end);
            let clients = begin();
            let start = Instant::now();
            while start.elapsed() < least {
                attack.run(addr);
            }
            let [with, elsewhere] = clients.map(WellBehaved::end);
            Waits {
                p99_millis_without: millis(without.p99()),
                p99_millis_with: millis(with.p99()),
                p99_millis_elsewhere: millis(elsewhere.p99()),
                longest_millis: millis(with.longest()),
            }
        });
        measured.await.map_err(|error| Error::Attack { name: attack.name, message: error.to_string() })
    }
}

fn millis(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1000.0
}

fn line(name: &str, rounds: &[Vec<Waits>]) -> String {
    let median = |value: fn(&Waits) -> f64| Figure::of("", "ms", rounds, value).median(0);
    let ratio = median(|waits| waits.p99_millis_with / waits.p99_millis_without);
    let ratio_to_elsewhere = median(|waits| waits.p99_millis_with / waits.p99_millis_elsewhere);
    let verdict = if ratio <= MAX_RATIO { "ok" } else { "above" };
    let mut text = String::new();
    // Writing to a string does not fail.
    let _ = writeln!(
        text,
        "| {name} | {} | {} | {ratio:.2} | {} | {ratio_to_elsewhere:.2} | {} | {verdict} |",
        readable(median(|waits| waits.p99_millis_without)),
        readable(median(|waits| waits.p99_millis_with)),
        readable(median(|waits| waits.p99_millis_elsewhere)),
        readable(median(|waits| waits.longest_millis)),
    );
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ratio_is_the_median_of_the_rounds_and_judged_by_the_goal() {
        let waits = |with| Waits {
            p99_millis_without: 2.0,
            p99_millis_with: with,
            p99_millis_elsewhere: 5.0,
            longest_millis: 9.0,
        };
        let rounds: Vec<_> = [3.0, 4.0, 100.0].map(|with| vec![waits(with)]).into();
        assert_eq!(line("storm", &rounds), "| storm | 2.00 | 4.00 | 2.00 | 5.00 | 0.80 | 9.00 | ok |\n");
        let rounds: Vec<_> = [3.0, 5.0, 100.0].map(|with| vec![waits(with)]).into();
        assert!(line("storm", &rounds).ends_with("| 2.50 | 5.00 | 1.00 | 9.00 | above |\n"));
    }
}
