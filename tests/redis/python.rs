//! An environment of Python with redis-py and what its own tests need; it stays installed between runs.

use std::io;
use std::path::PathBuf;
use std::process::{Command, Output};
use std::sync::LazyLock;

use rustvault_tests::need;

use crate::other_clients::{folder, has_installed};

/// redis-py: the first as a package, then its source distribution, which has its tests.
const REDIS_PY: &str = "redis==8.1.0";
const SUITE: &str = "redis-8.1.0";

/// What runs the tests; other versions may word their outcomes in another way.
const PYTEST: [&str; 2] = ["pytest==9.2.0", "pytest-timeout==2.4.0"];

/// Tests that use it run at the same time.
static ENVIRONMENT: LazyLock<Option<Environment>> = LazyLock::new(|| {
    let environment = Environment { folder: folder("redis-py") };
    let is_ready =
        need("python3") && (environment.is_installed() || has_installed("redis-py", &environment.install()));
    is_ready.then_some(environment)
});

/// Returns the environment, if the machine can have it.
pub(crate) fn environment() -> Option<&'static Environment> {
    ENVIRONMENT.as_ref()
}

/// A folder with an interpreter, its packages, and the unpacked tests of redis-py.
#[derive(Debug)]
pub(crate) struct Environment {
    folder: PathBuf,
}

impl Environment {
    /// Returns the interpreter's command.
    pub(crate) fn python(&self) -> Command {
        Command::new(self.folder.join("venv/bin/python3"))
    }

    /// Returns the folder that redis-py's own tests run in.
    pub(crate) fn suite(&self) -> PathBuf {
        self.folder.join(SUITE)
    }

    fn is_installed(&self) -> bool {
        std::fs::read_to_string(self.stamp()).is_ok_and(|packages| packages == Self::packages())
    }

    /// Returns the output of the step that failed, or of the last one.
    fn install(&self) -> io::Result<Output> {
        let mut venv = Command::new("python3");
        venv.args(["-m", "venv", "--clear", "venv"]);
        let mut packages = self.pip("install");
        packages.arg(REDIS_PY).args(PYTEST);
        let mut source = self.pip("download");
        source.args(["--no-deps", "--no-binary", "redis", REDIS_PY]);
        let mut unpack = self.python();
        unpack.args(["-m", "tarfile", "-e"]).arg(format!("{SUITE}.tar.gz"));

        for step in [&mut venv, &mut packages, &mut source] {
            let output = step.current_dir(&self.folder).output()?;
            if !output.status.success() {
                return Ok(output);
            }
        }
        let output = unpack.current_dir(&self.folder).output()?;
        if output.status.success() {
            std::fs::write(self.stamp(), Self::packages())?;
        }
        Ok(output)
    }

    fn pip(&self, command: &str) -> Command {
        let mut pip = self.python();
        pip.args(["-m", "pip", command, "--quiet", "--disable-pip-version-check"]);
        pip
    }

    /// Returns the file that is written once all packages are there, and names them.
    fn stamp(&self) -> PathBuf {
        self.folder.join("installed.txt")
    }

    fn packages() -> String {
        format!("{REDIS_PY} {}\n", PYTEST.join(" "))
    }
}
