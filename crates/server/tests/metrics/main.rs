//! `/metrics` under a known load: every counter and histogram is right, in every protocol and over every kind of listener.
#![cfg(test)]

mod scraped;
mod server;
mod talk;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustvault_protocol::{Category, Command, ErrorCode, Protocol, Reply};
use rustvault_server::metrics::METRIC_GROUPS;
use rustvault_testkit::until;
use rustvault_users::{Credential, Rights, RightsRule, Secret, User, Users};
use scraped::Scraped;
use server::{with_configured_server, with_server};
use talk::{Door, PROTOCOLS, Talk};

/// Counts that a load has to result in: commands by name and listener, errors by code, and the records of the log.
#[derive(Debug, Default)]
struct Expected {
    commands: BTreeMap<(&'static str, &'static str), usize>,
    errors: BTreeMap<ErrorCodeName, usize>,
    records: usize,
    keys: usize,
    sent_bytes: u64,
    received_bytes: u64,
}

type ErrorCodeName = &'static str;

impl Expected {
    fn commands(&mut self, command: &'static str, listener: &'static str, count: usize) {
        *self.commands.entry((command, listener)).or_default() += count;
    }

    fn error(&mut self, code: ErrorCode, count: usize) {
        *self.errors.entry(code.as_str()).or_default() += count;
    }

    fn total(&self, command: &str) -> usize {
        self.commands.iter().filter(|((name, _), _)| *name == command).map(|(_, count)| count).sum()
    }

    /// Sends commands of each kind, and of no kind as many as of another; `number` makes other keys and counts.
    fn drive(&mut self, door: &Door, protocol: Protocol, number: usize) {
        let (mut talk, listener) = (Talk::begin(door, protocol), door.listener());
        if protocol == Protocol::Resp3 {
            talk.ask(&["HELLO", "3"]);
            self.commands("hello", listener, 1);
        }
        let (sets, gets) = (3 + number, 40 * (number + 1));
        for set in 0..sets {
            assert_eq!(talk.ask(&["SET", &format!("key:{number}:{set}"), "word"]), Reply::OK);
        }
        for reply in talk.ask_all(gets, &["GET", &format!("key:{number}:0")]) {
            assert!(!matches!(reply, Reply::Error(_) | Reply::Null), "{reply:?}");
        }
        talk.ask(&["DEL", &format!("key:{number}:1")]);
        for (code, count, words) in [
            (ErrorCode::WrongType, 2, &["INCR", &format!("key:{number}:0")][..]),
            (ErrorCode::Syntax, 3, &["GET"]),
            (ErrorCode::UnknownCommand, 4, &[&format!("NOSUCH{number}")]),
        ] {
            let replies = talk.ask_all(count, words);
            assert!(replies.iter().all(|reply| matches!(reply, Reply::Error(_))), "{words:?}: {replies:?}");
            self.error(code, count);
        }
        let counts = [("set", sets), ("get", gets + 3), ("del", 1), ("incr", 2), ("unknown", 4)];
        counts.into_iter().for_each(|(command, count)| self.commands(command, listener, count));
        self.records += sets + 1;
        self.keys += sets - 1;
        self.sent_bytes += talk.sent_bytes;
        self.received_bytes += talk.received_bytes;
    }

    fn check_commands(&self, scraped: &Scraped) {
        let commands = self.commands.iter();
        let commands = commands.map(|((command, listener), count)| {
            (format!("command=\"{command}\",listener=\"{listener}\""), *count as f64)
        });
        let found = scraped.family("rustvault_commands_total");
        let found: BTreeMap<_, _> =
            found.into_iter().map(|(labels, count)| (labels.to_owned(), count)).collect();
        assert_eq!(found, commands.collect());
        let errors = self.errors.iter().map(|(code, count)| (format!("code=\"{code}\""), *count as f64));
        let found = scraped.family("rustvault_command_errors_total");
        let found: BTreeMap<_, _> =
            found.into_iter().map(|(labels, count)| (labels.to_owned(), count)).collect();
        assert_eq!(found, errors.collect());
    }

    /// Returns whether all commands are counted: an answer leaves just before.
    fn is_counted(&self, scraped: &Scraped) -> bool {
        let counted: f64 = scraped.family("rustvault_commands_total").values().sum();
        let errors: f64 = scraped.family("rustvault_command_errors_total").values().sum();
        let closed: f64 = scraped.family("rustvault_connections_closed_total").values().sum();
        let opened: f64 = scraped.family("rustvault_connections_total").values().sum();
        counted == self.commands.values().sum::<usize>() as f64
            && errors == self.errors.values().sum::<usize>() as f64
            && closed == opened
    }
}

#[test]
fn a_known_load_in_every_protocol_over_every_listener_is_counted_exactly() {
    with_server(|server| {
        let (mut expected, began) = (Expected::default(), Instant::now());
        let mut number = 0;
        for door in [server.tcp(), server.unix()] {
            for protocol in PROTOCOLS {
                expected.drive(&door, protocol, number);
                number += 1;
            }
        }
        until("all is counted", || {
            let scraped = server.scrape();
            expected.is_counted(&scraped)
                && scraped.get("rustvault_network_received_bytes_total") == expected.sent_bytes as f64
                && scraped.get("rustvault_network_sent_bytes_total") == expected.received_bytes as f64
        });
        for protocol in PROTOCOLS {
            expected.drive(&server.tls(), protocol, number);
            number += 1;
        }
        let mut scraped = server.scrape();
        until("all is counted", || {
            scraped = server.scrape();
            expected.is_counted(&scraped)
        });
        let elapsed = began.elapsed().as_secs_f64();
        expected.check_commands(&scraped);
        check_durations(&expected, &scraped, elapsed);
        check_log(&expected, &scraped, elapsed);
        for listener in ["tcp", "tls", "unix"] {
            let series = format!("rustvault_connections_total{{listener=\"{listener}\"}}");
            assert_eq!(scraped.get(&series), PROTOCOLS.len() as f64);
        }
        let closed = scraped.family("rustvault_connections_closed_total");
        assert_eq!(closed, BTreeMap::from([("reason=\"by_client\"", 9.0)]));
        assert_eq!(scraped.get("rustvault_connections"), 0.0);
        assert_eq!(
            scraped.family("rustvault_tls_handshakes_total"),
            BTreeMap::from([("result=\"ok\"", 3.0)])
        );
        assert!(scraped.get("rustvault_network_received_bytes_total") > expected.sent_bytes as f64);
    });
}

/// Checks that each answer has a duration, and that those of commands which were sent one by one fit into the time that has passed.
fn check_durations(expected: &Expected, scraped: &Scraped, elapsed: f64) {
    for command in ["set", "get", "del", "incr", "unknown", "hello"] {
        let labels = format!("command=\"{command}\"");
        let (count, sum) = scraped.histogram("rustvault_command_duration_seconds", &labels);
        assert_eq!(count, expected.total(command) as f64, "{command}");
        let sent_at_once = if command == "get" { count } else { 4.0 };
        assert!(sum > 0.0 && sum <= elapsed * sent_at_once, "{command}: {sum} s of {elapsed} s");
    }
    let talks = expected.total("del") as f64;
    let rejected = scraped.family("rustvault_commands_rejected_total");
    let per_command = [("command=\"get\"", 3.0 * talks), ("command=\"unknown\"", 4.0 * talks)];
    assert_eq!(rejected, BTreeMap::from(per_command));
    let failed = scraped.family("rustvault_commands_failed_total");
    assert_eq!(failed, BTreeMap::from([("command=\"incr\"", 2.0 * talks)]));
}

fn check_log(expected: &Expected, scraped: &Scraped, elapsed: f64) {
    let records = expected.records as f64;
    assert_eq!(scraped.get("rustvault_durable_lsn"), records);
    assert_eq!(scraped.get("rustvault_keys"), expected.keys as f64);
    let (batches, in_batches) = scraped.histogram("rustvault_log_batch_records", "");
    assert_eq!(in_batches, records);
    // One client after another, and one command after another: each write is a batch with a sync.
    assert_eq!(batches, records);
    let (syncs, sync_seconds) = scraped.histogram("rustvault_log_sync_duration_seconds", "");
    assert!(syncs >= records && sync_seconds > 0.0 && sync_seconds <= elapsed, "{syncs}, {sync_seconds}");
    for stage in ["gather", "queue", "write"] {
        let labels = format!("stage=\"{stage}\"");
        let (count, sum) = scraped.histogram("rustvault_log_commit_stage_seconds", &labels);
        assert!(count == batches && sum <= elapsed, "{stage}: {count}, {sum}");
    }
    let of_sync = scraped.histogram("rustvault_log_commit_stage_seconds", "stage=\"sync\"");
    assert_eq!(of_sync, (syncs, sync_seconds));
    for positive in ["rustvault_memory_used_bytes", "rustvault_log_bytes", "rustvault_live_bytes"] {
        assert!(scraped.get(positive) > 0.0, "{positive}");
    }
    for zero in ["read_only", "log_removed", "log_poisoned", "log_disk_full", "log_slow_syncs_total"] {
        assert_eq!(scraped.get(&format!("rustvault_{zero}")), 0.0, "{zero}");
    }
}

#[test]
fn every_family_of_the_table_is_shown_by_a_server_that_has_everything() {
    with_server(|server| {
        let mut talk = Talk::begin(&server.tcp(), Protocol::Text);
        talk.ask(&["PING"]);
        until("the command is counted", || {
            let scraped = server.scrape();
            scraped.find("rustvault_commands_total{command=\"ping\",listener=\"tcp\"}") == Some(1.0)
        });
        let scraped = server.scrape();
        let families = METRIC_GROUPS.iter().flat_map(|group| group.families).map(|family| family.name);
        assert_eq!(scraped.families(), families.collect());
        assert_eq!(scraped.get("rustvault_ready"), 1.0);
        assert_eq!(scraped.get("rustvault_recovery_progress_ratio"), 1.0);
        assert_eq!(scraped.get("rustvault_tls_certificate_not_after_seconds"), server.not_after);
    });
}

#[test]
fn clients_cannot_make_series() {
    with_server(|server| {
        let mut talk = Talk::begin(&server.tcp(), Protocol::Resp2);
        let mut send = |word: &str| {
            for words in [
                &[word, "a"][..],
                &["GET", word],
                &["SET", word, word],
                &["CLIENT", "SETNAME", word],
                &["CLIENT", word],
                &["AUTH", word, word],
                &["CONFIG", "GET", word],
                &["HELLO", "2", "SETNAME", word],
            ] {
                talk.ask(words);
            }
        };
        let counted = |count: f64| {
            let mut scraped = server.scrape();
            until("all is counted", || {
                scraped = server.scrape();
                scraped.family("rustvault_commands_total").values().sum::<f64>() == count
            });
            scraped
        };
        send("first");
        let before = counted(8.0);
        let words: Vec<_> = (0..100).map(|number| format!("w{number}orm")).collect();
        words.iter().for_each(|word| send(word));
        let after = counted(808.0);
        assert_eq!(before.names(), after.names());
        assert!(words.iter().all(|word| !after.text.contains(word.as_str())), "{}", after.text);
        let commands = Command::ALL.iter().map(|command| command.name().to_lowercase());
        let commands: Vec<_> = commands.chain(["unknown".to_owned()]).collect();
        for labels in after.family("rustvault_commands_total").into_keys() {
            assert!(
                commands.iter().any(|name| labels == format!("command=\"{name}\",listener=\"tcp\"")),
                "{labels}"
            );
        }
    });
}

#[test]
fn reloads_compactions_refusals_and_failed_handshakes_are_counted_and_a_reset_of_info_hides_none() {
    with_server(|server| {
        let mut talk = Talk::begin(&server.tcp(), Protocol::Resp2);
        talk.ask(&["SET", "key", "value"]);
        assert!(!matches!(talk.ask(&["CONFIG", "RELOAD"]), Reply::Error(_)));
        server.spoil_certificate();
        assert!(matches!(talk.ask(&["CONFIG", "RELOAD"]), Reply::Error(_)));
        let mut text = Talk::begin(&server.tcp(), Protocol::Text);
        assert_eq!(text.ask(&["COMPACT"]), Reply::OK);
        drop(text);
        server.speak_no_tls();
        server.fill_connections();
        talk.ask(&["CONFIG", "RESETSTAT"]);
        let mut scraped = server.scrape();
        until("all is counted", || {
            scraped = server.scrape();
            scraped.find("rustvault_commands_total{command=\"config|resetstat\",listener=\"tcp\"}")
                == Some(1.0)
                && scraped.get("rustvault_connections") == 1.0
        });
        for (series, count) in [
            ("rustvault_reloads_total{result=\"applied\"}", 1.0),
            ("rustvault_reloads_total{result=\"refused\"}", 1.0),
            ("rustvault_reload_last_success{group=\"config\"}", 0.0),
            ("rustvault_reload_last_success{group=\"users\"}", 1.0),
            ("rustvault_compaction_successes_total", 1.0),
            ("rustvault_compaction_failures_total", 0.0),
            ("rustvault_compaction_last_success", 1.0),
            ("rustvault_compaction_running", 0.0),
            ("rustvault_tls_handshakes_total{result=\"error\"}", 1.0),
            ("rustvault_rejected_total{reason=\"connections\"}", 1.0),
            ("rustvault_rejected_total{reason=\"descriptors\"}", 0.0),
            ("rustvault_commands_total{command=\"set\",listener=\"tcp\"}", 1.0),
            ("rustvault_connections_limit", server::MAX_CONNECTIONS as f64),
        ] {
            assert_eq!(scraped.get(series), count, "{series}");
        }
        assert!(scraped.get("rustvault_compaction_written_bytes_total") > 0.0);
        assert!(scraped.get("rustvault_compaction_last_success_timestamp_seconds") > 1.6e9);
        assert!(scraped.get("rustvault_connections_total{listener=\"tcp\"}") > 2.0);
    });
}

#[test]
fn logins_denials_and_slow_commands_are_counted() {
    let token = format!("rv_{:x<43}", "scraper");
    let rule =
        RightsRule { allows: true, categories: [Category::Metrics].into_iter().collect(), prefix: "".into() };
    let secret = Secret::of(token.as_bytes()).unwrap();
    let user = User {
        name: "scraper".to_owned(),
        credentials: vec![Credential { label: "test".to_owned(), secret, expires: None }],
        rights: Rights::new(vec![rule]).unwrap(),
    };
    let configure = |config: &mut rustvault_server::ServerConfig| {
        config.users = Some(Arc::new(Users::new([user]).unwrap()));
        // Any command is slow: none takes less than a system call.
        config.slow_threshold = Some(Duration::from_micros(1));
    };
    with_configured_server(configure, |server| {
        let wrong = format!("rv_{:y<43}", "scraper");
        let mut talk = Talk::begin(&server.tcp(), Protocol::Resp2);
        let is_error = |reply: Reply| matches!(reply, Reply::Error(_));
        assert!(is_error(talk.ask(&["GET", "key"])), "before the login");
        for _ in 0..3 {
            assert!(is_error(talk.ask(&["AUTH", "scraper", &wrong])));
        }
        assert_eq!(talk.ask(&["AUTH", "scraper", &token]), Reply::OK);
        assert!(is_error(talk.ask(&["GET", "key"])), "without the right");
        let mut scraped = server.scrape_with(&token);
        let mut scrapes = 1.0;
        until("all is counted", || {
            scraped = server.scrape_with(&token);
            scrapes += 1.0;
            scraped.family("rustvault_commands_total").values().sum::<f64>() == 6.0
                && scraped.get("rustvault_slow_commands_total") >= 2.0
        });
        // A scrape is a login, too.
        let logins = BTreeMap::from([("result=\"accepted\"", 1.0 + scrapes), ("result=\"failed\"", 3.0)]);
        assert_eq!(scraped.family("rustvault_logins_total"), logins);
        // The login and what followed it; who has not logged in is not in the slow log.
        assert_eq!(scraped.get("rustvault_slow_commands_total"), 2.0);
        assert_eq!(scraped.get("rustvault_command_errors_total{code=\"AUTH_REQUIRED\"}"), 1.0);
        assert_eq!(scraped.get("rustvault_command_errors_total{code=\"DENIED\"}"), 4.0);
    });
}
