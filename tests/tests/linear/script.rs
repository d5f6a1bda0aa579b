//! Histories that are written by hand, or drawn at random together with an order that explains them.

use std::ops::Range;

use fastrand::Rng;

use crate::history::{Answer, Command, History, KEYS, Key, Operation, Restart, Value};

/// The keys that hold something, with their values.
pub(crate) type Held<'h> = &'h [(Key, u32)];

/// A history that grows line by line; times are in nanoseconds.
#[derive(Debug, Clone, Default)]
pub(crate) struct Script {
    history: History,
}

impl Script {
    /// A command that is answered.
    #[must_use]
    pub(crate) fn ask(mut self, client: usize, time: Range<i64>, command: Command, answer: Answer) -> Self {
        self.push(client, time.start, command, Some((time.end, answer)));
        self
    }

    /// A command whose outcome is unknown.
    #[must_use]
    pub(crate) fn lose(mut self, client: usize, called_ns: i64, command: Command) -> Self {
        self.push(client, called_ns, command, None);
        self
    }

    /// The end of a run, and the values that the next one finds.
    #[must_use]
    pub(crate) fn restart(mut self, time: Range<i64>, found: Held<'_>) -> Self {
        let (run, began_ns, ended_ns) = (self.history.restarts.len(), time.start, time.end);
        let mut values = vec![None; KEYS];
        for (key, number) in found {
            values[*key] = value(*number);
        }
        self.history.restarts.push(Restart { run, began_ns, ended_ns, found: values });
        self
    }

    pub(crate) fn history(self) -> History {
        self.history
    }

    fn push(&mut self, client: usize, called_ns: i64, command: Command, returned: Option<(i64, Answer)>) {
        let run = self.history.restarts.len();
        self.history.operations.push(Operation { client, run, command, called_ns, returned });
    }
}

pub(crate) fn set(pairs: Held<'_>) -> Command {
    Command::Set(pairs.iter().map(|(key, number)| (*key, value(*number).expect("it is above 0"))).collect())
}

/// A value by its number; 0 stands for none.
pub(crate) fn value(number: u32) -> Option<Value> {
    Value::new(number)
}

/// The answer to a read of keys that hold these values.
pub(crate) fn values(numbers: &[u32]) -> Answer {
    Answer::Values(numbers.iter().map(|number| value(*number)).collect())
}

/// Draws a history that some order explains: its commands are carried out in that order, each at a moment between
/// its call and its answer, and an unknown one before the restart or never.
pub(crate) fn draw(size: &Size, rng: &mut Rng) -> History {
    let mut drawing = Drawing { keys: vec![None; KEYS], ..Drawing::default() };
    for _ in 0..size.runs {
        drawing.run(size, rng);
    }
    drawing.history
}

/// The size of a drawn history.
#[derive(Debug)]
pub(crate) struct Size {
    pub(crate) runs: usize,
    pub(crate) clients: usize,
    pub(crate) keys: usize,
    /// Commands of each client in each run.
    pub(crate) commands: usize,
    /// The number of the last ones among these whose outcome may be unknown.
    pub(crate) at_risk: usize,
}

/// Changes one answer, so that most likely no order explains the history.
pub(crate) fn corrupt(history: &mut History, rng: &mut Rng) {
    let last_value =
        history.operations.iter().filter(|operation| !operation.command.is_read()).count() as u32;
    let answers = history.operations.iter_mut().filter_map(|operation| operation.returned.as_mut());
    let found = history.restarts.iter_mut().map(|restart| &mut restart.found[0]);
    let values = answers.filter_map(|(_, answer)| match answer {
        Answer::Values(values) => values.first_mut(),
        _ => None,
    });
    if let Some(answer) = rng.choice(values.chain(found).collect::<Vec<_>>()) {
        *answer = value(rng.u32(..=last_value));
    }
}

#[derive(Default)]
struct Drawing {
    history: History,
    keys: Vec<Option<Value>>,
    now_ns: i64,
    values: u32,
}

impl Drawing {
    fn run(&mut self, size: &Size, rng: &mut Rng) {
        let (run, start_ns) = (self.history.restarts.len(), self.now_ns);
        // The moment at which each is carried out, and its place in the history.
        let mut moments = Vec::new();
        for client in 0..size.clients {
            let mut now_ns = start_ns + 1 + rng.i64(0..40);
            for left in (0..size.commands).rev() {
                let called_ns = now_ns;
                let moment_ns = called_ns + rng.i64(0..40);
                let returned_ns = moment_ns + rng.i64(0..40);
                let command = self.command(rng, size.keys);
                let is_lost = left < size.at_risk && !command.is_read() && rng.u8(..4) == 0;
                let returned = (!is_lost).then_some((returned_ns, Answer::Done));
                let moment_ns = if is_lost { called_ns + rng.i64(0..200) } else { moment_ns };
                if !is_lost || rng.bool() {
                    moments.push((moment_ns, self.history.operations.len()));
                }
                self.history.operations.push(Operation { client, run, command, called_ns, returned });
                now_ns = returned_ns + rng.i64(1..10);
                self.now_ns = self.now_ns.max(now_ns).max(moment_ns);
            }
        }
        moments.sort_unstable();
        for (_, index) in moments {
            let operation = &mut self.history.operations[index];
            let answer = carry_out(&mut self.keys, &operation.command);
            if let Some((_, returned)) = &mut operation.returned {
                *returned = answer;
            }
        }
        let (began_ns, ended_ns) = (self.now_ns + 1, self.now_ns + 2);
        self.history.restarts.push(Restart { run, began_ns, ended_ns, found: self.keys.clone() });
        self.now_ns = ended_ns;
    }

    fn command(&mut self, rng: &mut Rng, keys: usize) -> Command {
        let some_keys: Vec<_> = (0..rng.usize(1..=2)).map(|_| rng.usize(..keys)).collect();
        match rng.u8(..10) {
            0..4 => Command::Set(some_keys.into_iter().map(|key| (key, self.value())).collect()),
            4..6 => Command::Delete(some_keys),
            6..9 => Command::Get(some_keys),
            _ => Command::Exists(some_keys),
        }
    }

    fn value(&mut self) -> Value {
        self.values += 1;
        value(self.values).expect("it is above 0")
    }
}

/// Carries a command out as a server with one thread would.
pub(crate) fn carry_out(keys: &mut [Option<Value>], command: &Command) -> Answer {
    match command {
        Command::Set(pairs) => {
            pairs.iter().for_each(|(key, value)| keys[*key] = Some(*value));
            Answer::Done
        }
        Command::Get(wanted) => Answer::Values(wanted.iter().map(|key| keys[*key]).collect()),
        Command::Delete(wanted) => {
            Answer::Count(wanted.iter().filter(|key| keys[**key].take().is_some()).count())
        }
        Command::Exists(wanted) => Answer::Count(wanted.iter().filter(|key| keys[**key].is_some()).count()),
    }
}
