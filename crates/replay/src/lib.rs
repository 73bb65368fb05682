//! Scenarios of Longhorn clusters, replayed against a Kubernetes API server.
//!
//! Map of the code. [`scenario`] is the file format, [`seen`] what it can expect of
//! single things, [`mod@load`] reads and checks it: `variables` is its
//! text, [`template`] what it uses of others, `check` finds mistakes, `place` and `problem` say where they are.
//! [`run`](mod@run) plays one scenario under one version with one seed:
//! [`cluster`] builds the objects, [`backend`] provides the API server, and
//! [`expect`] decides whether the cluster is stuck or settled, each proved over
//! at least two resyncs. [`suite`] runs many and hands out [`event`]s, from
//! which all reports are made. [`live`] plays the model in real time. [`explain`] says in sentences what a scenario means, [`record`](mod@record) makes a scenario of a cluster.
//! [`conform`] replays recordings of a real Longhorn.
//!
//! A green answer is meant to be believed: what cannot be checked fails.

mod act;
pub mod backend;
mod check;
pub mod cluster;
pub mod command;
pub mod conform;
mod disk;
pub mod event;
pub mod expect;
pub mod explain;
mod kinds;
pub mod live;
pub mod load;
mod managers;
mod partial;
mod place;
mod problem;
pub mod record;
pub mod run;
pub mod scenario;
pub mod seen;
mod suggest;
pub mod suite;
pub mod template;
mod variables;
mod webhooks;

pub use backend::{Backend, BackendError};
pub use event::{Failure, Outcome, Phase, Progress, RunResult, StepResult, Totals, Trouble};
pub use load::{LoadError, load};
pub use problem::Problem;
pub use scenario::Scenario;
pub use suite::{Shard, Suite, SuiteOptions, SuiteResult};
pub use template::Template;
