//! Framing of the text protocol: finds the ends of lines, and lines that are too long.

use memchr::{memchr, memchr_iter};

use crate::{Limits, parse::LineFrame};

/// Finds lines at the front of a read buffer, and scans each byte once.
#[derive(Debug)]
pub(crate) struct LineReader {
    max_line_bytes: usize,
    max_plain_line_bytes: usize,
    /// Length of the buffer's front that is known to hold no LF, in bytes.
    scanned_bytes: usize,
    /// End of the part in which backslashes were counted, of a line that is too long without them.
    counted_bytes: usize,
    backslashes: usize,
    /// Set if the buffer's front belongs to a line that was reported as too long.
    skipping: bool,
}

impl LineReader {
    pub(crate) fn new(limits: &Limits) -> Self {
        Self {
            max_line_bytes: limits.max_line_bytes(),
            max_plain_line_bytes: limits.max_plain_line_bytes(),
            scanned_bytes: 0,
            counted_bytes: 0,
            backslashes: 0,
            skipping: false,
        }
    }

    /// Makes a framer for answers, whose length is limited in their quoted form only, because some exceed keys and values.
    pub(crate) fn of_answers(limits: &Limits) -> Self {
        Self { max_plain_line_bytes: limits.max_line_bytes(), ..Self::new(limits) }
    }

    /// The line at the front of `input`, which starts with the bytes of the call before, less those consumed.
    pub(crate) fn next(&mut self, input: &[u8]) -> LineFrame {
        let unseen = input.get(self.scanned_bytes..).unwrap_or_default();
        let line_bytes = memchr(b'\n', unseen).map(|at| self.scanned_bytes + at + 1);
        let consumed_bytes = line_bytes.unwrap_or(input.len());
        let (line, _) = input.split_at(consumed_bytes);

        let frame = if self.skipping && !input.is_empty() {
            LineFrame::Skip { consumed_bytes }
        } else if self.is_too_long(content(line)) {
            LineFrame::TooLong { consumed_bytes }
        } else if line_bytes.is_some() {
            LineFrame::Whole { consumed_bytes }
        } else {
            self.scanned_bytes = input.len();
            return LineFrame::Incomplete;
        };
        (self.scanned_bytes, self.counted_bytes, self.backslashes) = (0, 0, 0);
        self.skipping = line_bytes.is_none();
        frame
    }

    /// Returns whether the buffer's front belongs to a line that was reported as too long.
    pub(crate) const fn is_dropping(&self) -> bool {
        self.skipping
    }

    /// Returns whether this line, or its part that has arrived, exceeds the limits on keys and values.
    ///
    /// The answer is known long before the line has the length of one that consists of escapes, so an endless line takes a
    /// fraction of that memory.
    fn is_too_long(&mut self, line: &[u8]) -> bool {
        if line.len() <= self.max_plain_line_bytes {
            return false;
        }
        let uncounted = line.get(self.counted_bytes..).unwrap_or_default();
        for at in memchr_iter(b'\\', uncounted) {
            // The earlier part must be within the limit by itself; otherwise the result would depend on the pieces of a line.
            let (before, _) = line.split_at(self.counted_bytes + at);
            if content(before).len() > self.most_bytes() {
                return true;
            }
            self.backslashes += 1;
        }
        self.counted_bytes = line.len();
        line.len() > self.most_bytes()
    }

    /// Returns the longest length of a line with this many backslashes.
    fn most_bytes(&self) -> usize {
        let with_escapes = self.max_plain_line_bytes.saturating_add(self.backslashes.saturating_mul(3));
        with_escapes.min(self.max_line_bytes)
    }
}

/// Returns a line without its line end; of a line that is still arriving, the bytes that cannot be part of its end.
pub(super) fn content(line: &[u8]) -> &[u8] {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    line.strip_suffix(b"\r").unwrap_or(line)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Limits = Limits { max_key_bytes: 0, max_value_bytes: 0 };
    const MAX: usize = LIMITS.max_line_bytes();

    fn line_of(content_bytes: usize, end: &str) -> Vec<u8> {
        [&vec![b'x'; content_bytes], end.as_bytes()].concat()
    }

    #[test]
    fn each_byte_is_scanned_once() {
        let mut reader = LineReader::new(&LIMITS);
        let line = line_of(MAX, "\r\n");
        for len in 0..line.len() {
            assert_eq!(reader.next(&line[..len]), LineFrame::Incomplete);
            assert_eq!(reader.scanned_bytes, len);
        }
        assert_eq!(reader.next(&line), LineFrame::Whole { consumed_bytes: MAX + 2 });
        assert_eq!(reader.scanned_bytes, 0);
    }

    #[test]
    fn the_limit_does_not_count_the_line_end() {
        for end in ["\n", "\r\n"] {
            let line = line_of(MAX, end);
            let consumed_bytes = line.len();
            assert_eq!(LineReader::new(&LIMITS).next(&line), LineFrame::Whole { consumed_bytes });
            let line = line_of(MAX + 1, end);
            let consumed_bytes = line.len();
            assert_eq!(LineReader::new(&LIMITS).next(&line), LineFrame::TooLong { consumed_bytes });
        }
    }

    #[test]
    fn a_cr_at_the_limit_may_yet_be_a_line_end() {
        let mut reader = LineReader::new(&LIMITS);
        assert_eq!(reader.next(&line_of(MAX, "\r")), LineFrame::Incomplete);
        assert_eq!(reader.next(&line_of(MAX, "\rx")), LineFrame::TooLong { consumed_bytes: MAX + 2 });
    }

    #[test]
    fn an_over_long_line_is_reported_once_and_skipped_to_its_end() {
        let mut reader = LineReader::new(&LIMITS);
        assert_eq!(reader.next(&line_of(MAX + 1, "")), LineFrame::TooLong { consumed_bytes: MAX + 1 });
        assert_eq!(reader.next(b""), LineFrame::Incomplete);
        assert!(reader.is_dropping());
        assert_eq!(reader.next(&line_of(2 * MAX, "")), LineFrame::Skip { consumed_bytes: 2 * MAX });
        assert_eq!(reader.next(b"x\nPING\n"), LineFrame::Skip { consumed_bytes: 2 });
        assert!(!reader.is_dropping());
        assert_eq!(reader.next(b"PING\n"), LineFrame::Whole { consumed_bytes: 5 });
    }

    #[test]
    fn an_over_long_line_whose_end_is_there_leaves_the_next_line_alone() {
        let mut reader = LineReader::new(&LIMITS);
        let input = [line_of(MAX + 1, "\r\n"), b"PING\n".to_vec()].concat();
        assert_eq!(reader.next(&input), LineFrame::TooLong { consumed_bytes: MAX + 3 });
        assert_eq!(reader.next(b"PING\n"), LineFrame::Whole { consumed_bytes: 5 });
    }

    #[test]
    fn a_line_may_be_longer_by_what_its_escapes_add() {
        const LIMITS: Limits = Limits { max_key_bytes: 10, max_value_bytes: 90 };
        const PLAIN: usize = LIMITS.max_plain_line_bytes();
        let line = |escapes: usize, others: usize| ["\\x41".repeat(escapes), "x".repeat(others)].concat();
        for escapes in [0, 1, 50, 100] {
            let longest = line(escapes, PLAIN - escapes);
            let too_long = line(escapes, PLAIN - escapes + 1);
            let mut reader = LineReader::new(&LIMITS);
            for len in 0..=longest.len() {
                assert_eq!(reader.next(&longest.as_bytes()[..len]), LineFrame::Incomplete, "{escapes} {len}");
            }
            let consumed_bytes = too_long.len();
            assert_eq!(reader.next(too_long.as_bytes()), LineFrame::TooLong { consumed_bytes });
            assert_eq!(
                LineReader::new(&LIMITS).next(too_long.as_bytes()),
                LineFrame::TooLong { consumed_bytes }
            );
        }
    }

    #[test]
    fn escapes_make_room_for_what_follows_them_and_not_for_what_came_before() {
        const LIMITS: Limits = Limits { max_key_bytes: 10, max_value_bytes: 90 };
        const PLAIN: usize = LIMITS.max_plain_line_bytes();
        let line =
            |before: usize| ["x".repeat(before), "\\\\".repeat(9), "\n".to_owned()].concat().into_bytes();
        for (before, is_too_long) in [(PLAIN, false), (PLAIN + 1, true)] {
            let line = line(before);
            let consumed_bytes = line.len();
            let expected = if is_too_long {
                LineFrame::TooLong { consumed_bytes }
            } else {
                LineFrame::Whole { consumed_bytes }
            };
            assert_eq!(LineReader::new(&LIMITS).next(&line), expected);
            let mut reader = LineReader::new(&LIMITS);
            let first = (0..=line.len())
                .map(|len| reader.next(&line[..len]))
                .find(|frame| *frame != LineFrame::Incomplete);
            assert_eq!(matches!(first, Some(LineFrame::TooLong { .. })), is_too_long);
        }
    }
}
