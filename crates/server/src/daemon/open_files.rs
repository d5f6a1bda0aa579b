//! Raises the limit of open files at the start to the number that connections and threads need.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tracing::warn;

/// Open files beyond the connections: the log, the listeners, connections that are being refused.
const RESERVED_FILES: usize = 512;

/// Open files that the runtime of one thread needs.
const FILES_PER_THREAD: usize = 4;

/// Raises the soft limit of open files as far as needed and as the hard limit permits; warns if that is not enough.
pub(super) fn allow(max_connections: usize, threads: usize) {
    let needed = (max_connections + RESERVED_FILES + threads * FILES_PER_THREAD) as u64;
    let limit = getrlimit(Resource::Nofile);
    let Some(raised) = raise(&limit, needed) else { return };
    let allowed = raised.current.unwrap_or(u64::MAX);
    if setrlimit(Resource::Nofile, raised).is_err() || allowed < needed {
        warn!(
            needed,
            hard_limit = limit.maximum,
            "the limit of open files is too low for --max-connections, so connections are refused once only --reserved-descriptors are left: raise the limit \
            (ulimit -Hn) or lower --max-connections"
        );
    }
}

/// Returns the limit to set, if the present one is too low. A limit of `None` is unlimited.
fn raise(limit: &Rlimit, needed: u64) -> Option<Rlimit> {
    let is_enough = limit.current.is_none_or(|current| current >= needed);
    let reachable = limit.maximum.map_or(needed, |maximum| maximum.min(needed));
    (!is_enough).then_some(Rlimit { current: Some(reachable), maximum: limit.maximum })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_soft_limit_is_raised_up_to_the_hard_one_and_never_lowered() {
        let limit = |current, maximum| Rlimit { current, maximum };
        assert_eq!(raise(&limit(Some(5000), Some(9000)), 2000), None);
        assert_eq!(raise(&limit(None, None), 2000), None);
        assert_eq!(raise(&limit(Some(1024), Some(9000)), 2000), Some(limit(Some(2000), Some(9000))));
        assert_eq!(raise(&limit(Some(1024), Some(1500)), 2000), Some(limit(Some(1500), Some(1500))));
    }
}
