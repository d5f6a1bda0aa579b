//! The password of the user `default`, for a server without a file of users.

use std::fmt;

use rustvault_users::{
    Credential, DEFAULT_USER, MAX_SECRET_BYTES, Rights, Secret, SecretError, TOKEN_PREFIX, User, is_token,
};

/// Least length of a password that is a token because it begins like one: 16 characters behind that beginning. A wrong token is
/// answered at once, as often as somebody likes.
const MIN_TOKEN_BYTES: usize = TOKEN_PREFIX.len() + 16;

/// A password, which no message and no debug output shows.
///
/// ```
/// use rustvault_server::Password;
///
/// let password = Password::new("correct horse")?;
/// assert_eq!(format!("{password:?}"), "Password(…)");
/// # Ok::<(), rustvault_server::PasswordError>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Password(Box<str>);

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(…)")
    }
}

impl Password {
    /// Takes a password of 1 to [`MAX_SECRET_BYTES`] bytes, without a line end at its end.
    ///
    /// # Errors
    /// It is empty, too long, or has several lines.
    pub fn new(text: impl AsRef<str>) -> Result<Self, PasswordError> {
        let text = text.as_ref();
        let line = text.strip_suffix('\n').map_or(text, |line| line.strip_suffix('\r').unwrap_or(line));
        match line {
            "" => Err(PasswordError::Empty),
            _ if line.len() > MAX_SECRET_BYTES => Err(PasswordError::TooLong),
            _ if is_token(line.as_bytes()) && line.len() < MIN_TOKEN_BYTES => Err(PasswordError::ShortToken),
            _ if line.contains(['\n', '\r', '\0']) => Err(PasswordError::SeveralLines),
            _ => Ok(Self(line.into())),
        }
    }

    /// Returns what must not be shown.
    pub(crate) fn expose(&self) -> &str {
        &self.0
    }

    /// Returns the user who has this password, and may do everything.
    pub(super) fn user(&self) -> Result<User, SecretError> {
        let credential = Credential {
            label: "password".to_owned(),
            secret: Secret::of(self.0.as_bytes())?,
            expires: None,
        };
        Ok(User { name: DEFAULT_USER.to_owned(), credentials: vec![credential], rights: Rights::all() })
    }
}

/// Reason why there is no password. It never shows what was given.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PasswordError {
    /// There is none.
    #[error("the password is empty")]
    Empty,
    /// It is too long.
    #[error("the password is over the limit of {MAX_SECRET_BYTES} bytes")]
    TooLong,
    /// It begins as tokens do, and is short enough to be guessed.
    #[error(
        "the password begins with '{TOKEN_PREFIX}', as tokens do, whose guesses are not slowed down, and has fewer than \
        {MIN_TOKEN_BYTES} bytes: choose another, or a random token"
    )]
    ShortToken,
    /// It has a line end or a NUL in it.
    #[error("the password has several lines, or a byte 0: expected one line")]
    SeveralLines,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_one_line_without_its_end() {
        for (text, line) in [("a b", "a b"), (" a\n", " a"), ("a\r\n", "a"), ("ä", "ä")] {
            assert_eq!(Password::new(text).unwrap().expose(), line, "{text:?}");
        }
        assert_eq!(Password::new("rv_hunter22"), Err(PasswordError::ShortToken));
        assert!(Password::new("rv_0123456789abcdef").is_ok());
        for text in ["", "\n", "\r\n", "a\n\n", "a\nb", "a\0"] {
            assert!(Password::new(text).is_err(), "{text:?}");
        }
        assert!(Password::new("x".repeat(512)).is_ok());
        assert!(matches!(Password::new("x".repeat(513)), Err(PasswordError::TooLong)));
    }

    #[test]
    fn its_user_has_all_rights_and_nobody_sees_it() {
        let password = Password::new("hunter22").unwrap();
        let user = password.user().unwrap();
        assert_eq!((user.name.as_str(), &user.rights), ("default", &Rights::all()));
        assert!(user.credentials[0].secret.matches(b"hunter22"));
        assert!(!format!("{password:?} {user:?}").contains("hunter22"));
    }
}
