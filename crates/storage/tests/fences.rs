//! What the store's fences promise on the weak memory that a processor may have: loom tries everything that the
//! rules of the language allow, where shuttle (`tests/model`) knows one order of all steps alone.
//!
//! The code on trial is a part of the sources, built here with loom's atomics in the place of the system's.

#[path = "../src/wal/write/in_flight.rs"]
mod in_flight;

mod sync {
    pub(crate) mod atomic {
        pub(crate) use loom::sync::atomic::{AtomicUsize, Ordering, fence};
    }
}

use loom::sync::Arc;
use loom::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use loom::thread;

use in_flight::InFlight;

struct Log {
    in_flight: InFlight,
    has_admission_ended: AtomicBool,
    appended: AtomicUsize,
}

impl Log {
    /// Appends, unless admission has ended.
    fn write(&self) {
        let _flight = self.in_flight.begin();
        if !self.has_admission_ended.load(Ordering::Acquire) {
            self.appended.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Ends admission; how much was appended when nobody is left, if nobody is left at once.
    fn close(&self) -> Option<usize> {
        self.has_admission_ended.store(true, Ordering::Release);
        self.in_flight.admission_has_ended();
        (!self.in_flight.is_any()).then(|| self.appended.load(Ordering::Relaxed))
    }
}

#[test]
fn nothing_is_appended_once_a_closing_log_has_seen_nobody_in_flight() {
    loom::model(|| {
        let log = Arc::new(Log {
            in_flight: InFlight::new(),
            has_admission_ended: AtomicBool::new(false),
            appended: AtomicUsize::new(0),
        });
        let writer = {
            let log = Arc::clone(&log);
            thread::spawn(move || log.write())
        };
        let seen = log.close();
        writer.join().unwrap();
        let appended = log.appended.load(Ordering::Relaxed);
        assert!(seen.is_none_or(|seen| seen == appended), "{seen:?} of {appended} were sealed");
    });
}
