//! `MONITOR`: makes a client one that is sent what all clients do.

use rustvault_protocol::{ErrorCode, Reply};

use super::Answer;
use super::arguments::refusal;
use crate::buffer_budget::BufferClaim;
use crate::monitors::{MAX_MONITOR_BYTES, MAX_MONITORS};
use crate::respond::Responder;
use crate::session::ReplyMode;

/// Begins monitoring: the connection writes lines once this is answered, until its client sends something.
///
/// The memory of the lines is claimed with that of all buffers, for as long as the client monitors.
pub(super) async fn monitor<S>(responder: &mut Responder<'_, S>) -> Answer<'static> {
    // A client that has switched its answers off would be sent answers.
    if responder.session.reply_mode != ReplyMode::On {
        return Ok(Reply::OK);
    }
    let engine = responder.engine;
    let mut claim = BufferClaim::new(&engine.buffers);
    claim
        .set_output(MAX_MONITOR_BYTES, || engine.config().max_buffer_bytes)
        .map_err(|over| over.answer("try again later"))?;
    let session = &mut *responder.session;
    match engine.monitors.add(&session.client.share(), session.protocol(), claim) {
        Some(monitor) => {
            session.monitor = Some(monitor);
            Ok(Reply::OK)
        }
        None => {
            let message = format_args!("{MAX_MONITORS} clients monitor already; end one, or try again later");
            Err(refusal(ErrorCode::Busy, message))
        }
    }
}
