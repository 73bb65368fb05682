//! The population itself: every disk computed from its index. Kept are only the
//! chosen disks and the order of the prefixes.

use std::collections::HashMap;
use std::fmt::Write as _;

use crate::place::{Group, place};
use crate::spec::{ChosenKind, PREFIXES, Spec, SpecError};
use crate::stream::{Purpose, Stream, scaled};
use crate::tally::{Summary, Tally};
use crate::uuid::{self, UuidKind};

/// One disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Disk {
    /// Its node, from 0.
    pub node: u64,
    /// Its place on the node, from 0.
    pub slot: u64,
    /// How its UUID was made.
    pub kind: UuidKind,
    /// The chosen collision that it is in, from 0.
    pub collision: Option<u32>,
    text: [u8; 36],
}

impl Disk {
    /// The UUID as Longhorn stores it.
    #[must_use]
    pub fn uuid(&self) -> &str {
        std::str::from_utf8(&self.text).expect("hexadecimal digits and hyphens are ASCII")
    }

    /// Its first four digits.
    #[must_use]
    pub fn prefix(&self) -> &str {
        &self.uuid()[..4]
    }

    /// Its first four digits as a number.
    pub(crate) fn prefix_number(&self) -> u16 {
        u16::from_str_radix(self.prefix(), 16).expect("the first four characters are digits")
    }
}

/// A cluster's disks, computed one by one. Two populations of one [`Spec`] are
/// equal, disk by disk and byte by byte, on every machine.
#[derive(Clone, Debug)]
pub struct Population {
    spec: Spec,
    disks: u64,
    groups: Vec<Group>,
    /// The collision of each chosen disk.
    collision_of: HashMap<u64, u32>,
    /// Chosen disks, ascending.
    chosen: Vec<u64>,
    /// All prefixes in random order; the first ones are the collisions'.
    prefixes: Vec<u16>,
    /// Whether the disks outside of collisions take the prefixes after those.
    prevented: bool,
    random: Random,
}

/// The streams that disks are made from. Their bytes depend on the index only.
#[derive(Clone, Debug)]
struct Random {
    uuids: Stream,
    kinds: Stream,
    nodes: Stream,
}

impl Population {
    /// Chooses the disks that collide; nothing else is done in advance.
    ///
    /// # Errors
    /// When there can be no such population.
    pub fn new(spec: Spec) -> Result<Self, SpecError> {
        let prevented = spec.check()?;
        let groups = place(&spec)?;
        let mut chosen: Vec<u64> = groups
            .iter()
            .flat_map(|g| g.disks.iter().copied())
            .collect();
        chosen.sort_unstable();
        let collision_of = (0u32..)
            .zip(&groups)
            .flat_map(|(at, group)| group.disks.iter().map(move |&disk| (disk, at)))
            .collect();
        let prefixes = if prevented || !groups.is_empty() {
            prefixes(spec.seed, &groups)
        } else {
            Vec::new()
        };
        let stream = |purpose| Stream::new(spec.seed, purpose);
        Ok(Self {
            disks: spec.disks()?,
            random: Random {
                uuids: stream(Purpose::Uuids),
                kinds: stream(Purpose::Kinds),
                nodes: stream(Purpose::Nodes),
            },
            spec,
            groups,
            collision_of,
            chosen,
            prefixes,
            prevented,
        })
    }

    /// What was asked for.
    #[must_use]
    pub fn spec(&self) -> &Spec {
        &self.spec
    }

    /// All disks together.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.disks
    }

    /// True without any disk.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.disks == 0
    }

    /// Whether accidental collisions are prevented.
    #[must_use]
    pub fn is_exact(&self) -> bool {
        self.prevented
    }

    /// The indices of the disks of each chosen collision.
    pub fn collisions(&self) -> impl Iterator<Item = &[u64]> {
        self.groups.iter().map(|group| &group.disks[..])
    }

    /// A disk by its index: node after node, place after place.
    ///
    /// # Panics
    /// When there is no such disk.
    pub fn disk(&mut self, index: u64) -> Disk {
        assert!(index < self.disks, "disk {index} of {}", self.disks);
        let per_node = self.spec.disks_per_node;
        let collision = self.collision_of.get(&index).copied();
        let (kind, bytes) = match collision {
            Some(at) => self.colliding(index, at),
            None => self.ordinary(index),
        };
        Disk {
            node: index / per_node,
            slot: index % per_node,
            kind,
            collision,
            text: uuid::text(bytes),
        }
    }

    /// All disks in order.
    pub fn iter(&mut self) -> impl Iterator<Item = Disk> {
        (0..self.disks).map(|index| self.disk(index))
    }

    /// Goes through all disks and counts.
    pub fn summary(&self) -> Summary {
        let mut all = self.clone();
        let mut tally = Tally::new(self);
        for disk in all.iter() {
            tally.add(&disk);
        }
        tally.summary()
    }

    fn colliding(&mut self, index: u64, at: u32) -> (UuidKind, [u8; 16]) {
        let group = &self.groups[at as usize];
        let (kind, source) = match group.kind {
            ChosenKind::Prefix => (UuidKind::V4, index),
            ChosenKind::HandSet => (UuidKind::HandSet, index),
            ChosenKind::Cloned => (UuidKind::Cloned, group.disks[0]),
        };
        let mut bytes = uuid::v4(self.random.uuids.at(source));
        let prefix = self.prefixes[at as usize].to_be_bytes();
        bytes[..2].copy_from_slice(&prefix);
        if kind == UuidKind::HandSet {
            bytes[2..4].copy_from_slice(&prefix);
        }
        (kind, bytes)
    }

    fn ordinary(&mut self, index: u64) -> (UuidKind, [u8; 16]) {
        let kind = self.kind(index);
        let mut source = index;
        let mut made = kind;
        // A clone of a clone is one of that one's original. Each step goes back
        // to an earlier node, so it ends, after about ln(nodes) steps.
        while made == UuidKind::Cloned {
            let (node, slot) = (
                source / self.spec.disks_per_node,
                source % self.spec.disks_per_node,
            );
            let [_, from] = halves(self.random.kinds.at(source));
            source = scaled(from, node) * self.spec.disks_per_node + slot;
            made = self.kind(source);
            // A chosen disk is not copied: its collision would grow.
            if node == 0 || self.collision_of.contains_key(&source) {
                made = UuidKind::V4;
            }
        }
        let random = self.random.uuids.at(source);
        let [_, moment] = halves(self.random.kinds.at(source));
        let mut bytes = match made {
            UuidKind::V4 | UuidKind::Cloned => uuid::v4(random),
            UuidKind::V1 => uuid::v1(random, moment),
            UuidKind::V7 => uuid::v7(random, moment),
            UuidKind::HandSet => uuid::hand_set(random),
        };
        if self.prevented {
            let before = self.chosen.partition_point(|&chosen| chosen < index) as u64;
            let at = self.groups.len() as u64 + index - before;
            // `check` has shown that there are enough.
            bytes[..2].copy_from_slice(&self.prefixes[at as usize].to_be_bytes());
        }
        (kind, bytes)
    }

    /// How the UUID of a disk outside of collisions was made.
    fn kind(&mut self, index: u64) -> UuidKind {
        if self.spec.uuids.is_one_kind() {
            return self.spec.uuids.pick(0);
        }
        let [which, _] = halves(self.random.kinds.at(index));
        self.spec.uuids.pick(which)
    }

    /// The UID of a node's object.
    pub(crate) fn node_uid(&mut self, node: u64) -> [u8; 36] {
        uuid::text(uuid::v4(self.random.nodes.at(node)))
    }

    /// Writes a node's name: numbers of one width, so that the order of names,
    /// which is the order of kubectl, is the order of numbers.
    pub(crate) fn node_name(&self, name: &mut String, node: u64) {
        numbered(name, "node-", node, self.spec.nodes);
    }

    /// Writes a disk's name.
    pub(crate) fn disk_name(&self, name: &mut String, slot: u64) {
        numbered(name, "disk-", slot, self.spec.disks_per_node);
    }
}

fn numbered(name: &mut String, word: &str, at: u64, of: u64) {
    let width = of.max(1).ilog10() as usize + 1;
    name.clear();
    write!(name, "{word}{:0width$}", at + 1).expect("a String takes everything");
}

fn halves(bytes: [u8; 16]) -> [u64; 2] {
    let (first, second) = bytes.split_at(8);
    [first, second].map(|half| u64::from_le_bytes(half.try_into().expect("half of 16 is 8")))
}

/// All prefixes in random order (Fisher–Yates), those of the collisions in front.
fn prefixes(seed: u64, groups: &[Group]) -> Vec<u16> {
    let mut random = Stream::new(seed, Purpose::Prefixes);
    let mut prefixes: Vec<u16> = (0..=u16::MAX).collect();
    for at in (1..PREFIXES).rev() {
        let other = random.below(at + 1);
        prefixes.swap(at as usize, other as usize);
    }
    // aaaa, bbbb, … first, as people choose them.
    let mut digits = (10..16u16).chain(0..10).map(|digit| digit * 0x1111);
    for (at, group) in groups.iter().enumerate() {
        if group.kind == ChosenKind::HandSet {
            let wanted = digits.next().expect("`check` has counted the digits");
            let now = prefixes.iter().position(|&p| p == wanted);
            prefixes.swap(at, now.expect("every prefix is there"));
        }
    }
    prefixes
}
