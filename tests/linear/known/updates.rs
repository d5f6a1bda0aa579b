//! Histories whose verdict is known, of commands that read and write in one step.

use super::{DONE, assert_accepted, assert_rejected, get, overwritten};
use crate::history::{Answer, Command};
use crate::model::{Verdict, check};
use crate::script::{Held, Script, set, value, values};

const STORED: Answer = Answer::Count(1);
const NOT_STORED: Answer = Answer::Count(0);

fn set_new(key: usize, number: u32) -> Command {
    Command::SetNew(key, value(number).expect("it is above 0"))
}

#[test]
fn two_conditional_sets_that_both_succeed_without_a_delete_are_rejected() {
    let first = || Script::default().ask(0, 0..50, set_new(0, 1), STORED);
    let both = |answer| first().ask(1, 10..60, set_new(0, 2), answer);
    assert_rejected(both(STORED), &[(0, 1)]);
    assert_rejected(both(STORED), &[(0, 2)]);
    assert_accepted(both(NOT_STORED), &[(0, 1)]);
    assert_rejected(both(NOT_STORED), &[(0, 2)]);
    let deleted = both(STORED).ask(2, 0..60, Command::Delete(vec![0]), Answer::Count(1));
    assert_accepted(deleted.clone(), &[(0, 2)]);
    assert_accepted(deleted, &[(0, 1)]);
    // A delete whose outcome is unknown explains it as well.
    assert_accepted(both(STORED).lose(2, 5, Command::Delete(vec![0])), &[(0, 2)]);
    assert_rejected(both(STORED).lose(2, 65, Command::Delete(vec![0])), &[(0, 2)]);
}

#[test]
fn a_conditional_set_that_is_refused_without_a_key_is_rejected() {
    let refused = || Script::default().ask(0, 0..10, set_new(0, 1), NOT_STORED);
    assert_rejected(refused(), &[]);
    assert_rejected(refused(), &[(0, 1)]);
    assert_accepted(overwritten().ask(1, 40..50, set_new(0, 3), NOT_STORED), &[(0, 2)]);
    assert_rejected(overwritten().ask(1, 40..50, set_new(0, 3), NOT_STORED), &[(0, 3)]);
    // Another client's, of which nobody knows, may have been there.
    let lost = || Script::default().lose(1, 0, set_new(0, 2)).ask(0, 10..20, set_new(0, 1), NOT_STORED);
    assert_accepted(lost(), &[(0, 2)]);
    assert_rejected(lost(), &[]);
}

#[test]
fn an_unknown_conditional_set_stores_only_where_nothing_is() {
    let lost = || overwritten().lose(2, 15, set_new(0, 3));
    assert_accepted(lost(), &[(0, 2)]);
    assert_rejected(lost(), &[(0, 3)]);
    let deleted = || lost().ask(1, 40..50, Command::Delete(vec![0]), Answer::Count(1));
    assert_accepted(deleted(), &[(0, 3)]);
    assert_accepted(deleted(), &[]);
    assert_rejected(get(deleted(), 60..70, &[0], &[3]), &[]);
}

#[test]
fn a_taken_value_that_is_read_afterwards_is_rejected() {
    let taken = |number| overwritten().ask(1, 40..50, Command::Take(0), values(&[number]));
    assert_accepted(taken(2), &[]);
    assert_accepted(get(taken(2), 60..70, &[0], &[0]), &[]);
    assert_rejected(get(taken(2), 60..70, &[0], &[2]), &[]);
    assert_rejected(taken(2), &[(0, 2)]);
    assert_rejected(taken(1), &[]);
    assert_rejected(taken(0), &[]);
    // Beside it either is right, but of two takes one comes too late.
    let read = taken(2).ask(2, 45..60, Command::Get(vec![0]), values(&[2]));
    assert_accepted(read.ask(3, 45..60, Command::Take(0), values(&[0])), &[]);
    assert_rejected(taken(2).ask(2, 45..60, Command::Take(0), values(&[2])), &[]);
}

#[test]
fn an_unknown_take_removes_once_or_never() {
    let lost = || overwritten().lose(2, 35, Command::Take(0));
    assert_accepted(lost(), &[]);
    assert_accepted(lost(), &[(0, 2)]);
    assert_accepted(get(get(lost(), 40..50, &[0], &[2]), 60..70, &[0], &[0]), &[]);
    assert_rejected(get(get(lost(), 40..50, &[0], &[0]), 60..70, &[0], &[2]), &[]);
    let restored = lost().ask(1, 40..50, set(&[(0, 3)]), DONE);
    assert_rejected(get(get(restored, 60..70, &[0], &[0]), 80..90, &[0], &[3]), &[(0, 3)]);
}

#[test]
fn a_rename_that_is_seen_half_done_is_rejected() {
    let renamed = || overwritten().ask(1, 40..50, Command::Rename(0, 1), DONE);
    let seen = |keys: &[u32]| {
        let both = Command::Get(vec![0, 1]);
        renamed().ask(2, 45..60, both, values(keys))
    };
    assert_accepted(seen(&[2, 0]), &[(1, 2)]);
    assert_accepted(seen(&[0, 2]), &[(1, 2)]);
    assert_rejected(seen(&[2, 2]), &[(1, 2)]);
    assert_rejected(seen(&[0, 0]), &[(1, 2)]);
    for torn in [&[(0, 2), (1, 2)][..], &[(0, 2)], &[]] {
        assert_rejected(renamed(), torn);
    }
    let lost = || overwritten().lose(1, 40, Command::Rename(0, 1));
    assert_accepted(lost(), &[(0, 2)]);
    assert_accepted(lost(), &[(1, 2)]);
    assert_rejected(lost(), &[(0, 2), (1, 2)]);
    assert_rejected(lost(), &[]);
    // What was in the way is gone, and the key itself may stand in its own.
    let target = || overwritten().ask(3, 32..35, set(&[(1, 3)]), DONE).lose(1, 40, Command::Rename(0, 1));
    assert_rejected(target(), &[(1, 3)]);
    assert_accepted(target(), &[(0, 2), (1, 3)]);
    assert_accepted(overwritten().ask(1, 40..50, Command::Rename(0, 0), DONE), &[(0, 2)]);
}

#[test]
fn a_wrong_answer_to_a_rename_is_rejected() {
    let renamed = |key, answer| overwritten().ask(1, 40..50, Command::Rename(key, 1), answer);
    assert_accepted(renamed(2, Answer::NoSuchKey), &[(0, 2)]);
    assert_rejected(renamed(2, DONE), &[(0, 2)]);
    assert_rejected(renamed(0, Answer::NoSuchKey), &[(0, 2)]);
    assert_rejected(renamed(0, Answer::NoSuchKey), &[(1, 2)]);
    // It tells that an unknown delete has happened.
    let deleted = || overwritten().lose(2, 35, Command::Delete(vec![0]));
    let told = || deleted().ask(1, 40..50, Command::Rename(0, 1), Answer::NoSuchKey);
    assert_accepted(told(), &[]);
    assert_rejected(told(), &[(0, 2)]);
}

const COUNT: Command = Command::Count(0);
const INCREMENT: Command = Command::Increment(0);

fn counted(number: u64) -> Answer {
    Answer::Number(number)
}

/// Two increments, one after the other.
fn twice() -> Script {
    Script::default().ask(0, 0..10, INCREMENT, counted(1)).ask(1, 20..30, INCREMENT, counted(2))
}

#[track_caller]
fn assert_counted(script: Script, number: u64, expected: Verdict) {
    let held: Held<'_> = &[];
    assert_eq!(check(&script.restart_counted(1000..1100, held, [number, 0]).history()), expected);
}

#[test]
fn an_increment_that_is_lost_or_answered_twice_is_rejected() {
    use Verdict::{Linearizable, NotLinearizable};
    assert_counted(twice(), 2, Linearizable);
    assert_counted(twice(), 1, NotLinearizable);
    assert_counted(twice(), 3, NotLinearizable);
    assert_counted(twice().ask(2, 0..40, INCREMENT, counted(2)), 3, NotLinearizable);
    assert_counted(twice().ask(2, 40..50, INCREMENT, counted(4)), 4, NotLinearizable);
    // Out of the order of time.
    let swapped = Script::default().ask(0, 0..10, INCREMENT, counted(2));
    assert_counted(swapped.clone().ask(1, 20..30, INCREMENT, counted(1)), 2, NotLinearizable);
    assert_counted(swapped.ask(1, 5..30, INCREMENT, counted(1)), 2, Linearizable);
    // Of another counter.
    assert_counted(twice().ask(2, 40..50, Command::Count(1), counted(2)), 2, NotLinearizable);
}

#[test]
fn an_increment_that_nobody_asked_for_is_rejected() {
    use Verdict::{Linearizable, NotLinearizable};
    let lost = || twice().lose(2, 5, INCREMENT);
    assert_counted(lost(), 2, Linearizable);
    assert_counted(lost(), 3, Linearizable);
    assert_counted(lost(), 4, NotLinearizable);
    let third = |number| lost().ask(0, 40..50, INCREMENT, counted(number));
    assert_counted(third(4), 4, Linearizable);
    assert_counted(third(5), 5, NotLinearizable);
    // It has not happened, and then it never does.
    let restarted = || lost().restart_counted(100..110, &[], [2, 0]);
    assert_counted(restarted(), 2, Linearizable);
    assert_counted(restarted(), 3, NotLinearizable);
    // Before it was sent.
    let early =
        |called_ns| Script::default().ask(0, 0..10, INCREMENT, counted(2)).lose(1, called_ns, INCREMENT);
    assert_counted(early(5), 2, Linearizable);
    assert_counted(early(15), 2, NotLinearizable);
}

#[test]
fn a_count_that_was_not_reached_or_is_past_is_rejected() {
    use Verdict::{Linearizable, NotLinearizable};
    let read = |time, number| twice().ask(2, time, COUNT, counted(number));
    assert_counted(read(40..50, 2), 2, Linearizable);
    assert_counted(read(25..50, 1), 2, Linearizable);
    assert_counted(read(40..50, 1), 2, NotLinearizable);
    assert_counted(read(12..15, 2), 2, NotLinearizable);
    // What was read is there after a restart.
    let lost = || twice().lose(3, 35, INCREMENT).ask(2, 40..50, COUNT, counted(3));
    assert_counted(lost(), 3, Linearizable);
    assert_counted(lost(), 2, NotLinearizable);
    let back = lost().ask(2, 60..70, COUNT, counted(2));
    assert_counted(back, 3, NotLinearizable);
}
