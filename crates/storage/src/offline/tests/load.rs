//! Tests of loading what was dumped.

use super::*;

#[test]
fn what_is_dumped_and_loaded_is_the_same_state() {
    for (from, to) in FORMATS.iter().flat_map(|&from| FORMATS.map(|to| (from, to))) {
        for is_compacted in [false, from == LogFormat::Binary] {
            let old = Fixture::written(from);
            if is_compacted {
                compact(&old);
            }
            let new = Fixture::new();
            let store = new.store(to);
            let lines = dumped(&old);
            let records = run(load(&store, &lines[..])).unwrap();
            assert_eq!(records as usize, lines.iter().filter(|&&byte| byte == b'\n').count());
            store.close().unwrap();
            drop(store);
            assert_eq!(new.log(Access::Read).format(), Some(to));
            assert_eq!(new.state(), old.state(), "{from:?} to {to:?}");
        }
    }
}

#[test]
fn a_clear_is_loaded_at_its_place() {
    let fixture = Fixture::written(LogFormat::Binary);
    let lines = "{\"timestamp\":1,\"command\":{\"Set\":{\"key\":\"a\",\"value\":\"1\"}}}\n\r\n\
        {\"timestamp\":1,\"command\":\"Clear\"}\n{\"timestamp\":1,\"command\":{\"Set\":{\"key\":\"b\",\"value\":\"2\"}}}";
    let store = fixture.store(LogFormat::Binary);
    assert_eq!(run(load(&store, lines.as_bytes())).unwrap(), 3);
    assert_eq!(state(&store), [(b"b".to_vec(), b"2".to_vec())]);
}

#[test]
fn loading_ends_at_the_first_bad_line_and_names_it() {
    let fixture = Fixture::new();
    let good = "{\"timestamp\":1,\"command\":{\"Set\":{\"key\":\"a\",\"value\":\"1\"}}}\n";
    let store = fixture.store(LogFormat::Binary);
    // More lines than go into the store at one go.
    let lines = format!("{}\nbad\n{}", good.repeat(3000), good.replace("\"a\"", "\"b\""));
    let error = run(load(&store, lines.as_bytes())).unwrap_err();
    assert!(matches!(error, LoadError::BadLine { line: 3002, .. }), "{error}");
    assert_eq!(state(&store), [(b"a".to_vec(), b"1".to_vec())]);
    let too_long =
        "{\"timestamp\":1,\"command\":{\"Delete\":{\"key\":\"KEY\"}}}".replace("KEY", &"k".repeat(70_000));
    let error = run(load(&store, too_long.as_bytes())).unwrap_err();
    assert!(matches!(error, LoadError::BadLine { line: 1, .. }), "{error}");
}
