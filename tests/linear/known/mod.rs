//! The checker on trial: histories whose verdict is known.

mod plain;
mod updates;

use std::ops::Range;

use crate::history::{Answer, Command, FOREIGN};
use crate::model::{Verdict, check};
use crate::script::{Held, Script, set, values};

const DONE: Answer = Answer::Done;

#[track_caller]
fn assert_accepted(script: Script, found_last: Held<'_>) {
    let verdict = check(&script.restart(1000..1100, found_last).history());
    assert_eq!(verdict, Verdict::Linearizable);
}

#[track_caller]
fn assert_rejected(script: Script, found_last: Held<'_>) {
    let verdict = check(&script.restart(1000..1100, found_last).history());
    assert_eq!(verdict, Verdict::NotLinearizable);
}

/// Key 0 is set to 1, then to 2.
fn overwritten() -> Script {
    Script::default().ask(0, 0..10, set(&[(0, 1)]), DONE).ask(0, 20..30, set(&[(0, 2)]), DONE)
}

fn get(script: Script, time: Range<i64>, keys: &[usize], numbers: &[u32]) -> Script {
    script.ask(1, time, Command::Get(keys.to_vec()), values(numbers))
}

#[test]
fn a_stale_read_is_rejected() {
    assert_rejected(get(overwritten(), 40..50, &[0], &[1]), &[(0, 2)]);
    assert_rejected(get(overwritten(), 40..50, &[0], &[0]), &[(0, 2)]);
    // Beside the write either value is right, but not the old one after the new one.
    assert_accepted(get(overwritten(), 25..26, &[0], &[1]), &[(0, 2)]);
    assert_accepted(get(get(overwritten(), 22..23, &[0], &[1]), 25..26, &[0], &[2]), &[(0, 2)]);
    assert_rejected(get(get(overwritten(), 22..23, &[0], &[2]), 25..26, &[0], &[1]), &[(0, 2)]);
}

#[test]
fn an_acknowledged_write_that_a_restart_loses_is_rejected() {
    assert_accepted(overwritten(), &[(0, 2)]);
    assert_rejected(overwritten(), &[(0, 1)]);
    assert_rejected(overwritten(), &[]);
    assert_rejected(overwritten().restart(40..50, &[(0, 2)]), &[]);
}

#[test]
fn an_acknowledged_delete_that_a_restart_loses_is_rejected() {
    let deleted = overwritten().ask(0, 40..50, Command::Delete(vec![0, 3]), Answer::Count(1));
    assert_accepted(deleted.clone(), &[]);
    assert_rejected(deleted, &[(0, 2)]);
}

#[test]
fn a_value_that_nobody_wrote_is_rejected() {
    assert_rejected(get(overwritten(), 40..50, &[1], &[7]), &[(0, 2)]);
    assert_rejected(get(overwritten(), 40..50, &[1], &[FOREIGN.get()]), &[(0, 2)]);
    assert_rejected(overwritten(), &[(0, 2), (1, FOREIGN.get())]);
}

#[test]
fn a_wrong_number_of_keys_is_rejected() {
    for (right, wrong) in [(1, 0), (1, 2)] {
        for command in [Command::Delete(vec![0, 1]), Command::Exists(vec![1, 0])] {
            let left: Held<'_> = if command.is_read() { &[(0, 2)] } else { &[] };
            assert_accepted(overwritten().ask(1, 40..50, command.clone(), Answer::Count(right)), left);
            assert_rejected(overwritten().ask(1, 40..50, command, Answer::Count(wrong)), left);
        }
    }
}

#[test]
fn an_unknown_write_may_happen_once_or_never() {
    let lost = || overwritten().lose(2, 15, set(&[(0, 3)]));
    assert_accepted(lost(), &[(0, 2)]);
    assert_accepted(lost(), &[(0, 3)]);
    assert_accepted(get(lost(), 40..50, &[0], &[3]), &[(0, 3)]);
    assert_accepted(get(get(lost(), 40..50, &[0], &[2]), 60..70, &[0], &[3]), &[(0, 3)]);
    assert_accepted(get(lost(), 16..17, &[0], &[3]), &[(0, 2)]);
    // Before it was sent.
    assert_rejected(get(lost(), 12..13, &[0], &[3]), &[(0, 3)]);
}

#[test]
fn a_write_that_happens_twice_is_rejected() {
    let seen = get(overwritten().lose(2, 15, set(&[(0, 3)])), 16..17, &[0], &[3]);
    assert_rejected(get(get(seen.clone(), 35..36, &[0], &[2]), 40..50, &[0], &[3]), &[(0, 3)]);
    assert_rejected(get(seen, 35..36, &[0], &[2]), &[(0, 3)]);
    let again = get(get(overwritten(), 40..50, &[0], &[2]), 60..70, &[0], &[1]);
    assert_rejected(again, &[(0, 1)]);
}

#[test]
fn a_value_that_was_read_and_is_gone_after_a_restart_is_rejected() {
    let seen = get(overwritten().lose(2, 35, set(&[(0, 3)])), 40..50, &[0], &[3]);
    assert_accepted(seen.clone(), &[(0, 3)]);
    assert_rejected(seen.clone(), &[(0, 2)]);
    assert_rejected(seen, &[]);
    let counted = overwritten().lose(2, 35, Command::Delete(vec![0]));
    let counted = counted.ask(1, 40..50, Command::Exists(vec![0]), Answer::Count(0));
    assert_accepted(counted.clone(), &[]);
    assert_rejected(counted, &[(0, 2)]);
}

#[test]
fn an_unknown_write_that_happens_after_the_restart_is_rejected() {
    let lost = overwritten().lose(2, 35, set(&[(0, 3)]));
    let missing = lost.clone().restart(40..50, &[(0, 2)]);
    assert_accepted(missing.clone(), &[(0, 2)]);
    assert_rejected(get(missing.clone(), 60..70, &[0], &[3]), &[(0, 3)]);
    assert_rejected(missing, &[(0, 3)]);
    assert_accepted(lost.restart(40..50, &[(0, 3)]), &[(0, 3)]);
}

#[test]
fn a_torn_write_of_several_keys_is_rejected() {
    let pair = || Script::default().ask(0, 0..100, set(&[(0, 1), (1, 2)]), DONE);
    assert_accepted(get(pair(), 40..50, &[0, 1], &[0, 0]), &[(0, 1), (1, 2)]);
    assert_accepted(get(pair(), 40..50, &[0, 1], &[1, 2]), &[(0, 1), (1, 2)]);
    assert_rejected(get(pair(), 40..50, &[0, 1], &[1, 0]), &[(0, 1), (1, 2)]);
    assert_rejected(get(pair(), 40..50, &[0, 1], &[0, 2]), &[(0, 1), (1, 2)]);
    let lost = || Script::default().lose(0, 0, set(&[(0, 1), (1, 2)]));
    assert_accepted(lost(), &[]);
    assert_accepted(lost(), &[(0, 1), (1, 2)]);
    assert_rejected(lost(), &[(0, 1)]);
    assert_rejected(lost(), &[(1, 2)]);
    // Of one that is overwritten in part the rest stays.
    assert_accepted(lost().ask(1, 40..50, set(&[(1, 3)]), DONE), &[(0, 1), (1, 3)]);
    let deleted = |script: Script| script.lose(1, 200, Command::Delete(vec![0, 1]));
    assert_accepted(deleted(pair()), &[]);
    assert_rejected(deleted(pair()), &[(0, 1)]);
}

#[test]
fn a_client_whose_commands_change_places_is_rejected() {
    // One pipeline: both are under way at the same time.
    let pipeline = Script::default().ask(1, 0..10, set(&[(0, 1)]), DONE);
    assert_accepted(get(pipeline.clone(), 0..10, &[0], &[1]), &[(0, 1)]);
    assert_rejected(get(pipeline, 0..10, &[0], &[0]), &[(0, 1)]);
}

#[test]
fn an_unknown_write_that_only_counts_show_is_accepted() {
    let lost = Script::default().lose(0, 0, set(&[(0, 1)]));
    let counted = lost.clone().ask(1, 10..20, Command::Exists(vec![0]), Answer::Count(1));
    assert_accepted(counted.clone().ask(1, 30..40, set(&[(0, 2)]), DONE), &[(0, 2)]);
    assert_rejected(counted, &[]);
    assert_accepted(lost.ask(1, 10..20, Command::Delete(vec![0]), Answer::Count(1)), &[]);
}
