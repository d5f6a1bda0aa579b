//! Answers that may be large: the values of many keys, and keys that match. What they hold is bounded.

use std::io;

use bytes::BytesMut;
use rustvault_protocol::{ErrorCode, ErrorReply, GlobMatch, Reply};
use rustvault_storage::engine::{BatchStore, Op, Outcome, Sight};
use rustvault_storage::{Error, Key, Lsn, ScanPage};
use tokio::task::yield_now;

use super::Responder;
use crate::closing::{CloseReason, Closing};
use crate::commands::{CountOf, MAX_STEP_KEYS, Payload, Refusal, integer, store_error, too_large_a_list};
use crate::outbox;

/// Keys of a scan that are listed before other connections have a turn.
const SCAN_KEYS_PER_TURN: usize = 500;

/// Keys of too many for one step whose values are looked up before other connections have a turn.
const GET_KEYS_PER_TURN: usize = 1000;

/// Keys that are looked up again at a time, at most.
const MAX_KEYS_AGAIN: usize = 256;

/// Most keys that one answer lists; to see more, scan.
const MAX_LISTED_KEYS: usize = 1_000_000;

/// Most bytes of keys in a page that takes several turns, unless its first turn alone has more: quoted fourfold they
/// stay below 1 MiB. A page of one turn has the same limit in the store.
const MAX_PAGE_KEY_BYTES: usize = 200 * 1024;

/// Bytes of the pieces in which gathered keys are kept.
const GATHERED_PIECE_BYTES: usize = 256 * 1024;

/// Most bytes that a key takes in an answer beside its own: its length in digits, and two line ends.
const KEY_OVERHEAD_BYTES: usize = 32;

/// Steps of matching keys after which other connections have a turn: some 40 µs.
const MATCHING_STEPS_PER_TURN: usize = 16 * 1024;

/// The page of a scan that was asked for.
#[derive(Debug)]
pub(crate) struct PageOf<'r> {
    /// The beginning: 0, or the end of the page before.
    pub(crate) cursor: u64,
    /// The bytes that its keys begin with.
    pub(crate) prefix: &'r [u8],
    /// Most keys that it has, those counted that do not match.
    pub(crate) limit: usize,
    /// The glob that its keys have to match.
    pub(crate) glob: Option<&'r [u8]>,
}

impl<S: BatchStore> Responder<'_, S> {
    /// Writes the values of `keys` as they were seen at one moment.
    ///
    /// Values beyond what may be held are read again when their turn comes. If one has changed meanwhile, the connection ends.
    pub(super) async fn put_values(
        &mut self,
        keys: &[&[u8]],
        outcome: Result<Outcome, Error>,
    ) -> io::Result<()> {
        match outcome.and_then(seen) {
            Ok(sights) => {
                self.session.protocol().begin_array(sights.len(), self.output);
                self.put_seen(keys, sights).await
            }
            Err(error) => self.put(store_error(&error).into()).await,
        }
    }

    /// Writes the values of more `keys` than one step looks up, some in each turn.
    pub(super) async fn put_values_in_steps(&mut self, keys: &[&[u8]]) -> io::Result<()> {
        let mut is_begun = false;
        for keys_of_turn in keys.chunks(GET_KEYS_PER_TURN) {
            let sights = match self.see_durable(keys_of_turn).await? {
                Ok(sights) => sights,
                Err(error) if is_begun => return Err(io::Error::other(error)),
                Err(error) => return self.put(store_error(&error).into()).await,
            };
            if !is_begun {
                self.session.protocol().begin_array(keys.len(), self.output);
                is_begun = true;
            }
            self.put_seen(keys_of_turn, sights).await?;
            yield_now().await;
        }
        Ok(())
    }

    /// Writes how many of more `keys` than one step takes an operation finds. A step that fails ends it: what the steps
    /// before it did stays done.
    pub(super) async fn put_count_in_steps(&mut self, op: CountOf, keys: &[&[u8]]) -> io::Result<()> {
        let (mut counted, mut depends_on) = (0, Lsn::ZERO);
        for keys in keys.chunks(MAX_STEP_KEYS) {
            match self.count_step(op(keys)).await {
                Ok((found, step_depends_on)) => {
                    counted += found;
                    depends_on = depends_on.max(step_depends_on);
                }
                Err(error) if counted == 0 => return self.put(store_error(&error).into()).await,
                Err(error) => return self.put(half_done(counted, &error).into()).await,
            }
            yield_now().await;
        }
        let waited = self.shared.store.wait_for_commit(depends_on).await;
        self.put_or_refuse(waited.map(|()| integer(counted))).await
    }

    /// Carries out an operation whose outcome is a number of keys.
    async fn count_step(&self, op: Op<'_>) -> Result<(u64, Lsn), Error> {
        match self.ask(op).await? {
            (Outcome::Count(keys), depends_on) => Ok((keys, depends_on)),
            _ => Err(Error::Internal("keys were counted, and another outcome came")),
        }
    }

    /// Looks up `keys` at one moment, and waits until what was seen may be shown. What stands before it leaves meanwhile.
    async fn see_durable(&mut self, keys: &[&[u8]]) -> io::Result<Result<Vec<Sight>, Error>> {
        let (sights, depends_on) = match self.see(keys).await {
            Ok(seen) => seen,
            Err(error) => return Ok(Err(error)),
        };
        if depends_on > self.shared.store.reply_watermark() {
            self.flush().await?;
        }
        Ok(self.shared.store.wait_for_commit(depends_on).await.map(|()| sights))
    }

    /// Looks up `keys` at one moment.
    async fn see(&self, keys: &[&[u8]]) -> Result<(Vec<Sight>, Lsn), Error> {
        let op = Op::GetManyWithin { keys, max_bytes: self.shared.max_output_bytes };
        let (outcome, depends_on) = self.ask(op).await?;
        Ok((seen(outcome)?, depends_on))
    }

    /// Writes the values that are held, then those that are not, as they are looked up again.
    async fn put_seen(&mut self, keys: &[&[u8]], mut sights: Vec<Sight>) -> io::Result<()> {
        let held = held_front(&sights);
        let not_held = sights.split_off(held);
        self.put_sights(sights).await?;
        let (mut keys, mut earlier) = (keys.get(held..).unwrap_or_default(), not_held.as_slice());
        while !earlier.is_empty() {
            self.flush().await?;
            let piece = self.look_again(keys, earlier).await?;
            (keys, earlier) =
                (keys.get(piece.len()..).unwrap_or_default(), earlier.get(piece.len()..).unwrap_or_default());
            self.put_sights(piece).await?;
            yield_now().await;
        }
        Ok(())
    }

    async fn put_sights(&mut self, sights: Vec<Sight>) -> io::Result<()> {
        let items = sights.into_iter().map(|sight| match sight {
            Sight::Value(value) => Reply::Bulk(Payload::Value(value)),
            Sight::Missing | Sight::NotHeld(_) => Reply::Null,
        });
        self.put_items(items).await
    }

    /// Looks up some of the first `keys` again, at least one, of which this is what was seen earlier.
    async fn look_again(&self, keys: &[&[u8]], earlier: &[Sight]) -> io::Result<Vec<Sight>> {
        let keys = keys.get(..MAX_KEYS_AGAIN).unwrap_or(keys);
        let (mut sights, _) = self.see(keys).await.map_err(io::Error::other)?;
        sights.truncate(held_front(&sights));
        for (sight, earlier) in sights.iter_mut().zip(earlier) {
            match (&*sight, earlier) {
                (_, Sight::Missing) => *sight = Sight::Missing,
                (Sight::Value(value), Sight::NotHeld(lsn)) if value.lsn() == *lsn => {}
                _ => return Err(overwritten().into()),
            }
        }
        Ok(sights)
    }

    /// Carries out one operation.
    pub(crate) async fn ask(&self, op: Op<'_>) -> Result<(Outcome, Lsn), Error> {
        let mut replies = Vec::with_capacity(1);
        drop(self.shared.store.submit(&[op], usize::MAX, &mut replies).await);
        let reply = replies.pop().ok_or(Error::Internal("an operation got no reply"))?;
        Ok((reply.outcome?, reply.depends_on))
    }

    /// Returns some of the keys that begin with `prefix`, from `cursor` on, and what that depends on.
    async fn scan(&self, cursor: u64, prefix: &[u8], limit: usize) -> Result<(ScanPage, Lsn), Error> {
        match self.ask(Op::Scan { cursor, prefix, limit }).await? {
            (Outcome::Page(page), depends_on) => Ok((page, depends_on)),
            _ => Err(Error::Internal("a scan gave another outcome")),
        }
    }

    /// Returns a page of a scan: the cursor of the next one, and its keys without those that do not match.
    pub(crate) async fn page<'p>(
        &mut self,
        asked: &PageOf<'_>,
    ) -> Result<(u64, Vec<Reply<Payload<'p>>>), Error> {
        let page = self.collect_page(asked).await?;
        let mut keys = Vec::with_capacity(page.keys.len());
        let mut matcher = asked.glob.map(Matcher::new);
        for key in page.keys {
            let matches = match &mut matcher {
                Some(matcher) => matcher.matches(&key).await,
                None => true,
            };
            if matches {
                keys.push(Reply::Bulk(Payload::Key(key)));
            }
        }
        Ok((page.next_cursor, keys))
    }

    /// Collects a page by several scans. It ends with one that lists less than it may: the store has its own limits.
    async fn collect_page(&self, asked: &PageOf<'_>) -> Result<ScanPage, Error> {
        let &PageOf { cursor, prefix, limit, .. } = asked;
        let key_bytes = |page: &ScanPage| page.keys.iter().map(|key| key.len()).sum::<usize>();
        let wanted = SCAN_KEYS_PER_TURN.min(limit);
        let (mut page, mut depends_on) = self.scan(cursor, prefix, wanted).await?;
        let (mut bytes, mut was_full) = (key_bytes(&page), page.keys.len() >= wanted);
        while was_full && page.next_cursor != 0 && page.keys.len() < limit {
            yield_now().await;
            let wanted = SCAN_KEYS_PER_TURN.min(limit - page.keys.len());
            let (next, next_depends_on) = self.scan(page.next_cursor, prefix, wanted).await?;
            bytes += key_bytes(&next);
            if bytes > MAX_PAGE_KEY_BYTES {
                break;
            }
            was_full = next.keys.len() >= wanted;
            page.keys.extend(next.keys);
            page.next_cursor = next.next_cursor;
            depends_on = depends_on.max(next_depends_on);
        }
        self.shared.store.wait_for_commit(depends_on).await?;
        Ok(page)
    }

    /// Writes the keys that match `glob`, all of which begin with `prefix`.
    pub(crate) async fn put_keys(&mut self, prefix: &[u8], glob: &[u8]) -> io::Result<()> {
        match self.gather(prefix, glob).await {
            Ok(_) if self.is_muted => Ok(()),
            Ok(gathered) => {
                self.session.protocol().begin_array(gathered.keys, self.output);
                self.flush().await?;
                for mut piece in gathered.full.into_iter().chain([gathered.last]) {
                    outbox::write_all(self.stream, &mut piece, &self.session.client).await?;
                }
                Ok(())
            }
            Err(refusal) => self.put(refusal.into()).await,
        }
    }

    /// Gathers copies of the keys, page by page. How many they are stands in front of them, so none leaves before all are
    /// there.
    async fn gather(&self, prefix: &[u8], glob: &[u8]) -> Result<Gathered, Refusal> {
        let (mut gathered, mut cursor, mut depends_on) = (Gathered::default(), 0, Lsn::ZERO);
        let mut matcher = Matcher::new(glob);
        let refusal = loop {
            let scan = self.scan(cursor, prefix, SCAN_KEYS_PER_TURN).await;
            let (ScanPage { next_cursor, keys, .. }, page_depends_on) =
                scan.map_err(|error| Box::new(store_error(&error)))?;
            depends_on = depends_on.max(page_depends_on);
            if let Some(refusal) = self.add_matching(keys, &mut matcher, &mut gathered).await {
                break Some(refusal);
            }
            if next_cursor == 0 {
                break None;
            }
            cursor = next_cursor;
            yield_now().await;
        };
        // Also a refusal tells of keys that are there.
        let waited = self.shared.store.wait_for_commit(depends_on).await;
        waited.map_err(|error| Box::new(store_error(&error)))?;
        refusal.map_or(Ok(gathered), Err)
    }

    /// Adds those keys that match.
    async fn add_matching(
        &self,
        keys: Vec<Key>,
        matcher: &mut Matcher<'_>,
        gathered: &mut Gathered,
    ) -> Option<Refusal> {
        let max_bytes = self.shared.max_output_bytes;
        for key in keys {
            if matcher.matches(&key).await {
                gathered.keys += 1;
                let piece = gathered.piece_for(key.len());
                let before_bytes = piece.len();
                self.session.protocol().encode(&Reply::Bulk(&key), piece);
                let key_bytes = piece.len() - before_bytes;
                gathered.bytes += key_bytes;
            }
            if gathered.keys > MAX_LISTED_KEYS {
                return Some(Box::new(store_error(&Error::TooManyKeys { max_keys: MAX_LISTED_KEYS })));
            }
            if gathered.bytes > max_bytes {
                return Some(too_large_a_list(max_bytes));
            }
        }
        None
    }
}

/// Matches keys with a glob; that may be long work, so other connections have their turns in between.
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

/// Keys as they stand on the wire.
#[derive(Debug, Default)]
struct Gathered {
    /// Pieces of the answer that have no more room. One buffer for all would be copied as it grows, and hold twice as much.
    full: Vec<BytesMut>,
    last: BytesMut,
    /// Bytes in all pieces.
    bytes: usize,
    keys: usize,
}

impl Gathered {
    /// The piece that has room for a key of so many bytes.
    fn piece_for(&mut self, key_bytes: usize) -> &mut BytesMut {
        let wanted_bytes = key_bytes + KEY_OVERHEAD_BYTES;
        if self.last.capacity() - self.last.len() < wanted_bytes {
            let next = BytesMut::with_capacity(GATHERED_PIECE_BYTES.max(wanted_bytes));
            self.full.push(std::mem::replace(&mut self.last, next));
        }
        &mut self.last
    }
}

fn seen(outcome: Outcome) -> Result<Vec<Sight>, Error> {
    match outcome {
        Outcome::Seen(sights) => Ok(sights),
        _ => Err(Error::Internal("a look-up of several keys gave another outcome")),
    }
}

/// Returns how many sights stand before the first value that is not held.
fn held_front(sights: &[Sight]) -> usize {
    sights.iter().position(|sight| matches!(sight, Sight::NotHeld(_))).unwrap_or(sights.len())
}

/// Says that a step has failed after others were carried out. The code is the only one that does not promise that nothing was.
fn half_done(counted: u64, error: &Error) -> ErrorReply {
    let message = format_args!(
        "{error}; of the keys before that, {counted} were there, and what was asked for was done to them"
    );
    ErrorReply::new(ErrorCode::Storage, message)
}

fn overwritten() -> Closing {
    let detail = "values of one answer were overwritten before the client had read those before them; ask for fewer keys, or raise \
        --max-output-bytes";
    Closing::new(CloseReason::OutputLimit, detail)
}
