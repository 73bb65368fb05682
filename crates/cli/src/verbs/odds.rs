//! `fixname odds`: how likely a collision is, exactly.

mod plot;

use std::fmt::Write as _;
use std::str::FromStr;

use fixname_collision::{Birthday, Classes, Target, disks_for};
use fixname_naming::Scheme;
use fixname_report::data;
use fixname_report::text::{BOLD, styled, wrapped};
use serde::Serialize;

use super::Format;
use crate::exit::{Exit, Failure};
use crate::output::Output;
use plot::Question;

/// The most disks that can be asked about.
const MOST_DISKS: u128 = 1_000_000_000_000_000_000;

/// Show how likely it is that two disks of one cluster share a manager name.
///
/// The numbers are exact (no approximation, no simulation), for disks with
/// ordinary random UUIDs of version 4. Without --scheme or --bits, both the
/// truncated names (up to v1.9.1) and the hashed ones (from v1.9.2) are shown.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  fixname odds --disks 302
  fixname odds --disks 1e6 --bits 32 -o json
  fixname odds --probability 0.5          (how many disks until then)
  fixname odds --disks 302 --plot odds.svg
  fixname odds --disks 600 --plot growth.svg --chart timeline --guard-from 300")]
pub(crate) struct Args {
    /// Disks in the cluster, up to 10^18; 1_000_000, 1e6 and 10^6 are understood.
    #[arg(
        long,
        value_name = "N",
        required_unless_present = "probability",
        conflicts_with = "probability"
    )]
    disks: Option<DiskNumber>,
    /// The other way round: how many disks until a collision is that likely.
    #[arg(long, value_name = "P")]
    probability: Option<Target>,
    /// A naming scheme: truncated, sha256, sha224, uuid-K (K characters of the
    /// UUID), uuid-full or hash-K (K hexadecimal digits).
    #[arg(long, value_name = "SCHEME", conflicts_with = "bits")]
    scheme: Option<Scheme>,
    /// Random bits in a name, 1 to 256.
    #[arg(long, value_name = "B", value_parser = clap::value_parser!(u16).range(1..=256))]
    bits: Option<u16>,
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

/// A number of disks as people write it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct DiskNumber(pub(super) u128);

impl FromStr for DiskNumber {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let malformed = || {
            format!(
                "{text:?} is not a whole number of disks; expected one like 302, 1_000_000 or 1e6"
            )
        };
        let plain = text.replace(['_', ','], "");
        let digits = |part: &str| -> Option<u128> {
            (!part.is_empty() && part.bytes().all(|b| b.is_ascii_digit()))
                .then(|| part.parse().ok())
                .flatten()
        };
        let power = |ten: u128, exponent: &str| -> Option<u128> {
            ten.checked_pow(u32::try_from(digits(exponent)?).ok()?)
        };
        let number = if let Some((base, exponent)) = plain.split_once('^') {
            power(digits(base).ok_or_else(malformed)?, exponent)
        } else if let Some((mantissa, exponent)) = plain.split_once(['e', 'E']) {
            let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
            let all = digits(&format!("{whole}{fraction}")).ok_or_else(malformed)?;
            let places = fraction.len() as u128;
            let exponent = digits(exponent).ok_or_else(malformed)?;
            let shift = exponent.checked_sub(places).ok_or_else(malformed)?;
            power(10, &shift.to_string()).and_then(|p| p.checked_mul(all))
        } else if plain.bytes().all(|b| b.is_ascii_digit()) && !plain.is_empty() {
            digits(&plain)
        } else {
            return Err(malformed());
        };
        match number {
            Some(number) if number <= MOST_DISKS => Ok(Self(number)),
            _ => Err(format!(
                "{text} is more than 10^18 disks, the most that can be asked about"
            )),
        }
    }
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

#[derive(Clone, Serialize)]
#[serde(rename_all = "camelCase")]
struct Odds {
    disks: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    scheme: Option<String>,
    bits: u16,
    probability: f64,
    log10_probability: f64,
    expected_pairs: f64,
    expected_colliding_disks: f64,
}

#[derive(Clone, Serialize)]
#[serde(rename_all = "camelCase")]
struct Inverse {
    #[serde(skip_serializing_if = "Option::is_none")]
    scheme: Option<String>,
    bits: u16,
    probability: String,
    /// A number, or digits as text where it is larger than programs read exactly.
    disks_for: serde_json::Value,
}

pub(crate) fn run(args: &Args, output: &Output) -> Result<Exit, Failure> {
    let schemes = schemes(args)?;
    match (&args.disks, &args.probability) {
        (Some(DiskNumber(disks)), _) => {
            let odds = schemes
                .iter()
                .map(|(scheme, bits)| odds(*disks, *scheme, *bits));
            let odds = odds.collect::<Result<Vec<_>, Failure>>()?;
            plot::draw(&args.plot, &Question::Disks(*disks), &schemes, output)?;
            print(args, output, odds, table)?;
        }
        (None, Some(target)) => {
            let inverse = schemes
                .iter()
                .map(|(scheme, bits)| inverse(target, *scheme, *bits));
            let inverse = inverse.collect::<Result<Vec<_>, Failure>>()?;
            plot::draw(&args.plot, &Question::Probability(target), &schemes, output)?;
            print(args, output, inverse, inverse_table)?;
        }
        (None, None) => unreachable!("clap requires one of the two"),
    }
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

fn schemes(args: &Args) -> Result<Vec<(Option<Scheme>, u16)>, Failure> {
    if let Some(bits) = args.bits {
        return Ok(vec![(None, bits)]);
    }
    let schemes = match args.scheme {
        Some(scheme) => vec![scheme],
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

fn classes(bits: u16) -> Result<Classes, Failure> {
    Classes::new(bits).map_err(|e| Failure::usage(e.to_string(), "fixname odds --help"))
}

fn odds(disks: u128, scheme: Option<Scheme>, bits: u16) -> Result<Odds, Failure> {
    let birthday = Birthday::new(classes(bits)?, disks);
    let any = birthday.p_any();
    Ok(Odds {
        disks: u64::try_from(disks).expect("10^18 fits in 64 bits"),
        scheme: scheme.map(|s| s.id().into_owned()),
        bits,
        probability: any.value,
        log10_probability: any.log10,
        expected_pairs: birthday.expected_pairs(),
        expected_colliding_disks: birthday.expected_colliding_disks(),
    })
}

fn inverse(target: &Target, scheme: Option<Scheme>, bits: u16) -> Result<Inverse, Failure> {
    let disks = disks_for(classes(bits)?, target)
        .map_err(|e| Failure::usage(e.to_string(), "fixname odds --disks N"))?;
    let text = disks.to_string();
    // 2^53: beyond it, JSON readers that use doubles round.
    let exact = disks.to_u128().filter(|n| *n <= 1 << 53);
    Ok(Inverse {
        scheme: scheme.map(|s| s.id().into_owned()),
        bits,
        probability: target.to_string(),
        disks_for: match exact.and_then(|n| u64::try_from(n).ok()) {
            Some(number) => number.into(),
            None => text.into(),
        },
    })
}

fn heading(scheme: Option<&str>, bits: u16) -> String {
    let names = match scheme {
        Some("truncated") => "Truncated names (Longhorn v1.1.1 to v1.9.1)".to_owned(),
        Some("sha256") => "SHA-256 names (Longhorn v1.9.2 to v1.10.1)".to_owned(),
        Some("sha224") => "Hashed names (Longhorn v1.10.2 and later)".to_owned(),
        Some(other) => format!("Names by the scheme {other}, which no release uses"),
        None => "Names".to_owned(),
    };
    format!("{names}: {bits} random bits tell disks apart")
}

fn table(odds: &[Odds]) -> String {
    let mut out = String::new();
    for (at, odds) in odds.iter().enumerate() {
        if at > 0 {
            out.push('\n');
        }
        let Odds { disks, bits, .. } = odds;
        writeln!(
            out,
            "{}",
            styled(BOLD, &heading(odds.scheme.as_deref(), *bits))
        )
        .expect("a String takes everything");
        let sentence = match odds.probability {
            p if p >= 1.0 => format!(
                "Every cluster with {} has two that share a name.",
                disks_of(*disks)
            ),
            // So near to 1 that a number of clusters would round to all of them.
            p if p > 0.9995 => format!(
                "Practically every cluster with {} has two that share a name.",
                disks_of(*disks)
            ),
            p if odds.log10_probability == f64::NEG_INFINITY || p < 0.0 => {
                format!("{} cannot share a name.", capital(&disks_of(*disks)))
            }
            p if p >= 0.0005 => format!(
                "Of 1,000 clusters with {}, about {:.0} have two that share a name.",
                disks_of(*disks),
                1000.0 * p
            ),
            _ => format!(
                "Of all clusters with {}, one in {} has two that share a name.",
                disks_of(*disks),
                one_in(odds.log10_probability)
            ),
        };
        out.push_str(&wrapped("  ", "  ", &sentence));
        let rows = [
            (
                "chance of that",
                percent(odds.probability, odds.log10_probability),
            ),
            (
                "pairs with one name, on average",
                number(odds.expected_pairs),
            ),
            (
                "disks that share theirs, on average",
                number(odds.expected_colliding_disks),
            ),
        ];
        for (what, value) in rows {
            writeln!(out, "  {what:<36}  {value}").expect("a String takes everything");
        }
    }
    out
}

fn inverse_table(inverse: &[Inverse]) -> String {
    let mut out = String::new();
    for (at, entry) in inverse.iter().enumerate() {
        if at > 0 {
            out.push('\n');
        }
        let disks = match &entry.disks_for {
            serde_json::Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        let line = styled(BOLD, &heading(entry.scheme.as_deref(), entry.bits));
        writeln!(out, "{line}").expect("a String takes everything");
        out.push_str(&wrapped(
            "  ",
            "  ",
            &format!(
                "With {} disks in a cluster, the chance that two share a name reaches {}.",
                grouped(&disks),
                entry.probability
            ),
        ));
    }
    out
}

fn disks_of(disks: u64) -> String {
    match disks {
        1 => "1 disk".to_owned(),
        n => format!("{} disks", grouped(&n.to_string())),
    }
}

fn capital(text: &str) -> String {
    let mut chars = text.chars();
    match chars.next() {
        Some(first) => first.to_uppercase().chain(chars).collect(),
        None => String::new(),
    }
}

/// `1234567` as `1,234,567`.
pub(super) fn grouped(digits: &str) -> String {
    let mut out = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// Four digits, whatever the size.
fn number(value: f64) -> String {
    if value == 0.0 || (0.001..1e6).contains(&value) {
        let digits = if value >= 1000.0 {
            0
        } else if value >= 1.0 {
            2
        } else {
            4
        };
        format!("{value:.digits$}")
    } else {
        format!("{value:.3e}")
    }
}

fn percent(value: f64, log10: f64) -> String {
    if log10 == f64::NEG_INFINITY {
        return "0 %".to_owned();
    }
    if value >= 1e-6 {
        return format!("{} %", number(100.0 * value));
    }
    // From the logarithm: the value itself may have underflowed to 0.
    let exponent = log10.floor();
    format!("{:.3}e{exponent}", 10f64.powf(log10 - exponent))
}

/// The reciprocal of a small probability.
fn one_in(log10: f64) -> String {
    if log10 > -9.0 {
        return grouped(&format!("{:.0}", 10f64.powf(-log10)));
    }
    let exponent = (-log10).floor();
    format!("{:.1} × 10^{exponent}", 10f64.powf(-log10 - exponent))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_disks_are_read_as_people_write_them() {
        for (text, number) in [
            ("0", 0),
            ("302", 302),
            ("1_000_000", 1_000_000),
            ("1,000", 1000),
            ("1e6", 1_000_000),
            ("1.5e3", 1500),
            ("10^18", 1_000_000_000_000_000_000),
            ("1E18", 1_000_000_000_000_000_000),
        ] {
            assert_eq!(text.parse(), Ok(DiskNumber(number)), "{text}");
        }
        for text in [
            "",
            "_",
            "-1",
            "1.5",
            "1.55e1",
            "e6",
            "1e",
            "ten",
            "1e19",
            "10^99999999999",
            "0x10",
            "1000000000000000001",
            "99999999999999999999999999999999999999999999",
        ] {
            assert!(text.parse::<DiskNumber>().is_err(), "{text}");
        }
    }

    #[test]
    fn small_and_large_numbers_read_well() {
        assert_eq!(percent(0.500_722, 0.500_722f64.log10()), "50.07 %");
        assert_eq!(percent(0.0, -432.5), "3.162e-433");
        assert_eq!(percent(0.0, f64::NEG_INFINITY), "0 %");
        assert_eq!(one_in(-4.0), "10,000");
        assert_eq!(one_in(-32.0), "1.0 × 10^32");
        assert_eq!(grouped("1234567"), "1,234,567");
        assert_eq!(number(0.6935), "0.6935");
    }
}
