//! `docs/commands.md` says what the table says. After a change: `RUSTVAULT_BLESS=1 cargo test -p rustvault-protocol`.
#![cfg(test)]

use std::fmt::Write;
use std::path::Path;

use rustvault_protocol::{Command, Flags, Group, Protocol};

const INTRODUCTION: &str = "# Commands\n\n\
    Made from the table of commands (`crates/protocol/src/command/table.rs`); a test compares it. [protocol.md](protocol.md) describes \
    the wire format, limits and errors. A server tells the same: `HELP` and `HELP SET` in the \
    text protocol, `COMMAND` and `COMMAND DOCS set` in RESP.\n";

fn title(group: Group) -> &'static str {
    match group {
        Group::String => "Strings",
        Group::Generic => "Keys",
        Group::Connection => "Connection",
        Group::Server => "Server",
        Group::Transactions => "Transactions",
    }
}

fn document() -> String {
    let mut text = INTRODUCTION.to_owned();
    for group in Group::ALL {
        write!(text, "\n## {}\n", title(group)).unwrap();
        let commands = Command::ALL.iter().filter(|command| command.spec().group == group);
        commands.for_each(|command| add(*command, &mut text));
    }
    text
}

fn add(command: Command, text: &mut String) {
    let spec = command.spec();
    let served = |protocol: Protocol| spec.protocols.contains(protocol);
    let protocols = match (served(Protocol::Text), served(Protocol::Resp2)) {
        (true, true) => "text and RESP",
        (true, false) => "text",
        _ => "RESP",
    };
    write!(text, "\n### `{}`\n\n{}\n\n", spec.usage(), spec.summary).unwrap();
    if !spec.aliases.is_empty() {
        writeln!(text, "- Also: `{}`", spec.aliases.join("`, `")).unwrap();
    }
    writeln!(text, "- Served in: {protocols}").unwrap();
    writeln!(text, "- Work: {}", spec.complexity).unwrap();
    if let Some(kind) = kind(spec.flags) {
        writeln!(text, "- It {kind}.").unwrap();
    }
    writeln!(text, "- Since: {}", spec.since).unwrap();
}

fn kind(flags: Flags) -> Option<&'static str> {
    if flags.contains(Flags::WRITE) {
        Some(if flags.contains(Flags::DENY_OOM) { "writes, and needs memory for that" } else { "writes" })
    } else if flags.contains(Flags::READ) {
        Some("reads")
    } else if flags.contains(Flags::ADMIN) {
        Some("is for those who run the server")
    } else {
        None
    }
}

#[test]
fn the_document_says_what_the_table_says() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/commands.md");
    let expected = document();
    if std::env::var_os("RUSTVAULT_BLESS").is_some() {
        std::fs::write(&path, &expected).unwrap();
    }
    let found = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        found == expected,
        "docs/commands.md is not what the table says: run this test with RUSTVAULT_BLESS=1"
    );
}
