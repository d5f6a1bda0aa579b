//! Properties of the wire protocols, for any bytes and any way of cutting them up.

mod chunking;
mod glob;
mod resp;
mod round_trip;
mod support;
