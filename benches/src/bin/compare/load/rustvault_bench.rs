//! RustVault's own load generator, for mixed loads.

use serde::Deserialize;
use tokio::process::Command;

use super::{Latency, Load, Told, output_of};
use crate::error::Error;
use crate::programs::Programs;
use crate::security::USER;
use crate::server::Server;

const PROGRAM: &str = "rustvault-cli bench";

/// The part of its `--json` that is of interest here.
#[derive(Debug, Deserialize)]
struct Output {
    requests_per_second: f64,
    commands: Vec<CommandOutput>,
}

#[derive(Debug, Deserialize)]
struct CommandOutput {
    command: String,
    not_found: u64,
    p50_microseconds: f64,
    p99_microseconds: f64,
    max_microseconds: f64,
}

/// Runs the load generator of RustVault's command line, over RESP.
pub(super) async fn run(
    load: &Load,
    reads_percent: u8,
    programs: &Programs,
    server: &Server,
    requests: u64,
) -> Result<Told, Error> {
    let mut command = Command::new(&programs.rustvault_cli);
    command.args(["bench", "--json", "--protocol", "resp", "--timeout", "60s"]);
    if let Some(token) = server.token() {
        command.env("RUSTVAULT_USER", USER).env("RUSTVAULT_PASSWORD", token);
    }
    if programs.security.has_tls {
        command.arg("--tls").arg("--ca").arg(programs.security.ca());
    }
    command.args(["--addr", &server.load_addr().to_string(), "--reads", &reads_percent.to_string()]);
    command.args(["--clients", &load.connections.to_string(), "--pipeline", &load.pipeline.to_string()]);
    command.args(["--value-bytes", &load.value_bytes.to_string(), "--keys", &load.keys.to_string()]);
    command.args(["--requests", &requests.to_string()]);
    let json = output_of(PROGRAM, command).await?;
    told(&json).ok_or(Error::NoResult { program: PROGRAM, text: json })
}

/// `None` also if a key was not found: the keys are all there before the load begins.
fn told(json: &str) -> Option<Told> {
    let output: Output = serde_json::from_str(json).ok()?;
    let latencies = output.commands.iter().map(latency).collect::<Option<_>>()?;
    Some(Told { ops_per_second: output.requests_per_second, latencies })
}

fn latency(output: &CommandOutput) -> Option<Latency> {
    let command = ["GET", "SET"].into_iter().find(|name| *name == output.command)?;
    let latency = Latency {
        command,
        p50_millis: output.p50_microseconds / 1000.0,
        p99_millis: output.p99_microseconds / 1000.0,
        p999_millis: None,
        max_millis: output.max_microseconds / 1000.0,
    };
    (output.not_found == 0).then_some(latency)
}

#[cfg(test)]
mod tests {
    use super::*;

    const JSON: &str = r#"{"clients":50,"requests_per_second":80000.0,"errors":0,"commands":[
        {"command":"GET","requests":9,"not_found":0,
         "p50_microseconds":310.0,"p99_microseconds":700.0,"max_microseconds":800.0},
        {"command":"SET","requests":1,"not_found":0,
         "p50_microseconds":500.0,"p99_microseconds":900.0,"max_microseconds":950.0}]}"#;

    #[test]
    fn latencies_are_told_by_kind_of_command_in_milliseconds() {
        let told = told(JSON).unwrap();
        assert_eq!(told.ops_per_second, 80_000.0);
        let [get, set] = told.latencies.try_into().unwrap();
        assert_eq!((get.command, get.p50_millis, get.p99_millis, get.max_millis), ("GET", 0.31, 0.7, 0.8));
        assert_eq!((set.command, set.p50_millis, set.p99_millis, set.max_millis), ("SET", 0.5, 0.9, 0.95));
    }

    #[test]
    fn a_read_that_missed_makes_no_result() {
        assert_eq!(told(&JSON.replacen("\"not_found\":0", "\"not_found\":1", 1)), None);
        assert_eq!(told("error"), None);
    }
}
