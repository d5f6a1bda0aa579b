//! The checker on trial beside one that does not shorten its search, on histories that are drawn at random.

use fastrand::Rng;
use porcupine_rs::Model;

use crate::history::{History, KEYS, MAX_CLIENTS, Operation, Restart};
use crate::model::{Verdict, check};
use crate::script::{Single, Size, corrupt, draw};

/// The same rules without those that shorten the search, for keys and counters together.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Plain {
    run: usize,
    server: Single,
    turns: [usize; MAX_CLIENTS],
}

#[derive(Debug, Clone)]
enum PlainStep {
    Restart(Restart),
    /// With the number of the client's answered commands before it.
    Call(Operation, usize),
}

impl Model for Plain {
    type State = Self;
    type Op = PlainStep;
    type Metadata = ();

    fn init() -> Self {
        Self { run: 0, server: Single::default(), turns: [0; MAX_CLIENTS] }
    }

    fn step(state: &Self, step: &PlainStep) -> (bool, Self) {
        let mut next = state.clone();
        match step {
            PlainStep::Restart(restart) => {
                next.run += 1;
                let Single { keys, counted } = &state.server;
                let is_right = restart.found == *keys && restart.counted == *counted;
                (restart.run == state.run && is_right, next)
            }
            PlainStep::Call(Operation { run, returned: None, .. }, _) if state.run > *run => (true, next),
            PlainStep::Call(Operation { client, run, command, returned, .. }, turn) => {
                let answer = next.server.carry_out(command);
                let is_right = match returned {
                    Some((_, returned)) => {
                        next.turns[*client] += 1;
                        state.turns[*client] == *turn && *returned == answer
                    }
                    None => state.turns[*client] >= *turn,
                };
                (is_right && state.run == *run, next)
            }
        }
    }
}

fn is_plainly_linearizable(history: &History) -> bool {
    let mut turns = [0; MAX_CLIENTS];
    let end_of = |run: usize| history.restarts[run].ended_ns;
    let calls = history.operations.iter().map(|operation| {
        let turn = turns[operation.client];
        turns[operation.client] += usize::from(operation.returned.is_some());
        let return_time = operation.returned.as_ref().map_or(end_of(operation.run), |(time, _)| *time);
        (operation.called_ns, return_time, PlainStep::Call(operation.clone(), turn))
    });
    let restarts = history
        .restarts
        .iter()
        .map(|restart| (restart.began_ns, restart.ended_ns, PlainStep::Restart(restart.clone())));
    let step = |(call_time, return_time, op)| porcupine_rs::Operation {
        client_id: None,
        call_time,
        return_time,
        op,
        metadata: None,
    };
    let steps: Vec<porcupine_rs::Operation<Plain>> = calls.chain(restarts).map(step).collect();
    porcupine_rs::check_operations(&steps)
}

#[test]
fn shortening_the_search_changes_no_verdict() {
    const HISTORIES: u32 = 2000;
    let seed = fastrand::u64(..);
    println!("seed {seed}");
    let mut rng = Rng::with_seed(seed);
    let size = Size { runs: 2, clients: 3, keys: 2, commands: 3, at_risk: 3 };
    let mut rejected = 0;
    for _ in 0..HISTORIES {
        let mut history = draw(&size, &mut rng);
        assert_eq!(check(&history), Verdict::Linearizable, "{history:#?}");
        corrupt(&mut history, &mut rng);
        let is_linearizable = is_plainly_linearizable(&history);
        assert_eq!(check(&history) == Verdict::Linearizable, is_linearizable, "{history:#?}");
        rejected += u32::from(!is_linearizable);
    }
    println!("of {HISTORIES} corrupt histories {rejected} rejected");
    assert!(rejected > HISTORIES / 4);
}

#[test]
fn long_histories_with_many_unknown_outcomes_are_decided() {
    let seed = fastrand::u64(..);
    println!("seed {seed}");
    let mut rng = Rng::with_seed(seed);
    let size = Size { runs: 3, clients: MAX_CLIENTS, keys: KEYS, commands: 25, at_risk: 4 };
    for _ in 0..20 {
        assert_eq!(check(&draw(&size, &mut rng)), Verdict::Linearizable);
    }
}
