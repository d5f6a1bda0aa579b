//! The programs under test, and those of the machine.

use std::collections::BTreeMap;
use std::env;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::LazyLock;

use escargot::CargoBuild;

const SERVER: &str = "rustvault-server";
const CLI: &str = "rustvault-cli";

static BUILT: LazyLock<Built> = LazyLock::new(Built::build);

/// The executables of the workspace by the name of their target.
struct Built {
    binaries: BTreeMap<String, PathBuf>,
    examples: BTreeMap<String, PathBuf>,
}

impl Built {
    /// All of them in one go and with the features of the whole workspace, as `cargo test --workspace` has
    /// them: then nothing is built twice. Cargo holds no lock while it runs tests.
    fn build() -> Self {
        let (target_dir, profile) = own_build();
        let messages = CargoBuild::new()
            .arg("--workspace")
            .bin(SERVER)
            .bin(CLI)
            .examples()
            .manifest_path(Path::new(env!("CARGO_MANIFEST_DIR")).with_file_name("Cargo.toml"))
            .target_dir(target_dir)
            .profile(profile)
            .exec()
            .expect("cargo builds the workspace");
        let mut built = Self { binaries: BTreeMap::new(), examples: BTreeMap::new() };
        for message in messages {
            let message = message.expect("cargo builds the workspace");
            if let Ok(escargot::format::Message::CompilerArtifact(artifact)) = message.decode() {
                built.add(&artifact);
            }
        }
        built
    }

    fn add(&mut self, artifact: &escargot::format::Artifact<'_>) {
        let Some(executable) = &artifact.executable else { return };
        let is_example = artifact.target.kind.iter().any(|kind| kind == "example");
        let group = if is_example { &mut self.examples } else { &mut self.binaries };
        group.insert(artifact.target.name.to_string(), executable.to_path_buf());
    }
}

/// The target directory and the profile of this process, from where its executable lies: in
/// `TARGET/PROFILE/deps`.
fn own_build() -> (PathBuf, String) {
    let executable = env::current_exe().expect("the system tells");
    let mut folders = executable.ancestors().skip(2);
    let (Some(profile_dir), Some(target_dir)) = (folders.next(), folders.next()) else {
        panic!("{} is no place for a test", executable.display());
    };
    let profile = match profile_dir.file_name().and_then(|name| name.to_str()) {
        Some("debug") | None => "dev",
        Some(profile) => profile,
    };
    (target_dir.to_path_buf(), profile.to_owned())
}

fn binary(name: &str, variable: &str) -> PathBuf {
    match env::var_os(variable) {
        Some(path) => path.into(),
        None => BUILT.binaries.get(name).unwrap_or_else(|| panic!("cargo built no {name}")).clone(),
    }
}

/// The daemon's executable; `RUSTVAULT_SERVER_BIN` names another.
pub(crate) fn server_binary() -> PathBuf {
    binary(SERVER, "RUSTVAULT_SERVER_BIN")
}

/// `rustvault-cli`, without any setting of the machine's; `RUSTVAULT_CLI_BIN` names another.
pub fn cli() -> Command {
    let mut command = Command::new(binary(CLI, "RUSTVAULT_CLI_BIN"));
    command.env_remove("RUSTVAULT_ADDR").env("RUSTVAULT_HISTORY", "").stdin(Stdio::null());
    command
}

/// The names of the workspace's examples.
pub fn examples() -> Vec<&'static str> {
    BUILT.examples.keys().map(String::as_str).collect()
}

/// An example of the workspace.
pub fn example(name: &str) -> Command {
    let path = BUILT.examples.get(name).unwrap_or_else(|| panic!("there is no example {name}"));
    let mut command = Command::new(path);
    command.env_remove("RUSTVAULT_ADDR").stdin(Stdio::null());
    command
}
