//! How likely names that are derived from disk UUIDs collide.
//!
//! [`exact`] answers with formulas and draws nothing. [`simulate`] draws and
//! counts, and shares no code with it, so that their [`agreement`] means
//! something; [`statistics`] says how much. Which scheme has how many random bits is the `naming` crate's
//! knowledge; here there are only classes and disks.
//!
//! ```
//! use fixname_collision::{Birthday, Classes, Target, disks_for};
//!
//! // The truncated scheme tells disks apart by 16 bits of their UUID.
//! let truncated = Classes::new(16)?;
//! assert!((Birthday::new(truncated, 302).p_any().value - 0.500722).abs() < 1e-6);
//! assert_eq!(disks_for(truncated, &"0.5".parse::<Target>()?)?.to_string(), "302");
//!
//! // Hashed names use all 122; doubles alone could not hold some of these.
//! let hashed = Classes::new(122)?;
//! assert!((Birthday::new(hashed, 302).p_any().log10 - -32.068).abs() < 1e-3);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub mod agreement;
pub mod exact;
pub mod simulate;
pub mod statistics;

pub use exact::{
    Birthday, Classes, DiskCount, ExactError, GroupOdds, Probability, Target, disks_for,
    expected_first_collision,
};
