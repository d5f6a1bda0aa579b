//! The users that a configuration names: those it holds, those of its file, and the one of its password.

use rustvault_users::file::{self, UsersFileError};
use rustvault_users::{SecretError, User, Users, UsersError};

use crate::ServerConfig;

/// Loads the users of a configuration; `None` if it names none, so that nobody has to log in.
///
/// It reads a file, and hashes a password, which takes some 20 ms.
///
/// # Errors
/// The file cannot be used, or two of the sources have the same user.
pub(crate) fn load_users(config: &ServerConfig) -> Result<Option<Users>, LoadUsersError> {
    let from_file = config.users_path.as_deref().map(file::load).transpose()?;
    let default = config.password.as_ref().map(super::Password::user).transpose()?;
    if config.users.is_none() && from_file.is_none() && default.is_none() {
        return Ok(None);
    }
    let sets = config.users.as_deref().into_iter().chain(from_file.as_ref());
    let users = sets.flat_map(Users::iter).map(|user| User::clone(user));
    Ok(Some(Users::new(users.chain(default))?))
}

/// Reason why the users cannot be loaded.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LoadUsersError {
    /// The file of users cannot be used.
    #[error(transparent)]
    File(#[from] UsersFileError),
    /// The password cannot be hashed.
    #[error(transparent)]
    Password(#[from] SecretError),
    /// The users of file and password are no set.
    #[error("{0} (a password, from RUSTVAULT_PASSWORD or a password file, is that of the user 'default')")]
    Users(#[from] UsersError),
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::login::Password;
    use crate::login::tests::users;

    #[test]
    fn users_come_from_configuration_and_password_and_no_name_twice() {
        let mut config = ServerConfig::default();
        assert_eq!(load_users(&config).unwrap(), None);
        config.password = Some(Password::new("p").unwrap());
        let names = |config: &ServerConfig| {
            let users = load_users(config).map_err(|error| error.to_string())?;
            Ok::<_, String>(users.unwrap().iter().map(|user| user.name.clone()).collect::<Vec<_>>())
        };
        assert_eq!(names(&config), Ok(vec!["default".to_owned()]));
        config.users = Some(Arc::new(users(&["ann"])));
        assert_eq!(names(&config), Ok(vec!["ann".to_owned(), "default".to_owned()]));
        config.users = Some(Arc::new(users(&["default"])));
        assert!(names(&config).unwrap_err().contains("'default' is there twice"));
        config.users_path = Some("/none".into());
        assert!(names(&config).unwrap_err().contains("/none"));
    }
}
