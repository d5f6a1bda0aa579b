//! Commands on the server as a whole.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustvault_protocol::{ErrorCode, Reply, Request};
use rustvault_storage::engine::{BatchStore, Op, Outcome};
use rustvault_storage::{Error, Stats};
use tokio::select;
use tokio::time::timeout;

use super::reply::{Payload, bulk, store_error};
use super::{Answer, Answering};
use crate::info;
use crate::respond::Responder;
use crate::session::Session;
use crate::shared::Shared;

/// The version of Redis whose commands are understood, as far as they are served: clients decide by it what they may send.
/// 7.2 is the last version that all of Redis's descendants share.
pub(crate) const REDIS_VERSION: &str = "7.2.4";

/// Longest wait of `INFO` for a sync; after it, figures that may show data that is not durable are left out.
const INFO_PATIENCE: Duration = Duration::from_secs(1);

pub(super) fn time<'b, S>(_: Request<'b>, _: &mut Session, _: &Shared<S>) -> Answer<'b> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let parts = [now.as_secs(), now.subsec_micros().into()];
    Ok(Reply::Array(parts.iter().map(|part| bulk(part.to_string())).collect()))
}

pub(super) fn text_info<'r, S: BatchStore>(
    responder: &'r mut Responder<'_, S>,
    _: Request<'r>,
) -> Answering<'r> {
    Box::pin(async move {
        let lines = |figures: info::InfoFields| {
            let lines = figures.of_rustvault().map(|(name, value)| bulk(format!("{name}={value}")));
            Reply::Array(lines.collect())
        };
        let figures = figures(responder).await;
        responder.put_or_refuse(figures.map(lines)).await
    })
}

pub(super) fn info<'r, S: BatchStore>(
    responder: &'r mut Responder<'_, S>,
    request: Request<'r>,
) -> Answering<'r> {
    Box::pin(async move {
        let figures = figures(responder).await;
        let text = |figures: info::InfoFields| {
            Reply::Verbatim(Payload::Owned(figures.sections(request.arguments).into_bytes()))
        };
        responder.put_or_refuse(figures.map(text)).await
    })
}

/// Returns the figures, without those of the data if these may show what is not durable: whoever asks why the disk hangs
/// must not wait for it.
async fn figures<S: BatchStore>(responder: &mut Responder<'_, S>) -> Result<info::InfoFields, Error> {
    let (outcome, depends_on) = responder.ask(Op::Stats).await?;
    let stats: Box<Stats> = match outcome {
        Outcome::Stats(stats) => stats,
        _ => return Err(Error::Internal("the figures were asked for, and another outcome came")),
    };
    let shared = responder.shared;
    let is_durable = match timeout(INFO_PATIENCE, shared.store.wait_for_commit(depends_on)).await {
        Ok(waited) => waited.map(|()| true)?,
        Err(_) => false,
    };
    Ok(info::InfoFields::new(shared, &stats, is_durable))
}

/// Answers once a compaction has ended. A stopping server does not wait for that: it has seconds.
pub(super) fn compact<'r, S: BatchStore>(
    responder: &'r mut Responder<'_, S>,
    _: Request<'r>,
) -> Answering<'r> {
    Box::pin(async move {
        let ended = select! {
            biased;
            ended = responder.shared.store.compact() => ended,
            () = responder.stopping.cancelled() => {
                let text = "the server is stopping; compact again once it is back";
                return responder.put(Reply::error(ErrorCode::ShuttingDown, text)).await;
            }
        };
        responder.put(ended.map_or_else(|error| store_error(&error).into(), |()| Reply::OK)).await
    })
}

/// Begins a compaction whose end nobody is told; messages and `INFO` tell how it went.
pub(super) fn rewrite<'r, S: BatchStore>(
    responder: &'r mut Responder<'_, S>,
    _: Request<'r>,
) -> Answering<'r> {
    Box::pin(async move {
        let permits = Arc::clone(&responder.shared.background_compaction);
        let Ok(permit) = permits.try_acquire_owned() else {
            let text = "Background append only file rewriting already in progress";
            return responder.put(Reply::error(ErrorCode::Busy, text)).await;
        };
        let store = responder.shared.store.clone();
        tokio::spawn(async move {
            // The store reports what went wrong.
            let _ = store.compact().await;
            drop(permit);
        });
        responder.put(Reply::Simple("Background append only file rewriting started")).await
    })
}
