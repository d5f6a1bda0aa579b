//! Rights: every command of the table, by users with each kind of right, in every protocol, inside and outside a prefix.
#![cfg(test)]

mod support;

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::BytesMut;
use rustvault_protocol::{
    Argument, ArgumentKind, Category, ClientCodec, Command, ErrorCode, Flags, Limits, Protocol, Reply,
    encode_request, encode_resp_words,
};
use rustvault_storage::MemoryStore;
use rustvault_testkit::Wire;
use rustvault_users::{Credential, Rights, RightsRule, Secret, User, Users};
use support::{TestServer, config, memory_store, start_with_store};

const PROTOCOLS: [Protocol; 3] = [Protocol::Text, Protocol::Resp2, Protocol::Resp3];

/// The prefix that rights have, and keys outside it.
const INSIDE: &str = "in:";
const OUTSIDE: &str = "out:";

/// Writes that return something of what the key holds, or copy it elsewhere: they take the right to read it, too.
const WRITES_THAT_READ: &[Command] = &[
    Command::GetSet,
    Command::GetDel,
    Command::Incr,
    Command::Decr,
    Command::IncrBy,
    Command::DecrBy,
    Command::IncrByFloat,
    Command::Rename,
    Command::RenameNx,
    Command::Copy,
];

/// Commands that end the login, or the connection, or leave out answers, or are followed by lines: they are sent on a
/// connection of their own.
const ENDS: &[Command] =
    &[Command::Quit, Command::Reset, Command::Auth, Command::Hello, Command::ClientReply, Command::Monitor];

/// Commands that are refused to everybody, or with these arguments.
const ERRS_ANYWAY: &[Command] = &[
    Command::AclDelUser,
    Command::AclDryRun,
    Command::AclLoad,
    Command::AclLog,
    Command::AclSave,
    Command::AclSetUser,
    Command::Auth,
    Command::ClientKill,
    Command::CommandGetKeys,
    Command::ConfigReload,
    Command::ConfigRewrite,
    Command::ConfigSet,
    Command::Discard,
    Command::Exec,
    Command::Hello,
    Command::Multi,
    Command::Watch,
];

/// Rights of a user: categories, inside the prefix or everywhere.
#[derive(Debug, Clone, Copy)]
struct Case {
    name: &'static str,
    categories: &'static [Category],
    prefix: &'static str,
}

const CASES: &[Case] = &[
    Case { name: "none", categories: &[], prefix: "" },
    Case { name: "reader", categories: &[Category::Read], prefix: INSIDE },
    Case { name: "writer", categories: &[Category::Write], prefix: INSIDE },
    Case { name: "both", categories: &[Category::Read, Category::Write], prefix: INSIDE },
    Case { name: "reads-all", categories: &[Category::Read], prefix: "" },
    Case { name: "writes-all", categories: &[Category::Write], prefix: "" },
    Case { name: "metrics", categories: &[Category::Metrics], prefix: "" },
    Case { name: "admin", categories: &[Category::Admin], prefix: "" },
    Case { name: "everything", categories: &Category::ALL, prefix: "" },
];

impl Case {
    fn token(self) -> String {
        format!("rv_{:x<43}", self.name.replace('-', ""))
    }

    fn user(self) -> User {
        let secret = Secret::of(self.token().as_bytes()).unwrap();
        let rule = RightsRule {
            allows: true,
            categories: self.categories.iter().copied().collect(),
            prefix: self.prefix.into(),
        };
        let rules = if self.categories.is_empty() { Vec::new() } else { vec![rule] };
        User {
            name: self.name.to_owned(),
            credentials: vec![Credential { label: "test".to_owned(), secret, expires: None }],
            rights: Rights::new(rules).unwrap(),
        }
    }

    fn has(self, category: Category, key_prefix: &str) -> bool {
        self.categories.contains(&category) && key_prefix.starts_with(self.prefix)
    }

    /// Returns whether the command is allowed, on keys with this prefix if it has keys: the rules of docs/users.md once more.
    fn allows(self, command: Command, key_prefix: &str) -> bool {
        let spec = command.spec();
        match (spec.category, &spec.keys) {
            (Category::Connection, _) => true,
            (Category::Read, None) => self.categories.contains(&Category::Read),
            (category, None) => self.has(category, ""),
            (category, Some(_)) => {
                let reads_too = WRITES_THAT_READ.contains(&command);
                self.has(category, key_prefix) && (!reads_too || self.has(Category::Read, key_prefix))
            }
        }
    }
}

/// A server with these users, and its store.
fn start() -> (TestServer, MemoryStore) {
    let (store, mut config) = (memory_store(), config());
    config.users = Some(Arc::new(Users::new(CASES.iter().map(|case| case.user())).unwrap()));
    (start_with_store(store.clone(), &config), store)
}

/// Stores the keys that are there before each command.
fn fill(store: &MemoryStore) {
    store.blocking().delete_many(content(store).into_keys()).unwrap();
    for prefix in [INSIDE, OUTSIDE] {
        for number in 1..4 {
            store.blocking().set(format!("{prefix}{number}"), number.to_string()).unwrap();
        }
    }
}

fn content(store: &MemoryStore) -> BTreeMap<Vec<u8>, Vec<u8>> {
    let entries = store.blocking().entries("").map(Result::unwrap);
    entries.map(|(key, value)| (key.to_vec(), value.to_vec())).collect()
}

/// A connection in one protocol.
struct Talk {
    wire: Wire,
    codec: ClientCodec,
    protocol: Protocol,
}

impl Talk {
    fn begin(server: &TestServer, protocol: Protocol) -> Self {
        let codec = match protocol {
            Protocol::Text => ClientCodec::text(Limits::default()),
            _ => ClientCodec::resp(Limits::default()),
        };
        Self { wire: server.wire(), codec, protocol }
    }

    fn log_in(&mut self, case: Case) {
        let token = case.token();
        let reply = match self.protocol {
            Protocol::Resp3 => self.ask(Command::Hello, &["3", "AUTH", case.name, &token]),
            _ => self.ask(Command::Auth, &[case.name, &token]),
        };
        assert!(!matches!(reply, Reply::Error(_)), "{reply:?}");
    }

    fn ask(&mut self, command: Command, arguments: &[&str]) -> Reply {
        self.wire.send(request(command, arguments, self.protocol));
        self.wire.try_decode(&mut self.codec).expect("a reply")
    }
}

fn request(command: Command, arguments: &[&str], protocol: Protocol) -> BytesMut {
    let mut bytes = BytesMut::new();
    if protocol == Protocol::Text {
        encode_request(command, arguments, &mut bytes);
    } else {
        let words: Vec<_> = command.name().split('|').chain(arguments.iter().copied()).collect();
        encode_resp_words(&words, &mut bytes);
    }
    bytes
}

/// Returns arguments as the syntax shows them, options left out, with keys of this prefix.
fn arguments(command: Command, key_prefix: &str) -> Vec<String> {
    let mut arguments = Vec::new();
    if !command.spec().is_container {
        add_arguments(&command.spec().arguments(), key_prefix, &mut arguments);
    }
    arguments
}

fn add_arguments(of: &[Argument], key_prefix: &str, out: &mut Vec<String>) {
    for argument in of.iter().filter(|argument| !argument.is_optional) {
        out.extend(argument.token.map(str::to_owned));
        match &argument.kind {
            ArgumentKind::Token => {}
            ArgumentKind::Block(parts) => add_arguments(parts, key_prefix, out),
            ArgumentKind::OneOf(choices) => add_arguments(&choices[..1], key_prefix, out),
            ArgumentKind::Key => out.push(format!("{key_prefix}{}", 1 + out.len() % 3)),
            ArgumentKind::Pattern => out.push("*".to_owned()),
            ArgumentKind::Integer => out.push("0".to_owned()),
            ArgumentKind::String => out.push("1".to_owned()),
        }
    }
}

fn code(reply: &Reply) -> Option<ErrorCode> {
    if let Reply::Error(error) = reply { Some(error.code) } else { None }
}

/// Returns the commands that a protocol serves, without those that group others.
fn commands(protocol: Protocol) -> impl Iterator<Item = Command> {
    let is_asked = |command: &Command| !command.spec().is_container || *command == Command::Command;
    Command::served_with_subcommands(protocol).filter(is_asked)
}

#[test]
fn who_has_not_logged_in_does_only_what_the_table_allows_without_a_login() {
    let (server, store) = start();
    fill(&store);
    let before = content(&store);
    for protocol in PROTOCOLS {
        for command in commands(protocol) {
            let mut talk = Talk::begin(&server, protocol);
            let arguments = arguments(command, INSIDE);
            let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
            let reply = talk.ask(command, &arguments);
            let needs_login = !command.spec().flags.contains(Flags::NO_AUTH) || command == Command::Hello;
            let is_refused = code(&reply) == Some(ErrorCode::AuthRequired);
            assert_eq!(is_refused, needs_login, "{protocol:?} {command:?}: {reply:?}");
            assert_eq!(content(&store), before, "{protocol:?} {command:?}");
        }
    }
}

#[test]
fn what_rights_allow_works_and_the_rest_is_denied_and_changes_nothing() {
    let (server, store) = start();
    let (mut allowed, mut denied) = (0, 0);
    for (protocol, case) in PROTOCOLS.into_iter().flat_map(|one| CASES.iter().map(move |case| (one, *case))) {
        let mut usual = Talk::begin(&server, protocol);
        usual.log_in(case);
        for command in commands(protocol) {
            let prefixes: &[&str] =
                if command.spec().keys.is_some() { &[INSIDE, OUTSIDE] } else { &[INSIDE] };
            for key_prefix in prefixes {
                fill(&store);
                let before = content(&store);
                let arguments = arguments(command, key_prefix);
                let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
                let reply = if ENDS.contains(&command) {
                    let mut own = Talk::begin(&server, protocol);
                    own.log_in(case);
                    own.ask(command, &arguments)
                } else {
                    usual.ask(command, &arguments)
                };
                if command == Command::Multi {
                    usual.ask(Command::Discard, &[]);
                }
                let what = format!("{protocol:?} {case:?} {command:?} {arguments:?}: {reply:?}");
                let is_denied = code(&reply) == Some(ErrorCode::Denied) && command != Command::Auth;
                assert_eq!(is_denied, !case.allows(command, key_prefix), "{what}");
                if is_denied {
                    assert_eq!(content(&store), before, "{what}");
                    denied += 1;
                } else {
                    assert!(code(&reply).is_none() || ERRS_ANYWAY.contains(&command), "{what}");
                    allowed += 1;
                }
            }
        }
    }
    assert!(allowed > 500 && denied > 500, "{allowed} {denied}");
}

#[test]
fn lists_show_what_may_be_read_and_count_nothing_else() {
    let (server, store) = start();
    fill(&store);
    for number in 0..3000 {
        store.blocking().set(format!("{OUTSIDE}{number}"), "").unwrap();
    }
    let inside: Vec<_> = (1..4).map(|number| format!("{INSIDE}{number}").into_bytes()).collect();
    for protocol in PROTOCOLS {
        for case in CASES.iter().filter(|case| case.categories == [Category::Read]) {
            let mut talk = Talk::begin(&server, protocol);
            talk.log_in(*case);
            let all = content(&store);
            let visible: Vec<_> =
                all.into_keys().filter(|key| key.starts_with(case.prefix.as_bytes())).collect();
            assert!(case.prefix.is_empty() || visible == inside);
            let count = talk.ask(Command::DbSize, &[]);
            assert_eq!(number(&count), visible.len().to_string(), "{protocol:?} {case:?}");
            assert_eq!(sorted(strings(talk.ask(Command::Keys, &["*"]))), visible, "{protocol:?} {case:?}");
            let outside = strings(talk.ask(Command::Keys, &["out:*"]));
            assert_eq!(outside.is_empty(), !case.prefix.is_empty(), "{protocol:?} {case:?}");
            let random = bytes(&talk.ask(Command::RandomKey, &[]));
            assert!(visible.contains(&random), "{protocol:?} {case:?}");
            assert_eq!(scan(&mut talk), visible, "{protocol:?} {case:?}");
        }
    }
    // Nothing may be read, or nothing is there: neither goes on for ever.
    store.blocking().delete_many(inside).unwrap();
    let mut talk = Talk::begin(&server, Protocol::Resp2);
    talk.log_in(CASES[1]);
    assert_eq!(talk.ask(Command::RandomKey, &[]), Reply::Null);
    assert_eq!(talk.ask(Command::DbSize, &[]), Reply::Integer(0));
}

/// Walks all pages; those of a small limit have as many keys as they may, but the last one.
fn scan(talk: &mut Talk) -> Vec<Vec<u8>> {
    let (mut all, mut cursor) = (Vec::new(), "0".to_owned());
    loop {
        let page = match talk.protocol {
            Protocol::Text => strings(talk.ask(Command::TextScan, &[&cursor, "LIMIT", "2"])),
            _ => {
                let Reply::Array(parts) = talk.ask(Command::Scan, &[&cursor, "COUNT", "2"]) else {
                    panic!("no page")
                };
                let keys = strings(parts[1].clone());
                [bytes(&parts[0])].into_iter().chain(keys).collect()
            }
        };
        cursor = String::from_utf8(page[0].clone()).unwrap();
        assert!(page.len() == 3 || cursor == "0", "a page that could have had more");
        all.extend(page.into_iter().skip(1));
        if cursor == "0" {
            return sorted(all);
        }
    }
}

fn sorted(mut keys: Vec<Vec<u8>>) -> Vec<Vec<u8>> {
    keys.sort();
    keys
}

fn bytes(reply: &Reply) -> Vec<u8> {
    if let Reply::Bulk(bytes) = reply { bytes.to_vec() } else { panic!("no string: {reply:?}") }
}

fn strings(reply: Reply) -> Vec<Vec<u8>> {
    if let Reply::Array(items) = reply { items.iter().map(bytes).collect() } else { panic!("no list") }
}

fn number(reply: &Reply) -> String {
    match reply {
        Reply::Integer(number) => number.to_string(),
        other => String::from_utf8(bytes(other)).unwrap(),
    }
}

#[test]
fn a_count_of_some_keys_stands_between_the_commands_around_it() {
    let (server, store) = start();
    fill(&store);
    let mut talk = Talk::begin(&server, Protocol::Resp2);
    talk.log_in(CASES[3]);
    let mut pipeline = BytesMut::new();
    for arguments in [["in:8", ""], ["in:9", ""]] {
        pipeline.extend_from_slice(&request(Command::Set, &arguments, talk.protocol));
        pipeline.extend_from_slice(&request(Command::DbSize, &[], talk.protocol));
    }
    talk.wire.send(&pipeline);
    let replies: Vec<_> = (0..4).map(|_| talk.wire.try_decode(&mut talk.codec).expect("a reply")).collect();
    assert_eq!(replies, [Reply::OK, Reply::Integer(4), Reply::OK, Reply::Integer(5)]);
}

#[test]
fn a_login_in_a_pipeline_is_obeyed_from_the_next_command_on() {
    let (server, store) = start();
    for protocol in PROTOCOLS {
        fill(&store);
        let mut talk = Talk::begin(&server, protocol);
        let (reader, writer) = (CASES[1], CASES[2]);
        let wrong = "rv_0000000000000000000000000000000000000000000";
        let (get, set) = (["in:1"], ["in:1", "new"]);
        let mut pipeline = BytesMut::new();
        let mut expected = Vec::new();
        let mut ask = |command, arguments: &[&str], code| {
            pipeline.extend_from_slice(&request(command, arguments, protocol));
            expected.push(code);
        };
        ask(Command::Get, &get, Some(ErrorCode::AuthRequired));
        ask(Command::Auth, &[reader.name, &reader.token()], None);
        ask(Command::Get, &get, None);
        ask(Command::Set, &set, Some(ErrorCode::Denied));
        ask(Command::Auth, &[writer.name, wrong], Some(ErrorCode::Denied));
        ask(Command::Get, &get, None);
        ask(Command::Auth, &[writer.name, &writer.token()], None);
        ask(Command::Get, &get, Some(ErrorCode::Denied));
        ask(Command::Set, &set, None);
        if protocol != Protocol::Text {
            ask(Command::Reset, &[], None);
            ask(Command::Set, &set, Some(ErrorCode::AuthRequired));
        }
        talk.wire.send(&pipeline);
        let replies = expected.iter().map(|_| talk.wire.try_decode(&mut talk.codec).expect("a reply"));
        let codes: Vec<_> = replies.map(|reply| code(&reply)).collect();
        assert_eq!(codes, expected, "{protocol:?}");
    }
}

#[test]
fn a_refusal_says_in_text_what_is_lacking_and_in_resp_what_redis_says() {
    let (server, _store) = start();
    let refusal = |protocol, command, arguments: &[&str]| {
        let mut talk = Talk::begin(&server, protocol);
        talk.log_in(CASES[1]);
        let Reply::Error(error) = talk.ask(command, arguments) else { panic!("it is allowed") };
        String::from_utf8_lossy(if protocol == Protocol::Text { error.message() } else { error.line() })
            .into_owned()
    };
    let text = refusal(Protocol::Text, Command::Get, &["out:1"]);
    assert!(
        text.starts_with("GET is denied: the user 'reader' lacks the right 'read' on the key 'out:1'; "),
        "{text}"
    );
    let resp = |command, arguments: &[&str]| refusal(Protocol::Resp2, command, arguments);
    assert_eq!(resp(Command::Get, &["out:1"]), "NOPERM No permissions to access a key");
    assert_eq!(
        resp(Command::ConfigGet, &["x"]),
        "NOPERM User reader has no permissions to run the 'config|get' command"
    );
}
