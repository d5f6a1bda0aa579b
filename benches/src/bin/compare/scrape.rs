//! Scrapes of a server's metrics once a second, as Prometheus makes them.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{MissedTickBehavior, interval, timeout};

use crate::error::Error;

/// Time from one scrape to the next.
const INTERVAL: Duration = Duration::from_secs(1);

/// Longest time that a scrape may take, as with Prometheus's own default.
const SCRAPE_LIMIT: Duration = Duration::from_secs(10);

const MAX_ANSWER_BYTES: u64 = 16 * 1024 * 1024;

/// A counter that every server has. An answer without it was not made of the server's figures.
const EXPECTED_FAMILY: &str = "rustvault_commands_total";

/// Scrapes again and again until this is dropped; returns at the first scrape that fails, because what follows would be measured
/// without scrapes.
pub(crate) async fn scrape_for_ever(addr: SocketAddr) -> Error {
    let mut ticks = interval(INTERVAL);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    loop {
        ticks.tick().await;
        match timeout(SCRAPE_LIMIT, scrape(addr)).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => return Error::system(format!("scrape http://{addr}/metrics"))(error),
            Err(_) => return Error::TimedOut { what: "a scrape of metrics".to_owned(), limit: SCRAPE_LIMIT },
        }
    }
}

async fn scrape(addr: SocketAddr) -> io::Result<()> {
    let mut stream = TcpStream::connect(addr).await?;
    let request = format!("GET /metrics HTTP/1.1\r\nHost: {addr}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut answer = Vec::new();
    stream.take(MAX_ANSWER_BYTES).read_to_end(&mut answer).await?;
    let answer = String::from_utf8_lossy(&answer);
    if answer.starts_with("HTTP/1.1 200 ") && answer.contains(EXPECTED_FAMILY) {
        return Ok(());
    }
    let status = answer.lines().next().unwrap_or_default();
    Err(io::Error::other(format!(
        "expected 200 and {EXPECTED_FAMILY}, but the answer begins with {status:?}"
    )))
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    /// Returns the outcome of a scrape that is answered with this.
    async fn outcome(answer: &'static str) -> Result<(), String> {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        let serve = async {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = [0; 1024];
            let count = stream.read(&mut request).await.unwrap();
            stream.write_all(answer.as_bytes()).await.unwrap();
            String::from_utf8_lossy(&request[..count]).into_owned()
        };
        let (request, outcome) = tokio::join!(serve, scrape(addr));
        assert!(
            request.starts_with("GET /metrics HTTP/1.1\r\n") && request.ends_with("\r\n\r\n"),
            "{request}"
        );
        outcome.map_err(|error| error.to_string())
    }

    #[tokio::test]
    async fn a_scrape_wants_the_servers_figures() {
        let figures = "HTTP/1.1 200 OK\r\n\r\nrustvault_commands_total{command=\"get\",listener=\"tcp\"} 1\n";
        assert_eq!(outcome(figures).await, Ok(()));
        for bad in [
            "HTTP/1.1 503 Service Unavailable\r\n\r\nrustvault_commands_total 1\n",
            "HTTP/1.1 200 OK\r\n\r\n",
            "",
        ] {
            let error = outcome(bad).await.unwrap_err();
            assert!(error.contains("expected 200 and rustvault_commands_total"), "{error}");
        }
    }
}
