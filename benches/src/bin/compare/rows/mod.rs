//! The rows of the table, and how each is measured.

mod compaction;
mod idle;
mod list;
mod memory;
mod start;
mod steady;

use std::path::PathBuf;
use std::time::Instant;

use crate::comparison::Comparison;
use crate::effort::Effort;
use crate::error::Error;
use crate::figures::Figure;
use crate::goals::Goals;
use crate::load::{Load, Work};
use crate::programs::Programs;
use crate::server::{Peer, Policy, Server, Site};

use start::Before;
use steady::Steady;

/// Who is compared, and how thoroughly.
#[derive(Debug)]
pub(crate) struct Contest {
    pub(crate) programs: Programs,
    pub(crate) effort: Effort,
    pub(crate) comparison: Comparison,
    /// Where the servers' folders are made.
    pub(crate) scratch: PathBuf,
}

/// A row of the table, or a part of one that is measured by itself.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Row {
    pub(crate) number: u8,
    pub(crate) work: &'static str,
    task: Task,
    goals: Goals,
}

/// The result of a row.
#[derive(Debug)]
pub(crate) enum Outcome {
    Measured(Vec<Figure>),
    Failed(Error),
}

#[derive(Debug, Clone, Copy)]
enum Task {
    Steady(Steady),
    Memory,
    Start(Before),
    Compaction,
    Idle,
}

impl Row {
    /// Load alone measures it, and the load generator takes any answer.
    pub(crate) fn has_ceiling(&self) -> bool {
        matches!(self.task, Task::Steady(steady) if !matches!(steady.load.work, Work::Mixed { .. }))
    }

    #[cfg(test)]
    pub(crate) fn first() -> Self {
        list::ROWS[0]
    }
}

/// Returns the numbers of the rows in which a server that only answers can be measured.
pub(crate) fn with_ceiling() -> Vec<u8> {
    let rows = list::ROWS.iter().filter(|row| row.has_ceiling());
    let mut numbers: Vec<u8> = rows.map(|row| row.number).collect();
    numbers.dedup();
    numbers
}

impl Contest {
    /// Measures the rows of these numbers, or all if there are none. A row that fails keeps no other back.
    pub(crate) async fn run(&self, numbers: &[u8]) -> Vec<(Row, Outcome)> {
        let is_wanted = |row: &&Row| numbers.is_empty() || numbers.contains(&row.number);
        let mut outcomes = Vec::new();
        for row in list::ROWS.iter().filter(is_wanted) {
            eprintln!("row {}: {}", row.number, row.work);
            let start = Instant::now();
            let figures = self.figures(row).await;
            match &figures {
                Ok(_) => eprintln!("  done in {:.1} s", start.elapsed().as_secs_f64()),
                Err(error) => eprintln!("  failed: {error}"),
            }
            outcomes.push((*row, figures.map_or_else(Outcome::Failed, Outcome::Measured)));
        }
        outcomes
    }

    async fn figures(&self, row: &Row) -> Result<Vec<Figure>, Error> {
        let sides = self.comparison.sides(row.has_ceiling());
        let mut figures = match row.task {
            Task::Steady(steady) => self.steady(&sides, &steady).await,
            Task::Memory => self.memory(&sides).await,
            Task::Start(before) => self.start(&sides, before).await,
            Task::Compaction => self.compaction(&sides).await,
            Task::Idle => self.idle(&sides).await,
        }?;
        if self.comparison.has_goals() {
            set_goals(&mut figures, row.goals)?;
        }
        Ok(figures)
    }

    /// Takes one measurement of each side a round, in turn.
    async fn rounds<S, T>(
        &self,
        sides: &[S],
        measure: impl AsyncFn(&S) -> Result<T, Error>,
    ) -> Result<Vec<Vec<T>>, Error> {
        let mut rounds = Vec::new();
        for index in 0..self.effort.pairs {
            eprintln!("  pair {} of {}", index + 1, self.effort.pairs);
            let mut round = Vec::new();
            for side in sides {
                round.push(measure(side).await?);
            }
            rounds.push(round);
        }
        Ok(rounds)
    }

    /// Starts a server for each side, with the keys of the load.
    async fn filled_servers(
        &self,
        sides: &[Peer],
        policy: Policy,
        load: &Load,
    ) -> Result<Vec<Server>, Error> {
        let mut servers = Vec::new();
        for side in sides {
            servers.push(self.filled_server(*side, policy, load).await?);
        }
        Ok(servers)
    }

    /// Starts a server on a fresh folder, with the keys of the load.
    async fn filled_server(&self, peer: Peer, policy: Policy, load: &Load) -> Result<Server, Error> {
        let server = self.server(peer, policy).await?;
        server.fill(load.key_style(), 0..load.keys, load.value_bytes).await?;
        Ok(server)
    }

    /// Starts a server on a fresh folder.
    pub(crate) async fn server(&self, peer: Peer, policy: Policy) -> Result<Server, Error> {
        Site::new(peer, policy, &self.scratch)?.start(&self.programs).await
    }

    /// Returns how many requests keep the slowest of the servers under load as long as a measurement shall take.
    async fn calibrate(&self, load: &Load, servers: &[Server]) -> Result<u64, Error> {
        let mut slowest = f64::INFINITY;
        for server in servers {
            slowest = slowest.min(self.ops_per_second(load, server).await?);
        }
        Ok(load.whole_rounds((slowest * self.effort.measurement.as_secs_f64()) as u64))
    }

    /// Measures roughly, which also warms the server up.
    async fn ops_per_second(&self, load: &Load, server: &Server) -> Result<f64, Error> {
        const FIRST_TRY_REQUESTS: u64 = 1000;
        let mut requests = load.whole_rounds(FIRST_TRY_REQUESTS);
        loop {
            let rate = load.run(&self.programs, server, requests).await?.ops_per_second;
            if requests as f64 / rate >= self.effort.measurement.as_secs_f64() / 10.0 {
                return Ok(rate);
            }
            requests = load.whole_rounds(requests * 4);
        }
    }
}

/// Gives each goal to its figure, within the ceiling if that was measured.
fn set_goals(figures: &mut [Figure], goals: Goals) -> Result<(), Error> {
    for (name, goal) in goals {
        let figure = figures.iter_mut().find(|figure| figure.name == *name);
        let figure = figure.ok_or(Error::NoFigure { name })?;
        let ceiling = figure.reference_ratios();
        figure.goal = Some(ceiling.map_or(*goal, |ceiling| goal.within_ceiling(ceiling.median)));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::goals::Goal;

    fn throughput(round: &[f64]) -> [Figure; 1] {
        [Figure::of("throughput", "ops/s", &[round.to_vec()], |value| *value).higher_is_better()]
    }

    #[test]
    fn a_goal_is_within_the_ceiling_of_the_same_run() {
        const GOALS: Goals = &[("throughput", Goal::ratio_at_least(1.3))];
        let verdict = |round: &[f64]| {
            let mut figures = throughput(round);
            set_goals(&mut figures, GOALS).unwrap();
            (figures[0].goal_text(), figures[0].goal_verdict())
        };
        let told = |goal: &str, verdict: &str| (goal.to_owned(), verdict.to_owned());
        assert_eq!(verdict(&[10.0, 10.0]), told("≥ 1.3", "below: 0.76 of it"));
        assert_eq!(verdict(&[10.0, 10.0, 20.0]), told("≥ 1.3", "below: 0.76 of it"));
        assert_eq!(verdict(&[10.0, 10.0, 11.0]), told("≥ 0.99 (ceiling)", "ok"));
    }

    #[test]
    fn a_goal_of_a_figure_that_a_row_has_not_is_an_error() {
        const GOALS: Goals = &[("SET p99", Goal::ratio_at_most(1.0))];
        assert!(matches!(set_goals(&mut throughput(&[1.0, 1.0]), GOALS), Err(Error::NoFigure { .. })));
    }

    #[test]
    fn the_ceiling_is_measured_where_its_server_can_be() {
        assert_eq!(with_ceiling(), [1, 2, 3, 4, 6, 7, 8, 9]);
    }
}
