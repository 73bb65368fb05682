//! The first collision: after how many disks?
//!
//! The distribution itself is [`Birthday`]: the first collision comes later
//! than the n-th disk exactly if `n` disks have none. Its quantiles are
//! [`super::disks_for`].
//!
//! [`Birthday`]: super::Birthday

use std::f64::consts::PI;

use super::classes::Classes;
use super::double::Double;

/// Up to here the sum is short enough to be taken term by term.
const SUMMED_BITS: u16 = 24;

/// Expected number of disks up to and with the first that shares its class:
/// 321.5 for 16 bits.
#[must_use]
pub fn expected_first_collision(classes: Classes) -> f64 {
    if classes.bits() <= SUMMED_BITS {
        by_sum(classes.count())
    } else {
        by_ramanujan(classes.count())
    }
}

/// The sum of `P0(n)` over all `n` from 0.
fn by_sum(m: f64) -> f64 {
    let mut none = Double::ONE;
    let mut total = Double::ONE;
    let mut disks = 0.0;
    while disks < m && none.value() > 1e-20 {
        // From `disks` to `disks + 1`; the quotient is exact.
        none = none.times(Double::exact_sum(1.0, -disks / m));
        total = total.plus(none);
        disks += 1.0;
    }
    total.value()
}

/// `1 + Q(m)`, with Ramanujan's Q-function by its asymptotic series (Knuth,
/// The Art of Computer Programming, volume 1, 1.2.11.3).
fn by_ramanujan(m: f64) -> f64 {
    let root = (PI * m / 2.0).sqrt();
    1.0 + root - 1.0 / 3.0 + root / (12.0 * m) - 4.0 / (135.0 * m) + root / (288.0 * m * m)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sum_and_the_series_agree_where_they_meet() {
        for bits in [16, 20, SUMMED_BITS] {
            let m = f64::from(bits).exp2();
            let (sum, series) = (by_sum(m), by_ramanujan(m));
            assert!((sum - series).abs() < 1e-13 * sum, "{bits}: {sum} {series}");
        }
        // Two classes: the second disk with 1/2, else the third.
        assert_eq!(by_sum(2.0), 2.5);
        assert!(expected_first_collision(Classes::new(256).unwrap()) > 4e38);
    }
}
