//! Hints on lines: arguments that may follow, and words that are stored although they look like options.

use rustvault_protocol::CommandSpec;

use super::line::{split_field, split_word};
use super::remaining;
use crate::{help, names};

/// Options of Redis's `SET` that take a number.
const EXPIRIES: [&str; 4] = ["EX", "PX", "EXAT", "PXAT"];

/// Options of Redis's `SET` that stand alone.
const FLAGS: [&str; 3] = ["NX", "XX", "KEEPTTL"];

/// Returns a warning about a `set` whose bare value ends like options of Redis's `SET`: they are stored.
pub(super) fn of_line(line: &str) -> Option<String> {
    let (verb, rest) = split_word(line.trim_start().as_bytes());
    if !verb.eq_ignore_ascii_case(b"set") {
        return None;
    }
    let (_key, value) = split_field(rest.trim_ascii_start());
    let value = std::str::from_utf8(value.trim_ascii()).ok().filter(|value| !value.starts_with('"'))?;
    let (rest, last) = value.rsplit_once(' ')?;
    if FLAGS.iter().any(|flag| last.eq_ignore_ascii_case(flag)) {
        return Some(format!("'{last}' is part of the value (options follow a quoted one); {ADVICE}"));
    }
    let (_, name) = rest.rsplit_once(' ')?;
    let is_number = last.bytes().all(|byte| byte.is_ascii_digit());
    let is_expiry = is_number && EXPIRIES.iter().any(|expiry| name.eq_ignore_ascii_case(expiry));
    is_expiry.then(|| format!("'{name} {last}' is part of the value (no expiry yet); {ADVICE}"))
}

/// End of a warning: the way to store a value with spaces on purpose.
const ADVICE: &str = "quote a value that has spaces";

/// Returns the arguments that may still follow in a line that begins with a command of the table.
pub(super) fn rest_of_syntax(line: &str) -> Option<String> {
    let fields = fields(line.trim_start().as_bytes());
    let (spec, name_words) = names::find_row(&fields)?;
    let typed = fields.get(name_words..)?;
    // Its next word is the name of a subcommand, which completion knows.
    let rest = match () {
        () if spec.is_container || is_rest_of_line(spec, typed) => return None,
        () if typed.is_empty() => whole_syntax(spec),
        () => remaining::after(spec.arguments(), typed)?,
    };
    (!rest.is_empty()).then_some(rest)
}

/// Returns whether the line's end belongs to a bare value already.
fn is_rest_of_line(spec: &CommandSpec, typed: &[&[u8]]) -> bool {
    let value = spec.rest.and_then(|position| typed.get(usize::from(position)));
    value.is_some_and(|value| !value.starts_with(b"\""))
}

/// Returns all that may follow a command's name.
fn whole_syntax(spec: &CommandSpec) -> String {
    match help::own_options(spec) {
        "" => spec.syntax.to_owned(),
        options => format!("{} | {options}", spec.syntax),
    }
}

/// Splits a line into its fields, quoted ones with their quotes.
fn fields(mut line: &[u8]) -> Vec<&[u8]> {
    let mut fields = Vec::new();
    while !line.is_empty() {
        let (field, rest) = split_field(line);
        fields.push(field);
        line = rest.trim_ascii_start();
    }
    fields
}

#[cfg(test)]
mod tests {
    use super::{of_line, rest_of_syntax};

    #[test]
    fn the_arguments_that_are_not_typed_yet_are_shown() {
        for (line, rest) in [
            ("incrby", "key increment"),
            ("incrby ", "key increment"),
            ("INCRBY hits", "increment"),
            ("mget \"two words\" ", "[key ...]"),
            ("client list ", "[TYPE <NORMAL | MASTER | REPLICA | PUBSUB>] [ID client-id [client-id ...]]"),
            ("set k \"v\" ", "[NX | XX] [GET]"),
            ("set k", "value [NX | XX] [GET]"),
            ("scan ", "cursor [MATCH pattern] [COUNT count] [TYPE type] | [--prefix P] [--limit N]"),
        ] {
            assert_eq!(rest_of_syntax(line).as_deref(), Some(rest), "{line:?}");
        }
    }

    #[test]
    fn where_nothing_can_follow_nothing_is_shown() {
        for line in [
            "",
            "in",
            "incr k",
            "set k v",
            "set k v w",
            "ping to be",
            "get a b",
            "nonsense ",
            "client",
            "client l",
        ] {
            assert_eq!(rest_of_syntax(line), None, "{line:?}");
        }
    }

    #[test]
    fn options_of_other_servers_at_the_end_of_a_value_are_hinted_at() {
        for (line, options) in [
            ("set k v EX 10", "'EX 10'"),
            ("  SET k v pxat 1500 ", "'pxat 1500'"),
            ("set \"two words\" v ex 1", "'ex 1'"),
            ("set k v keepttl", "'keepttl'"),
            ("set k many words NX", "'NX'"),
        ] {
            let hint = of_line(line).unwrap_or_default();
            assert!(hint.starts_with(&format!("{options} is part of the value")), "{line}: {hint}");
            assert_eq!(hint.contains("no expiry yet"), line.contains(char::is_numeric), "{hint}");
        }
    }

    #[test]
    fn other_lines_have_no_hint() {
        for line in [
            "",
            "set",
            "set k",
            "set k EX 10",
            "set k NX",
            "set k v",
            "set k v EX",
            "set k v EX 1O",
            "set k \"v EX 10\"",
            "get k EX 10",
            "set k v EX 10 more",
            "set k v EX10",
        ] {
            assert_eq!(of_line(line), None, "{line}");
        }
    }
}
