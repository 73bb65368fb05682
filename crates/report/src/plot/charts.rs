//! The charts of this project, from numbers that others have computed.

use super::axis::grouped;
use super::{Axis, Chart, Look, Mark, Point, Scale, Series};

/// Probabilities of one way of naming.
#[derive(Clone, Debug, PartialEq)]
pub struct Curve {
    /// Its name.
    pub name: String,
    /// Numbers of disks, ascending, each with the probability's logarithm to base 10.
    pub points: Vec<(u128, f64)>,
}

/// What a simulation found for one number of disks.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Simulated {
    /// The curve that it belongs to, from 0.
    pub curve: usize,
    /// Disks in each cluster.
    pub disks: u128,
    /// The share of clusters with a collision.
    pub share: f64,
    /// Its interval.
    pub interval: (f64, f64),
}

/// The chance of a collision against the number of disks, both logarithmic.
/// `disks` and `log10_probability` are drawn as lines across.
#[must_use]
pub fn odds(
    curves: &[Curve],
    simulated: &[Simulated],
    disks: Option<u128>,
    log10_probability: Option<f64>,
) -> Chart {
    let all = || curves.iter().flat_map(|curve| curve.points.iter());
    let finite = |values: &mut dyn Iterator<Item = f64>, of: fn(f64, f64) -> f64, start: f64| {
        values.filter(|v| v.is_finite()).fold(start, of)
    };
    let log = |n: u128| (n.max(1) as f64).log10();
    let from = finite(&mut all().map(|&(n, _)| log(n)), f64::min, f64::INFINITY);
    let to = finite(
        &mut all().map(|&(n, _)| log(n)),
        f64::max,
        f64::NEG_INFINITY,
    );
    let low = finite(&mut all().map(|&(_, p)| p), f64::min, -1.0);
    let low = log10_probability.map_or(low, |p| low.min(p)).floor();
    let mut series: Vec<Series> = curves
        .iter()
        .enumerate()
        .map(|(color, curve)| Series {
            name: curve.name.clone(),
            look: Look::Line,
            color,
            points: curve
                .points
                .iter()
                .map(|&(n, p)| Point::new(log(n), p))
                .collect(),
        })
        .collect();
    for (color, curve) in curves.iter().enumerate() {
        let points: Vec<Point> = simulated
            .iter()
            .filter(|point| point.curve == color)
            .map(|point| Point {
                x: log(point.disks),
                y: point.share.log10(),
                interval: Some((point.interval.0.log10(), point.interval.1.log10())),
            })
            .collect();
        if !points.is_empty() {
            series.push(Series {
                name: format!("{}: simulated, with 95 % intervals", curve.name),
                look: Look::Dots,
                color,
                points,
            });
        }
    }
    let mut marks = Vec::new();
    if let Some(disks) = disks {
        marks.push(Mark {
            at: log(disks),
            upright: true,
            label: format!("{} disks", grouped(&disks.to_string())),
        });
    }
    if let Some(p) = log10_probability {
        marks.push(Mark {
            at: p,
            upright: false,
            label: format!("chance {}", chance(p)),
        });
    }
    Chart {
        title: "How likely two disks share a manager name".to_owned(),
        description: described(curves, disks),
        x: Axis::new("disks in the cluster", Scale::Log, from, to),
        y: Axis::new("probability", Scale::Log, low, 0.0),
        series,
        marks,
    }
}

/// A probability in words, from its logarithm.
fn chance(log10: f64) -> String {
    if log10 == f64::NEG_INFINITY {
        return "0".to_owned();
    }
    if log10 > -4.0 {
        let percent = 100.0 * 10f64.powf(log10);
        let text = format!("{percent:.3}");
        return format!("{} %", text.trim_end_matches('0').trim_end_matches('.'));
    }
    let exponent = log10.floor();
    format!("{:.1}·10^{exponent}", 10f64.powf(log10 - exponent))
}

fn described(curves: &[Curve], disks: Option<u128>) -> String {
    let mut text = "Probability of a collision against the number of disks.".to_owned();
    for curve in curves {
        // At the disks asked for, or at the right end.
        let at = disks.and_then(|n| curve.points.iter().find(|(m, _)| *m == n));
        if let Some(&(n, p)) = at.or(curve.points.last()) {
            text += &format!(
                " {}: {} with {} disks.",
                curve.name,
                chance(p),
                grouped(&n.to_string())
            );
        }
    }
    text
}

/// How many groups of each size a cluster has: expected, and counted in a
/// simulation (the mean of a cluster, with its interval).
#[must_use]
pub fn groups(disks: u128, expected: &[(u64, f64)], counted: &[(u64, f64, (f64, f64))]) -> Chart {
    let positive = |value: f64| value > 0.0 && value.is_finite();
    let tallest = expected
        .iter()
        .map(|&(_, e)| e)
        .chain(counted.iter().map(|&(_, _, (_, high))| high))
        .filter(|&v| positive(v))
        .fold(1e-9, f64::max)
        .log10();
    let least = expected
        .iter()
        .map(|&(_, e)| e)
        .chain(counted.iter().map(|&(_, mean, _)| mean))
        .filter(|&v| positive(v))
        .fold(f64::INFINITY, f64::min)
        .log10();
    let sizes = || {
        expected
            .iter()
            .map(|&(size, _)| size)
            .chain(counted.iter().map(|c| c.0))
    };
    let bars = expected
        .iter()
        .map(|&(size, e)| Point::new(size as f64, e.log10()));
    let mut series = vec![Series {
        name: "expected, exact".to_owned(),
        look: Look::Bars,
        color: 0,
        points: bars.collect(),
    }];
    if !counted.is_empty() {
        let dots = counted.iter().map(|&(size, mean, (low, high))| Point {
            x: size as f64,
            y: mean.log10(),
            interval: Some((low.log10(), high.log10())),
        });
        series.push(Series {
            name: "simulated, with 95 % intervals".to_owned(),
            look: Look::Dots,
            color: 1,
            points: dots.collect(),
        });
    }
    let words = expected
        .iter()
        .map(|(size, e)| format!(" {size} disks: {e:.3e}."));
    let count = grouped(&disks.to_string());
    Chart {
        title: format!("Groups that share one name, in a cluster with {count} disks"),
        description: format!(
            "Expected number of groups by size.{}",
            words.collect::<String>()
        ),
        x: Axis::new(
            "disks in a group",
            Scale::Linear,
            sizes().min().unwrap_or(2) as f64 - 0.6,
            sizes().max().unwrap_or(2) as f64 + 0.6,
        ),
        y: Axis::new(
            "groups in a cluster",
            Scale::Log,
            least.min(tallest).floor() - 0.3,
            tallest.ceil().max(least.floor() + 1.0),
        ),
        series,
        marks: Vec::new(),
    }
}

/// The chance that a growing cluster has ever had a collision, one line for
/// each way of guarding it. Points are (disks so far, probability).
#[must_use]
pub fn timeline(ways: &[(String, Vec<(u128, f64)>)], marks: &[(u128, String)]) -> Chart {
    let disks = ways
        .iter()
        .flat_map(|(_, points)| points.iter().map(|p| p.0));
    let most = disks.max().unwrap_or(1);
    let series = ways
        .iter()
        .enumerate()
        .map(|(color, (name, points))| Series {
            name: name.clone(),
            look: Look::Line,
            color,
            points: points
                .iter()
                .map(|&(n, p)| Point::new(n as f64, p))
                .collect(),
        });
    let ends = ways.iter().filter_map(|(name, points)| {
        let (n, p) = points.last()?;
        Some(format!(" {name}: {p:.4} with {n} disks."))
    });
    Chart {
        title: "A growing cluster, with and without the prefix guard".to_owned(),
        description: format!(
            "Probability that two disks have ever shared a prefix.{}",
            ends.collect::<String>()
        ),
        x: Axis::new("disks that have joined", Scale::Linear, 0.0, most as f64),
        y: Axis::new(
            "probability of a collision by then",
            Scale::Linear,
            0.0,
            1.0,
        ),
        series: series.collect(),
        marks: marks
            .iter()
            .map(|(at, label)| Mark {
                at: *at as f64,
                upright: true,
                label: label.clone(),
            })
            .collect(),
    }
}
