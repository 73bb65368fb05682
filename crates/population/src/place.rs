//! Chooses the disks of the wanted collisions, at random, each in one collision
//! at most. What is kept grows with the chosen disks, not with the population.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, HashSet};

use crate::spec::{Chosen, ChosenKind, Placement, Spec, SpecError};
use crate::stream::{Purpose, Stream};

/// So many random nodes are tried before the nodes are walked.
const GUESSES: u32 = 64;

/// One chosen collision.
#[derive(Clone, Debug)]
pub(crate) struct Group {
    pub(crate) kind: ChosenKind,
    /// Indices of its disks, ascending.
    pub(crate) disks: Vec<u64>,
}

/// The collisions, in the order in which they were asked for.
pub(crate) fn place(spec: &Spec) -> Result<Vec<Group>, SpecError> {
    // Collisions on one node need the most room in one place, so they go first;
    // then those that need many nodes; the rest fits anywhere. Within each, the
    // large ones first.
    let mut order: Vec<(usize, &Chosen)> = spec.collide.iter().enumerate().collect();
    order.sort_by_key(|(at, chosen)| {
        let rank = match chosen.placement {
            Placement::OneNode => 0,
            Placement::AcrossNodes => 1,
            Placement::Any => 2,
        };
        (rank, Reverse(chosen.size), *at)
    });
    let mut groups = attempt(spec, &order, false);
    if groups.is_err() {
        groups = attempt(spec, &order, true);
    }
    let mut groups = groups?;
    groups.sort_by_key(|(at, _)| *at);
    Ok(groups.into_iter().map(|(_, group)| group).collect())
}

/// One try. `frugal` takes the nodes with the most room for each collision
/// across nodes, which succeeds whenever that is possible at all (Gale–Ryser),
/// but is less random.
fn attempt(
    spec: &Spec,
    order: &[(usize, &Chosen)],
    frugal: bool,
) -> Result<Vec<(usize, Group)>, SpecError> {
    let mut room = Room::new(spec);
    let mut groups = Vec::new();
    for &(at, chosen) in order {
        for _ in 0..chosen.count {
            let disks = match chosen.placement {
                Placement::OneNode => room.on_one_node(chosen.size),
                Placement::AcrossNodes if frugal => room.on_roomiest_nodes(chosen.size),
                Placement::AcrossNodes => room.across_nodes(chosen.size),
                Placement::Any => Some(room.anywhere(chosen.size)),
            };
            let mut disks = disks.ok_or(SpecError::NoPlace(*chosen))?;
            disks.sort_unstable();
            let kind = chosen.kind;
            groups.push((at, Group { kind, disks }));
        }
    }
    Ok(groups)
}

/// Which disks are still free.
struct Room {
    nodes: u64,
    per_node: u64,
    /// Slots taken, for nodes that have any.
    taken: HashMap<u64, Vec<u64>>,
    /// Nodes by what is free, kept by [`Room::on_roomiest_nodes`] once it was asked.
    roomiest: Option<BinaryHeap<(u64, Reverse<u64>)>>,
    random: Stream,
}

impl Room {
    fn new(spec: &Spec) -> Self {
        Self {
            nodes: spec.nodes,
            per_node: spec.disks_per_node,
            taken: HashMap::new(),
            roomiest: None,
            random: Stream::new(spec.seed, Purpose::Placement),
        }
    }

    fn free(&self, node: u64) -> u64 {
        self.per_node - self.taken.get(&node).map_or(0, |slots| slots.len() as u64)
    }

    /// Takes a random free disk of a node that has one.
    fn take(&mut self, node: u64) -> u64 {
        let free = self.free(node);
        let mut slot = self.random.below(free);
        let taken = self.taken.entry(node).or_default();
        // The slot-th free one: `taken` is ascending.
        let mut at = 0;
        while at < taken.len() && taken[at] <= slot {
            slot += 1;
            at += 1;
        }
        taken.insert(at, slot);
        node * self.per_node + slot
    }

    /// A random node that fits. Only nodes that were touched can fail to, so the
    /// walk after the guesses is short unless there is no such node.
    fn node_where(&mut self, fits: impl Fn(&Self, u64) -> bool) -> Option<u64> {
        for _ in 0..GUESSES {
            let node = self.random.below(self.nodes);
            if fits(self, node) {
                return Some(node);
            }
        }
        let start = self.random.below(self.nodes);
        let touched = self.taken.len() as u64;
        (0..self.nodes.min(touched + 1))
            .map(|step| (start + step) % self.nodes)
            .find(|&node| fits(self, node))
    }

    fn on_one_node(&mut self, size: u64) -> Option<Vec<u64>> {
        if size > self.per_node {
            return None;
        }
        let node = self.node_where(|room, node| room.free(node) >= size)?;
        Some((0..size).map(|_| self.take(node)).collect())
    }

    fn across_nodes(&mut self, size: u64) -> Option<Vec<u64>> {
        if size > self.nodes {
            return None;
        }
        let mut used = HashSet::new();
        let mut disks = Vec::new();
        for _ in 0..size {
            let node =
                self.node_where(|room, node| !used.contains(&node) && room.free(node) > 0)?;
            used.insert(node);
            disks.push(self.take(node));
        }
        Some(disks)
    }

    /// Takes the nodes with the most room, from a heap that this function alone
    /// keeps. Only tried where the random way failed: then every node has been
    /// touched, and so there are no more nodes than chosen disks.
    fn on_roomiest_nodes(&mut self, size: u64) -> Option<Vec<u64>> {
        if size > self.nodes {
            return None;
        }
        let mut heap = match self.roomiest.take() {
            Some(heap) => heap,
            None => (0..self.nodes)
                .map(|node| (self.free(node), Reverse(node)))
                .collect(),
        };
        let nodes: Vec<_> = (0..size).filter_map(|_| heap.pop()).collect();
        if nodes.iter().any(|&(free, _)| free == 0) {
            return None;
        }
        heap.extend(nodes.iter().map(|&(free, node)| (free - 1, node)));
        self.roomiest = Some(heap);
        let disks = nodes.into_iter().map(|(_, Reverse(node))| self.take(node));
        Some(disks.collect())
    }

    /// The check of sums has shown that so many disks are free.
    fn anywhere(&mut self, size: u64) -> Vec<u64> {
        let disks = (0..size).map(|_| {
            let node = self
                .node_where(|room, node| room.free(node) > 0)
                .expect("fewer disks are chosen than there are");
            self.take(node)
        });
        disks.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn placed(nodes: u64, per_node: u64, collide: &[&str]) -> Result<Vec<Vec<u64>>, SpecError> {
        let collide = collide.iter().map(|c| c.parse().unwrap()).collect();
        let spec = Spec {
            collide,
            ..Spec::new(nodes, per_node, 1)
        };
        spec.check()?;
        let groups = place(&spec)?.into_iter().map(|g| g.disks);
        Ok(groups.collect())
    }

    #[test]
    fn disks_are_where_they_were_asked_for_and_used_once() {
        let groups = placed(20, 6, &["3", "2x4@node", "5x3@nodes", "1x20@nodes"]).unwrap();
        let sizes: Vec<usize> = groups.iter().map(Vec::len).collect();
        assert_eq!(sizes, [2, 2, 2, 4, 4, 3, 3, 3, 3, 3, 20]);
        let nodes = |at: usize| {
            let nodes: HashSet<u64> = groups[at].iter().map(|disk| disk / 6).collect();
            nodes.len()
        };
        assert!((3..5).all(|at| nodes(at) == 1));
        assert!((5..10).all(|at| nodes(at) == 3));
        assert_eq!(nodes(10), 20);
        let all: HashSet<u64> = groups.iter().flatten().copied().collect();
        assert_eq!(all.len(), sizes.iter().sum::<usize>());
        assert!(all.iter().all(|&disk| disk < 120));
    }

    #[test]
    fn every_disk_can_be_chosen() {
        // Three nodes of two disks, three pairs across: at random two disks of
        // one node are often left over.
        for (nodes, per_node, collide) in [
            (3, 2, "3@nodes"),
            (4, 3, "4x3@nodes"),
            (100, 1, "50"),
            (1, 1000, "250x4@node"),
            (1000, 2, "1000@nodes"),
        ] {
            let groups = placed(nodes, per_node, &[collide]).unwrap();
            let all: HashSet<u64> = groups.iter().flatten().copied().collect();
            assert_eq!(all.len() as u64, nodes * per_node, "{collide}");
        }
    }

    #[test]
    fn a_collision_without_a_place_is_an_error() {
        for (nodes, per_node, collide) in [
            (10, 1, "1@node"),
            (1, 10, "1@nodes"),
            (3, 4, "2x6@node"),
            (2, 4, "1x3@nodes"),
            (4, 3, "5@node"),
        ] {
            let chosen = collide.parse().unwrap();
            assert_eq!(
                placed(nodes, per_node, &[collide]),
                Err(SpecError::NoPlace(chosen)),
                "{collide}"
            );
        }
    }
}
