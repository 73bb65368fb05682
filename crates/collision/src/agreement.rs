//! Simulated counts beside what the formulas say: the only place where the two
//! engines meet.

use crate::exact::{self, Birthday, Classes, Probability, guard, p_any_with_clones, skew};
use crate::simulate::{Model, Part, Skew};
use crate::statistics::{
    ChiSquaredTest, Interval, Z95, chi_squared, clopper_pearson95, poisson_p, time_uniform95,
    two_sided_p, upper95_without_hit, wilson95, z_score,
};

/// Bins of a curve have at least so many expected clusters.
const LEAST_EXPECTED: f64 = 50.0;

/// How often it happened, what that says about the probability, and what the
/// formula says.
#[derive(Clone, Debug, PartialEq)]
pub struct Estimate {
    /// Clusters drawn.
    pub trials: u64,
    /// Clusters in which it happened.
    pub hits: u64,
    /// The estimated probability.
    pub value: f64,
    /// 95 %: Clopper and Pearson's, or the estimator's own.
    pub ci95: Interval,
    /// 95 %: Wilson's; none where the hits are not plain counts.
    pub wilson95: Option<Interval>,
    /// 95 % at every look: for a run that stopped when it was precise enough.
    pub time_uniform95: Option<Interval>,
    /// What the probability is at most, with 95 %, if it never happened.
    pub upper95: Option<f64>,
    /// By formula, if there is one.
    pub exact: Option<Probability>,
    /// How many standard deviations the estimate is off.
    pub z: Option<f64>,
}

/// Pairs of disks with one name.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Pairs {
    /// Over all clusters.
    pub total: u128,
    /// In a cluster, on average.
    pub mean: f64,
    /// Expected in a cluster, by formula.
    pub expected: Option<f64>,
    /// How many standard deviations the mean is off, by the exact variance.
    pub z: Option<f64>,
}

/// One number of disks on the curve of first collisions.
#[derive(Clone, Debug, PartialEq)]
pub struct Point {
    /// Disks in the cluster.
    pub disks: u64,
    /// Whether two share a name by then.
    pub estimate: Estimate,
}

/// The whole curve.
#[derive(Clone, Debug, PartialEq)]
pub struct Curve {
    /// At every number of disks from 2 to the largest first collision.
    pub points: Vec<Point>,
    /// Of the first collisions against their distribution.
    pub test: Option<ChiSquaredTest>,
}

/// One rung of the ladder.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rung {
    /// Leading bits.
    pub bits: u32,
    /// Pairs that agree in them.
    pub pairs: u64,
    /// How many were expected of uniform names.
    pub expected: f64,
    /// The chance of a count as far off (Poisson, two-sided).
    pub p_value: f64,
}

/// What a part says.
#[derive(Clone, Debug, PartialEq)]
pub struct Report {
    /// Whether two disks of a cluster share a name; none for a curve or a ladder.
    pub collision: Option<Estimate>,
    /// How many pairs do; none where pairs are not counted.
    pub pairs: Option<Pairs>,
    /// For a model of first collisions.
    pub curve: Option<Curve>,
    /// For a ladder.
    pub rungs: Vec<Rung>,
}

impl Report {
    /// Holds a part against the formulas.
    #[must_use]
    pub fn of(part: &Part) -> Self {
        let (model, counts) = (&part.plan().model, part.counts());
        let mut report = Self {
            collision: None,
            pairs: None,
            curve: None,
            rungs: Vec::new(),
        };
        match model {
            Model::FirstCollision { bits } => report.curve = curve(part, *bits),
            Model::Ladder { disks, .. } => report.rungs = rungs(part, *disks),
            Model::ForcedPair { bits, disks } => report.collision = forced(part, *bits, *disks),
            _ => {
                let exact = exact_probability(model);
                report.collision =
                    Some(estimate(counts.collided_clusters(), counts.clusters, exact));
                report.pairs = Some(pairs(part));
            }
        }
        report
    }
}

fn classes(bits: u16) -> Option<Classes> {
    Classes::new(bits).ok()
}

/// What the exact engine says about a model; none if it cannot, or there is no
/// single number.
#[must_use]
pub fn exact_probability(model: &Model) -> Option<Probability> {
    match model {
        Model::Uniform { bits, disks } | Model::ForcedPair { bits, disks } => {
            Some(Birthday::new(classes(*bits)?, (*disks).into()).p_any())
        }
        Model::Names { digits, disks, .. } => {
            // Two names differ as much as their hashes, or their UUIDs, do.
            let bits = (4 * u16::from(*digits)).min(122);
            Some(Birthday::new(classes(bits)?, (*disks).into()).p_any())
        }
        Model::Guarded {
            unguarded,
            guarded,
            at_once,
            block,
        } => {
            let joins = guard::Joins {
                unguarded: *unguarded,
                guarded: *guarded,
                at_once: *at_once,
                block: *block,
            };
            guard::p_any(Classes::PREFIX, joins).ok()
        }
        Model::Skewed { bits, disks, skew } => {
            let (classes, disks) = (classes(*bits)?, u128::from(*disks));
            match skew {
                Skew::Spike { share } => skew::p_any_with_spike(classes, disks, *share).ok(),
                Skew::Cloned { share } => p_any_with_clones(classes, disks, *share).ok(),
                Skew::V7 { within_ms } => {
                    exact::clock::p_any(exact::clock::Clock::V7, *within_ms, disks).ok()
                }
                Skew::V1 { within_ms } => {
                    exact::clock::p_any(exact::clock::Clock::V1, *within_ms, disks).ok()
                }
            }
        }
        Model::FirstCollision { .. } | Model::Ladder { .. } => None,
    }
}

fn estimate(hits: u64, trials: u64, exact: Option<Probability>) -> Estimate {
    Estimate {
        trials,
        hits,
        value: if trials == 0 {
            0.0
        } else {
            hits as f64 / trials as f64
        },
        ci95: clopper_pearson95(hits, trials),
        wilson95: Some(wilson95(hits, trials)),
        time_uniform95: Some(time_uniform95(hits, trials)),
        upper95: (hits == 0).then(|| upper95_without_hit(trials)),
        z: exact.and_then(|exact| z_score(hits, trials, exact.value)),
        exact,
    }
}

fn pairs(part: &Part) -> Pairs {
    let (model, counts) = (&part.plan().model, part.counts());
    let birthday = match model {
        Model::Uniform { bits, disks } => {
            classes(*bits).map(|classes| Birthday::new(classes, (*disks).into()))
        }
        Model::Names { digits, disks, .. } => classes((4 * u16::from(*digits)).min(122))
            .map(|classes| Birthday::new(classes, (*disks).into())),
        _ => None,
    };
    let clusters = counts.clusters as f64;
    let mean = if clusters > 0.0 {
        counts.pairs as f64 / clusters
    } else {
        0.0
    };
    let z = birthday.and_then(|birthday| {
        let deviation = (birthday.variance_of_pairs() / clusters).sqrt();
        (deviation > 0.0 && deviation.is_finite())
            .then(|| (mean - birthday.expected_pairs()) / deviation)
    });
    Pairs {
        total: counts.pairs,
        mean,
        expected: birthday.map(Birthday::expected_pairs),
        z,
    }
}

fn curve(part: &Part, bits: u16) -> Option<Curve> {
    let classes = classes(bits)?;
    let counts = part.counts();
    let none = |disks: u64| Birthday::new(classes, disks.into()).p_none().value;
    let last = counts.first.keys().next_back().copied().unwrap_or(1);
    let mut hits = 0;
    let points = (2..=last)
        .map(|disks| {
            hits += counts.first.get(&disks).copied().unwrap_or(0);
            let exact = Birthday::new(classes, disks.into()).p_any();
            Point {
                disks,
                estimate: estimate(hits, counts.clusters, Some(exact)),
            }
        })
        .collect();
    // Up to one more disk than classes, where all have collided.
    let most = (1 << bits) + 1;
    let bins = (2..=most).map(|disks| {
        let expected = counts.clusters as f64 * (none(disks - 1) - none(disks));
        (counts.first.get(&disks).copied().unwrap_or(0), expected)
    });
    Some(Curve {
        test: chi_squared(bins, LEAST_EXPECTED),
        points,
    })
}

fn rungs(part: &Part, disks: u64) -> Vec<Rung> {
    let counts = part.counts();
    let rungs = counts.rungs.iter().filter_map(|(&bits, &pairs)| {
        let classes = classes(u16::try_from(bits).ok()?)?;
        let one = Birthday::new(classes, disks.into()).expected_pairs();
        let expected = counts.clusters as f64 * one;
        Some(Rung {
            bits: bits as u32,
            pairs,
            expected,
            p_value: poisson_p(pairs, expected),
        })
    });
    rungs.collect()
}

/// `p = E[pairs] E[1/N]`: the expected number of pairs is all that this
/// estimator takes from the model.
fn forced(part: &Part, bits: u16, disks: u64) -> Option<Estimate> {
    let counts = part.counts();
    let exact = Birthday::new(classes(bits)?, disks.into());
    let weight = exact.expected_pairs();
    let n = counts.clusters as f64;
    let mean_of = |power: i32| -> f64 {
        let terms = counts.forced.iter();
        terms
            .map(|(&pairs, &count)| count as f64 * (pairs as f64).powi(-power))
            .sum::<f64>()
            / n
    };
    let (mean, square) = (mean_of(1), mean_of(2));
    let several: u64 = counts
        .forced
        .iter()
        .filter(|(n, _)| **n > 1)
        .map(|(_, c)| c)
        .sum();
    // With few samples of N above 1 the variance is not known. 1/N is 1, but
    // for those: each lies between 0 and 1/2 of it below.
    let bounds = if several < 30 {
        let share = clopper_pearson95(several, counts.clusters);
        Interval {
            low: 1.0 - share.high,
            high: 1.0 - 0.5 * share.low,
        }
    } else {
        let half = Z95 * ((square - mean * mean).max(0.0) / n).sqrt();
        Interval {
            low: mean - half,
            high: mean + half,
        }
    };
    let p = exact.p_any();
    let deviation = weight * ((square - mean * mean).max(0.0) / n).sqrt();
    Some(Estimate {
        trials: counts.clusters,
        hits: several,
        value: weight * mean,
        ci95: bounds.times(weight),
        wilson95: None,
        time_uniform95: None,
        upper95: None,
        exact: Some(p),
        z: (several >= 30).then(|| (weight * mean - p.value) / deviation),
    })
}

/// Whether a z score is what chance does, at a level for many tests at once.
#[must_use]
pub fn is_plausible(z: f64, level: f64) -> bool {
    two_sided_p(z) >= level
}
