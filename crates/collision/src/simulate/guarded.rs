//! Longhorn's guard, join by join: up to 20 draws against the prefixes that
//! the joining disk sees.

use fixname_planes::{PlaneStream, Planes};
use rand_core::Rng;

use super::counts::Counts;

/// How often Longhorn draws (longhorn-manager v1.9.1,
/// `controller/monitor/disk_utils.go`).
const TRIES: u32 = 20;
const PREFIXES: usize = 1 << 16;

/// Who joins, in this order.
#[derive(Clone, Copy, Debug)]
pub(super) struct Joins {
    pub(super) unguarded: u64,
    pub(super) guarded: u64,
    pub(super) at_once: u64,
    pub(super) block: u64,
}

/// Buffers that are used again and again.
#[derive(Debug)]
pub(super) struct Guarded {
    /// Disks of each prefix.
    held: Vec<u32>,
    /// Prefixes that a joining disk sees.
    visible: Vec<bool>,
    drawn: Vec<u16>,
    sizes: Vec<u64>,
}

impl Default for Guarded {
    fn default() -> Self {
        Self {
            held: vec![0; PREFIXES],
            visible: vec![false; PREFIXES],
            drawn: Vec::new(),
            sizes: Vec::new(),
        }
    }
}

impl Guarded {
    pub(super) fn count(
        &mut self,
        planes: &Planes,
        cluster: u64,
        joins: Joins,
        counts: &mut Counts,
    ) {
        let mut stream = planes.stream(0, cluster);
        for _ in 0..joins.unguarded {
            let prefix = draw(&mut stream);
            self.join(prefix);
        }
        self.show(0);
        let mut left = joins.guarded;
        while left > 0 {
            let now = left.min(joins.at_once);
            left -= now;
            let before = self.drawn.len();
            for _ in 0..now {
                match self.guarded_draw(&mut stream, counts) {
                    Some(prefix) => self.join(prefix),
                    None => counts.exhausted += 1,
                }
            }
            self.show(before);
        }
        for _ in 0..joins.block {
            let prefix = draw(&mut stream);
            self.join(prefix);
        }
        self.sizes.clear();
        for prefix in self.drawn.drain(..) {
            let held = std::mem::take(&mut self.held[usize::from(prefix)]);
            self.visible[usize::from(prefix)] = false;
            if held > 1 {
                self.sizes.push(held.into());
            }
        }
        counts.enter(&self.sizes);
    }

    fn guarded_draw(&self, stream: &mut PlaneStream, counts: &mut Counts) -> Option<u16> {
        for again in 0..TRIES {
            counts.redraws += u64::from(again > 0);
            let prefix = draw(stream);
            if !self.visible[usize::from(prefix)] {
                return Some(prefix);
            }
        }
        None
    }

    fn join(&mut self, prefix: u16) {
        self.held[usize::from(prefix)] += 1;
        self.drawn.push(prefix);
    }

    /// The statuses are updated: all see the disks from number `from` on.
    fn show(&mut self, from: usize) {
        for prefix in &self.drawn[from..] {
            self.visible[usize::from(*prefix)] = true;
        }
    }
}

fn draw(stream: &mut PlaneStream) -> u16 {
    let mut bytes = [0; 2];
    stream.fill_bytes(&mut bytes);
    u16::from_le_bytes(bytes)
}
