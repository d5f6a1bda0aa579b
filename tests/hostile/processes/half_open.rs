//! Clients that vanish without a word.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use rustvault_tests::{Launch, Network, Wire, allow_open_files, until};

use crate::siege::Siege;

/// Two less than the default of `--max-connections`: there are the well-behaved client and the one that watches.
const CLIENTS: usize = 998;

/// Two minutes until the kernel gives a peer up, and the rest of an interval of probes.
const LIMIT: Duration = Duration::from_secs(120 + 20 + 10);

#[test]
fn a_thousand_vanished_clients_give_their_places_back_within_minutes() {
    allow_open_files(3_000);
    let Some(network) = Network::set_up() else { return };
    let launch = Launch::new().with_bind(SocketAddr::from((Network::SERVER, 0)));
    let launch = launch.with_args("--allow-unauthenticated");
    let siege = network.on_server(|| Siege::begin(launch.start()));
    let daemon = siege.daemon();
    let mut watching = network.on_server(|| daemon.wire());
    watching.ask("PING\r\n", "PONG\r\n");
    let vanishing: Vec<Wire> = network.on_clients(|| (0..CLIENTS).map(|_| daemon.wire()).collect());
    until("all are served", || watching.info_number("connections") == CLIENTS as u64 + 2);
    assert!(network.on_server(|| daemon.wire()).rest().starts_with("ERROR TOO_MANY_CONNECTIONS "));
    let cut = Instant::now();
    network.cut();
    while watching.info_number("closed_unreachable") < CLIENTS as u64 {
        assert!(cut.elapsed() < LIMIT, "{} are left", watching.info_number("connections") - 2);
        std::thread::sleep(Duration::from_secs(1));
    }
    let elapsed = cut.elapsed();
    println!("{CLIENTS} vanished clients were found out {elapsed:.1?} after their link was cut");
    network.on_server(|| daemon.wire()).ask("PING\r\n", "PONG\r\n");
    drop(vanishing);
    network.on_server(|| siege.end("vanished clients"));
}
