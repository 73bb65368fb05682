//! Runs the model against any `kube::Client`, embedded or real.
//!
//! [`Longhorn`] is one Longhorn manager. It has two halves: [`Process`], the
//! controller of backing images (caches, a work queue, five workers, a resync timer),
//! and the station, the controllers around it, on virtual machines. Their caches are
//! fed by the same watches.
//! Recordings are played by a [`Process`] alone, with the rounds and the
//! [`Environment`] that their recorder had in the neighbours' place. All take their
//! time from a [`ModelClock`], which a test runs on tokio's paused time, and a real
//! server at any speed.

mod caches;
mod chores;
mod environment;
mod longhorn;
mod neighbours;
mod process;
mod registry;
mod send;
mod station;
mod triggers;

use std::time::Duration;

use fixname_naming::ImageRef;
use jiff::{SignedDuration, Timestamp};
use tokio::time::Instant;

pub use caches::{CacheError, Caches, Seen};
pub use environment::Environment;
pub use longhorn::{Longhorn, LonghornOptions};
pub use process::{Exit, Process, ProcessOptions};
pub(crate) use send::NIL_POINTER;
pub use send::{Admission, Refusal, Sender};
pub use station::SharedMachines;

/// A handler's first resync comes about this long after the start of the
/// process: the informers' timers run before the handlers are added, and a
/// handler's own 30 s are not over at the first tick (recorded: 59.8 s).
pub const FIRST_RESYNC: Duration = Duration::from_secs(60);

/// The resync period afterwards (`util/client/client.go:91` at v1.9.1).
pub const RESYNC: Duration = Duration::from_secs(30);

/// Model time. It runs `scale` times as fast as tokio's clock.
#[derive(Clone, Copy, Debug)]
pub struct ModelClock {
    epoch: Timestamp,
    start: Instant,
    scale: f64,
}

impl ModelClock {
    /// A clock that shows `epoch` now and runs `scale` times as fast as tokio's.
    /// A scale that is not a positive number counts as 1.
    pub fn new(epoch: Timestamp, scale: f64) -> Self {
        Self {
            epoch,
            start: Instant::now(),
            scale: if scale.is_finite() && scale > 0.0 {
                scale
            } else {
                1.0
            },
        }
    }

    /// Model time since the clock was made.
    pub fn elapsed(&self) -> Duration {
        self.start.elapsed().mul_f64(self.scale)
    }

    /// The model's date and time.
    pub fn now(&self) -> Timestamp {
        let elapsed = SignedDuration::try_from(self.elapsed()).unwrap_or(SignedDuration::MAX);
        self.epoch.saturating_add(elapsed).unwrap_or(Timestamp::MAX)
    }

    /// Waits for a span of model time.
    pub async fn sleep(&self, span: Duration) {
        tokio::time::sleep(span.div_f64(self.scale)).await;
    }

    /// The instant of tokio's clock that lies `span` of model time ahead.
    pub fn ahead(&self, span: Duration) -> Instant {
        Instant::now() + span.div_f64(self.scale)
    }
}

/// The manager image in force. It changes when a cluster is upgraded.
pub type CurrentImage = tokio::sync::watch::Receiver<ImageRef>;
