//! Histories that are written by hand, or drawn at random together with an order that explains them.

use std::ops::Range;

use fastrand::Rng;

use crate::history::{Answer, COUNTERS, Command, History, KEYS, Key, Operation, Restart, Value};

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
    pub(crate) fn restart(self, time: Range<i64>, found: Held<'_>) -> Self {
        self.restart_counted(time, found, [0; COUNTERS])
    }

    /// The same, with what the counters have counted to.
    #[must_use]
    pub(crate) fn restart_counted(
        mut self,
        time: Range<i64>,
        found: Held<'_>,
        counted: [u64; COUNTERS],
    ) -> Self {
        let (run, began_ns, ended_ns) = (self.history.restarts.len(), time.start, time.end);
        let mut values = vec![None; KEYS];
        for (key, number) in found {
            values[*key] = value(*number);
        }
        let counted = counted.to_vec();
        self.history.restarts.push(Restart { run, began_ns, ended_ns, found: values, counted });
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
    let mut drawing = Drawing::default();
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
    let writes = history.operations.iter().filter(|operation| !operation.command.is_read()).count() as u32;
    let answers = history.operations.iter_mut().filter_map(|Operation { command, returned, .. }| {
        // To a write that only says that it is done there is one answer.
        returned
            .as_mut()
            .filter(|_| !matches!(command, Command::Set(_)))
            .map(|(_, answer)| Told::Answer(answer))
    });
    let found = history
        .restarts
        .iter_mut()
        .flat_map(|restart| [Told::Value(&mut restart.found[0]), Told::Number(&mut restart.counted[0])]);
    match rng.choice(answers.chain(found).collect::<Vec<_>>()) {
        Some(Told::Answer(Answer::Values(values))) => values[0] = value(rng.u32(..=writes)),
        Some(Told::Answer(Answer::Count(keys))) => *keys = rng.usize(..=2),
        Some(Told::Answer(answer @ Answer::Done)) => *answer = Answer::NoSuchKey,
        Some(Told::Answer(answer @ Answer::NoSuchKey)) => *answer = Answer::Done,
        Some(Told::Value(found)) => *found = value(rng.u32(..=writes)),
        Some(Told::Answer(Answer::Number(number)) | Told::Number(number)) => *number = rng.u64(..=4),
        None => {}
    }
}

/// A place in a history that says what the keys held.
enum Told<'h> {
    Answer(&'h mut Answer),
    Value(&'h mut Option<Value>),
    Number(&'h mut u64),
}

/// A server with one thread.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Single {
    pub(crate) keys: Vec<Option<Value>>,
    pub(crate) counted: Vec<u64>,
}

impl Default for Single {
    fn default() -> Self {
        Self { keys: vec![None; KEYS], counted: vec![0; COUNTERS] }
    }
}

#[derive(Default)]
struct Drawing {
    history: History,
    server: Single,
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
            let answer = self.server.carry_out(&operation.command);
            if let Some((_, returned)) = &mut operation.returned {
                *returned = answer;
            }
        }
        let (began_ns, ended_ns) = (self.now_ns + 1, self.now_ns + 2);
        let Single { keys: found, counted } = self.server.clone();
        self.history.restarts.push(Restart { run, began_ns, ended_ns, found, counted });
        self.now_ns = ended_ns;
    }

    fn command(&mut self, rng: &mut Rng, keys: usize) -> Command {
        let some_keys: Vec<_> = (0..rng.usize(1..=2)).map(|_| rng.usize(..keys)).collect();
        let (key, other) = (some_keys[0], rng.usize(..keys));
        match rng.u8(..20) {
            0..5 => Command::Set(some_keys.into_iter().map(|key| (key, self.value())).collect()),
            5..7 => Command::SetNew(key, self.value()),
            7..9 => Command::Delete(some_keys),
            9 => Command::Take(key),
            10..12 => Command::Rename(key, other),
            12..14 => Command::Increment(key % COUNTERS),
            14 => Command::Count(key % COUNTERS),
            15..19 => Command::Get(some_keys),
            _ => Command::Exists(some_keys),
        }
    }

    fn value(&mut self) -> Value {
        self.values += 1;
        value(self.values).expect("it is above 0")
    }
}

impl Single {
    /// Carries a command out.
    pub(crate) fn carry_out(&mut self, command: &Command) -> Answer {
        let Self { keys, counted } = self;
        match command {
            Command::Set(pairs) => {
                pairs.iter().for_each(|(key, value)| keys[*key] = Some(*value));
                Answer::Done
            }
            Command::SetNew(key, value) => {
                let is_new = keys[*key].is_none();
                keys[*key].get_or_insert(*value);
                Answer::Count(is_new.into())
            }
            Command::Get(wanted) => Answer::Values(wanted.iter().map(|key| keys[*key]).collect()),
            Command::Delete(wanted) => {
                Answer::Count(wanted.iter().filter(|key| keys[**key].take().is_some()).count())
            }
            Command::Exists(wanted) => {
                Answer::Count(wanted.iter().filter(|key| keys[**key].is_some()).count())
            }
            Command::Take(key) => Answer::Values(vec![keys[*key].take()]),
            Command::Rename(from, to) => match keys[*from].take() {
                None => Answer::NoSuchKey,
                value => {
                    keys[*to] = value;
                    Answer::Done
                }
            },
            Command::Increment(counter) => {
                counted[*counter] += 1;
                Answer::Number(counted[*counter])
            }
            Command::Count(counter) => Answer::Number(counted[*counter]),
        }
    }
}
