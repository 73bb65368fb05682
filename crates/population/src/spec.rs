//! What a population should be: sizes, seed, kinds of UUIDs, and the collisions
//! that are wanted. Says what cannot be, before anything is drawn.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

use crate::uuid::{UuidKind, UuidMix};

/// The most disks of a population: a guard against a slip of the finger.
pub const MAX_DISKS: u64 = 1_000_000_000_000;
/// The most disks in chosen collisions, which are the only ones kept in memory.
pub const MAX_CHOSEN: u64 = 1 << 20;
/// There are so many prefixes: four hexadecimal digits.
pub(crate) const PREFIXES: u64 = 1 << 16;
/// So many prefixes are one digit four times.
const HAND_SET_PREFIXES: u64 = 16;

/// A population, described.
#[derive(Clone, Debug)]
pub struct Spec {
    /// Nodes.
    pub nodes: u64,
    /// Disks on each node.
    pub disks_per_node: u64,
    /// The same seed gives the same population.
    pub seed: u64,
    /// How the UUIDs of all disks outside of chosen collisions were made.
    pub uuids: UuidMix,
    /// The collisions that are wanted.
    pub collide: Vec<Chosen>,
    /// Whether there may be others.
    pub accidents: Accidents,
}

/// Collisions that nobody chose.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Accidents {
    /// Prevented if collisions are chosen and prefixes suffice; else as chance has it.
    #[default]
    Auto,
    /// As chance has it.
    Allowed,
    /// Prevented; where that cannot be, the population is refused.
    Prevented,
}

/// Some collisions of one kind. As text: `COUNT[xSIZE][@node|@nodes][=cloned|=hand-set]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Chosen {
    /// How many.
    pub count: u64,
    /// Disks in each.
    pub size: u64,
    /// Where they are.
    pub placement: Placement,
    /// What their UUIDs have in common.
    pub kind: ChosenKind,
}

/// Where the disks of a collision are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Placement {
    /// Anywhere.
    #[default]
    Any,
    /// On one node.
    OneNode,
    /// Each on a node of its own.
    AcrossNodes,
}

/// What the UUIDs of a collision have in common.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ChosenKind {
    /// The first four digits, any ones.
    #[default]
    Prefix,
    /// Everything.
    Cloned,
    /// The first four digits, one digit four times.
    HandSet,
}

impl FromStr for Chosen {
    type Err = SpecError;

    fn from_str(text: &str) -> Result<Self, SpecError> {
        let malformed = || SpecError::Chosen(text.to_owned());
        let (rest, kind) = match text.split_once('=') {
            None => (text, ChosenKind::Prefix),
            Some((rest, "cloned")) => (rest, ChosenKind::Cloned),
            Some((rest, "hand-set")) => (rest, ChosenKind::HandSet),
            Some(_) => return Err(malformed()),
        };
        let (rest, placement) = match rest.split_once('@') {
            None => (rest, Placement::Any),
            Some((rest, "node")) => (rest, Placement::OneNode),
            Some((rest, "nodes")) => (rest, Placement::AcrossNodes),
            Some(_) => return Err(malformed()),
        };
        let (count, size) = rest.split_once('x').unwrap_or((rest, "2"));
        let number = |word: &str| word.parse::<u64>().map_err(|_| malformed());
        let chosen = Self {
            count: number(count)?,
            size: number(size)?,
            placement,
            kind,
        };
        if chosen.size < 2 {
            return Err(SpecError::TooFewToCollide(chosen.size));
        }
        Ok(chosen)
    }
}

impl fmt::Display for Chosen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}x{}", self.count, self.size)?;
        f.write_str(match self.placement {
            Placement::Any => "",
            Placement::OneNode => "@node",
            Placement::AcrossNodes => "@nodes",
        })?;
        f.write_str(match self.kind {
            ChosenKind::Prefix => "",
            ChosenKind::Cloned => "=cloned",
            ChosenKind::HandSet => "=hand-set",
        })
    }
}

/// Why there is no such population. All of them mean: ask for something else.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum SpecError {
    /// A word that is no kind of UUID.
    #[error("{0:?} is no kind of UUID; there are v4, v1, v7, cloned and hand-set")]
    UuidKind(String),
    /// A share that is no number, or shares that are all 0.
    #[error("{0:?} does not say how many of each kind; expected one like v4=97,cloned=3")]
    Share(String),
    /// A kind is named twice.
    #[error("{0} is named twice")]
    KindTwice(UuidKind),
    /// A description of collisions that cannot be read.
    #[error(
        "{0:?} does not describe collisions; expected COUNT[xSIZE][@node|@nodes][=cloned|=hand-set], such as 3, 2x5 or 1x3@node"
    )]
    Chosen(String),
    /// A collision of fewer than two disks.
    #[error("a collision takes two disks or more, not {0}")]
    TooFewToCollide(u64),
    /// More disks than a population may have.
    #[error("more than {MAX_DISKS} disks")]
    TooManyDisks,
    /// More disks in collisions than there are, or than are kept in memory.
    #[error("the collisions take {wanted} disks, and there are {there}")]
    TooManyChosen {
        /// In all collisions together.
        wanted: u128,
        /// In the population, or the most that can be chosen.
        there: u64,
    },
    /// More collisions than prefixes.
    #[error("{0} collisions, but there are only 65536 prefixes to tell them apart")]
    TooManyCollisions(u128),
    /// More hand-set collisions than digits.
    #[error("{0} hand-set collisions, but there are only 16 digits")]
    TooManyHandSet(u128),
    /// A collision finds no place.
    #[error("there are not enough nodes or disks per node to place {0}")]
    NoPlace(Chosen),
    /// The prefixes do not suffice to keep all others apart.
    #[error(
        "{needed} disks and collisions cannot all differ in four digits: there are 65536 prefixes"
    )]
    CannotPrevent {
        /// Prefixes needed.
        needed: u64,
    },
    /// A kind of UUID whose prefixes cannot be told to differ.
    #[error(
        "accidental collisions cannot be kept out of UUIDs of kind {0}, whose first digits are not free"
    )]
    NotFree(UuidKind),
}

impl Spec {
    /// Random UUIDs, no chosen collision.
    #[must_use]
    pub fn new(nodes: u64, disks_per_node: u64, seed: u64) -> Self {
        Self {
            nodes,
            disks_per_node,
            seed,
            uuids: UuidMix::default(),
            collide: Vec::new(),
            accidents: Accidents::default(),
        }
    }

    /// All disks.
    ///
    /// # Errors
    /// When there are more than [`MAX_DISKS`].
    pub fn disks(&self) -> Result<u64, SpecError> {
        let disks = self.nodes.checked_mul(self.disks_per_node);
        // Nodes are counted too: without disks they still take a line each.
        disks
            .filter(|&disks| disks.max(self.nodes) <= MAX_DISKS)
            .ok_or(SpecError::TooManyDisks)
    }

    /// Checks everything but places, and says whether accidents are prevented.
    pub(crate) fn check(&self) -> Result<bool, SpecError> {
        let disks = self.disks()?;
        let sum =
            |of: fn(&Chosen) -> u128| self.collide.iter().map(of).fold(0, u128::saturating_add);
        let collisions = sum(|c| c.count.into());
        let chosen = sum(|c| u128::from(c.count) * u128::from(c.size));
        let hand_set = sum(|c| match c.kind {
            ChosenKind::HandSet => c.count.into(),
            ChosenKind::Prefix | ChosenKind::Cloned => 0,
        });
        let most = disks.min(MAX_CHOSEN);
        if chosen > most.into() {
            return Err(SpecError::TooManyChosen {
                wanted: chosen,
                there: most,
            });
        }
        if collisions > PREFIXES.into() {
            return Err(SpecError::TooManyCollisions(collisions));
        }
        if hand_set > HAND_SET_PREFIXES.into() {
            return Err(SpecError::TooManyHandSet(hand_set));
        }
        let needed = disks - chosen as u64 + collisions as u64;
        let bound = self.uuids.kinds().find(|kind| !kind.has_free_prefix());
        let obstacle = match bound {
            // Nobody is left whose UUID could collide.
            _ if disks == chosen as u64 => None,
            Some(kind) => Some(SpecError::NotFree(kind)),
            None if needed > PREFIXES => Some(SpecError::CannotPrevent { needed }),
            None => None,
        };
        match (self.accidents, obstacle) {
            (Accidents::Prevented, Some(obstacle)) => Err(obstacle),
            (Accidents::Prevented, None) => Ok(true),
            (Accidents::Auto, obstacle) => Ok(collisions > 0 && obstacle.is_none()),
            (Accidents::Allowed, _) => Ok(false),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn collisions_are_read_and_written() {
        for (text, written) in [
            ("3", "3x2"),
            ("2x5", "2x5"),
            ("1x3@node", "1x3@node"),
            ("4@nodes", "4x2@nodes"),
            ("1=cloned", "1x2=cloned"),
            ("2x3@node=hand-set", "2x3@node=hand-set"),
            ("0", "0x2"),
        ] {
            assert_eq!(text.parse::<Chosen>().unwrap().to_string(), written);
        }
        for wrong in [
            "", "x", "x2", "-1", "1x", "1x1", "1x0", "1@", "1@disk", "1=v4", "1.5", "3 ",
        ] {
            assert!(wrong.parse::<Chosen>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn what_cannot_be_is_said() {
        let spec = |nodes, disks, collide: &[&str], accidents| Spec {
            collide: collide.iter().map(|c| c.parse().unwrap()).collect(),
            accidents,
            ..Spec::new(nodes, disks, 1)
        };
        let auto = Accidents::Auto;
        assert_eq!(spec(10, 3, &["5"], auto).check(), Ok(true));
        assert_eq!(spec(10, 3, &[], auto).check(), Ok(false));
        assert_eq!(spec(1_000_000, 1, &["5"], auto).check(), Ok(false));
        // 65,538 disks, two of which share one prefix, and 65,536 prefixes: one too many.
        assert_eq!(
            spec(65_537, 1, &["1"], Accidents::Prevented).check(),
            Ok(true)
        );
        assert_eq!(
            spec(65_538, 1, &["1"], Accidents::Prevented).check(),
            Err(SpecError::CannotPrevent { needed: 65_537 })
        );
        assert_eq!(
            spec(10, 3, &["16"], auto).check(),
            Err(SpecError::TooManyChosen {
                wanted: 32,
                there: 30
            })
        );
        let huge = "18446744073709551615x18446744073709551615";
        for collide in [&[huge][..], &[huge, huge]] {
            assert!(matches!(
                spec(10, 3, collide, auto).check(),
                Err(SpecError::TooManyChosen { .. })
            ));
        }
        assert_eq!(
            spec(1 << 19, 1, &["70000"], auto).check(),
            Err(SpecError::TooManyCollisions(70_000))
        );
        assert_eq!(
            spec(100, 1, &["17=hand-set"], auto).check(),
            Err(SpecError::TooManyHandSet(17))
        );
        assert_eq!(
            spec(u64::MAX, 2, &[], auto).check(),
            Err(SpecError::TooManyDisks)
        );
        assert_eq!(
            spec(u64::MAX, 0, &[], auto).check(),
            Err(SpecError::TooManyDisks)
        );
        let mut clocks = spec(10, 3, &["1"], Accidents::Prevented);
        clocks.uuids = UuidMix::of(UuidKind::V7);
        assert_eq!(clocks.check(), Err(SpecError::NotFree(UuidKind::V7)));
        clocks.accidents = auto;
        assert_eq!(clocks.check(), Ok(false));
    }
}
