//! How many disks make a collision this likely?
//!
//! The answer is an integer of up to 39 digits and it is exact, so nothing here
//! is a double: small cases are compared as fractions, large ones by their
//! logarithms with a proved error.

use std::cmp::Ordering;
use std::fmt;

use num_bigint::{BigInt, BigUint};
use serde::{Serialize, Serializer};

use super::classes::Classes;
use super::error::ExactError;
use super::fixed::{Fixed, ln_of_quotient, minus_ln_of_rest};
use super::target::Target;

/// Up to so many disks, or to so many classes, the two sides are compared as
/// fractions.
const EXACT_DISKS: u32 = 512;
const EXACT_BITS: u16 = 12;

/// A number of disks; at 256 bits it can be beyond 128 bits. JSON gets its
/// digits as a string.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DiskCount(BigUint);

impl DiskCount {
    /// As an integer, where it fits.
    #[must_use]
    pub fn to_u128(&self) -> Option<u128> {
        u128::try_from(&self.0).ok()
    }
}

impl fmt::Display for DiskCount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl From<u128> for DiskCount {
    fn from(disks: u128) -> Self {
        Self(disks.into())
    }
}

impl Serialize for DiskCount {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// The least number of disks for which the probability of a collision is at
/// least `target`.
///
/// # Errors
/// [`ExactError::TooClose`], if the target agrees with the probability of some
/// number of disks in more digits than are carried.
pub fn disks_for(classes: Classes, target: &Target) -> Result<DiskCount, ExactError> {
    let one = BigUint::from(1_u32);
    if target.is_zero() {
        return Ok(DiskCount(BigUint::ZERO));
    }
    let sure = (&one << classes.bits()) + 1_u32;
    if target.is_one() {
        return Ok(DiskCount(sure));
    }
    let question = Question::new(classes, target);
    // `below` disks do not reach the target, `reached` disks do.
    let mut below = one;
    let mut reached = BigUint::from(2_u32);
    while !question.reached_by(&reached)? {
        below = reached;
        reached = (&below * 2_u32).min(sure.clone());
    }
    while &reached - &below > BigUint::from(1_u32) {
        let middle = (&below + &reached) >> 1_u32;
        if question.reached_by(&middle)? {
            reached = middle;
        } else {
            below = middle;
        }
    }
    Ok(DiskCount(reached))
}

/// One target over one number of classes, with what every comparison needs.
struct Question {
    bits: u64,
    exact: bool,
    /// The chance of no collision that must not be exceeded, as a fraction.
    none: BigUint,
    denominator: BigUint,
    /// Places after the binary point.
    places: u64,
    /// `-ln` of that fraction.
    limit: Fixed,
}

impl Question {
    fn new(classes: Classes, target: &Target) -> Self {
        let denominator = target.denominator();
        let none = &denominator - &target.numerator;
        let bits = u64::from(classes.bits());
        // The error of a comparison is about 2^(bits - places), and that of
        // Stirling's series 2^(-11 bits); more places would not help.
        let places = 12 * bits + 64;
        Self {
            bits,
            exact: classes.bits() <= EXACT_BITS,
            limit: ln_of_quotient(&denominator, &none, places),
            none,
            denominator,
            places,
        }
    }

    /// Whether `disks` disks collide with at least the target's probability.
    fn reached_by(&self, disks: &BigUint) -> Result<bool, ExactError> {
        let classes = BigUint::from(1_u32) << self.bits;
        if *disks > classes {
            return Ok(true);
        }
        if self.exact || *disks <= BigUint::from(EXACT_DISKS) {
            return Ok(self.compare_fractions(&classes, disks) != Ordering::Greater);
        }
        // -ln P0 is above n(n-1)/2m. This also keeps n/m well below 1/2 from
        // here on: with at most 400 decimals the limit is at most 922.
        let pairs: BigInt = ((disks * (disks - 1_u32)) << (self.places - self.bits - 1)).into();
        let limit_error = BigInt::from(self.limit.error.clone());
        if pairs > &self.limit.value + &limit_error {
            return Ok(true);
        }
        let got = self.minus_ln_p_none(&classes, disks);
        let apart = got.value - &self.limit.value;
        let error = BigInt::from(got.error) + limit_error;
        if apart.magnitude() <= error.magnitude() {
            return Err(ExactError::TooClose {
                disks: disks.to_string(),
            });
        }
        Ok(apart > BigInt::ZERO)
    }

    /// P0 against the limit: `m(m-1)...(m-n+1) / m^n` against `none / denominator`.
    fn compare_fractions(&self, classes: &BigUint, disks: &BigUint) -> Ordering {
        let mut product = self.denominator.clone();
        let mut left = classes.clone();
        let mut drawn = BigUint::ZERO;
        let mut shift = 0;
        while drawn < *disks {
            product *= &left;
            left -= 1_u32;
            drawn += 1_u32;
            shift += self.bits;
        }
        product.cmp(&(&self.none << shift))
    }

    /// `-ln P0 = n + (b + 1/2) ln(1-x) + R(b) - R(m)`, as in `falling`. Here
    /// the cancellation costs nothing but places, and there are enough.
    fn minus_ln_p_none(&self, classes: &BigUint, disks: &BigUint) -> Fixed {
        let rest = classes - disks;
        let ln = minus_ln_of_rest(disks, self.bits, self.places);
        // (2b + 1) / 2 times the logarithm, rounded down.
        let twice = BigInt::from(&rest * 2_u32 + 1_u32);
        let mut value = BigInt::from(disks << self.places) - ((ln.value * twice) >> 1_u32);
        let mut error = ln.error * (&rest + 1_u32) + 1_u32;
        let [of_rest, of_all] = [&rest, classes].map(|z| stirling_remainder(z, self.places));
        value += of_rest.value - of_all.value;
        error += of_rest.error + of_all.error;
        Fixed { value, error }
    }
}

/// `R(z) = 1/12z - 1/360z^3 + 1/1260z^5 - 1/1680z^7 + 1/1188z^9`; what follows
/// is below the next term, `691/360360z^11`.
fn stirling_remainder(z: &BigUint, places: u64) -> Fixed {
    let one = BigUint::from(1_u32) << places;
    let mut value = BigInt::ZERO;
    let mut power = z.clone();
    for (divisor, negative) in [
        (12_u32, false),
        (360, true),
        (1260, false),
        (1680, true),
        (1188, false),
    ] {
        let term = BigInt::from(&one / (&power * divisor));
        value += if negative { -term } else { term };
        power = power * z * z;
    }
    Fixed {
        value,
        error: one / (power * 521_u32) + 6_u32,
    }
}

#[cfg(test)]
mod tests {
    use super::super::birthday::Birthday;
    use super::*;

    fn target(text: &str) -> Target {
        text.parse().unwrap()
    }

    fn disks(bits: u16, p: &str) -> u128 {
        let classes = Classes::new(bits).unwrap();
        disks_for(classes, &target(p)).unwrap().to_u128().unwrap()
    }

    #[test]
    fn a_target_that_is_met_exactly_is_met() {
        // 2 of 2^8 collide with 1/256 = 0.00390625, to the last digit.
        assert_eq!(disks(8, "0.00390625"), 2);
        assert_eq!(disks(8, "0.0039062500000000000001"), 3);
        assert_eq!(disks(1, "0.5"), 2);
        assert_eq!(disks(1, "0.50000001"), 3);
        // 3 of 2^16: 4.57759015262126922607421875e-5 is all of it.
        assert_eq!(disks(16, "4.57759015262126922607421875e-5"), 3);
        assert_eq!(disks(16, "4.57759015262126922607421876e-5"), 4);
    }

    #[test]
    fn the_ends_are_no_disk_and_one_more_than_the_classes() {
        assert_eq!(disks(16, "0"), 0);
        assert_eq!(disks(16, "1"), 65_537);
        assert_eq!(disks(16, "1e-400"), 2);
        assert_eq!(disks(127, "1"), (1 << 127) + 1);
        let all = disks_for(Classes::new(256).unwrap(), &target("1")).unwrap();
        assert_eq!(all.to_u128(), None);
        assert!(
            all.to_string()
                .starts_with("1157920892373161954235709850086879078532699")
        );
        // Every decimal that is allowed, just below certainty.
        let almost = format!("0.{}", "9".repeat(400));
        for bits in [8, 12, 13, 14, 16, 64, 256] {
            let classes = Classes::new(bits).unwrap();
            let count = disks_for(classes, &target(&almost)).unwrap();
            if let Some(n) = count.to_u128() {
                let below = Birthday::new(classes, n - 1).p_none().log10;
                let reached = Birthday::new(classes, n).p_none().log10;
                assert!(
                    below > -400.0 - 1e-9 && reached <= -400.0 + 1e-9,
                    "{bits}: {n}"
                );
            }
        }
    }

    #[test]
    fn fractions_and_logarithms_give_the_same_answers() {
        for bits in [13, 16, 20] {
            let classes = Classes::new(bits).unwrap();
            for p in ["0.9", "0.99999", "0.999999999999999999999999999999"] {
                let p = target(p);
                let by_logarithms = Question::new(classes, &p);
                let by_fractions = Question {
                    exact: true,
                    ..Question::new(classes, &p)
                };
                let n = disks_for(classes, &p).unwrap().0;
                for n in [&n - 3_u32, &n - 1_u32, n.clone(), &n + 1_u32, &n + 3_u32] {
                    assert_eq!(by_logarithms.reached_by(&n), by_fractions.reached_by(&n));
                }
            }
        }
    }

    #[test]
    fn the_answer_is_the_first_that_reaches_the_target() {
        for bits in [8, 16, 24, 32, 40] {
            let classes = Classes::new(bits).unwrap();
            for p in ["1e-5", "0.01", "0.3", "0.5", "0.999"] {
                let n = disks(bits, p);
                let wanted: f64 = p.parse().unwrap();
                assert!(
                    Birthday::new(classes, n).p_any().value >= wanted,
                    "{bits} {p}"
                );
                assert!(
                    Birthday::new(classes, n - 1).p_any().value < wanted,
                    "{bits} {p}"
                );
            }
        }
    }
}
