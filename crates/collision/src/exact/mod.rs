//! Exact birthday mathematics: formulas only, no random number anywhere.
//!
//! Start with [`Birthday`] (so many disks over so many classes). The other
//! questions have a file each: how many disks for a given risk (`inverse`),
//! when the first collision comes (`first`), joins over time (`timeline`),
//! Longhorn's prefix guard (`guard`), many clusters (`fleet`), many images
//! (`images`), UUIDs that are not uniform (`skew`), or a clock (`clock`), or
//! copied (`clones`).
//!
//! Notation in the comments: `m` classes, `n` disks, `x = n/m`, `b = m - n`,
//! and `P0`, the probability that no two disks share a class. Everything is
//! computed on `ln P0`, which neither underflows nor rounds to 1.

mod birthday;
mod classes;
pub mod clock;
mod clones;
mod double;
mod error;
mod excess;
mod falling;
mod first;
mod fixed;
pub mod fleet;
mod groups;
pub mod guard;
mod images;
mod inverse;
mod moments;
mod probability;
mod scaled;
pub mod skew;
mod sum;
mod target;
pub mod timeline;

pub use birthday::Birthday;
pub use classes::Classes;
pub use clones::p_any_with_clones;
pub use error::ExactError;
pub use first::expected_first_collision;
pub use groups::GroupOdds;
pub use images::p_any_with_images;
pub use inverse::{DiskCount, disks_for};
pub use probability::Probability;
pub use target::{Target, TargetError};
