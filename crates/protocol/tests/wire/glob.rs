//! Globs match what a naive matcher matches that follows the rules as they are told.

use proptest::{collection::vec, prelude::*, sample::select};
use rustvault_protocol::{glob_literal_prefix, glob_matches};

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4096))]

    #[test]
    fn globs_match_as_the_naive_matcher_does(glob in any_glob(), text in vec(select(&b"ab-]\\"[..]), 0..8)) {
        prop_assert_eq!(glob_matches(&glob, &text), naive(&glob, &text), "{:?} {:?}", glob, text);
    }

    #[test]
    fn arbitrary_globs_do_no_harm(glob in vec(any::<u8>(), 0..64), text in vec(any::<u8>(), 0..64)) {
        glob_matches(&glob, &text);
    }

    #[test]
    fn what_matches_starts_with_the_literal_prefix(glob in any_glob(), text in vec(select(&b"ab"[..]), 0..5)) {
        prop_assert!(!glob_matches(&glob, &text) || text.starts_with(glob_literal_prefix(&glob)));
    }

    #[test]
    fn escaped_text_matches_itself_alone(text in vec(any::<u8>(), 0..16), other in vec(any::<u8>(), 0..16)) {
        let escaped: Vec<u8> = text.iter().flat_map(|byte| [b'\\', *byte]).collect();
        prop_assert!(glob_matches(&escaped, &text));
        prop_assert_eq!(glob_matches(&escaped, &other), text == other);
    }
}

fn any_glob() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        4 => select(&["a", "b", "-"][..]),
        3 => select(&["*", "?"][..]),
        3 => select(&["[ab]", "[^a]", "[a-b]", "[b-a]", "[\\]]", "[a\\-b]", "[^", "[", "]", "\\", "^"][..]),
    ];
    vec(piece, 0..8).prop_map(|pieces| pieces.concat().into_bytes())
}

/// Tries everything that a star could stand for.
fn naive(glob: &[u8], text: &[u8]) -> bool {
    match text {
        [] if glob.len() > 1 => false,
        _ => naive_rest(glob, text),
    }
}

fn naive_rest(glob: &[u8], text: &[u8]) -> bool {
    match (glob, text) {
        ([], _) => text.is_empty(),
        ([b'*', rest @ ..], _) => (0..=text.len()).any(|taken| naive_rest(rest, &text[taken..])),
        (_, []) => false,
        ([b'?', rest @ ..], [_, text @ ..]) => naive_rest(rest, text),
        ([b'[', class @ ..], [byte, text @ ..]) => {
            let (members, rest) = naive_class(class);
            members.contains(byte) && naive_rest(rest, text)
        }
        ([b'\\', literal, rest @ ..] | [literal, rest @ ..], [byte, text @ ..]) => {
            literal == byte && naive_rest(rest, text)
        }
    }
}

/// Every byte that is in the class, and what follows the class.
fn naive_class(class: &[u8]) -> (Vec<u8>, &[u8]) {
    let negated = class.first() == Some(&b'^');
    let (mut at, mut members) = (usize::from(negated), Vec::new());
    while at < class.len() && class[at] != b']' {
        if class[at] == b'\\' && at + 1 < class.len() {
            members.push(class[at + 1]);
            at += 2;
        } else if at + 2 < class.len() && class[at + 1] == b'-' {
            let (first, last) = (class[at], class[at + 2]);
            members.extend(first.min(last)..=first.max(last));
            at += 3;
        } else {
            members.push(class[at]);
            at += 1;
        }
    }
    if negated {
        members = (0..=u8::MAX).filter(|byte| !members.contains(byte)).collect();
    }
    (members, class.get(at + 1..).unwrap_or_default())
}
