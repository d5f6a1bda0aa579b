//! Locks with the faces of parking_lot's: no poisoning.

use std::ops::{Deref, DerefMut};
use std::sync::PoisonError;

pub(crate) use shuttle::sync::{RwLockReadGuard, RwLockWriteGuard};

/// A mutual exclusion.
#[derive(Debug, Default)]
pub(crate) struct Mutex<T>(shuttle::sync::Mutex<T>);

/// The right to what a [`Mutex`] has. A condition variable gives it up for a while.
pub(crate) struct MutexGuard<'m, T> {
    mutex: &'m Mutex<T>,
    held: Option<shuttle::sync::MutexGuard<'m, T>>,
}

impl<T> Mutex<T> {
    pub(crate) fn new(value: T) -> Self {
        Self(shuttle::sync::Mutex::new(value))
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, T> {
        MutexGuard { mutex: self, held: Some(self.take()) }
    }

    pub(crate) fn try_lock(&self) -> Option<MutexGuard<'_, T>> {
        match self.0.try_lock() {
            Ok(held) => Some(MutexGuard { mutex: self, held: Some(held) }),
            Err(std::sync::TryLockError::Poisoned(poisoned)) => {
                Some(MutexGuard { mutex: self, held: Some(poisoned.into_inner()) })
            }
            Err(std::sync::TryLockError::WouldBlock) => None,
        }
    }

    pub(crate) fn into_inner(self) -> T {
        self.0.into_inner().unwrap_or_else(PoisonError::into_inner)
    }

    fn take(&self) -> shuttle::sync::MutexGuard<'_, T> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> MutexGuard<'_, T> {
    /// Unlocks while `wait` runs.
    pub(super) fn unlocked<R>(&mut self, wait: impl FnOnce() -> R) -> R {
        self.held = None;
        let result = wait();
        self.held = Some(self.mutex.take());
        result
    }
}

impl<T> Deref for MutexGuard<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        self.held.as_ref().unwrap_or_else(|| unreachable!("it is given up only inside of a wait"))
    }
}

impl<T> DerefMut for MutexGuard<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        self.held.as_mut().unwrap_or_else(|| unreachable!("it is given up only inside of a wait"))
    }
}

/// A lock for one writer or several readers.
#[derive(Debug)]
pub(crate) struct RwLock<T>(shuttle::sync::RwLock<T>);

impl<T> RwLock<T> {
    pub(crate) fn new(value: T) -> Self {
        Self(shuttle::sync::RwLock::new(value))
    }

    pub(crate) fn read(&self) -> RwLockReadGuard<'_, T> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn write(&self) -> RwLockWriteGuard<'_, T> {
        self.0.write().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A value that is set once.
#[derive(Debug)]
pub(crate) struct OnceLock<T>(std::sync::OnceLock<T>);

impl<T> OnceLock<T> {
    pub(crate) const fn new() -> Self {
        Self(std::sync::OnceLock::new())
    }

    pub(crate) fn get_or_init(&self, value: impl FnOnce() -> T) -> &T {
        super::step();
        self.0.get_or_init(value)
    }

    pub(crate) fn wait(&self) -> &T {
        loop {
            shuttle::thread::yield_now();
            if let Some(value) = self.0.get() {
                return value;
            }
        }
    }
}
