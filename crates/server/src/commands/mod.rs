//! Handlers of the commands. Every row of the command table has one, or this does not compile.

mod acl;
mod arguments;
mod clients;
mod config;
mod connection;
mod help;
mod introspection;
mod judge;
mod key_specs;
mod keys;
mod latency;
mod memory;
mod monitor;
mod redis_settings;
mod reply;
mod server;
mod slow_log;
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
pub(crate) use redis_settings::is_public_setting;
pub(crate) use reply::{Payload, integer, number, store_error, unexpected};
pub(crate) use server::REDIS_VERSION;

/// Most keys that one step of a command looks up or removes, all as of one moment.
pub(crate) const MAX_STEP_KEYS: usize = 10_000;

/// Error of a command that is not executed.
pub(crate) type Refusal = Box<ErrorReply>;

/// Handler of a command, by what it acts on.
pub(crate) enum Handler<S> {
    /// Returns an operation of the store, which is submitted together with the others of its batch.
    Store(for<'b> fn(Request<'b>, &Limits) -> Planned<'b>),
    /// Returns an operation on all keys, which takes several turns and so ends its batch.
    AllKeys(for<'b> fn(Request<'b>, &Limits) -> Planned<'b>),
    /// Counts all keys: by one operation if the client may read them all; otherwise in several turns, and it ends its batch.
    CountAll,
    /// Reads or changes the session, before the next request is checked; it may read the engine.
    Session(for<'b> fn(Request<'b>, &mut Session, &Engine<S>) -> Answer<'b>),
    /// Does the same with an answer that may be large. It ends its batch, so that memory holds one such answer at a time.
    Large(for<'b> fn(Request<'b>, &mut Session, &Engine<S>) -> Answer<'b>),
    /// Takes time, or changes how later requests are handled. It ends its batch, and runs after all answers before it are written.
    Await(CarryOut<S>),
}

/// Executes a command after the answers before it are written.
pub(crate) type CarryOut<S> = for<'r, 'c> fn(&'r mut Responder<'c, S>, Request<'r>) -> Answering<'r>;

/// A call of the store, or the error of the request.
pub(crate) type Planned<'b> = Result<Ask<'b>, Refusal>;

/// The answer of a command, or its error.
pub(crate) type Answer<'b> = Result<Reply<Payload<'b>>, Refusal>;

/// Future of a command that is being executed.
pub(crate) type Answering<'r> = Pin<Box<dyn Future<Output = Answer<'static>> + Send + 'r>>;

/// A call of the store, and the kind of its answer.
pub(crate) enum Ask<'b> {
    /// One operation, and the function that makes the answer of its outcome.
    One(Op<'b>, ReplyTo),
    /// Operations on many keys, which may take several steps.
    Many(Many<'b>),
}

/// An operation on many keys.
pub(crate) enum Many<'b> {
    /// The values of these keys; their memory is limited by `max_output_bytes`.
    Values(&'b [&'b [u8]]),
    /// The number of these keys that an operation finds.
    Count(CountOf, &'b [&'b [u8]]),
    /// All keys that match this glob.
    Matching(&'b [u8]),
    /// The number of keys that the client may read.
    CountAllowed,
}

/// Makes the answer to a request from the outcome of its operation.
pub(crate) type ReplyTo = for<'a> fn(Outcome, Request<'a>) -> Reply<Payload<'a>>;

/// Makes an operation whose outcome is the number of these keys that it found.
pub(crate) type CountOf = for<'a> fn(&'a [&'a [u8]]) -> Op<'a>;

/// Returns the handler of a command.
#[inline]
pub(crate) fn handler<S: BatchStore>(command: Command) -> Handler<S> {
    use Handler::{AllKeys, Await, CountAll, Large, Session, Store};
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
        Command::MemoryDoctor => Await(|responder, _| Box::pin(memory::doctor(responder))),
        Command::MemoryMallocStats => Session(memory::allocator_stats),
        Command::MemoryPurge => Session(memory::purge),
        Command::MemoryStats => Await(|responder, _| Box::pin(memory::statistics(responder))),
        Command::MemoryUsage => Store(strings::memory_usage),
        Command::DbSize => CountAll,
        Command::FlushAll | Command::FlushDb => Store(keys::flush),
        Command::Ping => Session(connection::ping),
        Command::Echo => Session(connection::echo),
        Command::Hello => Await(|responder, request| Box::pin(connection::hello(responder, request))),
        Command::Auth => Await(|responder, request| Box::pin(connection::auth(responder, request))),
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
        Command::Acl => Session(connection::no_subcommand),
        Command::AclCat => Session(acl::categories),
        Command::AclDryRun => Session(acl::dry_run),
        Command::AclGenPass => Session(acl::random_password),
        Command::AclGetUser => Large(acl::get_user),
        Command::AclList => Large(acl::list),
        Command::AclUsers => Large(acl::users),
        Command::AclWhoAmI => Session(acl::who_am_i),
        Command::AclDelUser | Command::AclLoad | Command::AclLog | Command::AclSave | Command::AclSetUser => {
            Session(acl::refused)
        }
        Command::Help => Large(help::help),
        Command::AclHelp
        | Command::ClientHelp
        | Command::CommandHelp
        | Command::ConfigHelp
        | Command::LatencyHelp
        | Command::MemoryHelp
        | Command::ObjectHelp
        | Command::SlowLogHelp => Session(help::subcommands),
        Command::Command => Large(introspection::all),
        Command::CommandCount => Session(introspection::count),
        Command::CommandDocs => Large(introspection::docs),
        Command::CommandGetKeys => Session(introspection::get_keys),
        Command::CommandInfo => Large(introspection::info),
        Command::CommandList => Large(introspection::list),
        Command::Config => Session(connection::no_subcommand),
        Command::ConfigGet => Session(config::get),
        Command::ConfigSet => Await(|responder, request| Box::pin(config::set(responder, request))),
        Command::ConfigReload => Await(|responder, _| Box::pin(config::reload(responder))),
        Command::ConfigRewrite => Session(config::rewrite),
        Command::ConfigResetStat => Session(config::reset_stat),
        Command::Latency => Session(connection::no_subcommand),
        Command::LatencyDoctor => Await(|responder, _| Box::pin(latency::doctor(responder))),
        Command::LatencyHistogram => Large(latency::histogram),
        Command::LatencyHistory => Await(|responder, request| Box::pin(latency::history(responder, request))),
        Command::LatencyLatest => Await(|responder, _| Box::pin(latency::latest(responder))),
        Command::LatencyReset => Await(|responder, request| Box::pin(latency::reset(responder, request))),
        Command::SlowLog => Session(connection::no_subcommand),
        Command::SlowLogGet => Large(slow_log::get),
        Command::SlowLogLen => Session(slow_log::len),
        Command::SlowLogReset => Session(slow_log::reset),
        Command::Time => Session(server::time),
        Command::TextInfo => Await(|responder, _| Box::pin(server::text_info(responder))),
        Command::Info => Await(|responder, request| Box::pin(server::info(responder, request))),
        Command::Monitor => Await(|responder, _| Box::pin(monitor::monitor(responder))),
        Command::Compact => Await(|responder, _| Box::pin(server::compact(responder))),
        Command::BgRewriteAof => Await(|responder, _| Box::pin(server::rewrite(responder))),
        Command::Multi => Session(transactions::multi),
        Command::Exec => Session(transactions::exec),
        Command::Discard => Session(transactions::discard),
        Command::Watch => Session(transactions::watch),
        Command::Unwatch => Session(transactions::unwatch),
    }
}

/// Returns whether such a request ends its batch, because it takes several turns or changes how later requests are handled.
#[inline]
pub(crate) fn is_last<S: BatchStore>(command: Command, arguments: usize, session: &Session) -> bool {
    arguments > MAX_STEP_KEYS
        || match handler::<S>(command) {
            Handler::AllKeys(_) | Handler::Large(_) | Handler::Await(_) => true,
            Handler::CountAll => !session.login().reads_all(),
            Handler::Store(_) | Handler::Session(_) => false,
        }
}

/// Checks a request before it is planned. Every request passes here, in order.
#[inline]
pub(crate) fn admit<S>(request: Request<'_>, session: &Session, engine: &Engine<S>) -> Result<(), Refusal> {
    if !request.command.spec().arity.admits(request.arguments.len()) {
        return Err(wrong_arity(request, session.protocol()));
    }
    judge::judge(request, session, engine)?;
    if session.is_in_refused_transaction {
        transactions::admit(request.command)?;
    }
    request.keys().try_for_each(|key| check_len("key", key, engine.limits.max_key_bytes))
}

/// Checks the length of an argument.
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
    let (_, max) = spec.arity.bounds();
    let has_spaces = max > 0 && request.arguments.len() > max;
    let hint = if has_spaces { "; what holds a space must be quoted" } else { "" };
    refusal(ErrorCode::Syntax, format_args!("usage: {}{hint}", spec.usage()))
}

#[cold]
fn too_long(what: &str, len_bytes: usize, max_bytes: usize) -> Refusal {
    Box::new(ErrorReply::over_limit(what, len_bytes, max_bytes))
}
