//! Runs the shards of a computation as one Indexed Job of Kubernetes and
//! collects their parts from the pods' logs. Knows nothing of what is computed:
//! the caller reads each part, and says if it is none.
//!
//! Map of the code: [`JobSpec`] says what runs, `job` makes objects of it, and
//! [`run`] starts, waits, collects, runs lost shards again, and removes what it
//! made. Pods' logs carry the parts because they need no volume, no service
//! account in the pod and no size limit that a part could meet; the caller needs
//! to create, get and delete jobs, and to list pods and get their logs.

mod job;
mod run;

pub use job::{JobSpec, indices};
pub use run::{Progress, ShardError, run};
