//! Real processes that are killed, and real disks that fail and fill up.
//!
//! CI runs these on a daemon that is optimised as a released one is.

mod committers;
mod cores;
mod counters;
mod disk_use;
mod faults;
mod full_disk;
mod kill;
mod lost_log;
