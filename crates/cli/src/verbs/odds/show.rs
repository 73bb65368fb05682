//! What people see of the odds.

use std::fmt::Write as _;

use fixname_report::text::{BOLD, styled, wrapped};

use super::answer::{Chance, Group, Inverse, Known, Odds};

pub(super) fn heading(scheme: Option<&str>, bits: u16) -> String {
    let names = match scheme {
        Some("truncated") => "Truncated names (Longhorn v1.1.1 to v1.9.1)".to_owned(),
        Some("sha256") => "SHA-256 names (Longhorn v1.9.2 to v1.10.1)".to_owned(),
        // Both hashes keep all the random bits of a UUID, so they are as likely.
        Some("sha224") => "Hashed names (Longhorn v1.9.2 and later)".to_owned(),
        Some(other) => format!("Names by the scheme {other}, which no release uses"),
        None => "Names".to_owned(),
    };
    format!("{names}: {bits} random bits tell disks apart")
}

/// What follows a heading that speaks of two schemes.
fn note_on(scheme: Option<&str>) -> Option<&'static str> {
    (scheme == Some("sha224")).then_some("SHA-256 in v1.9.2 to v1.10.1, SHA-224 since v1.10.2.")
}

fn headed(out: &mut String, at: usize, scheme: Option<&str>, bits: u16) {
    if at > 0 {
        out.push('\n');
    }
    writeln!(out, "{}", styled(BOLD, &heading(scheme, bits))).expect("a String takes everything");
    if let Some(note) = note_on(scheme) {
        writeln!(out, "  {note}").expect("a String takes everything");
    }
}

pub(super) fn table(odds: &[Odds]) -> String {
    let mut out = String::new();
    for (at, odds) in odds.iter().enumerate() {
        headed(&mut out, at, odds.scheme.as_deref(), odds.bits);
        out.push_str(&wrapped("  ", "  ", &sentence(odds)));
        for (what, value) in rows(odds) {
            writeln!(out, "  {what:<36}  {value}").expect("a String takes everything");
        }
    }
    out
}

/// A line for each number of disks.
pub(super) fn range_table(odds: &[Odds]) -> String {
    let mut out = String::new();
    let schemes = odds.chunk_by(|a, b| (&a.scheme, a.bits) == (&b.scheme, b.bits));
    for (at, scheme) in schemes.enumerate() {
        headed(&mut out, at, scheme[0].scheme.as_deref(), scheme[0].bits);
        let lines: Vec<Vec<String>> = scheme
            .iter()
            .map(|odds| {
                let values = columns(odds).into_iter().map(|(_, value)| value);
                std::iter::once(grouped(&odds.disks.to_string()))
                    .chain(values)
                    .collect()
            })
            .collect();
        let names = columns(&scheme[0])
            .into_iter()
            .map(|(name, _)| name.to_owned());
        let names: Vec<String> = std::iter::once("disks".to_owned()).chain(names).collect();
        let widths: Vec<usize> = (0..names.len())
            .map(|column| {
                let cells = lines.iter().chain([&names]).map(|line| &line[column]);
                cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
            })
            .collect();
        for line in std::iter::once(&names).chain(&lines) {
            for (cell, width) in line.iter().zip(&widths) {
                write!(out, "  {cell:>width$}").expect("a String takes everything");
            }
            out.push('\n');
        }
    }
    out
}

fn columns(odds: &Odds) -> Vec<(&'static str, String)> {
    let mut columns = vec![
        ("chance", percent(odds.probability, odds.log10_probability)),
        ("pairs", number(odds.expected_pairs)),
        ("sharing", number(odds.expected_colliding_disks)),
    ];
    if let Some(group) = &odds.group {
        columns.push(("group", group_chance(group)));
    }
    if let Some(images) = &odds.with_images {
        columns.push(("images", images.chance.percent()));
    }
    if let Some(guard) = &odds.guard {
        columns.push(("guarded", guard.chance.percent()));
    }
    if let Some(uneven) = &odds.uneven {
        columns.push((uneven.names().0, uneven.chance().percent()));
    }
    if let Some(fleet) = &odds.fleet {
        columns.push(("fleet", fleet.chance.percent()));
        columns.push(("clusters", number(fleet.expected_clusters)));
    }
    columns
}

fn sentence(odds: &Odds) -> String {
    let disks = disks_of(odds.disks);
    match odds.probability {
        p if p >= 1.0 => format!("Every cluster with {disks} has two that share a name."),
        // So near to 1 that a number of clusters would round to all of them.
        p if p > 0.9995 => {
            format!("Practically every cluster with {disks} has two that share a name.")
        }
        p if odds.log10_probability == f64::NEG_INFINITY || p < 0.0 => {
            format!("{} cannot share a name.", capital(&disks))
        }
        p if p >= 0.0005 => format!(
            "Of 1,000 clusters with {disks}, about {:.0} have two that share a name.",
            1000.0 * p
        ),
        _ => format!(
            "Of all clusters with {disks}, one in {} has two that share a name.",
            one_in(odds.log10_probability)
        ),
    }
}

fn rows(odds: &Odds) -> Vec<(String, String)> {
    let mut rows = vec![
        (
            "chance of that".to_owned(),
            percent(odds.probability, odds.log10_probability),
        ),
        (
            "pairs with one name, on average".to_owned(),
            number(odds.expected_pairs),
        ),
        (
            "disks that share theirs, on average".to_owned(),
            number(odds.expected_colliding_disks),
        ),
    ];
    if let Some(group) = &odds.group {
        let size = grouped(&group.at_least.to_string());
        rows.push((format!("{size} or more with one name"), group_chance(group)));
    }
    if let Some(images) = &odds.with_images {
        let count = grouped(&images.images.to_string());
        rows.push((
            format!("any two names with {count} images"),
            images.chance.percent(),
        ));
    }
    if let Some(guard) = &odds.guard {
        for (disks, what) in [
            (guard.unguarded, "made before the guard"),
            (guard.guarded, "made with it"),
            (guard.block_disks, "block disks, unseen by it"),
        ] {
            rows.push((format!("  {what}"), grouped(&disks.to_string())));
        }
        rows.push(("chance with the guard".to_owned(), guard.chance.percent()));
    }
    if let Some(uneven) = &odds.uneven {
        let (what, given) = uneven.given();
        rows.push((format!("  {what}"), given));
        rows.push((uneven.names().1, uneven.chance().percent()));
    }
    if let Some(fleet) = &odds.fleet {
        let count = grouped(&fleet.clusters.to_string());
        rows.push((
            format!("that any of {count} clusters has one"),
            fleet.chance.percent(),
        ));
        rows.push((
            "clusters that have one, on average".to_owned(),
            number(fleet.expected_clusters),
        ));
    }
    rows
}

fn group_chance(group: &Group) -> String {
    match &group.chance {
        Known::Exactly(chance) => chance.percent(),
        Known::Between { low, high } => format!("{} to {}", low.percent(), high.percent()),
    }
}

impl Chance {
    fn percent(&self) -> String {
        percent(self.probability, self.log10_probability)
    }
}

pub(super) fn inverse_table(inverse: &[Inverse]) -> String {
    let mut out = String::new();
    for (at, entry) in inverse.iter().enumerate() {
        let disks = match &entry.disks_for {
            serde_json::Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        headed(&mut out, at, entry.scheme.as_deref(), entry.bits);
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
pub(crate) fn grouped(digits: &str) -> String {
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

pub(super) fn percent(value: f64, log10: f64) -> String {
    if log10 == f64::NEG_INFINITY {
        return "0 %".to_owned();
    }
    if value >= 1.0 {
        return "100 %".to_owned();
    }
    // Not certain, and must not look so.
    if value >= 0.99995 {
        return "over 99.99 %".to_owned();
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
    fn small_and_large_numbers_read_well() {
        assert_eq!(percent(0.500_722, 0.500_722f64.log10()), "50.07 %");
        assert_eq!(percent(1.0, 0.0), "100 %");
        assert_eq!(percent(0.999_96, -1e-5), "over 99.99 %");
        assert_eq!(percent(0.0, -432.5), "3.162e-433");
        assert_eq!(percent(0.0, f64::NEG_INFINITY), "0 %");
        assert_eq!(one_in(-4.0), "10,000");
        assert_eq!(one_in(-32.0), "1.0 × 10^32");
        assert_eq!(grouped("1234567"), "1,234,567");
        assert_eq!(number(0.6935), "0.6935");
    }
}
