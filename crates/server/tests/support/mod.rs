//! Servers in this process, with stores in memory or of a test's own making.
#![allow(dead_code, reason = "every test program compiles this file, and none needs all of it")]

use rustvault_server::{Error, ServerConfig, serve};
use rustvault_storage::{MemoryStore, Options, Store};
use rustvault_testkit::ServerThread;

pub(crate) type TestServer = ServerThread<Error>;

pub(crate) fn start() -> TestServer {
    start_with_config(&config())
}

pub(crate) fn start_with_config(config: &ServerConfig) -> TestServer {
    start_with_store(memory_store(), config)
}

pub(crate) fn start_with_store<S: Store>(store: S, config: &ServerConfig) -> TestServer {
    let config = config.clone();
    ServerThread::start(async move |listener, stop| {
        serve(listener, store, &config, stop.cancelled_owned()).await
    })
}

pub(crate) fn config() -> ServerConfig {
    let mut config = ServerConfig::default();
    config.threads = 2;
    config
}

pub(crate) fn memory_store() -> MemoryStore {
    MemoryStore::new(Options::default()).unwrap()
}
