//! Pipelines: several requests in one piece.

use std::borrow::Cow;

use bytes::BytesMut;
use rustvault_protocol::{Command, encode_request};

use crate::error::ErrorKind;
use crate::scan::with_scan_arguments;
use crate::{Client, Error, Reply};

/// Most commands in one pipeline.
pub const MAX_PIPELINE_COMMANDS: usize = 100_000;

/// Most bytes in one pipeline, as encoded for the wire; a single command may be larger.
pub const MAX_PIPELINE_BYTES: usize = 64 * 1024 * 1024;

/// Room that a pipeline begins with: as much as a short one takes.
const FIRST_BYTES: usize = 256;
const FIRST_COMMANDS: usize = 8;

/// Commands that are sent in one piece and answered in order; made by [`Client::pipeline`].
///
/// It saves round trips, and it is not a transaction: the commands of others may come in between, and one
/// that fails does not stop the next. Commands that follow a write of the same pipeline see it.
///
/// ```no_run
/// # async fn example(client: rustvault_client::Client) -> Result<(), rustvault_client::Error> {
/// use rustvault_client::Reply;
///
/// let replies = client.pipeline().set("a", "1").get("a").delete("b").send().await?;
/// assert!(matches!(&replies[1], Ok(Reply::Value(Some(value))) if value == "1"));
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
#[must_use = "a pipeline does nothing until it is sent"]
pub struct Pipeline {
    client: Client,
    frame: BytesMut,
    commands: Vec<Command>,
    /// The first command that cannot be sent.
    invalid: Option<Error>,
}

impl Pipeline {
    pub(crate) fn new(client: Client) -> Self {
        let frame = BytesMut::with_capacity(FIRST_BYTES);
        Self { client, frame, commands: Vec::with_capacity(FIRST_COMMANDS), invalid: None }
    }

    /// Adds `GET`; answered with [`Reply::Value`].
    pub fn get(self, key: impl AsRef<[u8]>) -> Self {
        self.push(Command::Get, &[key.as_ref()])
    }

    /// Adds `SET`; answered with [`Reply::Done`].
    pub fn set(self, key: impl AsRef<[u8]>, value: impl AsRef<[u8]>) -> Self {
        self.push(Command::Set, &[key.as_ref(), value.as_ref()])
    }

    /// Adds `DELETE`; answered with [`Reply::Existed`].
    pub fn delete(self, key: impl AsRef<[u8]>) -> Self {
        self.push(Command::Delete, &[key.as_ref()])
    }

    /// Adds `EXISTS`; answered with [`Reply::Existed`].
    pub fn exists(self, key: impl AsRef<[u8]>) -> Self {
        self.push(Command::TextExists, &[key.as_ref()])
    }

    /// Adds `COUNT`; answered with [`Reply::Count`].
    pub fn count(self) -> Self {
        self.push(Command::DbSize, &[])
    }

    /// Adds `SCAN`; answered with [`Reply::Page`].
    pub fn scan(self, cursor: u64, prefix: impl AsRef<[u8]>, limit: u32) -> Self {
        with_scan_arguments(cursor, prefix.as_ref(), limit, |arguments| {
            self.push(Command::TextScan, arguments)
        })
    }

    /// Adds `PING`; answered with [`Reply::Done`].
    pub fn ping(self) -> Self {
        self.push(Command::Ping, &[])
    }

    /// Adds `INFO`; answered with [`Reply::Info`].
    pub fn info(self) -> Self {
        self.push(Command::TextInfo, &[])
    }

    /// Returns the number of commands that were added.
    pub fn len(&self) -> usize {
        self.commands.len()
    }

    /// Returns whether nothing was added; sending an empty pipeline gives no replies and sends nothing.
    pub fn is_empty(&self) -> bool {
        self.commands.is_empty()
    }

    /// Sends it all and waits for all answers, one per command and in their order.
    ///
    /// # Errors
    ///
    /// An inner error is the server's answer to that one command. The outer error is that of the pipeline
    /// as a whole: a key, a value or the pipeline is over its limit ([`MAX_PIPELINE_COMMANDS`],
    /// [`MAX_PIPELINE_BYTES`]) and nothing was sent; or the answers did not all come, in time or at all. If
    /// the pipeline has a write, then which of its commands took effect is unknown, unless the error [is
    /// retryable](Error::is_retryable).
    pub async fn send(self) -> Result<Vec<Result<Reply, Error>>, Error> {
        if let Some(error) = self.invalid {
            return Err(error);
        }
        if self.commands.is_empty() {
            return Ok(Vec::new());
        }
        self.client.request(self.frame.freeze(), Cow::Owned(self.commands)).await
    }

    fn push(mut self, command: Command, arguments: &[&[u8]]) -> Self {
        if self.invalid.is_none() {
            self.invalid = self.try_push(command, arguments).err();
        }
        self
    }

    fn try_push(&mut self, command: Command, arguments: &[&[u8]]) -> Result<(), Error> {
        self.client.check(command, arguments)?;
        encode_request(command, arguments, &mut self.frame);
        self.commands.push(command);
        let (commands, bytes) = (self.commands.len(), self.frame.len());
        if commands > MAX_PIPELINE_COMMANDS || (commands > 1 && bytes > MAX_PIPELINE_BYTES) {
            return Err(ErrorKind::PipelineTooLarge {
                commands,
                bytes,
                max_commands: MAX_PIPELINE_COMMANDS,
                max_bytes: MAX_PIPELINE_BYTES,
            }
            .into());
        }
        Ok(())
    }
}
