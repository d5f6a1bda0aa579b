//! File systems to put below a store: the system's with a hook before every call, and a disk in memory.

mod faults;
mod hooked;
mod memory;

pub use faults::{Faults, SyncGate};
pub use hooked::{FileCall, Hooked, Operation, WHOLE};
pub use memory::{Crash, LOG, MemoryDisk};
