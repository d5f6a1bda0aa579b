//! The whole system: real daemons, real sockets, real files. One program, so that it is linked once.
#![cfg(test)]

mod bad_input;
mod bad_logs;
mod cli;
mod client;
mod clients;
mod closings;
mod configuration;
mod container;
mod examples;
mod foreign;
mod history;
mod login;
mod message_bytes;
mod messages;
mod monitor;
mod monitoring;
mod never_read;
mod newcomer;
mod processes;
mod protocol;
mod protocol_limits;
mod reload;
mod reveal;
mod scan;
mod secured;
mod service;
mod service_unit;
mod slow_commands;
mod slow_readers;
mod start;
mod stop;
mod syscalls;
mod tls;
mod unix_socket;
mod vanished;
