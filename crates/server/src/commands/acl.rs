//! `ACL` and its subcommands: users and rights, as clients of Redis ask for them. Nothing here changes them.

use std::time::SystemTime;

use rustvault_protocol::{Category, Command, ErrorCode, ErrorReply, Reply, Request, parse_integer};
use rustvault_users::{Categories, DEFAULT_USER, Rights, Secret, User};

use super::arguments::{refuse, refuse_word};
use super::introspection::{StaticReply, categories as categories_of, find_in_words};
use super::judge::{lacking, lacking_sentence};
use super::reply::{borrowed, bulk};
use super::{Answer, wrong_arity};
use crate::engine::Engine;
use crate::session::{Login, Session};

/// Most bits of an `ACL GENPASS`.
const MAX_PASSWORD_BITS: i64 = 4096;

/// Bits of an `ACL GENPASS` that does not say how many.
const DEFAULT_PASSWORD_BITS: i64 = 256;

/// Bits of a hexadecimal digit.
const DIGIT_BITS: usize = 4;

/// Rights without a limit, in Redis's notation.
const ALL_COMMANDS: &str = "+@all";
const ALL_KEYS: &str = "~*";

pub(super) fn who_am_i<'b, S>(_: Request<'b>, session: &mut Session, _: &Engine<S>) -> Answer<'b> {
    Ok(match session.login() {
        Login::As(user) => bulk(user.name.clone()),
        Login::Open | Login::LoggedOut => bulk(DEFAULT_USER),
    })
}

pub(super) fn users<'b, S>(_: Request<'b>, _: &mut Session, engine: &Engine<S>) -> Answer<'b> {
    Ok(Reply::Array(match engine.access.load() {
        Some(users) => users.iter().map(|user| bulk(user.name.clone())).collect(),
        None => vec![bulk(DEFAULT_USER)],
    }))
}

/// Returns a line on each user in the notation of Redis: a group in brackets for each right with a prefix.
pub(super) fn list<'b, S>(_: Request<'b>, _: &mut Session, engine: &Engine<S>) -> Answer<'b> {
    Ok(Reply::Array(match engine.access.load() {
        Some(users) => users.iter().map(|user| bulk(line(user))).collect(),
        None => vec![bulk(format!("user {DEFAULT_USER} on nopass {ALL_KEYS} &* {ALL_COMMANDS}"))],
    }))
}

fn line(user: &User) -> String {
    let (root, selectors) = selectors(&user.rights);
    let mut line = format!("user {} {} {root}", user.name, on_or_off(user));
    for selector in selectors {
        line.push_str(&format!(" ({selector})"));
    }
    line
}

/// Returns the parts in which Redis's clients expect a user. Instead of passwords there are the labels of credentials.
pub(super) fn get_user<'b, S>(request: Request<'b>, _: &mut Session, engine: &Engine<S>) -> Answer<'b> {
    let name = request.argument(0);
    let Some(users) = engine.access.load() else {
        let is_there = name == DEFAULT_USER.as_bytes();
        let everything = Selector { keys: ALL_KEYS.to_owned(), commands: ALL_COMMANDS.to_owned() };
        return Ok(if is_there {
            user_of(&["on", "nopass"], Vec::new(), everything, Vec::new())
        } else {
            Reply::Null
        });
    };
    let Some(user) = str::from_utf8(name).ok().and_then(|name| users.get(name)) else {
        return Ok(Reply::Null);
    };
    let labels = user.credentials.iter().map(|credential| {
        let kind = match credential.secret {
            Secret::Password(_) => "password",
            Secret::Token(_) => "token",
        };
        bulk(format!("{kind}:{}", credential.label))
    });
    let (root, selectors) = selectors(&user.rights);
    Ok(user_of(&[on_or_off(user)], labels.collect(), root, selectors))
}

fn user_of(
    flags: &[&'static str],
    labels: Vec<StaticReply>,
    root: Selector,
    selectors: Vec<Selector>,
) -> StaticReply {
    let channels = if root.commands == ALL_COMMANDS { "&*" } else { "" };
    let name = |name: &'static str| borrowed(name.as_bytes());
    let selectors = selectors.into_iter().map(|selector| {
        Reply::Map(vec![
            (name("commands"), bulk(selector.commands)),
            (name("keys"), bulk(selector.keys)),
            (name("channels"), bulk("")),
        ])
    });
    Reply::Map(vec![
        (name("flags"), Reply::Set(flags.iter().map(|flag| bulk(*flag)).collect())),
        (name("passwords"), Reply::Array(labels)),
        (name("commands"), bulk(root.commands)),
        (name("keys"), bulk(root.keys)),
        (name("channels"), bulk(channels)),
        (name("selectors"), Reply::Array(selectors.collect())),
    ])
}

/// Returns whether somebody can log in as the user.
fn on_or_off(user: &User) -> &'static str {
    let now = SystemTime::now();
    let is_valid = user.credentials.iter().any(|credential| credential.is_valid_at(now));
    if is_valid { "on" } else { "off" }
}

/// Commands, and the keys that they are allowed or denied on, in the notation of Redis.
#[derive(Debug)]
struct Selector {
    keys: String,
    commands: String,
}

impl std::fmt::Display for Selector {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { keys, commands } = self;
        if keys.is_empty() { write!(f, "{commands}") } else { write!(f, "{keys} {commands}") }
    }
}

/// Returns rights as a selector without a prefix, and others with one each.
fn selectors(rights: &Rights) -> (Selector, Vec<Selector>) {
    if Category::ALL.into_iter().all(|category| rights.allow_all_keys(category)) {
        return (Selector { keys: ALL_KEYS.to_owned(), commands: ALL_COMMANDS.to_owned() }, Vec::new());
    }
    // Whoever is logged in may do what is about the connection.
    let of_everybody = |category: &Category| *category == Category::Connection;
    let is_of_root = |category: &Category| !category.has_keys() && rights.allow_all_keys(*category);
    let root: Categories =
        Category::ALL.into_iter().filter(|category| of_everybody(category) || is_of_root(category)).collect();
    let root = Selector { keys: String::new(), commands: format!("-@all{}", signed(root, '+')) };
    let others = rights.rules().iter().filter_map(|rule| {
        let categories: Categories = rule.categories.iter().filter(|category| category.has_keys()).collect();
        let commands =
            if rule.allows { format!("-@all{}", signed(categories, '+')) } else { signed(categories, '-') };
        let keys = format!("~{}*", escaped(&rule.prefix));
        (!categories.is_empty()).then(|| Selector { keys, commands: commands.trim_start().to_owned() })
    });
    (root, others.collect())
}

fn signed(categories: Categories, sign: char) -> String {
    categories.iter().map(|category| format!(" {sign}@{}", category.name())).collect()
}

/// Returns a prefix as a part of a glob, without what would break a line.
fn escaped(prefix: &[u8]) -> String {
    let mut glob = Vec::with_capacity(prefix.len());
    for byte in prefix {
        if matches!(byte, b'*' | b'?' | b'[' | b'\\') {
            glob.push(b'\\');
        }
        glob.push(*byte);
    }
    String::from_utf8_lossy(&glob).replace(char::is_control, "?")
}

/// Returns the names of all categories, or the commands of one. The first ones are those that rights have; the others are
/// Redis's.
pub(super) fn categories<'b, S>(request: Request<'b>, session: &mut Session, _: &Engine<S>) -> Answer<'b> {
    let commands = || Command::served_with_subcommands(session.protocol()).map(Command::spec);
    let Some(wanted) = request.arguments.first() else {
        let mut names: Vec<_> = Category::ALL.into_iter().map(Category::name).collect();
        for name in commands().flat_map(categories_of) {
            if !names.contains(&name) {
                names.push(name);
            }
        }
        return Ok(Reply::Array(names.into_iter().map(|name| borrowed(name.as_bytes())).collect()));
    };
    let is_wanted = |name: &str| name.as_bytes().eq_ignore_ascii_case(wanted);
    let of_category = commands().filter(|spec| categories_of(spec).any(is_wanted));
    let names: Vec<_> = of_category.map(|spec| bulk(spec.name.to_lowercase())).collect();
    if names.is_empty() { Err(refuse_word("Unknown category", wanted)) } else { Ok(Reply::Array(names)) }
}

/// Tells whether a user may do something, in Redis's words.
pub(super) fn dry_run<'b, S>(request: Request<'b>, session: &mut Session, engine: &Engine<S>) -> Answer<'b> {
    let [name, words @ ..] = request.arguments else { return Err(refuse("ERR syntax error")) };
    let not_found =
        |what, word: &[u8]| Box::new(ErrorReply::about_word(ErrorCode::Syntax, what, word, " not found"));
    let users = engine.access.load();
    let user = match &users {
        None if *name == DEFAULT_USER.as_bytes() => None,
        None => return Err(not_found("User", name)),
        Some(users) => {
            let user = str::from_utf8(name).ok().and_then(|name| users.get(name));
            Some(user.ok_or_else(|| not_found("User", name))?)
        }
    };
    let command = words.first().copied().unwrap_or_default();
    let (command, arguments) =
        find_in_words(words, session.protocol()).ok_or_else(|| not_found("Command", command))?;
    let asked = Request { command, arguments };
    if !command.spec().arity.admits(arguments.len()) {
        return Err(wrong_arity(asked, session.protocol()));
    }
    let lacking = user.and_then(|user| lacking(asked, &user.rights).map(|lacking| (user, lacking)));
    Ok(match lacking {
        None => Reply::OK,
        Some((user, lacking)) => bulk(lacking_sentence(lacking, &user.name, command)),
    })
}

/// Returns random bits in hexadecimal digits.
pub(super) fn random_password<'b, S>(request: Request<'b>, _: &mut Session, _: &Engine<S>) -> Answer<'b> {
    let bits = match request.arguments.first() {
        None => DEFAULT_PASSWORD_BITS,
        Some(bits) => {
            parse_integer(bits).ok_or_else(|| refuse("ERR value is not an integer or out of range"))?
        }
    };
    if !(1..=MAX_PASSWORD_BITS).contains(&bits) {
        let line = "ERR ACL GENPASS argument must be the number of bits for the output password, a positive number up to 4096";
        return Err(refuse(line));
    }
    let digits = (bits as usize).div_ceil(DIGIT_BITS);
    let mut random = vec![0; digits.div_ceil(2)];
    getrandom::fill(&mut random).map_err(|_| refuse("ERR the system has no random bytes"))?;
    let mut password: String = random.iter().map(|byte| format!("{byte:02x}")).collect();
    password.truncate(digits);
    Ok(bulk(password))
}

/// Refuses what would change users here, and says what does it.
pub(super) fn refused<'b, S>(request: Request<'b>, _: &mut Session, _: &Engine<S>) -> Answer<'b> {
    let line = match request.command {
        Command::AclLoad => {
            "ERR not served: CONFIG RELOAD reads the file of users, with the rest of the configuration"
        }
        Command::AclLog => "ERR not served: the server's messages tell who was denied what",
        _ => {
            "ERR not served: users are in a file that the server never writes; change it with `rustvault-cli user add`, \
            `passwd`, `token`, `grant`, `revoke` or `remove`"
        }
    };
    Err(Box::new(ErrorReply::fixed(ErrorCode::UnknownCommand, line)))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use rustvault_protocol::Protocol;
    use rustvault_users::{Credential, RightsRule, Users};

    use super::*;
    use crate::ServerConfig;

    fn rule(allows: bool, categories: &[Category], prefix: &str) -> RightsRule {
        let categories = categories.iter().copied().collect();
        RightsRule { allows, categories, prefix: prefix.as_bytes().to_vec() }
    }

    fn engine() -> Engine<()> {
        let user = |name: &str, rights: Rights| {
            let secret = Secret::of(format!("rv_{name:0>43}").as_bytes()).unwrap();
            let credentials = vec![Credential { label: "ci".to_owned(), secret, expires: None }];
            User { name: name.to_owned(), credentials, rights }
        };
        let shop = Rights::new(vec![
            rule(true, &[Category::Read, Category::Write], "shop:"),
            rule(false, &[Category::Write], "shop:[1]*"),
            rule(true, &[Category::Metrics], ""),
        ]);
        let mut nobody = user("nobody", Rights::default());
        nobody.credentials.clear();
        let users = Users::new([user("root", Rights::all()), user("shop", shop.unwrap()), nobody]).unwrap();
        Engine::new((), &ServerConfig { users: Some(Arc::new(users)), ..ServerConfig::default() })
    }

    fn ask_of(
        engine: &Engine<()>,
        handle: for<'b> fn(Request<'b>, &mut Session, &Engine<()>) -> Answer<'b>,
        line: &str,
    ) -> String {
        lines_of(engine, handle, line).replace("\r\nVALUE ", "|").replace("\r\n", "|")
    }

    fn lines_of(
        engine: &Engine<()>,
        handle: for<'b> fn(Request<'b>, &mut Session, &Engine<()>) -> Answer<'b>,
        line: &str,
    ) -> String {
        let mut session = Session::for_tests();
        session.parser.next(b"*1\r\n", &mut Vec::new());
        let arguments: Vec<_> = line.split(' ').filter(|word| !word.is_empty()).map(str::as_bytes).collect();
        let mut out = bytes::BytesMut::new();
        let answer =
            handle(Request { command: Command::AclCat, arguments: &arguments }, &mut session, engine);
        Protocol::Text.encode(&answer.unwrap_or_else(Into::into), &mut out);
        String::from_utf8(out.to_vec()).unwrap()
    }

    #[test]
    fn users_are_told_in_the_notation_of_redis_and_without_secrets() {
        let engine = engine();
        assert_eq!(ask_of(&engine, users, ""), "LIST 3|nobody|root|shop|");
        let shop = "(~shop:* -@all +@read +@write) (~shop:\\[1]\\** -@write)";
        let lines = "LIST 3|user nobody off -@all +@connection|user root on ~* +@all|user shop on -@all +@connection +@metrics";
        assert_eq!(ask_of(&engine, list, ""), format!("{lines} {shop}|"));
        let root = "LIST 12|flags|LIST 1|on|passwords|LIST 1|token:ci|commands|+@all|keys|~*|channels|&*|selectors|LIST 0|";
        assert_eq!(ask_of(&engine, get_user, "root"), root);
        let parts = "selectors|LIST 2|LIST 6|commands|-@all +@read +@write|keys|~shop:*|channels|\"\"|LIST 6|commands|-@write|";
        assert!(ask_of(&engine, get_user, "shop").contains(parts), "{}", ask_of(&engine, get_user, "shop"));
        assert_eq!(ask_of(&engine, get_user, "ann"), "NOT_FOUND|");
    }

    #[test]
    fn without_users_there_is_the_one_that_may_do_everything() {
        let engine = Engine::new((), &ServerConfig::default());
        assert_eq!(ask_of(&engine, list, ""), "LIST 1|user default on nopass ~* &* +@all|");
        assert_eq!(ask_of(&engine, who_am_i, ""), "VALUE default|");
        assert!(
            ask_of(&engine, get_user, "default")
                .starts_with("LIST 12|flags|LIST 2|on|nopass|passwords|LIST 0|")
        );
        assert_eq!(ask_of(&engine, dry_run, "default SET a 1"), "OK|");
    }

    #[test]
    fn a_dry_run_tells_what_would_be_denied() {
        let engine = engine();
        for (line, expected) in [
            ("root FLUSHALL", "OK|"),
            ("shop GET shop:1", "OK|"),
            ("shop GET x", "VALUE User shop has no permissions to access the 'x' key|"),
            ("shop CONFIG GET x", "VALUE User shop has no permissions to run the 'config|get' command|"),
            ("ann GET x", "ERROR SYNTAX User 'ann' not found|"),
            ("shop NOPE x", "ERROR SYNTAX Command 'NOPE' not found|"),
            ("shop GET", "ERROR SYNTAX wrong number of arguments for 'get' command|"),
        ] {
            assert_eq!(ask_of(&engine, dry_run, line), expected, "{line}");
        }
    }

    #[test]
    fn the_categories_of_rights_hold_the_commands_that_take_them() {
        let engine = engine();
        let all = ask_of(&engine, categories, "");
        assert!(
            all.contains("|connection|read|write|metrics|admin|") && all.contains("|dangerous|"),
            "{all}"
        );
        for category in Category::ALL {
            let commands = lines_of(&engine, categories, category.name());
            for command in Command::served_with_subcommands(Protocol::Resp2) {
                let name = format!("VALUE {}", command.name().to_lowercase());
                let is_in = command.spec().category == category;
                assert_eq!(commands.lines().any(|line| line == name), is_in, "{name} {category:?}");
            }
        }
        assert!(ask_of(&engine, categories, "Dangerous").contains("|flushall|"));
        assert_eq!(ask_of(&engine, categories, "nope"), "ERROR SYNTAX Unknown category 'nope'|");
    }

    #[test]
    fn a_random_password_has_as_many_bits_as_are_asked_for() {
        let engine = engine();
        for (bits, digits) in [("", 64), ("1", 1), ("4", 1), ("5", 2), ("9", 3), ("4096", 1024)] {
            let password = ask_of(&engine, random_password, bits);
            assert_eq!(password.len(), "VALUE |".len() + digits, "{bits}");
        }
        for bits in ["0", "-1", "4097"] {
            assert!(
                ask_of(&engine, random_password, bits).contains("a positive number up to 4096"),
                "{bits}"
            );
        }
        assert!(ask_of(&engine, random_password, "x").contains("not an integer"));
    }
}
