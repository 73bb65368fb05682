//! Counts what a population came out as, disk by disk, in constant memory.

use crate::population::{Disk, Population};
use crate::spec::PREFIXES;
use crate::uuid::UuidKind;

/// Counts disks by prefix.
#[derive(Clone, Debug)]
pub struct Tally {
    /// Disks with each prefix, the chosen ones left out.
    others: Vec<u64>,
    /// Chosen disks with each prefix.
    chosen: Vec<u64>,
    collisions: u64,
    clones: u64,
    nodes: u64,
    exact: bool,
}

/// What a population came out as. A collision is a prefix that two or more disks share.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Summary {
    /// Nodes.
    pub nodes: u64,
    /// Disks.
    pub disks: u64,
    /// Collisions that were asked for.
    pub chosen: u64,
    /// Disks in them, as asked for.
    pub chosen_disks: u64,
    /// Collisions besides the chosen ones.
    pub accidental: u64,
    /// Disks in those.
    pub accidental_disks: u64,
    /// Disks that share the prefix of a chosen collision without having been chosen.
    pub joined: u64,
    /// Pairs of disks that share a prefix, chosen or not.
    pub pairs: u128,
    /// Disks whose whole UUID is copied from another disk, chosen ones left out.
    pub clones: u64,
    /// Whether accidental collisions were prevented.
    pub exact: bool,
}

impl Tally {
    /// Nothing counted yet.
    #[must_use]
    pub fn new(population: &Population) -> Self {
        let spec = population.spec();
        Self {
            others: vec![0; PREFIXES as usize],
            chosen: vec![0; PREFIXES as usize],
            collisions: population.collisions().count() as u64,
            clones: 0,
            nodes: spec.nodes,
            exact: population.is_exact(),
        }
    }

    /// Counts a disk.
    pub fn add(&mut self, disk: &Disk) {
        let counts = match disk.collision {
            Some(_) => &mut self.chosen,
            None => &mut self.others,
        };
        counts[usize::from(disk.prefix_number())] += 1;
        self.clones += u64::from(disk.collision.is_none() && disk.kind == UuidKind::Cloned);
    }

    /// What was counted so far.
    #[must_use]
    pub fn summary(&self) -> Summary {
        let mut summary = Summary {
            nodes: self.nodes,
            chosen: self.collisions,
            clones: self.clones,
            exact: self.exact,
            ..Summary::default()
        };
        for (&others, &chosen) in self.others.iter().zip(&self.chosen) {
            let all = others + chosen;
            summary.disks += all;
            summary.chosen_disks += chosen;
            summary.pairs += u128::from(all) * u128::from(all.saturating_sub(1)) / 2;
            if chosen > 0 {
                summary.joined += others;
            } else if others > 1 {
                summary.accidental += 1;
                summary.accidental_disks += others;
            }
        }
        summary
    }
}
