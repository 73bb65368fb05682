//! The answers as data: what `-o json` prints, and how each is computed.

pub(super) mod uneven;

use fixname_collision::exact::fleet::{self, Clusters};
use fixname_collision::exact::guard::{self, Joins};
use fixname_collision::exact::{Probability, p_any_with_images};
use fixname_collision::simulate::Skew;
use fixname_collision::{Birthday, Classes, ExactError, GroupOdds, Target, disks_for};
use fixname_naming::Scheme;
use serde::Serialize;

use crate::exit::Failure;
use uneven::Uneven;

/// What is asked about each number of disks beside the plain odds.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Extras {
    pub(super) clusters: Option<u64>,
    pub(super) at_least: Option<u64>,
    pub(super) images: Option<u64>,
    pub(super) guard: Option<Guarded>,
    pub(super) skew: Option<Skew>,
}

/// Who joins a cluster with the guard.
#[derive(Clone, Copy, Debug)]
pub(super) struct Guarded {
    pub(super) from: u64,
    pub(super) at_once: u64,
    pub(super) block: u64,
}

#[derive(Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Odds {
    pub(super) disks: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) scheme: Option<String>,
    pub(super) bits: u16,
    pub(super) probability: f64,
    pub(super) log10_probability: f64,
    pub(super) expected_pairs: f64,
    pub(super) expected_colliding_disks: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) fleet: Option<Fleet>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) group: Option<Group>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) with_images: Option<WithImages>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) guard: Option<Guard>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) uneven: Option<Uneven>,
}

#[derive(Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Chance {
    pub(super) probability: f64,
    pub(super) log10_probability: f64,
}

impl From<Probability> for Chance {
    fn from(p: Probability) -> Self {
        Self {
            probability: p.value,
            log10_probability: p.log10,
        }
    }
}

/// So many such clusters.
#[derive(Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Fleet {
    pub(super) clusters: u64,
    /// That any of them has a collision.
    #[serde(flatten)]
    pub(super) chance: Chance,
    pub(super) expected_clusters: f64,
}

/// A group of disks with one name.
#[derive(Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Group {
    pub(super) at_least: u64,
    #[serde(flatten)]
    pub(super) chance: Known,
}

#[derive(Clone, Serialize)]
#[serde(untagged)]
pub(super) enum Known {
    Exactly(Chance),
    /// The exact way would take too long, but these are proved bounds.
    Between {
        low: Chance,
        high: Chance,
    },
}

/// Several manager images.
#[derive(Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct WithImages {
    pub(super) images: u64,
    /// That any two names are equal.
    #[serde(flatten)]
    pub(super) chance: Chance,
}

/// A cluster with the prefix guard.
#[derive(Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Guard {
    pub(super) unguarded: u64,
    pub(super) guarded: u64,
    pub(super) at_once: u64,
    pub(super) block_disks: u64,
    #[serde(flatten)]
    pub(super) chance: Chance,
}

#[derive(Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Inverse {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) scheme: Option<String>,
    pub(super) bits: u16,
    pub(super) probability: String,
    /// A number, or digits as text where it is larger than programs read exactly.
    pub(super) disks_for: serde_json::Value,
}

pub(super) fn classes(bits: u16) -> Result<Classes, Failure> {
    Classes::new(bits).map_err(wrong)
}

fn wrong(error: impl Into<ExactError>) -> Failure {
    Failure::usage(error.into().to_string(), "fixname odds --help")
}

pub(super) fn odds(
    disks: u128,
    scheme: Option<Scheme>,
    bits: u16,
    extras: &Extras,
) -> Result<Odds, Failure> {
    let classes = classes(bits)?;
    let birthday = Birthday::new(classes, disks);
    let any = birthday.p_any();
    let disks = u64::try_from(disks).expect("10^18 fits in 64 bits");
    Ok(Odds {
        disks,
        scheme: scheme.map(|s| s.id().into_owned()),
        bits,
        probability: any.value,
        log10_probability: any.log10,
        expected_pairs: birthday.expected_pairs(),
        expected_colliding_disks: birthday.expected_colliding_disks(),
        fleet: extras.clusters.map(|count| fleet_of(classes, disks, count)),
        group: extras
            .at_least
            .map(|size| group_of(birthday, size))
            .transpose()?,
        with_images: extras.images.map(|images| WithImages {
            images,
            chance: p_any_with_images(classes, disks.into(), images.into()).into(),
        }),
        guard: extras
            .guard
            .map(|guarded| guard_of(classes, disks, guarded))
            .transpose()?,
        uneven: extras
            .skew
            .map(|skew| uneven::answer(classes, disks, skew))
            .transpose()
            .map_err(wrong)?,
    })
}

fn fleet_of(classes: Classes, disks: u64, count: u64) -> Fleet {
    let fleet = [Clusters {
        count,
        disks: disks.into(),
    }];
    Fleet {
        clusters: count,
        chance: fleet::p_any(classes, &fleet).into(),
        expected_clusters: fleet::expected_clusters(classes, &fleet),
    }
}

fn group_of(birthday: Birthday, size: u64) -> Result<Group, Failure> {
    let odds = birthday.p_group_of_at_least(size.into()).map_err(wrong)?;
    Ok(Group {
        at_least: size,
        chance: match odds {
            GroupOdds::Exact(p) => Known::Exactly(p.into()),
            GroupOdds::Between { low, high } => Known::Between {
                low: low.into(),
                high: high.into(),
            },
        },
    })
}

/// A guard that comes after the last disk is no guard.
fn guard_of(classes: Classes, disks: u64, guarded: Guarded) -> Result<Guard, Failure> {
    let Some(filesystem) = disks.checked_sub(guarded.block) else {
        return Err(Failure::usage(
            format!(
                "{} block disks are more than all {disks} disks",
                guarded.block
            ),
            "fixname odds --help",
        ));
    };
    let unguarded = guarded.from.min(filesystem);
    let joins = Joins {
        unguarded,
        guarded: filesystem - unguarded,
        at_once: guarded.at_once,
        block: guarded.block,
    };
    Ok(Guard {
        unguarded,
        guarded: joins.guarded,
        at_once: guarded.at_once,
        block_disks: guarded.block,
        chance: guard::p_any(classes, joins).map_err(wrong)?.into(),
    })
}

pub(super) fn inverse(
    target: &Target,
    scheme: Option<Scheme>,
    bits: u16,
) -> Result<Inverse, Failure> {
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
