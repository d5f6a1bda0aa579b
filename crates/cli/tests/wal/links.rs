//! A log behind a symbolic link, as one has it on another disk: the link stays, and the log is where it leads.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use rustvault_storage::LogFormat;

use crate::fixture::{Fixture, json, take_turn, wal};

/// A relative link in a folder of its own to the fixture's log.
fn link_to(fixture: &Fixture) -> PathBuf {
    let folder = fixture.folder.path().join("links");
    fs::create_dir(&folder).unwrap();
    symlink("../vault.log", folder.join("link.log")).unwrap();
    folder.join("link.log")
}

fn assert_is_still_a_link(link: &Path) {
    assert_eq!(fs::read_link(link).unwrap(), Path::new("../vault.log"));
    assert_eq!(fs::read_dir(link.parent().unwrap()).unwrap().count(), 1, "nothing lies beside the link");
}

#[test]
fn a_conversion_replaces_what_the_link_leads_to() {
    let _turn = take_turn();
    let fixture = Fixture::compacted();
    let link = link_to(&fixture);
    wal("convert", &link).args(["--to", "json"]).assert().code(0);
    assert_is_still_a_link(&link);
    assert_eq!(json(&mut fixture.wal("inspect"))["format"], "json");
    wal("verify", &link).assert().code(0);
}

#[test]
fn a_repair_cuts_what_the_link_leads_to_and_keeps_the_bytes_beside_that() {
    let _turn = take_turn();
    let fixture = Fixture::written(LogFormat::Binary);
    let link = link_to(&fixture);
    let offset = fixture.damage();
    let cut = fixture.bytes().split_off(offset as usize);
    wal("repair", &link).arg("--yes").assert().code(0);
    assert_is_still_a_link(&link);
    let kept = fixture.folder.path().join(format!("vault.log.cut-{offset}"));
    assert_eq!(fs::read(kept).unwrap(), cut);
    assert_eq!(fixture.keys(), 2);
}

#[test]
fn lines_are_loaded_into_what_the_link_leads_to_even_when_that_is_not_there_yet() {
    let _turn = take_turn();
    let fixture = Fixture::empty();
    let link = link_to(&fixture);
    wal("verify", &link).assert().code(1);
    let lines = Fixture::written(LogFormat::Json).bytes();
    wal("load", &link).write_stdin(lines).assert().code(0);
    assert_is_still_a_link(&link);
    assert_eq!(fixture.keys(), 19);
}
