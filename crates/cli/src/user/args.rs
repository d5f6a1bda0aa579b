//! Arguments of the commands on a file of users.

use std::path::PathBuf;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use clap::Subcommand;
use clap::builder::{OsStringValueParser, TypedValueParser};
use rustvault_users::{Categories, MAX_EXPIRY_SECONDS, MAX_LABEL_BYTES, MAX_NAME_BYTES, is_label, is_name};

use crate::args::bytes_parser;

// A line is a paragraph: clap wraps it.
const AFTER_HELP: &str = "\
CATEGORIES are words with commas between them: read, write, metrics, admin, or all. What is about keys, read and write, \
may be limited to those that start with a PREFIX; the longest prefix that matches a key decides.

The file is made if it is missing, with the mode 0600. No server is needed: one that runs takes a change over by itself \
within 60 seconds, at once after a SIGHUP.

A new password is asked for at the terminal, or comes from --password-file or RUSTVAULT_NEW_PASSWORD.";

/// The file, and what is to be done with it.
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct UserArgs {
    /// The file of users, as the server's option --users names it [env: RUSTVAULT_USERS]
    #[arg(long, global = true, value_name = "FILE")]
    pub(super) file: Option<PathBuf>,

    #[command(subcommand)]
    pub(super) command: UserCommand,
}

/// Change of a file of users, or a look at it.
#[derive(Debug, Clone, Subcommand)]
pub(crate) enum UserCommand {
    /// Add a user, with a password unless a token or nothing is asked for
    #[command(after_help = AFTER_HELP)]
    Add(AddArgs),
    /// Set a user's password
    ///
    /// Without --label it takes the place of the only password, or is called 'password'. With another label a user has
    /// several: add one, have it used, then remove the old one.
    #[command(after_help = AFTER_HELP)]
    Passwd {
        /// The user's name
        name: String,
        #[command(flatten)]
        password: PasswordArgs,
        #[command(flatten)]
        credential: CredentialArgs,
    },
    /// Give a user a new token, for a program, and print it: it is shown this once
    #[command(after_help = AFTER_HELP)]
    Token {
        /// The user's name
        name: String,
        #[command(flatten)]
        credential: CredentialArgs,
    },
    /// Allow a user categories of commands, for all keys or those with a prefix
    #[command(after_help = AFTER_HELP)]
    Grant {
        /// The user's name
        name: String,
        /// Words with commas between them: read, write, metrics, admin, or all
        #[arg(value_name = "CATEGORIES")]
        categories: Categories,
        /// Only keys that start with this [default: all keys]
        #[arg(allow_hyphen_values = true, value_parser = bytes_parser())]
        prefix: Option<Bytes>,
        /// Deny them instead, for keys within a longer prefix than the one that is allowed
        #[arg(long)]
        deny: bool,
    },
    /// Remove what was granted or denied for just this prefix
    #[command(after_help = AFTER_HELP)]
    Revoke {
        /// The user's name
        name: String,
        /// Words with commas between them: read, write, metrics, admin, or all
        #[arg(value_name = "CATEGORIES")]
        categories: Categories,
        /// The prefix that was granted or denied [default: that of all keys]
        #[arg(allow_hyphen_values = true, value_parser = bytes_parser())]
        prefix: Option<Bytes>,
    },
    /// Print users with their credentials and rights
    #[command(after_help = AFTER_HELP)]
    List {
        /// This one only
        name: Option<String>,
    },
    /// Remove a user, or one credential of it
    #[command(after_help = AFTER_HELP)]
    Remove {
        /// The user's name
        name: String,
        /// Remove the credential with this label only
        #[arg(long, value_name = "LABEL")]
        label: Option<String>,
    },
}

/// A new user.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct AddArgs {
    /// The user's name
    #[arg(value_parser = parse_name)]
    pub(super) name: String,
    /// Rights to grant, such as read,write:app: for keys that start with app:, or all
    #[arg(long, value_name = "CATEGORIES[:PREFIX]", value_parser = right_parser())]
    pub(super) allow: Vec<RightArg>,
    /// Rights to deny
    #[arg(long, value_name = "CATEGORIES[:PREFIX]", value_parser = right_parser())]
    pub(super) deny: Vec<RightArg>,
    /// Make a token instead of asking for a password, and print it
    #[arg(long, conflicts_with = "password_file")]
    pub(super) token: bool,
    /// Neither password nor token, for whoever comes with a certificate
    #[arg(long, conflicts_with_all = ["token", "password_file", "label", "expires"])]
    pub(super) no_password: bool,
    #[command(flatten)]
    pub(super) password: PasswordArgs,
    #[command(flatten)]
    pub(super) credential: CredentialArgs,
}

/// Source of a new password.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct PasswordArgs {
    /// Take the password from the only line of FILE, or of standard input if that is '-' [env: RUSTVAULT_NEW_PASSWORD
    /// is the password itself]
    #[arg(long, value_name = "FILE")]
    pub(super) password_file: Option<PathBuf>,
}

/// Properties of a new credential.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct CredentialArgs {
    /// A name for the credential, to tell it from others of this user [default: password, or token]
    #[arg(long, value_name = "LABEL", value_parser = parse_label)]
    pub(super) label: Option<String>,
    /// Time from which on it is not accepted: a time (2027-01-01T00:00:00Z), a day in UTC (2027-01-01) or a span from now
    /// (90days) [default: never]
    #[arg(long, value_name = "WHEN", value_parser = parse_expiry)]
    pub(super) expires: Option<SystemTime>,
}

/// Right as it is typed behind an option.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RightArg {
    pub(super) categories: Categories,
    pub(super) prefix: Bytes,
}

fn right_parser() -> impl TypedValueParser<Value = RightArg> {
    OsStringValueParser::new().try_map(|text| {
        let bytes = Bytes::from(text.into_encoded_bytes());
        let end = bytes.iter().position(|byte| *byte == b':');
        let words = bytes.slice(..end.unwrap_or(bytes.len()));
        let categories = String::from_utf8_lossy(&words).parse::<Categories>()?;
        let prefix = end.map_or_else(Bytes::new, |end| bytes.slice(end + 1..));
        Ok::<_, rustvault_users::UnknownCategory>(RightArg { categories, prefix })
    })
}

fn parse_name(name: &str) -> Result<String, String> {
    match is_name(name) {
        true => Ok(name.to_owned()),
        false => Err(format!("a name has 1 to {MAX_NAME_BYTES} characters of ASCII, without spaces")),
    }
}

fn parse_label(label: &str) -> Result<String, String> {
    match is_label(label) {
        true => Ok(label.to_owned()),
        false => Err(format!("a label has 1 to {MAX_LABEL_BYTES} bytes, and no control characters")),
    }
}

fn parse_expiry(text: &str) -> Result<SystemTime, String> {
    let now = SystemTime::now();
    let day = || humantime::parse_rfc3339(&format!("{text}T00:00:00Z")).ok();
    let span = || humantime::parse_duration(text).ok().filter(|span| *span > Duration::ZERO);
    let time = humantime::parse_rfc3339(text).ok().or_else(day).or_else(|| now.checked_add(span()?));
    let latest = UNIX_EPOCH + Duration::from_secs(MAX_EXPIRY_SECONDS);
    match time {
        Some(time) if time > latest => Err("there are no dates after the year 9999".to_owned()),
        Some(time) if time > now => Ok(time),
        Some(_) => Err("this has passed already".to_owned()),
        None => Err("expected 2027-01-01T00:00:00Z, 2027-01-01 or a span such as 90days".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_expiry_is_a_time_a_day_or_a_span() {
        for good in ["9000-01-01T00:00:00Z", "9000-01-01", "90days", "1h"] {
            assert!(parse_expiry(good).is_ok(), "{good}");
        }
        for bad in ["", "soon", "2001-01-01", "0s", "9000-13-01", "99999999999years"] {
            assert!(parse_expiry(bad).is_err(), "{bad}");
        }
    }
}
