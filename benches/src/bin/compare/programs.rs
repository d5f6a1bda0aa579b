//! The programs that take part.

use std::env;
use std::path::{Path, PathBuf};

use escargot::CargoBuild;

use crate::error::Error;

/// Debian's packages of the Redis programs.
pub(crate) const REDIS_PACKAGES: &str = "redis-server, which brings redis-tools";

/// Where each of the programs lies.
#[derive(Debug)]
pub(crate) struct Programs {
    pub(crate) rustvault_server: PathBuf,
    pub(crate) rustvault_cli: PathBuf,
    /// This one.
    pub(crate) compare: PathBuf,
}

impl Programs {
    /// Builds RustVault's, as a release; nothing is done if they are up to date.
    pub(crate) fn build() -> Result<Self, Error> {
        Ok(Self {
            rustvault_server: rustvault("rustvault-server", "RUSTVAULT_SERVER_BIN")?,
            rustvault_cli: rustvault("rustvault-cli", "RUSTVAULT_CLI_BIN")?,
            compare: this_program()?,
        })
    }
}

/// The first program of Redis that this machine lacks.
pub(crate) fn missing() -> Option<&'static str> {
    let folders = env::var_os("PATH").unwrap_or_default();
    let is_there = |name: &&str| env::split_paths(&folders).any(|folder| folder.join(name).is_file());
    ["redis-server", "redis-benchmark"].into_iter().find(|name| !is_there(name))
}

fn this_program() -> Result<PathBuf, Error> {
    env::current_exe().map_err(Error::system("find this program"))
}

/// Cargo's target directory: this program lies in `TARGET/PROFILE`.
pub(crate) fn target_dir() -> Result<PathBuf, Error> {
    Ok(this_program()?.ancestors().nth(2).map(Path::to_path_buf).unwrap_or_default())
}

fn rustvault(name: &'static str, variable: &str) -> Result<PathBuf, Error> {
    if let Some(path) = env::var_os(variable) {
        return Ok(path.into());
    }
    eprintln!("building {name}");
    let build = CargoBuild::new()
        .package(name)
        .bin(name)
        .release()
        .manifest_path(Path::new(env!("CARGO_MANIFEST_DIR")).with_file_name("Cargo.toml"))
        .target_dir(target_dir()?)
        .run();
    build
        .map(|program| program.path().to_path_buf())
        .map_err(|error| Error::Build { program: name, message: error.to_string() })
}
