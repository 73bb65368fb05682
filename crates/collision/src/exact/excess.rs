//! How many disks are too many: the distribution of disks less different
//! classes.

use super::birthday::Birthday;
use super::double::Double;
use super::error::{ExactError, limit};
use super::probability::Probability;
use super::scaled::Scaled;

/// Steps of the chain that take about a second.
const MAX_STEPS: u128 = 1 << 26;
/// 2^-100: chances that are all smaller are scaled up by as much.
const SMALL: f64 = 1.0 / (1_u128 << 100) as f64;
const SMALL_EXPONENT: i64 = -100;

impl Birthday {
    /// Probability that the disks are exactly `excess` more than their classes:
    /// 0 for no collision, 1 for a single pair, and so on.
    ///
    /// # Errors
    /// When disks times excess is beyond 2^26.
    pub fn p_excess(self, excess: u128) -> Result<Probability, ExactError> {
        if excess == 0 {
            return Ok(self.p_none());
        }
        if excess >= self.disks || self.classes.fewer_than(self.disks - excess) {
            return Ok(Probability::NEVER);
        }
        let steps = self.disks.saturating_mul(excess.saturating_add(1));
        limit("disks times excess", steps, MAX_STEPS)?;
        // Disks join one by one. With i of them over i - c classes, the next
        // one is new with 1 - (i-c)/m and one too many with (i-c)/m. Twice the
        // digits, because a million roundings would eat three of a double's.
        // Scaled up on the way, so that a rare excess keeps its logarithm.
        let m = self.m();
        let mut scaled_by = 0;
        let mut chances = vec![Double::ZERO; excess as usize + 1];
        chances[0] = Double::ONE;
        for i in 0..self.disks {
            if chances.iter().all(|chance| chance.value() < SMALL) {
                for chance in &mut chances {
                    *chance = chance.times_f64(1.0 / SMALL);
                }
                scaled_by += SMALL_EXPONENT;
            }
            // Below 2^26, and m a power of two: the quotient is exact.
            let taken = |c: usize| (i as f64 - c as f64).max(0.0) / m;
            for c in (0..chances.len()).rev() {
                let stays = chances[c].times(Double::exact_sum(1.0, -taken(c)));
                chances[c] = match c.checked_sub(1) {
                    None => stays,
                    Some(fewer) => stays.plus(chances[fewer].times_f64(taken(fewer))),
                };
            }
        }
        let chance = Scaled::new(chances[excess as usize].value());
        Ok(Probability::from_scaled(
            chance.times_power_of_two(scaled_by),
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::super::classes::Classes;
    use super::*;

    #[test]
    fn the_distribution_adds_up_and_has_the_expected_mean() {
        for (bits, disks) in [(2, 7), (4, 16), (8, 100), (16, 302)] {
            let birthday = Birthday::new(Classes::new(bits).unwrap(), disks);
            let chances: Vec<f64> = (0..disks)
                .map(|c| birthday.p_excess(c).unwrap().value)
                .collect();
            let total: f64 = chances.iter().sum();
            assert!((total - 1.0).abs() < 1e-14, "{bits} {disks}: {total}");
            let mean: f64 = chances
                .iter()
                .zip(0_u32..)
                .map(|(p, c)| p * f64::from(c))
                .sum();
            let expected = birthday.expected_excess();
            assert!(
                (mean - expected).abs() < 1e-12 * expected,
                "{mean} {expected}"
            );
        }
    }

    #[test]
    fn a_rare_excess_keeps_its_logarithm() {
        // As rare as it gets: all but one of 2^8 classes are hit just once, and
        // one twice. P = C(257, 2) 256! / 256^257.
        let p = Birthday::new(Classes::new(8).unwrap(), 257)
            .p_excess(1)
            .unwrap();
        let factorial: f64 = (1..=256_u32).map(|i| f64::from(i).ln()).sum();
        let want = (257.0_f64 * 128.0).ln() + factorial - 257.0 * 256_f64.ln();
        assert!((p.ln - want).abs() < 1e-13 * want.abs(), "{p:?} {want}");
        // 2^12 disks over 2^12 classes with 50 too many: 10^-1500 or so.
        let p = Birthday::new(Classes::new(12).unwrap(), 4_096)
            .p_excess(50)
            .unwrap();
        assert_eq!(p.value, 0.0);
        assert!(p.log10 < -1_000.0 && p.log10.is_finite(), "{p:?}");
    }

    #[test]
    fn impossible_excesses_are_never_and_large_ones_an_error() {
        let birthday = |bits, disks| Birthday::new(Classes::new(bits).unwrap(), disks);
        assert_eq!(birthday(16, 0).p_excess(1), Ok(Probability::NEVER));
        assert_eq!(birthday(16, 0).p_excess(0), Ok(Probability::ALWAYS));
        assert_eq!(birthday(16, 10).p_excess(10), Ok(Probability::NEVER));
        assert_eq!(birthday(2, 10).p_excess(5), Ok(Probability::NEVER));
        assert!(birthday(2, 10).p_excess(6).unwrap().value > 0.5);
        assert!(matches!(
            birthday(64, 1 << 60).p_excess(1),
            Err(ExactError::TooLarge { .. })
        ));
        assert_eq!(
            birthday(64, u128::MAX).p_excess(u128::MAX),
            Ok(Probability::NEVER)
        );
    }
}
