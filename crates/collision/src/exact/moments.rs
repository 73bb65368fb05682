//! Expected values: pairs, disks that share, groups, and disks too many.
//!
//! None is a probability, so they are plain doubles; at 256 bits a group of
//! five or more underflows to 0.

use super::birthday::Birthday;
use super::falling::pairs;
use super::scaled::Scaled;
use super::sum::Sum;

impl Birthday {
    /// Expected number of pairs of disks that share a class.
    #[must_use]
    pub fn expected_pairs(self) -> f64 {
        pairs(self.disks) / self.m()
    }

    /// Variance of the number of such pairs. Whether one pair is equal says
    /// nothing about another, not even one with a disk in common, so the
    /// variances add up.
    #[must_use]
    pub fn variance_of_pairs(self) -> f64 {
        self.expected_pairs() * (1.0 - 1.0 / self.m())
    }

    /// Expected number of disks that share their class with another disk.
    #[must_use]
    pub fn expected_colliding_disks(self) -> f64 {
        if self.disks < 2 {
            return 0.0;
        }
        -self.n() * ((self.disks - 1) as f64 * self.ln_missed()).exp_m1()
    }

    /// Expected number of classes that hold exactly `size` disks.
    #[must_use]
    pub fn expected_groups_of(self, size: u128) -> f64 {
        self.groups_of(size).value()
    }

    /// Expected number of classes that two or more disks share.
    #[must_use]
    pub fn expected_groups(self) -> f64 {
        if self.disks < 2 {
            return 0.0;
        }
        let (m, n) = (self.m(), self.n());
        if n >= m {
            // As many disks as classes: taking the empty and the single ones
            // away costs no digits, and the series would be long.
            let empty_or_not = -m * (n * self.ln_missed()).exp_m1();
            return empty_or_not - n * ((n - 1.0) * self.ln_missed()).exp();
        }
        let mut groups = Sum::default();
        let mut term = self.expected_groups_of(2);
        let mut size = 2.0;
        while term > groups.value() * f64::EPSILON * 1e-3 {
            groups.add(term);
            term *= (n - size) / ((size + 1.0) * (m - 1.0));
            size += 1.0;
        }
        groups.value()
    }

    /// Expected number of disks less the number of different classes: how many
    /// disks would have to go for all to differ.
    #[must_use]
    pub fn expected_excess(self) -> f64 {
        if self.disks < 2 {
            return 0.0;
        }
        // n - m(1 - e^y) with y = n ln(1 - 1/m), rearranged into two brackets
        // that do not cancel: m(e^y - 1 - y) + nm(ln(1 - 1/m) + 1/m).
        let (m, n) = (self.m(), self.n());
        let y = n * self.ln_missed();
        m * exp_m1_minus(y) - n * m * minus_ln_1p(-1.0 / m)
    }

    /// `m C(n,k) m^-k (1 - 1/m)^(n-k)`, factor by factor.
    pub(super) fn groups_of(self, size: u128) -> Scaled {
        if size > self.disks {
            return Scaled::new(0.0);
        }
        let bits = i64::from(self.classes.bits());
        let others = (self.disks - size) as f64;
        let start = Scaled::exp(others * self.ln_missed()).times_power_of_two(bits);
        (0..size).fold(start, |product, i| {
            product
                .times((self.disks - i) as f64 / (i + 1) as f64)
                .times_power_of_two(-bits)
        })
    }

    pub(super) fn m(self) -> f64 {
        self.classes.count()
    }

    pub(super) fn n(self) -> f64 {
        self.disks as f64
    }

    /// `ln(1 - 1/m)`: a disk misses a given class.
    pub(super) fn ln_missed(self) -> f64 {
        (-1.0 / self.m()).ln_1p()
    }
}

/// `e^y - 1 - y`, for `y <= 0`.
fn exp_m1_minus(y: f64) -> f64 {
    if y < -1.0 {
        return y.exp_m1() - y;
    }
    let mut total = Sum::default();
    let mut term = y * y / 2.0;
    let mut k = 3.0;
    while term.abs() > f64::EPSILON * 1e-2 * total.value() {
        total.add(term);
        term *= y / k;
        k += 1.0;
    }
    total.value()
}

/// `t - ln(1 + t)`, which is never negative; for `t >= -1`.
pub(super) fn minus_ln_1p(t: f64) -> f64 {
    if t.abs() > 0.25 {
        return t - t.ln_1p();
    }
    // t^2/2 - t^3/3 + t^4/4 - ...
    let mut total = Sum::default();
    let mut power = t * t;
    let mut k = 2.0;
    while power.abs() > f64::EPSILON * 1e-2 * total.value() {
        total.add(power / k);
        power *= -t;
        k += 1.0;
    }
    total.value()
}

#[cfg(test)]
mod tests {
    use super::super::classes::Classes;
    use super::*;

    #[test]
    fn groups_by_size_add_up_to_all_groups_and_all_disks() {
        for (bits, disks) in [(4, 10), (8, 200), (8, 256), (8, 1_000), (16, 1_000)] {
            let birthday = Birthday::new(Classes::new(bits).unwrap(), disks);
            let of = |k| birthday.expected_groups_of(k);
            let close = |a: f64, b: f64| (a - b).abs() <= 1e-12 * b;
            let top = disks.min(120);
            assert!(close((2..=top).map(of).sum(), birthday.expected_groups()));
            assert!(close((0..=top).map(of).sum(), birthday.m()));
            let held = |k: u128| k as f64 * of(k);
            assert!(close((1..=top).map(held).sum(), birthday.n()));
            assert!(close(
                (2..=top).map(held).sum(),
                birthday.expected_colliding_disks()
            ));
            let too_many = |k: u128| (k as f64 - 1.0) * of(k);
            assert!(close(
                (2..=top).map(too_many).sum(),
                birthday.expected_excess()
            ));
        }
    }

    #[test]
    fn no_moment_is_negative_or_nan_at_the_ends() {
        for bits in [1, 8, 64, 256] {
            for disks in [0, 1, 2, 3, 1 << 60, u128::MAX] {
                let birthday = Birthday::new(Classes::new(bits).unwrap(), disks);
                for (what, value) in [
                    ("pairs", birthday.expected_pairs()),
                    ("variance", birthday.variance_of_pairs()),
                    ("disks", birthday.expected_colliding_disks()),
                    ("groups", birthday.expected_groups()),
                    ("triples", birthday.expected_groups_of(3)),
                    ("excess", birthday.expected_excess()),
                ] {
                    assert!(
                        value >= 0.0 && value.is_finite(),
                        "{what} {bits} {disks}: {value}"
                    );
                    assert!(disks > 1 || value == 0.0, "{what} {bits} {disks}: {value}");
                }
            }
        }
    }
}
