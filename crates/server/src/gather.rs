//! Which connection of a thread has the records of all of them committed, and when.

use std::cell::Cell;

use rustvault_storage::Submission;
use tokio::task::yield_now;

thread_local! {
    /// Connections whose records are in the commit that is being gathered on this thread; 0: none is.
    static GATHERED: Cell<u32> = const { Cell::new(0) };
}

/// Has the records of a submit committed with those of the thread's other connections.
///
/// A sync costs as much as several requests, so it is to be shared. The first connection gathers: for a turn
/// of the thread, and for further ones as long as each brings others, until they are `enough`. The others
/// leave their records to it.
pub(crate) async fn commit(submission: Submission<'_>, enough: u32) {
    let before = GATHERED.get();
    GATHERED.set(before + 1);
    if before > 0 {
        return submission.leave_to_earlier();
    }
    let _gathering = Gathering;
    let mut gathered = 0;
    while gathered == 0 || (gathered < enough && gathered < GATHERED.get()) {
        gathered = GATHERED.get();
        yield_now().await;
    }
}

/// Ends the gathering, also when the connection that gathers is dropped: dropping its submission commits.
struct Gathering;

impl Drop for Gathering {
    fn drop(&mut self) {
        GATHERED.set(0);
    }
}
