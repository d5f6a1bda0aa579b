//! Commands on the server's settings.

use std::time::Duration;

use rustvault_protocol::limits::MAX_CONFIG_GET_BYTES;
use rustvault_protocol::{ErrorCode, Reply, Request, glob_matches};
use rustvault_storage::SyncPolicy;

use super::Answer;
use super::arguments::{glob, refusal};
use super::reply::{borrowed, bulk};
use crate::engine::Engine;
use crate::session::Session;

/// Returns the settings that match a pattern, of those settings of Redis that have a meaning here.
pub(super) fn get<'b, S>(request: Request<'b>, _: &mut Session, engine: &Engine<S>) -> Answer<'b> {
    let bytes: usize = request.arguments.iter().map(|pattern| pattern.len() + 1).sum();
    request.arguments.iter().try_for_each(|pattern| glob(pattern).map(drop))?;
    if bytes > MAX_CONFIG_GET_BYTES {
        let patterns = format_args!("patterns of {bytes} bytes, with spaces between them,");
        let message = format_args!("{patterns} are over the limit of {MAX_CONFIG_GET_BYTES}");
        return Err(refusal(ErrorCode::TooLarge, message));
    }
    let patterns: Vec<_> = request.arguments.iter().map(|pattern| pattern.to_ascii_lowercase()).collect();
    let is_wanted = |name: &str| patterns.iter().any(|pattern| glob_matches(pattern, name.as_bytes()));
    let wanted = settings(engine).into_iter().filter(|(name, _)| is_wanted(name));
    Ok(Reply::Map(wanted.map(|(name, value)| (borrowed(name.as_bytes()), bulk(value))).collect()))
}

fn settings<S>(engine: &Engine<S>) -> [(&'static str, String); 10] {
    let config = engine.config();
    let appendfsync = match config.sync_policy {
        SyncPolicy::Always => "always",
        SyncPolicy::Never => "no",
        _ => "everysec",
    };
    [
        ("appendfsync", appendfsync.to_owned()),
        ("appendonly", "yes".to_owned()),
        ("databases", "1".to_owned()),
        ("maxclients", config.max_connections.to_string()),
        ("maxmemory", config.max_memory_bytes.unwrap_or(0).to_string()),
        ("maxmemory-policy", "noeviction".to_owned()),
        ("proto-max-bulk-len", engine.limits.max_value_bytes.to_string()),
        ("save", String::new()),
        ("tcp-keepalive", seconds(config.tcp_keepalive)),
        ("timeout", seconds(config.idle_timeout)),
    ]
}

/// Returns a duration as Redis writes it: whole seconds, 0 for never.
fn seconds(duration: Option<Duration>) -> String {
    duration.map_or(0, |duration| duration.as_secs()).to_string()
}
