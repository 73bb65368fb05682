//! `fixname odds --plot`: the exact numbers as a picture.

use std::io::Write as _;
use std::path::PathBuf;

use clap::ValueEnum;
use fixname_collision::exact::guard::p_stale_batch;
use fixname_collision::{Birthday, Classes, Target, disks_for};
use fixname_naming::Scheme;
use fixname_report::plot::Chart;
use fixname_report::plot::charts::{self, Curve};

use super::{DiskNumber, MOST_DISKS, classes};
use crate::exit::Failure;
use crate::output::Output;
use crate::whole_file::{WholeFile, cannot_write};

/// Points of a curve.
const POINTS: u32 = 240;
/// Groups rarer than this are left out.
const RAREST_GROUP: f64 = 1e-12;
/// The guard is drawn disk by disk.
const MOST_JOINS: u128 = 1_000_000;
/// In the timeline, so many disks join at once if nothing else is asked for.
const USUAL_BATCH: u128 = 10;

/// What to draw, and where to.
#[derive(clap::Args)]
#[group(skip)]
pub(crate) struct Args {
    /// Draw a chart into this file (SVG), too.
    #[arg(long, value_name = "FILE.svg", env = "FIXNAME_PLOT")]
    plot: Option<PathBuf>,
    /// Which chart.
    #[arg(
        long,
        value_enum,
        default_value = "probability",
        requires = "plot",
        env = "FIXNAME_CHART"
    )]
    chart: Kind,
}

impl Args {
    /// Whether a chart is wanted.
    pub(super) fn asked(&self) -> bool {
        self.plot.is_some()
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Kind {
    /// Probability against disks, both logarithmic.
    Probability,
    /// How many groups of two, three, … disks share a name (truncated names,
    /// or --bits).
    Groups,
    /// A growing cluster with and without the prefix guard (truncated names, or
    /// --bits).
    Timeline,
}

/// What was asked about.
pub(super) enum Question<'a> {
    Disks(u128),
    Probability(&'a Target),
}

pub(super) fn draw(
    args: &super::Args,
    question: &Question<'_>,
    schemes: &[(Option<Scheme>, u16)],
    output: &Output,
) -> Result<(), Failure> {
    let Some(path) = &args.plot.plot else {
        return Ok(());
    };
    let chart = match (args.plot.chart, question) {
        (Kind::Probability, _) => probability(question, schemes)?,
        (Kind::Groups, Question::Disks(disks)) => groups(*disks, classes(schemes[0].1)?),
        (Kind::Timeline, Question::Disks(disks)) => timeline(args, *disks, classes(schemes[0].1)?)?,
        (Kind::Groups | Kind::Timeline, Question::Probability(_)) => {
            return Err(Failure::usage(
                "this chart is about a number of disks",
                "fixname odds --disks N --plot FILE.svg --chart timeline",
            ));
        }
    };
    let mut file = WholeFile::create(path)?;
    file.write_all(chart.svg().as_bytes())
        .map_err(|error| cannot_write(path, &error))?;
    file.finish()?;
    output.note(&format!("{} shows: {}", path.display(), chart.title));
    Ok(())
}

fn probability(
    question: &Question<'_>,
    schemes: &[(Option<Scheme>, u16)],
) -> Result<Chart, Failure> {
    let (asked, chance) = match question {
        Question::Disks(disks) => (Some(*disks), None),
        Question::Probability(target) => (None, Some(target.log10())),
    };
    let most = match question {
        Question::Disks(disks) => disks.saturating_mul(10),
        // So that the place where the first curve gets there is on the chart.
        Question::Probability(target) => {
            let disks = schemes.iter().map(|(_, bits)| {
                let disks = disks_for(classes(*bits)?, target);
                let disks = disks.map_err(|e| Failure::usage(e.to_string(), "fixname odds --help"));
                Ok(disks?.to_u128().unwrap_or(MOST_DISKS))
            });
            let disks = disks.collect::<Result<Vec<u128>, Failure>>()?;
            disks.into_iter().max().unwrap_or(2).saturating_mul(10)
        }
    };
    let numbers = spread(2, most.clamp(10_000, MOST_DISKS), asked);
    let curves = schemes.iter().map(|(scheme, bits)| {
        let classes = classes(*bits)?;
        let points = numbers
            .iter()
            .map(|&n| (n, Birthday::new(classes, n).p_any().log10));
        Ok(Curve {
            name: super::heading(scheme.map(|s| s.id().into_owned()).as_deref(), *bits),
            points: points.collect(),
        })
    });
    let curves = curves.collect::<Result<Vec<_>, Failure>>()?;
    Ok(charts::odds(&curves, &[], asked, chance))
}

/// Whole numbers from `from` to `to`, evenly spread by their logarithm, with
/// `also` among them.
fn spread(from: u128, to: u128, also: Option<u128>) -> Vec<u128> {
    let (low, high) = ((from as f64).ln(), (to as f64).ln());
    let mut numbers: Vec<u128> = (0..=POINTS)
        .map(|at| (low + (high - low) * f64::from(at) / f64::from(POINTS)).exp())
        .map(|number| (number.round() as u128).clamp(from, to))
        .chain(also.filter(|n| (from..=to).contains(n)))
        .collect();
    numbers.sort_unstable();
    numbers.dedup();
    numbers
}

fn groups(disks: u128, classes: Classes) -> Chart {
    let birthday = Birthday::new(classes, disks);
    // Ever larger groups get rarer, but only beyond the average one.
    let expected: Vec<(u64, f64)> = (2..=60)
        .map(|size| (size, birthday.expected_groups_of(size.into())))
        .filter(|&(_, expected)| expected > RAREST_GROUP)
        .collect();
    charts::groups(disks, &expected, &[])
}

fn timeline(args: &super::Args, disks: u128, classes: Classes) -> Result<Chart, Failure> {
    if disks > MOST_JOINS {
        return Err(Failure::usage(
            "a timeline is drawn join by join, for 1,000,000 disks at most",
            "give fewer --disks, or --chart probability",
        ));
    }
    let batch = args
        .at_once
        .map_or(USUAL_BATCH, |DiskNumber(batch)| batch.max(1));
    // Half of all, if not given: so that both parts are seen.
    let legacy = args
        .guard_from
        .map_or(disks / 2, |DiskNumber(k)| k.min(disks));
    let step = (disks / u128::from(POINTS)).max(1);
    let at: Vec<u128> = (0..=disks)
        .filter(|&n| n.is_multiple_of(step) || n == legacy || n == disks)
        .collect();
    let p_any = |n| Birthday::new(classes, n).p_any().value;
    let line = |p: &dyn Fn(u128) -> f64| at.iter().map(|&n| (n, p(n))).collect();

    // Every batch is free of collisions with what it saw; within it, nobody sees
    // the others. The logarithms of "no collision" add up.
    let mut at_once = vec![(0, 0.0)];
    let mut ln_none = 0.0;
    let mut present = 0;
    while present < disks {
        let joining = batch.min(disks - present);
        // Once every prefix is taken the guard lets nobody in.
        match p_stale_batch(classes, present, joining) {
            Ok(p) => ln_none += (-p.value).ln_1p(),
            Err(_) => break,
        }
        present += joining;
        at_once.push((present, -f64::exp_m1(ln_none)));
    }
    let grouped = |n: u128| super::grouped(&n.to_string());
    let ways = [
        ("no guard".to_owned(), line(&p_any)),
        (
            format!("guard from disk {} on", grouped(legacy + 1)),
            line(&|n| p_any(n.min(legacy))),
        ),
        (
            format!(
                "guard from the first disk on, {} joining at once",
                grouped(batch)
            ),
            at_once,
        ),
        (
            "guard from the first disk on, one joining after the other".to_owned(),
            line(&|_| 0.0),
        ),
    ];
    Ok(charts::timeline(
        &ways,
        &[(legacy, "the guard comes".to_owned())],
    ))
}
