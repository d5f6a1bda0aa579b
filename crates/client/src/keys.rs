//! Iteration over the keys with a prefix: one scan request for each page.

use std::vec;

use bytes::Bytes;
use rustvault_protocol::limits::DEFAULT_SCAN_LIMIT;

use crate::{Client, Error};

/// All keys with a prefix, page by page; made by [`Client::keys`].
#[derive(Debug)]
pub struct Keys {
    client: Client,
    prefix: Bytes,
    page: vec::IntoIter<Bytes>,
    /// Cursor of the next page; `None` after the last one.
    cursor: Option<u64>,
}

impl Keys {
    pub(crate) fn new(client: Client, prefix: Bytes) -> Self {
        Self { client, prefix, page: Vec::new().into_iter(), cursor: Some(0) }
    }

    /// The next key, or `None` after the last one.
    ///
    /// # Errors
    ///
    /// As [`Client::scan`]; calling again asks for the same page again.
    pub async fn next(&mut self) -> Result<Option<Bytes>, Error> {
        loop {
            if let Some(key) = self.page.next() {
                return Ok(Some(key));
            }
            let Some(cursor) = self.cursor else { return Ok(None) };
            let page = self.client.scan(cursor, &self.prefix, DEFAULT_SCAN_LIMIT).await?;
            self.cursor = Some(page.next_cursor).filter(|cursor| *cursor != 0);
            self.page = page.keys.into_iter();
        }
    }
}
