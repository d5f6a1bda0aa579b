//! `COMMAND` and its subcommands, made of the command table.

use rustvault_protocol::{
    Argument, ArgumentKind, Command, CommandSpec, ErrorCode, Flags, Protocol, Reply, Request, glob_matches,
};

use super::arguments::{glob, refusal, refuse, syntax_error};
use super::key_specs::{key_specs_of, number_of_key_specs};
use super::reply::{Payload, borrowed, bulk, integer};
use super::{Answer, Refusal};
use crate::engine::Engine;
use crate::session::Session;

pub(super) type StaticReply = Reply<Payload<'static>>;

pub(super) fn all<'b, S>(_: Request<'b>, session: &mut Session, _: &Engine<S>) -> Answer<'b> {
    Ok(Reply::Array(Command::served(session.protocol()).map(info_of).collect()))
}

pub(super) fn count<'b, S>(_: Request<'b>, session: &mut Session, _: &Engine<S>) -> Answer<'b> {
    Ok(integer(Command::served(session.protocol()).count()))
}

/// Returns the names of all commands, or of those that match a filter. There are no modules, so none has commands.
pub(super) fn list<'b, S>(request: Request<'b>, session: &mut Session, _: &Engine<S>) -> Answer<'b> {
    let all = Command::served_with_subcommands(session.protocol());
    let names = |commands: Vec<Command>| {
        Reply::Array(commands.into_iter().map(|command| bulk(command.name().to_lowercase())).collect())
    };
    let (kind, value) = match *request.arguments {
        [] => return Ok(names(all.collect())),
        [filter, kind, value] if filter.eq_ignore_ascii_case(b"FILTERBY") => (kind, value),
        _ => return Err(syntax_error()),
    };
    let value = value.to_ascii_lowercase();
    match kind.to_ascii_uppercase().as_slice() {
        b"MODULE" => Ok(names(Vec::new())),
        b"ACLCAT" => {
            let is_in = |command: &Command| categories(command.spec()).any(|name| name.as_bytes() == value);
            Ok(names(all.filter(is_in).collect()))
        }
        b"PATTERN" => {
            let pattern = glob(&value)?;
            let matches = |command: &Command| glob_matches(pattern, command.name().to_lowercase().as_bytes());
            Ok(names(all.filter(matches).collect()))
        }
        _ => Err(syntax_error()),
    }
}

pub(super) fn info<'b, S>(request: Request<'b>, session: &mut Session, engine: &Engine<S>) -> Answer<'b> {
    if request.arguments.is_empty() {
        return all(request, session, engine);
    }
    check_names(request.arguments)?;
    let protocol = session.protocol();
    let infos =
        request.arguments.iter().map(|name| Command::find_whole(name, protocol).map_or(Reply::Null, info_of));
    Ok(Reply::Array(infos.collect()))
}

/// Limits the number of names: each takes a few bytes in the request, and kilobytes in the reply.
pub(super) fn check_names(names: &[&[u8]]) -> Result<(), Refusal> {
    let max_names = Command::ALL.len();
    if names.len() <= max_names {
        return Ok(());
    }
    let message = format_args!("{} names are more than the {max_names} that there are", names.len());
    Err(refusal(ErrorCode::TooLarge, message))
}

pub(super) fn docs<'b, S>(request: Request<'b>, session: &mut Session, _: &Engine<S>) -> Answer<'b> {
    check_names(request.arguments)?;
    let protocol = session.protocol();
    let docs = match request.arguments {
        [] => Command::served(protocol).map(docs_of).collect(),
        names => names.iter().filter_map(|name| Command::find_whole(name, protocol)).map(docs_of).collect(),
    };
    Ok(Reply::Map(docs))
}

pub(super) fn get_keys<'b, S>(request: Request<'b>, session: &mut Session, _: &Engine<S>) -> Answer<'b> {
    let found = find_in_words(request.arguments, session.protocol());
    let (command, arguments) = found.ok_or_else(|| refuse("ERR Invalid command specified"))?;
    let spec = command.spec();
    if spec.keys.is_none() {
        return Err(refuse("ERR The command has no key arguments"));
    }
    let (min, max) = spec.arity.bounds();
    if !(min..=max).contains(&arguments.len()) {
        return Err(refuse("ERR Invalid number of arguments specified for command"));
    }
    let whole = Request { command, arguments };
    Ok(Reply::Array(whole.keys().map(borrowed).collect()))
}

/// Returns the command or subcommand that these words begin with, and the others of them.
pub(super) fn find_in_words<'w, 'b>(
    words: &'w [&'b [u8]],
    protocol: Protocol,
) -> Option<(Command, &'w [&'b [u8]])> {
    let (name, arguments) = words.split_first()?;
    let command = Command::find(name, protocol)?;
    match arguments {
        [own, arguments @ ..] if command.spec().is_container => {
            Some((command.find_subcommand(own, protocol)?, arguments))
        }
        arguments => Some((command, arguments)),
    }
}

pub(super) fn words(names: impl Iterator<Item = &'static str>) -> StaticReply {
    Reply::Set(names.map(Reply::simple).collect())
}

/// Returns Redis's description of a command: ten items in a fixed order.
fn info_of(command: Command) -> StaticReply {
    let spec = command.spec();
    let (first, last, step) = spec.keys.as_ref().map_or((0, 0, 0), |keys| {
        let last =
            if keys.last < 0 { i64::from(keys.last) } else { i64::from(keys.last) + names_before(spec) };
        (i64::from(keys.first) + names_before(spec), last, keys.step.into())
    });
    Reply::Array(vec![
        bulk(spec.name.to_lowercase()),
        Reply::Integer(arity_of(spec)),
        words(flag_names(spec.flags)),
        Reply::Integer(first),
        Reply::Integer(last),
        Reply::Integer(step),
        Reply::Set(categories(spec).map(|category| bulk(format!("@{category}"))).collect()),
        Reply::Array(Vec::new()),
        Reply::Array(spec.keys.iter().flat_map(|keys| key_specs_of(keys, names_before(spec))).collect()),
        Reply::Array(command.subcommands().map(info_of).collect()),
    ])
}

/// Returns the number of subcommand names, which Redis counts as arguments.
const fn names_before(spec: &CommandSpec) -> i64 {
    if spec.is_subcommand { 1 } else { 0 }
}

/// Returns the arity as Redis counts it: names included, and negative if it is a minimum.
fn arity_of(spec: &CommandSpec) -> i64 {
    let (min, max) = spec.arity.bounds();
    let arity = min as i64 + 1 + names_before(spec);
    if min == max { arity } else { -arity }
}

fn flag_names(flags: Flags) -> impl Iterator<Item = &'static str> {
    let names = [
        (Flags::WRITE, "write"),
        (Flags::READ, "readonly"),
        (Flags::DENY_OOM, "denyoom"),
        (Flags::ADMIN, "admin"),
        (Flags::FAST, "fast"),
        (Flags::NO_AUTH, "no_auth"),
    ];
    names.into_iter().filter(move |(flag, _)| flags.contains(*flag)).map(|(_, name)| name)
}

/// Returns the categories of a command: that of the right which it takes, under its own name, and others of Redis.
pub(super) fn categories(spec: &CommandSpec) -> impl Iterator<Item = &'static str> {
    let of_data = spec.flags.contains(Flags::READ) || spec.flags.contains(Flags::WRITE);
    let group = match spec.group.name() {
        "generic" | "server" => of_data.then_some("keyspace"),
        "transactions" => Some("transaction"),
        "connection" => None,
        name => Some(name),
    };
    let is_fast = spec.flags.contains(Flags::FAST);
    let names = [
        group,
        Some(spec.category.name()),
        spec.flags.contains(Flags::DANGEROUS).then_some("dangerous"),
        Some(if is_fast { "fast" } else { "slow" }),
    ];
    names.into_iter().flatten()
}

fn docs_of(command: Command) -> (StaticReply, StaticReply) {
    let spec = command.spec();
    let mut docs = vec![
        (bulk("summary"), bulk(spec.summary)),
        (bulk("since"), bulk(spec.since)),
        (bulk("group"), bulk(spec.group.name())),
        (bulk("complexity"), bulk(spec.complexity)),
    ];
    let arguments = spec.arguments();
    if !arguments.is_empty() {
        let last_key_spec = spec.keys.as_ref().map_or(0, |keys| number_of_key_specs(keys) - 1);
        let key_specs = (0..).map(|position: usize| position.min(last_key_spec));
        let arguments = arguments.into_iter().zip(key_specs);
        let arguments = arguments.map(|(argument, key_spec)| argument_of(argument, key_spec)).collect();
        docs.push((bulk("arguments"), Reply::Array(arguments)));
    }
    let subcommands: Vec<_> = command.subcommands().map(docs_of).collect();
    if !subcommands.is_empty() {
        docs.push((bulk("subcommands"), Reply::Map(subcommands)));
    }
    (bulk(spec.name.to_lowercase()), Reply::Map(docs))
}

/// Describes an argument; `key_spec` is the index of its key specification, if it is a key.
fn argument_of(argument: Argument, key_spec: usize) -> StaticReply {
    let (kind, parts) = match argument.kind {
        ArgumentKind::Key => ("key", Vec::new()),
        ArgumentKind::Pattern => ("pattern", Vec::new()),
        ArgumentKind::Integer => ("integer", Vec::new()),
        ArgumentKind::String => ("string", Vec::new()),
        ArgumentKind::Token => ("pure-token", Vec::new()),
        ArgumentKind::OneOf(choices) => ("oneof", choices),
        ArgumentKind::Block(parts) => ("block", parts),
    };
    let mut entries = vec![(bulk("name"), bulk(argument.name)), (bulk("type"), bulk(kind))];
    if kind == "key" {
        entries.push((bulk("key_spec_index"), integer(key_spec)));
    }
    if let Some(token) = argument.token {
        entries.push((bulk("token"), bulk(token)));
    }
    let flags = [(argument.is_optional, "optional"), (argument.is_repeated, "multiple")];
    let flags: Vec<_> = flags.into_iter().filter(|(is_set, _)| *is_set).map(|(_, name)| name).collect();
    if !flags.is_empty() {
        entries.push((bulk("flags"), words(flags.into_iter())));
    }
    if !parts.is_empty() {
        entries.push((
            bulk("arguments"),
            Reply::Array(parts.into_iter().map(|part| argument_of(part, key_spec)).collect()),
        ));
    }
    Reply::Map(entries)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ServerConfig;

    fn ask(
        handle: for<'b> fn(Request<'b>, &mut Session, &Engine<()>) -> Answer<'b>,
        arguments: &[&[u8]],
    ) -> String {
        let (mut session, engine) = (Session::for_tests(), Engine::new((), &ServerConfig::default()));
        session.parser.next(b"*1\r\n", &mut Vec::new());
        let mut out = bytes::BytesMut::new();
        let answer = handle(Request { command: Command::Command, arguments }, &mut session, &engine);
        Protocol::Resp2.encode(&answer.unwrap_or_else(Into::into), &mut out);
        out.escape_ascii().to_string().replace("\\r\\n", " ")
    }

    #[test]
    fn a_command_is_told_in_the_ten_parts_that_redis_has() {
        let get = "*1 *10 $3 get :2 *2 +readonly +fast :1 :1 :1 *3 $7 @string $5 @read $5 @fast *0 *1 *6 $5 flags *2 +RO \
            +access $12 begin_search *4 $4 type $5 index $4 spec *2 $5 index :1 $9 find_keys *4 $4 type $5 range $4 spec *6 $7 \
            lastkey :0 $7 keystep :1 $5 limit :0 *0 ";
        assert_eq!(ask(info, &[b"GET"]), get);
        assert_eq!(ask(info, &[b"nonsense"]), "*1 $-1 ");
        assert_eq!(ask(info, &[b"client|id"]), ask(info, &[b"CLIENT|ID"]));
    }

    #[test]
    fn the_two_keys_of_a_command_that_treats_them_apart_are_told_apart() {
        let key_spec = |flags: &str, position: u8| {
            format!(
                "*6 $5 flags {flags} $12 begin_search *4 $4 type $5 index $4 spec *2 $5 index :{position} $9 find_keys *4 $4 \
                type $5 range $4 spec *6 $7 lastkey :0 $7 keystep :1 $5 limit :0 "
            )
        };
        for (command, first, second) in [
            ("RENAME", "*3 +RW +access +delete", "*2 +OW +update"),
            ("RENAMENX", "*3 +RW +access +delete", "*2 +OW +insert"),
            ("COPY", "*2 +RO +access", "*2 +OW +update"),
        ] {
            let told = ask(info, &[command.as_bytes()]);
            let specs = format!("*2 {}{}*0 ", key_spec(first, 1), key_spec(second, 2));
            assert!(told.contains(":1 :2 :1 ") && told.ends_with(&specs), "{command}: {told}");
            let docs = ask(docs, &[command.as_bytes()]);
            assert!(docs.contains("key_spec_index :0 ") && docs.contains("key_spec_index :1 "), "{docs}");
        }
        assert!(!ask(docs, &[b"MSET"]).contains("key_spec_index :1 "));
    }

    #[test]
    fn keys_are_found_in_a_whole_command() {
        assert_eq!(ask(get_keys, &[b"MSET", b"a", b"1", b"b", b"2"]), "*2 $1 a $1 b ");
        assert_eq!(ask(get_keys, &[b"PING"]), "-ERR The command has no key arguments ");
        assert_eq!(ask(get_keys, &[b"COPY", b"a", b"b", b"REPLACE"]), "*2 $1 a $1 b ");
        assert_eq!(
            ask(get_keys, &[b"GET", b"a", b"b"]),
            "-ERR Invalid number of arguments specified for command "
        );
        assert_eq!(ask(get_keys, &[b"NONSENSE"]), "-ERR Invalid command specified ");
    }

    #[test]
    fn names_are_filtered() {
        assert_eq!(ask(list, &[b"filterby", b"pattern", b"MG*"]), "*1 $4 mget ");
        assert_eq!(ask(list, &[b"filterby", b"module", b"x"]), "*0 ");
        assert!(ask(list, &[b"filterby", b"aclcat", b"admin"]).contains("config|get"));
        assert_eq!(ask(list, &[b"filterby", b"x", b"y"]), "-ERR syntax error ");
    }
}
