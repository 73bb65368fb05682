//! Runs the shards of a computation as one Indexed Job of Kubernetes and
//! collects their parts from the pods' logs. Knows nothing of what is computed:
//! the caller reads each part, and says if it is none.
//!
//! Map of the code: [`JobSpec`] says what runs, `job` makes objects of it,
//! `pods` reads what a pod's status says, and [`run`] starts, waits, collects,
//! runs lost shards again, and removes what it made. Pods' logs carry the parts
//! because they need no volume and no service account in the pod. A kubelet cuts
//! a log at 10 MiB unless told otherwise ([`LOG_BYTES`]); parts must be smaller.
//! The caller needs to create, list and delete jobs, and to list pods and get
//! their logs.

mod job;
mod pods;
mod run;

pub use job::{JobSpec, indices};
pub use run::{Event, Options, Progress, ShardError, check, run};

/// `containerLogMaxSize` of a kubelet that was told nothing: 10 MiB. What a
/// container writes beyond it begins a new file, and only the newest is read.
pub const LOG_BYTES: u64 = 10 << 20;
