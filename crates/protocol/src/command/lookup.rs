//! Finds a command by its name.

use super::table::SPECS;
use super::{Command, CommandSpec};
use crate::Protocol;

/// So many slots that names rarely meet. A power of two.
const SLOTS: usize = 1024;

/// Marks a slot without a command.
const EMPTY: u16 = u16::MAX;

const _: () = assert!(SPECS.len() < SLOTS / 2);

/// The positions of commands in the table, each in the first free slot from that of its name on.
static INDEX: [u16; SLOTS] = index();

const fn index() -> [u16; SLOTS] {
    let mut index = [EMPTY; SLOTS];
    let mut position = 0;
    while position < SPECS.len() {
        let spec = &SPECS[position];
        if !spec.is_subcommand {
            insert(&mut index, spec.name, position);
            let mut aliases = spec.aliases;
            while let [alias, others @ ..] = aliases {
                insert(&mut index, alias, position);
                aliases = others;
            }
        }
        position += 1;
    }
    index
}

const fn insert(index: &mut [u16; SLOTS], name: &str, position: usize) {
    let mut slot = slot_of(name.as_bytes());
    while index[slot] != EMPTY {
        slot = (slot + 1) % SLOTS;
    }
    index[slot] = position as u16;
}

impl Command {
    /// Returns the command that a protocol serves under this name or alias, in any case. Subcommands are not found so.
    ///
    /// ```
    /// use rustvault_protocol::{Command, Protocol};
    ///
    /// assert_eq!(Command::find(b"get", Protocol::Text), Some(Command::Get));
    /// assert_eq!(Command::find(b"COUNT", Protocol::Resp2), Some(Command::DbSize));
    /// assert_eq!(Command::find(b"PUT", Protocol::Text), None);
    /// ```
    #[inline]
    pub fn find(name: &[u8], protocol: Protocol) -> Option<Self> {
        let mut slot = slot_of(name);
        loop {
            // A free slot, of which there are always some, ends the search: no command has its position.
            let spec = SPECS.get(usize::from(*INDEX.get(slot)?))?;
            if is_named(spec, name) && spec.protocols.contains(protocol) {
                return Some(spec.command);
            }
            slot = (slot + 1) % SLOTS;
        }
    }
}

#[inline]
fn is_named(spec: &CommandSpec, name: &[u8]) -> bool {
    let matches = |known: &str| known.as_bytes().eq_ignore_ascii_case(name);
    matches(spec.name) || spec.aliases.iter().copied().any(matches)
}

/// Returns the slot of a name in any case: of its length, its first, middle and last byte.
#[inline]
const fn slot_of(name: &[u8]) -> usize {
    /// The bit that tells lower from upper case.
    const CASE: u8 = 0x20;
    let len = name.len();
    if len == 0 {
        return 0;
    }
    let (first, middle, last) = (name[0] | CASE, name[len / 2] | CASE, name[len - 1] | CASE);
    (len * 197 + first as usize * 61 + middle as usize * 13 + last as usize * 5) % SLOTS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_is_found_in_any_case_where_it_is_served_and_nowhere_else() {
        for protocol in [Protocol::Text, Protocol::Resp2, Protocol::Resp3] {
            for command in Command::ALL.iter().copied().filter(|command| command.spec().container().is_none())
            {
                let spec = command.spec();
                for name in spec.aliases.iter().chain([&spec.name]) {
                    for name in [(*name).to_owned(), name.to_lowercase()] {
                        let found = Command::find(name.as_bytes(), protocol);
                        assert_eq!(found == Some(command), spec.protocols.contains(protocol), "{name}");
                    }
                }
            }
        }
    }

    #[test]
    fn other_names_are_not_found() {
        for name in ["", "GE", "GETS", "GET\0", "G", "CLIENT|ID", "\u{47}\u{c5}\u{54}"] {
            assert_eq!(Command::find(name.as_bytes(), Protocol::Text), None, "{name}");
            assert_eq!(Command::find(name.as_bytes(), Protocol::Resp2), None, "{name}");
        }
        assert_eq!(Command::find(&vec![b'x'; 100_000], Protocol::Resp2), None);
    }

    #[test]
    fn a_protocol_serves_one_command_of_a_name() {
        for protocol in [Protocol::Text, Protocol::Resp2] {
            let served = SPECS.iter().filter(|spec| spec.protocols.contains(protocol));
            let mut names: Vec<_> = served.flat_map(|spec| spec.aliases.iter().chain([&spec.name])).collect();
            let all = names.len();
            names.sort_unstable();
            names.dedup();
            assert_eq!(names.len(), all);
        }
    }

    #[test]
    fn few_names_meet() {
        let longest_run = INDEX.split(|position| *position == EMPTY).map(<[u16]>::len).max();
        assert!(longest_run < Some(6), "{longest_run:?}");
    }
}
