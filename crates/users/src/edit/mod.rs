//! Changes of a file of users: its comments and order stay, and no other change gets in between or is lost.

mod replace;
mod tables;

use std::io;
use std::path::{Path, PathBuf};

use toml_edit::{DocumentMut, TableLike};

use crate::file::{self, UsersFileError};
use crate::similar::most_similar;
use crate::{Categories, Credential, Rights, Users};
use replace::LockedFile;

/// First lines of a new file.
const HEAD: &str =
    "# Users of a RustVault server: 'rustvault-cli user' changes this file, and it may be edited by hand.\n";

/// A file of users that is being changed, and that nobody else changes meanwhile in this way.
#[derive(Debug)]
pub struct UsersEdit {
    file: LockedFile,
    document: DocumentMut,
    users: Users,
    /// The names of the users that are changed.
    changed: Vec<String>,
}

impl UsersEdit {
    /// Opens a file for changes, and waits for whoever changes it now. A file that is missing has no users.
    ///
    /// # Errors
    /// The file cannot be used, or somebody else does not end a change.
    pub fn open(path: &Path) -> Result<Self, EditError> {
        let file = LockedFile::open(path)?;
        let text = file.text().unwrap_or(HEAD);
        let invalid = |mistakes| UsersFileError::Invalid { path: path.to_owned(), mistakes };
        let users = file::parse(text).map_err(invalid)?;
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let document = text.parse().map_err(|error: toml_edit::TomlError| refused(error.message()))?;
        Ok(Self { file, document, users, changed: Vec::new() })
    }

    /// Returns the users as they were when the file was opened.
    pub fn users(&self) -> &Users {
        &self.users
    }

    /// Returns whether the file is missing and will be made.
    pub fn is_new(&self) -> bool {
        self.file.text().is_none()
    }

    /// Adds a user without credentials and rights.
    ///
    /// # Errors
    /// There is one of this name.
    pub fn add_user(&mut self, name: &str) -> Result<(), EditError> {
        if self.users.get(name).is_some() {
            return Err(EditError::UserExists { name: name.to_owned() });
        }
        tables::push_user(&mut self.document, name);
        self.changed.push(name.to_owned());
        Ok(())
    }

    /// Removes a user.
    ///
    /// # Errors
    /// There is none of this name.
    pub fn remove_user(&mut self, name: &str) -> Result<(), EditError> {
        self.user(name)?;
        tables::remove_user(&mut self.document, name);
        Ok(())
    }

    /// Gives a user a credential, in place of the one with its label if there is one.
    ///
    /// # Errors
    /// There is no such user.
    pub fn put_credential(&mut self, name: &str, credential: &Credential) -> Result<(), EditError> {
        tables::put_credential(self.user(name)?, credential);
        Ok(())
    }

    /// Takes a credential from a user.
    ///
    /// # Errors
    /// There is no such user, or it has no credential with this label.
    pub fn remove_credential(&mut self, name: &str, label: &str) -> Result<(), EditError> {
        if tables::remove_credential(self.user(name)?, label) {
            return Ok(());
        }
        let user = self.users.get(name);
        let labels = user.iter().flat_map(|user| &user.credentials).map(|it| it.label.clone()).collect();
        Err(EditError::UnknownLabel { name: name.to_owned(), label: label.to_owned(), labels })
    }

    /// Allows or denies a user these categories for this prefix, whatever was said of just this prefix before.
    ///
    /// # Errors
    /// There is no such user.
    pub fn put_right(
        &mut self,
        name: &str,
        allows: bool,
        categories: Categories,
        prefix: &[u8],
    ) -> Result<(), EditError> {
        tables::put_right(self.user(name)?, allows, categories, prefix);
        Ok(())
    }

    /// Removes what is said of these categories for just this prefix, be it allowed or denied.
    ///
    /// # Errors
    /// There is no such user, or nothing is said of them.
    pub fn remove_right(
        &mut self,
        name: &str,
        categories: Categories,
        prefix: &[u8],
    ) -> Result<(), EditError> {
        let is_removed = tables::remove_right(self.user(name)?, categories, prefix);
        if is_removed { Ok(()) } else { Err(EditError::NoSuchRight { name: name.to_owned() }) }
    }

    /// Writes the file: all of the change or none of it. Returns the users as they are now.
    ///
    /// # Errors
    /// The change breaks a limit, or the file could not be written and is as it was.
    pub fn save(self) -> Result<Users, EditError> {
        let text = self.document.to_string();
        let users = file::parse(&text).map_err(|mistakes| {
            refused(mistakes.list().first().map_or("the file would be invalid", |mistake| &mistake.reason))
        })?;
        // Tables of a file made by hand may stand in any order: a change must not move one to another user.
        let mut others = self.users.iter().filter(|user| !self.changed.contains(&user.name));
        if !others.all(|user| users.get(&user.name) == Some(user)) {
            return Err(refused("it would change another user; change the file by hand"));
        }
        self.file.replace(&text)?;
        Ok(users)
    }

    /// Returns the tables of a user that is to be changed.
    fn user(&mut self, name: &str) -> Result<&mut dyn TableLike, EditError> {
        self.changed.push(name.to_owned());
        match tables::find_user(&mut self.document, name) {
            Some(user) => Ok(user),
            None => Err(unknown_user(name, &self.users)),
        }
    }
}

/// Returns the error that names who was probably meant by the name of no user.
pub fn unknown_user(name: &str, users: &Users) -> EditError {
    let names: Vec<_> = users.iter().map(|user| &*user.name).collect();
    let similar = most_similar(name, &names).map(str::to_owned);
    EditError::UnknownUser { name: name.to_owned(), similar }
}

/// Returns whether somebody may do what is for those who run the server.
pub fn has_admin(users: &Users) -> bool {
    let admin = rustvault_protocol::Category::Admin;
    users.iter().map(|user| &user.rights).any(|rights: &Rights| rights.allow_all_keys(admin))
}

fn refused(reason: &str) -> EditError {
    EditError::Refused { reason: reason.to_owned() }
}

fn in_quotes(labels: &[String]) -> String {
    let quoted: Vec<_> = labels.iter().map(|label| format!("'{label}'")).collect();
    if quoted.is_empty() { "none at all".to_owned() } else { quoted.join(", ") }
}

/// Reason why a file of users was not changed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EditError {
    /// The file cannot be used.
    #[error(transparent)]
    File(#[from] UsersFileError),
    /// No user has this name.
    #[error("there is no user '{}'{}", name.escape_debug(), similar.as_ref().map(|name| format!("; did you mean '{name}'?")).unwrap_or_default())]
    UnknownUser {
        /// The name.
        name: String,
        /// A user whose name is much like it.
        similar: Option<String>,
    },
    /// A user has this name already.
    #[error("there is a user '{name}' already")]
    UserExists {
        /// The name.
        name: String,
    },
    /// No credential of the user has this label.
    #[error("the user '{name}' has no credential '{}'; it has {}", label.escape_debug(), in_quotes(labels))]
    UnknownLabel {
        /// The user.
        name: String,
        /// The label.
        label: String,
        /// The labels that there are.
        labels: Vec<String>,
    },
    /// Nothing is said of these categories for this prefix.
    #[error("the user '{name}' has no such right; 'rustvault-cli user list {name}' shows its rights")]
    NoSuchRight {
        /// The user.
        name: String,
    },
    /// The change breaks a rule.
    #[error("this change is not possible: {reason}")]
    Refused {
        /// The rule.
        reason: String,
    },
    /// Another process is in the middle of a change for too long.
    #[error("another process has been changing {} for {seconds} seconds: try again", path.display())]
    Busy {
        /// The file.
        path: PathBuf,
        /// The time waited.
        seconds: u64,
    },
    /// Somebody has changed the file meanwhile, with an editor perhaps.
    #[error("{} was changed by somebody else meanwhile: try again", path.display())]
    Changed {
        /// The file.
        path: PathBuf,
    },
    /// The new file would belong to somebody else than the old one.
    #[error("cannot keep the owner of {} (number {owner}): run this as that user or as root", path.display())]
    Owner {
        /// The file.
        path: PathBuf,
        /// The number of the user to whom it belongs.
        owner: u32,
    },
    /// The system does not let us write it.
    #[error("cannot {action} {}: {source}", path.display())]
    Write {
        /// The attempt.
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
}

#[cfg(test)]
mod tests;
