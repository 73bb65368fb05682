//! A probability that survives being too small, or too near to 1, for a double.

use std::f64::consts::{LN_2, LN_10};

use serde::Serialize;

use super::scaled::Scaled;

/// A probability and its logarithms.
///
/// `ln` and `log10` are right also where `value` underflows to 0. An
/// impossible event has `value` 0 and both logarithms negative infinity (which
/// JSON writes as null).
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Probability {
    /// The probability itself, from 0 to 1.
    pub value: f64,
    /// Its natural logarithm.
    pub ln: f64,
    /// Its decimal logarithm.
    pub log10: f64,
}

impl Probability {
    /// What never happens.
    pub const NEVER: Self = Self {
        value: 0.0,
        ln: f64::NEG_INFINITY,
        log10: f64::NEG_INFINITY,
    };

    /// What always happens.
    pub const ALWAYS: Self = Self {
        value: 1.0,
        ln: 0.0,
        log10: 0.0,
    };

    /// The probability whose natural logarithm this is.
    pub(super) fn from_ln(ln: f64) -> Self {
        // A rounding error may leave a logarithm just above 0.
        let ln = ln.min(0.0);
        Self::unsigned_zeros(ln.exp(), ln)
    }

    /// The probability of the opposite of an event whose logarithm this is:
    /// no digit is lost, whichever of the two is rare.
    pub(super) fn from_ln_of_opposite(ln: f64) -> Self {
        let ln_of_opposite = ln.min(0.0);
        let value = -ln_of_opposite.exp_m1();
        let ln = if ln_of_opposite > -LN_2 {
            value.ln()
        } else {
            (-ln_of_opposite.exp()).ln_1p()
        };
        Self::unsigned_zeros(value, ln)
    }

    /// From a value that did not underflow.
    pub(super) fn from_value(value: f64) -> Self {
        let value = value.clamp(0.0, 1.0);
        Self::unsigned_zeros(value, value.ln())
    }

    /// From a product that may have underflowed.
    pub(super) fn from_scaled(scaled: Scaled) -> Self {
        if scaled.value() >= 1.0 {
            return Self::ALWAYS;
        }
        Self::unsigned_zeros(scaled.value(), scaled.ln())
    }

    /// -0.0 equals 0.0 but prints with its sign; adding 0.0 takes it away.
    fn unsigned_zeros(value: f64, ln: f64) -> Self {
        Self {
            value: value + 0.0,
            ln: ln + 0.0,
            log10: ln / LN_10 + 0.0,
        }
    }
}
