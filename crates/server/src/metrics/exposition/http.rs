//! Families of HTTP itself.

use super::samples::Samples;
use crate::http::HttpCounters;
use crate::metrics::family::MetricFamily;

pub(super) static FAMILIES: [&MetricFamily; 4] = [&REQUESTS, &CONNECTIONS, &REJECTED, &TIMED_OUT];

static REQUESTS: MetricFamily = MetricFamily::counter(
    "rustvault_http_requests_total",
    &["path", "code"],
    "Answered requests of HTTP, by path (other: all paths that are not served) and status",
    "401, 403: a scraper has no login or lacks the right metrics. 421: a request for another host, as a page of a browser sends it. \
     429: wrong passwords. 503: `/readyz` says why",
);

static CONNECTIONS: MetricFamily = MetricFamily::gauge(
    "rustvault_http_connections",
    &[],
    "Open connections of HTTP",
    "At 128 further ones are refused: look for clients that connect and send nothing",
);

static REJECTED: MetricFamily = MetricFamily::counter(
    "rustvault_http_rejected_connections_total",
    &[],
    "Connections of HTTP that were refused, because 128 were open or too few open files are left",
    "As `rustvault_http_connections` and `rustvault_rejected_total`",
);

static TIMED_OUT: MetricFamily = MetricFamily::counter(
    "rustvault_http_timed_out_connections_total",
    &[],
    "Connections of HTTP that were closed because their client sent no whole request or did not read, for 30 s, or for 1 s while \
     others had no room",
    "Some are usual: an idle connection ends so",
);

/// Adds the figures of HTTP.
pub(super) fn collect(http: &HttpCounters, samples: &mut Samples) {
    // Most pairs never occur; of each path there is one from the start.
    let requests = http.requests().filter(|(_, code, count)| *code == 200 || *count > 0);
    for (path, code, count) in requests {
        samples.count(&REQUESTS, &[path, &code.to_string()], count);
    }
    samples.gauge(&CONNECTIONS, &[], http.connections.get() as f64);
    samples.count(&REJECTED, &[], http.rejected_connections.get());
    samples.count(&TIMED_OUT, &[], http.timed_out_connections.get());
}
