//! Several addresses and a Unix socket: who is served there, and paths that are taken, stale or impossible.

use std::fs;
use std::io::{Read, Write};
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use rustix::process::Signal;
use rustvault_tests::{Daemon, Launch, PATIENCE, Wire, cli, need, until};

/// A launch with a Unix socket in its folder, and the socket's path.
fn launch() -> (Launch, PathBuf) {
    let launch = Launch::new();
    let path = launch.folder().join("vault.sock");
    (with_socket(&launch, &path), path)
}

fn with_socket(launch: &Launch, path: &Path) -> Launch {
    launch.clone().with_args(&format!("--unix-socket {}", path.display()))
}

fn inode(path: &Path) -> u64 {
    fs::symlink_metadata(path).unwrap().ino()
}

#[track_caller]
fn assert_refused(launch: &Launch, path: &Path, part: &str) {
    let refusal = launch.refused();
    assert_eq!((refusal.code, refusal.lines.len()), (1, 1), "{:#?}", refusal.lines);
    let line = &refusal.lines[0];
    assert!(line.contains(&path.display().to_string()) && line.contains(part), "{line}");
}

#[test]
fn owner_and_group_are_served_on_it_beside_tcp_and_it_goes_with_the_server() {
    let (launch, path) = launch();
    let daemon = launch.start();
    assert!(
        daemon.ready_line().contains(&format!("unix_socket=\"{}\"", path.display())),
        "{}",
        daemon.ready_line()
    );
    let file = fs::metadata(&path).unwrap();
    assert!(file.file_type().is_socket() && file.permissions().mode() & 0o7777 == 0o660, "{file:?}");
    let mut client = Wire::connect_unix(&path);
    client.ask("SET k v\r\n", "OK\r\n");
    daemon.wire().ask("GET k\r\n", "VALUE v\r\n");
    // A stop answers what was received here, too.
    daemon.stop();
    assert!(!path.exists());
}

#[test]
fn a_client_is_listed_and_counted_with_the_others() {
    let (launch, path) = launch();
    let daemon = launch.clone().with_args("--max-connections 2 --message-level debug").start();
    let mut client = Wire::connect_unix(&path);
    client.send("CLIENT INFO\r\n");
    let info = client.line();
    let ends = format!(" addr={0}:0 laddr={0}:0 ", path.display());
    assert!(info.contains(&ends), "{info}");
    daemon.wait_for_line(&format!("peer={}:0", path.display()));
    let mut wire = daemon.wire();
    assert_eq!(wire.info("connections"), "2");
    for _ in 0..2 {
        let refused = Wire::connect_unix(&path).rest();
        assert!(refused.starts_with("ERROR TOO_MANY_CONNECTIONS "), "{refused}");
        assert!(daemon.wire().rest().starts_with("ERROR TOO_MANY_CONNECTIONS "));
    }
    wire.ask(format!("CLIENT KILL ADDR {}:0\r\n", path.display()), "VALUE 1\r\n");
    assert_eq!(client.rest(), "");
}

#[test]
fn several_addresses_are_listened_on_and_named() {
    let launch = Launch::new().with_args("--bind localhost:0");
    let daemon = launch.start();
    let addrs = addresses(&daemon);
    assert_eq!(addrs.len(), 2, "{}", daemon.ready_line());
    for addr in addrs {
        Wire::connect(addr).ask("PING\r\n", "PONG\r\n");
    }
    daemon.stop();
    let mut command = Command::new(launch.command().get_program());
    command.current_dir(launch.folder()).env("RUSTVAULT_BIND_ADDR", "127.0.0.1:0, 127.0.0.1:65536");
    let output = command.output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.code() == Some(2) && stderr.contains("127.0.0.1:65536'"), "{stderr}");
    assert!(stderr.contains("RUSTVAULT_BIND_ADDR"), "{stderr}");
}

fn addresses(daemon: &Daemon) -> Vec<std::net::SocketAddr> {
    let (_, rest) = daemon.ready_line().split_once("address=").unwrap();
    rest.split(' ').next().unwrap().split(',').map(|addr| addr.parse().unwrap()).collect()
}

#[test]
fn one_address_of_several_that_cannot_be_had_ends_the_start_and_leaves_nothing() {
    let (launch, path) = launch();
    let taken = Launch::new().start();
    let refusal = launch.with_args(&format!("--bind {}", taken.addr())).refused();
    assert_eq!(refusal.code, 1, "{:#?}", refusal.lines);
    assert!(refusal.lines[0].contains(&taken.addr().to_string()), "{:#?}", refusal.lines);
    assert!(!path.exists());
}

#[test]
fn an_address_that_is_given_twice_is_told_before_anything_is_touched() {
    let (launch, path) = launch();
    let refusal = launch.clone().with_args("--bind 127.0.0.1:9 --bind 127.0.0.1:9").refused();
    assert_eq!((refusal.code, refusal.lines.len()), (2, 1), "{:#?}", refusal.lines);
    assert!(refusal.lines[0].contains("'127.0.0.1:9' is given twice"), "{:#?}", refusal.lines);
    assert!(!path.exists() && !launch.wal().exists());
}

#[test]
fn a_log_that_is_refused_leaves_no_socket() {
    let (launch, path) = launch();
    fs::write(launch.wal(), "no log").unwrap();
    assert_eq!(launch.refused().code, 3);
    assert!(!path.exists());
}

#[test]
fn a_socket_that_a_killed_server_has_left_is_taken_over() {
    let (launch, path) = launch();
    let daemon = launch.start();
    Wire::connect_unix(&path).ask("SET k v\r\n", "OK\r\n");
    daemon.kill();
    assert!(path.exists());
    let daemon = launch.start();
    Wire::connect_unix(&path).ask("GET k\r\n", "VALUE v\r\n");
    daemon.stop();
    assert!(!path.exists());
}

#[test]
fn the_socket_of_a_live_server_is_left_to_it() {
    let (launch, path) = launch();
    let daemon = launch.start();
    let before = inode(&path);
    assert_refused(&with_socket(&Launch::new(), &path), &path, "a server listens on it already");
    assert_eq!(inode(&path), before);
    Wire::connect_unix(&path).ask("PING\r\n", "PONG\r\n");
    daemon.stop();
}

#[test]
fn a_path_that_cannot_be_is_told_and_nothing_is_removed() {
    let launch = Launch::new();
    let folder = launch.folder().to_owned();
    let refused = |path: &Path, part| assert_refused(&with_socket(&launch, path), path, part);
    fs::write(folder.join("file"), "mine").unwrap();
    refused(&folder.join("file"), "something else has this name");
    assert_eq!(fs::read_to_string(folder.join("file")).unwrap(), "mine");
    refused(&folder, "something else has this name");
    refused(&folder.join("nowhere/vault.sock"), "its folder does not exist; create it");
    refused(&folder.join("file/vault.sock"), "its folder does not exist; create it");
    refused(&folder.join("x".repeat(108)), "the system's limit is 107; choose a shorter path");
    refused(Path::new("/proc/vault.sock"), "choose another path");
    assert!(!launch.wal().exists(), "the log was touched");
}

#[test]
fn a_folder_without_rights_is_told() {
    let launch = Launch::new();
    let folder = launch.folder().join("locked");
    fs::create_dir(&folder).unwrap();
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o500)).unwrap();
    if fs::write(folder.join("probe"), "").is_ok() {
        // Root may do all things, so this is no matter of what is installed.
        println!("skipped: needs a user who is not root");
        return;
    }
    assert_refused(&with_socket(&launch, &folder.join("x.sock")), &folder, "may read and write the folder");
}

#[test]
fn of_servers_that_start_at_one_stale_socket_one_gets_it_and_the_others_say_so() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("vault.sock");
    for _ in 0..3 {
        drop(UnixListener::bind(&path).unwrap());
        let mut starts: Vec<_> = (0..3).map(|_| with_socket(&Launch::new(), &path)).collect();
        let mut daemons: Vec<_> = starts
            .iter_mut()
            .map(|launch| launch.command().stderr(Stdio::piped()).spawn().unwrap())
            .collect();
        let mut refused = Vec::new();
        until("all but one have ended", || {
            daemons.retain_mut(|daemon| match daemon.try_wait().unwrap() {
                Some(status) => {
                    let mut line = String::new();
                    daemon.stderr.take().unwrap().read_to_string(&mut line).unwrap();
                    refused.push((status.code(), line));
                    false
                }
                None => true,
            });
            daemons.len() <= 1
        });
        let mut winner = daemons.pop().expect("one serves");
        for (code, line) in &refused {
            assert!(*code == Some(1) && line.contains("a server listens on it already"), "{code:?} {line}");
        }
        until("it serves", || UnixStream::connect(&path).is_ok());
        Wire::connect_unix(&path).ask("PING\r\n", "PONG\r\n");
        winner.kill().unwrap();
        winner.wait().unwrap();
        fs::remove_file(&path).unwrap();
    }
}

#[test]
fn at_the_stop_a_file_that_is_another_s_by_now_is_left() {
    let (launch, path) = launch();
    let mut daemon = launch.start();
    fs::remove_file(&path).unwrap();
    let _other = UnixListener::bind(&path).unwrap();
    let before = inode(&path);
    daemon.signal(Signal::TERM);
    assert_eq!(daemon.wait(PATIENCE).code(), Some(0));
    assert_eq!(inode(&path), before);
}

#[test]
fn nc_talks_to_it() {
    if !need("nc") {
        return;
    }
    let (launch, path) = launch();
    let _daemon = launch.start();
    let mut nc = Command::new("nc");
    nc.arg("-N").arg("-U").arg(&path).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut nc = nc.spawn().unwrap();
    nc.stdin.take().unwrap().write_all(b"SET k v\r\nGET k\r\n").unwrap();
    assert_eq!(nc.wait_with_output().unwrap().stdout, b"OK\r\nVALUE v\r\n");
}

#[test]
fn redis_cli_talks_to_it() {
    if !need("redis-cli") {
        return;
    }
    let (launch, path) = launch();
    let _daemon = launch.start();
    let ask = |arguments: &[&str]| {
        let output = Command::new("redis-cli").arg("-s").arg(&path).args(arguments).output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    assert_eq!(ask(&["SET", "k", "v"]), "OK\n");
    assert_eq!(ask(&["GET", "k"]), "v\n");
    assert!(ask(&["CLIENT", "LIST"]).contains(&format!("addr={}:0", path.display())));
}

#[test]
fn the_command_line_and_its_bench_talk_to_it() {
    let (launch, path) = launch();
    let daemon = launch.start();
    let run = |arguments: &str| {
        let addr = format!("unix:{}", path.display());
        cli().arg("--addr").arg(addr).args(arguments.split(' ')).output().unwrap()
    };
    assert_eq!(run("set k v").stdout, b"OK\n");
    assert_eq!(run("get k").stdout, b"v\n");
    let bench = run("bench --requests 1000 --clients 4 --json");
    assert!(bench.status.success(), "{bench:?}");
    assert!(daemon.wire().info_number("total_commands") >= 1002);
    daemon.stop();
    let refused = run("ping");
    let stderr = String::from_utf8_lossy(&refused.stderr);
    assert!(stderr.contains(&format!("cannot connect to unix:{}", path.display())), "{stderr}");
}
