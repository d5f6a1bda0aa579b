//! Sections `Commandstats`, `Errorstats` and `Latencystats` of `INFO`: figures of each command and of each kind of error.

use std::collections::BTreeMap;

use super::{Field, InfoState};
use crate::metrics::{CommandSnapshot, HistogramSnapshot};

/// Returns calls, time and errors of each command that was used. A call's time runs from reading its batch to its answer leaving.
pub(super) fn command_stats<S>(state: &InfoState<'_, S>) -> Vec<Field> {
    let line = |(name, figures): (String, CommandSnapshot)| {
        let CommandSnapshot { rejected, failed, .. } = figures;
        let calls = figures.total().saturating_sub(rejected);
        let us = figures.durations.as_ref().map_or(0, |durations| durations.sum().as_micros());
        let us_per_call = if calls > 0 { us as f64 / calls as f64 } else { 0.0 };
        let value = format!(
            "calls={calls},usec={us},usec_per_call={us_per_call:.2},rejected_calls={rejected},failed_calls={failed}"
        );
        (format!("cmdstat_{name}").into(), value)
    };
    state.metrics.commands_by_name().into_iter().map(line).collect()
}

/// Returns percentiles of the time of each command that was used, in microseconds.
pub(super) fn latency_stats<S>(state: &InfoState<'_, S>) -> Vec<Field> {
    let line = |(name, figures): (String, CommandSnapshot)| {
        let summary = percentiles(&figures.durations?);
        Some((format!("latency_percentiles_usec_{name}").into(), summary))
    };
    state.metrics.commands_by_name().into_iter().filter_map(line).collect()
}

fn percentiles(durations: &HistogramSnapshot) -> String {
    let us = |quantile| durations.quantile(quantile).as_secs_f64() * 1e6;
    format!("p50={:.3},p99={:.3},p99.9={:.3}", us(0.5), us(0.99), us(0.999))
}

/// Returns the number of errors of each kind, by the first word that a client of Redis sees.
pub(super) fn error_stats<S>(state: &InfoState<'_, S>) -> Vec<Field> {
    let mut kinds = BTreeMap::new();
    for (code, errors) in state.metrics.errors() {
        *kinds.entry(code.resp_kind()).or_insert(0) += errors;
    }
    let kinds = kinds.into_iter().filter(|(_, errors)| *errors > 0);
    kinds.map(|(kind, errors)| (format!("errorstat_{kind}").into(), format!("count={errors}"))).collect()
}
