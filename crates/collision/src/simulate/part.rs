//! Parts of a run as files, and the whole from its parts.
//!
//! A file is believed only if its digest fits, its plan can be run, and its
//! counts are possible. The format is in `docs/collision.md`.

use std::collections::BTreeMap;
use std::ops::Range;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use thiserror::Error;

use super::counts::Counts;
use super::model::{Plan, PlanError, Shard};

/// Changes when the same plan would give other counts.
pub const ENGINE_VERSION: u32 = 2;
/// Changes when a reader of the file would go wrong.
const FORMAT_VERSION: u32 = 1;
/// What kind of file it is.
const KIND: &str = "fixname-simulation-part";
/// What the digests are about.
const DOMAIN: &str = "fixname simulation";
/// Gaps and overlaps that an error names.
const NAMED: usize = 8;

/// The counts of some units of a plan: all of them, or a shard's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    plan: PlanBox,
    units: Range<u64>,
    counts: Counts,
}

/// A plan has shares, which are doubles; none is NaN once it was checked.
#[derive(Clone, Debug, PartialEq)]
struct PlanBox(Plan);

impl Eq for PlanBox {}

/// Why a text is no part.
#[derive(Clone, Debug, PartialEq, Error)]
#[non_exhaustive]
pub enum PartError {
    /// Not JSON, or not of this shape.
    #[error("it is no part of a simulation: {0}")]
    Malformed(String),
    /// Of another kind.
    #[error("it says that it is a {0:?}, which is no part of a simulation")]
    Kind(String),
    /// Written by another version.
    #[error("its {what} is {found}; this program reads {known}")]
    Version {
        /// Of what.
        what: &'static str,
        /// In the file.
        found: u32,
        /// Here.
        known: u32,
    },
    /// The plan cannot be run.
    #[error("its plan cannot be run: {0}")]
    Plan(#[from] PlanError),
    /// The plan does not have the units.
    #[error("its units {first} to {end} of {of} are not those of its plan, which has {all}")]
    Units {
        /// The first.
        first: u64,
        /// After the last.
        end: u64,
        /// Of how many, as the file says.
        of: u64,
        /// Of how many, as the plan says.
        all: u64,
    },
    /// Not what was written.
    #[error("its {what} does not fit its content: it was changed after it was written")]
    Digest {
        /// Which one.
        what: &'static str,
    },
    /// No run gives such counts.
    #[error("its counts are impossible: {0}")]
    Impossible(String),
}

/// Why parts do not make a whole. Each part is called by the name it was given.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum MergeError {
    /// No part at all.
    #[error("there is nothing to merge")]
    Nothing,
    /// Parts of different runs.
    #[error("{one} and {other} are parts of different runs: {what}")]
    Mismatch {
        /// A part.
        one: String,
        /// Another.
        other: String,
        /// In what they differ.
        what: String,
    },
    /// Units that are in two parts.
    #[error("the parts overlap: {}", .0.join("; "))]
    Overlap(Vec<String>),
    /// Units that are in none.
    #[error("{missing} of {all} units are missing: {}", .gaps.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
    Gaps {
        /// The ranges.
        gaps: Vec<Gap>,
        /// How many units are missing.
        missing: u64,
        /// How many there are.
        all: u64,
    },
    /// The sums do not fit in a number.
    #[error("the counts of the parts are too large to be added up")]
    Overflow,
}

/// A range of units that no part has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gap {
    /// The units.
    pub units: Range<u64>,
    /// The clusters in them.
    pub clusters: Range<u64>,
    /// The shards that would fill it, if the others are shards of one kind.
    pub shards: Vec<Shard>,
}

impl std::fmt::Display for Gap {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "units {} to {}", self.units.start, self.units.end - 1)?;
        if !self.clusters.is_empty() {
            let (first, last) = (self.clusters.start, self.clusters.end - 1);
            write!(f, " (clusters {first} to {last})")?;
        }
        match self.shards.as_slice() {
            [] => Ok(()),
            [shard] => write!(f, ": shard {shard}"),
            [first, .., last] => write!(f, ": shards {first} to {last}"),
        }
    }
}

impl Part {
    pub(super) fn new(plan: Plan, units: Range<u64>, counts: Counts) -> Self {
        Self {
            plan: PlanBox(plan),
            units,
            counts,
        }
    }

    /// What it is a part of.
    #[must_use]
    pub fn plan(&self) -> &Plan {
        &self.plan.0
    }

    /// Its units.
    #[must_use]
    pub fn units(&self) -> Range<u64> {
        self.units.clone()
    }

    /// What was counted in them.
    #[must_use]
    pub fn counts(&self) -> &Counts {
        &self.counts
    }

    /// Whether it is the whole plan.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.units == (0..self.plan.0.units())
    }

    /// SHA-256 of the plan, the units and every count, in hexadecimal digits.
    /// It is the same however the work was divided.
    #[must_use]
    pub fn digest(&self) -> String {
        let (Range { start, end }, plan) = (&self.units, canonical(&self.plan.0));
        let counts = self.counts.canonical();
        sha256(&format!(
            "{DOMAIN} {ENGINE_VERSION}\nplan {plan}\nunits {start} {end}\n{counts}"
        ))
    }

    /// The file.
    #[must_use]
    pub fn to_json(&self) -> String {
        let file = File {
            format_version: FORMAT_VERSION,
            kind: KIND.to_owned(),
            engine_version: ENGINE_VERSION,
            model_digest: model_digest(&self.plan.0),
            plan: self.plan.0.clone(),
            units: Units {
                first: self.units.start,
                end: self.units.end,
                of: self.plan.0.units(),
            },
            counts: CountsFile::from(&self.counts),
            digest: self.digest(),
        };
        let mut text = serde_json::to_string_pretty(&file).expect("plain data");
        text.push('\n');
        text
    }

    /// Reads a file.
    ///
    /// # Errors
    /// When it is not one that [`to_json`](Self::to_json) wrote.
    pub fn from_json(text: &str) -> Result<Self, PartError> {
        let version: Version =
            serde_json::from_str(text).map_err(|e| PartError::Malformed(e.to_string()))?;
        if version.kind != KIND {
            return Err(PartError::Kind(version.kind));
        }
        for (what, found, known) in [
            ("format version", version.format_version, FORMAT_VERSION),
            ("engine version", version.engine_version, ENGINE_VERSION),
        ] {
            if found != known {
                return Err(PartError::Version { what, found, known });
            }
        }
        let file: File =
            serde_json::from_str(text).map_err(|e| PartError::Malformed(e.to_string()))?;
        file.plan.check()?;
        let Units { first, end, of } = file.units;
        let all = file.plan.units();
        if first > end || end > all || of != all {
            return Err(PartError::Units {
                first,
                end,
                of,
                all,
            });
        }
        if model_digest(&file.plan) != file.model_digest {
            return Err(PartError::Digest {
                what: "model digest",
            });
        }
        let part = Self::new(file.plan, first..end, file.counts.read()?);
        if part.digest() != file.digest {
            return Err(PartError::Digest { what: "digest" });
        }
        part.check_counts()?;
        Ok(part)
    }

    fn check_counts(&self) -> Result<(), PartError> {
        let clusters = self.plan.0.clusters_of(&self.units);
        let wanted = clusters.end - clusters.start;
        if self.counts.clusters != wanted {
            return Err(PartError::Impossible(format!(
                "{} clusters in units that hold {wanted}",
                self.counts.clusters
            )));
        }
        let of = self.counts.pairs_of.keys().next_back();
        if of.is_some_and(|cluster| *cluster >= self.plan.0.clusters) {
            return Err(PartError::Impossible(
                "a cluster beyond the last".to_owned(),
            ));
        }
        match self.counts.inconsistency() {
            Some(what) => Err(PartError::Impossible(what.to_owned())),
            None => Ok(()),
        }
    }
}

/// Adds parts up to the whole. Each comes with a name for messages, such as its
/// file's.
///
/// # Errors
/// When they are not the parts of one run, each unit exactly once.
pub fn merge(parts: &[(String, Part)]) -> Result<Part, MergeError> {
    let [(name, first), others @ ..] = parts else {
        return Err(MergeError::Nothing);
    };
    for (other_name, other) in others {
        if other.plan != first.plan {
            return Err(MergeError::Mismatch {
                one: name.clone(),
                other: other_name.clone(),
                what: difference(&first.plan.0, &other.plan.0),
            });
        }
    }
    let plan = first.plan.0.clone();
    let mut sorted: Vec<_> = parts
        .iter()
        .filter(|(_, part)| !part.units.is_empty())
        .collect();
    sorted.sort_by_key(|(_, part)| (part.units.start, part.units.end));
    let overlaps: Vec<String> = sorted
        .windows(2)
        .filter(|pair| pair[1].1.units.start < pair[0].1.units.end)
        .map(|pair| {
            let [(one, a), (other, b)] = [pair[0], pair[1]];
            let last = a.units.end.min(b.units.end) - 1;
            format!(
                "{one} and {other} both have units {} to {last}",
                b.units.start
            )
        })
        .take(NAMED)
        .collect();
    if !overlaps.is_empty() {
        return Err(MergeError::Overlap(overlaps));
    }
    let all = plan.units();
    let mut at = 0;
    let mut gaps = Vec::new();
    let ranges = sorted.iter().map(|(_, part)| part.units.clone());
    for units in ranges.chain(std::iter::once(all..all)) {
        if at < units.start {
            gaps.push(at..units.start);
        }
        at = units.end;
    }
    if !gaps.is_empty() {
        let missing = gaps.iter().map(|gap| gap.end - gap.start).sum();
        let kind = shards_of(&plan, parts);
        let gaps = gaps.into_iter().take(NAMED).map(|units| Gap {
            clusters: plan.clusters_of(&units),
            shards: kind.map_or(Vec::new(), |of| shards_in(&plan, of, &units)),
            units,
        });
        return Err(MergeError::Gaps {
            gaps: gaps.collect(),
            missing,
            all,
        });
    }
    let mut counts = Counts::default();
    for (_, part) in parts {
        counts.add(&part.counts).map_err(|_| MergeError::Overflow)?;
    }
    Ok(Part::new(plan, 0..all, counts))
}

/// The smallest number of shards of which all parts are one.
fn shards_of(plan: &Plan, parts: &[(String, Part)]) -> Option<u64> {
    // More shards than units or some thousand pods are not looked for.
    (1..=plan.units().min(10_000)).find(|of| {
        parts
            .iter()
            .all(|(_, part)| part.units.is_empty() || shards_in(plan, *of, &part.units).len() == 1)
    })
}

/// The shards that together are these units exactly; none if there are none.
fn shards_in(plan: &Plan, of: u64, units: &Range<u64>) -> Vec<Shard> {
    // The first shard that ends behind the range's start.
    let scaled = u128::from(units.start) * u128::from(of) / u128::from(plan.units().max(1));
    let guess = u64::try_from(scaled).unwrap_or(0);
    let mut found = Vec::new();
    let mut at = units.start;
    for index in guess
        ..of.min(
            guess
                .saturating_add(2)
                .saturating_add(units.end - units.start),
        )
    {
        let Some(shard) = Shard::new(index, of) else {
            break;
        };
        let its = plan.shard_units(shard);
        if its.is_empty() || its.end <= units.start {
            continue;
        }
        if its.start != at || its.end > units.end {
            break;
        }
        found.push(shard);
        at = its.end;
        if at == units.end {
            return found;
        }
    }
    Vec::new()
}

fn difference(one: &Plan, other: &Plan) -> String {
    if one.seed != other.seed {
        format!("the seeds are {} and {}", one.seed, other.seed)
    } else if one.clusters != other.clusters {
        format!("they have {} and {} clusters", one.clusters, other.clusters)
    } else {
        let model = |plan: &Plan| serde_json::to_string(&plan.model).expect("plain data");
        format!("the models are {} and {}", model(one), model(other))
    }
}

fn canonical(plan: &Plan) -> String {
    serde_json::to_string(plan).expect("plain data")
}

fn model_digest(plan: &Plan) -> String {
    sha256(&serde_json::to_string(&plan.model).expect("plain data"))
}

fn sha256(text: &str) -> String {
    hex::encode(Sha256::digest(text.as_bytes()))
}

/// What is looked at first: other versions may differ in all else.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Version {
    format_version: u32,
    kind: String,
    engine_version: u32,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct File {
    format_version: u32,
    kind: String,
    engine_version: u32,
    model_digest: String,
    plan: Plan,
    units: Units,
    counts: CountsFile,
    digest: String,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Units {
    first: u64,
    end: u64,
    of: u64,
}

/// Numbers as text: they may be larger than what JSON's readers keep exactly.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct CountsFile {
    clusters: String,
    collided: String,
    pairs: String,
    squared_pairs: String,
    redraws: String,
    exhausted: String,
    groups: BTreeMap<String, String>,
    first: BTreeMap<String, String>,
    forced: BTreeMap<String, String>,
    rungs: BTreeMap<String, String>,
    pairs_of: BTreeMap<String, String>,
}

impl From<&Counts> for CountsFile {
    fn from(counts: &Counts) -> Self {
        Self {
            clusters: counts.clusters.to_string(),
            collided: counts.collided.to_string(),
            pairs: counts.pairs.to_string(),
            squared_pairs: counts.squared_pairs.to_string(),
            redraws: counts.redraws.to_string(),
            exhausted: counts.exhausted.to_string(),
            groups: as_text(&counts.groups),
            first: as_text(&counts.first),
            forced: as_text(&counts.forced),
            rungs: as_text(&counts.rungs),
            pairs_of: as_text(&counts.pairs_of),
        }
    }
}

impl CountsFile {
    fn read(&self) -> Result<Counts, PartError> {
        Ok(Counts {
            clusters: number(&self.clusters)?,
            collided: number(&self.collided)?,
            pairs: number(&self.pairs)?,
            squared_pairs: number(&self.squared_pairs)?,
            redraws: number(&self.redraws)?,
            exhausted: number(&self.exhausted)?,
            groups: from_text(&self.groups)?,
            first: from_text(&self.first)?,
            forced: from_text(&self.forced)?,
            rungs: from_text(&self.rungs)?,
            pairs_of: from_text(&self.pairs_of)?,
        })
    }
}

fn as_text<T: ToString>(numbers: &BTreeMap<u64, T>) -> BTreeMap<String, String> {
    let entries = numbers.iter();
    entries
        .map(|(k, v)| (k.to_string(), v.to_string()))
        .collect()
}

fn from_text<T: FromStr + ToString>(
    numbers: &BTreeMap<String, String>,
) -> Result<BTreeMap<u64, T>, PartError> {
    let entries = numbers.iter();
    entries.map(|(k, v)| Ok((number(k)?, number(v)?))).collect()
}

/// Only the spelling that was written: one number, one text.
fn number<T: FromStr + ToString>(text: &str) -> Result<T, PartError> {
    let malformed = || PartError::Malformed(format!("{text:?} is not a count"));
    let number: T = text.parse().map_err(|_| malformed())?;
    if number.to_string() == text {
        Ok(number)
    } else {
        Err(malformed())
    }
}
