//! Rows: limits on clients.

use super::super::value::{self, number, put, seconds, seconds_text, size_text};
use super::super::{ConfigOption, OptionKind};
use super::copy;
use crate::{MAX_CONNECTIONS_LIMIT, MAX_IDLE_TIMEOUT, MAX_TCP_KEEPALIVE, MAX_VALUE_BYTES_LIMIT};

pub(super) static CLIENTS: &[ConfigOption] = &[
    ConfigOption {
        name: "max-connections",
        flag: "max-connections",
        variable: "RUSTVAULT_MAX_CONNECTIONS",
        value_name: "N",
        kind: OptionKind::Number,
        default: None,
        example: "",
        is_live: true,
        help: "Most connections at a time; further ones are refused",
        get: |config| config.max_connections.to_string(),
        set: |config, value| put(&mut config.max_connections, number(value, MAX_CONNECTIONS_LIMIT)),
        copy: copy!(max_connections),
    },
    ConfigOption {
        name: "max-value-bytes",
        flag: "max-value-bytes",
        variable: "RUSTVAULT_MAX_VALUE_BYTES",
        value_name: "SIZE",
        kind: OptionKind::Size,
        default: None,
        example: "",
        is_live: false,
        help: "Longest accepted value",
        get: |config| size_text(config.max_value_bytes as u64),
        set: |config, value| {
            put(&mut config.max_value_bytes, value::size_up_to(value, MAX_VALUE_BYTES_LIMIT))
        },
        copy: copy!(max_value_bytes),
    },
    ConfigOption {
        name: "max-output-bytes",
        flag: "max-output-bytes",
        variable: "RUSTVAULT_MAX_OUTPUT_BYTES",
        value_name: "SIZE",
        kind: OptionKind::Size,
        default: None,
        example: "",
        is_live: true,
        help: "Most memory that one connection holds for an answer that its client has not read; a connection that needs \
               more is closed, and so is one whose client has read nothing for 60 seconds",
        get: |config| size_text(config.max_output_bytes as u64),
        set: |config, value| put(&mut config.max_output_bytes, value::some_bytes(value)),
        copy: copy!(max_output_bytes),
    },
    ConfigOption {
        name: "tcp-keepalive",
        flag: "tcp-keepalive",
        variable: "RUSTVAULT_TCP_KEEPALIVE",
        value_name: "SECONDS",
        kind: OptionKind::Seconds,
        default: None,
        example: "",
        is_live: true,
        help: "Seconds of silence after which the kernel probes if a client's machine still exists; 0 for never",
        get: |config| seconds_text(config.tcp_keepalive),
        set: |config, value| put(&mut config.tcp_keepalive, seconds(value, MAX_TCP_KEEPALIVE)),
        copy: copy!(tcp_keepalive),
    },
    ConfigOption {
        name: "idle-timeout",
        flag: "idle-timeout",
        variable: "RUSTVAULT_IDLE_TIMEOUT",
        value_name: "SECONDS",
        kind: OptionKind::Seconds,
        default: None,
        example: "",
        is_live: true,
        help: "Seconds after which a connection is closed if its client sends nothing; 0 for never",
        get: |config| seconds_text(config.idle_timeout),
        set: |config, value| put(&mut config.idle_timeout, seconds(value, MAX_IDLE_TIMEOUT)),
        copy: copy!(idle_timeout),
    },
];
