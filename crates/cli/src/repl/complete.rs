//! Completion of a line's first words: names of commands, of their subcommands, and options of the session's own forms.

use crate::help::OWN_FORMS;
use crate::names;

/// Returns the position where the word begins that is being typed, and what it may become.
pub(super) fn candidates(typed: &str) -> (usize, Vec<String>) {
    let start = typed.rfind(' ').map_or(0, |space| space + 1);
    let (before, word) = typed.split_at(start);
    let before: Vec<_> = before.split_whitespace().map(str::to_ascii_lowercase).collect();
    let word = word.to_ascii_lowercase();
    // What follows help is a name like any other.
    let before = match before.split_first() {
        Some((help, names)) if help == "help" => names,
        _ => &before[..],
    };
    let mut found: Vec<_> = phrases()
        .filter_map(|phrase| Some(format!("{} ", next_word(&phrase, before)?)))
        .filter(|next| next.starts_with(&word))
        .collect();
    found.sort_unstable();
    found.dedup();
    (start, found)
}

/// Returns all names, and the options that own forms begin with: `client list`, `scan --prefix`.
fn phrases() -> impl Iterator<Item = String> {
    let own = OWN_FORMS.iter().flat_map(|(usage, _)| usage.split(", ")).flat_map(|usage| {
        let mut words = usage.split([' ', '[', ']']).filter(|word| !word.is_empty());
        let name = words.next().unwrap_or_default().to_ascii_lowercase();
        let options = words.filter(|word| word.starts_with("--")).map(|option| format!("{name} {option}"));
        [name.clone()].into_iter().chain(options.collect::<Vec<_>>())
    });
    names::all().chain(own.filter(|name| name != "ctrl-d"))
}

/// Returns the word of a phrase that follows these.
fn next_word<'p>(phrase: &'p str, before: &[String]) -> Option<&'p str> {
    let mut words = phrase.split(' ');
    before.iter().all(|word| words.next() == Some(word)).then(|| words.next())?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_completed_in_any_case() {
        assert_eq!(candidates("ex"), (0, vec!["exec ".to_owned(), "exists ".to_owned(), "exit ".to_owned()]));
        assert_eq!(candidates("INCRBYF"), (0, vec!["incrbyfloat ".to_owned()]));
        assert_eq!(candidates("cli"), (0, vec!["client ".to_owned()]));
        assert_eq!(candidates("qu"), (0, vec!["quit ".to_owned()]));
        assert_eq!(candidates("cou"), (0, vec!["count ".to_owned()]));
    }

    #[test]
    fn subcommands_are_completed_behind_their_command() {
        assert_eq!(candidates("client l"), (7, vec!["list ".to_owned()]));
        assert_eq!(candidates("CLIENT SETN"), (7, vec!["setname ".to_owned()]));
        let (start, all) = candidates("object ");
        assert_eq!((start, &all[..]), (7, &["encoding ".to_owned(), "help ".to_owned()][..]));
    }

    #[test]
    fn help_takes_the_names_of_commands() {
        assert_eq!(candidates("help incrbyf"), (5, vec!["incrbyfloat ".to_owned()]));
        assert_eq!(candidates("help client l"), (12, vec!["list ".to_owned()]));
    }

    #[test]
    fn options_of_own_forms_are_completed_and_keys_are_not() {
        assert_eq!(candidates("scan --l"), (5, vec!["--limit ".to_owned()]));
        assert_eq!(candidates("get s"), (4, vec![]));
        assert_eq!(candidates("client list t"), (12, vec![]));
    }
}
