//! Commands in one packet: each takes effect before the next one is looked at.

use rustvault_tests::{Daemon, Launch, resp_request};

/// Sends commands, a line each, in one packet, and `QUIT`; returns all bytes of the answers.
#[track_caller]
fn in_one_packet(daemon: &Daemon, lines: &[&str]) -> String {
    let mut wire = daemon.wire();
    let words = |line: &&str| resp_request(&line.split(' ').collect::<Vec<_>>());
    wire.send(lines.iter().chain(&["QUIT"]).flat_map(words).collect::<Vec<_>>());
    wire.rest()
}

#[test]
fn hello_changes_the_form_of_the_answers_that_follow_and_of_no_other() {
    let daemon = Launch::new().start();
    let answers =
        in_one_packet(&daemon, &["GET k", "CONFIG GET save", "HELLO 3", "GET k", "CONFIG GET save"]);
    let (before, after) = answers.split_once("%7\r\n$6\r\nserver\r\n").expect("the answer to HELLO is a map");
    assert_eq!(before, "$-1\r\n*2\r\n$4\r\nsave\r\n$0\r\n\r\n");
    assert!(after.ends_with("*0\r\n_\r\n%1\r\n$4\r\nsave\r\n$0\r\n\r\n+OK\r\n"), "{after}");
    let answers = in_one_packet(&daemon, &["HELLO 3", "GET k", "HELLO 2", "GET k", "HELLO 4", "GET k"]);
    let ends = "*0\r\n$-1\r\n-NOPROTO unsupported protocol version\r\n$-1\r\n+OK\r\n";
    assert!(answers.contains("*0\r\n_\r\n*14\r\n") && answers.ends_with(ends), "{answers}");
    daemon.stop();
}

#[test]
fn a_login_comes_between_what_precedes_and_what_follows_it() {
    let daemon = Launch::new().start();
    let lines = ["SET k 1", "AUTH default any", "GET k", "AUTH ada wrong", "SET k 2", "AUTH alone", "GET k"];
    let answers = in_one_packet(&daemon, &lines);
    let expected = [
        "+OK\r\n+OK\r\n$1\r\n1\r\n",
        "-WRONGPASS invalid username-password pair or user is disabled.\r\n",
        "+OK\r\n",
        "-ERR AUTH <password> called without any password configured for the default user. \
            Are you sure your configuration is correct?\r\n",
        "$1\r\n2\r\n+OK\r\n",
    ];
    assert_eq!(answers, expected.concat());
    daemon.stop();
}

#[test]
fn reset_forgets_what_came_before_it_in_the_packet() {
    let daemon = Launch::new().start();
    let answers = in_one_packet(
        &daemon,
        &["HELLO 3", "CLIENT SETNAME me", "MULTI", "RESET", "CLIENT GETNAME", "GET k"],
    );
    assert!(answers.ends_with("+RESET\r\n$-1\r\n$-1\r\n+OK\r\n"), "{answers}");
    daemon.stop();
}

#[test]
fn nothing_behind_quit_is_carried_out() {
    let daemon = Launch::new().start();
    assert_eq!(in_one_packet(&daemon, &["SET k 1", "QUIT", "SET k 2"]), "+OK\r\n+OK\r\n");
    assert_eq!(in_one_packet(&daemon, &["GET k"]), "$1\r\n1\r\n+OK\r\n");
    daemon.stop();
}

#[test]
fn answers_are_left_out_from_one_command_to_the_next() {
    let daemon = Launch::new().start();
    let lines = [
        "CLIENT REPLY SKIP",
        "SET a 1",
        "MGET a missing",
        "PING",
        "CLIENT REPLY SKIP",
        "PING",
        "NONSENSE",
        "GET a",
        "CLIENT REPLY OFF",
        "SET b 2",
        "SCAN 0",
        "MGET a b",
        "GET",
        "NONSENSE",
        "CLIENT REPLY SKIP",
        "CLIENT REPLY ON",
        "MGET a b",
        "CLIENT REPLY NONSENSE",
    ];
    let expected = [
        "*2\r\n$1\r\n1\r\n$-1\r\n+PONG\r\n",
        "-ERR unknown command \\'NONSENSE\\', with args beginning with: \r\n$1\r\n1\r\n",
        "+OK\r\n*2\r\n$1\r\n1\r\n$1\r\n2\r\n-ERR syntax error\r\n+OK\r\n",
    ];
    assert_eq!(in_one_packet(&daemon, &lines), expected.concat());
    let lines = ["CLIENT REPLY OFF", "PING", "KEYS *", "RESET", "PING"];
    assert_eq!(in_one_packet(&daemon, &lines), "+RESET\r\n+PONG\r\n+OK\r\n");
    daemon.stop();
}

#[test]
fn a_name_costs_no_more_than_there_are_commands() {
    let daemon = Launch::new().start();
    for ask in ["COMMAND INFO", "COMMAND DOCS"] {
        let names = format!("{ask}{}", " client".repeat(1_000));
        let answer = in_one_packet(&daemon, &[&names]);
        assert!(answer.starts_with("-TOOLARGE 1000 names are more than the "), "{}", &answer[..100]);
    }
    let ids = format!("CLIENT LIST ID{}", " 1".repeat(10_001));
    assert!(in_one_packet(&daemon, &[&ids]).starts_with("-TOOLARGE at most 10000 clients "));
    let ids = format!("CLIENT LIST ID{}", " 999".repeat(10_000));
    assert_eq!(in_one_packet(&daemon, &[&ids]), "$0\r\n\r\n+OK\r\n");
    daemon.stop();
}

#[test]
fn more_keys_than_one_step_takes_are_all_taken() {
    let daemon = Launch::new().start();
    let keys: Vec<_> = (0..25_000).map(|key| format!("key:{key}")).collect();
    let ask = |name: &str, keys: &[String]| {
        let words: Vec<_> = [name].into_iter().chain(keys.iter().map(String::as_str)).collect();
        let mut wire = daemon.wire();
        wire.send([resp_request(&words), resp_request(&["DBSIZE"]), resp_request(&["QUIT"])].concat());
        wire.rest()
    };
    let pairs: Vec<_> = keys.iter().flat_map(|key| [key.clone(), "v".to_owned()]).collect();
    assert_eq!(ask("MSET", &pairs), "+OK\r\n:25000\r\n+OK\r\n");
    assert_eq!(ask("TOUCH", &keys), ":25000\r\n:25000\r\n+OK\r\n");
    assert_eq!(ask("EXISTS", &keys[..10_001]), ":10001\r\n:25000\r\n+OK\r\n");
    assert_eq!(ask("DEL", &keys[..10_000]), ":10000\r\n:15000\r\n+OK\r\n");
    assert_eq!(ask("UNLINK", &keys), ":15000\r\n:0\r\n+OK\r\n");
    daemon.stop();
}
