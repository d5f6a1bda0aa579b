//! Commands on the server as a whole.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustvault_protocol::{ErrorCode, Reply, Request};
use rustvault_storage::Stats;
use rustvault_storage::batch::{BatchStore, Op, Outcome};
use tokio::select;
use tokio::time::timeout;

use super::reply::{Payload, bulk, store_error, unexpected};
use super::{Answer, Refusal};
use crate::engine::Engine;
use crate::info::InfoState;
use crate::respond::Responder;
use crate::session::Session;

/// Version of Redis that this server reports, by which clients decide what they send. 7.2 is the last version that all forks of
/// Redis share.
pub(crate) const REDIS_VERSION: &str = "7.2.4";

/// Longest wait of `INFO` for a sync. After it, fields that could reveal writes that are not durable are omitted.
const INFO_PATIENCE: Duration = Duration::from_secs(1);

pub(super) fn time<'b, S>(_: Request<'b>, _: &mut Session, _: &Engine<S>) -> Answer<'b> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let parts = [now.as_secs(), now.subsec_micros().into()];
    Ok(Reply::Array(parts.iter().map(|part| bulk(part.to_string())).collect()))
}

pub(super) async fn text_info<S: BatchStore>(responder: &mut Responder<'_, S>) -> Answer<'static> {
    let (stats, is_durable) = stats(responder).await?;
    let state = InfoState::new(responder.engine, &stats, is_durable);
    let lines = state.of_rustvault().map(|(name, value)| bulk(format!("{name}={value}")));
    Ok(Reply::Array(lines.collect()))
}

pub(super) async fn info<S: BatchStore>(
    responder: &mut Responder<'_, S>,
    request: Request<'_>,
) -> Answer<'static> {
    let (stats, is_durable) = stats(responder).await?;
    let text = InfoState::new(responder.engine, &stats, is_durable).sections(request.arguments);
    Ok(Reply::Verbatim(Payload::Owned(text.into_bytes())))
}

/// Returns the store's statistics, and whether what they reveal is durable. It waits for that for a moment only: the answer to
/// whether the disk hangs must not wait for the disk.
pub(super) async fn stats<S: BatchStore>(
    responder: &mut Responder<'_, S>,
) -> Result<(Box<Stats>, bool), Refusal> {
    let (Outcome::Stats(stats), depends_on) = responder.ask(Op::Stats).await? else {
        return Err(unexpected());
    };
    let is_durable = match timeout(INFO_PATIENCE, responder.wait_for_commit(depends_on)).await {
        Ok(waited) => waited.map(|()| true)?,
        Err(_) => false,
    };
    Ok((stats, is_durable))
}

/// Compacts the log, and answers at the end. A server that stops does not wait for that end.
pub(super) async fn compact<S: BatchStore>(responder: &mut Responder<'_, S>) -> Answer<'static> {
    select! {
        biased;
        ended = responder.engine.store.compact() => ended.map(|()| Reply::OK).map_err(store_error),
        () = responder.stopping.cancelled() => {
            Ok(Reply::error(ErrorCode::ShuttingDown, "the server is stopping; compact again once it is back"))
        }
    }
}

/// Starts a compaction and answers at once. Messages and `INFO` report how it ends.
pub(super) async fn rewrite<S: BatchStore>(responder: &mut Responder<'_, S>) -> Answer<'static> {
    let permits = Arc::clone(&responder.engine.background_compaction);
    let Ok(permit) = permits.try_acquire_owned() else {
        let text = "Background append only file rewriting already in progress";
        return Ok(Reply::error(ErrorCode::Busy, text));
    };
    let store = responder.engine.store.clone();
    tokio::spawn(async move {
        // The store reports an error by a message.
        let _ = store.compact().await;
        drop(permit);
    });
    Ok(Reply::simple("Background append only file rewriting started"))
}
