//! Man page of one command.

use clap::Command;
use clap_mangen::Man;
use clap_mangen::roff::{Roff, bold, roman};

use super::{MAN_SECTION, ManFacts};

/// Longest line of a help text that is laid out by hand; a text with longer ones has a paragraph a line.
const MAX_LAID_OUT_CHARS: usize = 110;

/// Begins what a help text says about exit codes, which ends at an empty line.
const EXIT_CODES: &str = "Exit codes:";

/// Returns the name of a command's page: `rustvault-cli-wal-inspect`.
pub(super) fn title(command: &Command) -> String {
    command.get_display_name().unwrap_or_else(|| command.get_name()).to_owned()
}

/// Returns a command's page.
pub(super) fn render(
    command: &Command,
    parent: Option<&Command>,
    source: &str,
    facts: ManFacts<'_>,
) -> String {
    // An empty date would be left out, and the source would take its place.
    let man = Man::new(command.clone()).title(title(command)).date(" ").source(source).manual("RustVault");
    let mut page = Vec::new();
    man.render_title(&mut page).unwrap();
    man.render_name_section(&mut page).unwrap();
    man.render_synopsis_section(&mut page).unwrap();
    man.render_description_section(&mut page).unwrap();
    man.render_options_section(&mut page).unwrap();
    if command.get_subcommands().any(|subcommand| !subcommand.is_hide_set()) {
        man.render_subcommands_section(&mut page).unwrap();
    }
    let mut roff = Roff::new();
    put_help_text(command, parent, &mut roff);
    if parent.is_none() {
        put_list("ENVIRONMENT", &environment(command, facts), &mut roff);
        let files = facts.files.iter().map(|&(name, text)| (name.to_owned(), text.to_owned()));
        put_list("FILES", &files.collect::<Vec<_>>(), &mut roff);
    }
    put_references(command, parent, facts, &mut roff);
    page.extend(roff.to_roff().into_bytes());
    String::from_utf8(page).unwrap()
}

/// Adds the text below the options, with the exit codes in a section of their own.
fn put_help_text(command: &Command, parent: Option<&Command>, roff: &mut Roff) {
    let text = command.get_after_long_help().or_else(|| command.get_after_help());
    let text = text.map(ToString::to_string).unwrap_or_default();
    let begin = text.find(EXIT_CODES);
    let (before, rest) = text.split_at(begin.unwrap_or(text.len()));
    let (exit_codes, behind) = rest.split_once("\n\n").unwrap_or((rest, ""));
    match (exit_codes.strip_prefix(EXIT_CODES), parent) {
        (Some(exit_codes), _) => put_section("EXIT STATUS", exit_codes, roff),
        (None, Some(parent)) => {
            put_section("EXIT STATUS", &format!("See {}({MAN_SECTION}).", title(parent)), roff)
        }
        (None, None) => panic!("{} does not tell its exit codes", title(command)),
    }
    let notes = [before.trim_end(), behind].join("\n\n");
    if !notes.trim().is_empty() {
        put_section("NOTES", &notes, roff);
    }
}

fn put_section(heading: &str, text: &str, roff: &mut Roff) {
    let text = text.trim_matches('\n');
    let is_laid_out = text.lines().all(|line| line.chars().count() <= MAX_LAID_OUT_CHARS);
    roff.control("SH", [heading]);
    if is_laid_out {
        roff.control("nf", []);
    }
    for line in text.lines() {
        match line.trim() {
            "" => roff.control("PP", []),
            _ if is_laid_out => roff.text([roman(line)]),
            line => roff.text([roman(line)]).control("PP", []),
        };
    }
    if is_laid_out {
        roff.control("fi", []);
    }
}

/// Returns the variables of the options, and the others.
fn environment(command: &Command, facts: ManFacts<'_>) -> Vec<(String, String)> {
    let of_options = command.get_arguments().filter_map(|option| {
        let variable = option.get_env()?.to_str()?.to_owned();
        let flag = option.get_long()?;
        Some((variable, format!("The value of --{flag}, unless that is given.")))
    });
    let others = facts.environment.iter().map(|&(name, text)| (name.to_owned(), text.to_owned()));
    of_options.chain(others).collect()
}

fn put_list(heading: &str, entries: &[(String, String)], roff: &mut Roff) {
    if entries.is_empty() {
        return;
    }
    roff.control("SH", [heading]);
    for (name, text) in entries {
        roff.control("TP", []).text([bold(name.as_str())]).text([roman(text.as_str())]);
    }
}

fn put_references(command: &Command, parent: Option<&Command>, facts: ManFacts<'_>, roff: &mut Roff) {
    let own =
        parent.into_iter().chain(command.get_subcommands().filter(|subcommand| !subcommand.is_hide_set()));
    let own = own.map(|command| format!("{}({MAN_SECTION})", title(command)));
    let others = facts.see_also.iter().map(|page| (*page).to_owned());
    let pages: Vec<_> = own.chain(others).collect();
    roff.control("SH", ["SEE ALSO"]).text([roman(pages.join(", "))]);
}
