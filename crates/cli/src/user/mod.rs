//! Changes of the file of users, which needs no server.

mod args;
mod notes;
mod secret;
mod show;

use std::env;
use std::io::{self, ErrorKind, StdoutLock};
use std::path::PathBuf;
use std::time::SystemTime;

use rustvault_users::edit::{EditError, UsersEdit, unknown_user};
use rustvault_users::file::UsersFileError;
use rustvault_users::{Credential, Secret, User, Users, file};
use serde_json::{Map, Value, json};

pub(crate) use args::UserArgs;
use args::{AddArgs, CredentialArgs, PasswordArgs, UserCommand};

use crate::args::CliArgs;
use crate::error::CliError;
use crate::output::Printer;

const FILE_VARIABLE: &str = "RUSTVAULT_USERS";

/// Labels of credentials that are given none.
const PASSWORD_LABEL: &str = "password";
const TOKEN_LABEL: &str = "token";

/// Carries out one command on the file of users.
///
/// # Errors
/// The file cannot be used or written, or does not admit the change.
pub(crate) fn run(args: &CliArgs, user: UserArgs) -> Result<(), CliError> {
    let variable = env::var_os(FILE_VARIABLE).filter(|path| !path.is_empty()).map(PathBuf::from);
    let Some(path) = user.file.or(variable) else {
        let text = format!("name the file of users with --file FILE or {FILE_VARIABLE}");
        return Err(CliError::Usage(text));
    };
    let out = Printer::to_stdout(io::stdout().lock(), args.json);
    Editor { path, json: args.json, out }.run(user.command)
}

/// File of users, and where results are printed.
struct Editor {
    path: PathBuf,
    json: bool,
    out: Printer<StdoutLock<'static>>,
}

/// Result of a change, which is printed beside the user's name.
enum Changed {
    /// A sentence about the change.
    Text(String),
    /// A new token, which is printed alone.
    Token { label: String, token: String },
    /// The user's rights.
    Rights,
}

impl Editor {
    fn run(&mut self, command: UserCommand) -> Result<(), CliError> {
        match command {
            UserCommand::Add(args) => self.add(args),
            UserCommand::Passwd { name, password, credential } => self.passwd(&name, &password, credential),
            UserCommand::Token { name, credential } => self.token(&name, credential),
            UserCommand::Grant { name, categories, prefix, deny } => self.change(&name, |edit| {
                edit.put_right(&name, !deny, categories, &prefix.unwrap_or_default())?;
                Ok(Changed::Rights)
            }),
            UserCommand::Revoke { name, categories, prefix } => self.change(&name, |edit| {
                edit.remove_right(&name, categories, &prefix.unwrap_or_default())?;
                Ok(Changed::Rights)
            }),
            UserCommand::List { name } => self.list(name.as_deref()),
            UserCommand::Remove { name, label: Some(label) } => self.change(&name, |edit| {
                edit.remove_credential(&name, &label)?;
                Ok(Changed::Text(format!("removed the credential '{label}' of the user '{name}'")))
            }),
            UserCommand::Remove { name, label: None } => self.change(&name, |edit| {
                edit.remove_user(&name)?;
                Ok(Changed::Text(format!("removed the user '{name}'")))
            }),
        }
    }

    fn add(&mut self, args: AddArgs) -> Result<(), CliError> {
        let AddArgs { name, allow, deny, token, no_password, password, credential } = args;
        // Nobody types a password twice to be told that it was in vain.
        if self.load_or_none()?.get(&name).is_some() {
            return Err(EditError::UserExists { name }.into());
        }
        let mut changed = Changed::Text(format!("added the user '{name}'"));
        let credential = if no_password {
            None
        } else if token {
            let (credential, token) = new_token(credential)?;
            changed = Changed::Token { label: credential.label.clone(), token };
            Some(credential)
        } else {
            let label = credential.label.unwrap_or_else(|| PASSWORD_LABEL.to_owned());
            let secret = secret::new_password(&password, &name)?;
            Some(Credential { label, secret, expires: credential.expires })
        };
        let rights = allow.iter().map(|right| (true, right)).chain(deny.iter().map(|right| (false, right)));
        self.change(&name, |edit| {
            edit.add_user(&name)?;
            if let Some(credential) = &credential {
                edit.put_credential(&name, credential)?;
            }
            for (allows, right) in rights {
                edit.put_right(&name, allows, right.categories, &right.prefix)?;
            }
            Ok(changed)
        })
    }

    fn passwd(
        &mut self,
        name: &str,
        password: &PasswordArgs,
        credential: CredentialArgs,
    ) -> Result<(), CliError> {
        let users = file::load(&self.path).map_err(EditError::from)?;
        let user = users.get(name).ok_or_else(|| unknown_user(name, &users))?;
        let label = credential.label.map_or_else(|| default_label(user), Ok)?;
        must_be_no_token(&users, name, &label)?;
        let secret = secret::new_password(password, name)?;
        let credential = Credential { label, secret, expires: credential.expires };
        self.change(name, |edit| {
            must_be_no_token(edit.users(), name, &credential.label)?;
            edit.put_credential(name, &credential)?;
            Ok(Changed::Text(format!("set the password '{}' of the user '{name}'", credential.label)))
        })
    }

    fn token(&mut self, name: &str, credential: CredentialArgs) -> Result<(), CliError> {
        let (credential, token) = new_token(credential)?;
        let label = credential.label.clone();
        self.change(name, |edit| {
            if find(edit.users(), name, &label).is_some() {
                let text = format!(
                    "the user '{name}' has a credential '{label}' already: give the new one another --label, or remove the \
                    old one with 'rustvault-cli user remove {name} --label {label}'"
                );
                return Err(CliError::Usage(text));
            }
            edit.put_credential(name, &credential)?;
            Ok(Changed::Token { label, token })
        })
    }

    fn list(&mut self, name: Option<&str>) -> Result<(), CliError> {
        let users = file::load(&self.path).map_err(EditError::from)?;
        let now = SystemTime::now();
        let one = name.map(|name| users.get(name).ok_or_else(|| unknown_user(name, &users))).transpose()?;
        for user in users.iter().filter(|user| one.is_none_or(|one| one == *user)) {
            self.out.report(&show::lines(user, now).join("\n"), &show::object(user, now))?;
        }
        self.out.flush()
    }

    /// Changes the file and reports it, with what whoever changed it should know.
    fn change(
        &mut self,
        name: &str,
        change: impl FnOnce(&mut UsersEdit) -> Result<Changed, CliError>,
    ) -> Result<(), CliError> {
        let mut edit = UsersEdit::open(&self.path)?;
        let (before, is_new) = (edit.users().clone(), edit.is_new());
        let changed = change(&mut edit)?;
        let after = edit.save()?;
        let warnings = notes::warnings(name, &before, &after);
        self.report(name, changed, after.get(name).map(|user| &**user), &warnings)?;
        if !self.json {
            notes::print(warnings.iter().map(|warning| format!("warning: {warning}")));
            notes::print(notes::how_it_is_learned(&self.path, is_new));
        }
        Ok(())
    }

    fn report(
        &mut self,
        name: &str,
        changed: Changed,
        user: Option<&User>,
        warnings: &[String],
    ) -> Result<(), CliError> {
        let mut object =
            Map::from_iter([("status".to_owned(), json!("ok")), ("user".to_owned(), json!(name))]);
        let text = match changed {
            Changed::Text(text) => text,
            Changed::Token { label, token } => {
                object.insert("label".to_owned(), json!(label));
                object.insert("token".to_owned(), json!(token));
                token
            }
            Changed::Rights => {
                object.insert("rights".to_owned(), user.map_or(Value::Null, show::rights));
                let rights = user.map(show::rights_lines).unwrap_or_default();
                [name.to_owned()].into_iter().chain(rights).collect::<Vec<_>>().join("\n")
            }
        };
        if !warnings.is_empty() {
            object.insert("warnings".to_owned(), json!(warnings));
        }
        self.out.report(&text, &Value::Object(object))?;
        self.out.flush()
    }

    /// Returns the users of the file; none if it is missing.
    fn load_or_none(&self) -> Result<Users, CliError> {
        match file::load(&self.path) {
            Err(UsersFileError::Read { source, .. }) if source.kind() == ErrorKind::NotFound => {
                Ok(Users::default())
            }
            users => Ok(users.map_err(EditError::from)?),
        }
    }
}

fn new_token(args: CredentialArgs) -> Result<(Credential, String), CliError> {
    let (token, secret) = Secret::new_token().map_err(|error| CliError::Usage(error.to_string()))?;
    let label = args.label.unwrap_or_else(|| TOKEN_LABEL.to_owned());
    Ok((Credential { label, secret, expires: args.expires }, token))
}

fn find<'u>(users: &'u Users, name: &str, label: &str) -> Option<&'u Credential> {
    users.get(name)?.credentials.iter().find(|credential| credential.label == label)
}

/// Returns the label of the password that `passwd` sets if it is given none.
fn default_label(user: &User) -> Result<String, CliError> {
    let passwords = user.credentials.iter().filter(|credential| credential.is_password());
    let labels: Vec<_> = passwords.map(|credential| credential.label.clone()).collect();
    match &labels[..] {
        [] => Ok(PASSWORD_LABEL.to_owned()),
        [label] => Ok(label.clone()),
        labels => {
            let (name, labels) = (&user.name, labels.join(", "));
            let text = format!("the user '{name}' has several passwords: say which with --label ({labels})");
            Err(CliError::Usage(text))
        }
    }
}

fn must_be_no_token(users: &Users, name: &str, label: &str) -> Result<(), CliError> {
    match find(users, name, label) {
        Some(credential) if !credential.is_password() => {
            let text =
                format!("the credential '{label}' of the user '{name}' is a token: give another --label");
            Err(CliError::Usage(text))
        }
        _ => Ok(()),
    }
}
