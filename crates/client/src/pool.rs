//! A pool: several clients of one server, given out in turn.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::{Client, Error, Options};

/// Several clients of one server, for programs that need more than one pair of connections.
///
/// One [`Client`] already serves many tasks at once; a pool helps when a single connection task is at its
/// limit, or when large values should not hold up small ones. Cloning a pool is cheap and shares its
/// clients.
#[derive(Debug, Clone)]
pub struct Pool {
    shared: Arc<PoolInner>,
}

#[derive(Debug)]
struct PoolInner {
    clients: Vec<Client>,
    next: AtomicUsize,
}

impl Pool {
    /// Connects `size` clients, at least one; each has up to two connections.
    ///
    /// # Errors
    ///
    /// As [`Client::connect_with`]: the first client that cannot connect fails them all.
    pub async fn connect(addr: impl AsRef<str>, size: usize, options: Options) -> Result<Self, Error> {
        let mut clients = Vec::new();
        for _ in 0..size.max(1) {
            clients.push(Client::connect_with(addr.as_ref(), options.clone()).await?);
        }
        Ok(Self { shared: Arc::new(PoolInner { clients, next: AtomicUsize::new(0) }) })
    }

    /// The next client, in turn.
    ///
    /// A write that one client has awaited is seen by reads of all others.
    pub fn client(&self) -> &Client {
        let PoolInner { clients, next } = &*self.shared;
        &clients[next.fetch_add(1, Ordering::Relaxed) % clients.len()]
    }
}
