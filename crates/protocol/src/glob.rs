//! Globs, as in Redis's `KEYS` and `SCAN`.

/// Returns whether all of `text` matches `glob`, as in Redis: `*` any bytes, `?` any one byte, `[a-z]` one byte of a
/// class, `[^a-z]` one byte outside it, `\` before a byte that is matched literally.
///
/// The work is at most the product of both lengths; [`GlobMatch`] does it in portions. A class without its `]` extends to the end
/// of the glob. Of all globs that consist of stars, only `*` itself matches the empty text.
pub fn glob_matches(glob: &[u8], text: &[u8]) -> bool {
    let mut more_steps_than_it_takes = usize::MAX;
    GlobMatch::new(glob, text).advance(&mut more_steps_than_it_takes) == Some(true)
}

/// A resumable match of one text against a glob, with the result of [`glob_matches`].
#[derive(Debug, Clone)]
pub struct GlobMatch<'a> {
    glob: &'a [u8],
    text: &'a [u8],
    /// The glob after the last star, and the part of the text that this star has not reached yet. Backtracking only extends the last
    /// star, because it can match everything that an earlier one could.
    last_star: Option<(&'a [u8], &'a [u8])>,
    /// Set if the whole text is empty; `text` above is the part that is left to match.
    is_text_empty: bool,
}

impl<'a> GlobMatch<'a> {
    /// Begins to match all of `text`.
    pub const fn new(glob: &'a [u8], text: &'a [u8]) -> Self {
        Self { glob, text, last_star: None, is_text_empty: text.is_empty() }
    }

    /// Continues until the result is known or `steps` are used up, and subtracts the used steps from `steps`.
    ///
    /// A step is a byte of the glob. A class is matched as a whole, so one call may take up to its length more. Returns `None` if the
    /// result is not known yet: call again, with more than 0 steps. Do not call again after `Some`.
    pub fn advance(&mut self, steps: &mut usize) -> Option<bool> {
        if self.is_text_empty {
            return Some(matches!(self.glob, b"" | b"*"));
        }
        while *steps > 0 {
            let before_bytes = self.glob.len();
            if let [b'*', after_star @ ..] = self.glob {
                (self.glob, self.last_star) = (after_star, Some((after_star, self.text)));
                *steps -= 1;
                if after_star.is_empty() {
                    return Some(true);
                }
                continue;
            }
            let Some((byte, after_byte)) = self.text.split_first() else { return Some(self.glob.is_empty()) };
            let (matches, after_element) = match_byte(self.glob, *byte);
            *steps = steps.saturating_sub(1.max(before_bytes - after_element.len()));
            if matches {
                (self.glob, self.text) = (after_element, after_byte);
            } else if let Some((after_star, [_, shorter @ ..])) = self.last_star {
                (self.glob, self.text, self.last_star) = (after_star, shorter, Some((after_star, shorter)));
            } else {
                return Some(false);
            }
        }
        None
    }
}

/// Returns bytes with which every text starts that matches `glob`; not always the longest such prefix.
pub fn glob_literal_prefix(glob: &[u8]) -> &[u8] {
    let special = glob.iter().position(|byte| matches!(byte, b'*' | b'?' | b'[' | b'\\'));
    glob.split_at(special.unwrap_or(glob.len())).0
}

/// Returns whether the first element of `glob`, which is no star, matches `byte`, and the glob after that element.
fn match_byte(glob: &[u8], byte: u8) -> (bool, &[u8]) {
    match glob {
        [b'?', rest @ ..] => (true, rest),
        [b'[', class @ ..] => match_class(class, byte),
        [b'\\', literal, rest @ ..] | [literal, rest @ ..] => (*literal == byte, rest),
        [] => (false, glob),
    }
}

fn match_class(class: &[u8], byte: u8) -> (bool, &[u8]) {
    let (negated, mut class) = match class {
        [b'^', rest @ ..] => (true, rest),
        _ => (false, class),
    };
    let mut found = false;
    loop {
        (found, class) = match class {
            [b'\\', literal, rest @ ..] => (found | (*literal == byte), rest),
            [b']', rest @ ..] => return (found != negated, rest),
            [first, b'-', last, rest @ ..] => {
                (found | (*first.min(last)..=*first.max(last)).contains(&byte), rest)
            }
            [literal, rest @ ..] => (found | (*literal == byte), rest),
            [] => return (found != negated, class),
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
    fn matching_in_portions_gives_the_same() {
        for (glob, text) in
            [("*a*a*b", "aaaaaaaaaaaa"), ("*[^a-y]*z", "aaaaaz"), ("h?l*", "hello"), ("", ""), ("*", "")]
        {
            let mut matching = GlobMatch::new(glob.as_bytes(), text.as_bytes());
            let mut portions = 0;
            let matches = loop {
                portions += 1;
                let mut steps = 1;
                if let Some(matches) = matching.advance(&mut steps) {
                    break matches;
                }
                assert_eq!(steps, 0);
            };
            assert_eq!(matches, glob_matches(glob.as_bytes(), text.as_bytes()), "{glob} {text}");
            assert!(portions <= (glob.len() + 1) * (text.len() + 1), "{glob} {text}: {portions}");
        }
    }

    #[test]
    fn a_class_takes_as_many_steps_as_it_has_bytes() {
        let mut steps = 100;
        assert_eq!(GlobMatch::new(b"[abcdefgh]x", b"xx").advance(&mut steps), Some(false));
        assert_eq!(steps, 90);
    }

    #[test]
    fn the_literal_prefix_ends_at_the_first_special_byte() {
        for (glob, prefix) in [("user:*", "user:"), ("a?", "a"), ("[a]", ""), (r"a\*", "a"), ("ab", "ab")] {
            assert_eq!(glob_literal_prefix(glob.as_bytes()), prefix.as_bytes(), "{glob}");
        }
    }
}
