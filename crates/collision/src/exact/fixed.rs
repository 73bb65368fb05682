//! Logarithms as integers: a number times `2^bits`, with a proved error.
//!
//! Only what the inverse needs, and only as fast as it needs.

use num_bigint::{BigInt, BigUint};

/// A fixed-point number and how far it may be off, both in units of the last
/// place.
#[derive(Clone, Debug)]
pub(super) struct Fixed {
    pub(super) value: BigInt,
    pub(super) error: BigUint,
}

/// `ln(numerator / denominator)` to `bits` places, for a quotient of at least 1.
pub(super) fn ln_of_quotient(numerator: &BigUint, denominator: &BigUint, bits: u64) -> Fixed {
    // quotient = 2^shift * r, with r in [1, 2).
    let mut shift = numerator.bits().saturating_sub(denominator.bits());
    if &(denominator << shift) > numerator {
        shift = shift.saturating_sub(1);
    }
    let whole = denominator << shift;
    // ln r = 2 artanh((r-1)/(r+1)), and ln 2 = 2 artanh(1/3).
    let r = artanh(&(numerator - &whole), &(numerator + &whole), bits);
    let two = artanh(&BigUint::from(1_u32), &BigUint::from(3_u32), bits);
    Fixed {
        value: (r.value + two.value * shift) * 2_u32,
        error: (r.error + two.error * shift) * 2_u32,
    }
}

/// `-ln(1 - n/2^exponent)` to `bits` places, for `n/2^exponent` below 1/2.
pub(super) fn minus_ln_of_rest(n: &BigUint, exponent: u64, bits: u64) -> Fixed {
    // x + x^2/2 + x^3/3 + ...; a truncated power loses less than two units,
    // since each step halves the loss before it adds one.
    let mut power = shifted(n, bits, exponent);
    let mut total = BigUint::ZERO;
    let mut terms = 0_u32;
    while power != BigUint::ZERO {
        terms += 1;
        total += &power / terms;
        power = (power * n) >> exponent;
    }
    Fixed {
        value: total.into(),
        // Two for a power, one for its division, and the terms not taken.
        error: BigUint::from(3_u32) * terms + 4_u32,
    }
}

/// `artanh(numerator / denominator)`, for a quotient of at most 1/3.
fn artanh(numerator: &BigUint, denominator: &BigUint, bits: u64) -> Fixed {
    let mut power = (numerator << bits) / denominator;
    let t = power.clone();
    let square = (&t * &t) >> bits;
    let mut total = BigUint::ZERO;
    let mut terms = 0_u32;
    while power != BigUint::ZERO {
        total += &power / (2 * terms + 1);
        power = (power * &square) >> bits;
        terms += 1;
    }
    Fixed {
        value: total.into(),
        error: BigUint::from(4_u32) * terms + 4_u32,
    }
}

fn shifted(n: &BigUint, up: u64, down: u64) -> BigUint {
    if up >= down {
        n << (up - down)
    } else {
        n >> (down - up)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// ln 2 and ln 10 to 60 decimals.
    const LN_2: &str = "693147180559945309417232121458176568075500134360255254120680";
    const LN_10: &str = "2302585092994045684017991454684364207601101488628772976033328";

    fn decimals(fixed: &Fixed, bits: u64) -> String {
        ((&fixed.value * BigInt::from(10_u32).pow(60)) >> bits).to_string()
    }

    #[test]
    fn logarithms_have_the_digits_of_the_tables() {
        let ln = |a: u32, b: u32| ln_of_quotient(&a.into(), &b.into(), 300);
        assert_eq!(decimals(&ln(2, 1), 300)[..58], LN_2[..58]);
        assert_eq!(decimals(&ln(10, 1), 300)[..58], LN_10[..58]);
        assert_eq!(decimals(&ln(20, 2), 300)[..58], LN_10[..58]);
        assert_eq!(ln(7, 7).value, BigInt::ZERO);
        // ln(4/3), by both ways.
        let quotient = ln(4, 3);
        let rest = minus_ln_of_rest(&1_u32.into(), 2, 300);
        let apart = (&quotient.value - &rest.value).magnitude().clone();
        assert!(apart <= &quotient.error + &rest.error, "{apart}");
        assert!(quotient.error < 4_000_u32.into());
    }

    #[test]
    fn the_claimed_error_holds_against_a_hundred_more_places() {
        for (a, b) in [(2_u32, 1_u32), (1_000_000, 999_999), (1_000, 1), (3, 2)] {
            let coarse = ln_of_quotient(&a.into(), &b.into(), 200);
            let fine = ln_of_quotient(&a.into(), &b.into(), 300);
            let apart = (coarse.value - (fine.value >> 100_u32)).magnitude().clone();
            assert!(apart <= coarse.error + 1_u32, "{a}/{b}: {apart}");
        }
        for n in [1_u32, 100, 127] {
            let coarse = minus_ln_of_rest(&n.into(), 8, 200);
            let fine = minus_ln_of_rest(&n.into(), 8, 300);
            let apart = (coarse.value - (fine.value >> 100_u32)).magnitude().clone();
            assert!(apart <= coarse.error + 1_u32, "{n}: {apart}");
        }
    }
}
