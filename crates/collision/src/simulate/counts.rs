//! What a simulation counts: integers only, so that adding up is exact in any
//! order.

use std::collections::BTreeMap;
use std::fmt::Write as _;

/// Counts by some number; private, so that the fields say what they are.
pub(super) type Histogram = BTreeMap<u64, u64>;

/// The counts of some units. Which of them are used depends on the model.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Clusters drawn.
    pub clusters: u64,
    /// Clusters with two disks of one name.
    pub collided: u64,
    /// Pairs of disks of one name, over all clusters.
    pub pairs: u128,
    /// Squares of the pairs of each cluster: for their variance.
    pub squared_pairs: u128,
    /// Groups of disks of one name, by size.
    pub groups: BTreeMap<u64, u64>,
    /// Clusters by the number of disks at the first collision.
    pub first: BTreeMap<u64, u64>,
    /// Clusters by the number of colliding pairs, where one pair is forced.
    pub forced: BTreeMap<u64, u64>,
    /// Pairs by the number of leading bits in which their names agree.
    pub rungs: BTreeMap<u64, u64>,
    /// Draws that the guard took back.
    pub redraws: u64,
    /// Disks that the guard found no free prefix for.
    pub exhausted: u64,
    /// Pairs by cluster, where a cluster is cut into several units and these
    /// must be known to belong together. Clusters without a pair are left out.
    pub pairs_of: BTreeMap<u64, u128>,
}

impl Counts {
    /// Adds other units' counts.
    ///
    /// # Errors
    /// When a number does not fit; the counts are then of no use. Honest ones
    /// always fit.
    pub(super) fn add(&mut self, other: &Self) -> Result<(), Overflow> {
        add_u64(&mut self.clusters, other.clusters)?;
        add_u64(&mut self.collided, other.collided)?;
        add_u128(&mut self.pairs, other.pairs)?;
        add_u128(&mut self.squared_pairs, other.squared_pairs)?;
        add_u64(&mut self.redraws, other.redraws)?;
        add_u64(&mut self.exhausted, other.exhausted)?;
        for (to, from) in [
            (&mut self.groups, &other.groups),
            (&mut self.first, &other.first),
            (&mut self.forced, &other.forced),
            (&mut self.rungs, &other.rungs),
        ] {
            for (key, count) in from {
                add_u64(to.entry(*key).or_default(), *count)?;
            }
        }
        for (cluster, pairs) in &other.pairs_of {
            add_u128(self.pairs_of.entry(*cluster).or_default(), *pairs)?;
        }
        Ok(())
    }

    /// Clusters with a collision, however they were counted.
    #[must_use]
    pub fn collided_clusters(&self) -> u64 {
        self.collided + self.pairs_of.len() as u64
    }

    /// Enters one whole cluster, by the sizes of its groups.
    pub(super) fn enter(&mut self, groups: &[u64]) {
        self.clusters += 1;
        self.collided += u64::from(!groups.is_empty());
        let pairs = self.enter_groups(groups);
        self.squared_pairs += pairs * pairs;
    }

    /// Enters groups, and answers how many pairs they are.
    pub(super) fn enter_groups(&mut self, groups: &[u64]) -> u128 {
        let mut pairs = 0;
        for &size in groups {
            pairs += pairs_in(size);
            *self.groups.entry(size).or_default() += 1;
        }
        self.pairs += pairs;
        pairs
    }

    /// Every number, one a line, in a fixed order.
    pub(super) fn canonical(&self) -> String {
        let mut out = String::new();
        let mut line = |name: &str, key: &str, value: &str| {
            writeln!(out, "{name} {key} {value}").expect("a String takes everything");
        };
        for (name, value) in self.scalars() {
            line(name, "-", &value.to_string());
        }
        for (name, histogram) in self.histograms() {
            for (key, value) in histogram {
                line(name, &key.to_string(), &value.to_string());
            }
        }
        for (key, value) in &self.pairs_of {
            line("pairsOf", &key.to_string(), &value.to_string());
        }
        out
    }

    pub(super) fn scalars(&self) -> [(&'static str, u128); 6] {
        [
            ("clusters", self.clusters.into()),
            ("collided", self.collided.into()),
            ("pairs", self.pairs),
            ("squaredPairs", self.squared_pairs),
            ("redraws", self.redraws.into()),
            ("exhausted", self.exhausted.into()),
        ]
    }

    pub(super) fn histograms(&self) -> [(&'static str, &Histogram); 4] {
        [
            ("groups", &self.groups),
            ("first", &self.first),
            ("forced", &self.forced),
            ("rungs", &self.rungs),
        ]
    }

    /// What any honest counts satisfy; the name of what is wrong otherwise.
    pub(super) fn inconsistency(&self) -> Option<&'static str> {
        let total =
            |histogram: &Histogram| -> u128 { histogram.values().map(|&v| u128::from(v)).sum() };
        let pairs = self.groups.iter().try_fold(0_u128, |sum, (size, count)| {
            sum.checked_add(pairs_in(*size).checked_mul((*count).into())?)
        });
        let of_clusters = self
            .pairs_of
            .values()
            .try_fold(0_u128, |sum, pairs| sum.checked_add(*pairs));
        if self.collided > self.clusters {
            Some("more clusters collided than were drawn")
        } else if self.groups.keys().any(|size| *size < 2) {
            Some("a group of fewer than two disks")
        } else if pairs != Some(self.pairs) {
            Some("the pairs are not those of the groups")
        } else if !self.pairs_of.is_empty() && of_clusters != Some(self.pairs) {
            Some("the pairs are not those of the clusters")
        } else if self.pairs > 0 && self.collided == 0 && self.pairs_of.is_empty() {
            Some("pairs, and no cluster that they are in")
        } else if !self.first.is_empty() && total(&self.first) != self.clusters.into() {
            Some("the first collisions are not one a cluster")
        } else if !self.forced.is_empty() && total(&self.forced) != self.clusters.into() {
            Some("the forced pairs are not one a cluster")
        } else {
            None
        }
    }
}

/// A sum that does not fit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Overflow;

fn add_u64(to: &mut u64, from: u64) -> Result<(), Overflow> {
    *to = to.checked_add(from).ok_or(Overflow)?;
    Ok(())
}

fn add_u128(to: &mut u128, from: u128) -> Result<(), Overflow> {
    *to = to.checked_add(from).ok_or(Overflow)?;
    Ok(())
}

/// Pairs in a group of so many.
pub(super) fn pairs_in(size: u64) -> u128 {
    let size = u128::from(size);
    size * size.saturating_sub(1) / 2
}
