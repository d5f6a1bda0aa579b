//! The log in use: admission, group commit, the end of the file, and the threads that write, sync and watch it. Relies on
//! `format` alone: it neither reads a log nor makes the next one.

pub(super) mod admission;
pub(super) mod appender;
mod commit_histograms;
pub(super) mod file_watch;
pub(super) mod group_commit;
pub(super) mod handle;
mod in_flight;
pub(super) mod log;
pub(super) mod log_end;
mod sealing;
mod size_limit;
pub(super) mod space;
mod sync_peaks;
mod syncer;
mod tail;
mod wait_for;
mod waiters;
mod watchdog;
mod writer;
