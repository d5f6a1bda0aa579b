//! Commands on the server as a whole.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustvault_protocol::{ErrorCode, Reply, Request};
use rustvault_storage::batch::{BatchStore, Op, Outcome};
use tokio::select;
use tokio::time::timeout;

use super::reply::{Payload, bulk, store_error, unexpected};
use super::{Answer, Refusal};
use crate::engine::Engine;
use crate::info;
use crate::respond::Responder;
use crate::session::Session;

/// The version of Redis whose commands are understood, as far as they are served: clients decide by it what they may send.
/// 7.2 is the last version that all of Redis's descendants share.
pub(crate) const REDIS_VERSION: &str = "7.2.4";

/// Longest wait of `INFO` for a sync; after it, figures that may show data that is not durable are left out.
const INFO_PATIENCE: Duration = Duration::from_secs(1);

pub(super) fn time<'b, S>(_: Request<'b>, _: &mut Session, _: &Engine<S>) -> Answer<'b> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let parts = [now.as_secs(), now.subsec_micros().into()];
    Ok(Reply::Array(parts.iter().map(|part| bulk(part.to_string())).collect()))
}

pub(super) async fn text_info<S: BatchStore>(responder: &mut Responder<'_, S>) -> Answer<'static> {
    let figures = figures(responder).await?;
    let lines = figures.of_rustvault().map(|(name, value)| bulk(format!("{name}={value}")));
    Ok(Reply::Array(lines.collect()))
}

pub(super) async fn info<S: BatchStore>(
    responder: &mut Responder<'_, S>,
    request: Request<'_>,
) -> Answer<'static> {
    let text = figures(responder).await?.sections(request.arguments);
    Ok(Reply::Verbatim(Payload::Owned(text.into_bytes())))
}

/// Returns the figures, without those of the data if these may show what is not durable: whoever asks why the disk hangs
/// must not wait for it.
async fn figures<S: BatchStore>(responder: &mut Responder<'_, S>) -> Result<info::InfoFields, Refusal> {
    let (Outcome::Stats(stats), depends_on) = responder.ask(Op::Stats).await? else {
        return Err(unexpected());
    };
    let is_durable = match timeout(INFO_PATIENCE, responder.wait_for_commit(depends_on)).await {
        Ok(waited) => waited.map(|()| true)?,
        Err(_) => false,
    };
    Ok(info::InfoFields::new(responder.engine, &stats, is_durable))
}

/// Answers once a compaction has ended. A stopping server does not wait for that: it has seconds.
pub(super) async fn compact<S: BatchStore>(responder: &mut Responder<'_, S>) -> Answer<'static> {
    select! {
        biased;
        ended = responder.engine.store.compact() => ended.map(|()| Reply::OK).map_err(store_error),
        () = responder.stopping.cancelled() => {
            Ok(Reply::error(ErrorCode::ShuttingDown, "the server is stopping; compact again once it is back"))
        }
    }
}

/// Begins a compaction whose end nobody is told; messages and `INFO` tell how it went.
pub(super) async fn rewrite<S: BatchStore>(responder: &mut Responder<'_, S>) -> Answer<'static> {
    let permits = Arc::clone(&responder.engine.background_compaction);
    let Ok(permit) = permits.try_acquire_owned() else {
        let text = "Background append only file rewriting already in progress";
        return Ok(Reply::error(ErrorCode::Busy, text));
    };
    let store = responder.engine.store.clone();
    tokio::spawn(async move {
        // The store reports what went wrong.
        let _ = store.compact().await;
        drop(permit);
    });
    Ok(Reply::simple("Background append only file rewriting started"))
}
