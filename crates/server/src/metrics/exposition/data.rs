//! Families of the keys and their memory.

use rustvault_storage::Stats;

use super::samples::Samples;
use crate::engine::Engine;
use crate::metrics::family::MetricFamily;

pub(super) static FAMILIES: [&MetricFamily; 3] = [&KEYS, &USED_BYTES, &LIMIT_BYTES];

static KEYS: MetricFamily = MetricFamily::gauge("rustvault_keys", &[], "Keys in the store", "–");

static USED_BYTES: MetricFamily = MetricFamily::gauge(
    "rustvault_memory_used_bytes",
    &[],
    "Memory of keys, values and tables as it counts against --max-memory, in bytes",
    "Near `rustvault_memory_limit_bytes` writes that add data are refused: raise --max-memory or delete keys",
);

static LIMIT_BYTES: MetricFamily = MetricFamily::gauge(
    "rustvault_memory_limit_bytes",
    &[],
    "Limit on the memory of keys, values and tables (--max-memory), in bytes; absent without one",
    "–",
);

/// Adds the figures of the data, which could reveal writes that are not durable.
pub(super) fn collect_data(stats: &Stats, samples: &mut Samples) {
    samples.gauge(&KEYS, &[], stats.keys as f64);
    samples.gauge(&USED_BYTES, &[], stats.used_bytes as f64);
}

/// Adds the limit on memory.
pub(super) fn collect<S>(engine: &Engine<S>, samples: &mut Samples) {
    if let Some(max_memory_bytes) = engine.config().max_memory_bytes {
        samples.gauge(&LIMIT_BYTES, &[], max_memory_bytes as f64);
    }
}
