//! The programs that take part.

use std::env;
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use escargot::CargoBuild;

use crate::comparison::Comparison;
use crate::error::Error;
use crate::security::Security;

/// A program of Redis, and Debian's package of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct RedisProgram {
    pub(crate) name: &'static str,
    pub(crate) package: &'static str,
}

const REDIS_SERVER: RedisProgram =
    RedisProgram { name: "redis-server", package: "redis-server, which brings redis-tools" };

const LOAD_GENERATOR: RedisProgram = RedisProgram { name: "redis-benchmark", package: "redis-tools" };

/// Arguments of this build's server that turn off what cannot be left out, as HTTP can.
const WITHOUT_SLOW_LOG: &[&str] = &["--slow-ms", "0"];

/// The place of each of the programs, and what this build's server is started with.
#[derive(Debug)]
pub(crate) struct Programs {
    pub(crate) rustvault_server: PathBuf,
    /// Beside those of every server.
    pub(crate) server_args: Vec<String>,
    /// Empty in a run without a baseline, which never starts it.
    pub(crate) baseline_server: PathBuf,
    /// Arguments of the baseline, beside those of every server.
    pub(crate) baseline_args: &'static [&'static str],
    /// This build's server is scraped once a second.
    pub(crate) has_scrapes: bool,
    pub(crate) rustvault_cli: PathBuf,
    /// This one.
    pub(crate) compare: PathBuf,
    pub(crate) security: Security,
}

impl Programs {
    /// Builds RustVault's, as a release; nothing is done if they are up to date. The baseline is there already; without one,
    /// this build is compared with itself.
    pub(crate) fn build(
        comparison: Comparison,
        baseline_server: Option<PathBuf>,
        server_args: Vec<String>,
        has_scrapes: bool,
        security: Security,
    ) -> Result<Self, Error> {
        let rustvault_server = rustvault("rustvault-server", "RUSTVAULT_SERVER_BIN")?;
        // An older build need not know the option.
        let baseline_args: &[_] =
            if has_scrapes && baseline_server.is_none() { WITHOUT_SLOW_LOG } else { &[] };
        let itself = (comparison == Comparison::WithBaseline).then(|| rustvault_server.clone());
        Ok(Self {
            rustvault_server,
            server_args,
            baseline_server: baseline_server.or(itself).unwrap_or_default(),
            baseline_args,
            has_scrapes,
            security,
            rustvault_cli: rustvault("rustvault-cli", "RUSTVAULT_CLI_BIN")?,
            compare: this_program()?,
        })
    }
}

/// Returns the first program of Redis that the comparison needs and this machine lacks.
pub(crate) fn missing(comparison: Comparison) -> Option<RedisProgram> {
    missing_in(&env::var_os("PATH").unwrap_or_default(), comparison)
}

fn missing_in(folders: &OsStr, comparison: Comparison) -> Option<RedisProgram> {
    let server = comparison.needs_redis().then_some(REDIS_SERVER);
    let is_there = |name| env::split_paths(folders).any(|folder| folder.join(name).is_file());
    server.into_iter().chain([LOAD_GENERATOR]).find(|program| !is_there(program.name))
}

/// Returns the full path of an executable, if it calls itself rustvault-server.
///
/// # Errors
/// What is wrong with it, and what is expected.
pub(crate) fn server_binary(path: PathBuf) -> Result<PathBuf, String> {
    const EXPECTED: &str = "expected an executable rustvault-server; docs/performance.md says how to build one of an older commit";
    let wrong = |what: String| format!("{what}; {EXPECTED}");
    // Without its folder, a name would be looked for in PATH.
    let full_path = fs::canonicalize(&path).map_err(|error| wrong(error.to_string()))?;
    if full_path.is_dir() {
        return Err(wrong("it is a folder".to_owned()));
    }
    let output = Command::new(&full_path).arg("--version").output();
    let output = output.map_err(|error| wrong(format!("it cannot be run: {error}")))?;
    let version = String::from_utf8_lossy(&output.stdout);
    if !version.starts_with("rustvault-server ") {
        let version = version.lines().next().unwrap_or_default();
        return Err(wrong(format!("it answers --version with {version:?}")));
    }
    Ok(full_path)
}

fn this_program() -> Result<PathBuf, Error> {
    env::current_exe().map_err(Error::system("find this program"))
}

/// Returns Cargo's target directory: this program lies in `TARGET/PROFILE`.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_baseline_needs_the_load_generator_but_no_redis() {
        let folder = tempfile::tempdir().unwrap();
        let missing = |comparison| missing_in(folder.path().as_os_str(), comparison);
        assert_eq!(missing(Comparison::WithRedis), Some(REDIS_SERVER));
        assert_eq!(missing(Comparison::WithBaseline), Some(LOAD_GENERATOR));
        fs::write(folder.path().join(LOAD_GENERATOR.name), "").unwrap();
        assert_eq!(missing(Comparison::WithRedis), Some(REDIS_SERVER));
        assert_eq!(missing(Comparison::WithBaseline), None);
    }

    #[test]
    fn a_baseline_is_an_executable_that_calls_itself_rustvault_server() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("server");
        let complaint = |path: &Path| server_binary(path.to_owned()).unwrap_err();
        assert!(complaint(&path).starts_with("No such file"), "{}", complaint(&path));
        assert!(complaint(folder.path()).starts_with("it is a folder"));
        fs::write(&path, "#!/bin/sh\necho rustvault-server 0.0.1\n").unwrap();
        assert!(complaint(&path).starts_with("it cannot be run: Permission denied"), "{}", complaint(&path));
        assert!(complaint(Path::new("/bin/echo")).contains("--version"));
    }
}
