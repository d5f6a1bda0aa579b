//! Names of commands: their rows in the table, and the names most like one that no command has.

use rustvault_protocol::{Command, CommandSpec, Protocol};

/// Protocol of the client's connections, which decides which commands there are.
pub(crate) const PROTOCOL: Protocol = Protocol::Resp3;

/// Other names for commands of this program.
const ALIASES: [(&str, &str); 4] = [("rm", "delete"), ("remove", "delete"), ("put", "set"), ("ls", "scan")];

/// Commands of this program that are no lines of a session, and that no server knows.
const ONE_SHOTS: [&str; 5] = ["export", "import", "bench", "wal", "user"];

/// Least similarity, from 0 to 1, at which a name is suggested for another one.
const MIN_SIMILARITY: f64 = 0.6;

/// Returns the row of the command that these words begin with, and how many of them are its name.
pub(crate) fn find_row<W: AsRef<[u8]>>(words: &[W]) -> Option<(&'static CommandSpec, usize)> {
    let command = Command::find(words.first()?.as_ref(), PROTOCOL)?;
    match words.get(1).and_then(|word| command.find_subcommand(word.as_ref(), PROTOCOL)) {
        Some(subcommand) => Some((subcommand.spec(), 2)),
        None => Some((command.spec(), 1)),
    }
}

/// Returns the command's own name if this is another one for it, in any case.
pub(crate) fn resolve_alias(name: &[u8]) -> Option<&'static str> {
    ALIASES.iter().find(|(alias, _)| alias.as_bytes().eq_ignore_ascii_case(name)).map(|(_, name)| *name)
}

/// Returns a row's name as it is typed, such as `client list`.
pub(crate) fn typed_name(spec: &CommandSpec) -> String {
    spec.name.replace('|', " ").to_ascii_lowercase()
}

/// Returns the rows of the commands that can be typed, each before its subcommands.
pub(crate) fn rows() -> impl Iterator<Item = &'static CommandSpec> {
    Command::served_with_subcommands(PROTOCOL).map(Command::spec)
}

/// Returns all names that can be typed, of subcommands with their command's, and without the session's own.
pub(crate) fn all() -> impl Iterator<Item = String> {
    rows().flat_map(|spec| {
        let aliases = spec.aliases.iter().map(|alias| alias.to_ascii_lowercase());
        aliases.chain([typed_name(spec)])
    })
}

/// Returns the names that are most like one that no command has.
pub(crate) fn similar_to(name: &[u8]) -> Vec<String> {
    let name = String::from_utf8_lossy(name).to_ascii_lowercase();
    let own = ALIASES.iter().map(|(alias, _)| *alias).chain(ONE_SHOTS).map(str::to_owned);
    let scored = all().chain(own).map(|known| (strsim::normalized_damerau_levenshtein(&name, &known), known));
    let close: Vec<_> = scored.filter(|(similarity, _)| *similarity >= MIN_SIMILARITY).collect();
    let best = close.iter().map(|(similarity, _)| *similarity).fold(0.0, f64::max);
    close.into_iter().filter(|(similarity, _)| *similarity >= best).map(|(_, known)| known).collect()
}

/// Returns what may help whoever typed a name that no server's command has.
pub(crate) fn advise_on(name: &[u8]) -> Option<String> {
    match ONE_SHOTS.iter().find(|own| own.as_bytes().eq_ignore_ascii_case(name)) {
        Some(own) => Some(format!("it is a command of this program: run 'rustvault-cli {own}'")),
        None => did_you_mean(&similar_to(name)),
    }
}

/// Returns the question whether one of these names was meant; `None` if there are none.
fn did_you_mean(names: &[String]) -> Option<String> {
    let quoted: Vec<_> = names.iter().map(|name| format!("'{name}'")).collect();
    (!quoted.is_empty()).then(|| format!("did you mean {}?", quoted.join(" or ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_found_with_their_subcommands() {
        let found = |words: &[&str]| find_row(words).map(|(spec, words)| (spec.name, words));
        assert_eq!(found(&["incr", "k"]), Some(("INCR", 1)));
        assert_eq!(found(&["Client", "LIST", "x"]), Some(("CLIENT|LIST", 2)));
        assert_eq!(found(&["client", "nonsense"]), Some(("CLIENT", 1)));
        assert_eq!(found(&["count"]), Some(("DBSIZE", 1)));
        assert_eq!(found(&["nonsense"]), None);
        assert_eq!(found(&[]), None);
    }

    #[test]
    fn names_that_are_nearly_typed_are_found() {
        assert_eq!(similar_to(b"gett"), ["get"]);
        assert_eq!(similar_to(b"DELTE"), ["delete"]);
        assert_eq!(similar_to(b"icnr"), ["incr"]);
        assert_eq!(similar_to(b"frobnicate"), [""; 0]);
        assert_eq!(similar_to(b"\xff\xff\xff"), [""; 0]);
        assert_eq!(similar_to(b"exprot"), ["export"]);
        assert_eq!(advise_on(b"gett").as_deref(), Some("did you mean 'get'?"));
        assert_eq!(
            advise_on(b"Export").as_deref(),
            Some("it is a command of this program: run 'rustvault-cli export'")
        );
        assert_eq!(advise_on(b"frobnicate"), None);
        assert_eq!(did_you_mean(&[]), None);
    }

    #[test]
    fn aliases_are_no_names_of_the_table() {
        for (alias, name) in ALIASES {
            assert!(find_row(&[alias]).is_none(), "{alias}");
            assert!(find_row(&[name]).is_some(), "{name}");
            assert_eq!(resolve_alias(alias.to_uppercase().as_bytes()), Some(name));
        }
    }
}
