//! Options that say how to reach a server: whom to log in as, and TLS.

use std::env;
use std::ffi::OsString;
use std::io::{self, IsTerminal};
use std::path::PathBuf;

use rustvault_client::{LoginSecret, Options, TlsOptions};

use super::COMMON;
use crate::error::CliError;
use crate::prompt::SecretPrompt;

/// The password, or the token, itself. An argument has no place for it: others see those in the list of processes.
const PASSWORD_VARIABLE: &str = "RUSTVAULT_PASSWORD";

/// File of the password, if there is no option.
const PASSWORD_FILE_VARIABLE: &str = "RUSTVAULT_PASSWORD_FILE";

/// User, if there is no option.
const USER_VARIABLE: &str = "RUSTVAULT_USER";

/// User of a password without one, as in Redis.
const DEFAULT_USER: &str = "default";

/// Options of a connection beside its address; all commands have them.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct NetworkArgs {
    /// Log in as this user (or RUSTVAULT_USER). The password, or token, comes from --password-file, from
    /// RUSTVAULT_PASSWORD, or from you at the terminal; never from an argument, which others see
    #[arg(long, global = true, help_heading = COMMON, value_name = "NAME")]
    user: Option<String>,

    /// The file of the password, or token (or RUSTVAULT_PASSWORD_FILE); without --user it is that of the user default
    #[arg(long, global = true, help_heading = COMMON, value_name = "FILE")]
    password_file: Option<PathBuf>,

    /// Speak TLS, as with an address rustvaults://HOST:PORT; implied by the next four options
    #[arg(long, global = true, help_heading = COMMON)]
    tls: bool,

    /// Trust the certificates of this PEM file, instead of those that the system trusts
    #[arg(long, global = true, help_heading = COMMON, value_name = "FILE")]
    ca: Option<PathBuf>,

    /// The client's own certificate, a PEM file
    #[arg(long, global = true, help_heading = COMMON, value_name = "FILE")]
    cert: Option<PathBuf>,

    /// The key of that certificate, a PEM file
    #[arg(long = "key", global = true, help_heading = COMMON, value_name = "FILE")]
    key_file: Option<PathBuf>,

    /// The name that the server's certificate is for [default: the host of the address]
    #[arg(long, global = true, help_heading = COMMON, value_name = "NAME")]
    server_name: Option<String>,
}

/// A user and its password.
#[derive(Debug)]
pub(crate) struct CliLogin {
    pub(crate) user: String,
    pub(crate) password: LoginSecret,
}

impl NetworkArgs {
    /// Adds login and TLS to the options of a client. At a terminal it may ask for the password.
    ///
    /// # Errors
    /// A user without a password.
    pub(crate) fn apply(&self, mut options: Options) -> Result<Options, CliError> {
        if let Some(CliLogin { user, password }) = self.login()? {
            options = options.user(user).password(password);
        }
        Ok(match self.tls() {
            Some(tls) => options.tls(tls),
            None => options,
        })
    }

    /// Returns the settings of TLS, if an option wants it.
    pub(crate) fn tls(&self) -> Option<TlsOptions> {
        let Self { ca, cert, key_file, server_name, .. } = self;
        let files = [ca, cert, key_file];
        if !self.tls && server_name.is_none() && files.into_iter().all(Option::is_none) {
            return None;
        }
        let mut tls = TlsOptions::new();
        for (file, set) in
            files.into_iter().zip([TlsOptions::ca_file, TlsOptions::cert_file, TlsOptions::key_file])
        {
            tls = file.iter().cloned().fold(tls, set);
        }
        Some(server_name.iter().cloned().fold(tls, TlsOptions::server_name))
    }

    /// Returns whom to log in as, if anybody.
    pub(crate) fn login(&self) -> Result<Option<CliLogin>, CliError> {
        let user = match &self.user {
            Some(user) => Some(user.clone()),
            None => text_of(USER_VARIABLE)?,
        };
        let password = match &self.password_file {
            Some(path) => Some(LoginSecret::from_file(path)),
            None => match text_of(PASSWORD_VARIABLE)? {
                Some(password) => Some(LoginSecret::from(password)),
                None => variable(PASSWORD_FILE_VARIABLE).map(LoginSecret::from_file),
            },
        };
        Ok(match (user, password) {
            (None, None) => None,
            (user, Some(password)) => {
                Some(CliLogin { user: user.unwrap_or_else(|| DEFAULT_USER.to_owned()), password })
            }
            (Some(user), None) => Some(CliLogin { password: ask(&user)?, user }),
        })
    }
}

/// Returns what a variable is set to, unless that is nothing.
fn variable(name: &str) -> Option<OsString> {
    env::var_os(name).filter(|value| !value.is_empty())
}

fn text_of(name: &str) -> Result<Option<String>, CliError> {
    let text = variable(name).map(OsString::into_string).transpose();
    text.map_err(|_| CliError::Usage(format!("{name} is not UTF-8")))
}

fn ask(user: &str) -> Result<LoginSecret, CliError> {
    if !io::stdin().is_terminal() && !io::stderr().is_terminal() {
        return Err(CliError::Usage(format!(
            "no password for '{}': give --password-file FILE, or set {PASSWORD_VARIABLE} or {PASSWORD_FILE_VARIABLE}",
            user.escape_debug()
        )));
    }
    let password = SecretPrompt::new()?.ask(&format!("Password of '{}': ", user.escape_debug()))?;
    Ok(password.into())
}
