//! Command line of the daemon.

use std::env;
use std::ffi::OsString;

use clap::{Arg, ArgAction, ArgMatches, Command};
use rustvault_server::options::{ConfigLayers, Variables, arguments, with_variable};

const EXIT_CODES: &str = "\
Sizes are bytes or such as 16MiB, durations such as 100ms or 1s.
Exit codes: 0 stopped by SIGINT or SIGTERM, 1 system or I/O error, 2 usage, 3 the log is corrupt, foreign or from a \
newer version.";

const CHECK_CONFIG: &str = "check-config";

/// Request of a command line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Task {
    /// Serves until a signal.
    Serve,
    /// Checks the configuration and ends.
    CheckConfig,
    /// Prints the configuration and ends.
    ShowConfig { with_origins: bool },
}

/// Returns the command line, which reads no variables.
pub(super) fn command() -> Command {
    let check_config = Arg::new(CHECK_CONFIG).long(CHECK_CONFIG).action(ArgAction::SetTrue).help(
        "Check the configuration and exit: with 0 if it is valid, with 2 if not. The log is not opened",
    );
    Command::new("rustvault-server")
        .version(env!("CARGO_PKG_VERSION"))
        .about("A key-value server whose OK means that the data is on disk")
        .after_help(EXIT_CODES)
        .disable_help_subcommand(true)
        .args(arguments())
        .arg(check_config)
        .subcommand(config_command())
}

fn config_command() -> Command {
    let origin = Arg::new("origin").long("origin").action(ArgAction::SetTrue).help(
        "Say of each value where it comes from: a flag, a variable, a line of the file, or the default",
    );
    let show = Command::new("show")
        .about("Print the value of each option, as the configuration file has it")
        .arg(origin);
    let about = "Show the configuration that these options, the variables and the file make up";
    Command::new("config")
        .about(about)
        .subcommand_required(true)
        .disable_help_subcommand(true)
        .subcommand(show)
}

/// Parses the process's arguments.
///
/// # Errors
/// A usage error, or a request for help or the version.
pub(super) fn from_process() -> Result<(Task, ConfigLayers), clap::Error> {
    let args: Vec<OsString> = env::args_os().collect();
    match command().try_get_matches_from(&args) {
        Ok(matches) => Ok((task(&matches), ConfigLayers::new(&matches, Variables::from_process()))),
        // Help shows the variable of every option, and its value.
        Err(error) if !error.use_stderr() => {
            let with_variables = command().mut_args(with_variable);
            Err(with_variables.try_get_matches_from(&args).err().unwrap_or(error))
        }
        Err(error) => Err(error),
    }
}

fn task(matches: &ArgMatches) -> Task {
    match matches.subcommand_matches("config").and_then(|config| config.subcommand_matches("show")) {
        Some(show) => Task::ShowConfig { with_origins: show.get_flag("origin") },
        None if matches.get_flag(CHECK_CONFIG) => Task::CheckConfig,
        None => Task::Serve,
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;
    use std::time::Duration;

    use rustvault_server::{CpuAffinity, ServerConfig};
    use rustvault_storage::{LogFormat, SyncPolicy};
    use rustvault_testkit::command_line::{
        ManFacts, check_bash_completion, check_completions, check_man_pages,
    };

    use super::super::usage::one_line;
    use super::*;

    fn parse(args: &[&str]) -> Result<ServerConfig, clap::Error> {
        let args = std::iter::once(&"rustvault-server").chain(args);
        let matches = command().try_get_matches_from(args)?;
        Ok(ConfigLayers::new(&matches, Variables::default()).load().unwrap().config)
    }

    #[test]
    fn without_options_the_configuration_is_the_default_but_for_the_affinity() {
        let config = parse(&[]).unwrap();
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
        let config = config.unwrap();
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

    const MAN_FACTS: ManFacts<'_> = ManFacts {
        environment: &[],
        files: &[
            (
                "rustvault.toml",
                "The configuration, if --config or RUSTVAULT_CONFIG names it. SIGHUP has it read again.",
            ),
            ("vault.log", "The write-ahead log, with all data, or the file that --wal names."),
            ("vault.log.compacting", "The next log, while a compaction writes it."),
            ("users.toml", "Who may log in, if --users names it. rustvault-cli-user(1) changes it."),
        ],
        see_also: &["rustvault-cli(1)"],
        ignored_options: |_| &[],
    };

    #[test]
    fn the_completions_in_packaging_are_those_of_this_command_line() {
        check_completions(&command());
        check_bash_completion(&["rustvault-server", "config", "sh"], &["show"]);
        check_bash_completion(&["rustvault-server", "--tls-http"], &["--tls-http"]);
        check_bash_completion(&["rustvault-server", "--wal-format", "js"], &["json"]);
    }

    #[test]
    fn the_man_pages_in_packaging_are_those_of_this_command_line() {
        check_man_pages(&command().mut_args(with_variable), MAN_FACTS);
    }

    #[test]
    fn the_options_may_stand_before_and_behind_the_command() {
        for line in [
            "--threads 3 config show --origin",
            "config --threads 3 show --origin",
            "config show --origin --threads 3",
        ] {
            let args = std::iter::once("rustvault-server").chain(line.split(' '));
            let matches = command().try_get_matches_from(args).unwrap();
            assert_eq!(task(&matches), Task::ShowConfig { with_origins: true });
            let loaded = ConfigLayers::new(&matches, Variables::default()).load().unwrap();
            assert_eq!(loaded.config.threads, 3, "{line}");
        }
    }

    #[test]
    fn a_socket_is_a_path_and_no_address_of_clients() {
        let line = one_line(&parse(&["--unix-socket", "unix:/x.sock"]).unwrap_err().to_string());
        assert!(line.contains("--unix-socket") && line.contains("write /x.sock, without unix:"), "{line}");
        let config = parse(&["--unix-socket", "./unix:/x.sock"]).unwrap();
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
        let help = command().mut_args(with_variable).render_long_help().to_string();
        let help = help.split_whitespace().collect::<Vec<_>>().join(" ");
        let options = command()
            .mut_args(with_variable)
            .get_arguments()
            .filter(|option| option.get_env().is_some())
            .count();
        assert_eq!(options, rustvault_server::options::options().count() + 1, "and --config");
        assert_eq!(help.matches("[env: RUSTVAULT_").count(), options, "{help}");
        assert_eq!(help.matches("[default: ").count(), options, "{help}");
    }
}
