//! Schedules of the store's threads, chosen by a model checker: who runs on at each step, when a timed wait ends,
//! and which call of the file system fails.
//!
//! Everything that a store does is one thread of the system's here; its locks, threads and clock are those of
//! shuttle (`src/sync/model`). A schedule has a number and is the same whenever it is run. Each ends with a crash,
//! of the process or of the power, at some call, and one at the end; what is left then is opened.
//!
//! More than CI does, with schedules that nobody has tried:
//! `RUSTVAULT_MODEL_SCHEDULES=5000000 cargo test -p rustvault-storage --features shuttle --test model`.
//! A failure tells its number; with `RUSTVAULT_MODEL_SCHEDULE=<number>` and the test's name that one runs alone, and
//! shows what it does.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod disk;
mod explore;
mod history;
mod scenarios;
mod schedule;
mod world;
