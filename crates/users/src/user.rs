//! A user, and all users of a server as of one moment.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::{Credential, MAX_LABEL_BYTES, Rights};

/// Name of the user of a server without a file of users.
pub const DEFAULT_USER: &str = "default";

/// Longest name of a user.
pub const MAX_NAME_BYTES: usize = 64;

/// Most users of a server.
pub const MAX_USERS: usize = 10_000;

/// Most credentials of a user.
pub const MAX_USER_CREDENTIALS: usize = 32;

/// Most passwords among them: a login is compared with each, which takes 20 ms of CPU.
pub const MAX_USER_PASSWORDS: usize = 4;

/// A user: a name, what proves it, and what it may do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// The name: 1 to [`MAX_NAME_BYTES`] bytes of printable ASCII without spaces.
    pub name: String,
    /// What proves that somebody is this user; without any, nobody can log in as it.
    pub credentials: Vec<Credential>,
    /// What the user may do.
    pub rights: Rights,
}

impl User {
    /// Returns whether it can log in with a password.
    pub fn has_password(&self) -> bool {
        self.credentials.iter().any(Credential::is_password)
    }
}

/// All users of a server, by name. It does not change: another set takes its place.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Users {
    by_name: BTreeMap<String, Arc<User>>,
    /// Those that have a password.
    with_password: Vec<Arc<User>>,
}

impl Users {
    /// Makes a set of users.
    ///
    /// # Errors
    /// A name is invalid or there twice, or there are too many.
    pub fn new(users: impl IntoIterator<Item = User>) -> Result<Self, UsersError> {
        let mut by_name = BTreeMap::new();
        for user in users {
            if !is_name(&user.name) {
                return Err(UsersError::BadName { name: user.name });
            }
            if by_name.len() == MAX_USERS {
                return Err(UsersError::TooMany);
            }
            check_credentials(&user)?;
            let name = user.name.clone();
            if by_name.insert(name.clone(), Arc::new(user)).is_some() {
                return Err(UsersError::Duplicate { name });
            }
        }
        let with_password = by_name.values().filter(|user| user.has_password()).cloned().collect();
        Ok(Self { by_name, with_password })
    }

    /// Returns the user with this name.
    pub fn get(&self, name: &str) -> Option<&Arc<User>> {
        self.by_name.get(name)
    }

    /// Returns all users, by name.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<User>> {
        self.by_name.values()
    }

    /// Returns those that have a password, by name.
    pub(crate) fn with_password(&self) -> &[Arc<User>] {
        &self.with_password
    }

    /// Returns how many there are.
    pub fn len(&self) -> usize {
        self.by_name.len()
    }

    /// Returns whether there is none.
    pub fn is_empty(&self) -> bool {
        self.by_name.is_empty()
    }
}

/// Returns whether a user can have this name.
pub fn is_name(name: &str) -> bool {
    (1..=MAX_NAME_BYTES).contains(&name.len()) && name.bytes().all(|byte| byte.is_ascii_graphic())
}

/// Returns whether a credential can have this label.
pub fn is_label(label: &str) -> bool {
    (1..=MAX_LABEL_BYTES).contains(&label.len()) && !label.contains(char::is_control)
}

fn check_credentials(user: &User) -> Result<(), UsersError> {
    let name = || user.name.clone();
    if user.credentials.len() > MAX_USER_CREDENTIALS {
        return Err(UsersError::TooManyCredentials { name: name() });
    }
    if user.credentials.iter().filter(|credential| credential.is_password()).count() > MAX_USER_PASSWORDS {
        return Err(UsersError::TooManyPasswords { name: name() });
    }
    let mut labels: Vec<_> = user.credentials.iter().map(|credential| &credential.label).collect();
    labels.sort_unstable();
    match labels.windows(2).find(|pair| pair[0] == pair[1]) {
        Some(pair) => Err(UsersError::DuplicateLabel { name: name(), label: pair[0].clone() }),
        None => Ok(()),
    }
}

/// Reason why users are no set of users.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum UsersError {
    /// A name is empty, too long, or has other than printable ASCII.
    #[error("invalid name of a user '{}': expected 1 to {MAX_NAME_BYTES} bytes of printable ASCII without spaces", name.escape_debug())]
    BadName {
        /// The name.
        name: String,
    },
    /// Two users have the same name.
    #[error("the user '{name}' is there twice: remove one")]
    Duplicate {
        /// The name.
        name: String,
    },
    /// There are too many users.
    #[error("more than {MAX_USERS} users")]
    TooMany,
    /// A user has too many credentials.
    #[error(
        "the user '{name}' has more than {MAX_USER_CREDENTIALS} credentials: remove those that have expired"
    )]
    TooManyCredentials {
        /// The user.
        name: String,
    },
    /// A user has too many passwords.
    #[error(
        "the user '{name}' has more than {MAX_USER_PASSWORDS} passwords, each of which takes time at every login"
    )]
    TooManyPasswords {
        /// The user.
        name: String,
    },
    /// Two credentials of a user have the same label.
    #[error("the user '{name}' has two credentials with the label '{}'", label.escape_debug())]
    DuplicateLabel {
        /// The user.
        name: String,
        /// The label.
        label: String,
    },
}
