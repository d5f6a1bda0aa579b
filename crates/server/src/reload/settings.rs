//! The options as a reload sees them: which of them change while the server runs, and how.

use std::time::Duration;

use bytesize::ByteSize;

use super::ReloadError;
use crate::ServerConfig;

type Setter = fn(&mut ServerConfig, &str) -> Result<(), String>;

/// An option: how its value is compared, shown and changed.
#[derive(Debug)]
pub(crate) struct Setting {
    pub(crate) name: &'static str,
    show: fn(&ServerConfig) -> String,
    /// Reads a value for `CONFIG SET`.
    set: Option<Setter>,
    /// Takes the value over from another configuration; none if only a restart does.
    copy: Option<fn(&mut ServerConfig, &ServerConfig)>,
}

macro_rules! fixed {
    ($name:literal, $config:ident => $show:expr) => {
        Setting { name: $name, show: |$config| $show, set: None, copy: None }
    };
}

macro_rules! live {
    ($name:literal, $field:ident, $config:ident => $show:expr, $read:expr) => {
        Setting {
            name: $name,
            show: |$config| $show,
            set: Some(|config, text| {
                config.$field = $read(text)?;
                Ok(())
            }),
            copy: Some(|to, from| to.$field = from.$field.clone()),
        }
    };
}

/// All options.
pub(crate) static SETTINGS: [Setting; 15] = [
    fixed!("bind", config => config.bind_addrs.join(",")),
    fixed!("unix-socket", config => config.unix_socket.as_ref().map_or_else(String::new, |path| path.display().to_string())),
    fixed!("wal", config => config.wal_path.display().to_string()),
    live!("max-connections", max_connections, config => config.max_connections.to_string(), number),
    fixed!("fsync", config => config.sync_policy.to_string()),
    fixed!("max-value-bytes", config => config.max_value_bytes.to_string()),
    fixed!("wal-format", config => config.wal_format.map_or_else(String::new, |format| format.to_string())),
    fixed!("compact-ratio", config => config.compact_ratio.to_string()),
    fixed!("compact-min-bytes", config => config.compact_min_bytes.to_string()),
    live!("max-memory", max_memory_bytes, config => config.max_memory_bytes.unwrap_or(0).to_string(), limit),
    live!("max-output-bytes", max_output_bytes, config => config.max_output_bytes.to_string(), size),
    fixed!("threads", config => config.threads.to_string()),
    fixed!("cpu-affinity", config => format!("{:?}", config.cpu_affinity).to_lowercase()),
    live!("tcp-keepalive", tcp_keepalive, config => seconds(config.tcp_keepalive), unless_zero),
    live!("idle-timeout", idle_timeout, config => seconds(config.idle_timeout), unless_zero),
];

fn number(text: &str) -> Result<usize, String> {
    text.parse().map_err(|_| "expected a number".to_owned())
}

fn size(text: &str) -> Result<usize, String> {
    let size = text.parse::<ByteSize>().ok().and_then(|size| usize::try_from(size.as_u64()).ok());
    size.ok_or_else(|| "expected a size, for example 4096 or 32MiB".to_owned())
}

fn limit(text: &str) -> Result<Option<u64>, String> {
    size(text).map(|bytes| (bytes > 0).then_some(bytes as u64))
}

fn unless_zero(text: &str) -> Result<Option<Duration>, String> {
    let seconds: u64 = text.parse().map_err(|_| "expected a number of seconds, or 0 for never".to_owned())?;
    Ok((seconds > 0).then(|| Duration::from_secs(seconds)))
}

fn seconds(duration: Option<Duration>) -> String {
    duration.map_or(0, |duration| duration.as_secs()).to_string()
}

impl Setting {
    pub(crate) fn find(name: &str) -> Option<&'static Self> {
        SETTINGS.iter().find(|setting| setting.name.eq_ignore_ascii_case(name))
    }

    /// Returns the value as people read it.
    pub(crate) fn show(&self, config: &ServerConfig) -> String {
        (self.show)(config)
    }

    /// Returns whether two configurations have the same value.
    pub(crate) fn is_same(&self, one: &ServerConfig, other: &ServerConfig) -> bool {
        self.show(one) == self.show(other)
    }

    /// Takes the value over, if that can be done while the server runs; returns whether it can.
    pub(crate) fn copy(&self, to: &mut ServerConfig, from: &ServerConfig) -> bool {
        self.copy.is_some_and(|copy| {
            copy(to, from);
            true
        })
    }

    /// Checks that `CONFIG SET` may change it.
    ///
    /// # Errors
    /// A sentence that says why not, and what does.
    pub(crate) fn check_settable(&self) -> Result<(), String> {
        match self.set {
            Some(_) => Ok(()),
            None => Err(format!(
                "{} needs a restart: change it in the file of --config, or by its option, and start the server again",
                self.name
            )),
        }
    }

    /// Reads a value for `CONFIG SET`.
    ///
    /// # Errors
    /// The value is not valid, or cannot be set.
    pub(crate) fn set(&self, config: &mut ServerConfig, text: &str) -> Result<(), ReloadError> {
        self.check_settable().map_err(|problem| ReloadError::new([problem]))?;
        match self.set {
            Some(set) => set(config, text).map_err(|problem| ReloadError::new([problem])),
            None => Ok(()),
        }
    }
}
