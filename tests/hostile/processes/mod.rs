//! Each test has a daemon of its own, and one attack.

mod descriptors;
mod half_open;
mod idle;
mod logins;

use std::sync::{Mutex, PoisonError};

use rustvault_tests::Launch;
use rustvault_tests::attacks::{self, Attack};

use crate::siege::Siege;

/// Attacks that share the machine would say nothing about each.
static TURN: Mutex<()> = Mutex::new(());

fn withstand(attack: Attack) {
    withstand_as(Launch::new(), attack);
}

fn withstand_as(launch: Launch, attack: Attack) {
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let daemon = launch.start();
    attack.prepare(daemon.addr());
    let siege = Siege::begin(daemon);
    attack.run(siege.daemon().addr());
    siege.end(attack.name);
}

#[test]
fn a_slow_reader_of_a_large_answer_pins_little_memory() {
    // With several threads the allocator keeps what one of them has allocated and another has freed, until the first
    // allocates again: up to all values that it ever stored, whether somebody reads them or not.
    withstand_as(Launch::new().with_args("--threads 1"), attacks::SLOW_READER);
}

#[test]
fn slow_writers_hold_nobody_up() {
    withstand(attacks::SLOW_WRITERS);
}

#[test]
fn lines_and_values_of_a_gibibyte_are_refused_and_kept_nowhere() {
    withstand(attacks::TOO_MUCH);
}

#[test]
fn a_pipeline_of_a_million_commands_is_answered_and_holds_nobody_up() {
    withstand(attacks::LONG_PIPELINE);
}

#[test]
fn connecting_and_disconnecting_leaves_nothing_behind() {
    withstand(attacks::COMING_AND_GOING);
}

#[test]
fn other_protocols_and_random_bytes_store_nothing() {
    withstand(attacks::OTHER_PROTOCOLS);
}

#[test]
fn a_million_values_in_one_answer_hold_nobody_up() {
    withstand(attacks::LARGE_MGET);
}

#[test]
fn the_slowest_pattern_over_a_million_keys_holds_nobody_up() {
    withstand(attacks::SLOW_PATTERNS);
}
