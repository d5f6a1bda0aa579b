//! The files of the service: the unit of systemd, and the configuration that the package installs.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use rustvault_tests::{Launch, need};

/// Most that the service may be exposed, in tenths of `systemd-analyze security`, of 100.
const MAX_EXPOSURE: u32 = 15;

fn packaging() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).with_file_name("packaging")
}

/// Copies the unit to the folder of `launch`, with the daemon that is under test.
fn unit(launch: &Launch) -> PathBuf {
    let unit = std::fs::read_to_string(packaging().join("systemd/rustvault.service")).unwrap();
    let program = launch.program_command().get_program().to_str().unwrap().to_owned();
    let copy = launch.folder().join("rustvault.service");
    std::fs::write(&copy, unit.replace("/usr/bin/rustvault-server", &program)).unwrap();
    copy
}

fn systemd_analyze(args: &[&str], unit: &Path) -> Output {
    Command::new("systemd-analyze").args(args).arg(unit).output().unwrap()
}

#[test]
fn systemd_finds_no_mistake_in_the_unit() {
    if !need("systemd-analyze") {
        return;
    }
    let launch = Launch::new();
    let unit = unit(&launch);
    let output = systemd_analyze(&["verify", "--man=no"], &unit);
    let messages = String::from_utf8_lossy(&output.stderr);
    let ours: Vec<&str> = messages.lines().filter(|line| line.contains("rustvault")).collect();
    assert!(output.status.success() && ours.is_empty(), "{output:?}");
}

#[test]
fn the_unit_confines_the_daemon() {
    if !need("systemd-analyze") {
        return;
    }
    let launch = Launch::new();
    let threshold = format!("--threshold={MAX_EXPOSURE}");
    let output = systemd_analyze(&["security", "--offline=true", "--no-pager", &threshold], &unit(&launch));
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
}

#[test]
fn the_configuration_of_the_package_is_valid_also_with_what_it_comments_out() {
    let launch = Launch::new();
    let installed = std::fs::read_to_string(packaging().join("debian/rustvault.toml")).unwrap();
    for (text, is_valid) in [
        (installed.clone(), true),
        (installed.replace("#http =", "http ="), true),
        (format!("{installed}x=1"), false),
    ] {
        let file = launch.folder().join("rustvault.toml");
        std::fs::write(&file, &text).unwrap();
        let output =
            launch.program_command().arg("--config").arg(&file).arg("--check-config").output().unwrap();
        assert_eq!(output.status.success(), is_valid, "{text}\n{output:?}");
    }
}
