//! Threads that serve connections: which of them serves which connection, which commits for the others of its thread, and
//! on which core the first of them runs. Knows nothing of commands.

pub(crate) mod accepted;
pub(crate) mod affinity;
pub(crate) mod commit_group;
mod occupancy;
mod pinning_policy;
mod procfs;
mod scheduler;
pub(crate) mod turns;
pub(crate) mod worker;
pub(crate) mod worker_handle;
mod worker_stats;

pub use affinity::CpuAffinity;
