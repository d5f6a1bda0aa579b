//! What a log of JSON lines gives back, whoever wrote it and whatever happened to it.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::path::PathBuf;

use rustvault_storage::batch::{BatchStore, Op};
use rustvault_storage::{DurableStore, Error, LogFormat, Options, SyncPolicy};
use tempfile::TempDir;

const SET: &str = r#"{"timestamp":1640995200000,"command":{"Set":{"key":"user:1","value":"john"}}}"#;
const DELETE: &str = r#"{"timestamp":1640995201000,"command":{"Delete":{"key":"user:1"}}}"#;

const OPENING: &str = "{\"timestamp\":";

type State = BTreeMap<Vec<u8>, Vec<u8>>;

/// A file that is a log, or is to become one.
struct LogFile {
    _folder: TempDir,
    path: PathBuf,
}

impl LogFile {
    fn of(content: impl AsRef<[u8]>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("vault.log");
        std::fs::write(&path, content).unwrap();
        Self { _folder: folder, path }
    }

    fn open(&self) -> Result<DurableStore, Error> {
        let mut options = Options::default();
        options.log_format = Some(LogFormat::Json);
        options.sync_policy = SyncPolicy::Never;
        DurableStore::open(&self.path, options)
    }

    fn bytes(&self) -> Vec<u8> {
        std::fs::read(&self.path).unwrap()
    }

    fn text(&self) -> String {
        String::from_utf8(self.bytes()).unwrap()
    }

    /// Opens and closes it; what it held.
    fn state(&self) -> State {
        state(&self.open().unwrap())
    }

    /// That it is refused as corrupt, untouched: where, and why.
    fn corruption(&self) -> (u64, String) {
        let before = self.bytes();
        let error = self.open().unwrap_err();
        assert_eq!(self.bytes(), before);
        match error {
            Error::Corrupted { offset, reason, .. } => (offset, reason),
            other => panic!("{other}"),
        }
    }
}

#[tokio::main(flavor = "current_thread")]
async fn run<T>(future: impl Future<Output = T>) -> T {
    future.await
}

fn close(store: DurableStore) {
    store.close().unwrap();
}

fn state(store: &DurableStore) -> State {
    run(async {
        let page = store.scan(0, b"", 1000).await.unwrap();
        assert_eq!(page.next_cursor, 0, "these logs are small");
        let mut state = State::new();
        for key in &page.keys {
            state.insert(key.to_vec(), store.get(key).await.unwrap().unwrap().to_vec());
        }
        state
    })
}

fn state_of<const N: usize>(pairs: [(&str, &str); N]) -> State {
    pairs.map(|(key, value)| (key.as_bytes().to_vec(), value.as_bytes().to_vec())).into()
}

fn set_line(key: &str, value: &str) -> String {
    format!(r#"{{"timestamp":1,"command":{{"Set":{{"key":"{key}","value":"{value}"}}}}}}"#)
}

/// The lines without their times, which must not run backwards.
fn commands(text: &str) -> Vec<&str> {
    let mut last = 0;
    let without_time = |line| {
        let (time, command) =
            str::strip_prefix(line, "{\"timestamp\":").unwrap().split_once(",\"command\":").unwrap();
        let time: u64 = time.parse().unwrap();
        assert!(time >= last, "{text}");
        last = time;
        command.strip_suffix('}').unwrap()
    };
    assert!(text.ends_with('\n') && !text.contains("\n\n"));
    text.lines().map(without_time).collect()
}

#[test]
fn logs_of_the_documented_lines_open() {
    assert_eq!(LogFile::of(format!("{SET}\n")).state(), state_of([("user:1", "john")]));
    let log = LogFile::of(format!("{SET}\n{DELETE}\n"));
    let store = log.open().unwrap();
    assert_eq!(state(&store), State::new());
    assert_eq!(store.recovery().records, 2);
}

#[test]
fn every_write_is_a_line() {
    let log = LogFile::of("");
    let store = log.open().unwrap();
    run(async {
        store.set(b"user:1", b"john").await.unwrap();
        store.set(b"\xff\xfe", b"a\nb").await.unwrap();
        store.delete(b"user:1").await.unwrap();
        let pairs: [[&[u8]; 2]; 2] = [[b"a", b"\xff"], [b"b", b""]];
        for op in [Op::Clear, Op::SetMany { pairs: &pairs }] {
            let mut replies = Vec::new();
            store.submit(&[op], usize::MAX, &mut replies).await;
            store.wait(replies[0].depends_on).await.unwrap();
        }
    });
    close(store);
    assert_eq!(
        commands(&log.text()),
        [
            r#"{"Set":{"key":"user:1","value":"john"}}"#,
            r#"{"Set":{"key_base64":"//4=","value":"a\nb"}}"#,
            r#"{"Delete":{"key":"user:1"}}"#,
            r#""Clear""#,
            r#"{"Set":{"key":"a","value_base64":"/w=="}}"#,
            r#"{"Set":{"key":"b","value":""}}"#,
        ]
    );
    let before = log.bytes();
    assert_eq!(log.state(), State::from([(b"a".to_vec(), b"\xff".to_vec()), (b"b".to_vec(), vec![])]));
    assert_eq!(log.bytes(), before, "opening and closing writes nothing");
}

#[test]
fn a_log_keeps_its_format_until_it_is_compacted_whatever_the_options_say() {
    for first in [LogFormat::Json, LogFormat::Binary] {
        let log = LogFile::of("");
        for format in [first, LogFormat::Json, LogFormat::Binary] {
            let mut options = Options::default();
            options.log_format = Some(format);
            let store = DurableStore::open(&log.path, options).unwrap();
            run(store.set(b"k", b"v")).unwrap();
            close(store);
            assert_eq!(log.bytes().starts_with(b"{"), first == LogFormat::Json);
        }
        assert_eq!(log.state(), state_of([("k", "v")]));
    }
}

#[test]
fn a_log_cut_anywhere_gives_its_whole_lines_and_takes_more() {
    let lines = [set_line("a", "1"), set_line("b", "ü"), set_line("a", "3")];
    let text = lines.join("\n") + "\n";
    for cut in 0..text.len() {
        let log = LogFile::of(&text.as_bytes()[..cut]);
        let whole = (1..=3).take_while(|&n| lines[..n].join("\n").len() <= cut).count();
        let store = log.open().unwrap();
        assert_eq!(store.recovery().records, whole as u64, "cut at {cut}");
        let kept = lines[..whole].iter().map(|line| line.len() + 1).sum::<usize>();
        assert_eq!(store.recovery().torn_bytes_dropped, cut.saturating_sub(kept) as u64, "cut at {cut}");
        run(store.set(b"new", b"")).unwrap();
        close(store);
        assert_eq!(commands(&log.text()).len(), whole + 1, "cut at {cut}");
        assert_eq!(log.state().len(), whole.min(2) + 1, "cut at {cut}");
    }
}

#[test]
fn a_torn_first_line_leaves_a_new_log() {
    for torn in ["{", "{\"timest", &SET[..40], &format!("\n \n{}", &SET[..40]), &format!("{OPENING}\0\n")] {
        let log = LogFile::of(torn);
        let store = log.open().unwrap();
        assert_eq!(store.recovery().torn_bytes_dropped, torn.len() as u64);
        close(store);
        assert_eq!(log.text(), "");
    }
}

#[test]
fn a_bad_line_before_good_ones_is_corruption_and_names_the_place() {
    for bad in ["rubbish", "{}", &SET[1..], &SET[..40], "\0\0", &SET.replace("john", "jo\0n")] {
        let (offset, reason) = LogFile::of(format!("{SET}\n\n{bad}\n{DELETE}\n")).corruption();
        assert_eq!(offset, SET.len() as u64 + 2, "{bad}");
        assert!(reason.starts_with("line 3 is no record"), "{reason}");
    }
}

#[test]
fn a_bad_last_line_that_is_whole_is_no_torn_tail() {
    let (offset, _) = LogFile::of(format!("{SET}\n{}\n", &SET[..40])).corruption();
    assert_eq!(offset, SET.len() as u64 + 1);
}

#[test]
fn lines_with_lost_sectors_at_the_end_are_a_torn_tail() {
    let holed = SET.replace("user:1", "\0\0\0");
    for tail in [holed.clone(), format!("{holed}\n"), format!("{holed}\n{holed}\n"), format!("\0{SET}\n")] {
        let log = LogFile::of(format!("{SET}\n{tail}"));
        let store = log.open().unwrap();
        assert_eq!(store.recovery().torn_bytes_dropped, tail.len() as u64);
        assert_eq!(state(&store), state_of([("user:1", "john")]));
        close(store);
        assert_eq!(log.text(), format!("{SET}\n"));
    }
}

#[test]
fn zeros_at_the_end_are_the_end_of_the_log() {
    for (content, kept) in [(format!("{SET}\n"), true), (SET.to_owned(), true), (String::new(), false)] {
        for zeros in [1, 5000, 3_000_000] {
            let log = LogFile::of([content.as_bytes(), &vec![0; zeros]].concat());
            let store = log.open().unwrap();
            assert_eq!(store.recovery().torn_bytes_dropped, 0);
            assert_eq!(state(&store).len(), usize::from(kept));
            close(store);
            assert_eq!(log.text(), if kept { format!("{SET}\n") } else { String::new() });
        }
    }
}

#[test]
fn blank_lines_and_crlf_are_tolerated() {
    let log = LogFile::of(format!("\r\n  {SET}\r\n\n \t\r\n{}\r\n \n  ", set_line("b", "2")));
    let before = log.text();
    let store = log.open().unwrap();
    assert_eq!(store.recovery().records, 2);
    assert_eq!(store.recovery().torn_bytes_dropped, 0);
    run(store.set(b"c", b"3")).unwrap();
    close(store);
    assert!(log.text().starts_with(&(before + "\n{\"timestamp\":")));
    assert_eq!(log.state(), state_of([("user:1", "john"), ("b", "2"), ("c", "3")]));
}

#[test]
fn other_files_that_begin_with_a_brace_are_refused_untouched() {
    for foreign in [
        "{\n  \"name\": \"package\"\n}\n",
        "{\"name\": \"package\"}",
        "{\"name\": \"pack",
        "{\"timestamp\":1}",
        "{\"timestamp\":1}\n",
        "{\"timestamp\":1,\"level\":\"info",
        "{\"timestamp\":1640995200000,\n",
        "  {}",
        "{\0}\n",
    ] {
        let log = LogFile::of(foreign);
        assert!(matches!(log.open(), Err(Error::NotALog { .. })), "{foreign}");
        assert_eq!(log.text(), foreign);
    }
}

#[test]
fn times_do_not_run_backwards_but_may_have_done() {
    let log = LogFile::of(format!("{DELETE}\n{SET}\n").replace("1640995201000", "99999999999999"));
    let store = log.open().unwrap();
    run(store.set(b"k", b"")).unwrap();
    close(store);
    let last = log.text().lines().last().unwrap().to_owned();
    assert!(last.starts_with("{\"timestamp\":99999999999999,"), "{last}");
}

#[test]
fn lines_longer_than_what_is_read_at_one_go_survive() {
    let log = LogFile::of("");
    let values = [vec![b'x'; 3_000_000], vec![0; 1_000_000], vec![0xff; 2_000_000]];
    for key in 0..3 {
        let store = log.open().unwrap();
        run(store.set(&[key], &values[usize::from(key)])).unwrap();
    }
    let state = log.state();
    assert!((0..3).all(|key| state[&vec![key]] == values[usize::from(key)]));
}

#[test]
fn a_json_log_of_this_version_opens_for_ever() {
    let golden = include_bytes!("golden/format-json.log");
    let expected = State::from([
        (b"user:2".to_vec(), "jané \"😀\"\n\t\u{0}".into()),
        (b"empty".to_vec(), vec![]),
        (vec![0xff, 0], vec![0xf0, 0x9f]),
        (b"foreign".to_vec(), b"yes".to_vec()),
    ]);
    let log = LogFile::of(golden);
    let store = log.open().unwrap();
    assert_eq!(state(&store), expected);
    assert_eq!(store.recovery().records, 8);
    close(store);
    assert_eq!(log.bytes(), golden);
}
