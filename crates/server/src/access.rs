//! Access: the users of a server as of now, which a reload replaces while connections are served.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arc_swap::ArcSwapOption;
use rustvault_users::Users;

/// The users of a server as of now. Without users, everybody may do everything.
#[derive(Debug, Default)]
pub(crate) struct UserAccess {
    users: ArcSwapOption<Users>,
    /// Number of replacements, by which a session notices one with a single load.
    generation: AtomicU64,
}

impl UserAccess {
    pub(crate) fn new(users: Option<Arc<Users>>) -> Self {
        Self { users: ArcSwapOption::new(users), generation: AtomicU64::new(0) }
    }

    /// Returns the users; `None` if there are none, so that nobody has to log in.
    pub(crate) fn load(&self) -> Option<Arc<Users>> {
        self.users.load_full()
    }

    /// Replaces the users. Each session obeys the new ones from its next batch on.
    pub(crate) fn replace(&self, users: Option<Arc<Users>>) {
        self.users.store(users);
        // Behind the users: whoever sees this number sees them.
        self.generation.fetch_add(1, Ordering::Release);
    }

    /// Returns a number that another set of users changes. Load it before the users: they are then as new or newer.
    #[inline]
    pub(crate) fn generation(&self) -> u64 {
        self.generation.load(Ordering::Acquire)
    }
}
