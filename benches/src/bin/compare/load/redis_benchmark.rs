//! Redis's load generator. What it prints for people is read, as `--csv` has no percentile beyond the 99th.

use std::path::PathBuf;

use tokio::process::Command;

use super::{Latency, Load, Told, output_of};
use crate::error::Error;
use crate::security::USER;
use crate::server::Server;

const PROGRAM: &str = "redis-benchmark";

/// Runs one of redis-benchmark's tests, which is named as in its results.
pub(super) async fn run(
    load: &Load,
    test: &'static str,
    server: &Server,
    ca: Option<PathBuf>,
    requests: u64,
) -> Result<Told, Error> {
    let (addr, mut command) = (server.load_addr(), Command::new(PROGRAM));
    command.args(["-h", &addr.ip().to_string(), "-p", &addr.port().to_string()]);
    if let Some(token) = server.token() {
        command.args(["--user", USER, "-a", token]);
    }
    if let Some(ca) = ca {
        command.arg("--tls").arg("--cacert").arg(ca);
    }
    command.args(["-t", &test.to_lowercase(), "-n", &requests.to_string(), "-r", &load.keys.to_string()]);
    command.args(["-c", &load.connections.to_string(), "-P", &load.pipeline.to_string()]);
    command.args(["-d", &load.value_bytes.to_string()]);
    let text = output_of(PROGRAM, command).await?;
    told(&text, test).ok_or(Error::NoResult { program: PROGRAM, text })
}

/// Reads the part of the output that is about the test.
fn told(text: &str, test: &'static str) -> Option<Told> {
    let (_, text) = text.split_once(&format!("====== {test} ======"))?;
    let (_, summary) = text.split_once("throughput summary:")?;
    let ops_per_second = summary.split_whitespace().next()?.parse().ok()?;
    // A line of headings, then one of values.
    let mut lines = summary.lines().skip_while(|line| !line.contains(" p50 "));
    let (headings, values) = (words(lines.next()?), words(lines.next()?));
    let value = |heading| {
        let index = headings.iter().position(|name| *name == heading)?;
        values.get(index)?.parse::<f64>().ok()
    };
    let latency = Latency {
        command: test,
        p50_millis: value("p50")?,
        p99_millis: value("p99")?,
        p999_millis: Some(p999_millis(text)?),
        max_millis: value("max")?,
    };
    Some(Told { ops_per_second, latencies: vec![latency] })
}

/// Returns the first of the listed latencies that 99.9% of all answers did not exceed. Of the percentiles listed,
/// the next is 99.902%. The counts tell, as lines that would repeat the count before them are left out.
fn p999_millis(text: &str) -> Option<f64> {
    let (_, list) = text.split_once("Latency by percentile distribution:")?;
    let lines = list.lines().skip(1).take_while(|line| !line.trim().is_empty());
    let answers = lines.map(answers_within).collect::<Option<Vec<_>>>()?;
    let (_, total) = *answers.last()?;
    answers.iter().find(|(_, count)| *count as f64 >= 0.999 * total as f64).map(|(millis, _)| *millis)
}

/// Reads latency and count of a line `99.902% <= 1.503 milliseconds (cumulative count 99903)`.
fn answers_within(line: &str) -> Option<(f64, u64)> {
    match words(line)[..] {
        [_, "<=", millis, "milliseconds", "(cumulative", "count", count] => {
            Some((millis.parse().ok()?, count.trim_end_matches(')').parse().ok()?))
        }
        _ => None,
    }
}

fn words(line: &str) -> Vec<&str> {
    line.split_whitespace().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "
SET: rps=0.0 (overall: 0.0) avg_msec=-nan (overall: -nan)\r          \r====== SET ======
  10000 requests completed in 0.05 seconds
  50 parallel clients

Latency by percentile distribution:
0.000% <= 0.223 milliseconds (cumulative count 2)
50.000% <= 0.375 milliseconds (cumulative count 5103)
99.805% <= 1.807 milliseconds (cumulative count 9985)
99.902% <= 2.015 milliseconds (cumulative count 9991)
99.951% <= 2.407 milliseconds (cumulative count 9996)
100.000% <= 4.183 milliseconds (cumulative count 10000)

Cumulative distribution of latencies:
0.000% <= 0.103 milliseconds (cumulative count 0)
100.000% <= 5.103 milliseconds (cumulative count 10000)

Summary:
  throughput summary: 344827.59 requests per second
  latency summary (msec):
          avg       min       p50       p95       p99       max
        0.395     0.080     0.375     0.559     1.407     4.183

";

    #[test]
    fn throughput_and_latencies_are_read_by_their_headings() {
        let told = told(TEXT, "SET").unwrap();
        assert_eq!(told.ops_per_second, 344_827.59);
        let latency = Latency {
            command: "SET",
            p50_millis: 0.375,
            p99_millis: 1.407,
            p999_millis: Some(2.015),
            max_millis: 4.183,
        };
        assert_eq!(told.latencies, [latency]);
    }

    #[test]
    fn a_percentile_that_is_left_out_is_the_one_before_it() {
        let left_out = TEXT.replace("99.902% <= 2.015 milliseconds (cumulative count 9991)\n", "");
        assert_eq!(p999_millis(&left_out), Some(2.407));
        assert_eq!(p999_millis(&left_out.replace("count 9985", "count 9991")), Some(1.807));
    }

    #[test]
    fn what_is_no_result_is_none() {
        assert_eq!(told(TEXT, "PING_MBULK"), None);
        assert_eq!(told("", "SET"), None);
        assert_eq!(told(&TEXT.replace(" p50 ", " median "), "SET"), None);
        assert_eq!(told(&TEXT.replace("1.407", "nothing"), "SET"), None);
        assert_eq!(told(&TEXT.replace("cumulative count", "count"), "SET"), None);
    }
}
