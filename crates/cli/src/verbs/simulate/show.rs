//! What `fixname simulate` prints: the keys of the contract, and a text.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use fixname_collision::agreement::{Estimate, Report};
use fixname_collision::simulate::{Model, Part};
use fixname_collision::statistics::Interval;
use fixname_report::data;
use fixname_report::text::{BOLD, styled};
use serde::Serialize;
use serde_json::Value;

use super::Args;
use crate::exit::Failure;
use crate::output::Output;
use crate::verbs::Format;
use crate::verbs::odds::grouped;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Answer<'a> {
    format_version: u32,
    model: &'a Model,
    #[serde(skip_serializing_if = "Option::is_none")]
    scheme: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    bits: Option<u16>,
    disks: u64,
    clusters: u64,
    complete: bool,
    collided_clusters: u64,
    #[serde(flatten)]
    estimate: Option<EstimateJson>,
    colliding_pairs: Value,
    #[serde(skip_serializing_if = "Option::is_none")]
    pairs_per_cluster: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    expected_pairs_per_cluster: Option<f64>,
    group_sizes: &'a BTreeMap<u64, u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    guard: Option<Guard>,
    #[serde(skip_serializing_if = "Option::is_none")]
    chi_squared: Option<ChiSquared>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    curve: Vec<Point>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    rungs: Vec<Rung>,
    digest: String,
    seed: u64,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct EstimateJson {
    probability: f64,
    ci95: [f64; 2],
    #[serde(skip_serializing_if = "Option::is_none")]
    wilson95: Option<[f64; 2]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    upper95: Option<f64>,
    exact_probability: Option<f64>,
    log10_exact_probability: Option<f64>,
    z_score: Option<f64>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Guard {
    redraws: u64,
    exhausted: u64,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ChiSquared {
    statistic: f64,
    bins: usize,
    p_value: f64,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Point {
    disks: u64,
    collided_clusters: u64,
    probability: f64,
    ci95: [f64; 2],
    exact_probability: Option<f64>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Rung {
    bits: u32,
    pairs: u64,
    expected: f64,
    p_value: f64,
}

fn pair(interval: Interval) -> [f64; 2] {
    [interval.low, interval.high]
}

fn estimate_json(found: &Estimate, at_every_look: bool) -> EstimateJson {
    let ci95 = match found.time_uniform95 {
        Some(interval) if at_every_look => interval,
        _ => found.ci95,
    };
    EstimateJson {
        probability: found.value,
        ci95: pair(ci95),
        wilson95: found.wilson95.map(pair),
        upper95: found.upper95,
        exact_probability: found.exact.map(|p| p.value),
        log10_exact_probability: found.exact.map(|p| p.log10),
        z_score: found.z,
    }
}

pub(super) fn print(args: &Args, part: &Part, output: &Output) -> Result<(), Failure> {
    let (plan, counts, report) = (part.plan(), part.counts(), Report::of(part));
    let asked = args.disks.map(|disks| disks.0);
    let curve = report.curve.as_ref();
    let at = curve.and_then(|curve| {
        let mut points = curve.points.iter();
        points.find(|point| Some(u128::from(point.disks)) == asked)
    });
    let found = report
        .collision
        .as_ref()
        .or(at.map(|point| &point.estimate));
    let answer = Answer {
        format_version: 1,
        model: &plan.model,
        scheme: args.names.scheme.map(|scheme| scheme.id().into_owned()),
        bits: bits(&plan.model),
        disks: at.map_or(plan.model.disks(), |point| point.disks),
        clusters: counts.clusters,
        complete: part.is_whole(),
        collided_clusters: match at {
            Some(point) => point.estimate.hits,
            None => counts.collided_clusters(),
        },
        estimate: found.map(|found| estimate_json(found, args.margin.is_some())),
        colliding_pairs: match u64::try_from(counts.pairs) {
            Ok(pairs) => pairs.into(),
            Err(_) => counts.pairs.to_string().into(),
        },
        pairs_per_cluster: report.pairs.map(|pairs| pairs.mean),
        expected_pairs_per_cluster: report.pairs.and_then(|pairs| pairs.expected),
        group_sizes: &counts.groups,
        guard: matches!(plan.model, Model::Guarded { .. }).then_some(Guard {
            redraws: counts.redraws,
            exhausted: counts.exhausted,
        }),
        chi_squared: curve.and_then(|curve| curve.test).map(|test| ChiSquared {
            statistic: test.statistic,
            bins: test.bins,
            p_value: test.p_value,
        }),
        curve: curve.map_or(Vec::new(), |curve| {
            let points = curve.points.iter();
            points
                .map(|point| Point {
                    disks: point.disks,
                    collided_clusters: point.estimate.hits,
                    probability: point.estimate.value,
                    ci95: pair(point.estimate.ci95),
                    exact_probability: point.estimate.exact.map(|p| p.value),
                })
                .collect()
        }),
        rungs: report
            .rungs
            .iter()
            .map(|rung| Rung {
                bits: rung.bits,
                pairs: rung.pairs,
                expected: rung.expected,
                p_value: rung.p_value,
            })
            .collect(),
        digest: part.digest(),
        seed: plan.seed,
    };
    match args.output {
        Format::Table | Format::Wide => output.text(&text(&answer)),
        Format::Json => output.data(&data::json(&answer)),
        Format::Yaml => output.data(&data::yaml(&answer)),
    }
}

fn bits(model: &Model) -> Option<u16> {
    match model {
        Model::Uniform { bits, .. }
        | Model::FirstCollision { bits }
        | Model::Skewed { bits, .. }
        | Model::ForcedPair { bits, .. } => Some(*bits),
        Model::Guarded { .. } => Some(16),
        Model::Names { digits, .. } => Some((4 * u16::from(*digits)).min(122)),
        _ => None,
    }
}

fn text(answer: &Answer<'_>) -> String {
    let mut out = String::new();
    let mut line = |what: &str, value: String| {
        writeln!(out, "  {what:<28}  {value}").expect("a String takes everything");
    };
    let whole = |n: u64| grouped(&n.to_string());
    let range = |[low, high]: [f64; 2]| format!("{} to {}", short(low), short(high));
    if let Some(found) = &answer.estimate {
        if answer.rungs.is_empty() && !matches!(answer.model, Model::ForcedPair { .. }) {
            line("clusters with a collision", whole(answer.collided_clusters));
        }
        line("probability, simulated", short(found.probability));
        match found.upper95 {
            Some(upper) => line("at most, with 95 %", short(upper)),
            None => line("95 % interval", range(found.ci95)),
        }
        if let Some(exact) = found.exact_probability {
            line("probability, exact", short(exact));
        }
        if let Some(z) = found.z_score {
            line("off by standard deviations", format!("{z:.2}"));
        }
    }
    if let Some(mean) = answer.pairs_per_cluster {
        let expected = answer.expected_pairs_per_cluster;
        let expected = expected.map_or(String::new(), |e| format!(" (exact: {})", short(e)));
        line("pairs in a cluster", format!("{}{expected}", short(mean)));
    }
    let mut sizes: Vec<String> = answer
        .group_sizes
        .iter()
        .take(3)
        .map(|(size, count)| format!("{} of {size}", whole(*count)))
        .collect();
    if answer.group_sizes.len() > sizes.len() {
        sizes.push("…".to_owned());
    }
    if !sizes.is_empty() {
        line("groups", sizes.join(", "));
    }
    if let Some(guard) = &answer.guard {
        line("draws taken back", whole(guard.redraws));
        line("disks without a UUID", whole(guard.exhausted));
    }
    if let Some(test) = &answer.chi_squared {
        let ChiSquared {
            statistic,
            bins,
            p_value,
        } = test;
        line(
            "whole curve, chi-squared",
            format!("{statistic:.1} in {bins} bins, p = {p_value:.3}"),
        );
    }
    for rung in &answer.rungs {
        line(
            &format!("pairs equal in {} bits", rung.bits),
            format!(
                "{} (expected {}, p = {:.3})",
                whole(rung.pairs),
                short(rung.expected),
                rung.p_value
            ),
        );
    }
    for point in &answer.curve {
        if matches!(point.disks, 30 | 100 | 200 | 302 | 500 | 1000) {
            let exact = point
                .exact_probability
                .map_or(String::new(), |e| format!(" (exact: {})", short(e)));
            line(
                &format!("at {} disks", point.disks),
                format!("{}{exact}", short(point.probability)),
            );
        }
    }
    line("seed", answer.seed.to_string());
    line("digest", answer.digest[..16].to_owned());
    let part = if answer.complete {
        ""
    } else {
        ", a part of the run"
    };
    let clusters = format!("{} clusters{part}", whole(answer.clusters));
    let head = match answer.disks {
        0 => clusters,
        disks => format!("{clusters}, {} disks each", whole(disks)),
    };
    format!("{}\n{out}", styled(BOLD, &head))
}

fn short(value: f64) -> String {
    if value == 0.0 || (1e-4..1e7).contains(&value.abs()) {
        format!("{value:.6}")
    } else {
        format!("{value:.4e}")
    }
}
