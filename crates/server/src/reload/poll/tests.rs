//! Files that change below a running server.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rcgen::{CertificateParams, KeyPair};
use rustvault_storage::{MemoryStore, Options};
use tempfile::TempDir;
use tokio::select;
use tokio::time::sleep;

use super::*;
use crate::ServerConfig;
use crate::public::TcpAddrs;
use crate::reload::{Reloads, follow};

/// A server without sockets, whose files are in a folder.
struct WatchingServer {
    folder: TempDir,
    engine: Engine<MemoryStore>,
}

impl WatchingServer {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| Some(folder.path().join(name));
        let mut config = ServerConfig { users_path: path("users.toml"), ..ServerConfig::default() };
        config.tls.bind_addrs = vec!["127.0.0.1:0".to_owned()];
        (config.tls.cert, config.tls.key) = (path("cert.pem"), path("key.pem"));
        write(&folder.path().join("users.toml"), &user("ann"));
        let (cert, key) = pair();
        write(&folder.path().join("cert.pem"), &cert);
        write(&folder.path().join("key.pem"), &key);
        let reloads = Reloads::new(None, FilesSeen::of(&config), TcpAddrs::default());
        let engine = Engine::new(MemoryStore::new(Options::default()).unwrap(), &config)
            .with_users(load_users(&config).unwrap())
            .with_reloads(reloads);
        engine.tls.replace(tls::load(&config.tls).unwrap());
        Self { folder, engine }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, name: &str, content: &str) {
        write(&self.path(name), content);
    }

    /// Lets the server run for so many looks at its files.
    async fn looks(&self, looks: u32) {
        select! {
            never = follow(&self.engine) => match never {},
            () = sleep(POLL_INTERVAL * looks + POLL_INTERVAL / 2) => {}
        }
    }

    fn has_user(&self, name: &str) -> bool {
        self.engine.access.load().unwrap().get(name).is_some()
    }

    fn tls(&self) -> Arc<LoadedTls> {
        self.engine.tls.load().clone().unwrap()
    }

    fn errors(&self) -> (String, String) {
        let outcomes = &self.engine.reloads.outcomes;
        (outcomes.users.error(), outcomes.tls.error())
    }
}

fn write(path: &Path, content: &str) {
    fs::write(path, content).unwrap();
    fs::set_permissions(path, Permissions::from_mode(0o600)).unwrap();
}

fn user(name: &str) -> String {
    format!("[[user]]\nname = \"{name}\"\n")
}

/// A certificate and its key.
fn pair() -> (String, String) {
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    (params.self_signed(&key).unwrap().pem(), key.serialize_pem())
}

#[tokio::test(start_paused = true)]
async fn changed_users_are_taken_over_and_bad_ones_are_not() {
    let server = WatchingServer::new();
    let generation = server.engine.access.generation();
    server.looks(2).await;
    assert_eq!(server.engine.access.generation(), generation, "nothing has changed");

    server.write("users.toml", &(user("bob") + "nonsense = 1\n"));
    server.looks(3).await;
    assert!(server.has_user("ann") && !server.has_user("bob"));
    assert!(server.errors().0.contains("users.toml"), "{:?}", server.errors());
    assert_eq!(server.engine.access.generation(), generation);

    server.write("users.toml", &user("bob"));
    server.looks(1).await;
    assert!(!server.has_user("ann") && server.has_user("bob"));
    assert_eq!(server.errors(), (String::new(), String::new()));
}

#[tokio::test(start_paused = true)]
async fn files_are_told_by_their_contents_wherever_a_link_leads() {
    let server = WatchingServer::new();
    let link = server.path("users.toml");
    server.write("other.toml", &user("bob"));
    server.write("same.toml", &user("ann"));
    let generation = server.engine.access.generation();
    fs::remove_file(&link).unwrap();
    symlink(server.path("same.toml"), &link).unwrap();
    server.looks(1).await;
    assert_eq!(server.engine.access.generation(), generation, "it has the same contents");
    fs::remove_file(&link).unwrap();
    symlink(server.path("other.toml"), &link).unwrap();
    server.looks(1).await;
    assert!(server.has_user("bob"));
}

#[tokio::test(start_paused = true)]
async fn a_half_replaced_pair_keeps_the_old_one_until_it_is_whole() {
    let server = WatchingServer::new();
    let (before, (cert, key)) = (server.tls(), pair());
    server.write("cert.pem", &cert);
    server.write("users.toml", &user("bob"));
    server.looks(2).await;
    assert!(Arc::ptr_eq(&server.tls(), &before));
    assert!(server.errors().1.contains("key.pem"), "{:?}", server.errors());
    assert!(server.has_user("bob"), "the files of users are another group");
    server.write("key.pem", &key);
    server.looks(1).await;
    assert!(!Arc::ptr_eq(&server.tls(), &before));
    assert_eq!(server.errors().1, "");
}

#[tokio::test(start_paused = true)]
async fn files_that_come_back_end_their_error() {
    let server = WatchingServer::new();
    let before = server.tls();
    let cert = fs::read_to_string(server.path("cert.pem")).unwrap();
    fs::remove_file(server.path("cert.pem")).unwrap();
    server.looks(1).await;
    assert!(server.errors().1.contains("does not exist"), "{:?}", server.errors());
    server.write("cert.pem", &cert);
    server.looks(1).await;
    assert_eq!(server.errors().1, "");
    assert!(Arc::ptr_eq(&server.tls(), &before));
}

#[tokio::test(start_paused = true)]
async fn the_same_bad_contents_are_reported_once() {
    let server = WatchingServer::new();
    server.write("users.toml", "[[user]]\n");
    server.looks(1).await;
    assert_ne!(server.errors().0, "");
    server.engine.reloads.outcomes.users.set(Some("looked at".to_owned()));
    server.looks(5).await;
    assert_eq!(server.errors().0, "looked at");
    server.write("users.toml", "[[user]]\nname = 1\n");
    server.looks(1).await;
    assert!(server.errors().0.contains("users.toml"));
}
