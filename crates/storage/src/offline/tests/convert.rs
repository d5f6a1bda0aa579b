//! Tests of converting a log.

use std::os::unix::fs::symlink;

use super::*;

#[test]
fn a_converted_log_has_the_same_records_with_their_times() {
    for (from, to) in [(LogFormat::Binary, LogFormat::Json), (LogFormat::Json, LogFormat::Binary)] {
        for is_compacted in [false, from == LogFormat::Binary] {
            let fixture = Fixture::written(from);
            if is_compacted {
                compact(&fixture);
            }
            let (lines, state) = (dumped(&fixture), fixture.state());
            let records = fixture.log(Access::Write).convert(to).unwrap().records;
            assert_eq!(fixture.log(Access::Read).format(), Some(to));
            assert_eq!(fixture.log(Access::Read).verify().unwrap().records, records);
            assert_eq!(dumped(&fixture), lines);
            assert_eq!(fixture.state(), state);
            assert_eq!(fixture.files(), ["vault.log"]);
        }
    }
}

#[test]
fn converting_to_the_same_format_changes_nothing() {
    for format in FORMATS {
        let fixture = Fixture::written(format);
        let before = fixture.bytes();
        assert_eq!(fixture.log(Access::Write).convert(format).unwrap().records, 202);
        assert_eq!(fixture.bytes(), before);
    }
}

#[test]
fn what_is_written_beside_a_log_or_in_its_place_has_its_mode() {
    use std::os::unix::fs::{MetadataExt, PermissionsExt};

    let mode_of = |path: &Path| fs::metadata(path).unwrap().mode() & 0o777;
    let fixture = Fixture::written(LogFormat::Binary);
    fs::set_permissions(&fixture.path, fs::Permissions::from_mode(0o600)).unwrap();
    fixture.damage(|bytes| bytes[500] ^= 1);
    assert_eq!(mode_of(&fixture.repair().keep_in.unwrap()), 0o600);
    for format in [LogFormat::Json, LogFormat::Binary] {
        fixture.log(Access::Write).convert(format).unwrap();
        assert_eq!(mode_of(&fixture.path), 0o600);
    }
}

#[test]
fn a_symbolic_link_where_the_new_log_goes_is_not_followed() {
    let fixture = Fixture::written(LogFormat::Binary);
    let (before, somebodys) = (fixture.bytes(), fixture.folder.path().join("precious"));
    fs::write(&somebodys, b"somebody's").unwrap();
    let planted = fixture.folder.path().join("vault.log.compacting");
    symlink(&somebodys, &planted).unwrap();
    let error = fixture.log(Access::Write).convert(LogFormat::Json).unwrap_err().to_string();
    assert!(error.contains("vault.log.compacting") && error.contains("a symbolic link"), "{error}");
    assert!(planted.is_symlink());
    assert_eq!((fixture.bytes(), fs::read(&somebodys).unwrap()), (before, b"somebody's".to_vec()));
}

#[test]
fn a_damaged_log_is_not_converted() {
    let fixture = Fixture::written(LogFormat::Binary);
    fixture.damage(|bytes| bytes[500] ^= 1);
    let before = fixture.bytes();
    let error = fixture.log(Access::Write).convert(LogFormat::Json).unwrap_err();
    assert!(matches!(error, Error::Corrupted { .. }), "{error}");
    assert_eq!((fixture.bytes(), fixture.files()), (before, vec!["vault.log".to_owned()]));
}

#[test]
fn a_large_log_is_converted_in_several_batches() {
    let fixture = Fixture::new();
    let store = fixture.store(LogFormat::Json);
    let values = [vec![1; 100_000], vec![2; 700_000], vec![3; 200_000], vec![4; 200_000]];
    run(async {
        for (key, value) in (b'a'..).zip(&values) {
            store.set(&[key], value).await.unwrap();
        }
    });
    store.close().unwrap();
    drop(store);
    fixture.log(Access::Write).convert(LogFormat::Binary).unwrap();
    assert_eq!(batch_offsets(&fixture).len(), 4);
    let expected: Vec<_> = (b'a'..).zip(values).map(|(key, value)| (vec![key], value)).collect();
    assert_eq!(fixture.state(), expected);
}
