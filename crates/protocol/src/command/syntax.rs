//! The arguments of a command, read from its syntax: for `COMMAND DOCS`, and with it for the hints of redis-cli.

use super::CommandSpec;

/// An argument of a command, or several that belong together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Argument {
    /// Its name in the syntax; a group of several is named after its first word.
    pub name: String,
    /// Its kind.
    pub kind: ArgumentKind,
    /// The word that stands before it, such as `MATCH`.
    pub token: Option<&'static str>,
    /// Set if it may be left out.
    pub is_optional: bool,
    /// Set if it may come several times.
    pub is_repeated: bool,
}

/// The kind of an argument, in the terms of `COMMAND DOCS`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ArgumentKind {
    /// A key.
    Key,
    /// A glob.
    Pattern,
    /// A whole number.
    Integer,
    /// Any bytes.
    String,
    /// Its token alone.
    Token,
    /// Alternatives, of which one is given.
    OneOf(Vec<Argument>),
    /// All of these, in order.
    Block(Vec<Argument>),
}

impl CommandSpec {
    /// Returns the arguments that the [syntax](Self::syntax) shows.
    pub fn arguments(&self) -> Vec<Argument> {
        SyntaxParser { rest: self.syntax }.alternatives()
    }
}

/// Parses a syntax from the front.
struct SyntaxParser {
    rest: &'static str,
}

impl SyntaxParser {
    /// Reads up to the end of the group: one of several sequences, or a single one.
    fn alternatives(&mut self) -> Vec<Argument> {
        let mut all = vec![self.sequence()];
        while self.take("|") {
            all.push(self.sequence());
        }
        match all.len() {
            1 => all.pop().unwrap_or_default(),
            _ => {
                let choices: Vec<_> = all.into_iter().map(group).collect();
                vec![Argument::new(name_of(&choices), ArgumentKind::OneOf(choices))]
            }
        }
    }

    /// Reads arguments that follow each other.
    fn sequence(&mut self) -> Vec<Argument> {
        let mut arguments = Vec::new();
        loop {
            if self.take("[") {
                let inner = self.alternatives();
                if self.take("...") {
                    repeat(&mut arguments, inner.len());
                } else {
                    arguments.push(Argument { is_optional: true, ..group(inner) });
                }
                self.take("]");
            } else if self.take("<") {
                arguments.push(group(self.alternatives()));
                self.take(">");
            } else if let Some(word) = self.word() {
                arguments.push(self.argument(word));
            } else {
                return arguments;
            }
        }
    }

    /// Reads the rest of what begins with this word: a token has the words behind it.
    fn argument(&mut self, word: &'static str) -> Argument {
        if !is_token(word) {
            return simple(word);
        }
        let mut own = Vec::new();
        while let Some(word) = self.word_if(|word| !is_token(word)) {
            own.push(simple(word));
        }
        let argument = match own.len() {
            0 => Argument::new(word.to_lowercase(), ArgumentKind::Token),
            1 => group(own),
            _ => Argument::new(word.to_lowercase(), ArgumentKind::Block(own)),
        };
        Argument { token: Some(word), ..argument }
    }

    fn take(&mut self, mark: &str) -> bool {
        match self.rest.trim_start().strip_prefix(mark) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    fn word(&mut self) -> Option<&'static str> {
        self.word_if(|_| true)
    }

    fn word_if(&mut self, is_wanted: impl Fn(&str) -> bool) -> Option<&'static str> {
        let rest = self.rest.trim_start();
        let end =
            rest.find(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '-' | ':'))).unwrap_or(rest.len());
        let (word, after) = rest.split_at(end);
        if word.is_empty() || !is_wanted(word) {
            return None;
        }
        self.rest = after;
        Some(word)
    }
}

impl Argument {
    fn new(name: String, kind: ArgumentKind) -> Self {
        Self { name, kind, token: None, is_optional: false, is_repeated: false }
    }
}

/// Marks the last so many as what may come again, as one if they are several.
fn repeat(arguments: &mut Vec<Argument>, count: usize) {
    let last = arguments.split_off(arguments.len().saturating_sub(count));
    arguments.push(Argument { is_repeated: true, ..group(last) });
}

fn group(mut arguments: Vec<Argument>) -> Argument {
    match arguments.pop() {
        Some(only) if arguments.is_empty() => only,
        last => {
            arguments.extend(last);
            Argument::new(name_of(&arguments), ArgumentKind::Block(arguments))
        }
    }
}

fn name_of(arguments: &[Argument]) -> String {
    arguments.first().map(|argument| argument.name.clone()).unwrap_or_default()
}

fn is_token(word: &str) -> bool {
    word.chars().all(|c| c.is_ascii_uppercase() || c == '-')
}

fn simple(word: &str) -> Argument {
    let kind = match word {
        "key" | "newkey" | "source" | "destination" => ArgumentKind::Key,
        "pattern" => ArgumentKind::Pattern,
        "cursor" | "count" | "index" | "protover" | "offset" | "increment" | "decrement"
        | "destination-db" => ArgumentKind::Integer,
        _ => ArgumentKind::String,
    };
    Argument::new(word.to_owned(), kind)
}

#[cfg(test)]
mod tests {
    use super::super::Command;
    use super::*;

    /// Writes arguments as their syntax stands in the table.
    fn written(arguments: &[Argument]) -> String {
        arguments.iter().map(written_one).collect::<Vec<_>>().join(" ")
    }

    fn written_one(argument: &Argument) -> String {
        let own = match &argument.kind {
            ArgumentKind::Token => String::new(),
            ArgumentKind::Block(arguments) => written(arguments),
            ArgumentKind::OneOf(choices) => choices.iter().map(written_one).collect::<Vec<_>>().join(" | "),
            _ => argument.name.clone(),
        };
        let repeated = if argument.is_repeated { format!("{own} [{own} ...]") } else { own };
        let text =
            argument.token.map_or(repeated.clone(), |token| format!("{token} {repeated}").trim().to_owned());
        match argument {
            Argument { is_optional: true, .. } => format!("[{text}]"),
            Argument { kind: ArgumentKind::OneOf(_), .. } => format!("<{text}>"),
            _ => text,
        }
    }

    #[test]
    fn the_syntax_of_every_command_is_understood() {
        for command in Command::ALL {
            let spec = command.spec();
            assert_eq!(written(&spec.arguments()), spec.syntax, "{}", spec.name);
        }
    }

    #[test]
    fn arguments_are_told_apart() {
        let arguments = Command::Scan.spec().arguments();
        let [cursor, pattern, count, _] = &arguments[..] else { panic!("{arguments:?}") };
        assert_eq!((cursor.name.as_str(), &cursor.kind), ("cursor", &ArgumentKind::Integer));
        assert_eq!((pattern.token, &pattern.kind), (Some("MATCH"), &ArgumentKind::Pattern));
        assert!(count.is_optional && !cursor.is_optional);
        let arguments = Command::MSet.spec().arguments();
        let [Argument { kind: ArgumentKind::Block(pair), is_repeated: true, .. }] = &arguments[..] else {
            panic!("{arguments:?}")
        };
        assert_eq!(written(pair), "key value");
    }

    #[test]
    fn as_many_arguments_are_taken_as_the_syntax_has_at_least() {
        for command in Command::ALL {
            let spec = command.spec();
            let needed = |arguments: &[Argument]| {
                arguments.iter().filter(|argument| !argument.is_optional).map(least).sum::<usize>()
            };
            fn least(argument: &Argument) -> usize {
                let own = match &argument.kind {
                    ArgumentKind::Token => 0,
                    ArgumentKind::Block(arguments) => {
                        arguments.iter().filter(|argument| !argument.is_optional).map(least).sum()
                    }
                    ArgumentKind::OneOf(choices) => choices.iter().map(least).min().unwrap_or(0),
                    _ => 1,
                };
                own + usize::from(argument.token.is_some())
            }
            if !spec.is_container {
                assert_eq!(spec.arity.bounds().0, needed(&spec.arguments()), "{}", spec.name);
            }
        }
    }
}
