//! Threads of the model.

use std::io;
use std::num::NonZero;
use std::time::Duration;

pub(crate) use shuttle::thread::{JoinHandle, Scope, ScopedJoinHandle, panicking, scope};

/// Starts threads.
pub(crate) struct Builder(shuttle::thread::Builder);

impl Builder {
    pub(crate) fn new() -> Self {
        Self(shuttle::thread::Builder::new())
    }

    pub(crate) fn name(self, name: String) -> Self {
        Self(self.0.name(name))
    }

    pub(crate) fn spawn<T: Send + 'static>(
        self,
        body: impl FnOnce() -> T + Send + 'static,
    ) -> io::Result<JoinHandle<T>> {
        self.0.spawn(body)
    }

    pub(crate) fn spawn_scoped<'scope, T: Send + 'scope>(
        self,
        scope: &'scope Scope<'scope, '_>,
        body: impl FnOnce() -> T + Send + 'scope,
    ) -> io::Result<ScopedJoinHandle<'scope, T>> {
        Ok(scope.spawn(body))
    }
}

/// Says that there is one core: recovery is tried by other tests, here its threads would only cost steps.
pub(crate) fn available_parallelism() -> io::Result<NonZero<usize>> {
    Ok(NonZero::<usize>::MIN)
}

/// Lets time pass, and others run.
pub(crate) fn sleep(duration: Duration) {
    super::pass_time(duration);
    shuttle::thread::yield_now();
}

/// The number of the calling thread.
pub(crate) fn number() -> usize {
    shuttle::thread::current().id().into()
}
