//! What is simulated, and how it is cut into units.

use std::ops::Range;
use std::str::FromStr;

use fixname_planes::MOST_CLUSTERS;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::{tree, uniform};

/// Leading bits at which a ladder counts.
pub const RUNGS: [u32; 9] = [24, 28, 32, 36, 40, 44, 48, 52, 56];

/// A unit has at most so many clusters.
const UNIT_CLUSTERS: u64 = 1 << 16;
/// A unit draws about so many disks in the quickest kernel, if it has more than
/// one cluster: some hundredths of a second.
const UNIT_DISKS: u64 = 1 << 26;
/// The most disks that one cluster of a tree can have: splitting more takes
/// longer than a day.
const MOST_DISKS: u64 = 1 << 40;
/// The most disks whose keys are held in memory at once.
const MOST_IN_MEMORY: u64 = 1 << 24;
/// The most names that are hashed for one cluster.
const MOST_NAMES: u64 = 1 << 33;
/// A prefix has so many bits, where the model is about prefixes.
const PREFIX_BITS: u64 = 16;

/// One way to give disks their names.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(
    tag = "kind",
    rename_all = "kebab-case",
    rename_all_fields = "camelCase",
    deny_unknown_fields
)]
#[non_exhaustive]
pub enum Model {
    /// Names are the first random bits of a version 4 UUID (more than 122:
    /// of a longer random string).
    Uniform {
        /// How many bits.
        bits: u16,
        /// Disks in each cluster.
        disks: u64,
    },
    /// As `Uniform`, for every number of disks at once: disks join until the
    /// first collision.
    FirstCollision {
        /// How many bits, up to 16.
        bits: u16,
    },
    /// Prefixes of 16 bits and Longhorn's guard. The unguarded disks come
    /// first, then the guarded ones, then the block disks, which no guard sees.
    Guarded {
        /// Disks made before the guard.
        unguarded: u64,
        /// Disks made with it.
        guarded: u64,
        /// So many guarded disks join at once: none of them sees the others.
        at_once: u64,
        /// Block disks, made last.
        block: u64,
    },
    /// UUIDs that are not uniform.
    Skewed {
        /// How many bits, up to 64.
        bits: u16,
        /// Disks in each cluster.
        disks: u64,
        /// In which way.
        skew: Skew,
    },
    /// Names that are really hashed: image and UUID as text.
    Names {
        /// The hash function.
        hash: Hash,
        /// Hexadecimal digits of it that the name keeps.
        digits: u8,
        /// The manager image.
        image: String,
        /// Disks in each cluster.
        disks: u64,
    },
    /// One pair of disks is made equal and the others are drawn (Karp and
    /// Luby): serves probabilities that no simulation would meet.
    ForcedPair {
        /// How many bits.
        bits: u16,
        /// Disks in each cluster.
        disks: u64,
    },
    /// Pairs of really hashed names that agree in their first 24, 28, ... 56
    /// bits.
    Ladder {
        /// The hash function.
        hash: Hash,
        /// The manager image.
        image: String,
        /// Names in each population.
        disks: u64,
    },
}

/// A way in which UUIDs are not uniform.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(
    tag = "kind",
    rename_all = "kebab-case",
    rename_all_fields = "camelCase",
    deny_unknown_fields
)]
#[non_exhaustive]
pub enum Skew {
    /// A share of the disks has one fixed prefix, as hand-edited ones have.
    Spike {
        /// Between 0 and 1.
        share: f64,
    },
    /// Each disk after the first is a copy of an earlier one with this chance,
    /// as in a cluster of cloned machines (longhorn#9586).
    Cloned {
        /// Between 0 and 1.
        share: f64,
    },
    /// UUIDs of version 7: the first 16 bits are a clock that steps every 49.7
    /// days. All disks were made within this time.
    V7 {
        /// In milliseconds.
        within_ms: u64,
    },
    /// UUIDs of version 1: the first 16 bits are a clock that steps every 6.55
    /// milliseconds and starts again after 429 seconds.
    V1 {
        /// In milliseconds.
        within_ms: u64,
    },
}

/// A hash function of a release.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Hash {
    /// Longhorn v1.10.2 and later.
    Sha224,
    /// Longhorn v1.9.2 to v1.10.1.
    Sha256,
}

impl Hash {
    /// Hexadecimal digits of the whole hash.
    #[must_use]
    pub const fn digits(self) -> u8 {
        match self {
            Self::Sha224 => 56,
            Self::Sha256 => 64,
        }
    }
}

/// What is simulated: the result is a function of this and nothing else.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Plan {
    /// How names come about.
    pub model: Model,
    /// How many clusters are drawn.
    pub clusters: u64,
    /// Where the random numbers come from.
    pub seed: u64,
}

/// A plan that cannot be run.
#[derive(Clone, Debug, PartialEq, Error)]
#[non_exhaustive]
pub enum PlanError {
    /// Not a number of bits that the model takes.
    #[error("{given} bits is out of range here; expected 1 to {most}")]
    Bits {
        /// As given.
        given: u16,
        /// The limit.
        most: u16,
    },
    /// Too many of something.
    #[error("{what} is too large to be simulated: {given}, at most {most}")]
    TooLarge {
        /// Of what.
        what: &'static str,
        /// As given.
        given: u64,
        /// The limit.
        most: u64,
    },
    /// Too few of something.
    #[error("{what} must be at least {least}, and is {given}")]
    TooSmall {
        /// Of what.
        what: &'static str,
        /// As given.
        given: u64,
        /// The limit.
        least: u64,
    },
    /// Not a number between 0 and 1.
    #[error("{0} is not a share; expected a number from 0 to 1")]
    NotAShare(f64),
    /// Not a part of a run.
    #[error("{0:?} is not a shard; expected I/N with I from 0 to N-1, like 0/3")]
    Shard(String),
}

fn at_most(what: &'static str, given: u64, most: u64) -> Result<(), PlanError> {
    if given > most {
        return Err(PlanError::TooLarge { what, given, most });
    }
    Ok(())
}

fn at_least(what: &'static str, given: u64, least: u64) -> Result<(), PlanError> {
    if given < least {
        return Err(PlanError::TooSmall { what, given, least });
    }
    Ok(())
}

fn bits_up_to(given: u16, most: u16) -> Result<(), PlanError> {
    if (1..=most).contains(&given) {
        Ok(())
    } else {
        Err(PlanError::Bits { given, most })
    }
}

impl Model {
    /// Disks in each cluster; 0 where the model is about every number.
    #[must_use]
    pub fn disks(&self) -> u64 {
        match self {
            Self::FirstCollision { .. } => 0,
            Self::Uniform { disks, .. }
            | Self::Skewed { disks, .. }
            | Self::Names { disks, .. }
            | Self::ForcedPair { disks, .. }
            | Self::Ladder { disks, .. } => *disks,
            Self::Guarded {
                unguarded,
                guarded,
                block,
                ..
            } => unguarded.saturating_add(*guarded).saturating_add(*block),
        }
    }

    fn check(&self) -> Result<(), PlanError> {
        let disks = self.disks();
        match self {
            Self::Uniform { bits, .. } => {
                bits_up_to(*bits, 256)?;
                at_most("the number of disks", disks, MOST_DISKS)
            }
            Self::FirstCollision { bits } => bits_up_to(*bits, PREFIX_BITS as u16),
            Self::Guarded { at_once, .. } => {
                at_least("the number of disks that join at once", *at_once, 1)?;
                at_most("the number of disks", disks, MOST_IN_MEMORY)
            }
            Self::Skewed { bits, skew, .. } => {
                match skew {
                    Skew::Spike { share } | Skew::Cloned { share } => {
                        bits_up_to(*bits, 64)?;
                        if !(0.0..=1.0).contains(share) {
                            return Err(PlanError::NotAShare(*share));
                        }
                    }
                    Skew::V7 { within_ms } | Skew::V1 { within_ms } => {
                        bits_up_to(*bits, PREFIX_BITS as u16)?;
                        at_least("the number of bits of a clock", (*bits).into(), PREFIX_BITS)?;
                        // A century.
                        at_most(
                            "the time in milliseconds",
                            *within_ms,
                            100 * 366 * 86_400_000,
                        )?;
                    }
                }
                at_most("the number of disks", disks, MOST_IN_MEMORY)
            }
            Self::Names {
                hash,
                digits,
                image,
                ..
            } => {
                at_least("the number of digits", (*digits).into(), 1)?;
                at_most(
                    "the number of digits",
                    (*digits).into(),
                    hash.digits().into(),
                )?;
                at_most("the length of the image's name", image.len() as u64, 4096)?;
                at_most("the number of disks", disks, MOST_NAMES)
            }
            Self::ForcedPair { bits, .. } => {
                bits_up_to(*bits, 256)?;
                at_least("the number of disks", disks, 2)?;
                at_most("the number of disks", disks, MOST_IN_MEMORY)
            }
            Self::Ladder { image, .. } => {
                at_most("the length of the image's name", image.len() as u64, 4096)?;
                at_most("the number of names", disks, MOST_NAMES)
            }
        }
    }

    /// How many units one cluster is cut into, as a power of two, if its disks
    /// are drawn in the order of their keys.
    pub(super) fn subtree_bits(&self) -> Option<u32> {
        match self {
            Self::Uniform { bits, disks } if *disks > uniform::MOST_DISKS => {
                Some(tree::subtree_bits(*bits, *disks))
            }
            _ => None,
        }
    }

    /// Clusters in one unit, a power of two.
    fn unit_clusters(&self) -> u64 {
        // About how much longer a disk takes than in the quickest kernel.
        let weight = match self {
            Self::Uniform { bits, .. } if *bits > PREFIX_BITS as u16 => 8,
            Self::Uniform { .. } | Self::FirstCollision { .. } => 1,
            Self::Guarded { .. } | Self::ForcedPair { .. } => 16,
            Self::Skewed { .. } | Self::Names { .. } | Self::Ladder { .. } => 64,
        };
        let disks = self.disks().max(1).saturating_mul(weight);
        let fitting = (UNIT_DISKS / disks).max(1);
        (1 << fitting.ilog2()).min(UNIT_CLUSTERS)
    }
}

impl Plan {
    /// A plan that can be run.
    ///
    /// # Errors
    /// When a number is out of range.
    pub fn new(model: Model, clusters: u64, seed: u64) -> Result<Self, PlanError> {
        let plan = Self {
            model,
            clusters,
            seed,
        };
        plan.check()?;
        Ok(plan)
    }

    /// For a plan that was read from somewhere.
    pub(super) fn check(&self) -> Result<(), PlanError> {
        at_least("the number of clusters", self.clusters, 1)?;
        at_most("the number of clusters", self.clusters, MOST_CLUSTERS >> 1)?;
        self.model.check()?;
        if self.model.subtree_bits().is_some() {
            at_most("the number of clusters", self.clusters, 1 << 40)?;
        }
        Ok(())
    }

    /// Into how many units the plan is cut.
    #[must_use]
    pub fn units(&self) -> u64 {
        match self.model.subtree_bits() {
            None => self.clusters.div_ceil(self.model.unit_clusters()),
            Some(bits) => self.clusters << bits,
        }
    }

    /// The units of one of so many shards of about equal size.
    #[must_use]
    pub fn shard_units(&self, shard: Shard) -> Range<u64> {
        let cut = |at: u64| {
            let exact = u128::from(self.units()) * u128::from(at) / u128::from(shard.of);
            u64::try_from(exact).expect("at is at most `of`, so this is at most the units")
        };
        cut(shard.index)..cut(shard.index + 1)
    }

    /// How large the file of a part with these units gets, about and rather too
    /// large: what it holds grows with the clusters only where these are cut
    /// into units.
    #[must_use]
    pub fn part_bytes(&self, units: &Range<u64>) -> u64 {
        /// All but the counts.
        const FRAME: u64 = 2048;
        /// `"12345678901": "12345678",` and its line.
        const ENTRY: u64 = 48;
        let disks = self.model.disks() as f64;
        // A group's size, or a cluster's pairs, stays within so many standard
        // deviations of a mean.
        let around = |mean: f64| 20.0 * mean.sqrt() + 40.0;
        let names = |bits: u16| f64::from(bits).exp2();
        let entries = match &self.model {
            Model::Uniform { bits, .. } => around(disks / names(*bits)),
            Model::FirstCollision { bits } => (12.0 * names(*bits).sqrt()).min(names(*bits) + 1.0),
            Model::Guarded { .. } => around(disks / names(PREFIX_BITS as u16)),
            // One name may have most disks.
            Model::Skewed { .. } => around(disks),
            Model::Names { digits, .. } => around(disks / names(4 * u16::from(*digits))),
            Model::ForcedPair { bits, .. } => {
                around(disks * disks / 2.0 / names(*bits)).min(self.clusters as f64)
            }
            Model::Ladder { .. } => 256.0,
        };
        let clusters = match self.model.subtree_bits() {
            None => 0,
            Some(bits) => ((units.end - units.start) >> bits) + 2,
        };
        let image = match &self.model {
            Model::Names { image, .. } | Model::Ladder { image, .. } => image.len() as u64,
            _ => 0,
        };
        (entries as u64)
            .saturating_add(clusters)
            .saturating_mul(ENTRY)
            .saturating_add(FRAME + 6 * image)
    }

    /// The clusters that the units touch.
    #[must_use]
    pub fn clusters_of(&self, units: &Range<u64>) -> Range<u64> {
        let per_unit = self.model.unit_clusters();
        match self.model.subtree_bits() {
            None => {
                let at = |unit: u64| unit.saturating_mul(per_unit).min(self.clusters);
                at(units.start)..at(units.end)
            }
            // A cluster counts where its first subtree is.
            Some(bits) => {
                let at = |unit: u64| unit.div_ceil(1 << bits);
                at(units.start)..at(units.end)
            }
        }
    }
}

/// One of several parts of about equal size, counted from 0 as Kubernetes
/// counts the pods of an indexed Job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shard {
    index: u64,
    of: u64,
}

impl Shard {
    /// All of it.
    pub const WHOLE: Self = Self { index: 0, of: 1 };

    /// `None` unless `index` is below `of`.
    #[must_use]
    pub const fn new(index: u64, of: u64) -> Option<Self> {
        if index < of {
            Some(Self { index, of })
        } else {
            None
        }
    }

    /// Which one, from 0.
    #[must_use]
    pub const fn index(self) -> u64 {
        self.index
    }

    /// Of how many.
    #[must_use]
    pub const fn of(self) -> u64 {
        self.of
    }
}

impl FromStr for Shard {
    type Err = PlanError;

    fn from_str(text: &str) -> Result<Self, PlanError> {
        text.split_once('/')
            .and_then(|(index, of)| Self::new(index.parse().ok()?, of.parse().ok()?))
            .ok_or_else(|| PlanError::Shard(text.to_owned()))
    }
}

impl std::fmt::Display for Shard {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.index, self.of)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(bits: u16, disks: u64, clusters: u64) -> Plan {
        Plan::new(Model::Uniform { bits, disks }, clusters, 1).unwrap()
    }

    #[test]
    fn shards_cover_every_unit_once() {
        for plan in [
            plan(16, 302, 10_000_000),
            plan(64, 1 << 30, 3),
            plan(16, 2, 1),
        ] {
            for of in [1, 2, 3, 17, 1000] {
                let mut at = 0;
                for index in 0..of {
                    let units = plan.shard_units(Shard::new(index, of).unwrap());
                    assert_eq!(units.start, at);
                    at = units.end;
                }
                assert_eq!(at, plan.units());
            }
            assert_eq!(plan.clusters_of(&(0..plan.units())), 0..plan.clusters);
        }
    }

    #[test]
    fn numbers_out_of_range_are_named() {
        let error = |model, clusters| Plan::new(model, clusters, 1).unwrap_err().to_string();
        let uniform = |bits, disks| Model::Uniform { bits, disks };
        assert!(error(uniform(0, 1), 1).contains("0 bits"));
        assert!(error(uniform(257, 1), 1).contains("257 bits"));
        assert!(error(uniform(16, u64::MAX), 1).contains("number of disks"));
        assert!(error(uniform(16, 1), 0).contains("number of clusters"));
        assert!(error(uniform(16, 1), u64::MAX).contains("number of clusters"));
        assert!(error(Model::FirstCollision { bits: 17 }, 1).contains("1 to 16"));
        for share in [f64::NAN, -0.1, 1.1] {
            let skew = Skew::Spike { share };
            let model = Model::Skewed {
                bits: 16,
                disks: 2,
                skew,
            };
            assert!(error(model, 1).contains("share"));
        }
        for text in [
            "",
            "1",
            "3/3",
            "-1/3",
            "a/b",
            "0/0",
            "0/3/4",
            "18446744073709551616/2",
        ] {
            assert!(text.parse::<Shard>().is_err(), "{text}");
        }
        assert_eq!("2/3".parse(), Ok(Shard { index: 2, of: 3 }));
    }
}
