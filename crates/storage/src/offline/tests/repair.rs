//! Tests of repairing a log.

use std::os::unix::fs::symlink;

use super::*;

#[test]
fn a_repaired_log_opens_with_what_was_before_the_damage_and_the_rest_is_kept() {
    let fixture = Fixture::written(LogFormat::Binary);
    let offsets = batch_offsets(&fixture);
    for bad in [150, 60, 0] {
        let bad = offsets[bad];
        fixture.damage(|bytes| bytes[bad as usize + 60] ^= 1);
        let before = fixture.bytes();
        let cut = fixture.repair();
        assert_eq!(cut.offset, bad);
        assert!(cut.highest_lost_lsn.is_some());
        assert_eq!(fs::read(cut.keep_in.unwrap()).unwrap(), before[bad as usize..]);
        assert_eq!(fixture.bytes()[..bad as usize], before[..bad as usize]);
        let checked = fixture.log(Access::Read).verify().unwrap();
        assert_eq!((checked.records, checked.torn_bytes), (cut.kept_records, 0));
        run(fixture.store(LogFormat::Binary).set(b"new", b"write")).unwrap();
        assert!(fixture.state().iter().any(|(key, _)| key == b"new"));
    }
}

#[test]
fn lsns_that_were_cut_are_not_given_again() {
    let fixture = Fixture::written(LogFormat::Binary);
    // Without the last seal the log looks as after a crash: each time it is opened the LSNs jump.
    for _ in 0..4 {
        fixture.damage(|bytes| bytes.truncate(bytes.len() - 48));
        run(fixture.store(LogFormat::Binary).set(b"jumped", b"")).unwrap();
    }
    let lost = fixture.log(Access::Read).inspect(|_| Ok(())).unwrap().last_lsn.unwrap();
    assert!(lost.get() > 4 << 32);
    fixture.damage(|bytes| bytes[200] ^= 1);
    let cut = fixture.repair();
    assert!(cut.highest_lost_lsn >= Some(lost), "{cut:?}");
    run(fixture.store(LogFormat::Binary).set(b"new", b"")).unwrap();
    let new = fixture.log(Access::Read).inspect(|_| Ok(())).unwrap().last_lsn.unwrap();
    assert!(new > lost, "{new} after {lost}");
}

#[test]
fn a_compacted_log_that_is_cut_within_its_entries_opens() {
    let fixture = Fixture::written(LogFormat::Binary);
    let store = fixture.store(LogFormat::Binary);
    let large = vec![b'v'; 200_000];
    run(async {
        store.set(b"large:1", &large).await.unwrap();
        store.set(b"large:2", &large).await.unwrap();
    });
    store.close().unwrap();
    drop(store);
    compact(&fixture);
    let offsets = batch_offsets(&fixture);
    assert!(offsets.len() > 2, "{offsets:?}");
    for block in [1, 0] {
        fixture.damage(|bytes| bytes[offsets[block] as usize + 70] ^= 1);
        assert!(fixture.log(Access::Read).verify().is_err());
        let cut = fixture.repair();
        assert_eq!(cut.offset, offsets[block]);
        assert_eq!(fixture.log(Access::Read).verify().unwrap().records, cut.kept_records);
        assert_eq!(fixture.state().len() as u64, cut.kept_records);
    }
}

#[test]
fn a_repair_that_a_crash_ended_is_done_again() {
    let fixture = Fixture::written(LogFormat::Binary);
    compact(&fixture);
    // Cut, but not sealed.
    fixture.damage(|bytes| bytes.truncate(64));
    let cut = fixture.repair();
    assert_eq!((cut.offset, cut.bytes, cut.keep_in), (64, 0, None));
    assert!(fixture.state().is_empty());
}

#[test]
fn a_file_of_cut_bytes_is_never_written_over() {
    let fixture = Fixture::written(LogFormat::Binary);
    let bytes = fixture.bytes();
    let mut kept = Vec::new();
    for _ in 0..3 {
        fs::write(&fixture.path, &bytes).unwrap();
        fixture.damage(|bytes| bytes[200] ^= 1);
        kept.push(fixture.repair().keep_in.unwrap());
    }
    kept.dedup();
    assert_eq!(kept.len(), 3, "{kept:?}");
}

#[test]
fn what_is_cut_goes_through_no_link() {
    let fixture = Fixture::written(LogFormat::Binary);
    fixture.damage(|bytes| bytes[200] ^= 1);
    let before = fixture.bytes();
    let nowhere = fixture.folder.path().join("nowhere");
    let planned = |fixture: &Fixture| {
        let log = fixture.log(Access::Write);
        let cut = log.find_damage().unwrap().unwrap();
        let path = cut.keep_in.clone().unwrap();
        (log, cut, path)
    };
    // Planted after the look for a free name: the log stays as it is.
    let (log, cut, path) = planned(&fixture);
    symlink(&nowhere, &path).unwrap();
    let error = log.repair(&cut).unwrap_err().to_string();
    assert!(error.contains(path.to_str().unwrap()), "{error}");
    assert!(path.is_symlink() && !nowhere.exists());
    assert_eq!(fixture.bytes(), before);
    // Planted before it: that name is taken.
    let (log, cut, other) = planned(&fixture);
    assert_ne!(other, path);
    log.repair(&cut).unwrap();
    assert!(other.is_file() && !nowhere.exists());
}

#[test]
fn a_damaged_header_cannot_be_repaired() {
    let fixture = Fixture::written(LogFormat::Binary);
    fixture.damage(|bytes| bytes[20] ^= 1);
    let error = OfflineLog::open(&fixture.path, Access::Write).unwrap_err();
    assert!(matches!(error, Error::Corrupted { offset: 0, .. }), "{error}");
}

#[test]
fn a_bad_line_is_cut_with_all_behind_it() {
    let fixture = Fixture::written(LogFormat::Json);
    let bytes = fixture.bytes();
    let second = bytes.iter().position(|&byte| byte == b'\n').unwrap() + 1;
    fixture.damage(|bytes| bytes[second] = b'?');
    let damaged = fixture.bytes();
    let cut = fixture.repair();
    assert_eq!((cut.offset, cut.kept_records), (second as u64, 1));
    assert_eq!(fs::read(cut.keep_in.unwrap()).unwrap(), damaged[second..]);
    assert_eq!(fixture.bytes(), bytes[..second]);
    assert_eq!(fixture.state().len(), 1);
}
