//! RustVault as Redis's clients see it: Redis itself beside it, Redis's programs, client libraries, bad input.
#![cfg(test)]

mod bad_resp;
mod differential;
mod doors;
mod generator;
mod other_clients;
mod peer;
mod redis_cli;
mod redis_rs;
mod transactions;
