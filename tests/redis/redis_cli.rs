//! Redis's own programs against the daemon.

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Output, Stdio};
use std::thread;

use rustvault_tests::{Daemon, Launch, Wire, need, resp_request};

use crate::peer::Redis;

fn redis_cli(daemon: &Daemon) -> Command {
    let mut command = Command::new("redis-cli");
    command.args(["-h", "127.0.0.1", "-p", &daemon.addr().port().to_string()]);
    command.env_remove("REDISCLI_AUTH").stdin(Stdio::null());
    command
}

/// A daemon, if the machine has redis-cli.
fn start() -> Option<Daemon> {
    need("redis-cli").then(|| Launch::new().start())
}

#[track_caller]
fn stdout(output: Output) -> String {
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).expect("it is text")
}

/// Runs the program with this on standard input.
#[track_caller]
fn piped(command: &mut Command, input: Vec<u8>) -> String {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut process = command.spawn().expect("it can be run");
    let mut stdin = process.stdin.take().expect("it is piped");
    let writing = thread::spawn(move || stdin.write_all(&input));
    let output = process.wait_with_output().expect("it ends");
    writing.join().unwrap().expect("it reads all");
    stdout(output)
}

#[test]
fn one_command_a_call() {
    let Some(daemon) = start() else { return };
    let cases: [(&[&str], &str); 16] = [
        (&["PING"], "PONG\n"),
        (&["SET", "user:1", "john"], "OK\n"),
        (&["GET", "user:1"], "john\n"),
        (&["SET", "empty", ""], "OK\n"),
        (&["STRLEN", "user:1"], "4\n"),
        (&["TYPE", "user:1"], "string\n"),
        (&["MSET", "a", "1", "b", "2"], "OK\n"),
        (&["MGET", "a", "missing", "b"], "1\n\n2\n"),
        (&["EXISTS", "a", "a", "missing"], "2\n"),
        (&["DBSIZE"], "4\n"),
        (&["DEL", "a", "b", "missing"], "2\n"),
        (&["--no-raw", "GET", "a"], "(nil)\n"),
        (&["-n", "0", "ECHO", "hi"], "hi\n"),
        (&["KEYS", "user:*"], "user:1\n"),
        (&["CONFIG", "GET", "databases"], "databases\n1\n"),
        (&["NOPE", "x"], "ERR unknown command 'NOPE', with args beginning with: 'x' \n\n"),
    ];
    for (arguments, expected) in cases {
        assert_eq!(stdout(redis_cli(&daemon).args(arguments).output().unwrap()), expected, "{arguments:?}");
    }
    let info = stdout(redis_cli(&daemon).arg("INFO").output().unwrap());
    assert!(info.contains(&format!("pid:{}", daemon.pid())), "{info}");
}

#[test]
fn resp3_is_spoken_when_asked_for() {
    let Some(daemon) = start() else { return };
    let ask = |arguments: &[&str]| stdout(redis_cli(&daemon).arg("-3").args(arguments).output().unwrap());
    assert_eq!(ask(&["SET", "k", "v"]), "OK\n");
    assert_eq!(ask(&["--no-raw", "GET", "missing"]), "(nil)\n");
    assert_eq!(ask(&["--no-raw", "CONFIG", "GET", "databases"]), "1# \"databases\" => \"1\"\n");
    assert!(ask(&["INFO"]).contains("pid:"));
}

#[test]
fn scan_lists_the_keys_that_match() {
    const KEYS: usize = 2_500;
    let Some(daemon) = start() else { return };
    let sets: Vec<u8> = (0..KEYS).flat_map(|n| resp_request(&["SET", &format!("key:{n}"), "v"])).collect();
    let mut wire = daemon.wire();
    wire.ask(sets, "+OK\r\n".repeat(KEYS));
    let sorted = |arguments: &[&str]| {
        let output = stdout(redis_cli(&daemon).arg("--scan").args(arguments).output().unwrap());
        let mut keys: Vec<_> = output.lines().map(str::to_owned).collect();
        keys.sort_unstable();
        keys
    };
    let mut expected: Vec<_> = (0..KEYS).map(|n| format!("key:{n}")).collect();
    expected.sort_unstable();
    assert_eq!(sorted(&[]), expected);
    expected.retain(|key| key.starts_with("key:1") && key.ends_with('7'));
    assert_eq!(sorted(&["--pattern", "key:1*7"]), expected);
}

#[test]
fn pipe_takes_a_mass_insertion() {
    const PAIRS: usize = 20_000;
    let Some(daemon) = start() else { return };
    let value = |n: usize| [&n.to_le_bytes()[..], b"\r\n\0"].concat();
    let input: Vec<u8> = (0..PAIRS)
        .flat_map(|n| resp_request(&[&b"SET"[..], format!("bulk:{n}").as_bytes(), &value(n)]))
        .collect();
    let output = piped(redis_cli(&daemon).arg("--pipe"), input);
    assert!(output.ends_with(&format!("errors: 0, replies: {PAIRS}\n")), "{output}");
    let mut wire = daemon.wire();
    wire.ask(resp_request(&["DBSIZE"]), format!(":{PAIRS}\r\n"));
    let expected = [b"$11\r\n", &value(4711)[..], b"\r\n"].concat();
    wire.ask(resp_request(&["GET", "bulk:4711"]), expected);
}

#[test]
fn pipe_counts_the_errors() {
    let Some(daemon) = start() else { return };
    let input =
        [resp_request(&["SET", "k", "v"]), resp_request(&["SET", "k"]), resp_request(&["NOPE"])].concat();
    let mut process = redis_cli(&daemon);
    process.arg("--pipe").stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut process = process.spawn().unwrap();
    process.stdin.take().unwrap().write_all(&input).unwrap();
    let output = process.wait_with_output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(text.ends_with("errors: 2, replies: 3\n"), "{output:?}");
}

#[test]
fn an_interactive_session_is_served() {
    let Some(daemon) = start() else { return };
    let lines = "SET k \"two words\"\nGET k\nget missing\nHELLO 3\nGET missing\nDEL k\nNOPE\nPING\n";
    let output = piped(redis_cli(&daemon).arg("--no-raw"), lines.into());
    let output = output.split_once("1# ").map(|(first, rest)| (first, rest.split_once("(nil)\n").unwrap().1));
    let (before, after) = output.expect("HELLO answers a map");
    assert_eq!(before, "OK\n\"two words\"\n(nil)\n");
    assert_eq!(after, "(integer) 1\n(error) ERR unknown command 'NOPE', with args beginning with: \nPONG\n");
}

/// The program at a terminal.
struct Terminal {
    process: Child,
    keyboard: ChildStdin,
    screen: ChildStdout,
}

impl Terminal {
    fn start(daemon: &Daemon) -> Self {
        let port = daemon.addr().port();
        let mut terminal = Command::new("script");
        let program = format!("stty cols 200; TERM=xterm redis-cli -h 127.0.0.1 -p {port}");
        terminal.args(["-qec", &program, "/dev/null"]).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut process = terminal.spawn().expect("it can be run");
        let (keyboard, screen) = (process.stdin.take().unwrap(), process.stdout.take().unwrap());
        Self { process, keyboard, screen }
    }

    /// Types, and reads until this is shown and a prompt after it: what is typed before that is thrown away.
    #[track_caller]
    fn type_and_see(&mut self, typed: &str, expected: &str) {
        self.keyboard.write_all(typed.as_bytes()).unwrap();
        let (mut shown, mut read) = (Vec::new(), [0; 4096]);
        loop {
            let read_bytes = self.screen.read(&mut read).unwrap();
            assert!(read_bytes > 0, "{expected:?} is not in {:?}", String::from_utf8_lossy(&shown));
            shown.extend_from_slice(&read[..read_bytes]);
            let text = String::from_utf8_lossy(&shown);
            if text.split_once(expected).is_some_and(|(_, after)| after.contains("> ")) {
                return;
            }
        }
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[test]
fn help_and_hints_are_those_of_our_commands() {
    let Some(daemon) = start().filter(|_| need("script")) else { return };
    let mut terminal = Terminal::start(&daemon);
    terminal.type_and_see("", "127.0.0.1");
    terminal.type_and_see("help get\r", "Returns the value of a key.");
    terminal.type_and_see("help compact\r", "Rewrites the log as the live data");
    terminal.type_and_see("help client kill\r", "Disconnects the client of an address");
    terminal.type_and_see("help @transactions\r", "There are none yet: it is refused");
    terminal.type_and_see("scan ", "cursor [MATCH pattern] [COUNT count] [TYPE type]");
    terminal.type_and_see("0\r", "(empty array)");
    drop(terminal);
    daemon.stop();
}

/// A program that goes on for ever, also without its terminal and its server; it is killed when this is dropped.
struct Endless {
    /// Its terminal, through which it writes line by line.
    terminal: Child,
    pid: String,
    lines: Box<dyn Iterator<Item = String>>,
}

impl Endless {
    /// Runs redis-cli with these arguments.
    fn start(daemon: &Daemon, arguments: &str) -> Self {
        let port = daemon.addr().port();
        let program = format!("echo $$; exec redis-cli -h 127.0.0.1 -p {port} {arguments}");
        let mut terminal = Command::new("script");
        terminal.args(["-qec", &program, "/dev/null"]).stdin(Stdio::null()).stdout(Stdio::piped());
        let mut terminal = terminal.spawn().unwrap();
        let screen = BufReader::new(terminal.stdout.take().unwrap());
        let mut lines = screen.lines().map_while(Result::ok).filter(|line| !line.trim().is_empty());
        let pid = lines.next().expect("the shell tells its number").trim().to_owned();
        Self { terminal, pid, lines: Box::new(lines) }
    }
}

impl Drop for Endless {
    fn drop(&mut self) {
        let _ = Command::new("kill").args(["-KILL", &self.pid]).status();
        let _ = self.terminal.wait();
    }
}

#[test]
fn stat_shows_our_figures() {
    let Some(daemon) = start().filter(|_| need("script")) else { return };
    stdout(redis_cli(&daemon).args(["MSET", "a", "1", "b", "2"]).output().unwrap());
    let mut stat = Endless::start(&daemon, "-i 0.01 --stat");
    let figures = stat.lines.nth(2).expect("a line of figures");
    let words: Vec<_> = figures.split_whitespace().collect();
    assert!(matches!(&words[..], ["2", _, "1", "0", ..]), "keys, memory, clients, blocked: {figures}");
    drop(stat);
    daemon.stop();
}

#[test]
fn latency_is_measured_once_and_again_and_again() {
    let Some(daemon) = start().filter(|_| need("script")) else { return };
    // Without a terminal it measures for the interval, and prints the least, the most, the mean and the number.
    let once = stdout(redis_cli(&daemon).args(["--raw", "-i", "0.2", "--latency"]).output().unwrap());
    let figures: Vec<f64> = once.split_whitespace().map(|word| word.parse().unwrap()).collect();
    assert!(matches!(&figures[..], [min, max, _, samples] if min <= max && *samples > 1.0), "{once}");
    let mut history = Endless::start(&daemon, "-i 0.1 --latency-history");
    let summary = history.lines.find(|line| line.contains("seconds range"));
    let summary = summary.expect("a summary of an interval");
    assert!(summary.contains("min: ") && summary.contains("avg: "), "{summary}");
    drop(history);
    daemon.stop();
}

#[test]
fn the_biggest_keys_are_found_by_their_values_and_by_their_memory() {
    let Some(daemon) = start() else { return };
    let mut wire = daemon.wire();
    let big = "v".repeat(5000);
    for (key, value) in [("small", "v"), ("big", &big), ("middle", "vvvvv")] {
        wire.ask(resp_request(&["SET", key, value]), "+OK\r\n");
    }
    let found = stdout(redis_cli(&daemon).arg("--bigkeys").output().unwrap());
    assert!(found.contains("Biggest string found '\"big\"' has 5000 bytes"), "{found}");
    assert!(found.contains("3 strings with 5006 bytes"), "{found}");
    let found = stdout(redis_cli(&daemon).arg("--memkeys").output().unwrap());
    assert!(found.contains("Biggest string found '\"big\"' has "), "{found}");
    drop(wire);
    daemon.stop();
}

#[test]
fn monitor_shows_what_others_do_as_redis_does() {
    let Some((daemon, redis)) = start().zip(Redis::start()) else { return };
    let commands =
        resp_request(&["SET", "a b", "\r\n\t\0\"\\"]).into_iter().chain(resp_request(&["GET", "a b"]));
    let commands: Vec<u8> = commands.chain(resp_request(&["AUTH", "secret"])).collect();
    let shown = |mut monitor: Command, mut wire: Wire| {
        let mut process = monitor.arg("monitor").stdout(Stdio::piped()).spawn().expect("it can be run");
        let mut lines = BufReader::new(process.stdout.take().unwrap()).lines().map_while(Result::ok);
        assert_eq!(lines.next().as_deref(), Some("OK"));
        wire.send(&commands);
        let lines: Vec<_> = lines.take(3).map(|line| line.split_once("] ").unwrap().1.to_owned()).collect();
        process.kill().unwrap();
        process.wait().unwrap();
        lines
    };
    let ours = shown(redis_cli(&daemon), daemon.wire());
    assert_eq!(ours, shown(redis.cli(), redis.wire()));
    assert_eq!(ours[2], "\"AUTH\" \"(redacted)\"");
    daemon.stop();
}

#[test]
fn redis_benchmark_runs() {
    let Some(daemon) = start().filter(|_| need("redis-benchmark")) else { return };
    let mut benchmark = Command::new("redis-benchmark");
    benchmark.args(["-p", &daemon.addr().port().to_string(), "-t", "set,get", "-P", "16"]);
    benchmark.args(["-n", "20000", "-c", "10", "-r", "1000", "--csv"]);
    let output = stdout(benchmark.output().unwrap());
    let rows: Vec<_> =
        output.lines().filter(|line| line.starts_with("\"SET\"") || line.starts_with("\"GET\"")).collect();
    assert_eq!(rows.len(), 2, "{output}");
    let mut wire = daemon.wire();
    assert_eq!(wire.info_number("total_errors"), 0);
    assert!(wire.info_number("keys") > 900, "the keys are random");
}
