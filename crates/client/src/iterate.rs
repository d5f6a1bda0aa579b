//! Streams over the keys with a prefix, and over them with their values: one scan for each page.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::vec;

use bytes::Bytes;
use futures_util::stream::{self, Stream, TryStreamExt};

use crate::error::ErrorKind;
use crate::from_reply::unexpected;
use crate::{Client, Commands, Error};

/// Keys asked for with one request of a scan.
const PAGE_KEYS: u32 = 1_000;

/// Values that a scan asks for at first.
const FIRST_GROUP_KEYS: usize = 8;

/// Most values that are asked for, and in memory, at a time.
const MAX_GROUP_KEYS: usize = 64;

/// Wanted size of a group's values: after a larger group the next one asks for fewer.
const GROUP_BYTES: usize = 1024 * 1024;

/// All keys with a prefix; made by [`Client::keys`].
pub type KeyStream = PrefixStream<Bytes>;

/// All keys with a prefix, and their values; made by [`Client::entries`].
pub type EntryStream = PrefixStream<(Bytes, Bytes)>;

/// Items for all keys with a prefix: the keys, or keys with their values.
pub struct PrefixStream<T>(Pin<Box<dyn Stream<Item = Result<T, Error>> + Send>>);

impl KeyStream {
    pub(crate) fn new(client: Client, prefix: &[u8]) -> Self {
        let pages = stream::try_unfold(PrefixScan::new(client, prefix), |mut scan| async move {
            Ok(scan.next_page().await?.map(|keys| (keys, scan)))
        });
        Self(Box::pin(flat(pages)))
    }
}

impl EntryStream {
    pub(crate) fn new(client: Client, prefix: &[u8]) -> Self {
        let groups = stream::try_unfold(PrefixScan::new(client, prefix), |mut scan| async move {
            Ok(scan.next_group().await?.map(|entries| (entries, scan)))
        });
        Self(Box::pin(flat(groups)))
    }
}

impl<T> PrefixStream<T> {
    /// Returns the next item, or `None` after the last one.
    ///
    /// # Errors
    ///
    /// Fails as a read does; the stream ends with its first error.
    pub async fn try_next(&mut self) -> Result<Option<T>, Error> {
        self.0.try_next().await
    }
}

impl<T> Stream for PrefixStream<T> {
    type Item = Result<T, Error>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.0.as_mut().poll_next(context)
    }
}

impl<T> fmt::Debug for PrefixStream<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PrefixStream").finish_non_exhaustive()
    }
}

fn flat<T>(pages: impl Stream<Item = Result<Vec<T>, Error>>) -> impl Stream<Item = Result<T, Error>> {
    pages.map_ok(|page| stream::iter(page.into_iter().map(Ok))).try_flatten()
}

/// The state of a scan of the keys with a prefix.
struct PrefixScan {
    client: Client,
    prefix: Vec<u8>,
    /// Cursor of the next page; `None` after the last one.
    cursor: Option<u64>,
    /// The keys of a page whose values are not asked for yet.
    page: vec::IntoIter<Bytes>,
    group_keys: usize,
}

impl PrefixScan {
    fn new(client: Client, prefix: &[u8]) -> Self {
        let page = Vec::new().into_iter();
        Self { client, prefix: prefix.to_vec(), cursor: Some(0), page, group_keys: FIRST_GROUP_KEYS }
    }

    async fn next_page(&mut self) -> Result<Option<Vec<Bytes>>, Error> {
        let Some(cursor) = self.cursor else { return Ok(None) };
        let page = self.client.scan(cursor, &self.prefix, PAGE_KEYS).await?;
        self.cursor = Some(page.next_cursor).filter(|cursor| *cursor != 0);
        Ok(Some(page.keys))
    }

    /// Returns the next keys with their values; those that were deleted meanwhile are left out.
    async fn next_group(&mut self) -> Result<Option<Vec<(Bytes, Bytes)>>, Error> {
        while self.page.as_slice().is_empty() {
            let Some(keys) = self.next_page().await? else { return Ok(None) };
            self.page = keys.into_iter();
        }
        let keys: Vec<Bytes> = self.page.by_ref().take(self.group_keys).collect();
        let values = self.client.mget(&keys).await?;
        if values.len() != keys.len() {
            let problem = format!("{} values for {} keys", values.len(), keys.len());
            return Err(ErrorKind::Protocol { source: unexpected(problem).into() }.into());
        }
        let value_bytes: usize = values.iter().flatten().map(Bytes::len).sum();
        self.group_keys = next_group_keys(keys.len(), value_bytes);
        Ok(Some(keys.into_iter().zip(values).filter_map(|(key, value)| Some((key, value?))).collect()))
    }
}

/// Returns the number of keys in the next group: as many as fit into [`GROUP_BYTES`] if their values are as long as those of
/// the last group, at most twice as many as that had.
fn next_group_keys(keys: usize, value_bytes: usize) -> usize {
    let fitting = GROUP_BYTES * keys / value_bytes.max(1);
    fitting.clamp(1, (keys * 2).clamp(1, MAX_GROUP_KEYS))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_grows_while_values_are_small_and_shrinks_when_they_are_large() {
        assert_eq!(next_group_keys(8, 100), 16);
        assert_eq!(next_group_keys(64, 100), MAX_GROUP_KEYS);
        assert_eq!(next_group_keys(8, 0), 16);
        assert_eq!(next_group_keys(64, 64 * 64 * 1024), 16);
        assert_eq!(next_group_keys(16, 16 * 16 * 1024 * 1024), 1);
        assert_eq!(next_group_keys(1, 1), 2);
    }
}
