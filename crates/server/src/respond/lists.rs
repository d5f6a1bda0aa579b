//! Answers that may be large: the values of many keys, and keys that match. What they hold is bounded.

use std::io;

use bytes::BytesMut;
use rustvault_protocol::{ErrorCode, Response, Shape, glob_matches};
use rustvault_storage::{Error, Key, Lsn, Op, Outcome, ScanPage, Sight, Store};
use tokio::task::yield_now;

use super::Responder;
use crate::closing::{CloseReason, Closing};
use crate::execute::{self, Field};
use crate::outbox;

/// Keys that are looked up again at a time, at most.
const MAX_KEYS_AGAIN: usize = 256;

/// Most keys that one answer lists; to see more, scan.
const MAX_LISTED_KEYS: usize = 1_000_000;

/// Keys of a page while they are gathered.
const KEYS_IN_PAGE: usize = 1000;

/// Bytes of the pieces in which gathered keys are kept.
const GATHERED_PIECE_BYTES: usize = 256 * 1024;

/// Most bytes that a key takes in an answer beside its own: its length in digits, and two line ends.
const KEY_OVERHEAD_BYTES: usize = 32;

/// Bytes of keys that are held against a pattern before other connections have a turn.
const MATCHED_BYTES_PER_TURN: usize = 64 * 1024;

impl<S: Store> Responder<'_, S> {
    /// Writes the values of `keys` as they were seen at one moment.
    ///
    /// What was not held then is looked up again, piece by piece, once all before it was written: a value that nobody
    /// has changed is the one that was seen. One that was changed would have had to be held, and that ends the connection.
    pub(super) async fn put_values(&mut self, keys: &[&[u8]], mut sights: Vec<Sight>) -> io::Result<()> {
        self.dialect.begin_list(sights.len(), self.output);
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
        let op = Op::GetManyWithin { keys, max_bytes: self.shared.max_output_bytes };
        let Ok((Outcome::Seen(mut sights), _)) = self.ask(op).await else {
            return Err(io::Error::other("the store did not look up keys again"));
        };
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

    /// Gathers copies of the keys, page by page. How many they are stands in front of them, so none leaves before all are
    /// there.
    async fn gather(&self, prefix: &[u8], glob: &[u8]) -> Result<Gathered, Response<Field>> {
        let (mut gathered, mut cursor, mut depends_on) = (Gathered::default(), 0, Lsn::ZERO);
        let refusal = loop {
            let op = Op::Scan { cursor, prefix, limit: KEYS_IN_PAGE };
            let (outcome, page_depends_on) =
                self.ask(op).await.map_err(|error| execute::store_error(&error))?;
            depends_on = depends_on.max(page_depends_on);
            let Outcome::Page(ScanPage { next_cursor, keys, .. }) = outcome else {
                return Err(execute::store_error(&Error::Internal("a scan gave another outcome")));
            };
            if let Some(refusal) = self.add_matching(keys, glob, &mut gathered).await {
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

    /// Adds those keys that match; a pattern may make that long work, so others have their turn in between.
    async fn add_matching(
        &self,
        keys: Vec<Key>,
        glob: &[u8],
        gathered: &mut Gathered,
    ) -> Option<Response<Field>> {
        let max_bytes = self.shared.max_output_bytes;
        let mut unyielded_bytes = 0;
        for key in keys {
            unyielded_bytes += key.len();
            if glob_matches(glob, &key) {
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
            if unyielded_bytes >= MATCHED_BYTES_PER_TURN {
                unyielded_bytes = 0;
                yield_now().await;
            }
        }
        None
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
