//! Users of a RustVault server: their file, credentials and rights. It reads no socket and executes no command.

mod credential;
pub mod edit;
pub mod file;
mod login;
mod rights;
mod similar;
mod user;

pub use credential::{
    Credential, HashError, MAX_EXPIRY_SECONDS, MAX_HASH_LANES, MAX_HASH_MEMORY_KIB, MAX_HASH_PASSES,
    MAX_LABEL_BYTES, MAX_SECRET_BYTES, Secret, SecretError, TOKEN_PREFIX, check_hash, is_token,
};
pub use rights::{
    ALL_CATEGORIES, AllowedKeys, Categories, MAX_PREFIX_BYTES, MAX_RULES, Rights, RightsError, RightsRule,
    UnknownCategory,
};
pub use user::{
    DEFAULT_USER, MAX_NAME_BYTES, MAX_USER_CREDENTIALS, MAX_USER_PASSWORDS, MAX_USERS, User, Users,
    UsersError, is_label, is_name,
};
