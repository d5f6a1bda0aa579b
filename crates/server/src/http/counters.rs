//! Counters of HTTP: requests by path and status, connections. Paths and statuses are those of fixed lists, whatever a client sends.

use std::array;

use axum::http::StatusCode;

use crate::engine::Counter;

/// Path of the metrics.
pub(super) const METRICS: &str = "/metrics";
/// Path of the probe whether the process works.
pub(super) const LIVEZ: &str = "/livez";
/// Path of the probe whether the server is ready for clients.
pub(super) const READYZ: &str = "/readyz";

/// Paths by which requests are counted; the last one stands for all others.
const PATHS: [&str; 4] = [METRICS, LIVEZ, READYZ, "other"];

/// Statuses by which requests are counted. Each that HTTP answers with is here.
const STATUSES: [StatusCode; 12] = [
    StatusCode::OK,
    StatusCode::BAD_REQUEST,
    StatusCode::UNAUTHORIZED,
    StatusCode::FORBIDDEN,
    StatusCode::NOT_FOUND,
    StatusCode::METHOD_NOT_ALLOWED,
    StatusCode::PAYLOAD_TOO_LARGE,
    StatusCode::MISDIRECTED_REQUEST,
    StatusCode::TOO_MANY_REQUESTS,
    StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
    StatusCode::INTERNAL_SERVER_ERROR,
    StatusCode::SERVICE_UNAVAILABLE,
];

/// Counters of HTTP.
#[derive(Debug)]
pub(crate) struct HttpCounters {
    requests: [[Counter; STATUSES.len()]; PATHS.len()],
    /// Open connections.
    pub(crate) connections: Counter,
    /// Connections that were refused because too many were open, or too few descriptors were left.
    pub(crate) rejected_connections: Counter,
    /// Connections that were closed because their client sent no whole request, or did not read, in time.
    pub(crate) timed_out_connections: Counter,
}

impl Default for HttpCounters {
    fn default() -> Self {
        Self {
            requests: array::from_fn(|_| array::from_fn(|_| Counter::default())),
            connections: Counter::default(),
            rejected_connections: Counter::default(),
            timed_out_connections: Counter::default(),
        }
    }
}

impl HttpCounters {
    /// Counts an answered request.
    pub(super) fn count(&self, path: &str, status: StatusCode) {
        let path = PATHS.iter().position(|known| *known == path).unwrap_or(PATHS.len() - 1);
        match STATUSES.iter().position(|known| *known == status) {
            Some(status) => self.requests[path][status].add(1),
            None => debug_assert!(false, "add {status} to the statuses"),
        }
    }

    /// Returns the number of answered requests by path and status.
    pub(crate) fn requests(&self) -> impl Iterator<Item = (&'static str, u16, u64)> {
        let by_path = PATHS.into_iter().zip(&self.requests);
        by_path.flat_map(|(path, counters)| {
            STATUSES.iter().zip(counters).map(move |(status, counter)| (path, status.as_u16(), counter.get()))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clients_cannot_make_series() {
        let counters = HttpCounters::default();
        let series = counters.requests().count();
        for path in ["/metrics", "/secret", "/%6detrics", ""] {
            counters.count(path, StatusCode::NOT_FOUND);
        }
        let counted: Vec<_> = counters.requests().filter(|(.., count)| *count > 0).collect();
        assert_eq!(counted, [("/metrics", 404, 1), ("other", 404, 3)]);
        assert_eq!(counters.requests().count(), series);
    }
}
