//! Workers, the threads that serve connections: assignment and migration of connections, commit groups, and pinning to a core.
//! Nothing here depends on commands.

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
