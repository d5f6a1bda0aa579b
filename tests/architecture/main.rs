//! ARCHITECTURE.md names what is there, and its worked example works.
#![cfg(test)]

mod code_map;
mod document;
mod names;
mod sources;
mod worked_example;
