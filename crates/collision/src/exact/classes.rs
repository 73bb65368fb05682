//! The number of different names, a power of two.

use std::fmt;

use serde::Serialize;

use super::error::ExactError;
use super::falling::Urn;

/// `2^bits` classes, all equally likely.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct Classes {
    bits: u16,
}

impl Classes {
    /// What the truncated scheme and the prefix guard look at: the first four
    /// hexadecimal digits, of a disk's UUID or of an image's hash.
    pub const PREFIX: Self = Self { bits: 16 };

    /// `2^bits` classes.
    ///
    /// # Errors
    /// When `bits` is not 1 to 256.
    pub fn new(bits: u16) -> Result<Self, ExactError> {
        if (1..=256).contains(&bits) {
            Ok(Self { bits })
        } else {
            Err(ExactError::Bits(bits))
        }
    }

    /// The exponent.
    #[must_use]
    pub const fn bits(self) -> u16 {
        self.bits
    }

    /// The number of classes; exact, because it is a power of two.
    #[must_use]
    pub fn count(self) -> f64 {
        f64::from(self.bits).exp2()
    }

    /// The number of classes, where it fits.
    #[must_use]
    pub fn count_u128(self) -> Option<u128> {
        1_u128.checked_shl(self.bits.into())
    }

    /// Whether `disks` are more than the classes, so that two must share one.
    #[must_use]
    pub fn fewer_than(self, disks: u128) -> bool {
        self.count_u128().is_some_and(|count| count < disks)
    }

    /// The largest class number, where it fits: also for 128 bits.
    pub(super) fn last(self) -> Option<u128> {
        match self.bits {
            0..=127 => Some((1 << self.bits) - 1),
            128 => Some(u128::MAX),
            _ => None,
        }
    }

    pub(super) fn urn(self) -> Urn {
        Urn::of(self)
    }
}

impl fmt::Display for Classes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "2^{}", self.bits)
    }
}
