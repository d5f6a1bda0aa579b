//! Readiness: whether clients should be sent to this server, and if not, why.

use std::sync::Arc;

use super::HttpState;
use crate::Phase;

/// Returns why clients should not be sent here, for people; `None` if they should.
///
/// A full disk is no reason: reads are served, and writes get a clear error.
pub(super) async fn obstacle(state: &HttpState) -> Option<String> {
    match state.lifecycle.phase() {
        Phase::Starting => return Some(recovering(state)),
        Phase::Stopping { has_failed: true } => return Some(failed(cause_of_failure(state).await)),
        Phase::Stopping { has_failed: false } => return Some("the server is stopping".to_owned()),
        Phase::Serving => {}
    }
    match state.scraper.stats().await {
        Some(Ok(stats)) if stats.is_log_removed => Some(
            "the log's file was removed, replaced or truncated: writes are refused until a compaction has written a new one \
             (rustvault-cli compact)"
                .to_owned(),
        ),
        Some(Ok(stats)) if stats.is_poisoned => Some(failed(stats.log_failure)),
        Some(Ok(_)) => None,
        Some(Err(error)) => Some(error),
        // At the very end of a stop.
        None => Some("the server is stopping".to_owned()),
    }
}

fn recovering(state: &HttpState) -> String {
    let progress = state.lifecycle.recovery();
    let (percent, records) = (progress.percent(), progress.records());
    format!(
        "the log is being recovered: {percent}% is read, {records} records; clients wait until it is done"
    )
}

async fn cause_of_failure(state: &HttpState) -> Option<Arc<str>> {
    state.scraper.stats().await?.ok()?.log_failure
}

fn failed(cause: Option<Arc<str>>) -> String {
    let cause = cause.map_or_else(String::new, |cause| format!(" ({cause})"));
    format!("the log has failed{cause}, and the server stops: start it again once the disk works")
}
