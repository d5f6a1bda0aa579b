//! Hints on lines that do something else than their writer may expect.

use super::line::{split_field, split_word};

/// Options of Redis's `SET` that take a number.
const EXPIRIES: [&str; 4] = ["EX", "PX", "EXAT", "PXAT"];

/// Options of Redis's `SET` that stand alone.
const FLAGS: [&str; 3] = ["NX", "XX", "KEEPTTL"];

/// Returns what to know about a `set` whose bare value ends like options of Redis's `SET`: they are stored.
pub(super) fn of_line(line: &str) -> Option<String> {
    let (verb, rest) = split_word(line.trim_start().as_bytes());
    if !verb.eq_ignore_ascii_case(b"set") {
        return None;
    }
    let (_key, value) = split_field(rest.trim_ascii_start());
    let value = std::str::from_utf8(value.trim_ascii()).ok().filter(|value| !value.starts_with('"'))?;
    let (rest, last) = value.rsplit_once(' ')?;
    if FLAGS.iter().any(|flag| last.eq_ignore_ascii_case(flag)) {
        return Some(format!("'{last}' is part of the value (set takes no options); {ADVICE}"));
    }
    let (_, name) = rest.rsplit_once(' ')?;
    let is_number = last.bytes().all(|byte| byte.is_ascii_digit());
    let is_expiry = is_number && EXPIRIES.iter().any(|expiry| name.eq_ignore_ascii_case(expiry));
    is_expiry.then(|| format!("'{name} {last}' is part of the value (no expiry yet); {ADVICE}"))
}

/// Ends the hint, for those who mean it.
const ADVICE: &str = "quote a value that has spaces";

#[cfg(test)]
mod tests {
    use super::of_line;

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
