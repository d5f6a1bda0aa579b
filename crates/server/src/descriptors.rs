//! Descriptors that connections leave free: compaction, the log and reloads open files while the server runs.

use std::os::fd::{AsFd, AsRawFd};

use rustix::process::{Resource, getrlimit};

/// Part of the limit of open files that is left free at most, as a divisor: of a very low limit connections must get something.
const MAX_RESERVED_PART: u64 = 4;

/// Part of the reserve that HTTP leaves free, as a divisor: probes and metrics must not fail because clients have taken the rest.
const PART_WITHOUT_HTTP: u64 = 2;

/// Returns whether a client's socket that was just accepted is one of the last `reserved` descriptors that the process may open.
pub(crate) fn is_reserved(accepted: impl AsFd, reserved: usize) -> bool {
    is_among_last(accepted, |limit| reserve(limit, reserved))
}

/// Returns whether a socket of HTTP that was just accepted is one of the last descriptors, of which it leaves fewer free.
pub(crate) fn is_reserved_from_http(accepted: impl AsFd, reserved: usize) -> bool {
    is_among_last(accepted, |limit| reserve(limit, reserved) / PART_WITHOUT_HTTP)
}

/// Returns whether a descriptor that was just made is one of the last ones that the process may open; `count` has the number of those,
/// by the limit.
///
/// The system gives the lowest free number, so by then all lower ones are in use, whoever uses them: nothing has to be counted.
/// The limit is read each time, because it can be changed from outside (prlimit).
fn is_among_last(made: impl AsFd, count: impl Fn(u64) -> u64) -> bool {
    let number = u64::try_from(made.as_fd().as_raw_fd()).unwrap_or(0);
    getrlimit(Resource::Nofile).current.is_some_and(|limit| number >= limit - count(limit))
}

fn reserve(limit: u64, reserved: usize) -> u64 {
    (reserved as u64).min(limit / MAX_RESERVED_PART)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_low_limit_keeps_a_part_of_itself_free_and_none_at_all_is_no_trouble() {
        assert_eq!([0, 3, 64, 128, 1_000_000].map(|limit| reserve(limit, 32)), [0, 0, 16, 32, 32]);
    }
}
