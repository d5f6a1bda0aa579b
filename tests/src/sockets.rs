//! Options of a process's sockets, as the kernel has them.

use std::fs;
use std::os::fd::OwnedFd;
use std::time::Duration;

use rustix::io::Errno;
use rustix::net::sockopt;
use rustix::process::{Pid, PidfdFlags, PidfdGetfdFlags, pidfd_getfd, pidfd_open};

use crate::need_that;
use crate::open_files;

/// What a socket does about a peer that does not answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SocketOptions {
    /// Probes of a peer that is silent, if there are any.
    pub keepalive: Option<Keepalive>,
    /// Longest time that written bytes may stay unacknowledged (`TCP_USER_TIMEOUT`).
    pub user_timeout: Duration,
    /// Whether small writes are sent at once (`TCP_NODELAY`).
    pub nodelay: bool,
}

/// The probes of a silent peer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Keepalive {
    /// Silence before the first.
    pub silence: Duration,
    /// Time between two.
    pub interval: Duration,
    /// How many.
    pub probes: u32,
}

/// The options of a process's connection of IPv4 between two ports, its own and the other end's.
///
/// Says so and returns `None` if this process may not look into that one.
///
/// # Panics
/// There is no such connection, or this process may not look and `RUSTVAULT_REQUIRE_ALL=1` is set.
#[track_caller]
pub fn socket_options(pid: u32, port: u16, peer_port: u16) -> Option<SocketOptions> {
    let descriptor = descriptor_of(pid, port, peer_port);
    let socket = match duplicate(pid, descriptor) {
        Err(Errno::PERM | Errno::NOSYS) => {
            need_that("the right to duplicate another process's descriptors", false);
            return None;
        }
        socket => socket.expect("the process runs"),
    };
    let keepalive = || {
        let silence = sockopt::tcp_keepidle(&socket)?;
        let (interval, probes) = (sockopt::tcp_keepintvl(&socket)?, sockopt::tcp_keepcnt(&socket)?);
        Ok::<_, Errno>(Keepalive { silence, interval, probes })
    };
    let has_keepalive = sockopt::socket_keepalive(&socket).expect("it is a socket");
    Some(SocketOptions {
        keepalive: has_keepalive.then(|| keepalive().expect("it is a TCP socket")),
        user_timeout: Duration::from_millis(sockopt::tcp_user_timeout(&socket).expect("it is one").into()),
        nodelay: sockopt::tcp_nodelay(&socket).expect("it is one"),
    })
}

fn duplicate(pid: u32, descriptor: i32) -> rustix::io::Result<OwnedFd> {
    let pid = Pid::from_raw(pid.try_into().expect("a process number")).expect("not 0");
    pidfd_getfd(pidfd_open(pid, PidfdFlags::empty())?, descriptor, PidfdGetfdFlags::empty())
}

#[track_caller]
fn descriptor_of(pid: u32, port: u16, peer_port: u16) -> i32 {
    let table = fs::read_to_string(format!("/proc/{pid}/net/tcp")).expect("the process runs");
    let ends = [port, peer_port].map(|port| format!(":{port:04X}"));
    let inode = table.lines().find_map(|line| {
        let fields: Vec<_> = line.split_whitespace().collect();
        let is_it = fields.get(1)?.ends_with(&ends[0]) && fields.get(2)?.ends_with(&ends[1]);
        is_it.then(|| fields.get(9).map(|inode| format!("socket:[{inode}]")))?
    });
    let inode = inode.unwrap_or_else(|| panic!("no connection from {port} to {peer_port}"));
    let socket = open_files(pid).into_iter().find(|file| file.name.as_os_str() == inode.as_str());
    let handle = socket.expect("the process has it").handle;
    handle.file_name().and_then(|name| name.to_str()).and_then(|name| name.parse().ok()).expect("a number")
}
