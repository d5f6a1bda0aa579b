//! The commands on the keyspace: one way to run and print each, for one-shots and sessions.

use std::io::{self, Read, Write};

use bytes::Bytes;
use rustvault_client::{Client, Commands, Options};
use rustvault_protocol::Limits;
use rustvault_protocol::limits::DEFAULT_MAX_KEY_BYTES;

use crate::args::Args;
use crate::error::CliError;
use crate::output::Printer;

/// Limits of this program on keys, values and lines: a bound on its memory, wide enough that
/// the server's own limit (`--max-value-bytes`) is the one that people meet.
pub(crate) const LIMITS: Limits =
    Limits { max_key_bytes: DEFAULT_MAX_KEY_BYTES, max_value_bytes: MAX_VALUE_BYTES };

const MAX_VALUE_BYTES: usize = 1024 * 1024 * 1024;

/// Keys asked for with one request of a scan.
const SCAN_PAGE_KEYS: u32 = 1_000;

/// A command on the keyspace, as a one-shot and a line of a session give it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Action {
    Set { key: Bytes, value: Bytes },
    Get { key: Bytes, raw: bool },
    Delete { key: Bytes },
    Exists { key: Bytes },
    Count,
    Scan { prefix: Bytes, limit: Option<u64> },
    Ping,
    Info,
    Compact,
}

/// Result of a command that was carried out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    Done,
    KeyNotFound,
}

/// The connection to one server, and where results go; shared by one-shots and sessions.
#[derive(Debug)]
pub(crate) struct Session<W> {
    addr: String,
    options: Options,
    /// `None` until the first command or [`connect`](Self::connect).
    client: Option<Client>,
    pub(crate) printer: Printer<W>,
}

impl<W: Write> Session<W> {
    /// A session that is not connected yet. With `reconnect`, it comes back after a server's restart.
    pub(crate) fn new(args: &Args, reconnect: bool, out: W) -> Self {
        let options = Options::new()
            .connect_timeout(args.timeout)
            .request_timeout(args.timeout)
            .reconnect(reconnect)
            .max_key_bytes(LIMITS.max_key_bytes)
            .max_value_bytes(LIMITS.max_value_bytes);
        Self { addr: args.addr.clone(), options, client: None, printer: Printer::to_stdout(out, args.json) }
    }

    pub(crate) fn addr(&self) -> &str {
        &self.addr
    }

    /// Connects, unless that was done before.
    pub(crate) async fn connect(&mut self) -> Result<Client, CliError> {
        if let Some(client) = &self.client {
            return Ok(client.clone());
        }
        let client = Client::connect_with(self.addr.as_str(), self.options.clone()).await?;
        Ok(self.client.insert(client).clone())
    }

    /// Carries out `action` and prints its result.
    pub(crate) async fn execute(&mut self, action: Action) -> Result<Outcome, CliError> {
        let client = self.connect().await?;
        let outcome = match action {
            Action::Scan { prefix, limit } => self.scan(&client, &prefix, limit).await?,
            Action::Get { key, raw } => {
                let value = client.get(&key).await?;
                self.print_value(value, raw)?
            }
            Action::Delete { key } => {
                let existed = client.delete(&key).await?;
                self.print_existed(existed)?
            }
            Action::Exists { key } => {
                let exists = client.exists(&key).await?;
                self.print_existed(exists)?
            }
            Action::Set { key, value } => {
                client.set(&key, &value).await?;
                self.printer.done("OK")?;
                Outcome::Done
            }
            Action::Ping => {
                client.ping().await?;
                self.printer.done("PONG")?;
                Outcome::Done
            }
            Action::Compact => {
                client.compact().await?;
                self.printer.done("OK")?;
                Outcome::Done
            }
            Action::Count => {
                let count = client.count().await?;
                self.printer.count(count)?;
                Outcome::Done
            }
            Action::Info => {
                let fields = client.info().await?;
                self.printer.info(&fields)?;
                Outcome::Done
            }
        };
        self.printer.flush()?;
        Ok(outcome)
    }

    async fn scan(
        &mut self,
        client: &Client,
        prefix: &[u8],
        limit: Option<u64>,
    ) -> Result<Outcome, CliError> {
        let mut left = limit.unwrap_or(u64::MAX);
        let mut cursor = 0;
        while left > 0 {
            let page_keys = u32::try_from(left).map_or(SCAN_PAGE_KEYS, |left| left.min(SCAN_PAGE_KEYS));
            let page = client.scan(cursor, prefix, page_keys).await?;
            for key in &page.keys {
                // A page may have more keys than were asked for.
                if left == 0 {
                    break;
                }
                self.printer.key(key)?;
                left -= 1;
            }
            self.printer.flush()?;
            cursor = page.next_cursor;
            if cursor == 0 {
                break;
            }
        }
        Ok(Outcome::Done)
    }

    fn print_value(&mut self, value: Option<Bytes>, raw: bool) -> Result<Outcome, CliError> {
        match value {
            Some(value) if raw => self.printer.raw(&value)?,
            Some(value) => self.printer.value(&value)?,
            None if raw => return Ok(Outcome::KeyNotFound),
            None => return self.print_existed(false),
        }
        Ok(Outcome::Done)
    }

    fn print_existed(&mut self, existed: bool) -> Result<Outcome, CliError> {
        if existed {
            self.printer.done("OK")?;
            return Ok(Outcome::Done);
        }
        self.printer.not_found()?;
        Ok(Outcome::KeyNotFound)
    }
}

/// Carries out the one command of the process's arguments.
pub(crate) fn run_once(args: &Args, action: Action) -> Result<Outcome, CliError> {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(CliError::Runtime)?;
    let mut session = Session::new(args, false, io::BufWriter::new(io::stdout()));
    runtime.block_on(session.execute(action))
}

/// Reads a value from standard input, byte for byte.
pub(crate) fn read_value(input: impl Read) -> Result<Bytes, CliError> {
    let mut value = Vec::new();
    let limit = MAX_VALUE_BYTES as u64 + 1;
    input.take(limit).read_to_end(&mut value).map_err(CliError::Input)?;
    if value.len() > MAX_VALUE_BYTES {
        return Err(CliError::Usage(format!("the value is longer than {MAX_VALUE_BYTES} bytes")));
    }
    Ok(Bytes::from(value))
}
