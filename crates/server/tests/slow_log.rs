//! `SLOWLOG`: what is remembered of slow commands, and what never is.
#![cfg(test)]

mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use rustvault_protocol::Reply;
use rustvault_server::ServerConfig;
use rustvault_testkit::{Wire, resp_reply, resp_request};
use rustvault_users::{Credential, Rights, Secret, User, Users};
use support::{TestServer, config, start_with_config};

/// A time that every command takes.
const EVERY_COMMAND: Duration = Duration::from_micros(1);

fn config_with(threshold: Option<Duration>, entries: usize) -> ServerConfig {
    let mut config = config();
    (config.slow_threshold, config.slow_log_entries) = (threshold, entries);
    config
}

fn start_with(threshold: Option<Duration>, entries: usize) -> TestServer {
    start_with_config(&config_with(threshold, entries))
}

/// Sends a command in RESP and returns the reply.
fn ask(client: &mut Wire, words: &[&str]) -> Reply {
    client.send(resp_request(words));
    resp_reply(&client.reply())
}

fn number(reply: &Reply) -> i64 {
    let Reply::Integer(number) = reply else { panic!("{reply:?} is no number") };
    *number
}

fn text(reply: &Reply) -> String {
    let Reply::Bulk(bytes) = reply else { panic!("{reply:?} is no string") };
    String::from_utf8_lossy(bytes).into_owned()
}

fn items(reply: Reply) -> Vec<Reply> {
    let Reply::Array(items) = reply else { panic!("{reply:?} is no array") };
    items
}

/// Returns the commands that are remembered, the newest first.
fn commands(client: &mut Wire, count: &str) -> Vec<String> {
    let entries = items(ask(client, &["SLOWLOG", "GET", count]));
    let words = |entry: Reply| items(items(entry).swap_remove(3));
    entries.into_iter().map(|entry| words(entry).iter().map(text).collect::<Vec<_>>().join(" ")).collect()
}

#[test]
fn an_entry_has_the_six_fields_of_redis() {
    let server = start_with(Some(EVERY_COMMAND), 128);
    let mut client = server.wire();
    ask(&mut client, &["CLIENT", "SETNAME", "ada"]);
    ask(&mut client, &["set", "key", "a value"]);
    let mut entries = items(ask(&mut client, &["SLOWLOG", "GET"]));
    assert_eq!(entries.len(), 2);
    let entry = items(entries.swap_remove(0));
    assert_eq!((entry.len(), number(&entry[0])), (6, 1));
    assert!(number(&entry[1]) > 1_700_000_000 && number(&entry[2]) > 0, "{entry:?}");
    assert_eq!(items(entry[3].clone()).iter().map(text).collect::<Vec<_>>(), ["SET", "key", "a value"]);
    assert_eq!((text(&entry[4]), text(&entry[5])), (client.local_addr().to_string(), "ada".to_owned()));
}

#[test]
fn the_newest_are_returned_up_to_a_count_and_a_reset_forgets_all() {
    let server = start_with(Some(EVERY_COMMAND), 12);
    let mut client = server.wire();
    for n in 0..20 {
        ask(&mut client, &["ECHO", &n.to_string()]);
    }
    assert_eq!(number(&ask(&mut client, &["SLOWLOG", "LEN"])), 12);
    assert_eq!(commands(&mut client, "2"), ["SLOWLOG LEN", "ECHO 19"]);
    assert_eq!(items(ask(&mut client, &["SLOWLOG", "GET"])).len(), 10);
    assert_eq!(commands(&mut client, "-1").len(), 12);
    assert_eq!(commands(&mut client, "0").len(), 0);
    for bad in ["-2", "x", ""] {
        client.send(resp_request(&["SLOWLOG", "GET", bad]));
        client.expect("-ERR count should be greater than or equal to -1\r\n");
    }
    assert_eq!(ask(&mut client, &["SLOWLOG", "RESET"]), Reply::OK);
    assert_eq!(commands(&mut client, "-1"), ["SLOWLOG RESET"]);
}

#[test]
fn requests_that_are_answered_together_make_one_entry() {
    let server = start_with(Some(EVERY_COMMAND), 128);
    let mut client = server.wire();
    let pipeline =
        [resp_request(&["SET", "a", "1"]), resp_request(&["GET", "a"]), resp_request(&["GET", "b"])];
    client.ask(pipeline.concat(), "+OK\r\n$1\r\n1\r\n$-1\r\n");
    assert_eq!(commands(&mut client, "-1"), ["GET b"]);
}

#[test]
fn the_threshold_and_the_number_of_entries_change_while_the_server_runs() {
    let server = start_with(None, 128);
    let mut client = server.wire();
    let set = |client: &mut Wire, name: &str, value: &str| {
        assert_eq!(ask(client, &["CONFIG", "SET", name, value]), Reply::OK);
    };
    ask(&mut client, &["PING"]);
    assert_eq!(commands(&mut client, "-1"), [""; 0]);
    set(&mut client, "slowlog-log-slower-than", "0");
    ask(&mut client, &["PING"]);
    assert_eq!(commands(&mut client, "1"), ["PING"]);
    set(&mut client, "slowlog-max-len", "2");
    assert_eq!(number(&ask(&mut client, &["SLOWLOG", "LEN"])), 2);
    set(&mut client, "slow-ms", "0");
    ask(&mut client, &["SLOWLOG", "RESET"]);
    ask(&mut client, &["PING"]);
    assert_eq!(commands(&mut client, "-1"), [""; 0]);
    let Reply::Array(found) = ask(&mut client, &["CONFIG", "GET", "slowlog-*"]) else { panic!() };
    let found: Vec<_> = found.iter().map(text).collect();
    assert_eq!(found, ["slowlog-log-slower-than", "-1", "slowlog-max-len", "2"]);
}

#[test]
fn no_secret_is_remembered() {
    let server = start_with(Some(EVERY_COMMAND), 128);
    let mut client = server.wire();
    for words in [
        &["AUTH", "default", "hunter2"][..],
        &["AUTH", "hunter2"],
        &["HELLO", "3", "AUTH", "default", "hunter2"],
        &["CONFIG", "SET", "requirepass", "hunter2"],
        &["ACL", "SETUSER", "ada", ">hunter2"],
        &["hunter2", "is", "no", "command"],
    ] {
        client.send(resp_request(words));
        drop(client.reply());
    }
    let commands = commands(&mut client, "-1");
    assert!(commands.iter().all(|command| !command.contains("hunter2")), "{commands:#?}");
    assert_eq!(commands.len(), 5, "an unknown command is left out: {commands:#?}");
}

#[test]
fn the_text_protocol_counts_and_resets_and_leaves_the_nested_entries_to_resp() {
    let server = start_with(Some(EVERY_COMMAND), 128);
    let mut client = server.wire();
    client.ask("SET k v\r\nGET k\r\n", "OK\r\nVALUE v\r\n");
    client.ask("SLOWLOG LEN\r\n", "VALUE 1\r\n");
    client.ask_error("SLOWLOG GET\r\n", "UNKNOWN_COMMAND");
    client.ask("SLOWLOG RESET\r\n", "OK\r\n");
}

#[test]
fn clients_are_slow_while_another_resets() {
    let server = start_with(Some(EVERY_COMMAND), 16);
    let is_done = AtomicBool::new(false);
    thread::scope(|scope| {
        let adding: Vec<_> = (0..2)
            .map(|_| {
                scope.spawn(|| {
                    let mut client = server.wire();
                    (0..2000).for_each(|_| client.ask("GET k\r\n", "NOT_FOUND\r\n"));
                })
            })
            .collect();
        scope.spawn(|| {
            let mut client = server.wire();
            while !is_done.load(Ordering::Relaxed) {
                assert!(commands(&mut client, "-1").len() <= 16);
                assert_eq!(ask(&mut client, &["SLOWLOG", "RESET"]), Reply::OK);
            }
        });
        adding.into_iter().for_each(|client| client.join().unwrap());
        is_done.store(true, Ordering::Relaxed);
    });
    let mut client = server.wire();
    assert!(number(&ask(&mut client, &["SLOWLOG", "LEN"])) <= 16);
}

#[test]
fn a_client_that_has_not_logged_in_leaves_nothing_in_the_slow_log() {
    let token = format!("rv_{:x<43}", "");
    let secret = Secret::of(token.as_bytes()).unwrap();
    let user = User {
        name: "ada".to_owned(),
        credentials: vec![Credential { label: "test".to_owned(), secret, expires: None }],
        rights: Rights::all(),
    };
    let mut config = config_with(Some(EVERY_COMMAND), 128);
    config.users = Some(Arc::new(Users::new([user]).unwrap()));
    let server = start_with_config(&config);
    let mut client = server.wire();
    for words in [&["GET", "secret-of-a-stranger"][..], &["AUTH", "ada", "wrong"]] {
        let reply = ask(&mut client, words);
        assert!(matches!(reply, Reply::Error(_)), "{reply:?}");
    }
    assert_eq!(ask(&mut client, &["AUTH", "ada", &token]), Reply::OK);
    assert_eq!(commands(&mut client, "-1"), ["AUTH (redacted) (redacted)"]);
}
