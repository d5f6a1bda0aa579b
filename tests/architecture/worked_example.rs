//! "How to add a command" of ARCHITECTURE.md: its patch applies to a copy of the sources, and the server that is built of them
//! serves the command.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use escargot::CargoBuild;
use rustvault_tests::{Launch, Wire, need};

use crate::document::section;
use crate::sources::{PATCH, read, workspace};

/// Everything that Cargo reads to build the server, and what the patch is about.
const PARTS: [&str; 6] = ["Cargo.toml", "Cargo.lock", "crates", "benches", "tests", "docs"];

/// A profile that compiles fast, whatever the workspace's own say. What is built is kept apart from theirs.
const PROFILE: [(&str, &str); 4] =
    [("inherits", "'release'"), ("opt-level", "0"), ("lto", "false"), ("codegen-units", "256")];

const ADVICE: &str =
    "see \"The worked example\" in CONTRIBUTING.md for how to write docs/add-a-command.patch anew";

fn copy(from: &Path, to: &Path) {
    if !from.is_dir() {
        fs::copy(from, to).unwrap();
        return;
    }
    fs::create_dir(to).unwrap();
    for entry in from.read_dir().unwrap() {
        let name = entry.unwrap().file_name();
        copy(&from.join(&name), &to.join(&name));
    }
}

/// Copies the sources to the same place each time: dependencies that were built there are not built again.
fn copy_of_the_workspace(folder: &Path) -> PathBuf {
    let root = folder.join("workspace");
    let _ = fs::remove_dir_all(&root);
    fs::create_dir_all(&root).unwrap();
    for part in PARTS {
        copy(&workspace().join(part), &root.join(part));
    }
    root
}

fn apply_patch(root: &Path) {
    let applied = Command::new("git")
        .current_dir(root)
        .args(["apply", "--whitespace=nowarn"])
        .arg(workspace().join(PATCH))
        // In a repository, paths would be below its root, and what is elsewhere would be left out without a word.
        .env("GIT_CEILING_DIRECTORIES", root.parent().unwrap())
        .env_remove("GIT_DIR")
        .env_remove("GIT_WORK_TREE")
        .output()
        .unwrap();
    let problem = String::from_utf8_lossy(&applied.stderr);
    assert!(applied.status.success(), "{PATCH} does not apply any more; {ADVICE}\n{problem}");
}

/// Builds the server, and the client, which the patch changes, too.
fn build(root: &Path, target: &Path) -> PathBuf {
    let build = CargoBuild::new()
        .manifest_path(root.join("Cargo.toml"))
        .target_dir(target)
        .args(["--offline", "--locked", "--package=rustvault-server", "--package=rustvault-client"])
        .args(["--profile", "worked-example"])
        .args(PROFILE.iter().flat_map(|(key, value)| {
            ["--config".to_owned(), format!("profile.worked-example.{key}={value}")]
        }));
    let mut executable = None;
    for message in build.exec().unwrap() {
        let message = message
            .unwrap_or_else(|error| panic!("{PATCH} applies, but does not compile; {ADVICE}\n{error}"));
        if let Ok(escargot::format::Message::CompilerArtifact(artifact)) = message.decode() {
            executable = artifact.executable.map(|path| path.to_path_buf()).or(executable);
        }
    }
    executable.expect("cargo builds the server")
}

fn ask_in_both_protocols(mut text: Wire, mut resp: Wire) {
    text.ask("SETMAX score 5\r\n", "VALUE 5\r\n");
    text.ask("SETMAX score 3\r\n", "VALUE 5\r\n");
    resp.ask("*3\r\n$6\r\nSETMAX\r\n$5\r\nscore\r\n$1\r\n7\r\n", ":7\r\n");
    resp.ask("*3\r\n$6\r\nsetmax\r\n$5\r\nscore\r\n$2\r\n-1\r\n", ":7\r\n");
    text.ask("SET name Ada\r\n", "OK\r\n");
    text.ask_error("SETMAX name 1\r\n", "WRONG_TYPE");
    text.ask_error("SETMAX score many\r\n", "SYNTAX");
    resp.ask(
        "*2\r\n$6\r\nSETMAX\r\n$5\r\nscore\r\n",
        "-ERR wrong number of arguments for 'setmax' command\r\n",
    );
    resp.ask(
        "*3\r\n$7\r\nCOMMAND\r\n$4\r\nINFO\r\n$6\r\nSETMAX\r\n",
        "*1\r\n*10\r\n$6\r\nsetmax\r\n:3\r\n*3\r\n+write\r\n+denyoom\r\n+fast\r\n:1\r\n:1\r\n:1\r\n",
    );
}

/// Checks that docs/commands.md of the copy is what its table makes of it.
fn compare_help(text: &mut Wire, root: &Path) {
    text.send("HELP SETMAX\r\n");
    let help: Vec<_> = text.list().iter().map(|line| line.trim_matches('"').to_owned()).collect();
    let document = fs::read_to_string(root.join("docs/commands.md")).unwrap();
    let entry = format!("\n### `{}`\n\n{}\n", help[0], help[1]);
    assert!(document.contains(&entry), "docs/commands.md of the patch lacks {entry:?}; {ADVICE}");
}

#[test]
fn a_server_with_the_patch_serves_its_command_in_both_protocols_and_keeps_what_it_wrote() {
    if !need("git") {
        return;
    }
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("worked-example");
    let root = copy_of_the_workspace(&folder);
    apply_patch(&root);
    let launch = Launch::new().with_program(build(&root, &folder.join("target")));
    let daemon = launch.start();
    ask_in_both_protocols(daemon.wire(), daemon.wire());
    compare_help(&mut daemon.wire(), &root);
    daemon.kill();
    let daemon = launch.start();
    daemon.wire().ask("GET score\r\nSETMAX score 6\r\n", "VALUE 7\r\nVALUE 7\r\n");
    daemon.stop();
    let _ = fs::remove_dir_all(root);
}

/// Returns the lines that the patch leaves, each hunk's apart.
fn hunks(patch: &str) -> Vec<Vec<&str>> {
    let hunks = patch.split("\n@@ ").skip(1);
    let is_left = |line: &&str| line.starts_with(['+', ' ']) && !line.starts_with("+++");
    hunks.map(|hunk| hunk.lines().skip(1).filter(is_left).map(|line| line[1..].trim()).collect()).collect()
}

#[test]
fn the_document_shows_lines_of_the_patch() {
    let patch = read(PATCH);
    let hunks = hunks(&patch);
    let blocks = &section("How to add a command").blocks;
    assert!(blocks.len() > 3, "{blocks:#?}");
    for block in blocks {
        let is_shown = hunks.iter().any(|hunk| hunk.windows(block.len()).any(|lines| lines == block));
        assert!(is_shown, "not in {PATCH}; put the same in both: {block:#?}");
    }
}

#[test]
fn the_document_names_every_file_of_the_patch() {
    let told: Vec<_> = section("How to add a command").spans().collect();
    for file in read(PATCH).lines().filter_map(|line| line.strip_prefix("+++ b/")) {
        assert!(told.iter().any(|span| span == file), "{file} is in {PATCH}, not in ARCHITECTURE.md");
    }
}
