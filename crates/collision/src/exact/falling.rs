//! `ln P0`: the logarithm of the chance that draws from an urn are all
//! different. Everything else in this engine stands on it.

use super::classes::Classes;
use super::sum::sum;

/// Up to so many draws the product is summed term by term, which is faster.
const FEW_DRAWS: u128 = 8;

/// With fewer things left than this, Stirling's remainder is not sharp enough.
const FEW_LEFT: u128 = 64;

/// `m` equally likely things to draw. Unlike [`Classes`] not only powers of
/// two: an urn may have lost some.
#[derive(Clone, Copy, Debug)]
pub(super) struct Urn {
    size: f64,
    /// `m - 1`, where it fits; so that `m - n` is exact near `n = m`.
    last: Option<u128>,
}

impl Urn {
    pub(super) fn of(classes: Classes) -> Self {
        Self {
            size: classes.count(),
            last: classes.last(),
        }
    }

    /// The urn without `taken` of its things; `None` if nothing is left.
    pub(super) fn without(self, taken: u128) -> Option<Self> {
        match self.last {
            Some(last) => {
                let last = last.checked_sub(taken)?;
                Some(Self {
                    size: last as f64 + 1.0,
                    last: Some(last),
                })
            }
            // More than 2^128 things; no `u128` empties it.
            None => Some(Self {
                size: self.size - taken as f64,
                last: None,
            }),
        }
    }

    pub(super) fn size(self) -> f64 {
        self.size
    }

    /// `ln P0`, the logarithm of `(1 - 1/m)(1 - 2/m)...(1 - (n-1)/m)`.
    ///
    /// Within a few units in the last place for every size; negative infinity
    /// if there are more draws than things.
    pub(super) fn ln_all_different(self, n: u128) -> f64 {
        let m = self.size;
        let b = match self.last {
            // Not `last + 1 - n`, which overflows for 2^128 things.
            Some(last) => match last.checked_sub(n) {
                Some(rest) => rest as f64 + 1.0,
                None if n - last == 1 => 0.0,
                None => return f64::NEG_INFINITY,
            },
            None => m - n as f64,
        };
        if n <= FEW_DRAWS || self.size < 2.0 * FEW_LEFT as f64 {
            return sum((1..n).map(|i| ln_of_rest(i as f64 / m)));
        }
        if b < FEW_LEFT as f64 {
            // Take the last draws, with b+1, b+2, ... things left, one by one.
            let tail = FEW_LEFT - b as u128;
            let head = n - tail;
            let tail = sum((1..=tail).map(|left| ((b + left as f64) / m).ln()));
            return self.ln_all_different(head) + tail;
        }
        let x = n as f64 / m;
        let remainder = stirling_difference(m, b, n as f64);
        if x < 0.5 {
            // ln P0 = -m[(1-x)ln(1-x) + x] - ln(1-x)/2 + R(m) - R(b), by its
            // series in x. The two leading terms are n(n-1)/2m together; the
            // others are smaller by x or by 1/n, so nothing cancels.
            let (mut bulk, mut half) = (0.0, 0.0);
            let mut power = x;
            let mut k = 2.0;
            while power > f64::EPSILON * 1e-3 * x && power > 0.0 {
                if k > 2.0 {
                    bulk += power / (k * (k - 1.0));
                }
                half += power * x / k;
                power *= x;
                k += 1.0;
            }
            sum([-pairs(n) / m, -(n as f64) * bulk, half / 2.0, remainder])
        } else {
            let left = b / m;
            let ln_left = left.ln();
            sum([-m * (left * ln_left + x), -ln_left / 2.0, remainder])
        }
    }
}

/// `ln(1 - x)`, for an exact `x` from 0 to 1.
fn ln_of_rest(x: f64) -> f64 {
    if x < 0.5 {
        (-x).ln_1p()
    } else {
        (1.0 - x).ln()
    }
}

/// `n(n-1)/2`, rounded once as long as the product fits in 128 bits.
pub(super) fn pairs(n: u128) -> f64 {
    match n.checked_mul(n.saturating_sub(1)) {
        Some(product) => (product / 2) as f64,
        None => n as f64 * (n as f64 / 2.0),
    }
}

/// `R(m) - R(b)`, with `R(z) = 1/12z - 1/360z^3 + 1/1260z^5 - ...` what
/// Stirling's formula leaves out. The factor `1/b - 1/m = n/(mb)` is taken out
/// of every term, because the plain difference cancels when `n` is small.
fn stirling_difference(m: f64, b: f64, n: f64) -> f64 {
    let (p, q) = (1.0 / b, 1.0 / m);
    let third = p * p + p * q + q * q;
    let fifth = p.powi(4) + p.powi(3) * q + p * p * q * q + p * q.powi(3) + q.powi(4);
    // The next term is below 1e-14 of the first, and that is below 1/64 of the whole.
    -(n / m / b) * (1.0 / 12.0 - third / 360.0 + fifth / 1260.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The plain product, by compensated logarithms: slow, and independent of
    /// Stirling.
    fn by_terms(m: f64, n: u128) -> f64 {
        sum((1..n).map(|i| {
            let i = i as f64;
            if i < m / 2.0 {
                (-i / m).ln_1p()
            } else {
                ((m - i) / m).ln()
            }
        }))
    }

    #[test]
    fn the_closed_form_meets_the_product_at_every_density() {
        for bits in [1, 4, 7, 8, 10, 16, 18] {
            let urn = Classes::new(bits).unwrap().urn();
            let m = 1_u128 << bits;
            let step = (m / 97).max(1);
            let near_the_ends = [2, 63, 64, 65, 66, 128, m - 1, m].into_iter();
            let near_the_switch = (m / 2).saturating_sub(2)..m / 2 + 3;
            let around_the_tail = m.saturating_sub(66)..m.saturating_sub(60);
            for n in near_the_ends
                .chain(near_the_switch)
                .chain(around_the_tail)
                .chain((0..=m).step_by(step as usize))
                .filter(|&n| n <= m)
            {
                let (got, want) = (urn.ln_all_different(n), by_terms(m as f64, n));
                assert!(
                    (got - want).abs() <= 2e-15 * want.abs(),
                    "2^{bits}, {n} disks: {got} {want}"
                );
            }
            assert_eq!(urn.ln_all_different(m + 1), f64::NEG_INFINITY);
        }
    }

    #[test]
    fn an_urn_that_lost_some_is_a_smaller_urn() {
        let urn = Classes::PREFIX.urn().without(1_000).unwrap();
        assert_eq!(urn.size(), 64_536.0);
        for n in [2, 64, 65, 500, 40_000, 64_500, 64_536] {
            let (got, want) = (urn.ln_all_different(n), by_terms(64_536.0, n));
            assert!(
                (got - want).abs() <= 2e-15 * want.abs(),
                "{n}: {got} {want}"
            );
        }
        assert!(Classes::PREFIX.urn().without(65_535).is_some());
        assert!(Classes::PREFIX.urn().without(65_536).is_none());
        assert!(
            Classes::new(256)
                .unwrap()
                .urn()
                .without(u128::MAX)
                .is_some()
        );
    }

    #[test]
    fn the_largest_numbers_do_not_overflow() {
        for bits in [127, 128, 129, 256] {
            let urn = Classes::new(bits).unwrap().urn();
            for n in [u128::MAX, u128::MAX - 1, 1 << 127, (1 << 127) + 1] {
                let ln = urn.ln_all_different(n);
                assert!(ln < 0.0 && !ln.is_nan(), "2^{bits} {n}: {ln}");
            }
        }
        // 2^127 things, one draw more: two must be equal. Then exactly as many.
        let urn = Classes::new(127).unwrap().urn();
        assert_eq!(urn.ln_all_different((1 << 127) + 1), f64::NEG_INFINITY);
        let all = urn.ln_all_different(1 << 127) / 2_f64.powi(127);
        assert!((all + 1.0).abs() < 1e-15, "{all}");
    }
}
