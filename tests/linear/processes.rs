//! Histories of real servers: killed processes, and failing disks under threads of this process.

use std::collections::BTreeMap;
use std::path::Path;
use std::thread;
use std::time::Instant;

use fastrand::Rng;
use rustvault_tests::number_in;

use crate::client::Client;
use crate::connection::{Connection, Outcome, Protocol};
use crate::coordinator::{self, Coordinator};
use crate::history::{Answer, COUNTERS, Command, History, KEYS, Operation, Restart};
use crate::model::{self, Verdict};
use crate::plan::{Ending, MIN_OPERATIONS, Plan, Run};
use crate::server::{Server, Stopped};

/// Histories, unless `RUSTVAULT_HISTORIES` says how many; `RUSTVAULT_HISTORY_SEED` says which one is the first.
const HISTORIES: u64 = 10;

#[test]
fn every_history_of_killed_and_failed_servers_is_linearizable() {
    let histories = number_in("RUSTVAULT_HISTORIES").unwrap_or(HISTORIES);
    let first_seed = number_in("RUSTVAULT_HISTORY_SEED").unwrap_or_else(|| fastrand::u64(..u64::MAX / 2));
    println!("seeds from {first_seed} on");
    let mut tally = Tally::default();
    for seed in first_seed..first_seed + histories {
        tally.add(&run_and_check(&Plan::new(seed)));
    }
    tally.print();
}

/// Counts over all histories.
#[derive(Debug, Default)]
struct Tally {
    histories: usize,
    operations: usize,
    unknown: usize,
    kills: usize,
    faults: usize,
    /// Answered operations, by the name of the command and the kind of the answer.
    answered: BTreeMap<String, usize>,
    longest_check_ms: u128,
}

impl Tally {
    fn add(&mut self, other: &Self) {
        self.histories += other.histories;
        self.operations += other.operations;
        self.unknown += other.unknown;
        self.kills += other.kills;
        self.faults += other.faults;
        for (kind, operations) in &other.answered {
            *self.answered.entry(kind.clone()).or_default() += operations;
        }
        self.longest_check_ms = self.longest_check_ms.max(other.longest_check_ms);
    }

    fn print(&self) {
        let Self { histories, operations, unknown, kills, faults, answered, longest_check_ms } = self;
        println!(
            "{histories} histories, all linearizable: {operations} operations, {unknown} of them with an unknown \
             outcome; {} restarts, {kills} after kill -9 and {faults} after a failed write or sync; the longest \
             check took {longest_check_ms} ms; answered: {answered:?}",
            kills + faults
        );
    }
}

fn run_and_check(plan: &Plan) -> Tally {
    let _report = Report(plan);
    let history = run(plan);
    assert!(
        history.operations.len() >= MIN_OPERATIONS,
        "a history of {} operations",
        history.operations.len()
    );
    let start = Instant::now();
    let verdict = model::check(&history);
    let longest_check_ms = start.elapsed().as_millis();
    if verdict != Verdict::Linearizable {
        panic!("{verdict:?}: {}", write_out(plan, &history));
    }
    let is_kill = |run: &&Run| matches!(run.ending, Some(Ending::Kill { .. }));
    let kills = plan.runs.iter().filter(is_kill).count();
    let in_order = 1;
    Tally {
        histories: 1,
        operations: history.operations.len(),
        unknown: history.unknown_outcomes(),
        kills,
        faults: history.restarts.len() - kills - in_order,
        answered: answered(&history),
        longest_check_ms,
    }
}

fn answered(history: &History) -> BTreeMap<String, usize> {
    let mut answered = BTreeMap::new();
    for Operation { command, returned, .. } in &history.operations {
        let kind = match returned {
            Some((_, Answer::NoSuchKey)) => "no such key",
            Some((_, Answer::Count(0))) => "0",
            Some(_) => "done",
            None => continue,
        };
        *answered.entry(format!("{}: {kind}", command.name())).or_default() += 1;
    }
    answered
}

/// Prints the plan when its history panics.
struct Report<'p>(&'p Plan);

impl Drop for Report<'_> {
    fn drop(&mut self) {
        if thread::panicking() {
            println!("RUSTVAULT_HISTORY_SEED={} begins with such a one: {:?}", self.0.seed, self.0);
        }
    }
}

/// Writes a history that failed, for a person to read; returns the paths.
fn write_out(plan: &Plan, history: &History) -> String {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let text = folder.join(format!("history-{}.txt", plan.seed));
    let page = folder.join(format!("history-{}.html", plan.seed));
    history.write_to(&text).expect("the folder is there");
    model::draw(history, &page).expect("the folder is there");
    format!("see {} and {}", text.display(), page.display())
}

/// Runs the clients and servers of a plan; returns their history.
fn run(plan: &Plan) -> History {
    let (coordinator, mut rng) = (Coordinator::new(), Rng::with_seed(plan.seed));
    let (mut history, mut operations) = (History::default(), Vec::new());
    thread::scope(|scope| {
        let clients: Vec<_> = (0..plan.clients)
            .map(|number| Client::new(plan, number, &coordinator, rng.fork()))
            .map(|client| scope.spawn(|| client.run()))
            .collect();
        let server = drive_servers(plan, &coordinator, &mut history);
        for client in clients {
            operations.extend(client.join().expect("a client does not panic"));
        }
        let began_ns = coordinator.clock.now_ns();
        let server = server.stop().start();
        history.restarts.push(restart(plan.runs.len() - 1, began_ns, &server, &coordinator));
        server.stop();
    });
    history.operations = operations;
    history
}

/// Starts and ends the servers and assigns the clients to them; returns the last server.
fn drive_servers(plan: &Plan, coordinator: &Coordinator, history: &mut History) -> Server {
    let _guard = coordinator.guard();
    let mut server = Stopped::new(plan).start();
    for (number, run) in plan.runs.iter().enumerate() {
        for phase in &run.phases {
            coordinator.assign(coordinator::Server { addr: server.addr(), run: number }, &phase.clients);
            coordinator.wait_for_answers(phase.operations);
        }
        let Some(ending) = &run.ending else { break };
        let began_ns = coordinator.clock.now_ns();
        let stopped = server.end(ending);
        coordinator.withdraw();
        server = stopped.start();
        history.restarts.push(restart(number, began_ns, &server, coordinator));
    }
    coordinator.end();
    server
}

/// Reads all keys and counters of a server that no client is assigned to yet.
fn restart(run: usize, began_ns: i64, server: &Server, coordinator: &Coordinator) -> Restart {
    let mut connection = Connection::open(server.addr(), Protocol::Resp).expect("it serves");
    let found = match ask(&mut connection, Command::Get((0..KEYS).collect())) {
        Answer::Values(found) => found,
        other => panic!("MGET is answered {other}"),
    };
    let counted = (0..COUNTERS).map(|counter| match ask(&mut connection, Command::Count(counter)) {
        Answer::Number(number) => number,
        other => panic!("GET is answered {other}"),
    });
    let counted = counted.collect();
    Restart { run, began_ns, ended_ns: coordinator.clock.now_ns(), found, counted }
}

fn ask(connection: &mut Connection, command: Command) -> Answer {
    assert!(connection.send(std::slice::from_ref(&command)), "it serves");
    match connection.receive(&command) {
        Some(Outcome::Answered(answer)) => answer,
        other => panic!("{command} is answered {other:?}"),
    }
}
