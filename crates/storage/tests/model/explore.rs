//! Runs a scenario under many schedules, and tells how many.

use std::io::Write as _;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use shuttle::{Config, FailurePersistence, MaxSteps, Runner};

use crate::schedule::Numbered;
use rustvault_testkit::number_in;

/// The schedules of which each scenario runs its share, unless the environment says otherwise.
const SCHEDULES: u64 = 100_000;

/// Shares are percent of [`SCHEDULES`]; all together they may be a little more.
const PERCENT: u64 = 100;

/// More steps than any schedule takes: one that takes more never ends.
const MOST_STEPS: usize = 200_000;

/// Stack of each thread, in bytes.
const STACK_BYTES: usize = 256 * 1024;

/// Runs `scenario` under its share of the schedules. It is told whether to show what it does.
#[expect(clippy::explicit_write, reason = "what the print macros print is shown for failed tests only")]
pub(crate) fn explore(name: &str, share: u64, scenario: impl Fn(bool) + Send + Sync + 'static) {
    let alone = number_in("RUSTVAULT_MODEL_SCHEDULE");
    let wanted = number_in::<u64>("RUSTVAULT_MODEL_SCHEDULES");
    let numbers = match (alone, wanted) {
        (Some(number), _) => number..number + 1,
        // Others than last time.
        (None, Some(wanted)) => {
            let first = fastrand::u64(1 << 32..1 << 63);
            first..first + (wanted * share).div_ceil(PERCENT)
        }
        // The same every time: a failure is of the change that is tested.
        (None, None) => 0..(SCHEDULES * share).div_ceil(PERCENT),
    };
    let mut config = Config::new();
    config.stack_size = STACK_BYTES;
    config.failure_persistence = FailurePersistence::None;
    config.max_steps = MaxSteps::FailAfter(MOST_STEPS);
    config.silence_warnings = true;
    config.ungraceful_shutdown_config.immediately_return_on_panic = true;
    let (began, first) = (Instant::now(), numbers.start);
    let current = Arc::new(AtomicU64::new(first));
    let runner = Runner::new(Numbered::new(numbers, Arc::clone(&current)), config);
    let ran = catch_unwind(AssertUnwindSafe(|| runner.run(move || scenario(alone.is_some()))));
    let schedules = ran.unwrap_or_else(|panic| {
        let number = current.load(Ordering::Relaxed);
        eprintln!(
            "{name}: schedule {number}, the {}th, failed: RUSTVAULT_MODEL_SCHEDULE={number}",
            number - first + 1
        );
        resume_unwind(panic)
    });
    writeln!(std::io::stderr(), "model: {name}: {schedules} schedules, {:.1?}", began.elapsed()).unwrap();
}
