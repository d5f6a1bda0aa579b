//! A program with a RustVault server inside, which stops at Ctrl-C:
//! `cargo run -p rustvault-server --example embedded_server -- vault.log`

use std::env;
use std::path::PathBuf;

use rustvault_server::{Error, Server, ServerConfig};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let mut config = ServerConfig::default();
    config.bind_addrs = vec!["127.0.0.1:0".to_owned()];
    config.wal_path = env::args_os().nth(1).map_or_else(|| config.wal_path.clone(), PathBuf::from);
    let server = Server::bind(config).await?;
    for addr in server.local_addrs() {
        println!("listening on {addr}");
    }
    server.run(async { drop(tokio::signal::ctrl_c().await) }).await
}
