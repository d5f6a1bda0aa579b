//! Rows: where the server listens.

use super::super::value::{self, list, list_text, optional_path, put};
use super::super::{ConfigOption, OptionKind};
use super::copy;

pub(super) static LISTENERS: &[ConfigOption] = &[
    ConfigOption {
        name: "bind",
        flag: "bind",
        variable: "RUSTVAULT_BIND_ADDR",
        value_name: "HOST:PORT",
        kind: OptionKind::List,
        default: None,
        example: "",
        is_live: false,
        help: "Address to listen on; with port 0 the system chooses a port. For several, repeat the option or separate \
               them by commas",
        get: |config| list_text(&config.bind_addrs),
        set: |config, value| put(&mut config.bind_addrs, list(value, value::bind_addr)),
        copy: copy!(bind_addrs),
    },
    ConfigOption {
        name: "unix-socket",
        flag: "unix-socket",
        variable: "RUSTVAULT_UNIX_SOCKET",
        value_name: "PATH",
        kind: OptionKind::Path,
        default: Some("none"),
        example: "/run/rustvault/rustvault.sock",
        is_live: false,
        help: "Path of a Unix socket to listen on as well, for owner and group (mode 0660)",
        get: |config| optional_path(config.unix_socket.as_deref()),
        set: |config, value| put(&mut config.unix_socket, value::socket_path(value).map(Some)),
        copy: copy!(unix_socket),
    },
    ConfigOption {
        name: "http",
        flag: "http",
        variable: "RUSTVAULT_HTTP",
        value_name: "HOST:PORT",
        kind: OptionKind::List,
        default: Some("none"),
        example: "127.0.0.1:9121",
        is_live: false,
        help: "Address of HTTP: /metrics for Prometheus, and the probes /livez and /readyz. For several, repeat the option \
               or separate them by commas",
        get: |config| list_text(&config.http_addrs),
        set: |config, value| put(&mut config.http_addrs, list(value, value::bind_addr)),
        copy: copy!(http_addrs),
    },
];
