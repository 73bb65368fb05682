//! Groups of equal keys in one cluster or one bucket.

use fixname_planes::{Filter, Planes};

/// A key as long as any name: 256 bits.
pub(super) type LongKey = [u64; 4];

/// Lists the long keys that begin with one of the sorted words.
pub(super) type Lookup<'a> = dyn Fn(&[u64]) -> Vec<LongKey> + 'a;

/// Of the slots of the first filter, of which there are 32 to 64 for a key, up
/// to 8 MiB. A bucket of 5000 keys takes 16 KiB, half of an L1 cache.
const MOST_SLOT_BITS: u32 = 26;
/// Of the second one, which sees what the first lets through.
const SECOND_BITS: u32 = 12;

/// Buffers that are used again and again.
#[derive(Debug, Default)]
pub(super) struct Groups {
    filter: Filter,
    /// The sizes found, of groups of two and more.
    pub(super) sizes: Vec<u64>,
}

impl Groups {
    /// Finds the groups of equal keys, which have random bits from bit
    /// `64 - bits` up. The order of the keys is lost. If `whole` is given, keys
    /// that are equal have more bits to be told apart by.
    pub(super) fn find(
        &mut self,
        planes: &Planes,
        keys: &mut [u64],
        bits: u32,
        whole: Option<&Lookup<'_>>,
    ) {
        self.sizes.clear();
        let slots = (keys.len().max(1).ilog2() + 5).clamp(6, MOST_SLOT_BITS);
        let shift = |slots: u32, skipped: u32| 64_u32.saturating_sub(skipped + slots);
        // The highest bits first: those are always random.
        let mut kept = self
            .filter
            .keep_suspects(planes, keys, shift(slots, 0), slots);
        if kept > 32 && bits >= slots + SECOND_BITS {
            let second = shift(SECOND_BITS, slots);
            kept = self
                .filter
                .keep_suspects(planes, &mut keys[..kept], second, SECOND_BITS);
        }
        let keys = &mut keys[..kept];
        keys.sort_unstable();
        match whole {
            None => runs(keys, &mut self.sizes),
            Some(whole) => {
                let twice: Vec<u64> = keys
                    .chunk_by(|a, b| a == b)
                    .filter(|run| run.len() > 1)
                    .map(|run| run[0])
                    .collect();
                if !twice.is_empty() {
                    let mut long = whole(&twice);
                    long.sort_unstable();
                    runs(&long, &mut self.sizes);
                }
            }
        }
    }
}

fn runs<T: PartialEq>(sorted: &[T], sizes: &mut Vec<u64>) {
    let groups = sorted.chunk_by(|a, b| a == b).map(|run| run.len() as u64);
    sizes.extend(groups.filter(|size| *size > 1));
}
