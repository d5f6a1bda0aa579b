//! The durable server as an embedding program runs it.

#![cfg(test)]

mod support;

use std::net::TcpListener;
use std::path::Path;
use std::thread;

use rustvault_server::{Error, Server, ServerConfig};
use rustvault_testkit::Wire;
use tokio::runtime::{Builder, Runtime};

#[test]
fn what_was_stored_is_there_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    with_server(folder.path(), |client| client.ask("SET user:1 john\r\n", "OK\r\n"));
    with_server(folder.path(), |client| {
        client.ask("GET user:1\r\n", "VALUE john\r\n");
        assert_eq!(client.info_number("records_recovered"), 1);
    });
}

#[test]
fn a_second_server_on_the_same_log_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    with_server(folder.path(), |_| {
        let error = runtime().block_on(Server::bind(config(folder.path()))).unwrap_err();
        assert!(matches!(error, Error::Store(rustvault_storage::Error::Locked { .. })), "{error}");
    });
}

#[test]
fn a_taken_address_is_named_and_the_log_left_alone() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = taken.local_addr().unwrap().to_string();
    let folder = tempfile::tempdir().unwrap();
    let mut config = config(folder.path());
    config.bind_addrs = vec![addr.clone()];
    let error = runtime().block_on(Server::bind(config.clone())).unwrap_err();
    assert!(matches!(error, Error::Bind { .. }) && error.to_string().contains(&addr), "{error}");
    assert!(!config.wal_path.exists());
}

/// Runs a server in `folder` as long as `work` takes.
fn with_server(folder: &Path, work: impl FnOnce(&mut Wire) + Send) {
    let runtime = runtime();
    let server = runtime.block_on(Server::bind(config(folder))).unwrap();
    let addr = server.local_addr();
    let (done, stop) = tokio::sync::oneshot::channel::<()>();
    thread::scope(|scope| {
        scope.spawn(move || {
            work(&mut Wire::connect(addr));
            drop(done);
        });
        runtime.block_on(server.run(async { drop(stop.await) })).unwrap();
    });
}

fn config(folder: &Path) -> ServerConfig {
    let mut config = support::config();
    config.bind_addrs = vec!["127.0.0.1:0".to_owned()];
    config.wal_path = folder.join("vault.log");
    config
}

fn runtime() -> Runtime {
    Builder::new_current_thread().enable_all().build().unwrap()
}
