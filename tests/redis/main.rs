//! RustVault as Redis's clients see it: Redis itself beside it, Redis's programs, client libraries, bad input.
#![cfg(test)]

mod bad_resp;
mod connections;
mod differential;
mod doors;
mod exporter;
mod generator;
mod one_packet;
mod other_clients;
mod over_tls;
mod peer;
mod python;
mod redis_cli;
mod redis_py_suite;
mod redis_rs;
mod transactions;
