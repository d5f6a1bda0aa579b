//! The calls of [`Store`] as methods of the stores themselves, so that nobody has to import a trait.

use crate::batch::{BatchStore, Pair};
use crate::{
    Blocking, Change, DurableStore, Entries, Error, KeyPage, Keys, MemoryStore, Stats, Store, Value,
};

macro_rules! calls {
    ($store:ty) => {
        impl $store {
            /// Reads the value of `key`.
            ///
            /// # Errors
            /// See [`Error`]; a missing key is `Ok(None)`.
            pub async fn get(&self, key: impl AsRef<[u8]>) -> Result<Option<Value>, Error> {
                Store::get(self, key.as_ref()).await
            }

            /// Stores `value` under `key`; returns when the write is as durable as the sync policy asks.
            ///
            /// Dropping the future: the write was either not begun, or it is carried out whole and only its
            /// confirmation is lost.
            ///
            /// # Errors
            /// See [`Error`]; a key or value over its limit is refused before anything happens.
            pub async fn set(&self, key: impl AsRef<[u8]>, value: impl AsRef<[u8]>) -> Result<(), Error> {
                Store::set(self, key.as_ref(), value.as_ref()).await
            }

            /// Removes `key` and returns whether it was there.
            ///
            /// # Errors
            /// See [`Error`].
            pub async fn delete(&self, key: impl AsRef<[u8]>) -> Result<bool, Error> {
                Store::delete(self, key.as_ref()).await
            }

            /// Returns whether `key` is there.
            ///
            /// # Errors
            /// See [`Error`].
            pub async fn exists(&self, key: impl AsRef<[u8]>) -> Result<bool, Error> {
                Store::exists(self, key.as_ref()).await
            }

            /// Reads several values, all as they were at one moment; `None` for each key that is not there.
            ///
            /// # Errors
            /// See [`Error`].
            pub async fn get_many<K: AsRef<[u8]>>(
                &self,
                keys: impl IntoIterator<Item = K>,
            ) -> Result<Vec<Option<Value>>, Error> {
                let keys: Vec<K> = keys.into_iter().collect();
                let keys: Vec<_> = keys.iter().map(AsRef::as_ref).collect();
                Store::get_many(self, &keys).await
            }

            /// Stores several values at once: readers, and a crash, see all of them or none. Of a key that comes
            /// twice the last value counts.
            ///
            /// # Errors
            /// See [`Error`].
            pub async fn set_many<K: AsRef<[u8]>, V: AsRef<[u8]>>(
                &self,
                pairs: impl IntoIterator<Item = (K, V)>,
            ) -> Result<(), Error> {
                let pairs: Vec<(K, V)> = pairs.into_iter().collect();
                let pairs: Vec<Pair<'_>> =
                    pairs.iter().map(|(key, value)| [key.as_ref(), value.as_ref()]).collect();
                Store::set_many(self, &pairs).await
            }

            /// Removes several keys at once: readers, and a crash, see all of that or nothing. Returns how many
            /// were there.
            ///
            /// # Errors
            /// See [`Error`].
            pub async fn delete_many<K: AsRef<[u8]>>(
                &self,
                keys: impl IntoIterator<Item = K>,
            ) -> Result<u64, Error> {
                let keys: Vec<K> = keys.into_iter().collect();
                let keys: Vec<_> = keys.iter().map(AsRef::as_ref).collect();
                Store::delete_many(self, &keys).await
            }

            /// Changes `key` by what `function` returns for the value that it has, if it is there; returns whether
            /// anything was changed. Nothing comes between.
            ///
            /// The function must only compute: it runs under the key's lock, so it must not use the store, and it
            /// may run more than once. If it panics, nothing is changed.
            ///
            /// # Errors
            /// See [`Error`]; [`Error::UpdatePanicked`], [`Error::ValueTooLarge`].
            pub async fn update(
                &self,
                key: impl AsRef<[u8]>,
                function: impl Fn(Option<&[u8]>) -> Change + Send + Sync,
            ) -> Result<bool, Error> {
                Store::update(self, key.as_ref(), function).await
            }

            /// Counts the keys.
            ///
            /// # Errors
            /// See [`Error`].
            pub async fn count(&self) -> Result<u64, Error> {
                Store::count(self).await
            }

            /// Reads a page of at most `limit` keys that start with `prefix`.
            ///
            /// Start with cursor 0 and go on with [`KeyPage::next_cursor`] until that is 0. A key that is there
            /// during the whole scan is returned at least once; one that comes or goes meanwhile may or may not be.
            ///
            /// # Errors
            /// See [`Error`].
            pub async fn scan(
                &self,
                cursor: u64,
                prefix: impl AsRef<[u8]>,
                limit: usize,
            ) -> Result<KeyPage, Error> {
                Store::scan(self, cursor, prefix.as_ref(), limit).await
            }

            /// Returns the keys that start with `prefix`.
            pub fn keys(&self, prefix: impl AsRef<[u8]>) -> Keys<'_, Self> {
                Keys::new(self, prefix.as_ref())
            }

            /// Returns the keys that start with `prefix`, with their values.
            pub fn entries(&self, prefix: impl AsRef<[u8]>) -> Entries<'_, Self> {
                Entries::new(self, prefix.as_ref())
            }

            /// Reads the store's figures.
            ///
            /// # Errors
            /// See [`Error`].
            pub async fn stats(&self) -> Result<Stats, Error> {
                Store::stats(self).await
            }

            /// Rewrites the log as the live data, as [`BatchStore::compact`] does.
            ///
            /// # Errors
            /// As [`BatchStore::compact`].
            pub async fn compact(&self) -> Result<(), Error> {
                BatchStore::compact(self).await
            }

            /// Returns the same calls for threads that may block.
            pub const fn blocking(&self) -> Blocking<'_, Self> {
                Blocking::new(self)
            }
        }
    };
}

calls!(DurableStore);
calls!(MemoryStore);
