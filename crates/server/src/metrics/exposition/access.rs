//! Families of logins, reloads and TLS.

use super::samples::Samples;
use crate::engine::Engine;
use crate::metrics::family::MetricFamily;

pub(super) static FAMILIES: [&MetricFamily; 8] = [
    &LOGINS,
    &QUEUED,
    &REMEMBERED,
    &RELOADS,
    &RELOAD_LAST_SUCCESS,
    &NOT_AFTER,
    &TLS_CONNECTIONS,
    &HANDSHAKES,
];

static LOGINS: MetricFamily = MetricFamily::counter(
    "rustvault_logins_total",
    &["result"],
    "Logins by result: accepted, failed (wrong name or password), throttled (too many wrong ones from the address), refused (too many \
     at once, or the users were being changed)",
    "failed, throttled: the audit messages have user and address; a client has an old password, or somebody guesses. refused: have \
     clients keep their connections or use tokens, which cost no check of a password",
);

static QUEUED: MetricFamily = MetricFamily::gauge(
    "rustvault_logins_queued",
    &[],
    "Passwords that wait for their check",
    "As `refused` of `rustvault_logins_total`",
);

static REMEMBERED: MetricFamily = MetricFamily::gauge(
    "rustvault_logins_remembered",
    &[],
    "Passwords that were right in the last minute, and need no further check",
    "–",
);

static RELOADS: MetricFamily = MetricFamily::counter(
    "rustvault_reloads_total",
    &["result"],
    "Reloads of the configuration that were asked for, by result: applied, refused",
    "As `rustvault_reload_last_success`",
);

static RELOAD_LAST_SUCCESS: MetricFamily = MetricFamily::gauge(
    "rustvault_reload_last_success",
    &["group"],
    "1 if what was found last is in force, else 0, and the old stays in force: config (the last reload), users, tls (their files)",
    "`INFO` has the reason (`last_reload_error`, `users_reload_error`, `tls_reload_error`). Correct the file; `CONFIG RELOAD` tries again",
);

static NOT_AFTER: MetricFamily = MetricFamily::gauge(
    "rustvault_tls_certificate_not_after_seconds",
    &[],
    "End of the server's certificate, in seconds since 1970; absent without TLS",
    "Renew the certificate in time: a new file is found within a minute, or by `CONFIG RELOAD`",
);

static TLS_CONNECTIONS: MetricFamily = MetricFamily::gauge(
    "rustvault_tls_connections",
    &[],
    "Open connections with TLS whose handshake has ended",
    "–",
);

static HANDSHAKES: MetricFamily = MetricFamily::counter(
    "rustvault_tls_handshakes_total",
    &["result"],
    "Handshakes of TLS by result: ok, error, timeout",
    "error: clients that do not trust the certificate, or have none that is trusted; the message has the cause. timeout: the network, or \
     more handshakes than the processor can do",
);

/// Adds the figures of logins, reloads and TLS.
pub(super) fn collect<S>(engine: &Engine<S>, samples: &mut Samples) {
    let logins = engine.logins.totals();
    for (result, count) in logins.by_result {
        samples.count(&LOGINS, &[result], count);
    }
    samples.gauge(&QUEUED, &[], logins.queued as f64);
    samples.gauge(&REMEMBERED, &[], logins.remembered as f64);
    let reloads = &engine.reloads.outcomes;
    samples.count(&RELOADS, &["applied"], reloads.reloads.total());
    samples.count(&RELOADS, &["refused"], reloads.failed_reloads.total());
    for (group, outcome) in [("config", &reloads.last), ("users", &reloads.users), ("tls", &reloads.tls)] {
        samples.flag(&RELOAD_LAST_SUCCESS, &[group], outcome.is_success());
    }
    collect_tls(engine, samples);
}

fn collect_tls<S>(engine: &Engine<S>, samples: &mut Samples) {
    let tls = &engine.tls;
    if tls.load().is_some() {
        samples.gauge(&NOT_AFTER, &[], tls.not_after_seconds() as f64);
    }
    let counters = &tls.counters;
    samples.gauge(&TLS_CONNECTIONS, &[], counters.connections.get() as f64);
    samples.count(&HANDSHAKES, &["ok"], counters.handshakes.total());
    samples.count(&HANDSHAKES, &["error"], counters.handshake_errors.total());
    samples.count(&HANDSHAKES, &["timeout"], counters.handshake_timeouts.total());
}
