//! Commands on the server's settings.

use rustvault_protocol::limits::{MAX_CONFIG_GET_BYTES, MAX_CONFIG_VALUE_BYTES};
use rustvault_protocol::{ErrorCode, ErrorReply, Reply, Request, glob_matches};
use rustvault_storage::batch::BatchStore;
use tokio::select;

use super::arguments::{glob, refusal, syntax_error};
use super::reply::{borrowed, bulk};
use super::{Answer, Refusal, check_len, redis_settings};
use crate::ServerConfig;
use crate::engine::Engine;
use crate::options::{ConfigOption, OptionKind, options};
use crate::reload::{self, ReloadError};
use crate::respond::Responder;
use crate::session::Session;

const MAX_MEMORY: &str = "max-memory";

/// Returns the settings that match a pattern: all options, and those settings of Redis that have a meaning here.
pub(super) fn get<'b, S>(request: Request<'b>, _: &mut Session, engine: &Engine<S>) -> Answer<'b> {
    let bytes: usize = request.arguments.iter().map(|pattern| pattern.len() + 1).sum();
    request.arguments.iter().try_for_each(|pattern| glob(pattern).map(drop))?;
    if bytes > MAX_CONFIG_GET_BYTES {
        let patterns = format_args!("patterns of {bytes} bytes, with spaces between them,");
        let message = format_args!("{patterns} are over the limit of {MAX_CONFIG_GET_BYTES}");
        return Err(refusal(ErrorCode::TooLarge, message));
    }
    let patterns: Vec<_> = request.arguments.iter().map(|pattern| pattern.to_ascii_lowercase()).collect();
    let is_wanted = |name: &str| patterns.iter().any(|pattern| glob_matches(pattern, name.as_bytes()));
    let config = engine.config();
    let ours = options().filter(|option| is_wanted(option.name));
    let ours = ours.map(|option| (option.name, option.show(&config)));
    let of_redis = redis_settings::all(&config).into_iter().filter(|(name, _)| is_wanted(name));
    let wanted = ours.chain(of_redis);
    Ok(Reply::Map(wanted.map(|(name, value)| (borrowed(name.as_bytes()), bulk(value))).collect()))
}

/// Changes settings of the running server, all or none.
pub(super) async fn set<S: BatchStore>(
    responder: &mut Responder<'_, S>,
    request: Request<'_>,
) -> Answer<'static> {
    let edits = edits(request.arguments)?;
    let changed = reload::change(responder.engine, |config| {
        edits.iter().try_for_each(|(option, value)| {
            set_option(option, config, value).map_err(|problem| ReloadError::new([problem]))
        })
    });
    changed.await.map(|_| Reply::OK).map_err(|error| refuse_reload("nothing has changed", &error))
}

/// Returns the options that are set, with their values, of which each is valid for itself.
fn edits(arguments: &[&[u8]]) -> Result<Vec<(&'static ConfigOption, String)>, Refusal> {
    let (pairs, []) = arguments.as_chunks() else { return Err(syntax_error()) };
    let mut edits: Vec<(&ConfigOption, String)> = Vec::new();
    let mut scratch = ServerConfig::default();
    for &[name, value] in pairs {
        let fail = |reason: &str| refuse_setting(name, reason);
        check_len("a value", value, MAX_CONFIG_VALUE_BYTES)?;
        let value = str::from_utf8(value).map_err(|_| fail("the value is not UTF-8"))?;
        let known = str::from_utf8(name).unwrap_or_default().to_ascii_lowercase();
        if let Some(only) = redis_settings::fixed(&known) {
            if value.eq_ignore_ascii_case(only) {
                continue;
            }
            return Err(fail(&format!("it is '{only}' here, and nothing else")));
        }
        let Some(option) = redis_settings::option(&known) else { return Err(unknown(name)) };
        if edits.iter().any(|(earlier, _)| earlier.name == option.name) {
            return Err(fail("duplicate parameter"));
        }
        let value = redis_settings::value(&known, value).map_err(|reason| fail(&reason))?;
        check_settable(option).map_err(|reason| fail(&reason))?;
        set_option(option, &mut scratch, &value).map_err(|reason| fail(&reason))?;
        edits.push((option, value));
    }
    Ok(edits)
}

/// Checks that the running server can change an option at a client's word.
fn check_settable(option: &ConfigOption) -> Result<(), String> {
    let name = option.name;
    match option.kind {
        _ if !option.is_live => Err(format!(
            "{name} needs a restart: change it in the file of --config, or by --{}, and start the server again",
            option.flag
        )),
        // A client must not choose the server's files, nor send its secrets.
        OptionKind::Path | OptionKind::Secret => {
            Err(format!("{name} is not changed by clients: change it in the file of --config, then reload"))
        }
        _ => Ok(()),
    }
}

/// Sets an option; the limit on memory is taken away by `0`, as in Redis, and by an empty value.
fn set_option(option: &ConfigOption, config: &mut ServerConfig, value: &str) -> Result<(), String> {
    if option.name == MAX_MEMORY && ["", "0"].contains(&value) {
        config.max_memory_bytes = None;
        return Ok(());
    }
    option.set(config, value)
}

/// Returns an error with Redis's sentence, then the reason.
#[cold]
fn refuse_setting(name: &[u8], reason: &str) -> Refusal {
    let before = "CONFIG SET failed (possibly related to argument";
    Box::new(ErrorReply::about_word(ErrorCode::Syntax, before, name, &format!(") - {reason}")))
}

#[cold]
fn unknown(name: &[u8]) -> Refusal {
    let before = "Unknown option or number of arguments for CONFIG SET -";
    Box::new(ErrorReply::about_word(ErrorCode::Syntax, before, name, "; CONFIG GET * lists the options"))
}

#[cold]
fn refuse_reload(what: &str, error: &ReloadError) -> Refusal {
    refusal(ErrorCode::Syntax, format_args!("{what}: {error}"))
}

/// Loads the configuration again; answers each option with what has become of it. A server that stops does not wait for files.
pub(super) async fn reload<S: BatchStore>(responder: &mut Responder<'_, S>) -> Answer<'static> {
    let reloaded = select! {
        biased;
        reloaded = reload::reload(responder.engine) => reloaded,
        () = responder.stopping.cancelled() => {
            let problem = "the server is stopping; the next start reads the configuration";
            return Ok(Reply::error(ErrorCode::ShuttingDown, problem));
        }
    };
    let report = reloaded.map_err(|error| refuse_reload("nothing has changed", &error))?;
    let lines = report.iter().map(|option| (bulk(option.name), bulk(option.outcome.to_string())));
    Ok(Reply::Map(lines.collect()))
}

/// Refuses to write the configuration.
pub(super) fn rewrite<'b, S>(_: Request<'b>, _: &mut Session, _: &Engine<S>) -> Answer<'b> {
    Err(refusal(
        ErrorCode::Syntax,
        "the server never writes its user's files: change the file of --config yourself, check it with \
        rustvault-server --check-config, then send CONFIG RELOAD or SIGHUP; rustvault-server config show --origin prints \
        the file that each value comes from",
    ))
}

/// Sets the counters of connections, commands and errors to 0.
pub(super) fn reset_stat<'b, S>(_: Request<'b>, _: &mut Session, engine: &Engine<S>) -> Answer<'b> {
    engine.counters.reset();
    engine.metrics.reset();
    Ok(Reply::OK)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(line: &str) -> Result<Vec<(&'static str, String)>, String> {
        let words: Vec<_> = line.split(' ').map(str::as_bytes).collect();
        let edits = edits(&words).map_err(|refusal| String::from_utf8_lossy(refusal.line()).into_owned())?;
        Ok(edits.into_iter().map(|(option, value)| (option.name, value)).collect())
    }

    #[test]
    fn settings_have_our_names_and_those_of_redis() {
        let pairs = |pairs: &[(&'static str, &str)]| {
            Ok(pairs.iter().map(|(name, value)| (*name, (*value).to_owned())).collect())
        };
        assert_eq!(settings("maxclients 7"), pairs(&[("max-connections", "7")]));
        assert_eq!(
            settings("Timeout 5 tcp-keepalive 6 MAX-OUTPUT-BYTES 1MiB"),
            pairs(&[("idle-timeout", "5"), ("tcp-keepalive", "6"), ("max-output-bytes", "1MiB")])
        );
        assert_eq!(settings("maxmemory 100mb"), pairs(&[("max-memory", "104857600")]));
        assert_eq!(settings("maxmemory 1G"), pairs(&[("max-memory", "1000000000")]));
        assert_eq!(settings("appendonly yes maxmemory 0"), pairs(&[("max-memory", "0")]));
        for (micros, millis) in [("-1", "0"), ("0", "0.001"), ("7", "0.007"), ("10000", "10.000")] {
            let set = settings(&format!("slowlog-log-slower-than {micros}"));
            assert_eq!(set, pairs(&[("slow-ms", millis)]), "{micros}");
        }
        assert_eq!(settings("latency-monitor-threshold 5"), pairs(&[("latency-ms", "5")]));
        assert_eq!(settings("slowlog-max-len 5"), pairs(&[("slow-log-entries", "5")]));
    }

    #[test]
    fn a_setting_that_cannot_be_set_is_refused_by_name() {
        for (line, error) in [
            ("maxclients", "ERR syntax error"),
            (
                "nonsense 1",
                "ERR Unknown option or number of arguments for CONFIG SET - 'nonsense'; CONFIG GET * lists the options",
            ),
            (
                "maxclients 1 max-connections 2",
                "ERR CONFIG SET failed (possibly related to argument 'max-connections') - duplicate parameter",
            ),
            (
                "appendonly no",
                "ERR CONFIG SET failed (possibly related to argument 'appendonly') - it is 'yes' here, and nothing else",
            ),
        ] {
            assert_eq!(settings(line), Err(error.to_owned()), "{line}");
        }
        for line in [
            "maxclients many",
            "timeout -1",
            "wal x.log",
            "appendfsync no",
            "maxmemory 1xb",
            "slowlog-log-slower-than 1.5",
            "slowlog-log-slower-than -2",
            "slowlog-log-slower-than 3600000001",
            "slowlog-max-len 0",
            "latency-monitor-threshold 0.5",
        ] {
            let error = settings(line).unwrap_err();
            let name = line.split(' ').next().unwrap_or_default();
            let start = format!("ERR CONFIG SET failed (possibly related to argument '{name}') - ");
            assert!(error.starts_with(&start), "{error}");
        }
    }
}
