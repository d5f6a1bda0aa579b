//! The connection to a server, and what is printed for each command: the same for one-shots and sessions.

use std::io::{self, IsTerminal, Read, Write};

use bytes::Bytes;
use rustvault_client::{Client, Commands, Options};
use rustvault_protocol::limits::DEFAULT_MAX_KEY_BYTES;
use rustvault_protocol::{Command, Limits};

use crate::action::Action;
use crate::args::CliArgs;
use crate::error::CliError;
use crate::names::PROTOCOL;
use crate::output::Printer;

/// Limits of this program on keys, values and lines: a bound on its memory, wide enough that
/// the server's own limit (`--max-value-bytes`) is the one that people meet.
pub(crate) const LIMITS: Limits =
    Limits { max_key_bytes: DEFAULT_MAX_KEY_BYTES, max_value_bytes: MAX_VALUE_BYTES };

const MAX_VALUE_BYTES: usize = 1024 * 1024 * 1024;

/// Keys asked for with one request of a scan.
const SCAN_PAGE_KEYS: u32 = 1_000;

/// Result of a command that was carried out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CommandOutcome {
    Done,
    KeyNotFound,
}

/// The connection to one server, and where results go; shared by one-shots and sessions.
#[derive(Debug)]
pub(crate) struct CliSession<W> {
    addr: String,
    options: Options,
    /// `None` until the first command or [`connect`](Self::connect).
    client: Option<Client>,
    pub(crate) printer: Printer<W>,
    /// Set if a person can be asked a question on standard input.
    pub(crate) can_ask: bool,
}

impl<W: Write> CliSession<W> {
    /// Returns a session of many commands that is not connected yet. It comes back after a server's restart.
    ///
    /// # Errors
    /// A user without a password.
    pub(crate) fn of_lines(args: &CliArgs, out: W) -> Result<Self, CliError> {
        Ok(Self::new(args, options(args)?.reconnect(true), out))
    }

    /// Returns a session of one command that is not connected yet.
    ///
    /// # Errors
    /// A user without a password.
    pub(crate) fn of_one_shot(args: &CliArgs, out: W) -> Result<Self, CliError> {
        let can_ask = io::stdin().is_terminal() && !args.json;
        Ok(Self { can_ask, ..Self::new(args, options(args)?.reconnect(false), out) })
    }

    fn new(args: &CliArgs, options: Options, out: W) -> Self {
        let printer = Printer::to_stdout(out, args.json);
        Self { addr: args.addr.clone(), options, client: None, printer, can_ask: false }
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

    /// Connects, unless that was done before: with the login of `action`, if that is an `AUTH`. Without it, a server with users
    /// refuses the connection on which it would be sent.
    pub(crate) async fn connect_for(&mut self, action: &Action) -> Result<Client, CliError> {
        let (Action::Command(words), None) = (action, &self.client) else { return self.connect().await };
        let (user, password) = match words.as_slice() {
            [name, password] if is_auth(name) => (b"default".as_slice(), password),
            [name, user, password] if is_auth(name) => (&user[..], password),
            _ => return self.connect().await,
        };
        let user = String::from_utf8_lossy(user);
        let options = self.options.clone().user(user).password(password.to_vec());
        let client = Client::connect_with(self.addr.as_str(), options).await?;
        Ok(self.client.insert(client).clone())
    }

    /// Carries out `action` and prints its result.
    pub(crate) async fn execute(&mut self, action: Action) -> Result<CommandOutcome, CliError> {
        let client = self.connect_for(&action).await?;
        let outcome = match action {
            Action::Command(words) => self.command(&client, &words).await?,
            Action::Scan { prefix, limit } => self.scan(&client, &prefix, limit).await?,
            Action::GetRaw(key) => match client.get(&key).await? {
                Some(value) => self.printer.raw(&value).map(|()| CommandOutcome::Done)?,
                None => CommandOutcome::KeyNotFound,
            },
            Action::GetPrefix(prefix) => self.get_prefix(&client, &prefix).await?,
            Action::DeletePrefix { prefix, is_agreed } => {
                self.delete_prefix(&client, &prefix, is_agreed).await?
            }
        };
        self.printer.flush()?;
        Ok(outcome)
    }

    /// Carries out a command: as this program documents it, or as the server answers it.
    async fn command(&mut self, client: &Client, words: &[Bytes]) -> Result<CommandOutcome, CliError> {
        if let Some(outcome) = self.documented(client, words).await? {
            return Ok(outcome);
        }
        let reply = client.command(words).await.map_err(|error| CliError::of_command(error, words))?;
        self.printer.reply(&reply)
    }

    /// Carries out a command that has a form of its own here; returns `None` for others.
    async fn documented(
        &mut self,
        client: &Client,
        words: &[Bytes],
    ) -> Result<Option<CommandOutcome>, CliError> {
        let Some((name, arguments)) = words.split_first() else { return Ok(None) };
        let outcome = match (Command::find(name, PROTOCOL), arguments) {
            (Some(Command::Set), [key, value]) => {
                client.set(key, value).await?;
                self.print_done("OK")
            }
            (Some(Command::Get), [key]) => match client.get(key).await? {
                Some(value) => self.printer.value(&value).map(|()| CommandOutcome::Done),
                None => self.print_existed(false),
            },
            (Some(Command::Delete), [key]) => {
                let existed = client.delete(key).await?;
                self.print_existed(existed)
            }
            (Some(Command::Exists), [key]) => {
                let exists = client.exists(key).await?;
                self.print_existed(exists)
            }
            (Some(Command::Ping), []) => {
                client.ping().await?;
                self.print_done("PONG")
            }
            (Some(Command::Compact), []) => {
                client.compact().await?;
                self.print_done("OK")
            }
            // Under its name in the table it is the server's.
            (Some(Command::DbSize), []) if !name.eq_ignore_ascii_case(Command::DbSize.name().as_bytes()) => {
                let count = client.count().await?;
                self.printer.count(count).map(|()| CommandOutcome::Done)
            }
            (Some(Command::Info), []) => {
                let fields = client.info().await?;
                self.printer.info(&fields).map(|()| CommandOutcome::Done)
            }
            _ => return Ok(None),
        };
        outcome.map(Some)
    }

    async fn scan(
        &mut self,
        client: &Client,
        prefix: &[u8],
        limit: Option<u64>,
    ) -> Result<CommandOutcome, CliError> {
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
        Ok(CommandOutcome::Done)
    }

    fn print_done(&mut self, text: &str) -> Result<CommandOutcome, CliError> {
        self.printer.done(text)?;
        Ok(CommandOutcome::Done)
    }

    fn print_existed(&mut self, existed: bool) -> Result<CommandOutcome, CliError> {
        if existed {
            self.printer.done("OK")?;
            return Ok(CommandOutcome::Done);
        }
        self.printer.not_found()?;
        Ok(CommandOutcome::KeyNotFound)
    }
}

fn options(args: &CliArgs) -> Result<Options, CliError> {
    let options = Options::new()
        .connect_timeout(args.timeout)
        .request_timeout(args.timeout)
        // Commands on the connection, such as its name, hold for those that follow.
        .one_connection(true)
        .max_key_bytes(LIMITS.max_key_bytes)
        .max_value_bytes(LIMITS.max_value_bytes);
    args.network.apply(options)
}

/// Carries out the one command of the process's arguments.
pub(crate) fn run_once(args: &CliArgs, action: Action) -> Result<CommandOutcome, CliError> {
    let mut session = CliSession::of_one_shot(args, io::BufWriter::new(io::stdout()))?;
    runtime()?.block_on(session.execute(action))
}

fn is_auth(name: &[u8]) -> bool {
    Command::find(name, PROTOCOL) == Some(Command::Auth)
}

/// Returns a runtime for one piece of work.
pub(crate) fn runtime() -> Result<tokio::runtime::Runtime, CliError> {
    tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(CliError::Runtime)
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
