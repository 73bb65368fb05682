//! Random numbers that can be addressed, and the hot loops that count repeats
//! among them. No statistics and no models: those are the `collision` crate's.
//!
//! [`Planes`] is AES-128 in counter mode. The counter of every 16-byte block is
//! a plane, a cluster and a number, so any disk of any cluster can be drawn
//! again alone, on any machine, in any order. The loops exist once, in safe
//! Rust (`loops`); the module `simd` compiles them twice more, for processors
//! with AVX2 and with AVX-512, and gives them random bytes by VAES. That module
//! holds all the unsafe code of the project, and gives the same bits as the
//! safe path. It also hashes sixteen messages side by side (`lanes`).
//!
//! ```
//! use fixname_planes::{Engine, Planes};
//! use rand_core::Rng;
//!
//! let planes = Planes::new(1, Engine::Auto)?;
//! let portable = Planes::new(1, Engine::Portable)?;
//! let (mut a, mut b) = (planes.stream(0, 7), portable.stream(0, 7));
//! assert_eq!(a.next_u64(), b.next_u64());
//! # Ok::<(), fixname_planes::NoVector>(())
//! ```

mod lanes;
mod loops;
mod occupancy;
mod plane;
mod simd;
mod stream;

pub use lanes::{LANES, compress16};
pub use loops::{Filter, MOST_BITS, Prefixes, heads};
pub use occupancy::{Occupancy, Shared};
pub use plane::{Block, Engine, MOST_CLUSTERS, NoVector, Planes};
pub use stream::PlaneStream;
