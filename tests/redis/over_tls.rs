//! Redis's clients over TLS, with an authority of the test's own and a user who logs in.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use redis::{AsyncCommands, Client, RedisError, TlsCertificates, cmd};
use rustvault_tests::tls::{Authority, write_file};
use rustvault_tests::{Daemon, Launch, cli, need};

use crate::other_clients::{NODE, PYTHON, node_clients, run_against, said};
use crate::python::environment;

/// A daemon that listens with TLS, and its user `app`.
struct TlsLogin {
    daemon: Daemon,
    authority: Authority,
    token: String,
}

impl TlsLogin {
    /// Starts it; `rights` are those of the user.
    fn start(rights: &str) -> Self {
        let (authority, launch) = (Authority::new(), Launch::new());
        authority.issue("the server").write(launch.folder());
        write_file(&launch.folder().join("ca.pem"), &authority.pem());
        let folder = launch.folder().display().to_string();
        let mut add = cli();
        add.args(["user", "add", "app", "--allow", rights, "--token"]);
        let added = add.env("RUSTVAULT_USERS", launch.folder().join("users.toml")).output().unwrap();
        assert!(added.status.success(), "{}", said(&added));
        let token = String::from_utf8(added.stdout).unwrap().trim().to_owned();
        let daemon = launch
            .with_args(&format!(
                "--users {folder}/users.toml --tls-bind 127.0.0.1:0 --tls-cert {folder}/cert.pem --tls-key {folder}/key.pem"
            ))
            .start();
        Self { daemon, authority, token }
    }

    fn port(&self) -> String {
        let (_, addr) =
            self.daemon.ready_line().split_once("tls_address=").expect("it says where it listens");
        let addr = addr.trim_start_matches('"').split([' ', '"', ',']).next().unwrap();
        addr.rsplit(':').next().unwrap().to_owned()
    }

    fn ca_file(&self) -> PathBuf {
        self.daemon.launch().folder().join("ca.pem")
    }

    /// Runs a client's script, which reads from the environment where the daemon is and who logs in.
    #[track_caller]
    fn run(&self, script: &mut Command) {
        script.env("PORT", self.port()).env("CA_FILE", self.ca_file());
        run_against(script.env("LOGIN", "app").env("SECRET", &self.token));
    }

    fn redis_cli(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new("redis-cli");
        command.args(["-h", "localhost", "-p", &self.port(), "--tls", "--cacert"]).arg(self.ca_file());
        command.args(["--user", "app", "--pass", &self.token, "--no-auth-warning"]).args(arguments);
        command.env_remove("REDISCLI_AUTH").stdin(Stdio::null()).output().expect("it can be run")
    }
}

#[test]
fn redis_py_works_over_tls_with_a_user() {
    if let Some(environment) = environment() {
        TlsLogin::start("all").run(environment.python().args(["-c", PYTHON]));
    }
}

#[test]
fn node_redis_works_over_tls_with_a_user() {
    if let Some(folder) = node_clients() {
        let script = folder.join("over_tls.mjs");
        fs::write(&script, NODE).expect("the folder can be written");
        TlsLogin::start("all").run(Command::new("node").arg(script));
    }
}

#[test]
fn redis_cli_works_over_tls_with_a_user_and_is_told_what_it_may_not_do() {
    if !need("redis-cli") {
        return;
    }
    let server = TlsLogin::start("read,write:app:");
    let ask = |arguments: &[&str]| {
        let output = server.redis_cli(arguments);
        String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
    };
    assert_eq!(ask(&["SET", "app:k", "v"]), "OK\n");
    assert_eq!(ask(&["-3", "GET", "app:k"]), "v\n");
    assert_eq!(ask(&["ACL", "WHOAMI"]), "app\n");
    for refused in [&["SET", "other", "v"][..], &["GET", "other"], &["FLUSHALL"], &["CONFIG", "GET", "*"]] {
        assert!(ask(refused).starts_with("NOPERM"), "{refused:?}: {}", ask(refused));
    }
    // Who does not know the authority does not even send the password.
    let stranger = Command::new("redis-cli")
        .args(["-h", "localhost", "-p", &server.port(), "--tls", "PING"])
        .stdin(Stdio::null())
        .output()
        .unwrap();
    assert!(!stranger.status.success(), "{}", said(&stranger));
}

#[tokio::test]
async fn redis_rs_works_over_tls_with_a_user() -> Result<(), RedisError> {
    let server = TlsLogin::start("all");
    let certificates =
        TlsCertificates { client_tls: None, root_cert: Some(server.authority.pem().into_bytes()) };
    for options in ["", "?protocol=resp3"] {
        let address = |secret: &str| format!("rediss://app:{secret}@localhost:{}/{options}", server.port());
        let client = Client::build_with_tls(address(&server.token), certificates.clone())?;
        let mut connection = client.get_multiplexed_async_connection().await?;
        let large = vec![b'v'; 1 << 20];
        let () = connection.set("k", &large).await?;
        assert!(connection.get::<_, Vec<u8>>("k").await? == large);
        assert_eq!(cmd("ACL").arg("WHOAMI").query_async::<String>(&mut connection).await?, "app");

        let wrong = Client::build_with_tls(address("rv_wrong"), certificates.clone())?;
        assert!(wrong.get_multiplexed_async_connection().await.is_err(), "a wrong token is refused");
        let stranger = Client::open(address(&server.token))?;
        assert!(stranger.get_multiplexed_async_connection().await.is_err(), "nobody knows this authority");
    }
    Ok(())
}
