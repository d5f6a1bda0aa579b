//! Key specifications in the answers of `COMMAND`: the positions of a command's keys, and how they are accessed.

use rustvault_protocol::{KeyAccess, KeySpec, Reply};

use super::introspection::{StaticReply, words};
use super::reply::bulk;

/// Returns Redis's flags for the access to all keys, or to each of two.
const fn access_flags(access: KeyAccess) -> &'static [&'static [&'static str]] {
    match access {
        KeyAccess::ReadOnly => &[&["RO", "access"]],
        KeyAccess::ReadWrite => &[&["RW", "access", "update"]],
        KeyAccess::Amend => &[&["RW", "update"]],
        KeyAccess::Overwrite => &[&["OW", "update"]],
        KeyAccess::Remove => &[&["RM", "delete"]],
        KeyAccess::Copy => &[&["RO", "access"], &["OW", "update"]],
        KeyAccess::Move => &[&["RW", "access", "delete"], &["OW", "update"]],
        KeyAccess::MoveIfNew => &[&["RW", "access", "delete"], &["OW", "insert"]],
    }
}

/// Returns the number of specifications.
pub(super) const fn number_of_key_specs(keys: &KeySpec) -> usize {
    access_flags(keys.access).len()
}

/// Returns one specification for all keys, or one for each key if they are accessed differently.
pub(super) fn key_specs_of(keys: &KeySpec, names_before: i64) -> Vec<StaticReply> {
    let first = i64::from(keys.first) + names_before;
    match access_flags(keys.access) {
        &[flags] => {
            // Redis counts from the first key; a negative number counts from the last argument.
            let last = i64::from(keys.last) - if keys.last < 0 { 0 } else { i64::from(keys.first) };
            vec![key_spec_of(flags, first, last, keys.step)]
        }
        apart => (first..).zip(apart).map(|(position, flags)| key_spec_of(flags, position, 0, 1)).collect(),
    }
}

fn key_spec_of(flags: &[&'static str], first: i64, last: i64, step: u8) -> StaticReply {
    let begin = vec![(bulk("index"), Reply::Integer(first))];
    let find = vec![
        (bulk("lastkey"), Reply::Integer(last)),
        (bulk("keystep"), Reply::Integer(step.into())),
        (bulk("limit"), Reply::Integer(0)),
    ];
    let typed = |kind, spec| Reply::Map(vec![(bulk("type"), bulk(kind)), (bulk("spec"), Reply::Map(spec))]);
    Reply::Map(vec![
        (bulk("flags"), words(flags.iter().copied())),
        (bulk("begin_search"), typed("index", begin)),
        (bulk("find_keys"), typed("range", find)),
    ])
}
