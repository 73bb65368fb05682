//! The largest group: does some class hold `k` disks or more?

use super::birthday::Birthday;
use super::double::Double;
use super::error::{ExactError, limit};
use super::probability::Probability;
use super::scaled::Scaled;

/// Steps of the recurrence that take about a second.
const MAX_STEPS: u128 = 1 << 25;
/// The largest group size that is looked for.
const MAX_SIZE: u128 = 1 << 20;
/// Below this expected number of large groups, a second one does not show in
/// the first twelve digits.
const RARE: f64 = 1e-13;

/// The probability of a group of `k` or more, or bounds on it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum GroupOdds {
    /// The probability, to twelve digits.
    Exact(Probability),
    /// The exact way would take too long, or has no positive form (more disks
    /// than classes). The probability is proved to lie between these two; they
    /// differ by about half the square of the upper one where that is small.
    Between {
        /// It is at least this.
        low: Probability,
        /// It is at most this.
        high: Probability,
    },
}

impl Birthday {
    /// Probability that some class holds at least `size` disks.
    ///
    /// # Errors
    /// When `size` is beyond 2^20 and the answer is not trivial.
    pub fn p_group_of_at_least(self, size: u128) -> Result<GroupOdds, ExactError> {
        if size <= 1 {
            let certain = size == 0 || self.disks > 0;
            return Ok(GroupOdds::Exact(if certain {
                Probability::ALWAYS
            } else {
                Probability::NEVER
            }));
        }
        if size > self.disks {
            return Ok(GroupOdds::Exact(Probability::NEVER));
        }
        if size == 2 {
            return Ok(GroupOdds::Exact(self.p_any()));
        }
        limit("group size", size, MAX_SIZE)?;
        let room = self
            .classes
            .count_u128()
            .and_then(|m| m.checked_mul(size - 1));
        if room.is_some_and(|room| self.disks > room) {
            return Ok(GroupOdds::Exact(Probability::ALWAYS));
        }
        // From here on a class has room for the average, so `size` is above it.
        let expected = self.groups_of_at_least(size);
        if expected.value() < RARE {
            return Ok(GroupOdds::Exact(Probability::from_scaled(expected)));
        }
        if !self.classes.fewer_than(self.disks) && self.disks.saturating_mul(size) <= MAX_STEPS {
            return Ok(GroupOdds::Exact(self.largest_group_by_recurrence(size)));
        }
        // At least: the counts of two classes are negatively associated, so
        // that all classes stay below `size` is at most the product of each
        // staying below. At most: the expected number of such classes.
        let m = self.m();
        let none_at_most = m * (-(expected.value() / m).min(1.0)).ln_1p();
        Ok(GroupOdds::Between {
            low: Probability::from_ln_of_opposite(none_at_most),
            high: Probability::from_scaled(expected),
        })
    }

    /// Expected number of classes with at least `size` disks, which must be
    /// more than a class holds on average: then the terms fall from the first.
    fn groups_of_at_least(self, size: u128) -> Scaled {
        let (m, n) = (self.m(), self.n());
        let (mut total, mut term, mut j) = (0.0, 1.0, size as f64);
        while term > total * f64::EPSILON * 1e-2 {
            total += term;
            term *= (n - j).max(0.0) / ((j + 1.0) * (m - 1.0));
            j += 1.0;
        }
        self.groups_of(size).times(total)
    }

    /// The chance `U(s)` that `s` disks have a group of `k`, for `s` up to `n`.
    ///
    /// The power-of-a-series recurrence of Levin's form, written for the
    /// *complement*: with `v(s,j) = ((s-1)/m)...((s-j+1)/m)/j!`,
    /// `U(s) = k v(s,k) + sum over j < k of (j v(s,j) - (j+1) v(s,j+1)) U(s-j)`.
    /// (Without a limit on the group the weights add up to 1, and they
    /// telescope; the rest beyond `k` is the first term.) Every term is
    /// positive as long as `s <= m + 1`, so a rare group keeps its digits.
    fn largest_group_by_recurrence(self, size: u128) -> Probability {
        let m = self.m();
        let size = size as usize;
        let disks = self.disks as usize;
        // A ring of the last `size` chances: U(s) is at s % size.
        let mut chances = vec![Double::ZERO; size];
        for s in size..=disks {
            let mut v = Double::ONE;
            let mut total = Double::ZERO;
            for j in 1..size {
                let left = (s - j) as f64 / m;
                let weight = v.times(Double::exact_sum(j as f64, -left));
                total = total.plus(weight.times(chances[(s - j) % size]));
                v = v.times_f64(left).over_f64((j + 1) as f64);
            }
            chances[s % size] = total.plus(v.times_f64(size as f64));
        }
        Probability::from_value(chances[disks % size].value())
    }
}

#[cfg(test)]
mod tests {
    use super::super::classes::Classes;
    use super::*;

    fn odds(bits: u16, disks: u128, size: u128) -> GroupOdds {
        let classes = Classes::new(bits).unwrap();
        Birthday::new(classes, disks)
            .p_group_of_at_least(size)
            .unwrap()
    }

    fn exact(bits: u16, disks: u128, size: u128) -> f64 {
        match odds(bits, disks, size) {
            GroupOdds::Exact(p) => p.value,
            between => panic!("{bits} {disks} {size}: {between:?}"),
        }
    }

    /// All ways to deal `disks` into `2^bits` classes, one by one.
    fn by_counting(bits: u16, disks: u32, size: usize) -> f64 {
        let classes = 1_usize << bits;
        let ways = classes.pow(disks);
        let hits = (0..ways)
            .filter(|&way| {
                let mut held = vec![0; classes];
                let mut rest = way;
                for _ in 0..disks {
                    held[rest % classes] += 1;
                    rest /= classes;
                }
                held.iter().any(|&count| count >= size)
            })
            .count();
        hits as f64 / ways as f64
    }

    #[test]
    fn small_cases_equal_a_count_of_all_ways() {
        for (bits, disks) in [(1, 2), (2, 4), (3, 5), (3, 6), (2, 3)] {
            for size in 0..=disks + 1 {
                let want = by_counting(bits, disks, size as usize);
                let got = exact(bits, disks.into(), size.into());
                assert!(
                    (got - want).abs() < 1e-14,
                    "{bits} {disks} {size}: {got} {want}"
                );
            }
        }
    }

    #[test]
    fn more_disks_than_classes_are_bounded_on_both_sides() {
        for (bits, disks, size) in [(2, 7, 4), (2, 7, 5), (1, 9, 7), (3, 6, 3), (2, 6, 3)] {
            let want = by_counting(bits, disks, size);
            match odds(bits, disks.into(), size as u128) {
                GroupOdds::Exact(p) => assert!((p.value - want).abs() < 1e-14),
                GroupOdds::Between { low, high } => {
                    assert!(
                        low.value <= want && want <= high.value,
                        "{low:?} {want} {high:?}"
                    );
                }
            }
        }
        assert_eq!(exact(2, 9, 3), 1.0, "nine disks in four classes");
    }

    #[test]
    fn the_recurrence_lies_inside_its_own_bounds_and_meets_the_rare_form() {
        let classes = Classes::new(16).unwrap();
        for (disks, size) in [(302, 3), (1_000, 4), (20_000, 9), (65_536, 14)] {
            let birthday = Birthday::new(classes, disks);
            let high = birthday.groups_of_at_least(size).value();
            let low = -(65_536.0 * (-high / 65_536.0).ln_1p()).exp_m1();
            let p = exact(16, disks, size);
            assert!(low <= p * (1.0 + 1e-14) && p <= high, "{low} {p} {high}");
        }
        // Just below the switch: both ways must say the same.
        let birthday = Birthday::new(classes, 300);
        let expected = birthday.groups_of_at_least(7).value();
        assert!(expected < RARE && expected > RARE * 1e-4, "{expected}");
        let recurrence = birthday.largest_group_by_recurrence(7).value;
        assert!((recurrence - expected).abs() < 1e-12 * expected);
    }

    #[test]
    fn a_probability_below_the_smallest_double_keeps_its_logarithm() {
        let GroupOdds::Exact(p) = odds(256, 302, 6) else {
            panic!("a rare group is exact");
        };
        assert_eq!(p.value, 0.0);
        // C(302, 6) / 2^(256*5)
        let want = 1_002_319_312_995_f64.log10() - 1_280.0 * 2_f64.log10();
        assert!(
            (p.log10 - want).abs() < 1e-14 * want.abs(),
            "{} {want}",
            p.log10
        );
    }

    #[test]
    fn the_expected_number_of_large_groups_is_the_sum_over_their_sizes() {
        for (bits, disks) in [(1, 12), (4, 16), (4, 100), (8, 300)] {
            let birthday = Birthday::new(Classes::new(bits).unwrap(), disks);
            for size in (disks >> bits) + 1..=disks.min(40) {
                let got = birthday.groups_of_at_least(size).value();
                let want: f64 = (size..=disks).map(|j| birthday.expected_groups_of(j)).sum();
                assert!(
                    (got - want).abs() < 1e-12 * want,
                    "{bits} {disks} {size}: {got} {want}"
                );
            }
        }
    }

    #[test]
    fn huge_populations_get_bounds_and_huge_groups_an_error() {
        // 152 disks a class on average: 153 are sure, 154 all but sure, and 400
        // out of reach.
        assert_eq!(exact(16, 10_000_000, 153), 1.0);
        let GroupOdds::Between { low, high } = odds(16, 10_000_000, 154) else {
            panic!("more disks than classes");
        };
        assert_eq!((low.value, high.value), (1.0, 1.0));
        let GroupOdds::Exact(p) = odds(16, 10_000_000, 400) else {
            panic!("a rare group is exact");
        };
        assert!(p.log10 < -50.0 && p.log10.is_finite(), "{p:?}");
        let GroupOdds::Between { low, high } = odds(64, 1 << 50, 3) else {
            panic!("too many steps for the recurrence");
        };
        assert!(low.value <= high.value && low.value > 0.0);
        let birthday = Birthday::new(Classes::new(16).unwrap(), 1 << 60);
        assert!(matches!(
            birthday.p_group_of_at_least(1 << 43),
            Err(ExactError::TooLarge { .. })
        ));
    }
}
