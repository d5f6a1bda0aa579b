//! Facts that whoever changes the file of users should know, on standard error.

use std::io::{self, IsTerminal, Write};
use std::path::Path;

use rustix::process::geteuid;
use rustvault_users::Users;
use rustvault_users::edit::has_admin;

use crate::escape::visible;

/// Returns what the change of a user has led to, and was perhaps not meant.
pub(super) fn warnings(name: &str, before: &Users, after: &Users) -> Vec<String> {
    let mut warnings = Vec::new();
    if after.is_empty() {
        warnings.push("no user is left: nobody can log in".to_owned());
    } else if has_admin(before) && !has_admin(after) {
        let text =
            "no user has the right 'admin' any more: the server obeys nobody who would change its settings";
        warnings.push(text.to_owned());
    }
    if let Some(user) = after.get(name) {
        if user.rights.rules().iter().all(|rule| !rule.allows) {
            warnings
                .push(format!("'{name}' may do nothing yet: 'rustvault-cli user grant {name} read,write'"));
        }
        if user.credentials.is_empty() && before.get(name).is_some_and(|user| !user.credentials.is_empty()) {
            warnings.push(format!("'{name}' has no password and no token left"));
        }
    }
    warnings
}

/// Returns what a server needs in order to know of the change.
pub(super) fn how_it_is_learned(path: &Path, is_new: bool) -> Vec<String> {
    let file = path.display();
    if !is_new {
        return vec![
            "a server takes this over by itself within 60 s, at once after a SIGHUP or CONFIG RELOAD"
                .to_owned(),
        ];
    }
    let mut lines = vec![format!("made {file}: a server uses it if it is started with --users {file}")];
    if geteuid().is_root() {
        lines.push(format!("the file belongs to root: a server of another user needs 'chown USER {file}'"));
    }
    lines
}

/// Prints lines to standard error.
pub(super) fn print(lines: impl IntoIterator<Item = String>) {
    let mut stderr = io::stderr().lock();
    let is_terminal = stderr.is_terminal();
    for line in lines {
        let line = if is_terminal { visible(&line) } else { line.as_str().into() };
        // The change is made, whoever reads of it.
        let _ = writeln!(stderr, "{line}");
    }
}
