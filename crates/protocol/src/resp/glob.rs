/// Whether all of `text` matches `glob`, as in Redis: `*` any bytes, `?` any one byte, `[a-z]` one byte of a
/// class, `[^a-z]` one byte outside it, `\` before a byte that stands for itself.
///
/// The work is at most the product of both lengths. A class without its `]` goes on to the end of the glob,
/// and of all globs made of stars only `*` itself matches the empty text.
pub fn glob_matches(glob: &[u8], text: &[u8]) -> bool {
    if text.is_empty() {
        return matches!(glob, b"" | b"*");
    }
    let (mut glob, mut text) = (glob, text);
    // What remained after the last star, and of the text where that star has not reached yet. Only the last
    // star is ever tried again: whatever an earlier one could take, the last one can take as well.
    let mut last_star: Option<(&[u8], &[u8])> = None;
    loop {
        if let [b'*', after_star @ ..] = glob {
            (glob, last_star) = (after_star, Some((after_star, text)));
            if glob.is_empty() {
                return true;
            }
            continue;
        }
        let Some((byte, after_byte)) = text.split_first() else { return glob.is_empty() };
        match match_byte(glob, *byte) {
            Some(after_element) => (glob, text) = (after_element, after_byte),
            None => match last_star {
                Some((after_star, [_, shorter @ ..])) => {
                    (glob, text, last_star) = (after_star, shorter, Some((after_star, shorter)));
                }
                _ => return false,
            },
        }
    }
}

/// The bytes with which every text that matches `glob` starts; often not all that could be said.
pub fn glob_literal_prefix(glob: &[u8]) -> &[u8] {
    let special = glob.iter().position(|byte| matches!(byte, b'*' | b'?' | b'[' | b'\\'));
    glob.split_at(special.unwrap_or(glob.len())).0
}

/// What remains of `glob` if its first element, no star, matches `byte`.
fn match_byte(glob: &[u8], byte: u8) -> Option<&[u8]> {
    match glob {
        [b'?', rest @ ..] => Some(rest),
        [b'[', class @ ..] => match_class(class, byte),
        [b'\\', literal, rest @ ..] | [literal, rest @ ..] => (*literal == byte).then_some(rest),
        [] => None,
    }
}

fn match_class(class: &[u8], byte: u8) -> Option<&[u8]> {
    let (negated, mut class) = match class {
        [b'^', rest @ ..] => (true, rest),
        _ => (false, class),
    };
    let mut found = false;
    loop {
        (found, class) = match class {
            [b'\\', literal, rest @ ..] => (found | (*literal == byte), rest),
            [b']', rest @ ..] => return (found != negated).then_some(rest),
            [first, b'-', last, rest @ ..] => {
                (found | (*first.min(last)..=*first.max(last)).contains(&byte), rest)
            }
            [literal, rest @ ..] => (found | (*literal == byte), rest),
            [] => return (found != negated).then_some(class),
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn globs_match_as_in_redis() {
        for (glob, text) in [
            ("", ""),
            ("*", ""),
            ("*", "abc"),
            ("a**", "a"),
            ("a*c", "abcbc"),
            ("*b*", "abc"),
            ("h?llo", "hello"),
            ("h[ae]llo", "hallo"),
            ("h[^e]llo", "hallo"),
            ("h[b-a]llo", "hallo"),
            (r"h\?llo", "h?llo"),
            (r"[\]]", "]"),
            (r"[a\-z]", "-"),
            ("[a", "a"),
            ("[a-", "-"),
            ("[^", "x"),
            ("[a-]", "]"),
            ("\\", "\\"),
        ] {
            assert!(glob_matches(glob.as_bytes(), text.as_bytes()), "{glob} {text}");
        }
        for (glob, text) in [
            ("", "a"),
            ("a", ""),
            ("**", ""),
            ("a?", "a"),
            ("a", "ab"),
            ("A", "a"),
            ("h[^e]llo", "hello"),
            (r"h\?llo", "hello"),
            ("[", "["),
            ("[]", "]"),
            ("[]-a]", "a"),
            ("*a", "ab"),
            ("*?c*d", "cd"),
        ] {
            assert!(!glob_matches(glob.as_bytes(), text.as_bytes()), "{glob} {text}");
        }
    }

    /// Exponential backtracking would not end.
    #[test]
    fn many_stars_take_no_more_than_quadratic_work() {
        assert!(!glob_matches(&[b"*a".repeat(500), b"b".to_vec()].concat(), &[b'a'; 2000]));
    }

    #[test]
    fn the_literal_prefix_ends_at_the_first_special_byte() {
        for (glob, prefix) in [("user:*", "user:"), ("a?", "a"), ("[a]", ""), (r"a\*", "a"), ("ab", "ab")] {
            assert_eq!(glob_literal_prefix(glob.as_bytes()), prefix.as_bytes(), "{glob}");
        }
    }
}
