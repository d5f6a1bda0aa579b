//! Buffers that a connection borrows from a pool of its thread while it has something to do.
//!
//! Idle connections hold none, so ten thousand of them take little memory.

use std::cell::RefCell;
use std::io;

use bytes::BytesMut;
use rustvault_storage::batch::Completion;

use crate::input::Input;

/// The size to which an output buffer shrinks after use.
const OUTPUT_BYTES: usize = 64 * 1024;

/// Most memory of unused buffers that a thread keeps. Hundreds of connections hold buffers while they wait for a sync.
const POOLED_BYTES: usize = 4 * 1024 * 1024;

thread_local! {
    static POOL: RefCell<BufferPool> = const { RefCell::new(BufferPool { buffers: Vec::new(), bytes: 0 }) };
}

/// The buffers that a thread lends out.
struct BufferPool {
    #[expect(clippy::vec_box, reason = "the boxes are what is lent out")]
    buffers: Vec<Box<Buffers>>,
    bytes: usize,
}

/// Input, replies and output of the batch that a connection answers.
#[derive(Debug)]
pub(crate) struct Buffers {
    pub(crate) input: Input,
    pub(crate) replies: Vec<Completion>,
    pub(crate) output: BytesMut,
}

impl Buffers {
    /// Takes buffers from this thread's pool; boxed, so that an idle connection is small.
    pub(crate) fn take() -> Box<Self> {
        let pooled = POOL.with_borrow_mut(|pool| {
            let buffers = pool.buffers.pop()?;
            pool.bytes -= buffers.memory_bytes();
            Some(buffers)
        });
        pooled.unwrap_or_else(|| {
            Box::new(Self { input: Input::new(), replies: Vec::new(), output: BytesMut::new() })
        })
    }

    /// Gives the buffers, which must be [trimmed](Self::trim), back to this thread's pool.
    pub(crate) fn give_back(mut self: Box<Self>) {
        self.input.clear();
        POOL.with_borrow_mut(|pool| {
            let bytes = pool.bytes + self.memory_bytes();
            if bytes <= POOLED_BYTES {
                pool.bytes = bytes;
                pool.buffers.push(self);
            }
        });
    }

    fn memory_bytes(&self) -> usize {
        let replies = self.replies.capacity() * size_of::<Completion>();
        size_of::<Self>() + self.input.memory_bytes() + replies + self.output.capacity()
    }

    /// Frees the memory that a long line or response needed.
    pub(crate) fn trim(&mut self) -> io::Result<()> {
        if self.output.capacity() > OUTPUT_BYTES {
            self.output = BytesMut::new();
        }
        self.input.trim()
    }
}
