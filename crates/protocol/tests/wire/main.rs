//! Properties of the wire protocol, for any bytes and any way of cutting them up.

mod chunking;
mod round_trip;
mod support;
