//! Input buffer of a connection: bytes that were read from the client and not consumed yet.

use std::io;
use std::ops::{Deref, DerefMut};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use memmap2::{MmapMut, MmapOptions};
use tokio::io::{AsyncRead, ReadBuf};

/// Capacity of a fresh input, in bytes.
const MIN_INPUT_BYTES: usize = 8 * 1024;

/// Capacity of an input once its client sends more than a little, and again after a long line, in bytes.
pub(crate) const INPUT_BYTES: usize = 64 * 1024;

/// Least room for a read.
const MIN_READ_BYTES: usize = 4 * 1024;

/// Most bytes of one read, because the other connections of the thread wait meanwhile.
const MAX_READ_BYTES: usize = 256 * 1024;

/// Largest input that is allocated; larger ones are mapped.
///
/// A client decides on the length of a line: unmapping returns the memory to the system at once, but an allocator may keep it.
/// A mapping has the largest size from the start. Pages that were never written take address space only, while a copy at each
/// doubling would stop the thread: the one from 32 to 64 MiB took 16 ms.
const MAX_ALLOCATED_BYTES: usize = 1024 * 1024;

/// Bytes that were read and are not consumed yet.
#[derive(Debug)]
pub(crate) struct Input {
    memory: Memory,
    start: usize,
    end: usize,
    /// End of the memory that was ever written.
    touched_bytes: usize,
    /// Set if the last read filled all its room, so that the socket probably has more.
    was_filled: bool,
}

impl Input {
    pub(crate) fn new() -> Self {
        let memory = Memory::Allocated(vec![0; MIN_INPUT_BYTES]);
        Self { memory, start: 0, end: 0, touched_bytes: 0, was_filled: false }
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        self.memory.get(self.start..self.end).unwrap_or_default()
    }

    pub(crate) const fn len(&self) -> usize {
        self.end - self.start
    }

    /// Returns whether the last read filled all its room, so that the socket probably has more.
    pub(crate) const fn was_filled(&self) -> bool {
        self.was_filled
    }

    /// Returns the memory of the buffer, used or not.
    pub(crate) fn memory_bytes(&self) -> usize {
        self.memory.len()
    }

    /// Returns the room for further reads.
    pub(crate) fn free_bytes(&self) -> usize {
        self.memory.len() - self.end
    }

    /// Returns the memory that the buffer takes with the next read: of a mapping, the part that was ever written.
    pub(crate) fn resident_bytes(&self) -> usize {
        if self.memory.is_mapped() {
            self.touched_bytes.max(self.end + MAX_READ_BYTES).min(self.memory.len())
        } else {
            self.memory.len()
        }
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

    /// Reads once into the room that [`make_room`](Self::make_room) has made.
    pub(crate) fn poll_read<R: AsyncRead + Unpin>(
        &mut self,
        source: &mut R,
        context: &mut Context<'_>,
    ) -> Poll<io::Result<usize>> {
        let room = self.memory.get_mut(self.end..).unwrap_or_default();
        let room_bytes = room.len().min(MAX_READ_BYTES);
        let mut room = ReadBuf::new(room.get_mut(..room_bytes).unwrap_or_default());
        ready!(Pin::new(source).poll_read(context, &mut room))?;
        let read_bytes = room.filled().len();
        self.was_filled = room.remaining() == 0;
        self.end += read_bytes;
        self.touched_bytes = self.touched_bytes.max(self.end);
        Poll::Ready(Ok(read_bytes))
    }

    /// Puts bytes that were read earlier into an empty input.
    pub(crate) fn restore(&mut self, bytes: &[u8]) {
        if let Some(front) = self.memory.get_mut(..bytes.len()) {
            front.copy_from_slice(bytes);
            (self.start, self.end) = (0, bytes.len());
        }
    }

    /// Frees the memory that a long line needed.
    pub(crate) fn trim(&mut self) -> io::Result<()> {
        let is_oversized = self.memory.len() > INPUT_BYTES && self.len() <= INPUT_BYTES / 2;
        if is_oversized { self.reallocate(INPUT_BYTES) } else { Ok(()) }
    }

    /// Makes room for a read of at least [`MIN_READ_BYTES`].
    ///
    /// The buffer never takes more memory than `max_bytes`, nor, beyond [`INPUT_BYTES`], than three times the most bytes that it
    /// held at a time.
    pub(crate) fn make_room(&mut self, max_bytes: usize) -> io::Result<()> {
        if self.was_filled && self.memory.len() < INPUT_BYTES {
            self.reallocate(INPUT_BYTES)?;
        }
        let is_full = self.memory.len() - self.end < MIN_READ_BYTES;
        let is_largest = self.memory.len() >= max_bytes;
        // Moving no more bytes than were consumed keeps the total work linear in the input, whatever the sizes of the reads.
        // A mapped input is moved before it is full, because each page that was written takes memory. At the largest size
        // everything is moved: a whole line fits, so that happens at most once per line.
        let is_cheap = self.start >= MIN_READ_BYTES.max(self.len());
        if (is_full && is_largest) || (is_cheap && (is_full || self.memory.is_mapped())) {
            self.memory.copy_within(self.start..self.end, 0);
            (self.start, self.end) = (0, self.len());
        } else if is_full {
            self.grow(max_bytes)?;
        }
        Ok(())
    }

    fn grow(&mut self, max_bytes: usize) -> io::Result<()> {
        let doubled = self.len().saturating_mul(2).max(INPUT_BYTES).min(max_bytes);
        if doubled <= MAX_ALLOCATED_BYTES {
            return self.reallocate(doubled);
        }
        // A system that does not overcommit may refuse the largest size, and still grant this one.
        self.reallocate(max_bytes).or_else(|_| self.reallocate(doubled))
    }

    fn reallocate(&mut self, bytes: usize) -> io::Result<()> {
        let mut memory = Memory::new(bytes)?;
        let len = self.len();
        if let Some(front) = memory.get_mut(..len) {
            front.copy_from_slice(self.bytes());
        }
        (self.memory, self.start, self.end, self.touched_bytes) = (memory, 0, len, len);
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
            // Most pages are never written, so no swap is reserved for them.
            MmapOptions::new().len(bytes).no_reserve_swap().map_anon().map(Self::Mapped)
        }
    }

    const fn is_mapped(&self) -> bool {
        matches!(self, Self::Mapped(_))
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

    const MAX_BYTES: usize = 100 * INPUT_BYTES;

    /// Reads once from a source that has enough.
    fn read(input: &mut Input, mut source: &[u8]) -> usize {
        let mut context = Context::from_waker(std::task::Waker::noop());
        input.make_room(MAX_BYTES).unwrap();
        match input.poll_read(&mut source, &mut context) {
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
            let taken_bytes = input.len()..=(2 * input.len()).max(INPUT_BYTES) + MAX_READ_BYTES;
            assert!(taken_bytes.contains(&input.resident_bytes()), "{}", input.resident_bytes());
        }
        assert!(matches!(input.memory, Memory::Mapped(_)));
        assert!(source.starts_with(input.bytes()));
        input.consume(input.len() - 5);
        input.trim().unwrap();
        assert_eq!((input.memory.len(), input.len()), (INPUT_BYTES, 5));
        assert_eq!(input.resident_bytes(), INPUT_BYTES);
    }

    /// Each page that was ever read into takes memory until the mapping ends.
    #[test]
    fn a_stream_of_long_lines_uses_no_more_memory_than_three_times_the_longest() {
        let (line_bytes, source) = (20 * INPUT_BYTES + 100, vec![0; MAX_BYTES]);
        let (mut input, mut used_bytes) = (Input::new(), 0);
        for _ in 0..400 {
            let read_bytes = read(&mut input, &source);
            assert!((1..=MAX_READ_BYTES).contains(&read_bytes));
            used_bytes = used_bytes.max(input.end);
            assert!(input.resident_bytes() >= used_bytes);
            if input.len() >= line_bytes {
                input.consume(line_bytes);
            }
        }
        assert!(input.memory.is_mapped());
        assert!(used_bytes <= 3 * line_bytes, "{used_bytes}");
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
