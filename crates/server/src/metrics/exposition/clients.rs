//! Families of connections, buffers and the network.

use super::samples::Samples;
use crate::engine::Engine;
use crate::metrics::family::MetricFamily;
use crate::metrics::{ListenerKind, MetricsSnapshot};

pub(super) static FAMILIES: [&MetricFamily; 10] = [
    &CONNECTIONS,
    &CONNECTIONS_LIMIT,
    &OPENED,
    &CLOSED,
    &REJECTED,
    &BUFFER_BYTES,
    &BUFFER_LIMIT_BYTES,
    &BUFFER_REFUSALS,
    &RECEIVED_BYTES,
    &SENT_BYTES,
];

static CONNECTIONS: MetricFamily = MetricFamily::gauge(
    "rustvault_connections",
    &[],
    "Open connections of clients",
    "Near `rustvault_connections_limit`: `CLIENT LIST` shows whose they are; raise --max-connections or set --idle-timeout",
);

static CONNECTIONS_LIMIT: MetricFamily = MetricFamily::gauge(
    "rustvault_connections_limit",
    &[],
    "Most connections that may be open (--max-connections)",
    "–",
);

static OPENED: MetricFamily = MetricFamily::counter(
    "rustvault_connections_total",
    &["listener"],
    "Accepted connections, by the kind of listener (tcp, tls, unix)",
    "A high rate is a client that connects for each command: let it keep its connections",
);

static CLOSED: MetricFamily = MetricFamily::counter(
    "rustvault_connections_closed_total",
    &["reason"],
    "Ended connections, by reason",
    "The message `connection closed` has the client and details. output_*: a client does not read its answers. buffer_limit: see \
     `rustvault_buffer_bytes`. protocol_error, foreign_protocol: a client that is not one. lost, unreachable: the network",
);

static REJECTED: MetricFamily = MetricFamily::counter(
    "rustvault_rejected_total",
    &["reason"],
    "Connections that were refused, by reason (connections: --max-connections, descriptors: too few open files are left)",
    "connections: as `rustvault_connections`. descriptors: raise the limit of open files (`LimitNOFILE`, `ulimit -n`)",
);

static BUFFER_BYTES: MetricFamily = MetricFamily::gauge(
    "rustvault_buffer_bytes",
    &[],
    "Memory of the connections' buffers that counts against --max-buffer-bytes, in bytes",
    "Near `rustvault_buffer_limit_bytes`: clients send long requests or do not read their answers; `CLIENT LIST` shows them",
);

static BUFFER_LIMIT_BYTES: MetricFamily = MetricFamily::gauge(
    "rustvault_buffer_limit_bytes",
    &[],
    "Most memory of all connections' buffers together (--max-buffer-bytes), in bytes",
    "–",
);

static BUFFER_REFUSALS: MetricFamily = MetricFamily::counter(
    "rustvault_buffer_refusals_total",
    &[],
    "Requests and answers that were refused because the buffers held as much as --max-buffer-bytes",
    "Raise --max-buffer-bytes if the machine has the memory, or have the clients send less at a time",
);

static RECEIVED_BYTES: MetricFamily = MetricFamily::counter(
    "rustvault_network_received_bytes_total",
    &[],
    "Bytes that the clients' sockets have received",
    "–",
);

static SENT_BYTES: MetricFamily = MetricFamily::counter(
    "rustvault_network_sent_bytes_total",
    &[],
    "Bytes that the clients' sockets have sent",
    "–",
);

/// Adds the figures of connections.
pub(super) fn collect<S>(engine: &Engine<S>, metrics: &MetricsSnapshot, samples: &mut Samples) {
    let (counters, config) = (&engine.counters, engine.config());
    samples.gauge(&CONNECTIONS, &[], counters.connections.get() as f64);
    samples.gauge(&CONNECTIONS_LIMIT, &[], config.max_connections as f64);
    for (listener, count) in ListenerKind::ALL.iter().zip(counters.total_connections.by_listener()) {
        samples.count(&OPENED, &[listener.name()], count);
    }
    for (reason, count) in counters.closings.totals() {
        samples.count(&CLOSED, &[reason], count);
    }
    // Each has a counter of its own: a difference of two that change meanwhile could become smaller.
    samples.count(&REJECTED, &["connections"], counters.rejected_for_limit.total());
    samples.count(&REJECTED, &["descriptors"], counters.rejected_for_descriptors.total());
    samples.gauge(&BUFFER_BYTES, &[], engine.buffers.claimed_bytes() as f64);
    samples.gauge(&BUFFER_LIMIT_BYTES, &[], config.max_buffer_bytes as f64);
    samples.count(&BUFFER_REFUSALS, &[], engine.buffers.refusals.total());
    samples.count(&RECEIVED_BYTES, &[], metrics.received_bytes);
    samples.count(&SENT_BYTES, &[], metrics.sent_bytes);
}
