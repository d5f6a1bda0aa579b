//! The table of options, in groups; the header of `options/mod.rs` says how to add a row.

mod clients;
mod data;
mod listeners;
mod process;
mod tls;
mod users;

use super::ConfigOption;

/// Makes a function that copies a field from one configuration to another: `copy!(tls.cert)`.
macro_rules! copy {
    ($($field:ident).+) => {
        |to, from| to.$($field).+.clone_from(&from.$($field).+)
    };
}
use copy;

/// Options that belong together.
#[derive(Debug)]
pub struct OptionGroup {
    /// Heading in help and documents.
    pub title: &'static str,
    /// Rows, in the order of help and documents.
    pub options: &'static [ConfigOption],
}

/// All groups, in the order of help and documents. A file's tables follow its other keys, so groups of tables come last.
pub static OPTION_GROUPS: [OptionGroup; 6] = [
    OptionGroup { title: "Listeners", options: listeners::LISTENERS },
    OptionGroup { title: "Users", options: users::USERS },
    OptionGroup { title: "Data", options: data::DATA },
    OptionGroup { title: "Limits on clients", options: clients::CLIENTS },
    OptionGroup { title: "Process", options: process::PROCESS },
    OptionGroup { title: "TLS", options: tls::TLS },
];

/// Returns all options, in the order of help and documents.
pub fn options() -> impl Iterator<Item = &'static ConfigOption> {
    OPTION_GROUPS.iter().flat_map(|group| group.options)
}
