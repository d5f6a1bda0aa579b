//! Names every synchronisation primitive, the threads and the clock that this crate uses: the one place
//! where they are exchanged for those of a model checker.

#[cfg(feature = "shuttle")]
mod model;
#[cfg(not(feature = "shuttle"))]
mod native;
mod ordered;

#[cfg(feature = "shuttle")]
pub use model::pass_time;
#[cfg(feature = "shuttle")]
pub(crate) use model::*;
#[cfg(not(feature = "shuttle"))]
pub(crate) use native::*;
pub(crate) use ordered::{OrderedMutex, Rank};

/// A mutex for figures, which a model checker does not see: nothing depends on them, and each lock would be one more step of its
/// schedules. Whoever holds it waits for nothing.
pub(crate) use parking_lot::Mutex as FiguresMutex;
