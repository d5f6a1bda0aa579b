use tokio::process::Command;

use super::{Latency, Load, Told, output_of};
use crate::error::Error;
use crate::server::Server;

const PROGRAM: &str = "redis-benchmark";

/// Runs one of redis-benchmark's tests, which is named as in its results.
pub(super) async fn run(
    load: &Load,
    test: &'static str,
    server: &Server,
    requests: u64,
) -> Result<Told, Error> {
    let mut command = Command::new(PROGRAM);
    command.args(["-h", &server.addr().ip().to_string(), "-p", &server.addr().port().to_string()]);
    command.args(["-t", &test.to_lowercase(), "-n", &requests.to_string(), "-r", &load.keys.to_string()]);
    command.args(["-c", &load.connections.to_string(), "-P", &load.pipeline.to_string()]);
    command.args(["-d", &load.value_bytes.to_string(), "--csv"]);
    let csv = output_of(PROGRAM, command).await?;
    told(&csv, test).ok_or(Error::NoResult { program: PROGRAM, text: csv })
}

/// Reads what `--csv` prints: a line of headings, then one for each test, all fields in quotes.
fn told(csv: &str, test: &'static str) -> Option<Told> {
    let mut lines = csv.lines().map(fields);
    let headings = lines.find(|fields| fields.first() == Some(&"test"))?;
    let values = lines.find(|fields| fields.first() == Some(&test))?;
    let value = |heading| {
        let index = headings.iter().position(|name| *name == heading)?;
        values.get(index)?.parse::<f64>().ok()
    };
    let latency = Latency {
        command: test,
        p50_millis: value("p50_latency_ms")?,
        p99_millis: value("p99_latency_ms")?,
        max_millis: value("max_latency_ms")?,
    };
    Some(Told { ops_per_second: value("rps")?, latencies: vec![latency] })
}

fn fields(line: &str) -> Vec<&str> {
    line.split(',').map(|field| field.trim_matches('"')).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const CSV: &str = r#"WARNING: Could not fetch server CONFIG
"test","rps","avg_latency_ms","min_latency_ms","p50_latency_ms","p95_latency_ms","p99_latency_ms","max_latency_ms"
"SET","344827.59","0.395","0.080","0.375","0.559","1.407","4.183"
"GET","370370.38","0.326","0.048","0.335","0.479","0.551","1.551"
"#;

    #[test]
    fn the_line_of_the_test_is_read_by_its_headings() {
        let told = told(CSV, "GET").unwrap();
        assert_eq!(told.ops_per_second, 370_370.38);
        let latency = Latency { command: "GET", p50_millis: 0.335, p99_millis: 0.551, max_millis: 1.551 };
        assert_eq!(told.latencies, [latency]);
    }

    #[test]
    fn what_is_no_result_is_none() {
        assert_eq!(told(CSV, "PING_MBULK"), None);
        assert_eq!(told("", "SET"), None);
        assert_eq!(told("\"test\",\"rps\"\n\"SET\",\"1.0\"\n", "SET"), None);
        assert_eq!(told(&CSV.replace("0.375", "nothing"), "SET"), None);
    }
}
