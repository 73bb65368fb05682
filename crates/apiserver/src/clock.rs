//! Where the server takes its time from.
//!
//! The server asks a [`Clock`] and nothing else, so that a test with paused
//! tokio time has reproducible timestamps and `serve` has real ones.

use std::sync::{Arc, OnceLock};

use jiff::{SignedDuration, Timestamp};

/// Tells the server what time it is.
pub trait Clock: Send + Sync + 'static {
    /// The present moment.
    fn now(&self) -> Timestamp;
}

impl<C: Clock + ?Sized> Clock for Arc<C> {
    fn now(&self) -> Timestamp {
        (**self).now()
    }
}

/// A fixed epoch plus the tokio time that went by since the first look at it.
///
/// On a runtime whose time is paused this is a virtual clock: it moves when the
/// test advances time, or when every task waits for a timer.
#[derive(Debug)]
pub struct TokioClock {
    epoch: Timestamp,
    start: OnceLock<tokio::time::Instant>,
}

impl TokioClock {
    /// 2026-01-01T00:00:00Z, the epoch of [`TokioClock::default`].
    pub const DEFAULT_EPOCH_SECONDS: i64 = 1_767_225_600;

    /// A clock that shows `epoch` at the first look.
    #[must_use]
    pub fn new(epoch: Timestamp) -> Self {
        Self {
            epoch,
            start: OnceLock::new(),
        }
    }
}

impl Default for TokioClock {
    fn default() -> Self {
        Self::new(Timestamp::constant(Self::DEFAULT_EPOCH_SECONDS, 0))
    }
}

impl Clock for TokioClock {
    fn now(&self) -> Timestamp {
        let start = self.start.get_or_init(tokio::time::Instant::now);
        let elapsed = SignedDuration::try_from(start.elapsed()).unwrap_or(SignedDuration::MAX);
        self.epoch.checked_add(elapsed).unwrap_or(Timestamp::MAX)
    }
}

/// The computer's own clock.
#[derive(Debug, Default, Clone, Copy)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }
}

/// A moment as Kubernetes writes it: whole seconds, UTC.
pub(crate) fn rfc3339(at: Timestamp) -> String {
    // `strftime` of a valid timestamp in UTC has always four digits of year here.
    at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}
