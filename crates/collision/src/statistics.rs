//! What counts say about a probability: intervals and tests. Knows neither
//! formulas of collisions nor how anything was drawn.

use statrs::distribution::{ChiSquared, ContinuousCDF, DiscreteCDF, Poisson};
use statrs::function::erf::erfc;
use statrs::function::gamma::ln_gamma;

/// The normal distribution's 97.5 % point.
pub const Z95: f64 = 1.959_963_984_540_054;

/// A range of values.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Interval {
    /// Its lower end.
    pub low: f64,
    /// Its upper end.
    pub high: f64,
}

impl Interval {
    /// Whether the value is in it.
    #[must_use]
    pub fn contains(self, value: f64) -> bool {
        (self.low..=self.high).contains(&value)
    }

    /// Everything times a factor that is not negative.
    #[must_use]
    pub fn times(self, factor: f64) -> Self {
        Self {
            low: self.low * factor,
            high: self.high * factor,
        }
    }
}

/// Every probability.
const ALL: Interval = Interval {
    low: 0.0,
    high: 1.0,
};

/// Wilson's score interval for `hits` of `trials`, 95 %: short, and right on
/// average.
#[must_use]
pub fn wilson95(hits: u64, trials: u64) -> Interval {
    if trials == 0 {
        return ALL;
    }
    let (n, k) = (trials as f64, hits as f64);
    Interval {
        low: if hits == 0 {
            0.0
        } else {
            wilson_end(k, n, -Z95)
        },
        high: if hits == trials {
            1.0
        } else {
            wilson_end(k, n, Z95)
        },
    }
}

fn wilson_end(k: f64, n: f64, z: f64) -> f64 {
    let end = k + z * z / 2.0 + z * (k * (n - k) / n + z * z / 4.0).sqrt();
    (end / (n + z * z)).clamp(0.0, 1.0)
}

/// Clopper and Pearson's interval for `hits` of `trials`, 95 %: never too
/// short. (Beyond a variance of 10^5 hits by Wilson's formula with a correction
/// for continuity, which then agrees to a thousandth of its width.)
#[must_use]
pub fn clopper_pearson95(hits: u64, trials: u64) -> Interval {
    if trials == 0 {
        return ALL;
    }
    let (n, k) = (trials as f64, hits as f64);
    if k * (n - k) / n > LARGE_VARIANCE {
        return Interval {
            low: wilson_end(k - 0.5, n, -Z95),
            high: wilson_end(k + 0.5, n, Z95),
        };
    }
    Interval {
        low: lower_end(k, n),
        high: 1.0 - lower_end(n - k, n),
    }
}

/// Beyond this, exact tails have too many terms.
const LARGE_VARIANCE: f64 = 1e5;

/// The probability with which `k` or more of `n` come up one time in 40.
fn lower_end(k: f64, n: f64) -> f64 {
    if k == 0.0 {
        return 0.0;
    }
    let (mut low, mut high) = (0.0, k / n);
    for _ in 0..200 {
        // By their ratio while they are far apart: relative precision.
        let middle = if high > 4.0 * low {
            if low == 0.0 {
                high / 1024.0
            } else {
                (low * high).sqrt()
            }
        } else {
            0.5 * (low + high)
        };
        if high - low <= 1e-15 * high {
            break;
        }
        if tail_from(k, n, middle) < 0.025 {
            low = middle;
        } else if middle > low {
            high = middle;
        }
    }
    0.5 * (low + high)
}

/// The chance of `k` or more of `n`, for a `p` of at most `k/n`.
fn tail_from(k: f64, n: f64, p: f64) -> f64 {
    let odds = p / (1.0 - p);
    let (mut sum, mut term, mut at) = (0.0, 1.0, k);
    while term > 1e-17 * sum {
        sum += term;
        term *= (n - at) / (at + 1.0) * odds;
        at += 1.0;
    }
    sum * ln_binomial(k, n, p).exp()
}

/// What the probability is at most, with 95 %, after `trials` without a hit:
/// about three over the trials.
#[must_use]
pub fn upper95_without_hit(trials: u64) -> f64 {
    if trials == 0 {
        return 1.0;
    }
    -(0.05_f64.ln() / trials as f64).exp_m1()
}

/// An interval that holds with 95 % at *every* number of trials at once, so
/// that one may look after each and stop when it is short enough: Robbins'
/// mixture over a uniform prior (Annals of Mathematical Statistics 41, 1970).
#[must_use]
pub fn time_uniform95(hits: u64, trials: u64) -> Interval {
    if trials == 0 {
        return ALL;
    }
    let (n, k) = (trials as f64, hits as f64);
    // The mixture gives every number of hits the chance 1/(n+1). A p stays in
    // as long as that is less than 20 times the chance that p gives.
    let out = |p: f64| -(n + 1.0).ln() - ln_binomial(k, n, p) >= 20_f64.ln();
    let estimate = k / n;
    let end = |mut outside: f64| {
        if !out(outside) {
            return outside;
        }
        let mut inside = estimate;
        for _ in 0..60 {
            let middle = 0.5 * (inside + outside);
            if out(middle) {
                outside = middle;
            } else {
                inside = middle;
            }
        }
        outside
    };
    Interval {
        low: if hits == 0 { 0.0 } else { end(0.0) },
        high: if hits == trials { 1.0 } else { end(1.0) },
    }
}

/// How many standard deviations `hits` of `trials` is off a probability.
#[must_use]
pub fn z_score(hits: u64, trials: u64, p: f64) -> Option<f64> {
    let variance = trials as f64 * p * (1.0 - p);
    (variance > 0.0).then(|| (hits as f64 - trials as f64 * p) / variance.sqrt())
}

/// The chance of a normal value that is so far from the mean or farther.
#[must_use]
pub fn two_sided_p(z: f64) -> f64 {
    erfc(z.abs() / std::f64::consts::SQRT_2)
}

/// The chance of a count as far from a Poisson mean as this, on its side, twice.
#[must_use]
pub fn poisson_p(count: u64, mean: f64) -> f64 {
    if mean > 1e6 {
        // Normal, with a correction for continuity.
        let off = ((count as f64 - mean).abs() - 0.5).max(0.0);
        return two_sided_p(off / mean.sqrt());
    }
    let Ok(poisson) = Poisson::new(mean) else {
        // A mean of 0: no count but 0 is possible.
        return if count == 0 { 1.0 } else { 0.0 };
    };
    let at_most = poisson.cdf(count);
    let at_least = if count == 0 {
        1.0
    } else {
        poisson.sf(count - 1)
    };
    (2.0 * at_most.min(at_least)).min(1.0)
}

/// The exact 95 % interval of a Poisson mean of which this count was seen.
#[must_use]
pub fn poisson95(count: u64) -> Interval {
    // The mean for which a count as large (as small) has 2.5 %.
    let end = |tail: &dyn Fn(&Poisson) -> f64, from: f64, to: f64| {
        let (mut low, mut high) = (from, to);
        for _ in 0..100 {
            let middle = f64::midpoint(low, high);
            let Ok(poisson) = Poisson::new(middle) else {
                return middle;
            };
            // Both tails are ordered so that the answer is where they grow past it.
            if tail(&poisson) > 0.025 {
                high = middle;
            } else {
                low = middle;
            }
        }
        f64::midpoint(low, high)
    };
    let n = count as f64;
    if count > 1_000_000 {
        let half = Z95 * n.sqrt();
        return Interval {
            low: n - half,
            high: n + half,
        };
    }
    let low = match count {
        0 => 0.0,
        _ => end(&|poisson| poisson.sf(count - 1), 0.0, n),
    };
    let far = n + 10.0 * n.sqrt() + 10.0;
    // The tail below falls with the mean: mirrored, it grows.
    let high = end(&|poisson| 0.05 - poisson.cdf(count), n, far);
    Interval { low, high }
}

/// Pearson's test of counts against what was expected.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ChiSquaredTest {
    /// The sum of the squared differences over what was expected.
    pub statistic: f64,
    /// Bins, after neighbours of few expected counts were joined.
    pub bins: usize,
    /// The chance of a larger statistic if the expectation is right.
    pub p_value: f64,
}

/// Tests counts against expected ones, in order. Neighbours are joined until
/// at least `least` are expected. `None` if that leaves fewer than two bins.
#[must_use]
pub fn chi_squared(
    counts: impl IntoIterator<Item = (u64, f64)>,
    least: f64,
) -> Option<ChiSquaredTest> {
    let mut bins: Vec<(u64, f64)> = Vec::new();
    let mut open = (0, 0.0);
    for (count, expected) in counts {
        open = (open.0 + count, open.1 + expected);
        if open.1 >= least {
            bins.push(std::mem::take(&mut open));
        }
    }
    // What is left joins the last bin.
    let last = bins.last_mut()?;
    *last = (last.0 + open.0, last.1 + open.1);
    let statistic: f64 = bins
        .iter()
        .map(|&(count, expected)| (count as f64 - expected).powi(2) / expected)
        .sum();
    let freedom = bins.len().checked_sub(1).filter(|&freedom| freedom > 0)?;
    let distribution = ChiSquared::new(freedom as f64).ok()?;
    Some(ChiSquaredTest {
        statistic,
        bins: bins.len(),
        p_value: distribution.sf(statistic),
    })
}

/// Logarithm of the binomial probability of `k` of `n`, to full precision for
/// any size (Loader, "Fast and accurate computation of binomial
/// probabilities", 2000).
fn ln_binomial(k: f64, n: f64, p: f64) -> f64 {
    if k == 0.0 {
        return n * (-p).ln_1p();
    }
    if k == n {
        return n * p.ln();
    }
    let rest = n - k;
    stirling_error(n)
        - stirling_error(k)
        - stirling_error(rest)
        - deviance(k, n * p)
        - deviance(rest, n * (1.0 - p))
        + 0.5 * (n / (2.0 * std::f64::consts::PI * k * rest)).ln()
}

/// `ln n!` less Stirling's formula.
fn stirling_error(n: f64) -> f64 {
    if n <= 15.0 {
        let formula = (n + 0.5) * n.ln() - n + 0.5 * (2.0 * std::f64::consts::PI).ln();
        return ln_gamma(n + 1.0) - formula;
    }
    let square = n * n;
    (1.0 / 12.0 - (1.0 / 360.0 - (1.0 / 1260.0 - 1.0 / (1680.0 * square)) / square) / square) / n
}

/// `x ln(x/m) + m - x`, without cancellation where the two are near.
fn deviance(x: f64, m: f64) -> f64 {
    let v = (x - m) / (x + m);
    if v.abs() >= 0.1 {
        return x * (x / m).ln() + m - x;
    }
    // x ln((1+v)/(1-v)) = 2x(v + v^3/3 + v^5/5 + ...), and m - x = -v(x + m).
    let mut sum = (x - m) * v;
    let mut power = 2.0 * x * v;
    let mut k = 3.0;
    while power != 0.0 {
        power *= v * v;
        let next = sum + power / k;
        if next == sum {
            break;
        }
        sum = next;
        k += 2.0;
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(interval: Interval, low: f64, high: f64) {
        let near = |a: f64, b: f64| (a - b).abs() <= 2e-4 * b.abs() + 1e-12;
        assert!(
            near(interval.low, low) && near(interval.high, high),
            "{interval:?}, expected {low} to {high}"
        );
    }

    #[test]
    fn intervals_are_the_published_ones() {
        // Brown, Cai and DasGupta, and R's binom.test and binom::binom.wilson.
        close(wilson95(4, 10), 0.168_18, 0.687_33);
        close(clopper_pearson95(4, 10), 0.121_552, 0.737_622);
        close(clopper_pearson95(0, 10), 0.0, 0.308_497);
        close(clopper_pearson95(10, 10), 0.691_503, 1.0);
        close(wilson95(0, 10), 0.0, 0.277_533);
        close(clopper_pearson95(499, 1000), 0.467_5, 0.530_5);
        for (hits, trials) in [(0, 0), (0, 1), (1, 1), (1, 1 << 50), (1 << 49, 1 << 50)] {
            for interval in [
                wilson95(hits, trials),
                clopper_pearson95(hits, trials),
                time_uniform95(hits, trials),
            ] {
                assert!(
                    interval.low >= 0.0 && interval.high <= 1.0 && interval.low <= interval.high
                );
                if trials > 0 {
                    assert!(
                        interval.contains(hits as f64 / trials as f64),
                        "{interval:?}"
                    );
                }
            }
        }
    }

    #[test]
    fn clopper_pearson_bounds_are_where_the_tails_are_a_fortieth() {
        for (hits, trials) in [
            (3_u64, 1_000_000_u64),
            (100_000, 200_000),
            (500_722, 1_000_000),
        ] {
            let Interval { low, high } = clopper_pearson95(hits, trials);
            // By the normal approximation of a binomial with that mean, for the
            // large one; by Poisson's for the small one.
            if hits == 3 {
                let n = trials as f64;
                assert!((poisson_tail_below(3, n * high) - 0.025).abs() < 1e-4);
                assert!((1.0 - poisson_tail_below(2, n * low) - 0.025).abs() < 1e-4);
            } else {
                assert!((z_score(hits, trials, low).unwrap() - Z95).abs() < 0.01);
                assert!((z_score(hits, trials, high).unwrap() + Z95).abs() < 0.01);
            }
        }
        assert!((upper95_without_hit(1_000_000) - 2.9957e-6).abs() < 1e-9);
    }

    #[test]
    fn poisson_intervals_are_those_of_the_tables() {
        // Garwood's (1936), from the sums of the tails: counts 0, 1, 10 and 100.
        for (count, low, high) in [
            (0, 0.0, 3.688_879),
            (1, 0.025_318, 5.571_643),
            (10, 4.795_389, 18.390_356),
            (100, 81.363_991, 121.626_794),
        ] {
            let found = poisson95(count);
            assert!((found.low - low).abs() < 1e-5, "{count}: {found:?}");
            assert!((found.high - high).abs() < 1e-5, "{count}: {found:?}");
        }
        let found = poisson95(2_000_000);
        assert!((found.high - 2_000_000.0 - Z95 * 2_000_000_f64.sqrt()).abs() < 1e-6);
    }

    fn poisson_tail_below(k: u64, mean: f64) -> f64 {
        let mut term = (-mean).exp();
        let mut sum = term;
        for i in 1..=k {
            term *= mean / i as f64;
            sum += term;
        }
        sum
    }

    #[test]
    fn binomial_probabilities_add_up() {
        for (n, p) in [(1.0, 0.3), (20.0, 0.01), (300.0, 0.5), (1000.0, 0.9)] {
            let total: f64 = (0..=n as u32)
                .map(|k| ln_binomial(k.into(), n, p).exp())
                .sum();
            assert!((total - 1.0).abs() < 1e-12, "{n} {p}: {total}");
        }
        // The middle of 2^50 fair coins: 1/sqrt(pi n/2), and its next term.
        let n = 50_f64.exp2();
        let want = -0.5 * (std::f64::consts::PI * n / 2.0).ln() - 0.25 / n;
        assert!((ln_binomial(n / 2.0, n, 0.5) - want).abs() < 1e-12);
    }

    #[test]
    fn an_interval_that_may_be_looked_at_always_is_wider() {
        for (hits, trials) in [(5, 10), (50, 1000), (500_000, 1_000_000)] {
            let once = wilson95(hits, trials);
            let always = time_uniform95(hits, trials);
            assert!(always.low < once.low && always.high > once.high);
            assert!(always.high - always.low < 3.5 * (once.high - once.low));
        }
    }

    #[test]
    fn tests_reject_what_is_off_and_pass_what_is_not() {
        let even = [(103, 100.0), (95, 100.0), (102, 100.0), (100, 100.0)];
        let fair = chi_squared(even, 50.0).unwrap();
        assert!(fair.p_value > 0.5 && fair.bins == 4, "{fair:?}");
        let odd = [(150, 100.0), (50, 100.0)];
        assert!(chi_squared(odd, 50.0).unwrap().p_value < 1e-6);
        // 3.84 is the 95 % point of one degree of freedom.
        let edge = chi_squared([(113_859, 113_424.0), (113_000, 113_435.0)], 1.0).unwrap();
        assert!(edge.p_value < 0.1 && edge.p_value > 0.01, "{edge:?}");
        // A thousand degrees: Wilson and Hilferty's cube root is nearly normal.
        for statistic in [900.0_f64, 1000.0, 1099.0] {
            let freedom = 1000.0;
            let exact = ChiSquared::new(freedom).unwrap().sf(statistic);
            let spread = 2.0 / (9.0 * freedom);
            let z = ((statistic / freedom).cbrt() - 1.0 + spread) / spread.sqrt();
            assert!(
                (exact - 0.5 * erfc(z / 2_f64.sqrt())).abs() < 1e-4,
                "{statistic}"
            );
        }
        assert_eq!(chi_squared([(5, 5.0)], 50.0), None);
        assert_eq!(chi_squared([(5, 60.0)], 50.0), None);
        assert!((two_sided_p(Z95) - 0.05).abs() < 1e-9);
        assert!((poisson_p(0, 3.0) - 2.0 * (-3.0_f64).exp()).abs() < 1e-12);
        assert!(poisson_p(3, 3.0) == 1.0 || poisson_p(3, 3.0) > 0.8);
        assert_eq!(poisson_p(0, 0.0), 1.0);
        assert_eq!(poisson_p(1, 0.0), 0.0);
    }
}
