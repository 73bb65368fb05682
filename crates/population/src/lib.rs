//! Populations of disks: clusters of any size, from a seed, with exactly the
//! collisions that were asked for, as data and as objects of an API server.
//! Computes no odds and finds no collisions; that is `collision` and `diagnose`.
//!
//! Map of the code: a [`Spec`] says what is wanted, [`Population`] is that
//! cluster, with every disk in O(1) and nothing kept but the chosen ones, and
//! [`Tally`] counts what came out. [`write()`] streams it as nodes.longhorn.io
//! JSON, NDJSON, CSV or Parquet; [`Population::node`] and
//! [`Population::inventory`] give typed objects, and [`apply`] puts them into an
//! API server. All but `write` and `apply` is pure.
//!
//! ```
//! use fixname_population::{Population, Spec};
//!
//! let mut spec = Spec::new(100, 3, 7);
//! spec.collide = vec!["2".parse()?, "1x3@node".parse()?];
//! let population = Population::new(spec)?;
//! let summary = population.summary();
//! assert_eq!((summary.disks, summary.chosen, summary.accidental), (300, 3, 0));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub mod apply;
mod node;
mod place;
mod population;
mod spec;
mod stream;
mod tally;
mod uuid;
mod write;

pub use population::{Disk, Population};
pub use spec::{Accidents, Chosen, ChosenKind, MAX_CHOSEN, MAX_DISKS, Placement, Spec, SpecError};
pub use tally::{Summary, Tally};
pub use uuid::{UuidKind, UuidMix};
pub use write::{Format, WriteError, write};
