//! UUIDs that are not uniform: hand-edited, cloned, or made from a clock.

use fixname_planes::{PlaneStream, Planes};
use rand_core::Rng;

use super::counts::Counts;
use super::disk::{AT_ONCE, Disks};
use super::forced::below;
use super::model::Skew;

/// Whether a disk is one of the odd ones.
const CHOICE_PLANE: u8 = 17;
/// Where the clock stands at the first disk, and how much later others come.
const CLOCK_PLANE: u8 = 18;
/// The prefix of the hand-edited ones. Which one it is does not matter.
const SPIKE: u64 = 0xaaaa_aaaa_aaaa_aaaa;
/// Ticks of a version 1 clock, of 100 ns each, in a millisecond.
const V1_TICKS: u64 = 10_000;

/// Buffers that are used again and again.
#[derive(Debug, Default)]
pub(super) struct Skewed {
    disks: Disks,
    keys: Vec<u64>,
    sizes: Vec<u64>,
}

impl Skewed {
    pub(super) fn count(
        &mut self,
        planes: &Planes,
        cluster: u64,
        (bits, disks, skew): (u16, u64, Skew),
        counts: &mut Counts,
    ) {
        let count = usize::try_from(disks).expect("at most 2^24 disks");
        self.keys.resize(count, 0);
        match skew {
            Skew::Spike { share } => {
                self.draw(planes, cluster, bits);
                let mut choice = planes.stream(CHOICE_PLANE, cluster);
                for key in &mut self.keys {
                    if happens(&mut choice, share) {
                        *key = SPIKE & u64::MAX << (64 - bits);
                    }
                }
            }
            Skew::Cloned { share } => {
                self.draw(planes, cluster, bits);
                let mut choice = planes.stream(CHOICE_PLANE, cluster);
                for disk in 1..count {
                    if happens(&mut choice, share) {
                        let model = below(&mut choice, disk as u64) as usize;
                        self.keys[disk] = self.keys[model];
                    }
                }
            }
            // 48 bits of milliseconds come first; the first 16 step every 2^32.
            Skew::V7 { within_ms } => self.clock(planes, cluster, within_ms, 32),
            // 32 low bits of 100 ns come first; the first 16 step every 2^16.
            Skew::V1 { within_ms } => self.clock(planes, cluster, within_ms * V1_TICKS, 16),
        }
        self.keys.sort_unstable();
        self.sizes.clear();
        let groups = self.keys.chunk_by(|a, b| a == b);
        self.sizes
            .extend(groups.map(|run| run.len() as u64).filter(|size| *size > 1));
        counts.enter(&self.sizes);
    }

    fn draw(&mut self, planes: &Planes, cluster: u64, bits: u16) {
        let mut first = 0;
        for keys in self.keys.chunks_mut(AT_ONCE) {
            self.disks.draw(planes, cluster, first, bits);
            self.disks.keys(bits, keys);
            first += AT_ONCE as u64;
        }
    }

    /// The first disk's time is anything; the others follow within `within`.
    fn clock(&mut self, planes: &Planes, cluster: u64, within: u64, steps_every: u32) {
        let mut stream = planes.stream(CLOCK_PLANE, cluster);
        // A whole number of the clock's cycles.
        let start = u128::from(stream.next_u64() >> (48 - steps_every));
        for key in &mut self.keys {
            let later = below(&mut stream, within.max(1));
            *key = u64::from(((start + u128::from(later)) >> steps_every) as u16);
        }
    }
}

fn happens(stream: &mut PlaneStream, share: f64) -> bool {
    // 2^64 as a double; a share of 1 is always above what 64 bits can say.
    const RANGE: f64 = 18_446_744_073_709_551_616.0;
    u128::from(stream.next_u64()) < (share * RANGE) as u128
}
