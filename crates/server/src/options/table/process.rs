//! Rows: the threads of the process and its messages.

use super::super::value::{self, MESSAGE_LEVELS, affinity, choice, number, put};
use super::super::{ConfigOption, OptionKind};
use super::copy;
use crate::{CpuAffinity, MAX_SLOW_LOG_ENTRIES, MAX_SLOW_THRESHOLD, MAX_THREADS, MessageFormat};

pub(super) static PROCESS: &[ConfigOption] = &[
    ConfigOption {
        name: "threads",
        flag: "threads",
        variable: "RUSTVAULT_THREADS",
        value_name: "N",
        kind: OptionKind::Number,
        default: Some("one per core"),
        example: "2",
        is_live: false,
        help: "Threads that serve connections; by default one per core",
        get: |config| config.threads.to_string(),
        set: |config, value| put(&mut config.threads, number(value, MAX_THREADS)),
        copy: copy!(threads),
    },
    ConfigOption {
        name: "cpu-affinity",
        flag: "cpu-affinity",
        variable: "RUSTVAULT_CPU_AFFINITY",
        value_name: "MODE",
        kind: OptionKind::Choice(&["auto", "off"]),
        default: None,
        example: "",
        is_live: false,
        help: "Pinning of threads to cores: auto (on two cores, the log writer and the first serving thread share one \
               while that is enough for both), or off (no thread is pinned: for several servers on one machine, cpusets, \
               containers with a CPU quota)",
        get: |config| (if config.cpu_affinity == CpuAffinity::Off { "off" } else { "auto" }).to_owned(),
        set: |config, value| put(&mut config.cpu_affinity, affinity(value)),
        copy: copy!(cpu_affinity),
    },
    ConfigOption {
        name: "slow-ms",
        flag: "slow-ms",
        variable: "RUSTVAULT_SLOW_MS",
        value_name: "MS",
        kind: OptionKind::Ratio,
        default: None,
        example: "",
        is_live: true,
        help: "Milliseconds from which a command is slow: SLOWLOG and a message report it; a fraction such as 0.5 is \
               accepted, 0 reports none",
        get: |config| value::millis_text(config.slow_threshold),
        set: |config, value| put(&mut config.slow_threshold, value::millis(value, MAX_SLOW_THRESHOLD)),
        copy: copy!(slow_threshold),
    },
    ConfigOption {
        name: "slow-log-entries",
        flag: "slow-log-entries",
        variable: "RUSTVAULT_SLOW_LOG_ENTRIES",
        value_name: "N",
        kind: OptionKind::Number,
        default: None,
        example: "",
        is_live: true,
        help: "Slow commands that SLOWLOG remembers; the oldest are forgotten first",
        get: |config| config.slow_log_entries.to_string(),
        set: |config, value| put(&mut config.slow_log_entries, number(value, MAX_SLOW_LOG_ENTRIES)),
        copy: copy!(slow_log_entries),
    },
    ConfigOption {
        name: "latency-ms",
        flag: "latency-ms",
        variable: "RUSTVAULT_LATENCY_MS",
        value_name: "MS",
        kind: OptionKind::Ratio,
        default: None,
        example: "",
        is_live: true,
        help: "Milliseconds from which LATENCY remembers commands, and syncs of the log, of those at least 10 ms; 0 \
               remembers none",
        get: |config| value::millis_text(config.latency_threshold),
        set: |config, value| put(&mut config.latency_threshold, value::millis(value, MAX_SLOW_THRESHOLD)),
        copy: copy!(latency_threshold),
    },
    ConfigOption {
        name: "message-format",
        flag: "message-format",
        variable: "RUSTVAULT_MESSAGE_FORMAT",
        value_name: "FORMAT",
        kind: OptionKind::Choice(&["text", "json"]),
        default: None,
        example: "",
        is_live: false,
        help: "Format of the messages on standard error: text for people, or json for programs (an object a line)",
        get: |config| config.message_format.to_string(),
        set: |config, value| {
            let format = choice(value, &["text", "json"])?;
            let format = if format == "json" { MessageFormat::Json } else { MessageFormat::Text };
            put(&mut config.message_format, Ok(format))
        },
        copy: copy!(message_format),
    },
    ConfigOption {
        name: "message-level",
        flag: "message-level",
        variable: "RUSTVAULT_MESSAGE_LEVEL",
        value_name: "LEVEL",
        kind: OptionKind::Choice(MESSAGE_LEVELS),
        default: None,
        example: "",
        is_live: true,
        help: "Least important messages that are printed",
        get: |config| config.message_level.to_string().to_lowercase(),
        set: |config, value| put(&mut config.message_level, value::message_level(value)),
        copy: copy!(message_level),
    },
];
