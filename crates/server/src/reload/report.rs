//! Report of a reload: what has become of each option.

use std::fmt;

use super::ReloadError;
use crate::ConfigError;

/// Result of a successful reload: what has become of each option, in the order of the table of options.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ReloadReport(pub(super) Vec<OptionReport>);

/// Result for one option.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct OptionReport {
    pub(crate) name: &'static str,
    pub(crate) outcome: OptionOutcome,
}

/// Result for one option, with its values as people read them; those of secrets are hidden.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum OptionOutcome {
    Unchanged,
    /// The new value is in force.
    Applied {
        from: String,
        to: String,
    },
    /// The path is the same, and the contents of its file have changed, and are in force.
    ContentsApplied,
    /// The value `kept` is in force until the server is started again.
    NeedsRestart {
        kept: String,
        wanted: String,
    },
}

impl ReloadReport {
    /// Records that the contents of the file of an option are in force, if nothing else of it has changed.
    pub(super) fn set_contents_applied(&mut self, name: &str) {
        let option = self.0.iter_mut().find(|option| option.name == name);
        if let Some(option) = option.filter(|option| option.outcome == OptionOutcome::Unchanged) {
            option.outcome = OptionOutcome::ContentsApplied;
        }
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &OptionReport> {
        self.0.iter()
    }

    /// Returns the options whose change is in force, as one line; `None` if there are none.
    pub(super) fn applied(&self) -> Option<String> {
        self.join(|outcome| matches!(outcome, OptionOutcome::Applied { .. } | OptionOutcome::ContentsApplied))
    }

    /// Returns the options whose change needs a restart, as one line; `None` if there are none.
    pub(super) fn needs_restart(&self) -> Option<String> {
        self.join(|outcome| matches!(outcome, OptionOutcome::NeedsRestart { .. }))
    }

    /// Returns why the new values do not fit those that are kept, although they fit the others that are wanted.
    pub(super) fn explain(&self, error: &ConfigError) -> ReloadError {
        let kept = self.needs_restart().unwrap_or_default();
        ReloadError::new([format!(
            "{error} (until the server is started again: {kept}); restart it with the new configuration"
        )])
    }

    fn join(&self, is_wanted: impl Fn(&OptionOutcome) -> bool) -> Option<String> {
        let wanted = self.iter().filter(|option| is_wanted(&option.outcome));
        let lines: Vec<_> = wanted.map(OptionReport::in_a_line).collect();
        (!lines.is_empty()).then(|| lines.join(", "))
    }
}

impl OptionReport {
    fn in_a_line(&self) -> String {
        let name = self.name;
        match &self.outcome {
            OptionOutcome::Unchanged => name.to_owned(),
            OptionOutcome::ContentsApplied => format!("{name} (contents)"),
            OptionOutcome::Applied { from, to } => format!("{name} ({from} -> {to})"),
            OptionOutcome::NeedsRestart { kept, wanted } => format!("{name} ({kept} is kept, not {wanted})"),
        }
    }
}

impl fmt::Display for OptionOutcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unchanged => f.write_str("unchanged"),
            Self::ContentsApplied => f.write_str("applied: the contents of the file have changed"),
            Self::Applied { from, to } => write!(f, "applied: {to}, before {from}"),
            Self::NeedsRestart { kept, wanted } => {
                write!(f, "needs a restart: {wanted} takes effect then, {kept} is kept until then")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::super::{FilesSeen, Running, prepare};
    use crate::ServerConfig;
    use crate::public::TcpAddrs;

    /// Otherwise the reason asks for what the file has.
    #[test]
    fn values_that_only_a_restart_makes_fit_are_refused_with_those_that_are_kept() {
        let mut wanted = ServerConfig::default();
        wanted.tls.bind_addrs = vec!["127.0.0.1:8443".to_owned()];
        (wanted.tls.cert, wanted.tls.key) = (Some("cert".into()), Some("key".into()));
        assert_eq!(wanted.validate(), Ok(()));
        let running = Running {
            config: Arc::default(),
            in_force: FilesSeen::none(),
            addrs: TcpAddrs::default(),
            has_users: false,
        };
        let error = prepare(&running, &wanted, false).unwrap_err().to_string();
        assert!(error.contains("tls.bind (none is kept, not 127.0.0.1:8443)"), "{error}");
        assert!(error.ends_with("restart it with the new configuration"), "{error}");
    }
}
