//! A connection that speaks RESP: its commands, its version, its answers.

use bytes::{BufMut, BytesMut};
use rustvault_protocol::{
    Credentials, Limits, RespCommand, RespParser, RespStep, RespValue, RespVersion, Response, SessionCommand,
    Shape, begin_resp_bulk, encode_resp, encode_resp_value, glob_matches,
};
use rustvault_storage::SyncPolicy;

use super::transaction::Refused;
use super::{Incoming, Next, ValueEncoder};
use crate::closing::CloseReason;
use crate::execute::Field;
use crate::shared::Shared;

/// Redis's protocol, as one connection speaks it.
#[derive(Debug)]
pub(crate) struct Resp {
    parser: RespParser,
    version: RespVersion,
    connection_id: u64,
    name: Vec<u8>,
    refused: Refused,
}

impl Resp {
    pub(super) fn new(limits: Limits, connection_id: u64) -> Self {
        Self {
            parser: RespParser::new(limits),
            version: RespVersion::V2,
            connection_id,
            name: Vec::new(),
            refused: Refused::default(),
        }
    }

    pub(super) fn next<'a>(&mut self, input: &'a [u8]) -> Next<'a> {
        match self.parser.next(input) {
            RespStep::Command { command, consumed_bytes } => {
                Next::Incoming { incoming: self.incoming(command), consumed_bytes }
            }
            RespStep::Ignored { consumed_bytes } => Next::Skip { consumed_bytes },
            RespStep::Incomplete => Next::Incomplete,
            RespStep::ProtocolError { message } => Next::Incoming {
                incoming: Incoming::Fatal(RespValue::Error(message), CloseReason::ProtocolError),
                consumed_bytes: input.len(),
            },
        }
    }

    #[inline]
    fn incoming<'a>(&mut self, command: RespCommand<'a>) -> Incoming<'a> {
        match command {
            RespCommand::Transaction(command) => Incoming::Answered(self.refused.answer(command)),
            RespCommand::Foreign { message } => {
                Incoming::Fatal(RespValue::Error(message.into()), CloseReason::ForeignProtocol)
            }
            command if self.refused.is_open() => self.refused.refuse(request_of(command)),
            command => request_of(command),
        }
    }

    pub(super) fn encode(&self, response: &Response<Field>, shape: &Shape<'_>, out: &mut BytesMut) {
        encode_resp(response, shape, self.version, out);
    }

    pub(super) fn encode_own(&self, value: &RespValue<'_>, out: &mut BytesMut) {
        encode_resp_value(value, self.version, out);
    }

    pub(super) fn begin_list(items: usize, out: &mut BytesMut) {
        out.put_u8(b'*');
        out.put_slice(items.to_string().as_bytes());
        out.put_slice(b"\r\n");
    }

    pub(super) fn begin_value(value: &[u8], out: &mut BytesMut) -> ValueEncoder {
        begin_resp_bulk(value.len(), out);
        ValueEncoder::AsItIs
    }

    /// Carries out a command on the connection and appends its answer; says whether that is an error.
    pub(super) fn answer_session<S>(
        &mut self,
        command: &SessionCommand<'_>,
        shared: &Shared<S>,
        out: &mut BytesMut,
    ) -> bool {
        let answer = self.session(command, shared);
        let is_error = matches!(answer, RespValue::Error(_));
        self.encode_own(&answer, out);
        is_error
    }

    fn session<S>(&mut self, command: &SessionCommand<'_>, shared: &Shared<S>) -> RespValue<'static> {
        match command {
            SessionCommand::Hello { version, credentials, name } => self.hello(*version, *credentials, *name),
            SessionCommand::Auth(credentials) => log_in(*credentials).unwrap_or(RespValue::Status("OK")),
            SessionCommand::SetName { name } => {
                self.name = name.to_vec();
                RespValue::Status("OK")
            }
            SessionCommand::GetName if self.name.is_empty() => RespValue::Null,
            SessionCommand::GetName => RespValue::Bulk(self.name.clone().into()),
            SessionCommand::Id => RespValue::Integer(self.id()),
            SessionCommand::ConfigGet { patterns } => config(patterns, shared),
            SessionCommand::Reset => {
                (self.version, self.name) = (RespVersion::V2, Vec::new());
                RespValue::Status("RESET")
            }
            _ => RespValue::Error(b"ERR this server does not serve that command".into()),
        }
    }

    fn hello(
        &mut self,
        version: Option<RespVersion>,
        credentials: Option<Credentials<'_>>,
        name: Option<&[u8]>,
    ) -> RespValue<'static> {
        if let Some(refusal) = credentials.and_then(log_in) {
            return refusal;
        }
        if let Some(name) = name {
            self.name = name.to_vec();
        }
        self.version = version.unwrap_or(self.version);
        let proto = match self.version {
            RespVersion::V2 => 2,
            RespVersion::V3 => 3,
        };
        RespValue::Map(vec![
            (bulk("server"), bulk("rustvault")),
            (bulk("version"), bulk(env!("CARGO_PKG_VERSION"))),
            (bulk("proto"), RespValue::Integer(proto)),
            (bulk("id"), RespValue::Integer(self.id())),
            (bulk("mode"), bulk("standalone")),
            (bulk("role"), bulk("master")),
            (bulk("modules"), RespValue::Array(Vec::new())),
        ])
    }

    fn id(&self) -> i64 {
        i64::try_from(self.connection_id).unwrap_or(i64::MAX)
    }
}

/// There are no users yet but `default`, who needs no password, as in a Redis that was not given one.
///
/// Returns the refusal, if it is one.
fn log_in(credentials: Credentials<'_>) -> Option<RespValue<'static>> {
    const NO_PASSWORD: &[u8] =
        b"ERR AUTH <password> called without any password configured for the default user. \
        Are you sure your configuration is correct?";
    match credentials.user {
        None => Some(RespValue::Error(NO_PASSWORD.into())),
        Some(b"default") => None,
        Some(_) => {
            Some(RespValue::Error(b"WRONGPASS invalid username-password pair or user is disabled.".into()))
        }
    }
}

/// What `CONFIG GET` knows: those settings of Redis that mean something here.
fn config<S>(patterns: &[&[u8]], shared: &Shared<S>) -> RespValue<'static> {
    let appendfsync = match shared.sync_policy {
        SyncPolicy::Always => "always",
        SyncPolicy::Never => "no",
        _ => "everysec",
    };
    let settings = [
        ("appendfsync", appendfsync.to_owned()),
        ("appendonly", "yes".to_owned()),
        ("databases", "1".to_owned()),
        ("maxclients", shared.max_connections.to_string()),
        ("proto-max-bulk-len", shared.limits.max_value_bytes.to_string()),
        ("save", String::new()),
    ];
    let is_wanted = |name: &str| {
        patterns.iter().any(|pattern| glob_matches(&pattern.to_ascii_lowercase(), name.as_bytes()))
    };
    let wanted = settings.into_iter().filter(|(name, _)| is_wanted(name));
    RespValue::Map(
        wanted.map(|(name, value)| (bulk(name), RespValue::Bulk(value.into_bytes().into()))).collect(),
    )
}

#[inline]
fn request_of(command: RespCommand<'_>) -> Incoming<'_> {
    match command {
        RespCommand::One { request, shape } => Incoming::One(request, shape),
        RespCommand::Many { request, shape } => Incoming::Many(request, shape),
        RespCommand::Session(command) => Incoming::Session(command),
        RespCommand::Answered(answer) => Incoming::Answered(answer),
        _ => Incoming::Answered(RespValue::Error(b"ERR this server does not serve that command".into())),
    }
}

fn bulk(text: &'static str) -> RespValue<'static> {
    RespValue::Bulk(text.as_bytes().into())
}
