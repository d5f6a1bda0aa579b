//! Registry of connected clients, which `CLIENT LIST` shows and `CLIENT KILL` disconnects.

mod figures;

use std::collections::BTreeMap;
use std::future::poll_fn;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU16, AtomicU32, AtomicU64, Ordering};
use std::task::Poll;

use futures_util::task::AtomicWaker;
use parking_lot::Mutex;
use rustix::time::{ClockId, clock_gettime};
use rustvault_protocol::{Command, Protocol};
use rustvault_users::{User, Users};

use crate::addr::Addr;
use crate::metrics::ListenerKind;
use figures::ClientFigures;

/// Clients that [`Clients::wake_all`] takes from the list at a time.
const CLIENTS_PER_WAKE: usize = 500;

/// All connected clients, by id.
#[derive(Debug, Default)]
pub(crate) struct Clients {
    next_id: AtomicU64,
    by_id: Mutex<BTreeMap<u64, Arc<ConnectedClient>>>,
}

impl Clients {
    /// Adds a client; dropping the registration removes it.
    pub(crate) fn add(
        self: &Arc<Self>,
        peer: Addr,
        local: Addr,
        listener: ListenerKind,
    ) -> ClientRegistration {
        let id = self.next_id.fetch_add(1, Ordering::Relaxed) + 1;
        let client = Arc::new(ConnectedClient::new(id, peer, local, listener));
        self.by_id.lock().insert(id, Arc::clone(&client));
        ClientRegistration { client, clients: Arc::clone(self) }
    }

    /// Returns up to `limit` clients with ids above `after`, in ascending order of their ids.
    pub(crate) fn page(&self, after: u64, limit: usize) -> Vec<Arc<ConnectedClient>> {
        let by_id = self.by_id.lock();
        by_id.range(after.saturating_add(1)..).take(limit).map(|(_, client)| Arc::clone(client)).collect()
    }

    /// Wakes the tasks of all connections that wait for their clients.
    pub(crate) fn wake_all(&self) {
        let mut after = 0;
        loop {
            // Page by page, so that no client waits long for the lock.
            let page = self.page(after, CLIENTS_PER_WAKE);
            let Some(last) = page.last() else { return };
            after = last.id;
            page.iter().for_each(|client| client.waker.wake());
        }
    }

    /// Forgets the logins of users that are no longer among these.
    ///
    /// A user that is added again under the same name may be somebody else, or have another password for a reason.
    pub(crate) fn forget_removed(&self, users: Option<&Users>) {
        let is_there = |user: &User| users.is_some_and(|users| users.get(&user.name).is_some());
        let mut after = 0;
        loop {
            let page = self.page(after, CLIENTS_PER_WAKE);
            let Some(last) = page.last() else { return };
            after = last.id;
            page.iter().for_each(|client| drop(client.user.lock().take_if(|user| !is_there(user))));
        }
    }

    /// Returns the client with this id.
    pub(crate) fn get(&self, id: u64) -> Option<Arc<ConnectedClient>> {
        self.by_id.lock().get(&id).cloned()
    }
}

/// Entry of a connected client, which is removed when this is dropped.
#[derive(Debug)]
pub(crate) struct ClientRegistration {
    client: Arc<ConnectedClient>,
    clients: Arc<Clients>,
}

impl ClientRegistration {
    /// Returns a handle that may outlive the connection.
    pub(crate) fn share(&self) -> Arc<ConnectedClient> {
        Arc::clone(&self.client)
    }
}

impl std::ops::Deref for ClientRegistration {
    type Target = ConnectedClient;

    fn deref(&self) -> &ConnectedClient {
        &self.client
    }
}

impl Drop for ClientRegistration {
    fn drop(&mut self) {
        self.clients.by_id.lock().remove(&self.client.id);
    }
}

/// Facts of a client that other connections may read.
#[derive(Debug)]
pub(crate) struct ConnectedClient {
    pub(crate) id: u64,
    pub(crate) peer: Addr,
    pub(crate) local: Addr,
    pub(crate) listener: ListenerKind,
    connected_at: u32,
    /// Time of its last batch.
    active_at: AtomicU32,
    /// The last command that was planned.
    last_command: AtomicU16,
    /// Version of RESP in its last batch; 0 for the text protocol.
    resp_version: AtomicU8,
    names: Mutex<Option<Box<ClientNames>>>,
    /// The user that it has logged in as.
    user: Mutex<Option<Arc<User>>>,
    is_killed: AtomicBool,
    is_monitor: AtomicBool,
    pub(crate) figures: ClientFigures,
    waker: AtomicWaker,
}

/// Names that a client has set (`CLIENT SETNAME`, `CLIENT SETINFO`); one that it has not set is empty.
#[derive(Debug, Clone, Default)]
pub(crate) struct ClientNames {
    pub(crate) name: Vec<u8>,
    pub(crate) library_name: Vec<u8>,
    pub(crate) library_version: Vec<u8>,
}

/// Value of `last_command` before the first command.
const NO_COMMAND: u16 = u16::MAX;

impl ConnectedClient {
    /// Makes the facts of a client that no list shows, because it sends no commands.
    pub(crate) fn unlisted(peer: Addr, local: Addr, listener: ListenerKind) -> Self {
        Self::new(0, peer, local, listener)
    }

    fn new(id: u64, peer: Addr, local: Addr, listener: ListenerKind) -> Self {
        let now = seconds();
        Self {
            id,
            peer,
            local,
            listener,
            connected_at: now,
            active_at: AtomicU32::new(now),
            last_command: AtomicU16::new(NO_COMMAND),
            resp_version: AtomicU8::new(0),
            names: Mutex::new(None),
            user: Mutex::new(None),
            is_killed: AtomicBool::new(false),
            is_monitor: AtomicBool::new(false),
            figures: ClientFigures::new(),
            waker: AtomicWaker::new(),
        }
    }

    /// Records that a batch of so many requests came, and its protocol.
    pub(crate) fn begin_batch(&self, protocol: Protocol, requests: usize) {
        self.figures.count_requests(requests);
        self.active_at.store(seconds(), Ordering::Relaxed);
        self.resp_version.store(resp_version(protocol), Ordering::Relaxed);
    }

    /// Records the command that is being planned.
    #[inline]
    pub(crate) fn note_command(&self, command: Command) {
        self.last_command.store(command as u16, Ordering::Relaxed);
    }

    /// Records the user that it is logged in as.
    pub(crate) fn set_user(&self, user: Option<Arc<User>>) {
        *self.user.lock() = user;
    }

    /// Returns the user that it is logged in as.
    pub(crate) fn user(&self) -> Option<Arc<User>> {
        self.user.lock().clone()
    }

    /// Changes the names that it gave itself.
    pub(crate) fn set_names(&self, change: impl FnOnce(&mut ClientNames)) {
        change(self.names.lock().get_or_insert_default());
    }

    pub(crate) fn names(&self) -> ClientNames {
        self.names.lock().as_deref().cloned().unwrap_or_default()
    }

    /// Disconnects it; its answers up to now may or may not arrive.
    pub(crate) fn kill(&self) {
        self.is_killed.store(true, Ordering::Release);
        self.waker.wake();
    }

    pub(crate) fn is_killed(&self) -> bool {
        self.is_killed.load(Ordering::Acquire)
    }

    /// Records whether it is sent what others do.
    pub(crate) fn set_monitor(&self, is_monitor: bool) {
        self.is_monitor.store(is_monitor, Ordering::Relaxed);
    }

    pub(crate) fn is_monitor(&self) -> bool {
        self.is_monitor.load(Ordering::Relaxed)
    }

    /// Waits until it is [killed](Self::kill). One task may wait at a time.
    pub(crate) fn killed(&self) -> impl Future<Output = ()> {
        poll_fn(|context| {
            self.waker.register(context.waker());
            // Checked after the registration: a kill between the two would otherwise wake nobody.
            if self.is_killed() { Poll::Ready(()) } else { Poll::Pending }
        })
    }

    /// Returns the seconds since it connected, and since its last batch.
    pub(crate) fn age_and_idle(&self) -> (u32, u32) {
        let now = seconds();
        let active_at = self.active_at.load(Ordering::Relaxed);
        (now.saturating_sub(self.connected_at), now.saturating_sub(active_at))
    }

    /// Returns the last command that was planned.
    pub(crate) fn last_command(&self) -> Option<Command> {
        Command::ALL.get(usize::from(self.last_command.load(Ordering::Relaxed))).copied()
    }

    /// Returns the version of RESP that it speaks; 0 for the text protocol.
    pub(crate) fn resp_version(&self) -> u8 {
        self.resp_version.load(Ordering::Relaxed)
    }
}

const fn resp_version(protocol: Protocol) -> u8 {
    match protocol {
        Protocol::Text => 0,
        Protocol::Resp2 => 2,
        Protocol::Resp3 => 3,
    }
}

/// Returns the seconds of a monotonic clock. The coarse clock is read without a system call, once for each batch.
fn seconds() -> u32 {
    u32::try_from(clock_gettime(ClockId::MonotonicCoarse).tv_sec).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;
    use std::time::Duration;

    use tokio::time::timeout;

    use super::*;

    fn addr(port: u16) -> Addr {
        SocketAddr::from(([127, 0, 0, 1], port)).into()
    }

    #[test]
    fn a_client_is_listed_as_long_as_it_is_connected() {
        let clients = Arc::new(Clients::default());
        let (first, second) = (
            clients.add(addr(1), addr(9), ListenerKind::Tcp),
            clients.add(addr(2), addr(9), ListenerKind::Tcp),
        );
        let ids = || clients.page(0, 9).iter().map(|client| client.id).collect::<Vec<_>>();
        assert_eq!(ids(), [first.id, second.id]);
        assert_eq!(clients.page(1, 9).len() + clients.page(0, 1).len(), 2);
        drop(first);
        assert_eq!(ids(), [2]);
        assert!(clients.get(1).is_none() && clients.get(2).is_some());
    }

    #[tokio::test]
    async fn every_waiting_task_runs_when_all_are_woken() {
        let clients = Arc::new(Clients::default());
        let all: Vec<_> =
            (0..=2 * CLIENTS_PER_WAKE).map(|_| clients.add(addr(1), addr(9), ListenerKind::Tcp)).collect();
        let begun = Arc::new(AtomicU64::new(0));
        let wait_twice = |client: &ClientRegistration| {
            let (client, begun, mut runs) = (client.share(), Arc::clone(&begun), 0);
            tokio::spawn(poll_fn(move |context| {
                runs += 1;
                begun.fetch_add(1, Ordering::Relaxed);
                if runs > 1 { Poll::Ready(()) } else { std::pin::pin!(client.killed()).poll(context) }
            }))
        };
        let waiting: Vec<_> = all.iter().map(wait_twice).collect();
        while begun.load(Ordering::Relaxed) < all.len() as u64 {
            tokio::task::yield_now().await;
        }
        clients.wake_all();
        for task in waiting {
            timeout(Duration::from_secs(10), task).await.unwrap().unwrap();
        }
    }

    #[tokio::test]
    async fn a_kill_is_noticed_before_during_and_after_the_wait() {
        let client = Arc::new(ConnectedClient::new(1, addr(1), addr(9), ListenerKind::Tcp));
        assert!(timeout(Duration::from_millis(1), client.killed()).await.is_err());
        let waiting = tokio::spawn({
            let client = Arc::clone(&client);
            async move { client.killed().await }
        });
        tokio::task::yield_now().await;
        client.kill();
        waiting.await.unwrap();
        client.killed().await;
    }
}
