//! Lists keys: pages of a scan, and all that match a pattern. Their memory is bounded.

use std::io;

use bytes::BytesMut;
use rustvault_protocol::{GlobMatch, Protocol, Reply, glob_literal_prefix};
use rustvault_storage::batch::{BatchStore, Op, Outcome, PrefixRule};
use rustvault_storage::{Error, Key, KeyPage, Lsn};
use rustvault_users::AllowedKeys;
use tokio::task::yield_now;

use super::Responder;
use crate::commands::{Answer, Payload, Refusal, integer, store_error, too_large_a_list, unexpected};
use crate::outbox;
use crate::session::Login;

/// Keys of a scan that are listed before other connections have a turn.
const SCAN_KEYS_PER_TURN: usize = 500;

/// Most keys that one answer lists; for more, a client has to scan.
const MAX_LISTED_KEYS: usize = 1_000_000;

/// Most bytes of keys in a page, unless its first turn alone has more. Quoting takes four bytes for one at most, so a page
/// stays below 1 MiB. The store has the same limit for one turn.
const MAX_PAGE_KEY_BYTES: usize = 200 * 1024;

/// Size of the buffers for gathered keys.
const GATHERED_PIECE_BYTES: usize = 256 * 1024;

/// Most bytes of a key in an answer beyond its own: its length in digits, and two line ends.
const KEY_OVERHEAD_BYTES: usize = 32;

/// Steps of pattern matching after which other connections have a turn: some 40 µs.
const MATCHING_STEPS_PER_TURN: usize = 16 * 1024;

/// Request for a page of a scan.
#[derive(Debug)]
pub(crate) struct PageOf<'r> {
    /// Start: 0, or the next cursor of the page before.
    pub(crate) cursor: u64,
    /// Prefix of the keys.
    pub(crate) prefix: &'r [u8],
    /// Most keys in the page, including those that do not match, but not those that the client may not read.
    pub(crate) limit: usize,
    /// Glob that the keys must match; `*` for all.
    pub(crate) glob: &'r [u8],
}

impl<S: BatchStore> Responder<'_, S> {
    /// Returns a page of a scan: the cursor of the next one, and the keys that match.
    pub(crate) async fn page(
        &self,
        asked: &PageOf<'_>,
    ) -> Result<(u64, Vec<Reply<Payload<'static>>>), Refusal> {
        let page = self.collect_page(asked).await?;
        let mut keys = Vec::with_capacity(page.keys.len());
        let mut matcher = Matcher::new(asked.glob);
        for key in page.keys {
            if matcher.matches(&key).await {
                keys.push(Reply::Bulk(Payload::Key(key)));
            }
        }
        Ok((page.next_cursor, keys))
    }

    /// Collects a page by several scans. A scan that returns fewer keys than requested ends it: the store reached its own limit.
    async fn collect_page(&self, asked: &PageOf<'_>) -> Result<KeyPage, Refusal> {
        let &PageOf { cursor: next_cursor, prefix, limit, .. } = asked;
        let Some(rules) = rules_of_lists(self.session.login(), prefix) else {
            return Ok(KeyPage { next_cursor: 0, keys: Vec::new() });
        };
        let (mut page, mut bytes, mut depends_on) = (KeyPage { next_cursor, keys: Vec::new() }, 0, Lsn::ZERO);
        loop {
            let wanted = SCAN_KEYS_PER_TURN.min(limit - page.keys.len());
            let (next, next_depends_on) = self.scan(page.next_cursor, prefix, rules, wanted).await?;
            bytes += next.keys.iter().map(|key| key.len()).sum::<usize>();
            if bytes > MAX_PAGE_KEY_BYTES && !page.keys.is_empty() {
                break;
            }
            let was_full = next.keys.len() >= wanted;
            page.keys.extend(next.keys);
            page.next_cursor = next.next_cursor;
            depends_on = depends_on.max(next_depends_on);
            if !was_full || page.next_cursor == 0 || page.keys.len() >= limit {
                break;
            }
            yield_now().await;
        }
        self.wait_for_commit(depends_on).await?;
        Ok(page)
    }

    /// Returns the number of keys that the client may read. It visits all keys, and yields to other connections in between.
    pub(super) async fn count_allowed(&self) -> Answer<'static> {
        let (mut counted, mut depends_on, mut cursor) = (0, Lsn::ZERO, 0);
        if let Some(rules) = rules_of_lists(self.session.login(), b"") {
            loop {
                let (page, page_depends_on) = self.scan(cursor, b"", rules, SCAN_KEYS_PER_TURN).await?;
                counted += page.keys.len();
                depends_on = page_depends_on.max(depends_on);
                cursor = page.next_cursor;
                if cursor == 0 {
                    break;
                }
                yield_now().await;
            }
        }
        self.wait_for_commit(depends_on).await?;
        Ok(integer(counted))
    }

    /// Returns keys that begin with `prefix` and that the rules allow, from `cursor` on, and the LSN that they depend on.
    async fn scan(
        &self,
        cursor: u64,
        prefix: &[u8],
        rules: &[PrefixRule],
        limit: usize,
    ) -> Result<(KeyPage, Lsn), Refusal> {
        match self.ask(Op::Scan { cursor, prefix, rules, limit }).await? {
            (Outcome::Page(page), depends_on) => Ok((page, depends_on)),
            _ => Err(unexpected()),
        }
    }

    /// Writes the keys that match `glob`.
    pub(super) async fn put_matching(&mut self, glob: &[u8]) -> io::Result<()> {
        let mut depends_on = Lsn::ZERO;
        let gathered = self.gather(glob, &mut depends_on).await;
        // A refusal reveals that keys exist, too, so it also waits.
        match self.wait_for_commit(depends_on).await.and(gathered) {
            Ok(gathered) => {
                self.session.protocol().begin_array(gathered.keys, self.output);
                self.flush().await?;
                for mut piece in gathered.full.into_iter().chain([gathered.last]) {
                    outbox::write_all(self.transport, &mut piece, &self.session.client).await?;
                }
                self.release_output();
                Ok(())
            }
            Err(refusal) => {
                self.release_output();
                self.put(refusal.into()).await
            }
        }
    }

    /// Gathers copies of the matching keys, page by page. Their number comes first in the answer, so nothing is sent before all
    /// are gathered.
    async fn gather(&mut self, glob: &[u8], depends_on: &mut Lsn) -> Result<Gathered, Refusal> {
        let (mut gathered, mut matcher, mut cursor) = (Gathered::default(), Matcher::new(glob), 0);
        let (login, prefix) = (self.session.login().clone(), glob_literal_prefix(glob));
        let Some(rules) = rules_of_lists(&login, prefix) else { return Ok(gathered) };
        loop {
            let (page, page_depends_on) = self.scan(cursor, prefix, rules, SCAN_KEYS_PER_TURN).await?;
            *depends_on = page_depends_on.max(*depends_on);
            for key in &page.keys {
                if matcher.matches(key).await {
                    gathered.add(key, self.session.protocol());
                    gathered.check(self.engine.config().max_output_bytes)?;
                }
            }
            self.claim_output(gathered.bytes)?;
            if page.next_cursor == 0 {
                return Ok(gathered);
            }
            cursor = page.next_cursor;
            yield_now().await;
        }
    }
}

/// Returns the rules that decide which keys with a prefix lists show, none for all of them; `None` if they show no key.
fn rules_of_lists<'l>(login: &'l Login, prefix: &[u8]) -> Option<&'l [PrefixRule]> {
    match login.readable_keys(prefix) {
        AllowedKeys::All => Some(&[]),
        AllowedKeys::Some(rules) => Some(rules),
        AllowedKeys::None => None,
    }
}

/// Matches keys with a glob, and yields to other connections in between, because matching may take long.
struct Matcher<'g> {
    glob: &'g [u8],
    steps_left: usize,
}

impl<'g> Matcher<'g> {
    const fn new(glob: &'g [u8]) -> Self {
        Self { glob, steps_left: MATCHING_STEPS_PER_TURN }
    }

    async fn matches(&mut self, key: &[u8]) -> bool {
        let mut matching = GlobMatch::new(self.glob, key);
        loop {
            if let Some(matches) = matching.advance(&mut self.steps_left) {
                return matches;
            }
            self.steps_left = MATCHING_STEPS_PER_TURN;
            yield_now().await;
        }
    }
}

/// Keys in their encoded form.
#[derive(Debug, Default)]
struct Gathered {
    /// Full buffers. A single growing buffer would be copied again and again, and take up to twice the memory.
    full: Vec<BytesMut>,
    last: BytesMut,
    /// Bytes in all buffers.
    bytes: usize,
    keys: usize,
}

impl Gathered {
    fn add(&mut self, key: &Key, protocol: Protocol) {
        let wanted_bytes = key.len() + KEY_OVERHEAD_BYTES;
        if self.last.capacity() - self.last.len() < wanted_bytes {
            let next = BytesMut::with_capacity(GATHERED_PIECE_BYTES.max(wanted_bytes));
            self.full.push(std::mem::replace(&mut self.last, next));
        }
        let before_bytes = self.last.len();
        protocol.encode(&Reply::Bulk(key), &mut self.last);
        self.bytes += self.last.len() - before_bytes;
        self.keys += 1;
    }

    fn check(&self, max_bytes: usize) -> Result<(), Refusal> {
        if self.keys > MAX_LISTED_KEYS {
            return Err(store_error(Error::TooManyKeys { max_keys: MAX_LISTED_KEYS }));
        }
        if self.bytes > max_bytes { Err(too_large_a_list(max_bytes)) } else { Ok(()) }
    }
}
