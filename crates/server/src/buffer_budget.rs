//! Budget of the memory that all connections together hold in buffers.
//!
//! A connection settles with the budget in large steps, and not at all while it needs little. So requests of common size cost
//! nothing, and are served also when the budget is spent.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use rustvault_protocol::{ErrorCode, ErrorReply};

use crate::engine::Counter;

/// Bytes that a connection may hold for each direction without a claim.
pub(crate) const UNCLAIMED_BYTES: usize = 64 * 1024;

/// Claims are multiples of this.
const STEP_BYTES: usize = 256 * 1024;

/// The memory that the connections of a server have claimed.
#[derive(Debug, Default)]
pub(crate) struct BufferBudget {
    /// No other memory access is ordered by it, so relaxed accesses suffice.
    claimed_bytes: AtomicUsize,
    /// Claims that were refused.
    pub(crate) refusals: Counter,
}

impl BufferBudget {
    /// Returns the bytes that are claimed at present.
    pub(crate) fn claimed_bytes(&self) -> usize {
        self.claimed_bytes.load(Ordering::Relaxed)
    }
}

/// Claim of one connection. Dropping it gives its bytes back, so also when the connection's task panics.
#[derive(Debug)]
pub(crate) struct BufferClaim {
    budget: Arc<BufferBudget>,
    input_bytes: usize,
    output_bytes: usize,
    claimed_bytes: usize,
}

impl BufferClaim {
    pub(crate) fn new(budget: &Arc<BufferBudget>) -> Self {
        Self { budget: Arc::clone(budget), input_bytes: 0, output_bytes: 0, claimed_bytes: 0 }
    }

    /// Claims `bytes` for what is received, instead of what was claimed for that before.
    ///
    /// # Errors
    /// Together with all other claims that is more than `max_bytes`, and more than before; nothing has changed.
    #[inline]
    pub(crate) fn set_input(
        &mut self,
        bytes: usize,
        max_bytes: impl FnOnce() -> usize,
    ) -> Result<(), OverBudget> {
        let bytes = bytes.saturating_sub(UNCLAIMED_BYTES);
        if bytes == self.input_bytes {
            return Ok(());
        }
        self.settle(bytes + self.output_bytes, max_bytes)?;
        self.input_bytes = bytes;
        Ok(())
    }

    /// Claims `bytes` for what is to be sent, instead of what was claimed for that before.
    ///
    /// # Errors
    /// As [`set_input`](Self::set_input).
    #[inline]
    pub(crate) fn set_output(
        &mut self,
        bytes: usize,
        max_bytes: impl FnOnce() -> usize,
    ) -> Result<(), OverBudget> {
        let bytes = bytes.saturating_sub(UNCLAIMED_BYTES);
        if bytes == self.output_bytes {
            return Ok(());
        }
        self.settle(self.input_bytes + bytes, max_bytes)?;
        self.output_bytes = bytes;
        Ok(())
    }

    /// Changes the claim to `bytes`, rounded up to whole steps.
    fn settle(&mut self, bytes: usize, max_bytes: impl FnOnce() -> usize) -> Result<(), OverBudget> {
        let wanted = bytes.next_multiple_of(STEP_BYTES);
        let budget = &*self.budget;
        if wanted > self.claimed_bytes {
            let (more, max_bytes) = (wanted - self.claimed_bytes, max_bytes());
            let before = budget.claimed_bytes.fetch_add(more, Ordering::Relaxed);
            if before.saturating_add(more) > max_bytes {
                budget.claimed_bytes.fetch_sub(more, Ordering::Relaxed);
                budget.refusals.add(1);
                return Err(OverBudget { max_bytes });
            }
        } else if wanted < self.claimed_bytes {
            budget.claimed_bytes.fetch_sub(self.claimed_bytes - wanted, Ordering::Relaxed);
        }
        self.claimed_bytes = wanted;
        Ok(())
    }
}

impl Drop for BufferClaim {
    fn drop(&mut self) {
        if self.claimed_bytes > 0 {
            self.budget.claimed_bytes.fetch_sub(self.claimed_bytes, Ordering::Relaxed);
        }
    }
}

/// Refused claim.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the buffers of all connections hold their limit of {max_bytes} bytes (--max-buffer-bytes)")]
pub(crate) struct OverBudget {
    max_bytes: usize,
}

impl OverBudget {
    /// Returns the answer to the client; `remedy` is what it can do.
    pub(crate) fn answer(self, remedy: &str) -> Box<ErrorReply> {
        Box::new(ErrorReply::new(ErrorCode::OutOfMemory, format_args!("{self}; {remedy}")))
    }
}

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};
    use std::thread;

    use super::*;

    const MAX_BYTES: usize = 10 * STEP_BYTES;

    fn max() -> usize {
        MAX_BYTES
    }

    #[test]
    fn a_claim_over_the_limit_is_refused_and_changes_nothing() {
        let budget = Arc::new(BufferBudget::default());
        let (mut first, mut second) = (BufferClaim::new(&budget), BufferClaim::new(&budget));
        assert_eq!(first.set_input(UNCLAIMED_BYTES + MAX_BYTES - STEP_BYTES, max), Ok(()));
        assert_eq!(second.set_input(UNCLAIMED_BYTES + 1, max), Ok(()));
        for _ in 0..2 {
            let refused = Err(OverBudget { max_bytes: MAX_BYTES });
            assert_eq!(second.set_output(UNCLAIMED_BYTES + STEP_BYTES, max), refused);
            assert_eq!(budget.claimed_bytes(), MAX_BYTES);
        }
        assert_eq!(budget.refusals.get(), 2);
        assert_eq!(first.set_input(UNCLAIMED_BYTES, max), Ok(()));
        assert_eq!(second.set_output(UNCLAIMED_BYTES + STEP_BYTES, max), Ok(()));
        assert_eq!(budget.claimed_bytes(), 2 * STEP_BYTES);
    }

    #[test]
    fn who_needs_little_claims_nothing_and_is_served_when_the_budget_is_spent() {
        let budget = Arc::new(BufferBudget::default());
        let (mut large, mut small) = (BufferClaim::new(&budget), BufferClaim::new(&budget));
        assert_eq!(large.set_input(UNCLAIMED_BYTES + MAX_BYTES, max), Ok(()));
        assert_eq!(small.set_input(UNCLAIMED_BYTES, max), Ok(()));
        assert_eq!(small.set_output(UNCLAIMED_BYTES, max), Ok(()));
        assert_eq!(budget.claimed_bytes(), MAX_BYTES);
    }

    /// Without the limit's being met again: it may have been lowered meanwhile.
    #[test]
    fn a_lowered_limit_refuses_more_and_takes_back() {
        let budget = Arc::new(BufferBudget::default());
        let mut claim = BufferClaim::new(&budget);
        assert_eq!(claim.set_input(UNCLAIMED_BYTES + 4 * STEP_BYTES, max), Ok(()));
        assert!(claim.set_input(UNCLAIMED_BYTES + 5 * STEP_BYTES, || STEP_BYTES).is_err());
        assert_eq!(claim.set_input(UNCLAIMED_BYTES + 2 * STEP_BYTES, || STEP_BYTES), Ok(()));
        assert_eq!(budget.claimed_bytes(), 2 * STEP_BYTES);
    }

    #[test]
    fn nothing_stays_claimed_whatever_ends_the_claims_of_many_threads() {
        let budget = Arc::new(BufferBudget::default());
        thread::scope(|scope| {
            for number in 0..8 {
                let budget = &budget;
                scope.spawn(move || {
                    for round in 0..1000 {
                        let mut claim = BufferClaim::new(budget);
                        let wanted = UNCLAIMED_BYTES + (number + round) % 7 * STEP_BYTES;
                        let _ = claim.set_input(wanted, max).and_then(|()| claim.set_output(wanted / 2, max));
                        assert!(claim.claimed_bytes <= MAX_BYTES);
                        let claim = AssertUnwindSafe(claim);
                        if round % 100 == 0 {
                            let panicking = catch_unwind(move || {
                                let _claim = claim;
                                std::panic::resume_unwind(Box::new(()));
                            });
                            assert!(panicking.is_err());
                        }
                    }
                });
            }
        });
        assert_eq!(budget.claimed_bytes(), 0);
    }
}
