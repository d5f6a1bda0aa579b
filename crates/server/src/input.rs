use std::io;
use std::ops::{Deref, DerefMut};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use memmap2::MmapMut;
use tokio::io::{AsyncRead, ReadBuf};

/// What a fresh input holds.
const MIN_INPUT_BYTES: usize = 8 * 1024;

/// What an input holds once its client sends more than a little, and shrinks back to after a long line.
pub(crate) const INPUT_BYTES: usize = 64 * 1024;

/// A read gets at least this much room.
const MIN_READ_BYTES: usize = 4 * 1024;

/// Larger inputs are mapped, not allocated: unmapping gives the memory back at once, while an allocator
/// may keep it, and a client decides how long a line is.
const MAX_ALLOCATED_BYTES: usize = 1024 * 1024;

/// Bytes that were read and are not consumed yet.
#[derive(Debug)]
pub(crate) struct Input {
    memory: Memory,
    start: usize,
    end: usize,
    /// The last read filled all the room, so there is probably more.
    was_filled: bool,
}

impl Input {
    pub(crate) fn new() -> Self {
        Self { memory: Memory::Allocated(vec![0; MIN_INPUT_BYTES]), start: 0, end: 0, was_filled: false }
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        self.memory.get(self.start..self.end).unwrap_or_default()
    }

    pub(crate) const fn len(&self) -> usize {
        self.end - self.start
    }

    /// Memory that it holds, used or not.
    pub(crate) fn memory_bytes(&self) -> usize {
        self.memory.len()
    }

    pub(crate) fn consume(&mut self, bytes: usize) {
        self.start = self.end.min(self.start + bytes);
        if self.start == self.end {
            self.clear();
        }
    }

    pub(crate) const fn clear(&mut self) {
        (self.start, self.end) = (0, 0);
    }

    /// Reads once, with room for at least a few KiB; the memory never grows beyond `max_bytes` nor beyond
    /// three times what it holds, small inputs aside.
    pub(crate) fn poll_read<R: AsyncRead + Unpin>(
        &mut self,
        source: &mut R,
        context: &mut Context<'_>,
        max_bytes: usize,
    ) -> Poll<io::Result<usize>> {
        self.make_room(max_bytes)?;
        let mut room = ReadBuf::new(self.memory.get_mut(self.end..).unwrap_or_default());
        ready!(Pin::new(source).poll_read(context, &mut room))?;
        let read_bytes = room.filled().len();
        self.was_filled = room.remaining() == 0;
        self.end += read_bytes;
        Poll::Ready(Ok(read_bytes))
    }

    /// Puts bytes that were read earlier in front, into an input that is empty.
    pub(crate) fn restore(&mut self, bytes: &[u8]) {
        if let Some(front) = self.memory.get_mut(..bytes.len()) {
            front.copy_from_slice(bytes);
            (self.start, self.end) = (0, bytes.len());
        }
    }

    /// Frees what a long line has left behind.
    pub(crate) fn trim(&mut self) -> io::Result<()> {
        let is_oversized = self.memory.len() > INPUT_BYTES && self.len() <= INPUT_BYTES / 2;
        if is_oversized { self.reallocate(INPUT_BYTES) } else { Ok(()) }
    }

    fn make_room(&mut self, max_bytes: usize) -> io::Result<()> {
        if self.was_filled && self.memory.len() < INPUT_BYTES {
            self.reallocate(INPUT_BYTES)?;
        }
        if self.memory.len() - self.end >= MIN_READ_BYTES {
            return Ok(());
        }
        // Moving at most as much as was consumed keeps the work linear however the reads fall.
        if self.start >= MIN_READ_BYTES.max(self.len()) {
            self.memory.copy_within(self.start..self.end, 0);
            (self.start, self.end) = (0, self.len());
            return Ok(());
        }
        let doubled = self.len().saturating_mul(2);
        // A last step from just below the limit would hold nearly twice the limit while it copies.
        let is_last = doubled >= max_bytes / 3 * 2;
        self.reallocate(if is_last { max_bytes } else { doubled }.max(INPUT_BYTES))
    }

    fn reallocate(&mut self, bytes: usize) -> io::Result<()> {
        let mut memory = Memory::new(bytes)?;
        let len = self.len();
        if let Some(front) = memory.get_mut(..len) {
            front.copy_from_slice(self.bytes());
        }
        (self.memory, self.start, self.end) = (memory, 0, len);
        Ok(())
    }
}

#[derive(Debug)]
enum Memory {
    Allocated(Vec<u8>),
    Mapped(MmapMut),
}

impl Memory {
    fn new(bytes: usize) -> io::Result<Self> {
        if bytes <= MAX_ALLOCATED_BYTES {
            Ok(Self::Allocated(vec![0; bytes]))
        } else {
            MmapMut::map_anon(bytes).map(Self::Mapped)
        }
    }
}

impl Deref for Memory {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Self::Allocated(bytes) => bytes,
            Self::Mapped(bytes) => bytes,
        }
    }
}

impl DerefMut for Memory {
    fn deref_mut(&mut self) -> &mut [u8] {
        match self {
            Self::Allocated(bytes) => bytes,
            Self::Mapped(bytes) => bytes,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAX_BYTES: usize = 40 * INPUT_BYTES;

    /// Reads once from a source that has enough.
    fn read(input: &mut Input, mut source: &[u8]) -> usize {
        let mut context = Context::from_waker(std::task::Waker::noop());
        match input.poll_read(&mut source, &mut context, MAX_BYTES) {
            Poll::Ready(read) => read.unwrap(),
            Poll::Pending => panic!("a slice is always ready"),
        }
    }

    #[test]
    fn a_long_line_grows_to_the_bound_and_its_memory_is_given_back_once_consumed() {
        let source: Vec<u8> = (0..MAX_BYTES).map(|i| i as u8).collect();
        let mut input = Input::new();
        while input.len() < MAX_BYTES - INPUT_BYTES {
            let rest = &source[input.len()..];
            assert!(read(&mut input, rest) > 0);
            assert!(input.memory.len() <= MAX_BYTES);
        }
        assert!(matches!(input.memory, Memory::Mapped(_)));
        assert!(source.starts_with(input.bytes()));
        input.consume(input.len() - 5);
        input.trim().unwrap();
        assert_eq!((input.memory.len(), input.len()), (INPUT_BYTES, 5));
    }

    #[test]
    fn a_pipeline_never_needs_more_than_the_usual_memory() {
        let source = vec![0; MAX_BYTES];
        let mut input = Input::new();
        for _ in 0..100 {
            assert!(read(&mut input, &source) >= MIN_READ_BYTES);
            input.consume(input.len() - 100);
        }
        assert_eq!(input.memory.len(), INPUT_BYTES);
    }

    #[test]
    fn a_client_that_sends_little_costs_little() {
        let mut input = Input::new();
        for _ in 0..1000 {
            read(&mut input, b"PING\r\n");
            input.consume(6);
        }
        assert_eq!(input.memory.len(), MIN_INPUT_BYTES);
    }

    #[test]
    fn restored_bytes_stand_in_front_of_what_is_read_next() {
        let mut input = Input::new();
        input.restore(b"PI");
        read(&mut input, b"NG\r\n");
        assert_eq!(input.bytes(), b"PING\r\n");
    }
}
