//! Puts a reply of RESP together from its elements, which may be replies made of others.

use crate::Reply;
use crate::limits::{MAX_REPLY_DEPTH, MAX_REPLY_ELEMENTS};
use crate::parse::{AggregateForm, BadReply};

/// Most elements for which room is made before they are there. As no more than [`MAX_REPLY_DEPTH`] aggregates are unfinished
/// at a time, announcements cost no memory to speak of.
const MAX_ROOM: usize = 64;

/// The aggregates that have begun and not ended, each inside the one before it.
#[derive(Debug, Default)]
pub(super) struct Nesting {
    unfinished: Vec<Aggregate>,
    /// Elements that the aggregates of this reply have announced, those that have ended included.
    announced_elements: usize,
}

#[derive(Debug)]
struct Aggregate {
    form: AggregateForm,
    elements: Vec<Reply>,
    missing: usize,
}

impl Nesting {
    /// Returns whether no reply has begun.
    pub(super) fn is_empty(&self) -> bool {
        self.unfinished.is_empty()
    }

    /// Returns for how many elements there is room that are not there yet.
    #[cfg(test)]
    pub(super) fn room_elements(&self) -> usize {
        self.unfinished.iter().map(|aggregate| aggregate.elements.capacity() - aggregate.elements.len()).sum()
    }

    /// Begins an aggregate; returns the whole reply if it ends with that.
    pub(super) fn begin(&mut self, form: AggregateForm, elements: usize) -> Result<Option<Reply>, BadReply> {
        let per_element = match form {
            AggregateForm::Map | AggregateForm::Attribute => 2,
            AggregateForm::Array | AggregateForm::Set | AggregateForm::Push => 1,
        };
        let elements = elements.saturating_mul(per_element);
        self.announced_elements = self.announced_elements.saturating_add(elements);
        if self.announced_elements > MAX_REPLY_ELEMENTS {
            return Err(BadReply::TooManyElements { max_elements: MAX_REPLY_ELEMENTS });
        }
        if self.unfinished.len() == MAX_REPLY_DEPTH {
            return Err(BadReply::TooDeep { max_depth: MAX_REPLY_DEPTH });
        }
        if form == AggregateForm::Push && !self.is_empty() {
            return Err(BadReply::PushInside);
        }
        let room = Vec::with_capacity(elements.min(MAX_ROOM));
        self.unfinished.push(Aggregate { form, elements: room, missing: elements });
        Ok(self.end_full())
    }

    /// Adds an element; returns the whole reply if it ends with that.
    #[inline]
    pub(super) fn add(&mut self, element: Reply) -> Option<Reply> {
        match self.unfinished.last_mut() {
            None => Some(element),
            Some(innermost) => {
                innermost.add(element);
                self.end_full()
            }
        }
    }

    /// Ends the aggregates that miss nothing more.
    fn end_full(&mut self) -> Option<Reply> {
        while let Some(full) = self.unfinished.pop_if(|innermost| innermost.missing == 0) {
            let reply = full.into_reply();
            match (self.unfinished.last_mut(), reply) {
                (Some(around), Some(element)) => around.add(element),
                (Some(_), None) => {}
                (None, reply) => {
                    self.announced_elements = 0;
                    return reply;
                }
            }
        }
        None
    }
}

impl Aggregate {
    fn add(&mut self, element: Reply) {
        self.elements.push(element);
        self.missing -= 1;
    }

    /// Returns the finished reply; `None` for types that no caller gets.
    fn into_reply(self) -> Option<Reply> {
        match self.form {
            AggregateForm::Array => Some(Reply::Array(self.elements)),
            AggregateForm::Set => Some(Reply::Set(self.elements)),
            AggregateForm::Map => {
                let mut elements = self.elements.into_iter();
                let entries = std::iter::from_fn(|| elements.next().zip(elements.next()));
                Some(Reply::Map(entries.collect()))
            }
            // Nothing is subscribed yet. Publish and subscribe will take push messages here.
            AggregateForm::Attribute | AggregateForm::Push => None,
        }
    }
}
