//! Names in the crates' sources: no two types share one, and a command's stands where a command is implemented.

use std::collections::{BTreeMap, BTreeSet};

use proc_macro2::{Delimiter, Group, TokenStream, TokenTree};
use rustvault_protocol::Command;

use super::{Findings, in_the_crates};

/// Names that several types may have, each with the reason.
const SHARED_TYPE_NAMES: [(&str, &str); 3] = [
    ("Client", "the client that awaits and the one that blocks, in a module of that name"),
    ("Error", "a library's own error, as usual in Rust"),
    ("Options", "a library's own options, as usual in Rust"),
];

/// The places that implement commands: a new one is added to each of them.
const COMMANDS_PLACES: [&str; 3] =
    ["crates/protocol/src/command/table.rs", "crates/server/src/commands/", "crates/client/src/commands"];

/// Commands that other files name, each file or folder with the reason.
const NAMED_COMMANDS: [(&str, &[&str], &str); 9] = [
    ("crates/cli/src/commands.rs", &["Command::Auth"], "the line of a session that logs its connection in"),
    ("crates/protocol/src/command/name.rs", &["HELP"], "an error that says which command lists the others"),
    (
        "crates/cli/src/bench/",
        &["Command::Auth", "Command::Get", "Command::Set", "GET", "SET"],
        "the login of a load, and the commands that it consists of",
    ),
    (
        "crates/cli/src/",
        &[
            "Command::Compact",
            "Command::DbSize",
            "Command::Del",
            "Command::Delete",
            "Command::Exists",
            "Command::Get",
            "Command::Info",
            "Command::Ping",
            "Command::Scan",
            "Command::Set",
        ],
        "commands that the command line had before the others, with options and output of its own",
    ),
    (
        "crates/cli/src/repl/line.rs",
        &["Command::MGet"],
        "any command without a last argument to the end of the line",
    ),
    ("crates/client/src/dial.rs", &["AUTH", "Command::Hello", "HELLO"], "the greeting of a connection"),
    ("crates/client/src/client.rs", &["Command::Compact"], "a typed method, on a connection of its own"),
    (
        "crates/client/src/outgoing.rs",
        &["CLIENT", "Command::ClientReply", "Command::Compact", "Command::Scan", "MONITOR"],
        "what is not sent, is sent on a connection of its own, or has the limit of a key",
    ),
    ("crates/client/src/", &["COMPACT", "Command::Ping"], "a message; the answer that no other command has"),
];

fn tokens(text: &str) -> TokenStream {
    text.parse().expect("the sources are Rust")
}

/// Returns the types that a file defines; those that a trait or an implementation names are not its own.
fn type_names(text: &str) -> Findings {
    fn find(tokens: TokenStream, is_associated: bool, found: &mut Findings) {
        let (mut is_name, mut is_trait_or_impl) = (false, is_associated);
        for token in tokens {
            let word = if let TokenTree::Ident(word) = &token { word.to_string() } else { String::new() };
            if is_name && !word.is_empty() {
                found.push((token.span().start().line, word.clone()));
            }
            is_name = matches!(&*word, "struct" | "enum" | "trait") || (word == "type" && !is_associated);
            is_trait_or_impl |= matches!(&*word, "trait" | "impl");
            if let TokenTree::Group(group) = token {
                find(group.stream(), is_trait_or_impl, found);
                is_trait_or_impl &= is_associated || group.delimiter() != Delimiter::Brace;
            }
        }
    }
    let mut found = Vec::new();
    find(tokens(text), false, &mut found);
    found
}

/// Finds the names of commands: literals that begin with one, and variants of `Command`. Comments and test modules may
/// have them.
fn command_names(text: &str) -> Findings {
    let names = Command::ALL.iter().map(|command| command.spec().name.to_owned());
    let variants = Command::ALL.iter().map(|command| format!("Command::{command:?}"));
    let mut found = Vec::new();
    find_commands(tokens(text), &names.chain(variants).collect(), &mut found);
    found
}

fn find_commands(tokens: TokenStream, names: &BTreeSet<String>, found: &mut Findings) {
    let (mut path, mut is_for_tests, mut is_module) = (String::new(), false, false);
    for token in tokens {
        let name = match &token {
            TokenTree::Literal(literal) => first_word(&literal.to_string()).to_owned(),
            TokenTree::Ident(word) if path == "Command::" => format!("Command::{word}"),
            _ => String::new(),
        };
        if names.contains(&name) {
            found.push((token.span().start().line, format!("`{name}`")));
        }
        match &token {
            TokenTree::Group(group) => {
                is_for_tests |= attribute(group, "cfg").is_some_and(|cfg| cfg.contains("(test"));
                if attribute(group, "doc").is_none() && !(is_for_tests && is_module) {
                    find_commands(group.stream(), names, found);
                }
                is_module = false;
                is_for_tests &= group.delimiter() != Delimiter::Brace;
            }
            TokenTree::Punct(sign) if sign.as_char() == ';' => (is_for_tests, is_module) = (false, false),
            TokenTree::Ident(word) => is_module |= word == "mod",
            _ => {}
        }
        match &token {
            TokenTree::Ident(word) => path = word.to_string(),
            TokenTree::Punct(sign) => path.push(sign.as_char()),
            _ => path.clear(),
        }
    }
}

/// Returns the content of an attribute's brackets, if it is one of this name.
fn attribute(group: &Group, name: &str) -> Option<String> {
    let content = group.stream().to_string();
    let is_named = content.split([' ', '(', '=']).next() == Some(name);
    (group.delimiter() == Delimiter::Bracket && is_named).then_some(content)
}

/// Returns the first word of a string's literal, and of any other literal something that is no name.
fn first_word(literal: &str) -> &str {
    let content = literal.split('"').nth(1).unwrap_or_default();
    content.split([' ', '\\']).next().unwrap_or_default()
}

#[test]
fn no_two_types_have_one_name() {
    let text = "type A = u8; mod m { pub(super) struct B<T>(T); }\nimpl T for A { type Item = u8; fn f() { enum C {} } }\n\
        /// struct D\nmacro_rules! m { () => { enum E {} } }\npub trait F: G { type H; }\nfn i(_: impl F) {}\ntype J = u8;";
    let names = [(1, "A"), (1, "B"), (2, "C"), (4, "E"), (5, "F"), (7, "J")];
    assert_eq!(type_names(text), names.map(|(line, name)| (line, name.to_owned())));
    let mut by_name: BTreeMap<_, Vec<_>> = BTreeMap::new();
    let found = in_the_crates(type_names);
    for (place, name) in found.iter().map(|at| at.rsplit_once(": ").unwrap()) {
        by_name.entry(name).or_default().push(place);
    }
    by_name.retain(|_, places| places.len() > 1);
    for (name, reason) in SHARED_TYPE_NAMES {
        assert!(by_name.remove(name).is_some(), "one type at most, take it off the list: {name} ({reason})");
    }
    assert!(
        by_name.is_empty(),
        "types of one name: rename all of them but one, to a name that says what that type is: {by_name:#?}"
    );
}

#[test]
fn commands_are_named_where_they_are_implemented() {
    let text = "fn f() { g(b\"GET\", \"CLIENT|ID\", \"ETAG\", crate::Command::Set, Command::ALL, MyCommand::Get) }\n/// \"SET\", Command::Get\n\
        #[cfg(all(test, unix))]\nmod tests { const A: &str = \"GET\"; }\nconst B: &str = r#\"PING \"a\"\"#; // \"GET\"\n\
        const C: &[&str] = &[\"SET\\r\\n\", \"a SET\", \"SETS\", \"get\"];\n";
    let names = [(1, "`GET`"), (1, "`CLIENT|ID`"), (1, "`Command::Set`"), (5, "`PING`"), (6, "`SET`")];
    assert_eq!(command_names(text), names.map(|(line, name)| (line, name.to_owned())));
    let mut found = in_the_crates(command_names);
    let is_test =
        |at: &str| ["crates/testkit/", "/tests/", "/tests.rs:"].iter().any(|part| at.contains(part));
    found.retain(|at| !is_test(at) && !COMMANDS_PLACES.iter().any(|place| at.starts_with(place)));
    for (path, names, reason) in NAMED_COMMANDS {
        for name in names {
            let all = found.len();
            found.retain(|at| !(at.starts_with(path) && at.ends_with(&format!("`{name}`"))));
            assert!(found.len() < all, "not there, take it off the list: {path}, {name} ({reason})");
        }
    }
    assert!(
        found.is_empty(),
        "a new command would have to be added here, too: take these from the table, or move what they do to {COMMANDS_PLACES:?}: \
        {found:#?}"
    );
}
