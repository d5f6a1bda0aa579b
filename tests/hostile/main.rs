//! Hostile clients of a real daemon: what they cost others, and what is left afterwards.
#![cfg(test)]

mod processes;
mod siege;
