//! Options of the daemon, and the configuration that they define.

use std::path::PathBuf;
use std::time::Duration;

use bytesize::ByteSize;
use clap::builder::{PathBufValueParser, PossibleValuesParser, TypedValueParser};
use clap::{CommandFactory, FromArgMatches, Parser};
use rustvault_server::{
    CpuAffinity, DEFAULT_BIND_ADDR, DEFAULT_MAX_CONNECTIONS, DEFAULT_TCP_KEEPALIVE, DEFAULT_WAL_PATH,
    MAX_CONNECTIONS_LIMIT, MAX_IDLE_TIMEOUT, MAX_TCP_KEEPALIVE, MAX_THREADS, MAX_VALUE_BYTES_LIMIT,
    ServerConfig,
};
use rustvault_storage::{DEFAULT_COMPACT_RATIO, LogFormat, SyncPolicy};
use tracing::level_filters::LevelFilter;

use super::environment;
use super::message_format::MessageFormat;

const EXIT_CODES: &str = "\
Sizes are bytes or such as 16MiB, durations such as 100ms or 1s.
Exit codes: 0 stopped by SIGINT or SIGTERM, 1 system or I/O error, 2 usage, 3 the log is corrupt, foreign or from a \
newer version.";

/// A key-value server whose OK means that the data is on disk.
#[derive(Debug, Parser)]
#[command(name = "rustvault-server", version, after_help = EXIT_CODES)]
pub(super) struct Args {
    /// Address to listen on; with port 0 the system chooses a port. For several, repeat the option or separate them by commas
    #[arg(long, env = "RUSTVAULT_BIND_ADDR", value_name = "HOST:PORT", value_parser = bind_addr)]
    #[arg(value_delimiter = ',', default_value = DEFAULT_BIND_ADDR)]
    bind: Vec<String>,

    /// Path of a Unix socket to listen on as well, for owner and group (mode 0660) [default: none]
    #[arg(long, env = "RUSTVAULT_UNIX_SOCKET", value_name = "PATH", value_parser = socket_path())]
    unix_socket: Option<PathBuf>,

    /// Path of the write-ahead log, which holds all data; a missing log is created
    #[arg(long, env = "RUSTVAULT_WAL_PATH", value_name = "FILE", default_value = DEFAULT_WAL_PATH)]
    wal: PathBuf,

    /// Most connections at a time; further ones are refused
    #[arg(long, env = "RUSTVAULT_MAX_CONNECTIONS", value_name = "N")]
    #[arg(value_parser = count::<MAX_CONNECTIONS_LIMIT>, default_value_t = DEFAULT_MAX_CONNECTIONS)]
    max_connections: usize,

    /// Policy by which writes are synced to disk: always (before OK), interval:<DURATION>, or never
    #[arg(long, env = "RUSTVAULT_FSYNC", value_name = "POLICY", default_value_t = SyncPolicy::Always)]
    fsync: SyncPolicy,

    /// Longest accepted value
    #[arg(long, env = "RUSTVAULT_MAX_VALUE_BYTES", value_name = "SIZE")]
    #[arg(value_parser = value_bytes, default_value = "16MiB")]
    max_value_bytes: usize,

    /// Format of the write-ahead log: binary, or json (lines, without checksums); an existing log in another format is
    /// converted by its next compaction [default: a new log is binary, an existing one keeps its format]
    #[arg(long, env = "RUSTVAULT_WAL_FORMAT", value_name = "FORMAT", value_parser = wal_format())]
    wal_format: Option<LogFormat>,

    /// Ratio of the log's size to that of its live data at which the log is compacted; above 1
    #[arg(long, env = "RUSTVAULT_COMPACT_RATIO", value_name = "RATIO")]
    #[arg(value_parser = compact_ratio, default_value_t = DEFAULT_COMPACT_RATIO)]
    compact_ratio: f64,

    /// Least size of a log that is compacted automatically
    #[arg(long, env = "RUSTVAULT_COMPACT_MIN_BYTES", value_name = "SIZE")]
    #[arg(value_parser = size, default_value = "32MiB")]
    compact_min_bytes: u64,

    /// Most memory for keys, values and tables; beyond it, writes are refused [default: no limit]
    #[arg(long, env = "RUSTVAULT_MAX_MEMORY", value_name = "SIZE", value_parser = max_memory)]
    max_memory: Option<u64>,

    /// Most memory that one connection holds for an answer that its client has not read; a connection that needs more is
    /// closed, and so is one whose client has read nothing for 60 seconds
    #[arg(long, env = "RUSTVAULT_MAX_OUTPUT_BYTES", value_name = "SIZE")]
    #[arg(value_parser = output_bytes, default_value = "32MiB")]
    max_output_bytes: usize,

    /// Threads that serve connections; by default one per core
    #[arg(long, env = "RUSTVAULT_THREADS", value_name = "N")]
    #[arg(value_parser = count::<MAX_THREADS>, default_value_t = ServerConfig::default().threads)]
    threads: usize,

    /// Pinning of threads to cores: auto (on two cores, the log writer and the first serving thread share one while that is
    /// enough for both), or off (no thread is pinned: for several servers on one machine, cpusets, containers with a CPU quota)
    #[arg(long, env = "RUSTVAULT_CPU_AFFINITY", value_name = "MODE", value_parser = cpu_affinity(), default_value = "auto")]
    cpu_affinity: CpuAffinity,

    /// Seconds of silence after which the kernel probes if a client's machine still exists; 0 for never
    #[arg(long, env = "RUSTVAULT_TCP_KEEPALIVE", value_name = "SECONDS")]
    #[arg(value_parser = seconds::<{ MAX_TCP_KEEPALIVE.as_secs() }>, default_value_t = DEFAULT_TCP_KEEPALIVE.as_secs())]
    tcp_keepalive: u64,

    /// Seconds after which a connection is closed if its client sends nothing; 0 for never
    #[arg(long, env = "RUSTVAULT_IDLE_TIMEOUT", value_name = "SECONDS")]
    #[arg(value_parser = seconds::<{ MAX_IDLE_TIMEOUT.as_secs() }>, default_value_t = 0)]
    idle_timeout: u64,

    /// Format of the messages on standard error
    #[arg(long, alias = "log-format", env = "RUSTVAULT_MESSAGE_FORMAT", value_name = "FORMAT")]
    #[arg(value_enum, default_value_t = MessageFormat::Text)]
    pub(super) message_format: MessageFormat,

    /// Least important messages that are printed
    #[arg(long, alias = "log-level", env = "RUSTVAULT_MESSAGE_LEVEL", value_name = "LEVEL")]
    #[arg(value_parser = message_level(), default_value = "info")]
    pub(super) message_level: LevelFilter,
}

impl Args {
    /// Parses the process's arguments and environment variables.
    ///
    /// # Errors
    /// A usage error, or a request for help or the version.
    pub(super) fn from_process() -> Result<Self, clap::Error> {
        let matches = environment::read(Self::command()).try_get_matches();
        let matches = match matches {
            // Help shows the variable of every option, not only of those whose variable is set.
            Err(error) if !error.use_stderr() => Self::command().try_get_matches()?,
            matches => matches?,
        };
        Self::from_arg_matches(&matches).map_err(|error| error.format(&mut Self::command()))
    }

    pub(super) fn into_config(self) -> ServerConfig {
        let mut config = ServerConfig::default();
        config.bind_addrs = self.bind;
        config.unix_socket = self.unix_socket;
        config.wal_path = self.wal;
        config.max_connections = self.max_connections;
        config.sync_policy = self.fsync;
        config.max_value_bytes = self.max_value_bytes;
        config.wal_format = self.wal_format;
        config.compact_ratio = self.compact_ratio;
        config.compact_min_bytes = self.compact_min_bytes;
        config.max_memory_bytes = self.max_memory;
        config.max_output_bytes = self.max_output_bytes;
        config.threads = self.threads;
        config.cpu_affinity = self.cpu_affinity;
        config.tcp_keepalive = unless_zero(self.tcp_keepalive);
        config.idle_timeout = unless_zero(self.idle_timeout);
        config
    }
}

fn bind_addr(text: &str) -> Result<String, String> {
    let mut config = ServerConfig::default();
    config.bind_addrs = vec![text.trim().to_owned()];
    config.validate().map_err(|_| format!("expected HOST:PORT, for example {DEFAULT_BIND_ADDR}"))?;
    Ok(text.trim().to_owned())
}

/// Refuses `unix:PATH`, the form of clients' addresses: the server would create a socket in a folder `unix:`, or with that name.
fn socket_path() -> impl TypedValueParser<Value = PathBuf> {
    PathBufValueParser::new().try_map(|path| {
        match path.to_str().and_then(|text| text.strip_prefix("unix:")) {
            Some(rest) => Err(format!(
                "expected a path: write {rest}, without unix:, which is for the addresses of clients"
            )),
            None => Ok(path),
        }
    })
}

fn count<const MAX: usize>(text: &str) -> Result<usize, String> {
    let number = text.parse().ok().filter(|number| (1..=MAX).contains(number));
    number.ok_or_else(|| format!("expected a number from 1 to {MAX}"))
}

fn seconds<const MAX: u64>(text: &str) -> Result<u64, String> {
    let seconds = text.parse().ok().filter(|seconds| *seconds <= MAX);
    seconds.ok_or_else(|| format!("expected a number of seconds from 1 to {MAX}, or 0 for never"))
}

fn unless_zero(seconds: u64) -> Option<Duration> {
    (seconds != 0).then(|| Duration::from_secs(seconds))
}

fn value_bytes(text: &str) -> Result<usize, String> {
    let bytes = text.parse::<ByteSize>().ok().and_then(|size| usize::try_from(size.as_u64()).ok());
    bytes.filter(|bytes| (1..=MAX_VALUE_BYTES_LIMIT).contains(bytes)).ok_or_else(|| {
        format!(
            "expected a size from 1 to {}, for example 4096 or 16MiB",
            ByteSize(MAX_VALUE_BYTES_LIMIT as u64)
        )
    })
}

fn wal_format() -> impl TypedValueParser<Value = LogFormat> {
    PossibleValuesParser::new(["binary", "json"])
        .map(|name| if name == "json" { LogFormat::Json } else { LogFormat::Binary })
}

fn cpu_affinity() -> impl TypedValueParser<Value = CpuAffinity> {
    PossibleValuesParser::new(["auto", "off"])
        .map(|name| if name == "off" { CpuAffinity::Off } else { CpuAffinity::Auto })
}

fn compact_ratio(text: &str) -> Result<f64, String> {
    let mut config = ServerConfig::default();
    config.compact_ratio = text.parse().map_err(|_| "expected a number above 1, for example 2".to_owned())?;
    config.validate().map_err(|_| "expected a number above 1, for example 2".to_owned())?;
    Ok(config.compact_ratio)
}

fn size(text: &str) -> Result<u64, String> {
    let size =
        text.parse::<ByteSize>().map_err(|_| "expected a size, for example 4096 or 32MiB".to_owned())?;
    Ok(size.as_u64())
}

fn max_memory(text: &str) -> Result<u64, String> {
    match size(text)? {
        0 => Err("expected more than 0; leave the option out for no limit".to_owned()),
        bytes => Ok(bytes),
    }
}

fn output_bytes(text: &str) -> Result<usize, String> {
    match usize::try_from(size(text)?) {
        Ok(0) => Err("expected more than 0, for example 32MiB".to_owned()),
        bytes => Ok(bytes.unwrap_or(usize::MAX)),
    }
}

fn message_level() -> impl TypedValueParser<Value = LevelFilter> {
    PossibleValuesParser::new(["off", "error", "warn", "info", "debug", "trace"])
        .try_map(|name| name.parse::<LevelFilter>())
}

#[cfg(test)]
mod tests {
    use super::super::usage::one_line;
    use super::*;

    fn parse(args: &[&str]) -> Result<Args, clap::Error> {
        Args::try_parse_from(std::iter::once(&"rustvault-server").chain(args))
    }

    #[test]
    fn without_options_the_configuration_is_the_default_but_for_the_affinity() {
        let config = parse(&[]).unwrap().into_config();
        let mut default = ServerConfig::default();
        assert_eq!(default.cpu_affinity, CpuAffinity::Off);
        default.cpu_affinity = CpuAffinity::Auto;
        assert_eq!(config, default);
    }

    #[test]
    fn every_option_reaches_the_configuration() {
        let config = parse(&[
            "--bind=localhost:1",
            "--bind=[::1]:2,localhost:3",
            "--unix-socket=x.sock",
            "--wal=x.log",
            "--max-connections=7",
            "--fsync=interval:1s",
            "--max-value-bytes=1MiB",
            "--wal-format=json",
            "--compact-ratio=1.5",
            "--compact-min-bytes=1MiB",
            "--max-memory=2GiB",
            "--max-output-bytes=1MiB",
            "--threads=3",
            "--cpu-affinity=off",
            "--tcp-keepalive=5",
            "--idle-timeout=6",
        ]);
        let config = config.unwrap().into_config();
        assert_eq!(
            (
                config.bind_addrs.join(" ").as_str(),
                config.max_connections,
                config.threads,
                config.cpu_affinity
            ),
            ("localhost:1 [::1]:2 localhost:3", 7, 3, CpuAffinity::Off)
        );
        assert_eq!(config.unix_socket, Some(PathBuf::from("x.sock")));
        assert_eq!((config.wal_path, config.max_value_bytes), (PathBuf::from("x.log"), 1024 * 1024));
        assert_eq!((config.wal_format, config.compact_ratio), (Some(LogFormat::Json), 1.5));
        assert_eq!((config.compact_min_bytes, config.max_memory_bytes), (1 << 20, Some(2 << 30)));
        assert_eq!(config.max_output_bytes, 1 << 20);
        let secs = Duration::from_secs;
        assert_eq!((config.tcp_keepalive, config.idle_timeout), (Some(secs(5)), Some(secs(6))));
        assert_eq!(config.sync_policy, SyncPolicy::Interval(secs(1)));
    }

    #[test]
    fn sizes_are_bytes_or_have_a_unit() {
        assert_eq!(value_bytes("4096"), Ok(4096));
        assert_eq!(value_bytes("16MiB"), Ok(16 << 20));
        assert_eq!(value_bytes("512MiB"), Ok(1 << 29));
        for text in ["", "0", "-1", "2GiB", "1048577KiB", "sixteen", "99999999999999999999"] {
            assert!(value_bytes(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_bad_value_is_told_in_one_line_that_names_the_option() {
        for args in [
            ["--bind", "8080"],
            ["--max-connections", "0"],
            ["--max-connections", "many"],
            ["--fsync", "sometimes"],
            ["--max-value-bytes", "2GiB"],
            ["--wal-format", "text"],
            ["--compact-ratio", "1"],
            ["--compact-ratio", "half"],
            ["--compact-min-bytes", "much"],
            ["--max-memory", "0"],
            ["--max-memory", "all"],
            ["--max-output-bytes", "0"],
            ["--threads", "0"],
            ["--cpu-affinity", "on"],
            ["--tcp-keepalive", "32768"],
            ["--tcp-keepalive", "1s"],
            ["--idle-timeout", "soon"],
            ["--message-format", "xml"],
            ["--message-level", "loud"],
        ] {
            let error = parse(&args).unwrap_err();
            let line = one_line(&error.to_string());
            assert!(
                line.starts_with("error: ") && line.contains(args[0]) && line.contains(args[1]),
                "{line}"
            );
            assert_eq!(error.exit_code(), 2);
        }
    }

    #[test]
    fn a_socket_is_a_path_and_no_address_of_clients() {
        let line = one_line(&parse(&["--unix-socket", "unix:/x.sock"]).unwrap_err().to_string());
        assert!(line.contains("--unix-socket") && line.contains("write /x.sock, without unix:"), "{line}");
        let config = parse(&["--unix-socket", "./unix:/x.sock"]).unwrap().into_config();
        assert_eq!(config.unix_socket, Some(PathBuf::from("./unix:/x.sock")));
    }

    #[test]
    fn one_bad_address_of_several_is_told() {
        for (addrs, bad) in [("localhost:1,8080", "'8080'"), ("localhost:1,", "''")] {
            let line = one_line(&parse(&["--bind", addrs]).unwrap_err().to_string());
            assert!(line.contains("--bind") && line.contains(bad), "{line}");
        }
    }

    #[test]
    fn help_states_default_and_variable_of_every_option() {
        let help = Args::command().render_long_help().to_string();
        let help = help.split_whitespace().collect::<Vec<_>>().join(" ");
        let options = Args::command().get_arguments().filter(|option| option.get_env().is_some()).count();
        assert_eq!(options, 17);
        assert_eq!(help.matches("[env: RUSTVAULT_").count(), options, "{help}");
        assert_eq!(help.matches("[default: ").count(), options, "{help}");
    }
}
