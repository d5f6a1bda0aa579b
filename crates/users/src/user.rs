//! A user, and all users of a server as of one moment.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::{Credential, Rights};

/// Name of the user of a server without a file of users.
pub const DEFAULT_USER: &str = "default";

/// Longest name of a user.
pub const MAX_NAME_BYTES: usize = 64;

/// Most users of a server.
pub const MAX_USERS: usize = 10_000;

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

/// All users of a server, by name. It does not change: another set takes its place.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Users(BTreeMap<String, Arc<User>>);

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
            let name = user.name.clone();
            if by_name.insert(name.clone(), Arc::new(user)).is_some() {
                return Err(UsersError::Duplicate { name });
            }
        }
        Ok(Self(by_name))
    }

    /// Returns the user with this name.
    pub fn get(&self, name: &str) -> Option<&Arc<User>> {
        self.0.get(name)
    }

    /// Returns all users, by name.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<User>> {
        self.0.values()
    }

    /// Returns how many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Returns whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

fn is_name(name: &str) -> bool {
    (1..=MAX_NAME_BYTES).contains(&name.len()) && name.bytes().all(|byte| byte.is_ascii_graphic())
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
}
