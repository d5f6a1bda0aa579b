//! Passwords that are guessed, and clients that never log in.

use std::fs;
use std::io::{self, BufRead, BufReader, Write};
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4, TcpStream};
use std::sync::PoisonError;
use std::thread;
use std::time::{Duration, Instant};

use rustix::net::{AddressFamily, SocketType, bind, connect, socket};
use rustvault_tests::{Daemon, Launch, WellBehaved, Wire, until};

use super::TURN;

const PASSWORD: &str = "correct-horse";

/// More than the server's queue has room for.
const ATTACKERS: u8 = 80;
const GUESSES_EACH: u16 = 20;

const WAIT_LIMIT: Duration = Duration::from_secs(2);

/// By how much the daemon's memory may grow: a password takes 19 MiB, one at a time.
const GROWTH_LIMIT_BYTES: u64 = 64 * 1024 * 1024;

fn start() -> Daemon {
    let launch = Launch::new();
    let path = launch.folder().join("password");
    fs::write(&path, PASSWORD).expect("the folder can be written");
    launch.with_args(&format!("--password-file {}", path.display())).start()
}

fn log_in(daemon: &Daemon) -> Wire {
    let mut wire = daemon.wire();
    wire.ask(format!("AUTH {PASSWORD}\r\n"), "OK\r\n");
    wire
}

/// Connects from one of loopback's 16 million addresses.
fn connect_from(from: Ipv4Addr, to: SocketAddr) -> TcpStream {
    let socket = socket(AddressFamily::INET, SocketType::STREAM, None).expect("a socket");
    bind(&socket, &SocketAddrV4::new(from, 0)).expect("loopback has this address");
    connect(&socket, &to).expect("the server listens");
    socket.into()
}

/// Guesses once on each of so many connections; returns how many were answered that the password is wrong.
///
/// All guesses differ: the server checks the same one once for all who ask meanwhile.
fn guess(addr: SocketAddr, attacker: u8, from: impl Fn(u16) -> Ipv4Addr) -> usize {
    let answer = |number| {
        let mut stream = connect_from(from(number), addr);
        stream.write_all(format!("AUTH guess-{attacker}-{number}\r\n").as_bytes()).expect("it is connected");
        let mut line = String::new();
        BufReader::new(stream).read_line(&mut line).expect("there is an answer");
        line
    };
    let is_wrong = |line: String| {
        let is_wrong = line.starts_with("ERROR DENIED ");
        assert!(is_wrong || line.starts_with("ERROR BUSY too many "), "{line}");
        is_wrong
    };
    (0..GUESSES_EACH).map(answer).filter(|line| is_wrong(line.clone())).count()
}

/// Has attackers guess, each from its own addresses, while others work and log in; returns how many guesses were checked, and
/// how many were refused because the queue was full.
fn withstand(from: impl Fn(u8, u16) -> Ipv4Addr + Sync) -> (usize, u64) {
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let daemon = start();
    let before_bytes = daemon.resident_bytes();
    let working = WellBehaved::begin_on(log_in(&daemon), daemon.pid());
    let (addr, from, start) = (daemon.addr(), &from, Instant::now());
    let wrong = thread::scope(|scope| {
        let attackers: Vec<_> = (0..ATTACKERS)
            .map(|attacker| scope.spawn(move || guess(addr, attacker, |number| from(attacker, number))))
            .collect();
        let mut longest = Duration::ZERO;
        while attackers.iter().any(|attacker| !attacker.is_finished()) {
            let before = Instant::now();
            log_in(&daemon);
            longest = longest.max(before.elapsed());
        }
        assert!(longest <= WAIT_LIMIT, "a login took {longest:?}");
        attackers.into_iter().map(|attacker| attacker.join().expect("every answer is right")).sum()
    });
    let guesses = usize::from(ATTACKERS) * usize::from(GUESSES_EACH);
    let guesses_per_second = guesses as f64 / start.elapsed().as_secs_f64();
    let experience = working.end();
    let grown_bytes = experience.peak_bytes.saturating_sub(before_bytes);
    println!(
        "{guesses} guesses, {guesses_per_second:.0} a second, {wrong} of them checked; {} answers, longest {:.1?}; memory grew by {:.1} MiB",
        experience.answers(),
        experience.longest(),
        grown_bytes as f64 / (1024.0 * 1024.0)
    );
    assert!(experience.longest() <= WAIT_LIMIT, "an answer took {:?}", experience.longest());
    assert!(grown_bytes <= GROWTH_LIMIT_BYTES, "memory grew by {grown_bytes} bytes");
    let mut wire = log_in(&daemon);
    experience.check(&mut wire);
    assert_eq!(wire.info_number("failed_logins"), wrong as u64);
    (wrong, wire.info_number("refused_logins"))
}

#[test]
fn guesses_from_one_address_are_refused_after_a_few_and_cost_nobody_else() {
    let (wrong, _) = withstand(|_, _| Ipv4Addr::new(127, 9, 9, 9));
    // Ten at once, those that were pending then, and one each six seconds.
    assert!((10..100).contains(&wrong), "{wrong} guesses were checked");
}

#[test]
fn guesses_from_sixteen_hundred_addresses_cost_nobody_else() {
    let (wrong, refused) = withstand(|attacker, number| {
        let [high, low] = number.to_be_bytes();
        Ipv4Addr::new(127, attacker + 1, high, low)
    });
    assert!(wrong > 0 && refused > 0, "{wrong} guesses were checked, {refused} were refused");
}

#[test]
fn clients_that_do_not_log_in_are_disconnected_after_five_seconds() {
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let daemon = start();
    let mut logged_in = log_in(&daemon);
    let mut silent = daemon.wire();
    let mut busy = daemon.wire();
    let unread = daemon.wire();
    let start = Instant::now();
    // It goes on asking, and this one reads no answer.
    let asking = "GET k\r\n".repeat(100);
    let sender = thread::spawn(move || {
        let mut unread = unread;
        while unread.try_send("GET k\r\n".repeat(10_000)).is_ok() {}
    });
    while busy.try_send(&asking).is_ok() && busy.try_line().is_some() {
        thread::sleep(Duration::from_millis(10));
    }
    let answer = silent.rest();
    assert_eq!(answer, "ERROR AUTH_REQUIRED no login within 5 seconds; the connection is closed\r\n");
    sender.join().expect("it ends");
    assert!((5..9).contains(&start.elapsed().as_secs()), "{:?}", start.elapsed());
    until("all are counted", || logged_in.info_number("closed_not_logged_in") == 3);
    logged_in.ask("PING\r\n", "PONG\r\n");
}

#[test]
fn clients_that_send_without_a_pause_and_never_log_in_are_disconnected_like_any_other() {
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let daemon = start();
    let mut logged_in = log_in(&daemon);
    // Of the longest requests so few are in a read that the server does not pause in between.
    let asking = format!("PING {}\r\n", "x".repeat(4000)).repeat(1000);
    thread::scope(|scope| {
        for _ in 0..3 {
            let mut sent = TcpStream::connect(daemon.addr()).expect("the server listens");
            let mut read = sent.try_clone().expect("the stream can be shared");
            // It ends with the connection, as an error or not.
            scope.spawn(move || drop(io::copy(&mut read, &mut io::sink())));
            let asking = asking.as_bytes();
            scope.spawn(move || {
                let start = Instant::now();
                while sent.write_all(asking).is_ok() {
                    assert!(start.elapsed() < Duration::from_secs(15), "it is still connected");
                }
            });
        }
    });
    until("all are counted", || logged_in.info_number("closed_not_logged_in") == 3);
}
