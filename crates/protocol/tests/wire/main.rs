//! Properties of the wire protocols, for any bytes and any way of cutting them up.

mod chunking;
mod glob;
mod resp;
mod resp_replies;
mod round_trip;
mod support;
