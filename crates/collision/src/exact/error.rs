//! Why a question has no exact answer here.

use thiserror::Error;

/// A question that cannot be answered. All of them are the asker's to change;
/// asking again gives the same error.
#[derive(Clone, Debug, PartialEq, Error)]
#[non_exhaustive]
pub enum ExactError {
    /// Not a number of bits that a name can have.
    #[error("{0} bits is out of range; expected 1 to 256")]
    Bits(u16),
    /// Not a number between 0 and 1 (NaN is not one either).
    #[error("{0} is not a probability; expected a number from 0 to 1")]
    NotAProbability(f64),
    /// Weights that are no distribution.
    #[error("{0} is not a weight; expected finite numbers of at least 0, and one above 0")]
    NotAWeight(f64),
    /// Nothing is left to draw from.
    #[error("all {classes} prefixes are taken, so no new disk can get one")]
    NothingFree {
        /// How many there are, as a power of two.
        classes: String,
    },
    /// Something that must be at least 1.
    #[error("{0} must be at least 1")]
    TooSmall(&'static str),
    /// The exact way would take too long.
    #[error("{what} is too large for the exact computation: {given}, at most {limit}")]
    TooLarge {
        /// What was too large.
        what: &'static str,
        /// How large it was.
        given: String,
        /// The limit.
        limit: u128,
    },
    /// A target so near to the probability of a number of disks that the
    /// digits carried do not tell which is larger. It takes a target with
    /// about as many digits as eleven times the bits.
    #[error("the target probability is too close to that of {disks} disks to tell them apart")]
    TooClose {
        /// The number of disks in question.
        disks: String,
    },
}

/// Refuses a size beyond what the exact way can do in seconds.
pub(super) fn limit(what: &'static str, given: u128, limit: u128) -> Result<(), ExactError> {
    if given > limit {
        return Err(ExactError::TooLarge {
            what,
            given: given.to_string(),
            limit,
        });
    }
    Ok(())
}

/// Refuses what is not a probability.
pub(super) fn probability(value: f64) -> Result<f64, ExactError> {
    if (0.0..=1.0).contains(&value) {
        Ok(value)
    } else {
        Err(ExactError::NotAProbability(value))
    }
}
