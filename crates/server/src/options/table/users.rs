//! Rows: who may connect, and with which password.

use super::super::value::{self, optional_path, put, switch};
use super::super::{ConfigOption, OptionKind};
use super::copy;
use crate::Password;

pub(super) static USERS: &[ConfigOption] = &[
    ConfigOption {
        name: "users",
        flag: "users",
        variable: "RUSTVAULT_USERS",
        value_name: "FILE",
        kind: OptionKind::Path,
        default: Some("none"),
        example: "/etc/rustvault/users.toml",
        is_live: true,
        help: "File of users, which rustvault-cli user writes (mode 0600); with it, clients have to log in",
        get: |config| optional_path(config.users_path.as_deref()),
        set: |config, value| put(&mut config.users_path, value::path(value).map(Some)),
        copy: copy!(users_path),
    },
    ConfigOption {
        name: "password",
        flag: "password",
        variable: "RUSTVAULT_PASSWORD",
        value_name: "FILE",
        kind: OptionKind::Secret,
        default: Some("none"),
        example: "/run/secrets/rustvault-password",
        is_live: true,
        help: "Password of the user default, who may do everything; with it, clients have to log in",
        get: |config| {
            config.password.as_ref().map_or_else(String::new, |password| password.expose().to_owned())
        },
        set: |config, value| {
            let password = Password::new(value::text(value)?).map_err(|error| error.to_string());
            put(&mut config.password, password.map(Some))
        },
        copy: copy!(password),
    },
    ConfigOption {
        name: "allow-unauthenticated",
        flag: "allow-unauthenticated",
        variable: "RUSTVAULT_ALLOW_UNAUTHENTICATED",
        value_name: "BOOL",
        kind: OptionKind::Switch,
        default: None,
        example: "",
        is_live: false,
        help: "Serve addresses beyond loopback although there are no users, so that everybody who reaches them may do \
               everything",
        get: |config| config.allow_unauthenticated.to_string(),
        set: |config, value| put(&mut config.allow_unauthenticated, switch(value)),
        copy: copy!(allow_unauthenticated),
    },
];
