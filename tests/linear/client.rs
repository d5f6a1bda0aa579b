//! One client: it sends random commands, single and in pipelines, and remembers all of them.

use fastrand::Rng;
use rustvault_storage::LogFormat;

use crate::connection::{Connection, Outcome, Protocol, is_large};
use crate::coordinator::{Coordinator, Server};
use crate::history::{COUNTERS, Command, KEYS, Key, Operation, Value};
use crate::plan::Plan;

const MAX_PIPELINE_COMMANDS: usize = 4;
const MAX_KEYS_OF_A_COMMAND: usize = 3;

/// Pipelines of reads that a client still sends on a connection on which a write has failed.
const PIPELINES_AFTER_FAILURE: u32 = 4;

/// Each client numbers its values from a multiple of this on.
const VALUES_OF_A_CLIENT: u32 = 1_000_000;

/// Pipelines for each compaction that a client asks for, on average.
const PIPELINES_PER_COMPACTION: u32 = 20;

/// A client of one history.
pub(crate) struct Client<'h> {
    number: usize,
    coordinator: &'h Coordinator,
    rng: Rng,
    protocol: Protocol,
    has_large_values: bool,
    /// Set for a log of lines: there a restart may find a part of what one command did to several keys.
    writes_single_keys: bool,
    is_compacting: bool,
    next_value: u32,
    operations: Vec<Operation>,
}

/// The outcome of one pipeline.
enum Progress {
    Answered,
    /// A write has failed.
    Failed,
    ConnectionLost,
}

impl<'h> Client<'h> {
    pub(crate) fn new(plan: &Plan, number: usize, coordinator: &'h Coordinator, rng: Rng) -> Self {
        Self {
            number,
            coordinator,
            rng,
            protocol: if number.is_multiple_of(2) { Protocol::Resp } else { Protocol::Text },
            has_large_values: plan.has_large_values,
            writes_single_keys: plan.format == LogFormat::Json,
            // Of each protocol one.
            is_compacting: plan.has_compactions && number < 2,
            next_value: number as u32 * VALUES_OF_A_CLIENT,
            operations: Vec::new(),
        }
    }

    /// Uses one server after the other until the history is over; returns all operations.
    pub(crate) fn run(mut self) -> Vec<Operation> {
        let _guard = self.coordinator.guard();
        let mut lost = None;
        while let Some(server) = self.coordinator.next_server(self.number, lost) {
            lost = match Connection::open(server.addr, self.protocol) {
                Some(connection) => self.use_server(connection, server).err().map(|Lost| server),
                None => Some(server),
            };
        }
        self.operations
    }

    /// Sends pipelines to a server as long as the client is assigned to it.
    fn use_server(&mut self, mut connection: Connection, server: Server) -> Result<(), Lost> {
        let mut left_after_failure = None;
        while self.coordinator.is_assigned(self.number, server) {
            if self.is_compacting && self.rng.u32(..PIPELINES_PER_COMPACTION) == 0 && !connection.compact() {
                return Err(Lost);
            }
            let commands = self.pipeline(left_after_failure.is_some());
            match self.exchange(&mut connection, &commands, server) {
                Progress::ConnectionLost => return Err(Lost),
                Progress::Failed if left_after_failure.is_none() => {
                    left_after_failure = Some(PIPELINES_AFTER_FAILURE);
                }
                Progress::Answered | Progress::Failed => {}
            }
            match &mut left_after_failure {
                Some(0) => return Err(Lost),
                Some(pipelines) => *pipelines -= 1,
                None => {}
            }
        }
        Ok(())
    }

    /// Sends commands, reads the answers, remembers both.
    fn exchange(&mut self, connection: &mut Connection, commands: &[Command], server: Server) -> Progress {
        let called_ns = self.coordinator.clock.now_ns();
        let mut is_connected = connection.send(commands);
        let (mut progress, mut answered) = (Progress::Answered, 0);
        for command in commands {
            let outcome = if is_connected { connection.receive(command) } else { None };
            is_connected = outcome.is_some();
            let returned = match outcome {
                Some(Outcome::Refused) => continue,
                Some(Outcome::Answered(answer)) => {
                    answered += 1;
                    Some((self.coordinator.clock.now_ns(), answer))
                }
                // A read that is not answered says nothing.
                Some(Outcome::Failed) | None if command.is_read() => continue,
                Some(Outcome::Failed) => {
                    progress = Progress::Failed;
                    None
                }
                None => None,
            };
            let (client, command) = (self.number, command.clone());
            self.operations.push(Operation { client, run: server.run, command, called_ns, returned });
        }
        self.coordinator.count(answered);
        if is_connected { progress } else { Progress::ConnectionLost }
    }

    fn pipeline(&mut self, reads_alone: bool) -> Vec<Command> {
        let commands = if self.rng.u8(..3) < 2 { 1 } else { self.rng.usize(2..=MAX_PIPELINE_COMMANDS) };
        (0..commands).map(|_| self.command(reads_alone)).collect()
    }

    fn command(&mut self, reads_alone: bool) -> Command {
        match self.rng.u8(if reads_alone { 48..100 } else { 0..100 }) {
            0..6 => Command::SetNew(self.key(), self.value()),
            6..11 => Command::Take(self.key()),
            11..17 if !self.writes_single_keys => Command::Rename(self.key(), self.key()),
            17..21 => Command::Increment(self.rng.usize(..COUNTERS)),
            21..40 | 11..17 => {
                let keys = self.keys(self.writes_single_keys);
                Command::Set(keys.into_iter().map(|key| (key, self.value())).collect())
            }
            40..48 => Command::Delete(self.keys(self.writes_single_keys)),
            48..86 => Command::Get(self.keys(false)),
            86..88 => Command::Count(self.rng.usize(..COUNTERS)),
            _ => Command::Exists(self.keys(false)),
        }
    }

    fn key(&mut self) -> Key {
        self.rng.usize(..KEYS)
    }

    /// Draws a key; in RESP sometimes several, and the same one twice.
    fn keys(&mut self, is_single: bool) -> Vec<Key> {
        let is_single = is_single || self.protocol == Protocol::Text || self.rng.bool();
        let keys = if is_single { 1 } else { self.rng.usize(2..=MAX_KEYS_OF_A_COMMAND) };
        (0..keys).map(|_| self.key()).collect()
    }

    /// Returns a value that was not there before.
    fn value(&mut self) -> Value {
        loop {
            self.next_value += 1;
            let value = Value::new(self.next_value).expect("it is above 0");
            if self.has_large_values || !is_large(value) {
                return value;
            }
        }
    }
}

/// The connection or the log of a server has gone.
struct Lost;
