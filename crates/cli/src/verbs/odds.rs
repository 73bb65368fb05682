//! `fixname odds`: how likely a collision is, exactly. What was asked is here;
//! the answers are in `answer`, what people see of them in `show`.

mod answer;
mod count;
mod plot;
mod show;

use fixname_collision::Target;
use fixname_collision::simulate::Skew;
use fixname_naming::Scheme;
use fixname_report::data;
use serde::Serialize;

use super::Format;
use super::disks::{Names, Uneven};
use crate::exit::{Exit, Failure};
use crate::output::Output;
use answer::{Extras, Guarded, classes, uneven};
pub(super) use count::DiskNumber;
use count::{MOST_DISKS, Range};
use plot::Question;
pub(super) use show::grouped;
use show::heading;

/// The guard compares prefixes of so many bits.
const GUARD_BITS: u16 = 16;
/// Disks times group size over all rows: some seconds of computing.
const MOST_GROUP_WORK: u128 = 1 << 27;

/// Show how likely it is that two disks of one cluster share a manager name.
///
/// The numbers are exact (no approximation, no simulation), for disks with
/// ordinary random UUIDs of version 4 and, beside them, for those that --spike,
/// --cloned or --uuids tell of. Without --scheme or --bits, both the
/// truncated names (up to v1.9.1) and the hashed ones (from v1.9.2) are shown.
#[derive(clap::Args)]
#[command(
    group(clap::ArgGroup::new("question").args(["disks", "range", "probability"]).required(true)),
    after_help = "\
Examples:
  fixname odds --disks 302
  fixname odds --disks 1e6 --bits 32 -o json
  fixname odds --probability 0.5          (how many disks until then)
  fixname odds --range 100..1000:100      (a line for each number of disks)
  fixname odds --range 10..1e6:x10 --clusters 50
  fixname odds --disks 302 --at-least 3   (three disks or more with one name)
  fixname odds --disks 400 --guard-from 302 --block-disks 20
  fixname odds --disks 302 --guard-from 0 --at-once 302
  fixname odds --disks 302 --images 3
  fixname odds --disks 302 --cloned 0.001 (each disk may be a copy of another)
  fixname odds --disks 50 --uuids v7 --within 3d
  fixname odds --disks 302 --plot odds.svg
  fixname odds --disks 600 --plot growth.svg --chart timeline --guard-from 300"
)]
pub(crate) struct Args {
    /// Disks in the cluster, up to 10^18; 1_000_000, 1e6 and 10^6 are understood.
    #[arg(long, value_name = "N")]
    disks: Option<DiskNumber>,
    /// Several numbers of disks: from A to B, with a step, or with a factor as
    /// in 10..1e6:x10.
    #[arg(long, value_name = "A..B[:STEP]")]
    range: Option<Range>,
    /// The other way round: how many disks until a collision is that likely.
    #[arg(long, value_name = "P")]
    probability: Option<Target>,
    #[command(flatten)]
    names: Names,
    /// A fleet of so many such clusters: does any of them have a collision?
    #[arg(long, value_name = "C", conflicts_with = "probability")]
    clusters: Option<DiskNumber>,
    /// Also the chance that K or more disks share one name.
    #[arg(long, value_name = "K", conflicts_with = "probability")]
    at_least: Option<DiskNumber>,
    /// Truncated names under so many manager images, whose hashes are taken as
    /// random (those of Longhorn's own releases all differ).
    #[arg(long, value_name = "I", conflicts_with = "probability")]
    images: Option<DiskNumber>,
    /// Truncated names with Longhorn's prefix guard (v1.7.4, v1.8.2, v1.9.0 and
    /// later): the first K disks were made without it.
    #[arg(
        long,
        value_name = "K",
        conflicts_with = "images",
        env = "FIXNAME_GUARD_FROM"
    )]
    guard_from: Option<DiskNumber>,
    /// Of the guarded disks, so many join at once and do not see each other;
    /// 1 if not given, and 10 in the timeline.
    #[arg(
        long,
        value_name = "B",
        alias = "batch",
        conflicts_with = "images",
        env = "FIXNAME_AT_ONCE"
    )]
    at_once: Option<DiskNumber>,
    /// Of all disks, so many are block disks: they come last, and no guard sees
    /// them.
    #[arg(
        long,
        value_name = "U",
        requires = "guard_from",
        env = "FIXNAME_BLOCK_DISKS"
    )]
    block_disks: Option<DiskNumber>,
    #[command(flatten)]
    uneven: Uneven,
    /// How to print.
    #[arg(
        short,
        long,
        value_enum,
        default_value = "table",
        env = "FIXNAME_OUTPUT"
    )]
    output: Format,
    #[command(flatten)]
    plot: plot::Args,
}

/// The first entry's fields stand at the top too, so that a program that asked
/// about one scheme need not look into the list.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Answer<T> {
    format_version: u32,
    #[serde(flatten)]
    first: T,
    odds: Vec<T>,
}

pub(crate) fn run(args: &Args, output: &Output) -> Result<Exit, Failure> {
    let schemes = schemes(args)?;
    if let Some(target) = &args.probability {
        if args.uneven.skew().is_some() {
            return Err(Failure::usage(
                "--probability asks about random UUIDs".to_owned(),
                "fixname odds --range A..B shows where others get there",
            ));
        }
        let inverse = schemes
            .iter()
            .map(|(scheme, bits)| answer::inverse(target, *scheme, *bits));
        let inverse = inverse.collect::<Result<Vec<_>, Failure>>()?;
        let question = Question::Probability(target);
        plot::draw(args, &question, &schemes, output)?;
        print(args, output, inverse, show::inverse_table)?;
        return Ok(Exit::Ok);
    }
    let one = args.disks.map(|DiskNumber(disks)| [disks]);
    let numbers = match (&one, &args.range) {
        (Some(one), _) => one.as_slice(),
        (None, Some(range)) => range.numbers(),
        (None, None) => unreachable!("clap requires one of the three"),
    };
    let extras = extras(args, numbers)?;
    let mut odds = Vec::new();
    for (scheme, bits) in &schemes {
        for disks in numbers {
            odds.push(answer::odds(*disks, *scheme, *bits, &extras)?);
        }
    }
    let most = numbers.last().copied().unwrap_or(0);
    plot::draw(args, &Question::Disks(most), &schemes, output)?;
    let table = if args.range.is_some() {
        show::range_table
    } else {
        show::table
    };
    print(args, output, odds, table)?;
    Ok(Exit::Ok)
}

fn print<T: Clone + Serialize>(
    args: &Args,
    output: &Output,
    odds: Vec<T>,
    table: fn(&[T]) -> String,
) -> Result<(), Failure> {
    let Some(first) = odds.first().cloned() else {
        return Ok(());
    };
    let answer = Answer {
        format_version: 1,
        first,
        odds,
    };
    match args.output {
        Format::Table | Format::Wide => output.text(&table(&answer.odds)),
        Format::Json => output.data(&data::json(&answer)),
        Format::Yaml => output.data(&data::yaml(&answer)),
    }
}

fn wrong(message: String) -> Failure {
    Failure::usage(message, "fixname odds --help")
}

/// Whether the question is about a cluster with the guard. In a chart the same
/// flags say what to draw.
fn guarded(args: &Args) -> bool {
    (args.guard_from.is_some() || args.at_once.is_some()) && !args.plot.asked()
}

fn schemes(args: &Args) -> Result<Vec<(Option<Scheme>, u16)>, Failure> {
    // The guard, the images' hashes and clocks are about truncated names.
    let skew = args.uneven.skew();
    let clock = matches!(skew, Some(Skew::V7 { .. } | Skew::V1 { .. }));
    let truncated = guarded(args) || args.images.is_some() || clock;
    if let Some(bits) = args.names.bits {
        if truncated && bits != GUARD_BITS {
            return Err(wrong(format!(
                "guard, images and clocks are about {GUARD_BITS} bits, and these names have {bits}"
            )));
        }
        return Ok(vec![(None, bits)]);
    }
    let schemes = match args.names.scheme {
        Some(Scheme::Truncated) => vec![Scheme::Truncated],
        Some(scheme) if truncated => {
            return Err(wrong(format!(
                "guard, images and clocks are about truncated names, not the scheme {scheme}"
            )));
        }
        Some(scheme) => vec![scheme],
        // Who sets a prefix by hand leaves the rest of the UUID to chance.
        None if truncated || matches!(skew, Some(Skew::Spike { .. })) => vec![Scheme::Truncated],
        None => vec![Scheme::Truncated, Scheme::Sha224],
    };
    let bits = schemes.into_iter().map(|scheme| {
        let bits = scheme.random_bits().ok_or_else(|| {
            Failure::usage(
                format!("the scheme {scheme} has no names that could collide"),
                "fixname odds --disks N --scheme truncated",
            )
        })?;
        Ok((Some(scheme), bits))
    });
    bits.collect()
}

fn extras(args: &Args, numbers: &[u128]) -> Result<Extras, Failure> {
    let given = |number: Option<DiskNumber>, what: &str, least: u64| {
        let number = number.map(|DiskNumber(n)| u64::try_from(n).expect("10^18 fits in 64 bits"));
        match number {
            Some(number) if number < least => Err(wrong(format!(
                "{what} must be at least {least}, and is {number}"
            ))),
            number => Ok(number),
        }
    };
    let at_least = given(args.at_least, "the size of a group", 2)?;
    let at_once = given(args.at_once, "the number of disks that join at once", 1)?;
    if let Some(size) = at_least {
        let work = numbers.iter().map(|n| n.saturating_mul(size.into()));
        let work = work.fold(0, u128::saturating_add);
        if numbers.len() > 1 && work > MOST_GROUP_WORK {
            return Err(wrong(format!(
                "groups of {size} among {} numbers of disks would take too long; give a larger step",
                numbers.len()
            )));
        }
    }
    let skew = args.uneven.skew();
    if skew.is_some() && args.plot.asked() {
        return Err(Failure::usage(
            "the charts of odds are about random UUIDs".to_owned(),
            "fixname simulate --plot draws others, over their exact odds",
        ));
    }
    if let Some(skew) = skew {
        uneven::affordable(skew, numbers).map_err(wrong)?;
    }
    Ok(Extras {
        skew,
        clusters: given(args.clusters, "the number of clusters", 1)?,
        at_least,
        images: given(args.images, "the number of images", 1)?,
        guard: guarded(args)
            .then(|| {
                Ok::<_, Failure>(Guarded {
                    from: given(args.guard_from, "", 0)?.unwrap_or(0),
                    at_once: at_once.unwrap_or(1),
                    block: given(args.block_disks, "", 0)?.unwrap_or(0),
                })
            })
            .transpose()?,
    })
}
