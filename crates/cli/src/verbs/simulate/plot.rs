//! `fixname simulate --plot`: what was counted, over what the formula says.

use std::io::Write as _;
use std::path::PathBuf;

use clap::ValueEnum;
use fixname_collision::agreement::{Estimate, Report, exact_probability};
use fixname_collision::simulate::{Model, Part};
use fixname_collision::statistics::poisson95;
use fixname_collision::{Birthday, Classes};
use fixname_report::plot::Chart;
use fixname_report::plot::charts::{self, Curve, Simulated};

use crate::exit::Failure;
use crate::output::Output;
use crate::whole_file::{WholeFile, cannot_write};

/// Places where the exact curve is computed.
const POINTS: u32 = 120;
/// Dots on a curve that was simulated as a whole.
const DOTS: u32 = 24;
/// Groups that are expected more seldom are left out, unless one was counted.
const RAREST_GROUP: f64 = 1e-9;

/// What to draw, and where to.
#[derive(clap::Args)]
#[group(skip)]
pub(crate) struct Args {
    /// Draw what was counted, with intervals, over the exact curve (SVG).
    #[arg(long, value_name = "FILE.svg", global = true, env = "FIXNAME_PLOT")]
    plot: Option<PathBuf>,
    /// Which chart.
    #[arg(
        long,
        value_enum,
        default_value = "probability",
        global = true,
        env = "FIXNAME_CHART"
    )]
    chart: Kind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Kind {
    /// Probability against disks, both logarithmic.
    Probability,
    /// How many groups of two, three, … disks share a name.
    Groups,
}

pub(super) fn draw(args: &Args, part: &Part, output: &Output) -> Result<(), Failure> {
    let Some(path) = &args.plot else {
        return Ok(());
    };
    let chart = match args.chart {
        Kind::Probability => probability(part),
        Kind::Groups => groups(part),
    };
    let chart = chart.ok_or_else(|| {
        Failure::usage(
            "this chart cannot be drawn of this simulation",
            "fixname simulate --disks 302 --clusters 1e6 --plot FILE.svg draws both charts",
        )
    })?;
    let mut file = WholeFile::create(path)?;
    file.write_all(chart.svg().as_bytes())
        .map_err(|error| cannot_write(path, &error))?;
    file.finish()?;
    output.note(&format!("{} shows: {}", path.display(), chart.title));
    Ok(())
}

fn probability(part: &Part) -> Option<Chart> {
    let (model, report) = (&part.plan().model, Report::of(part));
    let (asked, most, dots) = match (&report.collision, &report.curve) {
        (Some(found), _) => {
            let disks = u128::from(model.disks());
            let dot = dot(disks, found);
            (Some(disks), disks.saturating_mul(10).max(1000), vec![dot])
        }
        (None, Some(curve)) => {
            let last = curve.points.last()?.disks;
            let wanted = spread(2, last.into(), DOTS);
            let dots = curve.points.iter().filter_map(|point| {
                let disks = u128::from(point.disks);
                wanted.contains(&disks).then(|| dot(disks, &point.estimate))
            });
            (None, u128::from(last), dots.collect())
        }
        (None, None) => return None,
    };
    let mut numbers = spread(2, most, POINTS);
    numbers.extend(asked.filter(|n| (2..=most).contains(n)));
    numbers.sort_unstable();
    numbers.dedup();
    let exact = numbers.iter().filter_map(|&n| {
        let p = exact_probability(&with_disks(model, u64::try_from(n).ok()?)?)?;
        Some((n, p.log10))
    });
    let curve = Curve {
        name: name(model),
        points: exact.collect(),
    };
    if curve.points.is_empty() {
        return None;
    }
    Some(charts::odds(&[curve], &dots, asked, None))
}

/// Where nothing was hit, the dot lies on the axis' lower end, and its interval
/// reaches up from there: a logarithm has no 0.
fn dot(disks: u128, found: &Estimate) -> Simulated {
    let seen = |p: f64| p.max(f64::MIN_POSITIVE);
    Simulated {
        curve: 0,
        disks,
        share: seen(found.value),
        interval: (seen(found.ci95.low), seen(found.ci95.high)),
    }
}

/// The same model with another number of disks: what a smaller or larger
/// cluster would see.
fn with_disks(model: &Model, disks: u64) -> Option<Model> {
    let mut other = model.clone();
    match &mut other {
        Model::Uniform { disks: n, .. }
        | Model::Skewed { disks: n, .. }
        | Model::Names { disks: n, .. }
        | Model::ForcedPair { disks: n, .. } => *n = disks,
        Model::FirstCollision { bits } => return Some(Model::Uniform { bits: *bits, disks }),
        Model::Guarded {
            unguarded,
            guarded,
            block,
            ..
        } => {
            // In the order in which they join; beyond the last, more guarded ones.
            let all = *unguarded + *guarded + *block;
            *guarded += disks.saturating_sub(all);
            *unguarded = (*unguarded).min(disks);
            *guarded = (*guarded).min(disks - *unguarded);
            *block = disks - *unguarded - *guarded;
        }
        _ => return None,
    }
    Some(other)
}

fn name(model: &Model) -> String {
    match model {
        Model::Uniform { bits, .. }
        | Model::FirstCollision { bits }
        | Model::ForcedPair { bits, .. } => format!("names of {bits} random bits"),
        Model::Skewed { bits, .. } => format!("names of {bits} bits, not uniform"),
        Model::Names { digits, .. } => format!("names of {digits} hashed digits"),
        Model::Guarded { unguarded, .. } => format!("guard after {unguarded} disks"),
        _ => "names".to_owned(),
    }
}

fn groups(part: &Part) -> Option<Chart> {
    let (model, counts) = (&part.plan().model, part.counts());
    let bits = match model {
        Model::Uniform { bits, .. } => *bits,
        Model::Names { digits, .. } => (4 * u16::from(*digits)).min(122),
        _ => return None,
    };
    let (disks, clusters) = (u128::from(model.disks()), counts.clusters as f64);
    let birthday = Birthday::new(Classes::new(bits).ok()?, disks);
    let largest = counts.groups.keys().next_back().copied().unwrap_or(2);
    let expected: Vec<(u64, f64)> = (2..=largest.clamp(6, 60))
        .map(|size| (size, birthday.expected_groups_of(size.into())))
        .filter(|&(size, e)| e > RAREST_GROUP && (size <= largest || e * clusters > 0.01))
        .collect();
    let counted: Vec<(u64, f64, (f64, f64))> = counts
        .groups
        .iter()
        .filter(|(size, _)| **size <= 60)
        .map(|(&size, &count)| {
            let interval = poisson95(count);
            let ends = (interval.low / clusters, interval.high / clusters);
            (size, count as f64 / clusters, ends)
        })
        .collect();
    Some(charts::groups(disks, &expected, &counted))
}

/// Whole numbers from `from` to `to`, evenly spread by their logarithm.
fn spread(from: u128, to: u128, points: u32) -> Vec<u128> {
    let (low, high) = ((from as f64).ln(), (to.max(from) as f64).ln());
    let mut numbers: Vec<u128> = (0..=points)
        .map(|at| (low + (high - low) * f64::from(at) / f64::from(points)).exp())
        .map(|number| (number.round() as u128).clamp(from, to.max(from)))
        .collect();
    numbers.dedup();
    numbers
}
