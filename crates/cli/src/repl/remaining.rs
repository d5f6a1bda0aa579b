//! The arguments of a command that are still to be typed, from the syntax of its row.

use rustvault_protocol::{Argument, ArgumentKind};

/// An argument that may follow.
struct Following {
    argument: Argument,
    /// Set if it was typed already, and may come again.
    is_again: bool,
}

impl Following {
    fn is_optional(&self) -> bool {
        self.is_again || self.argument.is_optional
    }
}

impl From<Argument> for Following {
    fn from(argument: Argument) -> Self {
        Self { argument, is_again: false }
    }
}

/// Returns what may follow the words that were typed behind a command's name, in the notation of its syntax; `None` if
/// they do not fit it.
pub(super) fn after(arguments: Vec<Argument>, mut words: &[&[u8]]) -> Option<String> {
    let mut next = all(arguments);
    while !words.is_empty() {
        words = take(&mut next, words)?;
    }
    let texts: Vec<_> = next.iter().map(|next| written(&next.argument, next.is_again)).collect();
    Some(texts.join(" "))
}

fn all(arguments: Vec<Argument>) -> Vec<Following> {
    arguments.into_iter().map(Following::from).collect()
}

/// Takes the first words as the next argument, and leaves in `next` what may follow; returns the other words.
fn take<'w, 'b>(next: &mut Vec<Following>, words: &'w [&'b [u8]]) -> Option<&'w [&'b [u8]]> {
    let (word, _) = words.split_first()?;
    // Optional ones may come in any order, or be left out.
    let optional = next.iter().take_while(|next| next.is_optional()).count();
    let reachable = next.get(..next.len().min(optional + 1))?;
    let by_token = reachable.iter().position(|next| begins_with(&next.argument, word));
    let position = by_token.or_else(|| reachable.iter().position(|next| takes_any(&next.argument)))?;
    let taken = next.remove(position);
    if !taken.is_optional() {
        // What is optional before a needed argument cannot come behind it.
        next.drain(..position);
    }
    let again = taken
        .argument
        .is_repeated
        .then(|| Following { argument: Argument { token: None, ..taken.argument.clone() }, is_again: true });
    let (inner, words) = inside(taken.argument, words)?;
    next.splice(0..0, inner.into_iter().chain(again));
    Some(words)
}

/// Takes the first words as this argument; returns what of it was not typed yet, and the other words.
fn inside<'w, 'b>(argument: Argument, words: &'w [&'b [u8]]) -> Option<(Vec<Following>, &'w [&'b [u8]])> {
    let mut words = match argument.token {
        Some(_) => words.get(1..)?,
        None => words,
    };
    let mut inner = match argument.kind {
        ArgumentKind::Token => vec![],
        ArgumentKind::Block(arguments) => all(arguments),
        ArgumentKind::OneOf(choices) if !words.is_empty() => {
            let chosen = |choice: &Argument| words.first().is_some_and(|word| begins_with(choice, word));
            let position = choices.iter().position(chosen).or_else(|| choices.iter().position(takes_any))?;
            return inside(choices.into_iter().nth(position)?, words);
        }
        kind if words.is_empty() => {
            vec![Argument { kind, token: None, is_optional: false, is_repeated: false, ..argument }.into()]
        }
        _ => return Some((vec![], words.get(1..)?)),
    };
    while !words.is_empty() && inner.iter().any(|next| !next.is_optional()) {
        words = take(&mut inner, words)?;
    }
    Some((inner, words))
}

fn begins_with(argument: &Argument, word: &[u8]) -> bool {
    match (&argument.kind, argument.token) {
        (_, Some(token)) => token.as_bytes().eq_ignore_ascii_case(word),
        (ArgumentKind::OneOf(choices), None) => choices.iter().any(|choice| begins_with(choice, word)),
        _ => false,
    }
}

/// Returns whether any word may be this argument.
fn takes_any(argument: &Argument) -> bool {
    match (&argument.kind, argument.token) {
        (_, Some(_)) => false,
        (ArgumentKind::OneOf(choices), None) => choices.iter().any(takes_any),
        _ => true,
    }
}

fn written(argument: &Argument, is_again: bool) -> String {
    let all = |arguments: &[Argument], between| {
        arguments.iter().map(|argument| written(argument, false)).collect::<Vec<_>>().join(between)
    };
    let own = match &argument.kind {
        ArgumentKind::Token => String::new(),
        ArgumentKind::Block(arguments) => all(arguments, " "),
        ArgumentKind::OneOf(choices) => all(choices, " | "),
        _ => argument.name.clone(),
    };
    if is_again {
        return format!("[{own} ...]");
    }
    let repeated = if argument.is_repeated { format!("{own} [{own} ...]") } else { own };
    let text = [argument.token.unwrap_or_default(), &repeated].join(" ");
    match argument {
        Argument { is_optional: true, .. } => format!("[{}]", text.trim()),
        Argument { kind: ArgumentKind::OneOf(_), .. } => format!("<{}>", text.trim()),
        _ => text.trim().to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use rustvault_protocol::Command;

    use super::*;

    fn remaining(command: Command, typed: &str) -> Option<String> {
        let words: Vec<_> = typed.split_whitespace().map(str::as_bytes).collect();
        after(command.spec().arguments(), &words)
    }

    #[test]
    fn nothing_typed_leaves_the_whole_syntax() {
        for command in Command::ALL {
            assert_eq!(remaining(*command, "").as_deref(), Some(command.spec().syntax), "{}", command.name());
        }
    }

    #[test]
    fn what_was_typed_is_taken_off() {
        for (command, typed, rest) in [
            (Command::IncrBy, "k", "increment"),
            (Command::IncrBy, "k 5", ""),
            (Command::Set, "k", "value [NX | XX] [GET]"),
            (Command::Set, "k v", "[NX | XX] [GET]"),
            (Command::Set, "k v get", "[NX | XX]"),
            (Command::Set, "k v xx", "[GET]"),
            (Command::MGet, "a", "[key ...]"),
            (Command::MGet, "a b c", "[key ...]"),
            (Command::MSet, "a", "value [key value ...]"),
            (Command::MSet, "a 1", "[key value ...]"),
            (Command::MSet, "a 1 b", "value [key value ...]"),
            (Command::Scan, "0", "[MATCH pattern] [COUNT count] [TYPE type]"),
            (Command::Scan, "0 count", "count [MATCH pattern] [TYPE type]"),
            (Command::Scan, "0 count 5 match x", "[TYPE type]"),
            (Command::Copy, "a b replace", "[DB destination-db]"),
            (Command::Ping, "hello", ""),
            (Command::Auth, "me", "password"),
            (Command::ClientKill, "id", "client-id"),
            (Command::ClientKill, "1.2.3.4:5", ""),
            (
                Command::ClientList,
                "type",
                "<NORMAL | MASTER | REPLICA | PUBSUB> [ID client-id [client-id ...]]",
            ),
            (Command::ClientNoEvict, "on", ""),
            (Command::CommandList, "filterby pattern", "pattern"),
        ] {
            assert_eq!(remaining(command, typed).as_deref(), Some(rest), "{} {typed}", command.name());
        }
    }

    #[test]
    fn words_that_do_not_fit_have_no_rest() {
        for (command, typed) in [
            (Command::Get, "a b"),
            (Command::Set, "k v EX 10"),
            (Command::Scan, "0 mat"),
            (Command::DbSize, "x"),
        ] {
            assert_eq!(remaining(command, typed), None, "{} {typed}", command.name());
        }
    }
}
