//! Monte Carlo: the same questions as [`crate::exact`], answered by drawing
//! disks and counting. No formula of the exact engine is used here.
//!
//! A [`Plan`] (a [`Model`], a number of clusters and a seed) is cut into units.
//! [`run`] counts a range of them into a [`Part`], [`merge`] adds parts up to
//! the whole, and [`crate::agreement`] holds the counts against the formulas.
//! Every count is an integer and every draw has an address, so threads, shards
//! and their order cannot matter, and [`Part::digest`] proves it.
//!
//! The kernels have a file each: `uniform` (all names of one cluster), `tree`
//! (populations that fit in no memory), `names` (real hashes), `guarded`
//! (Longhorn's guard), `skewed` (UUIDs that are not uniform), `forced` (what is
//! too rare to be seen).

mod counts;
mod disk;
mod forced;
mod groups;
mod guarded;
mod model;
mod names;
mod part;
mod run;
mod skewed;
mod tree;
mod uniform;

pub use counts::Counts;
pub use fixname_planes::Engine;
pub use model::{Hash, Model, Plan, PlanError, RUNGS, Shard, Skew};
pub use part::{ENGINE_VERSION, MergeError, Part, PartError, merge};
pub use run::{Options, Progress, RunError, run, run_until};
