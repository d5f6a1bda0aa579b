//! The tools for log files, as a process, on real files.
#![cfg(test)]

mod fixture;
mod kinds;
mod links;
mod tools;
