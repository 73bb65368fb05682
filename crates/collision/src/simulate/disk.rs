//! A disk's random bits and its UUID, out of the planes.
//!
//! Plane 0 has the first 16 bits of every disk, plane 1 the next 16, plane 2
//! 28 more, plane 3 the last 62 of a version 4 UUID; further planes are there
//! for names that are longer than any UUID. So each scheme draws only what it
//! looks at, and all schemes see the same disks.

use fixname_planes::{Block, Planes};

use super::groups::LongKey;

/// Planes with fewer than 16 bytes a disk: plane, and bytes.
const BYTES: [usize; 4] = [2, 2, 4, 8];
/// 28 of plane 2's 32 bits; the rest is where the version stands.
const MIDDLE: u32 = 28;
/// 62 of plane 3's 64 bits; the rest is where the variant stands.
const LAST: u32 = 62;
/// Bits of a version 4 UUID.
const UUID_BITS: u16 = 122;
/// One block a disk: the bits beyond a UUID's, for bits up to 256.
const BEYOND: [u8; 2] = [4, 5];

/// Disks that are drawn at once.
pub(super) const AT_ONCE: usize = 512;

/// The four planes of a run of disks.
#[derive(Debug)]
pub(super) struct Disks {
    planes: [Vec<Block>; 4],
}

impl Default for Disks {
    fn default() -> Self {
        Self {
            planes: BYTES.map(|bytes| vec![[0; 16]; AT_ONCE * bytes / 16]),
        }
    }
}

/// How many planes hold the first so many bits.
fn planes_for(bits: u16) -> usize {
    match bits {
        0..=16 => 1,
        17..=32 => 2,
        33..=60 => 3,
        _ => 4,
    }
}

impl Disks {
    /// Draws `AT_ONCE` disks from number `first` on, which must be a multiple
    /// of that: their first so many bits.
    pub(super) fn draw(&mut self, planes: &Planes, cluster: u64, first: u64, bits: u16) {
        let needed = self.planes.iter_mut().zip(BYTES).take(planes_for(bits));
        for (plane, (blocks, bytes)) in (0..).zip(needed) {
            planes.fill(plane, cluster, first * bytes as u64 / 16, blocks);
        }
    }

    fn parts(&self, at: usize, planes: usize) -> [u64; 4] {
        std::array::from_fn(|plane| {
            if plane >= planes {
                return 0;
            }
            let bytes = BYTES[plane];
            let mut word = [0; 8];
            word[..bytes]
                .copy_from_slice(&self.planes[plane].as_flattened()[at * bytes..][..bytes]);
            u64::from_le_bytes(word)
        })
    }

    /// The first up to 64 random bits, at the top of a word.
    pub(super) fn keys(&self, bits: u16, out: &mut [u64]) {
        let planes = planes_for(bits);
        let kept = u64::MAX << 64_u16.saturating_sub(bits).min(63);
        for (at, key) in out.iter_mut().enumerate() {
            let [a, b, c, d] = self.parts(at, planes);
            let word = a << 48 | b << 32 | (c >> (32 - MIDDLE)) << 4 | d >> (LAST - 2);
            *key = word & kept;
        }
    }

    /// The UUID's 128 bits, with version 4 and the RFC's variant.
    pub(super) fn uuid(&self, at: usize) -> u128 {
        let [a, b, c, d] = self.parts(at, 4).map(u128::from);
        let middle = c >> (32 - MIDDLE);
        // Digits 9 to 12, then the version, then digits 14 to 16.
        let high = a << 48 | b << 32 | (middle >> 12) << 16 | 4 << 12 | middle & 0xfff;
        high << 64 | 2 << 62 | d >> (64 - LAST)
    }
}

/// All of a drawn disk's first `bits` bits, at the top; up to 256.
pub(super) fn long_key(
    disks: &Disks,
    planes: &Planes,
    cluster: u64,
    disk: u64,
    bits: u16,
) -> LongKey {
    let [a, b, c, d] = disks
        .parts((disk % AT_ONCE as u64) as usize, planes_for(bits))
        .map(u128::from);
    let top = a << 112 | b << 96 | (c >> (32 - MIDDLE)) << 68 | (d >> (64 - LAST)) << 6;
    let [x, y] = if bits > UUID_BITS {
        BEYOND.map(|plane| u128::from_be_bytes(planes.block(plane, cluster, disk)))
    } else {
        [0; 2]
    };
    // 122 bits, then 128, then the first 6 of the last block.
    let top = top | x >> 122;
    let bottom = x << 6 | y >> 122;
    let kept = |word: u128, bits: u16| match bits {
        0 => 0,
        bits => word & u128::MAX << (128 - bits.min(128)),
    };
    let (top, bottom) = (kept(top, bits), kept(bottom, bits.saturating_sub(128)));
    [
        (top >> 64) as u64,
        top as u64,
        (bottom >> 64) as u64,
        bottom as u64,
    ]
}

#[cfg(test)]
mod tests {
    use fixname_planes::Engine;

    use super::*;

    fn long_key(planes: &Planes, cluster: u64, disk: u64, bits: u16) -> LongKey {
        let mut disks = Disks::default();
        disks.draw(planes, cluster, disk - disk % AT_ONCE as u64, bits);
        super::long_key(&disks, planes, cluster, disk, bits)
    }

    #[test]
    fn every_view_of_a_disk_is_of_the_same_disk() {
        let planes = Planes::new(3, Engine::Auto).unwrap();
        let mut disks = Disks::default();
        disks.draw(&planes, 9, 512, 64);
        for bits in [1, 4, 16, 17, 32, 33, 48, 60, 61, 64] {
            let mut keys = [0; AT_ONCE];
            disks.keys(bits, &mut keys);
            for at in [0, 1, 77, 511] {
                let long = long_key(&planes, 9, 512 + at as u64, 256);
                let mask = u64::MAX << (64 - bits);
                assert_eq!(keys[at], long[0] & mask, "{bits} bits of disk {at}");
                assert_eq!(long_key(&planes, 9, 512 + at as u64, bits)[0], keys[at]);
            }
        }
        for at in [0, 5, 300] {
            let uuid = disks.uuid(at);
            let text = format!("{uuid:032x}");
            assert_eq!(&text[12..13], "4");
            assert!("89ab".contains(&text[16..17]));
            // Its 122 random bits, one after another.
            let random = uuid >> 80 << 80 | (uuid >> 64 & 0xfff) << 68 | (uuid << 66) >> 60;
            let long = long_key(&planes, 9, 512 + at as u64, 122);
            assert_eq!(
                random,
                u128::from(long[0]) << 64 | u128::from(long[1]),
                "{text}"
            );
        }
    }

    #[test]
    fn the_bits_beyond_a_uuid_are_random_too() {
        let planes = Planes::new(3, Engine::Auto).unwrap();
        let mut ones = [0; 256];
        for disk in 0..2000 {
            let key = long_key(&planes, 0, disk, 256);
            for (bit, count) in ones.iter_mut().enumerate() {
                *count += key[bit / 64] >> (63 - bit % 64) & 1;
            }
        }
        assert!(
            ones.iter().all(|&count| (850..1150).contains(&count)),
            "{ones:?}"
        );
        assert_eq!(long_key(&planes, 0, 5, 128)[2..], [0, 0]);
        assert_eq!(long_key(&planes, 0, 5, 200)[3] << 8, 0);
    }
}
