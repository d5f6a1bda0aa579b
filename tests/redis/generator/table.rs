//! Commands drawn from the table: a new row is compared with Redis without a line here.

use std::sync::LazyLock;

use rustvault_protocol::{Argument, ArgumentKind, Command, CommandSpec, Flags, KeyAccess, Protocol};

use super::{Arguments, Generator, Step};

/// What of a command's replies is the same as Redis's, if it is not every byte.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Compared {
    /// Every byte.
    Exactly,
    /// Every byte, to so many arguments or more.
    From(usize),
    /// Every byte, to a number of arguments that it takes.
    RightArity,
    /// The strings of an array.
    InAnyOrder,
    /// The keys that are found from cursor 0 to cursor 0.
    InWalks,
    /// That a wrong number of arguments is refused.
    ArityAlone,
    /// Nothing: the model does not have it.
    Never,
}

use Compared::{ArityAlone, Exactly, From, InAnyOrder, InWalks, Never, RightArity};

/// The names whose replies are not the same as Redis's in every byte, and why.
const EXCEPTIONS: &[(&str, Compared, &str)] = &[
    ("ACL|CAT", Never, "the categories are each server's own"),
    ("ACL|DELUSER", ArityAlone, "users are not changed here"),
    ("ACL|DRYRUN", ArityAlone, "Redis 7.0, which may be the model, has other sentences"),
    ("ACL|GENPASS", Never, "it is left to chance"),
    ("ACL|GETUSER", ArityAlone, "Redis has other flags"),
    ("ACL|HELP", ArityAlone, "the subcommands are each server's own"),
    ("ACL|LIST", ArityAlone, "Redis 7.2, which may be the model, has further words"),
    ("ACL|LOAD", ArityAlone, "CONFIG RELOAD does it here"),
    ("ACL|LOG", Never, "messages tell it here"),
    ("ACL|SAVE", ArityAlone, "no file is written here"),
    ("ACL|SETUSER", ArityAlone, "users are not changed here"),
    ("BGREWRITEAOF", ArityAlone, "when a rewrite ends is each server's own"),
    ("CLIENT|HELP", ArityAlone, "the subcommands are each server's own"),
    ("CLIENT|ID", ArityAlone, "the number of a connection is each server's own"),
    ("CLIENT|INFO", ArityAlone, "the state of a connection is each server's own"),
    ("CLIENT|KILL", ArityAlone, "it closes connections"),
    ("CLIENT|LIST", ArityAlone, "the state of a connection is each server's own"),
    ("CLIENT|REPLY", ArityAlone, "it takes the replies away"),
    ("CLIENT|SETINFO", Never, "it is of Redis 7.2, and the model may be 7.0"),
    ("COMMAND", ArityAlone, "Redis has other commands"),
    ("COMMAND|COUNT", ArityAlone, "Redis has other commands"),
    ("COMMAND|DOCS", ArityAlone, "Redis has sentences of its own, and other commands"),
    (
        "COMMAND|GETKEYS",
        From(2),
        "Redis 7.0, which may be the model, wants an argument behind the command's name",
    ),
    ("COMMAND|HELP", ArityAlone, "the subcommands are each server's own"),
    ("COMMAND|INFO", ArityAlone, "Redis has other flags and groups"),
    ("COMMAND|LIST", ArityAlone, "Redis has other commands"),
    ("COMPACT", Never, "it is ours alone"),
    ("CONFIG|GET", ArityAlone, "Redis has other settings"),
    ("CONFIG|HELP", ArityAlone, "the subcommands are each server's own"),
    ("CONFIG|RELOAD", Never, "it is ours alone"),
    ("CONFIG|REWRITE", ArityAlone, "no file is written here"),
    ("CONFIG|SET", ArityAlone, "Redis has other settings"),
    ("COUNT", Never, "it is ours alone"),
    ("DELETE", Never, "it is ours alone"),
    ("EXEC", RightArity, "Redis says of a wrong number too that the transaction is discarded"),
    ("HELLO", ArityAlone, "it tells name and version of the server"),
    ("INCRBYFLOAT", ArityAlone, "Redis's numbers are binary, so some sums differ in their last digit"),
    ("INFO", ArityAlone, "it tells the state of the server"),
    ("KEYS", InAnyOrder, "the order of keys is each server's own"),
    ("LATENCY|DOCTOR", Never, "Redis's report is about its own events"),
    ("LATENCY|HELP", ArityAlone, "the subcommands are each server's own"),
    ("LATENCY|HISTOGRAM", ArityAlone, "durations are each server's own"),
    ("LATENCY|HISTORY", ArityAlone, "which events take long is each server's own"),
    ("LATENCY|LATEST", ArityAlone, "which events take long is each server's own"),
    ("LATENCY|RESET", ArityAlone, "which events take long is each server's own"),
    ("MEMORY|HELP", ArityAlone, "the subcommands are each server's own"),
    ("MEMORY|DOCTOR", ArityAlone, "the advice is each server's own"),
    ("MEMORY|MALLOC-STATS", ArityAlone, "Redis has another allocator"),
    ("MEMORY|STATS", ArityAlone, "it tells the state of the server"),
    ("MEMORY|USAGE", ArityAlone, "sizes are each server's own"),
    ("MONITOR", ArityAlone, "lines follow its answer"),
    ("MULTI", ArityAlone, "transactions are refused"),
    ("OBJECT|HELP", ArityAlone, "the subcommands are each server's own"),
    ("OBJECT|ENCODING", ArityAlone, "Redis remembers that APPEND or SETRANGE has changed a value"),
    ("QUIT", ArityAlone, "it closes the connection, so it is sent at the end"),
    ("RANDOMKEY", ArityAlone, "which key it is is left to chance"),
    ("RESET", ArityAlone, "it ends RESP3, so it is one of few fixed lines"),
    ("SCAN", InWalks, "the order of keys and the cursors are each server's own"),
    (
        "SLOWLOG|GET",
        Never,
        "which commands are slow is each server's own, and Redis has a sentence of its own for a wrong number",
    ),
    ("SLOWLOG|HELP", ArityAlone, "the subcommands are each server's own"),
    ("SLOWLOG|LEN", ArityAlone, "which commands are slow is each server's own"),
    ("TIME", ArityAlone, "the clock has moved on in between"),
    ("WATCH", ArityAlone, "transactions are refused"),
];

/// A name of a command in RESP.
struct Row {
    name: &'static str,
    spec: &'static CommandSpec,
    compared: Compared,
    /// How often it is drawn, beside the others.
    weight: usize,
}

static ROWS: LazyLock<Vec<Row>> = LazyLock::new(|| {
    let specs = Command::ALL.iter().map(|command| command.spec());
    let in_resp = specs.filter(|spec| spec.protocols.contains(Protocol::Resp2));
    let names =
        in_resp.flat_map(|spec| spec.aliases.iter().chain([&spec.name]).map(move |name| (*name, spec)));
    let rows = names.map(|(name, spec)| Row { name, spec, compared: compared(name), weight: weight(spec) });
    rows.filter(|row| row.compared != Never).collect()
});

fn compared(name: &str) -> Compared {
    EXCEPTIONS.iter().find(|(of, ..)| *of == name).map_or(Exactly, |(_, compared, _)| *compared)
}

/// Most keys should be there, and they should be asked for often.
fn weight(spec: &CommandSpec) -> usize {
    match spec.keys {
        Some(keys) if keys.access == KeyAccess::Overwrite => 40,
        Some(_) => 20,
        None if spec.flags.contains(Flags::WRITE) => 1,
        None if spec.flags.contains(Flags::READ) => 8,
        None => 4,
    }
}

/// What a number is chosen from.
type Number = fn(&mut Generator) -> Vec<u8>;

impl Generator {
    /// A command of the table as its row tells to write it, nearly so, or with a wrong number of arguments.
    pub(super) fn of_table(&mut self) -> Step {
        let row = self.row();
        let is_wrong = row.compared == ArityAlone || self.rng.u8(..8) == 0;
        if let Some(count) = self.wrong_count(row).filter(|_| is_wrong) {
            let arguments = (0..count).map(|_| self.word()).collect();
            return Step::Exact(self.named(row, arguments));
        }
        match row.compared {
            InWalks => {
                let arguments = row.spec.arguments();
                let (_cursor, options) = arguments.split_first().expect("a scan has a cursor");
                Step::Scan(self.arguments(options, Self::small_number))
            }
            InAnyOrder => {
                let arguments = self.arguments(&row.spec.arguments(), Self::number);
                Step::AnyOrder(self.named(row, arguments))
            }
            _ => {
                let mut arguments = self.arguments(&row.spec.arguments(), Self::number);
                if row.spec.is_container {
                    // Subcommands have rows of their own: this is none.
                    arguments = (0..self.rng.usize(1..3)).map(|_| self.word()).collect();
                } else if row.compared != RightArity && self.rng.u8(..8) == 0 {
                    self.spoil(&mut arguments);
                }
                if let From(least) = row.compared {
                    (arguments.len()..least).for_each(|_| arguments.push(self.word()));
                }
                Step::Exact(self.named(row, arguments))
            }
        }
    }

    fn row(&mut self) -> &'static Row {
        let rows =
            || ROWS.iter().filter(|row| row.compared != ArityAlone || wrong_counts(row).next().is_some());
        let mut left = self.rng.usize(..rows().map(|row| row.weight).sum::<usize>());
        let drawn = rows().find(|row| {
            let is_it = left < row.weight;
            left = left.saturating_sub(row.weight);
            is_it
        });
        drawn.expect("one of the weights holds any number below their sum")
    }

    fn named(&mut self, row: &Row, arguments: Arguments) -> Arguments {
        row.name
            .split('|')
            .map(|word| self.case(word))
            .collect::<Vec<_>>()
            .into_iter()
            .chain(arguments)
            .collect()
    }

    fn wrong_count(&mut self, row: &Row) -> Option<usize> {
        let counts: Vec<_> = wrong_counts(row).collect();
        (!counts.is_empty()).then(|| self.choose(&counts))
    }

    /// What the syntax shows, one after the other.
    fn arguments(&mut self, arguments: &[Argument], number: Number) -> Arguments {
        let mut all = Vec::new();
        for argument in arguments {
            if argument.is_optional && self.rng.bool() {
                continue;
            }
            let times = if argument.is_repeated { self.rng.usize(1..6) } else { 1 };
            for _ in 0..times {
                all.extend(argument.token.map(|token| self.case(token)));
                match &argument.kind {
                    ArgumentKind::Token => {}
                    ArgumentKind::Block(parts) => all.extend(self.arguments(parts, number)),
                    ArgumentKind::OneOf(choices) => {
                        let choice = self.rng.usize(..choices.len());
                        all.extend(self.arguments(&choices[choice..=choice], number));
                    }
                    ArgumentKind::Key => all.push(self.key()),
                    ArgumentKind::Pattern => all.push(self.glob()),
                    // Redis fills up to half a gigabyte with zeros.
                    ArgumentKind::Integer if argument.name == "offset" => all.push(self.small_number()),
                    // Redis has further databases.
                    ArgumentKind::Integer if argument.name == "destination-db" => all.push(b"0".to_vec()),
                    ArgumentKind::Integer => all.push(number(self)),
                    ArgumentKind::String => all.push(self.string(&argument.name)),
                }
            }
        }
        all
    }

    /// A string for an argument that the syntax calls so.
    fn string(&mut self, name: &str) -> Vec<u8> {
        match name {
            "value" | "message" => self.value(),
            "username" if self.rng.bool() => b"default".to_vec(),
            "type" => self.choose(&[&b"string"[..], b"STRING", b"list"]).to_vec(),
            "command" if self.rng.u8(..4) > 0 => {
                let names: Vec<_> =
                    ROWS.iter().map(|row| row.name).filter(|name| !name.contains('|')).collect();
                let name = self.choose(&names);
                self.case(name)
            }
            _ if self.rng.bool() => self.bytes(40),
            _ => self.word(),
        }
    }

    /// Takes an argument out, puts one in, or sends one twice.
    fn spoil(&mut self, arguments: &mut Arguments) {
        let at = self.rng.usize(..=arguments.len());
        match (self.rng.u8(..3), arguments.get(at).cloned()) {
            (0, Some(_)) => drop(arguments.remove(at)),
            (1, Some(again)) => arguments.insert(at, again),
            _ => arguments.insert(at, self.word()),
        }
    }
}

/// Numbers of arguments that the row does not take, as far as they are compared.
fn wrong_counts(row: &Row) -> impl Iterator<Item = usize> {
    let arity = row.spec.arity;
    let beyond = if row.compared == RightArity { 0 } else { arity.bounds().0 + 4 };
    (0..beyond).filter(move |count| !arity.admits(*count))
}

#[test]
fn every_row_is_drawn_or_has_a_reason_not_to_be() {
    let in_resp = Command::ALL.iter().filter(|command| command.spec().protocols.contains(Protocol::Resp2));
    let mut missing: Vec<_> = in_resp.map(|command| command.spec()).collect();
    missing.retain(|spec| !matches!(compared(spec.name), ArityAlone | Never));
    let mut generator = Generator::new(1);
    for _ in 0..20_000 {
        let (Step::Exact(words) | Step::AnyOrder(words)) = generator.of_table() else {
            missing.retain(|spec| compared(spec.name) != InWalks);
            continue;
        };
        let names =
            |spec: &CommandSpec| spec.aliases.iter().chain([&spec.name]).any(|name| is_of(name, &words));
        let count = |spec: &CommandSpec| words.len() - spec.name.split('|').count();
        missing.retain(|spec| !(names(spec) && spec.arity.admits(count(spec))));
    }
    assert!(missing.is_empty(), "never drawn with arguments that they take: {missing:?}");
}

#[test]
fn every_row_that_may_be_is_drawn_with_a_wrong_number_of_arguments() {
    let mut generator = Generator::new(2);
    let drawn: Vec<_> = (0..20_000)
        .filter_map(|_| match generator.of_table() {
            Step::Exact(words) => Some(words),
            _ => None,
        })
        .collect();
    for row in ROWS.iter().filter(|row| wrong_counts(row).next().is_some()) {
        let words_of_name = row.name.split('|').count();
        let is_wrong = |words: &&Arguments| {
            is_of(row.name, words) && !row.spec.arity.admits(words.len() - words_of_name)
        };
        assert!(drawn.iter().any(|words| is_wrong(&words)), "{}", row.name);
    }
}

#[test]
fn an_exception_is_a_name_of_the_table_once() {
    let served = |name: &str| Command::find_whole(name.as_bytes(), Protocol::Resp2).is_some();
    for (name, compared, reason) in EXCEPTIONS {
        assert!(served(name) && !reason.is_empty() && *compared != Exactly, "{name}");
        assert_eq!(EXCEPTIONS.iter().filter(|(other, ..)| other == name).count(), 1, "{name}");
    }
}

#[test]
fn what_the_syntax_shows_has_as_many_arguments_as_the_row_takes() {
    let mut generator = Generator::new(3);
    for row in ROWS.iter().filter(|row| !row.spec.is_container) {
        for _ in 0..200 {
            let arguments = generator.arguments(&row.spec.arguments(), Generator::number);
            assert!(row.spec.arity.admits(arguments.len()), "{} {arguments:?}", row.name);
        }
    }
}

/// Returns whether a command has this whole name.
fn is_of(name: &str, words: &Arguments) -> bool {
    let names: Vec<_> = name.split('|').collect();
    names.len() <= words.len()
        && names.iter().zip(words).all(|(name, word)| name.as_bytes().eq_ignore_ascii_case(word))
}
