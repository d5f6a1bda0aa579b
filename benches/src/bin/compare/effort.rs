//! How much is measured: pairs, length of a measurement, number of keys.

use std::time::Duration;

use serde::Serialize;

/// How much is measured.
#[derive(Debug, Clone, Copy, Serialize)]
pub(crate) struct Effort {
    pub(crate) quick: bool,
    /// Measurements of each peer in each row, in turn.
    pub(crate) pairs: u32,
    /// How long the slower peer is under load in one measurement.
    #[serde(rename = "measurement_seconds", serialize_with = "as_seconds")]
    pub(crate) measurement: Duration,
    /// Divides the millions of keys of some rows. A power of two: hash tables, which double, are then as full
    /// as with all of the keys.
    pub(crate) keys_divisor: u64,
}

impl Effort {
    pub(crate) fn new(quick: bool, pairs: Option<u32>) -> Self {
        let (default_pairs, millis, keys_divisor) = if quick { (3, 400, 8) } else { (5, 4000, 1) };
        let measurement = Duration::from_millis(millis);
        Self { quick, pairs: pairs.unwrap_or(default_pairs), measurement, keys_divisor }
    }
}

fn as_seconds<S: serde::Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64(duration.as_secs_f64())
}
