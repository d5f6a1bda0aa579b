//! What the environment tells tests, and what the machine must have for some of them.

use std::env;
use std::process::{Command, Stdio};
use std::str::FromStr;

/// Reads a number that an environment variable may set: how many cases, or the seed of the first one.
///
/// # Panics
/// It is set to something else.
pub fn number_in<N: FromStr>(variable: &str) -> Option<N> {
    let text = env::var(variable).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{variable} is no number: {text:?}")))
}

/// Returns whether the machine has a program of this name.
pub fn has_program(name: &str) -> bool {
    let folders = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&folders).any(|folder| folder.join(name).is_file())
}

/// Returns whether a test that needs this program can run; says so if it can't.
///
/// # Panics
/// It can't, and `RUSTVAULT_REQUIRE_ALL=1` is set.
pub fn need(program: &str) -> bool {
    need_that(program, has_program(program))
}

/// Does as [`need`] for an strace that is allowed to trace.
///
/// # Panics
/// As [`need`].
pub fn need_strace() -> bool {
    let probe = || Command::new("strace").args(["-o", "/dev/null", "true"]).stderr(Stdio::null()).status();
    need_that("strace", has_program("strace") && probe().is_ok_and(|status| status.success()))
}

/// Returns whether a test can run that needs this, which `is_there` or not; says so if it can't.
///
/// # Panics
/// As [`need`].
#[track_caller]
pub fn need_that(what: &str, is_there: bool) -> bool {
    if !is_there {
        println!("skipped: needs {what}");
        assert!(env::var("RUSTVAULT_REQUIRE_ALL").as_deref() != Ok("1"), "{what} is required here");
    }
    is_there
}
