//! Processor time: the section `CPU` of `INFO`.

use super::{Field, InfoState};
use crate::process_stats::{ProcessorTicks, TICKS_PER_SECOND};

/// Returns processor time in seconds; without the fields that the kernel lacks.
pub(super) fn fields<S>(_: &InfoState<'_, S>) -> Vec<Field> {
    let of_process = ProcessorTicks::of_process().into_iter().flat_map(|ticks| {
        [
            ("used_cpu_sys", ticks.system),
            ("used_cpu_user", ticks.user),
            ("used_cpu_sys_children", ticks.system_of_children),
            ("used_cpu_user_children", ticks.user_of_children),
        ]
    });
    let of_main_thread = ProcessorTicks::of_main_thread().into_iter().flat_map(|ticks| {
        [("used_cpu_sys_main_thread", ticks.system), ("used_cpu_user_main_thread", ticks.user)]
    });
    of_process.chain(of_main_thread).map(|(name, ticks)| (name.into(), seconds(ticks))).collect()
}

fn seconds(ticks: u64) -> String {
    let us_of_second = ticks % TICKS_PER_SECOND * (1_000_000 / TICKS_PER_SECOND);
    format!("{}.{us_of_second:06}", ticks / TICKS_PER_SECOND)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_have_six_decimal_places() {
        assert_eq!((seconds(250), seconds(3)), ("2.500000".to_owned(), "0.030000".to_owned()));
    }
}
