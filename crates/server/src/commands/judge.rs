//! The judge: decides whether a user may do what a request asks, before anything of it is planned.

use rustvault_protocol::{Category, Command, ErrorCode, ErrorReply, Flags, Request};
use rustvault_users::{Rights, User};

use super::{Refusal, strings};
use crate::engine::Engine;
use crate::preview::preview;
use crate::session::{Login, Session};

/// The right that a user lacks for a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lacking<'b> {
    /// To this category: on any key, or on all of them for a command that names none.
    Command(Category),
    /// To this category on this key.
    Key(Category, &'b [u8]),
}

/// Checks that the client may do what the request asks.
#[inline]
pub(super) fn judge<S>(request: Request<'_>, session: &Session, engine: &Engine<S>) -> Result<(), Refusal> {
    match session.login() {
        Login::Open => Ok(()),
        Login::As(user) => match lacking(request, &user.rights) {
            None => Ok(()),
            Some(lacking) => Err(denied(lacking, request, user, session, engine)),
        },
        Login::LoggedOut if request.command.spec().flags.contains(Flags::NO_AUTH) => Ok(()),
        Login::LoggedOut => Err(auth_required()),
    }
}

/// Returns the right to the request that is lacking, if one is.
#[inline]
pub(super) fn lacking<'b>(request: Request<'b>, rights: &Rights) -> Option<Lacking<'b>> {
    let spec = request.command.spec();
    let category = spec.category;
    if category == Category::Connection {
        return None;
    }
    let Some(keys) = &spec.keys else {
        // A list of keys shows those that the user may read; everything else without keys is about all of them.
        let is_allowed = match category {
            Category::Read => rights.allow_some_key(category),
            _ => rights.allow_all_keys(category),
        };
        return (!is_allowed).then_some(Lacking::Command(category));
    };
    let returns_old = request.command == Command::Set && strings::set_returns_old(request.arguments);
    let reads = |key| keys.access.reads(key) || returns_old;
    // A command that reads a key reads its first one.
    if rights.allow_all_keys(category) && (!reads(0) || rights.allow_all_keys(Category::Read)) {
        return None;
    }
    request.keys().enumerate().find_map(|(position, key)| {
        let is_lacking = |category| !rights.allow_key(category, key);
        let category = if keys.access.writes(position) && is_lacking(Category::Write) {
            Category::Write
        } else if reads(position) && is_lacking(Category::Read) {
            Category::Read
        } else {
            return None;
        };
        let on_no_key = !rights.allow_some_key(category);
        Some(if on_no_key { Lacking::Command(category) } else { Lacking::Key(category, key) })
    })
}

#[cold]
fn auth_required() -> Refusal {
    let refusal = ErrorReply::fixed(ErrorCode::AuthRequired, "NOAUTH Authentication required.");
    Box::new(refusal.with_text("this server has users: log in first, with AUTH name password-or-token"))
}

/// Reports a denied request, and returns its error: Redis's line in RESP; in text also what is lacking.
#[cold]
fn denied<S>(
    lacking: Lacking<'_>,
    request: Request<'_>,
    user: &User,
    session: &Session,
    engine: &Engine<S>,
) -> Refusal {
    let (name, client) = (&user.name, &session.client);
    let command = request.command.spec().name.replace('|', " ");
    let what = lacking_right(lacking, &user.rights);
    engine.logins.audit.denied(client, name, &command, &what);
    let line = match lacking {
        Lacking::Command(_) => lacking_sentence(lacking, name, request.command),
        // Redis does not say which key: its clients know the sentence.
        Lacking::Key(..) => "No permissions to access a key".to_owned(),
    };
    let remedy = "who runs the server can grant it with `rustvault-cli user grant`";
    let text = format_args!("{command} is denied: the user '{name}' lacks {what}; {remedy}");
    Box::new(ErrorReply::new(ErrorCode::Denied, line).with_text(text))
}

/// Returns Redis's sentence about a lacking right, as `ACL DRYRUN` has it.
pub(super) fn lacking_sentence(lacking: Lacking<'_>, name: &str, command: Command) -> String {
    match lacking {
        Lacking::Command(_) => {
            let command = command.name().to_lowercase();
            format!("User {name} has no permissions to run the '{command}' command")
        }
        Lacking::Key(_, key) => {
            format!("User {name} has no permissions to access the '{}' key", preview(key))
        }
    }
}

/// Returns the right that is lacking in words, with the rule that denies it, if it is a rule.
fn lacking_right(lacking: Lacking<'_>, rights: &Rights) -> String {
    match lacking {
        Lacking::Command(category) if rights.allow_some_key(category) => {
            format!("the right '{}' on all keys", category.name())
        }
        Lacking::Command(category) => format!("the right '{}'", category.name()),
        Lacking::Key(category, key) => {
            let right = format!("the right '{}' on the key '{}'", category.name(), preview(key));
            match rights.prefix_rules(category).iter().find(|(prefix, _)| key.starts_with(prefix)) {
                Some((prefix, _)) => format!("{right}, denied by the prefix '{}'", preview(prefix)),
                None => right,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use rustvault_users::RightsRule;

    use super::*;

    fn rights(rules: &[(bool, Category, &str)]) -> Rights {
        let rule = |&(allows, category, prefix): &(bool, Category, &str)| RightsRule {
            allows,
            categories: [category].into_iter().collect(),
            prefix: prefix.as_bytes().to_vec(),
        };
        Rights::new(rules.iter().map(rule).collect()).unwrap()
    }

    /// Returns the right that a line of words lacks.
    fn lacks(line: &str, rights: &Rights) -> Option<String> {
        let words: Vec<_> = line.split(' ').map(str::as_bytes).collect();
        let command = Command::find_whole(words[0], rustvault_protocol::Protocol::Resp2).unwrap();
        let request = Request { command, arguments: &words[1..] };
        lacking(request, rights).map(|lacking| lacking_right(lacking, rights))
    }

    #[test]
    fn every_key_of_a_command_takes_the_rights_that_its_use_of_it_takes() {
        use Category::{Read, Write};
        let rights = rights(&[
            (true, Read, "r:"),
            (true, Write, "w:"),
            (true, Read, "rw:"),
            (true, Write, "rw:"),
            (false, Read, "rw:no:"),
        ]);
        for line in [
            "GET r:1",
            "MGET r:1 rw:1 r:2",
            "SET w:1 GET",
            "SET w:1 v NX",
            "SET rw:1 v GET",
            "MSET w:1 r:1 rw:1 r:1",
            "DEL w:1 rw:1",
            "APPEND w:1 v",
            "INCR rw:1",
            "COPY r:1 w:1",
            "RENAME rw:1 w:1",
            "KEYS *",
            "PING",
        ] {
            assert_eq!(lacks(line, &rights), None, "{line}");
        }
        for (line, right, key) in [
            ("GET w:1", "read", "w:1"),
            ("MGET r:1 x:1", "read", "x:1"),
            ("SET w:1 v GET", "read", "w:1"),
            ("SET w:1 v XX get", "read", "w:1"),
            ("MSET w:1 v r:1 v", "write", "r:1"),
            ("GETSET w:1 v", "read", "w:1"),
            ("GETDEL r:1", "write", "r:1"),
            ("INCR w:1", "read", "w:1"),
            ("COPY w:1 w:2", "read", "w:1"),
            ("COPY r:1 r:2", "write", "r:2"),
            ("RENAME r:1 w:1", "write", "r:1"),
            ("RENAME w:1 w:2", "read", "w:1"),
            ("RENAME rw:1 r:1", "write", "r:1"),
        ] {
            let expected = format!("the right '{right}' on the key '{key}'");
            assert_eq!(lacks(line, &rights), Some(expected), "{line}");
        }
        let denied = "the right 'read' on the key 'rw:no:1', denied by the prefix 'rw:no:'";
        assert_eq!(lacks("GET rw:no:1", &rights), Some(denied.to_owned()));
        assert_eq!(lacks("FLUSHALL", &rights), Some("the right 'write' on all keys".to_owned()));
        assert_eq!(lacks("CONFIG|GET x", &rights), Some("the right 'admin'".to_owned()));
    }

    /// Holds the shortcut for rights on all keys, which asks about the first key alone.
    #[test]
    fn a_command_that_reads_a_key_reads_its_first_one_and_writes_only_with_the_category() {
        for spec in Command::ALL.iter().map(|command| command.spec()) {
            let Some(keys) = &spec.keys else { continue };
            let reads = (0..4).any(|key| keys.access.reads(key));
            let writes = (0..4).any(|key| keys.access.writes(key));
            assert_eq!(reads, keys.access.reads(0), "{}", spec.name);
            let expected = if writes { Category::Write } else { Category::Read };
            assert_eq!(spec.category, expected, "{}", spec.name);
        }
    }
}
