//! The text of `/metrics`: every family with its name, its unit and its meaning.

use std::fmt;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric, prometheus_text};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::registry::Registry;

use super::listener_kind::ListenerKind;
use super::snapshot::MetricsSnapshot;

/// All figures of a server at one moment.
#[derive(Debug)]
pub(crate) struct Scrape {
    pub(crate) workers: MetricsSnapshot,
}

impl Scrape {
    /// Returns the figures in Prometheus's text format, version 0.0.4.
    ///
    /// # Errors
    /// None in practice: writing to a string does not fail.
    pub(crate) fn into_text(self) -> Result<String, fmt::Error> {
        let (mut registry, mut text) = (Registry::default(), String::new());
        registry.register_collector(Box::new(self));
        prometheus_text::encode(&mut text, &registry)?;
        Ok(text)
    }

    fn commands(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let help =
            "Answered commands, by name and by the kind of listener; name unknown: there is no such command";
        let mut family = encoder.encode_descriptor("rustvault_commands", help, None, MetricType::Counter)?;
        for (command, figures) in self.workers.commands() {
            let name = command.map_or_else(|| "unknown".to_owned(), |command| command.name().to_lowercase());
            for (listener, answered) in ListenerKind::ALL.iter().zip(figures.answered).filter(|(_, n)| *n > 0)
            {
                let labels = [("command", name.as_str()), ("listener", listener.name())];
                ConstCounter::new(answered).encode(family.encode_family(&labels)?)?;
            }
        }
        Ok(())
    }
}

impl Collector for Scrape {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        self.commands(&mut encoder)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use rustvault_protocol::Command;

    use super::*;
    use crate::metrics::Metrics;

    #[test]
    fn a_family_has_a_line_for_each_command_that_was_answered() {
        let metrics = Metrics::new(1);
        metrics.worker(0).answered(Some(Command::ClientId), ListenerKind::Unix, Duration::from_micros(3), 2);
        let text = Scrape { workers: metrics.snapshot() }.into_text().unwrap();
        assert!(
            text.contains("\nrustvault_commands_total{command=\"client|id\",listener=\"unix\"} 2\n"),
            "{text}"
        );
    }
}
