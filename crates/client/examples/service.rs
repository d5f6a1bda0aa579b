//! A link shortener that keeps its links in RustVault.
//!
//! Start a daemon, then run `cargo run -p rustvault-client --example service -- 127.0.0.1:8080` (or set
//! `RUSTVAULT_ADDR`). It serves a line protocol on a free port of its own, has a visitor try it, and ends:
//!
//! - `SHORTEN <url>` is answered with a code, or the reason why not
//! - `FOLLOW <code>` is answered with the URL, or `unknown`
//! - `FORGET <code>` is answered with `forgotten`, or `unknown`

use std::process::ExitCode;

use rustvault_client::{Client, Commands, Error};
use tokio::io::{self, AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

const DEFAULT_ADDR: &str = "127.0.0.1:8080";

#[tokio::main]
async fn main() -> ExitCode {
    let addr = std::env::args().nth(1).or_else(|| std::env::var("RUSTVAULT_ADDR").ok());
    match run(addr.as_deref().unwrap_or(DEFAULT_ADDR)).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(addr: &str) -> Result<(), Box<dyn std::error::Error>> {
    let links = Links { client: Client::connect(addr).await? };
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let visitor = visit(TcpStream::connect(listener.local_addr()?).await?);
    tokio::spawn(serve(listener, links));
    Ok(visitor.await?)
}

/// The work of the service, apart from its sockets.
#[derive(Clone)]
struct Links {
    client: Client,
}

impl Links {
    /// The code of a URL follows from the URL, so shortening twice, also after an error, is harmless.
    async fn shorten(&self, url: &str) -> Result<String, Error> {
        let code = format!("{:016x}", fnv1a(url.as_bytes()));
        self.client.set(key(&code), url).await?;
        Ok(code)
    }

    async fn follow(&self, code: &str) -> Result<Option<String>, Error> {
        let url = self.client.get(key(code)).await?;
        Ok(url.map(|url| String::from_utf8_lossy(&url).into_owned()))
    }

    async fn forget(&self, code: &str) -> Result<bool, Error> {
        self.client.delete(key(code)).await
    }

    async fn answer(&self, line: &str) -> Result<String, Error> {
        let unknown = || "unknown".to_owned();
        match line.split_once(' ') {
            Some(("SHORTEN", url)) => self.shorten(url).await,
            Some(("FOLLOW", code)) => Ok(self.follow(code).await?.unwrap_or_else(unknown)),
            Some(("FORGET", code)) if self.forget(code).await? => Ok("forgotten".to_owned()),
            Some(("FORGET", _)) => Ok(unknown()),
            _ => Ok("commands are SHORTEN, FOLLOW and FORGET, each with one argument".to_owned()),
        }
    }
}

fn key(code: &str) -> String {
    format!("link:{code}")
}

fn fnv1a(bytes: &[u8]) -> u64 {
    bytes
        .iter()
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}

/// Every visitor has a task; all tasks share the client.
async fn serve(listener: TcpListener, links: Links) -> io::Result<()> {
    loop {
        let (stream, _) = listener.accept().await?;
        tokio::spawn(attend(stream, links.clone()));
    }
}

async fn attend(mut stream: TcpStream, links: Links) -> io::Result<()> {
    let (reader, mut writer) = stream.split();
    let mut lines = BufReader::new(reader).lines();
    while let Some(line) = lines.next_line().await? {
        let answer = links.answer(&line).await.unwrap_or_else(|error| format!("not now: {error}"));
        writer.write_all(format!("{answer}\n").as_bytes()).await?;
    }
    Ok(())
}

/// Somebody who uses the service, and sees that it works.
async fn visit(mut stream: TcpStream) -> io::Result<()> {
    let (reader, mut writer) = stream.split();
    let mut answers = BufReader::new(reader).lines();
    let mut ask = async |line: String| {
        writer.write_all(format!("{line}\n").as_bytes()).await?;
        let answer = answers.next_line().await?.unwrap_or_default();
        println!("{line} -> {answer}");
        io::Result::Ok(answer)
    };
    let url = "https://www.rust-lang.org/learn?from=rustvault";
    let code = ask(format!("SHORTEN {url}")).await?;
    let followed = ask(format!("FOLLOW {code}")).await?;
    let forgotten = ask(format!("FORGET {code}")).await?;
    let afterwards = ask(format!("FOLLOW {code}")).await?;
    if (followed.as_str(), forgotten.as_str(), afterwards.as_str()) != (url, "forgotten", "unknown") {
        return Err(io::Error::other("the service gave a wrong answer"));
    }
    Ok(())
}
