//! A daemon with users and TLS, and our own clients of it: the client crate, the command line, the load generator.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output};

use rustvault_client::{Client, Commands, ErrorCode, LoginSecret, Options, TlsOptions, blocking};
use rustvault_tests::tls::{Authority, write_file};
use rustvault_tests::{Daemon, Launch, cli};
use tokio::time::{sleep, timeout};

use super::client::COMEBACK;
use super::tls::tls_addr;

/// A daemon that listens with TLS, and a user of it who has a token in the file `token`.
struct Secured {
    launch: Launch,
    daemon: Daemon,
}

impl Secured {
    /// Starts it; `rights` are those of the user `app`.
    fn start(rights: &str) -> Self {
        let (authority, launch) = (Authority::new(), Launch::new());
        authority.issue("the server").write(launch.folder());
        write_file(&launch.folder().join("ca.pem"), &authority.pem());
        let folder = launch.folder().display().to_string();
        let launch = launch.with_args(&format!(
            "--users {folder}/users.toml --tls-bind 127.0.0.1:0 --tls-cert {folder}/cert.pem --tls-key {folder}/key.pem"
        ));
        let token = user(&launch, &format!("add app --allow {rights} --token"));
        fs::write(launch.folder().join("token"), token).unwrap();
        let daemon = launch.start();
        Self { launch, daemon }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.launch.folder().join(name)
    }

    fn url(&self) -> String {
        format!("rustvaults://localhost:{}", tls_addr(self.daemon.ready_line()).port())
    }

    /// Options of a client that trusts the daemon's authority.
    fn trusting(&self) -> Options {
        Options::new().tls(TlsOptions::new().ca_file(self.path("ca.pem")))
    }

    fn logged_in(&self) -> Options {
        self.trusting().user("app").password(LoginSecret::from_file(self.path("token")))
    }

    /// The command line as the user.
    fn cli(&self) -> Command {
        let mut command = cli();
        command.args(["--user", "app", "--addr", &self.url(), "--ca"]).arg(self.path("ca.pem"));
        command.arg("--password-file").arg(self.path("token"));
        command
    }
}

/// Changes the file of users, and returns what that printed: of a new token the token.
pub(super) fn user(launch: &Launch, line: &str) -> String {
    let mut command = cli();
    command.arg("user").args(line.split(' ')).arg("--file").arg(launch.folder().join("users.toml"));
    succeeded(&command.output().unwrap())
}

#[track_caller]
fn succeeded(output: &Output) -> String {
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout.clone()).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn both_clients_log_in_over_tls_and_do_what_their_rights_allow() {
    let secured = Secured::start("read,write:app:");
    let client = Client::connect_with(secured.url(), secured.logged_in()).await.unwrap();
    let large = vec![b'v'; 4 * 1024 * 1024];
    client.set("app:k", &large).await.unwrap();
    assert!(client.get("app:k").await.unwrap().unwrap() == large);
    let refused = client.set("other", "v").await.unwrap_err();
    assert_eq!(refused.code(), Some(ErrorCode::Denied));
    assert!(!refused.is_login_refused() && !refused.is_retryable());

    let (url, options) = (secured.url(), secured.logged_in());
    let read = move || blocking::Client::connect_with(url, options)?.strlen("app:k");
    assert_eq!(tokio::task::spawn_blocking(read).await.unwrap().unwrap(), large.len() as u64);

    let wrong =
        Client::connect_with(secured.url(), secured.logged_in().password("rv_wrong")).await.unwrap_err();
    assert!(wrong.is_login_refused(), "{wrong}");
    let nobody = Client::connect_with(secured.url(), secured.trusting()).await;
    let nobody = match nobody {
        Ok(client) => client.get("app:k").await.unwrap_err(),
        Err(error) => error,
    };
    assert_eq!(nobody.code(), Some(ErrorCode::AuthRequired));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_comes_back_after_a_restart_with_the_token_that_has_taken_the_place_of_its_first() {
    let secured = Secured::start("all");
    let client = Client::connect_with(secured.url(), secured.logged_in()).await.unwrap();
    client.set("k", "v").await.unwrap();
    let Secured { launch, daemon } = secured;
    let addr = tls_addr(daemon.ready_line());
    let token = user(&launch, "token app --label second");
    fs::write(launch.folder().join("token"), token).unwrap();
    user(&launch, "remove app --label token");
    daemon.stop();
    let daemon = launch.with_args(&format!("--tls-bind {addr}")).start();
    let back = async {
        while client.get("k").await.ok().flatten().is_none() {
            sleep(std::time::Duration::from_millis(20)).await;
        }
    };
    timeout(COMEBACK, back).await.expect("it comes back");
    daemon.stop();
}

#[test]
fn the_command_line_and_the_load_generator_log_in_over_tls() {
    let secured = Secured::start("all");
    assert_eq!(succeeded(&secured.cli().args(["set", "k", "v"]).output().unwrap()), "OK\n");
    assert_eq!(succeeded(&secured.cli().args(["acl", "whoami"]).output().unwrap()), "app\n");
    for protocol in ["text", "resp"] {
        let mut bench = secured.cli();
        bench.args(["bench", "--json", "--requests", "2000", "--clients", "8", "--pipeline", "16"]);
        let report = succeeded(&bench.args(["--protocol", protocol]).output().unwrap());
        assert!(report.contains("\"errors\":0"), "{report}");
    }
    // Whoever says nothing of TLS, or of a user, is told.
    let plain = secured.url().replace("rustvaults://", "");
    let output = cli().args(["--addr", &plain, "ping"]).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && said.contains("speaks TLS alone"), "{said}");
    let mut nobody = cli();
    nobody.args(["get", "k", "--addr", &secured.daemon.addr().to_string()]);
    let output = nobody.output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("hint: log in with --user NAME"), "{said}");
    let mut other_way = secured.cli();
    other_way.args(["ping", "--addr", &format!("rustvaults://{}", secured.daemon.addr())]);
    let output = other_way.output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && said.contains("TLS"), "{said}");
}
