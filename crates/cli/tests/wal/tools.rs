//! What each tool does.

use std::fs;

use rustvault_storage::LogFormat;

use crate::fixture::{Fixture, cli, failure, json, run, take_turn, wal};

#[test]
fn a_sound_log_is_verified() {
    let _turn = take_turn();
    for format in [LogFormat::Binary, LogFormat::Json] {
        let fixture = Fixture::written(format);
        let len = fixture.bytes().len();
        let expected = format!("sound: 21 records in {len} bytes\n");
        fixture.wal("verify").assert().code(0).stdout(expected).stderr("");
        let expected =
            format!("{{\"end_offset\":{len},\"records\":21,\"status\":\"ok\",\"torn_bytes\":0}}\n");
        fixture.wal("verify").arg("--json").assert().code(0).stdout(expected);
    }
}

#[test]
fn a_torn_tail_is_sound_and_told() {
    let _turn = take_turn();
    let fixture = Fixture::written(LogFormat::Binary);
    let bytes = fixture.bytes();
    fs::write(&fixture.path, &bytes[..bytes.len() - 60]).unwrap();
    let output = fixture.wal("verify").output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.starts_with("sound: 20 records in ") && text.contains("a torn tail of "), "{text}");
    assert!(json(&mut fixture.wal("inspect"))["torn_bytes"].as_u64() > Some(0));
    fixture.wal("repair").assert().code(0).stdout("sound: there is nothing to repair\n");
}

#[test]
fn damage_is_exit_code_3_with_its_offset_and_a_repair_makes_the_log_open() {
    let _turn = take_turn();
    let fixture = Fixture::written(LogFormat::Binary);
    let offset = fixture.damage();
    let before = fixture.bytes();

    let (code, text) = failure(&mut fixture.wal("verify"));
    assert_eq!(code, Some(3));
    assert!(text.contains(&format!("corrupt at byte {offset}:")), "{text}");
    assert!(text.contains("'rustvault-cli wal repair'"), "it says what can be done: {text}");
    let (code, text) = failure(fixture.wal("inspect").arg("--json"));
    assert_eq!(code, Some(3));
    assert!(text.starts_with("{\"error\":{\"kind\":\"log\""), "{text}");
    assert_eq!(json(&mut fixture.wal("inspect"))["sound_bytes"], offset);
    assert_eq!(failure(&mut fixture.wal("dump")).0, Some(3));
    assert_eq!(failure(fixture.wal("convert").args(["--to", "json"])).0, Some(3));
    assert_eq!(failure(fixture.wal("load").write_stdin("")).0, Some(3));
    assert_eq!(fixture.bytes(), before, "nothing but a repair changes it");

    fixture.wal("repair").arg("--yes").assert().code(0);
    let kept = fixture.folder.path().join(format!("vault.log.cut-{offset}"));
    assert_eq!(fs::read(kept).unwrap(), before[offset as usize..]);
    let expected = "sound: 2 records in ";
    let output = fixture.wal("verify").output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    assert!(output.stdout.starts_with(expected.as_bytes()), "{output:?}");
    assert_eq!(fixture.keys(), 2);
}

#[test]
fn a_repair_that_can_ask_nobody_shows_its_plan_and_changes_nothing() {
    let _turn = take_turn();
    let fixture = Fixture::written(LogFormat::Binary);
    let offset = fixture.damage();
    let before = fixture.bytes();
    let output = fixture.wal("repair").write_stdin("y\n").output().unwrap();
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    let plan = String::from_utf8(output.stdout).unwrap();
    let expected =
        format!("{} bytes, from byte {offset} on; the 2 records before stay", before.len() as u64 - offset);
    assert!(plan.contains(&expected) && plan.contains(".cut-"), "{plan}");
    assert!(String::from_utf8(output.stderr).unwrap().contains("--yes"));
    assert_eq!(fixture.bytes(), before);
    assert_eq!(fs::read_dir(fixture.folder.path()).unwrap().count(), 1);
}

#[test]
fn what_is_dumped_can_be_loaded_into_any_log() {
    let _turn = take_turn();
    for old in [Fixture::written(LogFormat::Binary), Fixture::written(LogFormat::Json), Fixture::compacted()]
    {
        let lines = old.wal("dump").output().unwrap().stdout;
        for format in ["binary", "json"] {
            let new = Fixture::empty();
            let mut load = new.wal("load");
            let records = lines.iter().filter(|&&byte| byte == b'\n').count();
            load.args(["--wal-format", format]).write_stdin(lines.clone());
            load.assert().code(0).stdout(format!("loaded {records} records\n"));
            assert_eq!(json(&mut new.wal("inspect"))["format"], format);
            assert_eq!(new.keys(), old.keys());
            let file = new.folder.path().join("lines");
            fs::write(&file, &lines).unwrap();
            new.wal("load").arg(&file).assert().code(0).stdout(format!("loaded {records} records\n"));
            assert_eq!(new.keys(), old.keys());
        }
    }
}

#[test]
fn a_bad_first_line_leaves_no_log_behind_and_one_that_is_there_alone() {
    let _turn = take_turn();
    let fixture = Fixture::empty();
    for (number, lines) in [(1, "nonsense"), (3, "\n  \n[1]\n"), (1, "{\"timestamp\":1}\n{}")] {
        let (code, text) = failure(fixture.wal("load").write_stdin(lines));
        assert_eq!(code, Some(3), "{text}");
        assert!(text.contains(&format!("line {number} is no record")), "{text}");
        assert_eq!(fs::read_dir(fixture.folder.path()).unwrap().count(), 0, "{lines:?}");
    }
    // Not even a folder is a reason for one.
    assert_eq!(failure(fixture.wal("load").arg(fixture.folder.path())).0, Some(1));
    assert_eq!(fs::read_dir(fixture.folder.path()).unwrap().count(), 0);

    let fixture = Fixture::written(LogFormat::Binary);
    let before = fixture.bytes();
    assert_eq!(failure(fixture.wal("load").write_stdin("nonsense\n")).0, Some(3));
    assert_eq!(fixture.bytes(), before);
    fixture.wal("load").write_stdin("\n\n").assert().code(0).stdout("loaded 0 records\n");
}

#[test]
fn a_dump_is_the_lines_of_a_json_log() {
    let _turn = take_turn();
    let fixture = Fixture::written(LogFormat::Json);
    fixture.wal("dump").assert().code(0).stdout(fixture.bytes()).stderr("");
    let compacted = Fixture::compacted();
    let output = compacted.wal("dump").output().unwrap();
    assert!(String::from_utf8(output.stdout).unwrap().ends_with("\"value\":\"compaction\"}}}\n"));
}

#[test]
fn a_line_that_is_no_record_is_named() {
    let _turn = take_turn();
    let fixture = Fixture::empty();
    let lines =
        "{\"timestamp\":1,\"command\":{\"Set\":{\"key\":\"a\",\"value\":\"1\"}}}\n{\"timestamp\":1}\n";
    let (code, text) = failure(fixture.wal("load").write_stdin(lines));
    assert_eq!(code, Some(3));
    assert!(text.starts_with("error: line 2 is no record"), "{text}");
    assert_eq!(fixture.keys(), 1);
}

#[test]
fn a_log_is_converted_there_and_back_in_its_place() {
    let _turn = take_turn();
    let fixture = Fixture::compacted();
    let (lines, keys) = (fixture.wal("dump").output().unwrap().stdout, fixture.keys());
    fixture.wal("convert").args(["--to", "json"]).assert().code(0).stdout("converted 20 records to json\n");
    assert_eq!(fixture.bytes(), lines);
    fixture.wal("convert").args(["--to", "binary"]).assert().code(0);
    fixture.wal("dump").assert().code(0).stdout(lines);
    let again = "the log is binary already: nothing was changed\n";
    fixture.wal("convert").args(["--to", "binary"]).assert().code(0).stdout(again);
    assert_eq!(fixture.keys(), keys);
    assert_eq!(fs::read_dir(fixture.folder.path()).unwrap().count(), 1);
}

#[test]
fn inspecting_shows_header_batches_and_epochs() {
    let _turn = take_turn();
    let fixture = Fixture::compacted();
    let output = fixture.wal("inspect").arg("--batches").output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    for line in [
        "offset=64 kind=entries epoch=2 ",
        "format=binary\n",
        "format_version=1\n",
        "compacted=true\n",
        "closed=true\n",
        "blocks=1\n",
        "entries=19\n",
        "sets=1\n",
        "torn_bytes=0\n",
        "damage=\n",
        "\nepoch=2 offset=64 ",
    ] {
        assert!(text.contains(line), "{line:?} is missing in:\n{text}");
    }
    let lines = json(&mut Fixture::written(LogFormat::Json).wal("inspect"));
    assert_eq!(
        (&lines["format"], &lines["sets"], &lines["deletes"]),
        (&"json".into(), &20.into(), &1.into())
    );
}

#[test]
fn a_log_in_use_is_exit_code_1_and_names_the_process() {
    let _turn = take_turn();
    let fixture = Fixture::empty();
    let _store = fixture.store(LogFormat::Binary);
    for command in ["inspect", "verify", "dump", "load", "repair"] {
        let (code, text) = failure(&mut fixture.wal(command));
        assert_eq!(code, Some(1));
        assert!(text.contains(&format!("in use by process {}", std::process::id())), "{command}: {text}");
    }
    assert_eq!(failure(fixture.wal("convert").args(["--to", "json"])).0, Some(1));
}

#[test]
fn what_cannot_be_a_log_is_told_apart() {
    let _turn = take_turn();
    let fixture = Fixture::empty();
    for command in ["inspect", "verify", "dump", "repair"] {
        fs::write(&fixture.path, "some other program's notes\n").unwrap();
        let (code, text) = failure(&mut fixture.wal(command));
        assert_eq!(code, Some(3), "{command}: {text}");
        assert!(text.contains("not a RustVault log"), "{command}: {text}");
        let absent = fixture.folder.path().join("absent");
        let (code, text) = failure(&mut wal(command, &absent));
        assert_eq!(code, Some(1), "{command}: {text}");
        assert!(text.contains("No such file"), "{command}: {text}");
        assert!(!absent.exists());
        let (code, text) = failure(&mut wal(command, fixture.folder.path()));
        assert_eq!(code, Some(1), "{command}: {text}");
        assert!(text.contains("not a regular file"), "{command}: {text}");
        fs::write(&fixture.path, "").unwrap();
        fixture.wal(command).assert().code(0);
        assert_eq!(fixture.bytes(), b"");
    }
}

#[test]
fn misuse_is_exit_code_2() {
    let _turn = take_turn();
    let fixture = Fixture::written(LogFormat::Binary);
    assert_eq!(fixture.wal("convert").output().unwrap().status.code(), Some(2));
    assert_eq!(fixture.wal("convert").args(["--to", "xml"]).output().unwrap().status.code(), Some(2));
    assert_eq!(cli().arg("wal").output().unwrap().status.code(), Some(2));
    assert_eq!(cli().args(["wal", "verify"]).output().unwrap().status.code(), Some(2));
}

#[test]
fn a_reader_that_has_seen_enough_ends_a_dump_quietly() {
    let _turn = take_turn();
    use std::process::{Command, Stdio};
    let fixture = Fixture::empty();
    let store = fixture.store(LogFormat::Binary);
    run(store.set(b"large", &vec![b'v'; 1_000_000])).unwrap();
    drop(store);
    let mut program = Command::new(env!("CARGO_BIN_EXE_rustvault-cli"));
    program.args(["wal", "dump"]).arg(&fixture.path).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = program.spawn().unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), &output.stderr[..]), (Some(0), &b""[..]));
}
