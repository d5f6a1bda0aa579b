//! The commands: what each does. Every row of the table has a handler here, or this does not compile.

mod arguments;
mod clients;
mod config;
mod connection;
mod help;
mod introspection;
mod key_specs;
mod keys;
mod reply;
mod server;
mod strings;
mod transactions;

use std::pin::Pin;

use rustvault_protocol::{Command, ErrorCode, ErrorReply, Limits, Protocol, Reply, Request};
use rustvault_storage::batch::{BatchStore, Op, Outcome};

use crate::engine::Engine;
use crate::respond::Responder;
use crate::session::Session;
use arguments::refusal;
pub(crate) use keys::too_large_a_list;
pub(crate) use reply::{Payload, integer, number, store_error, unexpected};
pub(crate) use server::REDIS_VERSION;

/// Most keys that one command looks up or removes in one step, at one moment.
pub(crate) const MAX_STEP_KEYS: usize = 10_000;

/// The reason why a command is not carried out.
pub(crate) type Refusal = Box<ErrorReply>;

/// The way in which a command is carried out.
pub(crate) enum Handler<S> {
    /// It is an operation of the store, which is carried out with the others of its batch.
    Store(for<'b> fn(Request<'b>, &Limits) -> Planned<'b>),
    /// The same, on all keys: it takes several turns, so it ends its batch.
    AllKeys(for<'b> fn(Request<'b>, &Limits) -> Planned<'b>),
    /// It reads or changes the session, and is done before the next request is looked at; it may read what all share.
    Session(for<'b> fn(Request<'b>, &mut Session, &Engine<S>) -> Answer<'b>),
    /// The same, with an answer that may be large: it ends its batch, so that there is one such answer at a time.
    Large(for<'b> fn(Request<'b>, &mut Session, &Engine<S>) -> Answer<'b>),
    /// It takes time, or changes what follows: it ends its batch, and is done once what comes before it was answered.
    Await(CarryOut<S>),
}

/// Carries a command out when its turn has come.
pub(crate) type CarryOut<S> = for<'r, 'c> fn(&'r mut Responder<'c, S>, Request<'r>) -> Answering<'r>;

/// A call of the store, or the reason why there is none.
pub(crate) type Planned<'b> = Result<Ask<'b>, Refusal>;

/// The answer of a command, or why it is not carried out.
pub(crate) type Answer<'b> = Result<Reply<Payload<'b>>, Refusal>;

/// A command that is being carried out.
pub(crate) type Answering<'r> = Pin<Box<dyn Future<Output = Answer<'static>> + Send + 'r>>;

/// A call of the store, and the kind of its answer.
pub(crate) enum Ask<'b> {
    /// An operation, of whose outcome the answer is made.
    One(Op<'b>, ReplyTo),
    /// Operations on many keys, which may take several steps.
    Many(Many<'b>),
}

/// An operation on many keys.
pub(crate) enum Many<'b> {
    /// Their values, of which only as much is held as one answer may hold.
    Values(&'b [&'b [u8]]),
    /// The number of them that an operation finds.
    Count(CountOf, &'b [&'b [u8]]),
    /// The keys that match this glob, of all that there are.
    Matching(&'b [u8]),
}

/// Makes the answer to a request of the outcome of its operation.
pub(crate) type ReplyTo = for<'a> fn(Outcome, Request<'a>) -> Reply<Payload<'a>>;

/// An operation whose outcome is how many of these keys it found.
pub(crate) type CountOf = for<'a> fn(&'a [&'a [u8]]) -> Op<'a>;

/// Returns how a command is carried out.
#[inline]
pub(crate) fn handler<S: BatchStore>(command: Command) -> Handler<S> {
    use Handler::{AllKeys, Await, Large, Session, Store};
    match command {
        Command::Get => Store(strings::get),
        Command::Set => Store(strings::set),
        Command::MGet => Store(strings::mget),
        Command::MSet => Store(strings::mset),
        Command::StrLen => Store(strings::strlen),
        Command::SetNx => Store(strings::set_nx),
        Command::GetSet => Store(strings::get_set),
        Command::GetDel => Store(strings::get_del),
        Command::Incr => Store(strings::incr),
        Command::Decr => Store(strings::decr),
        Command::IncrBy => Store(strings::incr_by),
        Command::DecrBy => Store(strings::decr_by),
        Command::IncrByFloat => Store(strings::incr_by_float),
        Command::Append => Store(strings::append),
        Command::SetRange => Store(strings::set_range),
        Command::MSetNx => Store(strings::mset_nx),
        Command::Rename => Store(keys::rename),
        Command::RenameNx => Store(keys::rename_nx),
        Command::Copy => Store(keys::copy),
        Command::GetRange | Command::SubStr => Store(strings::get_range),
        Command::Delete => Store(keys::delete),
        Command::Del | Command::Unlink => Store(keys::del),
        Command::Touch => Store(keys::exists),
        Command::TextExists => Store(keys::text_exists),
        Command::Exists => Store(keys::exists),
        Command::Type => Store(keys::key_type),
        Command::Object => Session(connection::no_subcommand),
        Command::ObjectEncoding => Store(strings::encoding),
        Command::RandomKey => Await(|responder, _| Box::pin(keys::random_key(responder))),
        Command::TextScan => Await(|responder, request| Box::pin(keys::text_scan(responder, request))),
        Command::Scan => Await(|responder, request| Box::pin(keys::scan(responder, request))),
        Command::Keys => AllKeys(keys::keys),
        Command::Memory => Session(connection::no_subcommand),
        Command::MemoryUsage => Store(strings::memory_usage),
        Command::DbSize => Store(keys::dbsize),
        Command::FlushAll | Command::FlushDb => Store(keys::flush),
        Command::Ping => Session(connection::ping),
        Command::Echo => Session(connection::echo),
        Command::Hello => Await(|responder, request| Box::pin(connection::hello(responder, request))),
        Command::Auth => Await(|_, request| Box::pin(connection::auth(request))),
        Command::Select => Session(connection::select),
        Command::Client => Session(connection::no_subcommand),
        Command::ClientGetName => Session(connection::get_name),
        Command::ClientId => Session(connection::id),
        Command::ClientInfo => Session(clients::info),
        Command::ClientKill => Await(|responder, request| Box::pin(clients::kill(responder, request))),
        Command::ClientList => Await(|responder, request| Box::pin(clients::list(responder, request))),
        Command::ClientNoEvict => Session(clients::no_evict),
        Command::ClientReply => Await(|responder, request| Box::pin(clients::reply(responder, request))),
        Command::ClientSetInfo => Session(connection::set_info),
        Command::ClientSetName => Session(connection::set_name),
        Command::Quit => Await(|responder, _| Box::pin(connection::quit(responder))),
        Command::Reset => Await(|responder, _| Box::pin(connection::reset(responder))),
        Command::Help => Large(help::help),
        Command::ClientHelp
        | Command::CommandHelp
        | Command::ConfigHelp
        | Command::MemoryHelp
        | Command::ObjectHelp => Session(help::subcommands),
        Command::Command => Large(introspection::all),
        Command::CommandCount => Session(introspection::count),
        Command::CommandDocs => Large(introspection::docs),
        Command::CommandGetKeys => Session(introspection::get_keys),
        Command::CommandInfo => Large(introspection::info),
        Command::CommandList => Large(introspection::list),
        Command::Config => Session(connection::no_subcommand),
        Command::ConfigGet => Session(config::get),
        Command::Time => Session(server::time),
        Command::TextInfo => Await(|responder, _| Box::pin(server::text_info(responder))),
        Command::Info => Await(|responder, request| Box::pin(server::info(responder, request))),
        Command::Compact => Await(|responder, _| Box::pin(server::compact(responder))),
        Command::BgRewriteAof => Await(|responder, _| Box::pin(server::rewrite(responder))),
        Command::Multi => Session(transactions::multi),
        Command::Exec => Session(transactions::exec),
        Command::Discard => Session(transactions::discard),
        Command::Watch => Session(transactions::watch),
        Command::Unwatch => Session(transactions::unwatch),
    }
}

/// Returns whether a batch takes nothing after such a request: it takes several turns, or changes what follows it.
#[inline]
pub(crate) fn is_last<S: BatchStore>(command: Command, arguments: usize) -> bool {
    arguments > MAX_STEP_KEYS
        || matches!(handler::<S>(command), Handler::AllKeys(_) | Handler::Large(_) | Handler::Await(_))
}

/// Checks a request before it is planned: every one passes here, in order.
#[inline]
pub(crate) fn admit(request: Request<'_>, session: &Session, limits: &Limits) -> Result<(), Refusal> {
    if !request.command.spec().arity.admits(request.arguments.len()) {
        return Err(wrong_arity(request, session.protocol()));
    }
    if session.is_in_refused_transaction {
        transactions::admit(request.command)?;
    }
    request.keys().try_for_each(|key| check_len("key", key, limits.max_key_bytes))
}

/// Checks the length of a part of a request.
#[inline]
fn check_len(what: &str, bytes: &[u8], max_bytes: usize) -> Result<(), Refusal> {
    if bytes.len() > max_bytes { Err(too_long(what, bytes.len(), max_bytes)) } else { Ok(()) }
}

#[cold]
fn wrong_arity(request: Request<'_>, protocol: Protocol) -> Refusal {
    let spec = request.command.spec();
    if protocol != Protocol::Text {
        let name = spec.name.to_lowercase();
        return refusal(ErrorCode::Syntax, format_args!("wrong number of arguments for '{name}' command"));
    }
    let (_, most) = spec.arity.bounds();
    let has_spaces = most > 0 && request.arguments.len() > most;
    let hint = if has_spaces { "; what holds a space must be quoted" } else { "" };
    refusal(ErrorCode::Syntax, format_args!("usage: {}{hint}", spec.usage()))
}

#[cold]
fn too_long(what: &str, len_bytes: usize, max_bytes: usize) -> Refusal {
    Box::new(ErrorReply::over_limit(what, len_bytes, max_bytes))
}
