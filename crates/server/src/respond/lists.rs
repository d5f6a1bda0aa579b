//! Answers that may be large: the values of many keys, and keys that match. What they hold is bounded.

use std::io;

use bytes::BytesMut;
use rustvault_protocol::{ErrorCode, GlobMatch, Response, Shape};
use rustvault_storage::{Error, Key, Lsn, Op, Outcome, ScanPage, Sight, Store};
use tokio::task::yield_now;

use super::Responder;
use crate::batch::{PageInTurns, SCAN_KEYS_PER_TURN};
use crate::closing::{CloseReason, Closing};
use crate::execute::{self, Field};
use crate::outbox;

/// Keys of an `MGET` that are looked up before other connections have a turn, if it is no snapshot.
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

impl<S: Store> Responder<'_, S> {
    /// Writes the values of `keys` as they were seen at one moment.
    ///
    /// What was not held then is looked up again, piece by piece, once all before it was written: a value that nobody
    /// has changed is the one that was seen. One that was changed would have had to be held, and that ends the connection.
    pub(super) async fn put_values(&mut self, keys: &[&[u8]], sights: Vec<Sight>) -> io::Result<()> {
        self.dialect.begin_list(sights.len(), self.output);
        self.put_seen(keys, sights).await
    }

    /// Writes the values of more `keys` than one snapshot has, some in each turn.
    pub(super) async fn put_values_in_turns(&mut self, keys: &[&[u8]]) -> io::Result<()> {
        let mut is_begun = false;
        for keys_of_turn in keys.chunks(GET_KEYS_PER_TURN) {
            let sights = match self.see_durable(keys_of_turn).await? {
                Ok(sights) => sights,
                Err(error) if is_begun => return Err(io::Error::other(error)),
                Err(error) => return self.put(execute::store_error(&error), Shape::Plain).await,
            };
            if !is_begun {
                self.dialect.begin_list(keys.len(), self.output);
                is_begun = true;
            }
            self.put_seen(keys_of_turn, sights).await?;
            yield_now().await;
        }
        Ok(())
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
        match self.ask(Op::GetManyWithin { keys, max_bytes: self.shared.max_output_bytes }).await? {
            (Outcome::Seen(sights), depends_on) => Ok((sights, depends_on)),
            _ => Err(Error::Internal("a look-up of several keys gave another outcome")),
        }
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
            Sight::Value(value) => Some(Field::Value(value)),
            Sight::Missing | Sight::NotHeld(_) => None,
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

    /// Carries out one operation that writes nothing.
    async fn ask(&self, op: Op<'_>) -> Result<(Outcome, Lsn), Error> {
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

    /// Writes a page of a scan that may have more keys than one turn lists.
    pub(super) async fn put_page_in_turns(&mut self, asked: &PageInTurns<'_>) -> io::Result<()> {
        self.flush().await?;
        let page = self.collect_page(asked).await;
        self.put(execute::response(page.map(Outcome::Page), self.shared), asked.shape).await
    }

    /// Collects a page by several scans. It ends with one that lists less than it may: the store has its own limits.
    async fn collect_page(&self, asked: &PageInTurns<'_>) -> Result<ScanPage, Error> {
        let &PageInTurns { cursor, prefix, limit, .. } = asked;
        let key_bytes = |page: &ScanPage| page.keys.iter().map(|key| key.len()).sum::<usize>();
        let (mut page, mut depends_on) = self.scan(cursor, prefix, SCAN_KEYS_PER_TURN).await?;
        let (mut bytes, mut was_full) = (key_bytes(&page), page.keys.len() >= SCAN_KEYS_PER_TURN);
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
    pub(super) async fn put_keys(&mut self, prefix: &[u8], glob: &[u8]) -> io::Result<()> {
        self.flush().await?;
        match self.gather(prefix, glob).await {
            Ok(gathered) => {
                self.dialect.begin_list(gathered.keys, self.output);
                self.flush().await?;
                for mut piece in gathered.full.into_iter().chain([gathered.last]) {
                    outbox::write_all(self.stream, &mut piece).await?;
                }
                Ok(())
            }
            Err(refusal) => self.put(refusal, Shape::Plain).await,
        }
    }

    /// Encodes a page of a scan, a cursor and keys, without the keys that do not match.
    pub(super) async fn put_matching_page(&mut self, page: Vec<Option<Field>>, glob: &[u8]) {
        let (mut page, mut matcher) = (page.into_iter(), Matcher::new(glob));
        let mut items: Vec<_> = page.next().into_iter().collect();
        for key in page.flatten() {
            if matcher.matches(key.as_ref()).await {
                items.push(Some(key));
            }
        }
        self.put_small(&Response::List(items), &Shape::Page { glob: None });
    }

    /// Gathers copies of the keys, page by page. How many they are stands in front of them, so none leaves before all are
    /// there.
    async fn gather(&self, prefix: &[u8], glob: &[u8]) -> Result<Gathered, Response<Field>> {
        let (mut gathered, mut cursor, mut depends_on) = (Gathered::default(), 0, Lsn::ZERO);
        let mut matcher = Matcher::new(glob);
        let refusal = loop {
            let scan = self.scan(cursor, prefix, SCAN_KEYS_PER_TURN).await;
            let (ScanPage { next_cursor, keys, .. }, page_depends_on) =
                scan.map_err(|error| execute::store_error(&error))?;
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
        waited.map_err(|error| execute::store_error(&error))?;
        refusal.map_or(Ok(gathered), Err)
    }

    /// Adds those keys that match.
    async fn add_matching(
        &self,
        keys: Vec<Key>,
        matcher: &mut Matcher<'_>,
        gathered: &mut Gathered,
    ) -> Option<Response<Field>> {
        let max_bytes = self.shared.max_output_bytes;
        for key in keys {
            if matcher.matches(&key).await {
                gathered.keys += 1;
                let piece = gathered.piece_for(key.len());
                let before_bytes = piece.len();
                self.dialect.encode(&Response::Value(Field::Key(key)), &Shape::Plain, piece);
                let key_bytes = piece.len() - before_bytes;
                gathered.bytes += key_bytes;
            }
            if gathered.keys > MAX_LISTED_KEYS {
                return Some(execute::store_error(&Error::TooManyKeys { max_keys: MAX_LISTED_KEYS }));
            }
            if gathered.bytes > max_bytes {
                let text = format!(
                    "the keys that match take more than {max_bytes} bytes; walk them with SCAN, or raise --max-output-bytes"
                );
                return Some(execute::error(ErrorCode::TooLarge, text));
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

/// Returns how many sights stand before the first value that is not held.
fn held_front(sights: &[Sight]) -> usize {
    sights.iter().position(|sight| matches!(sight, Sight::NotHeld(_))).unwrap_or(sights.len())
}

fn overwritten() -> Closing {
    let detail = "values of an MGET were overwritten before the client had read those before them; ask for fewer keys, or raise \
        --max-output-bytes";
    Closing::new(CloseReason::OutputLimit, detail)
}
