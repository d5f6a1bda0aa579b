//! Iteration over all keys, or over keys with their values, page by page.

use std::vec;

use crate::{Error, Key, Store, Value};

/// Keys of a page. Reading one visits some 500 entries, which takes a fraction of a millisecond.
const PAGE_KEYS: usize = 500;

/// Iterator over the keys that start with a prefix, in no particular order.
///
/// A key that exists all the time is returned, maybe more than once if many keys are added or removed meanwhile. A key that is
/// added or removed meanwhile may or may not be returned. Dropping the future of a call loses no key. The iterator ends after an
/// error.
#[derive(Debug)]
#[must_use = "nothing is read before the next key is asked for"]
pub struct Keys<'s, S> {
    store: &'s S,
    prefix: Vec<u8>,
    /// Cursor of the next page; `None` after the last.
    next_cursor: Option<u64>,
    page: vec::IntoIter<Key>,
}

/// Iterator over the keys that start with a prefix, with their values, in no particular order.
///
/// It has the guarantee of [`Keys`]. A value is as of some moment after its page was read.
#[derive(Debug)]
#[must_use = "nothing is read before the next entry is asked for"]
pub struct Entries<'s, S> {
    keys: Keys<'s, S>,
    /// Keys whose values are not read yet. They are kept here, so that dropping a future does not lose them.
    unread: Vec<Key>,
    page: vec::IntoIter<(Key, Value)>,
}

impl<'s, S: Store> Keys<'s, S> {
    pub(crate) fn new(store: &'s S, prefix: &[u8]) -> Self {
        Self { store, prefix: prefix.to_vec(), next_cursor: Some(0), page: Vec::new().into_iter() }
    }

    /// Returns the next key; `None` at the end.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn next(&mut self) -> Result<Option<Key>, Error> {
        loop {
            if let Some(key) = self.page.next() {
                return Ok(Some(key));
            }
            match self.next_page().await? {
                Some(page) => self.page = page.into_iter(),
                None => return Ok(None),
            }
        }
    }

    async fn next_page(&mut self) -> Result<Option<Vec<Key>>, Error> {
        let Some(cursor) = self.next_cursor else { return Ok(None) };
        let page = self.store.scan(cursor, &self.prefix, PAGE_KEYS).await;
        self.next_cursor = page.as_ref().ok().map(|page| page.next_cursor).filter(|&cursor| cursor != 0);
        page.map(|page| Some(page.keys))
    }
}

impl<'s, S: Store> Entries<'s, S> {
    pub(crate) fn new(store: &'s S, prefix: &[u8]) -> Self {
        Self { keys: Keys::new(store, prefix), unread: Vec::new(), page: Vec::new().into_iter() }
    }

    /// Returns the next key with its value; `None` at the end.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn next(&mut self) -> Result<Option<(Key, Value)>, Error> {
        loop {
            if let Some(entry) = self.page.next() {
                return Ok(Some(entry));
            }
            if self.unread.is_empty() {
                let Some(keys) = self.keys.next_page().await? else { return Ok(None) };
                self.unread = keys;
            }
            let values = self.values().await;
            let keys = std::mem::take(&mut self.unread).into_iter();
            let values = values.inspect_err(|_| self.keys.next_cursor = None)?;
            // A key that was removed since its page was read is skipped.
            let entries = keys.zip(values).filter_map(|(key, value)| Some((key, value?)));
            self.page = entries.collect::<Vec<_>>().into_iter();
        }
    }

    async fn values(&self) -> Result<Vec<Option<Value>>, Error> {
        let keys: Vec<_> = self.unread.iter().map(AsRef::as_ref).collect();
        self.keys.store.get_many(&keys).await
    }
}
