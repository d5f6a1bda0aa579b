//! A network of two machines, whose link can be cut.

use std::ffi::OsStr;
use std::fs::File;
use std::net::Ipv4Addr;
use std::os::fd::AsFd;
use std::process;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;

use rustix::process::geteuid;
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use crate::as_root;
use crate::need_that;

/// The server's machine and the clients', each a network namespace; they go when this is dropped.
#[derive(Debug)]
pub struct Network {
    names: [String; 2],
}

impl Network {
    /// The address of the server's machine.
    pub const SERVER: Ipv4Addr = Ipv4Addr::new(10, 213, 0, 1);

    const CLIENTS: Ipv4Addr = Ipv4Addr::new(10, 213, 0, 2);

    /// Sets it up, unless this process may not: it says so then.
    ///
    /// # Panics
    /// It may not, and `RUSTVAULT_REQUIRE_ALL=1` is set.
    pub fn set_up() -> Option<Self> {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let network =
            Self { names: ["server", "clients"].map(|end| format!("rv-{}-{number}-{end}", process::id())) };
        // Threads of this process go there, so the right to run `ip` as root is not enough.
        let is_there = geteuid().is_root() && network.connect();
        need_that("root, and network namespaces (ip, veth)", is_there).then_some(network)
    }

    fn connect(&self) -> bool {
        let [server, clients] = &self.names;
        [
            format!("netns add {server}"),
            format!("netns add {clients}"),
            format!("-n {server} link add link0 type veth peer name link0 netns {clients}"),
            format!("-n {server} addr add {}/24 dev link0", Self::SERVER),
            format!("-n {clients} addr add {}/24 dev link0", Self::CLIENTS),
            format!("-n {server} link set lo up"),
            format!("-n {server} link set link0 up"),
            format!("-n {clients} link set link0 up"),
        ]
        .iter()
        .all(|line| ip(line))
    }

    /// Runs something on the server's machine; sockets and processes that it makes stay there.
    pub fn on_server<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        within(&self.names[0], work)
    }

    /// As [`on_server`](Self::on_server), on the clients' machine.
    pub fn on_clients<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        within(&self.names[1], work)
    }

    /// Cuts the link: neither end hears of the other again, nor of its end.
    ///
    /// # Panics
    /// There is none.
    pub fn cut(&self) {
        assert!(ip(&format!("-n {} link set link0 down", self.names[1])), "there is a link");
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        for name in &self.names {
            ip(&format!("netns del {name}"));
        }
    }
}

fn within<T: Send>(name: &str, work: impl FnOnce() -> T + Send) -> T {
    let enter = || {
        let namespace = File::open(format!("/run/netns/{name}")).expect("it was made");
        move_into_link_name_space(namespace.as_fd(), Some(LinkNameSpaceType::Network))
            .expect("root may go there");
        work()
    };
    // On a thread of its own, which never has to come back.
    thread::scope(|scope| scope.spawn(enter).join()).unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

fn ip(line: &str) -> bool {
    let args: Vec<&OsStr> = line.split(' ').map(OsStr::new).collect();
    as_root("ip", &args)
}
