//! Users of a RustVault server: their names, credentials and rights. It reads no socket and executes no command.

mod credential;
mod rights;
mod user;

pub use credential::{Credential, MAX_SECRET_BYTES, Secret, TOKEN_PREFIX};
pub use rights::{Categories, MAX_PREFIX_BYTES, Rights, RightsError, RightsRule};
pub use user::{DEFAULT_USER, MAX_NAME_BYTES, MAX_USERS, User, Users, UsersError};
