//! A model of what Longhorn's managers do to backing images, version by version.
//!
//! Map of the code. [`backing_image::reconcile`] is the heart: a pure function
//! from what the caches show to the writes, log lines and events of one
//! reconcile, in order. [`pods`] stands in for what manager pods and data source
//! pods do. [`node`] and [`missing_disk`] are what other controllers do to the
//! spec of an image: eviction, and the cleanup of unused copies. [`webhooks`]
//! judge requests. [`Behaviour`] holds the differences between versions as data,
//! [`Parts`] what of all this is played. [`driver`] runs it against any
//! `kube::Client`: caches, work queues, workers, timers; its `registry` is where a
//! new controller is put in. [`Trace`] is what it leaves behind.
//!
//! The pure part has no clock, network or randomness of its own, so that the
//! same functions can be replayed, run live, and explored exhaustively.
//!
//! ```
//! use fixname_controllers::Behaviour;
//! use fixname_naming::Scheme;
//!
//! let affected = Behaviour::of(&"v1.9.1".parse()?)?;
//! let fixed = Behaviour::of(&"v1.12.1".parse()?)?;
//! assert_eq!(affected.scheme, Scheme::Truncated);
//! assert_eq!(fixed.scheme, Scheme::Sha224);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub mod backing_image;
mod behaviour;
pub mod data_source;
mod defect;
pub mod disk_monitor;
pub mod driver;
mod effect;
pub mod machines;
pub mod manager;
pub mod missing_disk;
pub mod node;
pub mod node_disks;
mod parts;
mod plan;
pub mod pods;
mod queue;
pub mod replica;
pub mod scheduler;
pub mod source;
mod store;
mod trace;
mod view;
pub mod volume;
pub mod webhooks;

pub use behaviour::{Behaviour, Walk};
pub use defect::Defect;
pub use effect::{Effect, Event, EventType, Level, LogLine, Object, Tolerance, Write};
pub use parts::{Part, Parts, PartsError};
pub use plan::{Desk, Plan, Seat};
pub use queue::{Verdict, WorkQueue};
pub use store::{Indexed, Store};
pub use trace::{Trace, TraceEntry, TraceItem};
pub use view::{ReadyDisk, View};
