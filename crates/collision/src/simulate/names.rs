//! Names that are really hashed: the UUID as text, the image before it, and
//! SHA-224 or SHA-256 of both, exactly as Longhorn names a manager.

use fixname_planes::{LANES, Planes, compress16};
use sha2::block_api::compress256;

use super::counts::{Counts, pairs_in};
use super::disk::{AT_ONCE, Disks};
use super::groups::{Groups, LongKey, Lookup};
use super::model::{Hash, RUNGS};

/// Keys that are held at once, 1 GiB. Beyond, all names are hashed again for
/// each range of keys.
const KEYS_AT_ONCE: u64 = 1 << 27;
/// Keys are sorted by their first bits into so many heaps.
const HEAP_BITS: u32 = 12;

const BLOCK: usize = 64;
const UUID_LENGTH: usize = 36;

/// FIPS 180-4, 5.3.2 and 5.3.3.
const SHA224_START: [u32; 8] = [
    0xc105_9ed8,
    0x367c_d507,
    0x3070_dd17,
    0xf70e_5939,
    0xffc0_0b31,
    0x6858_1511,
    0x64f9_8fa7,
    0xbefa_4fa4,
];
const SHA256_START: [u32; 8] = [
    0x6a09_e667,
    0xbb67_ae85,
    0x3c6e_f372,
    0xa54f_f53a,
    0x510e_527f,
    0x9b05_688c,
    0x1f83_d9ab,
    0x5be0_cd19,
];

/// Every byte as two hexadecimal digits.
const HEX: [[u8; 2]; 256] = {
    let digits = b"0123456789abcdef";
    let mut table = [[0; 2]; 256];
    let mut byte = 0;
    while byte < 256 {
        table[byte] = [digits[byte >> 4], digits[byte & 15]];
        byte += 1;
    }
    table
};

/// A message that is padded already and whose UUID alone changes.
#[derive(Clone, Debug)]
struct Message {
    /// What the blocks before the UUID's leave.
    start: [u32; 8],
    blocks: Vec<[u8; BLOCK]>,
    uuid_at: usize,
}

impl Message {
    fn new(hash: Hash, image: &str) -> Self {
        // Longhorn trims the whole text; a UUID ends in no space.
        let text = format!("{image}-");
        let text = text.trim_start().as_bytes();
        let length = text.len() + UUID_LENGTH;
        // A 1 bit, and the length in bits at the end of the last block.
        let mut blocks = vec![[0; BLOCK]; (length + 9).div_ceil(BLOCK)];
        let bytes = blocks.as_flattened_mut();
        bytes[..text.len()].copy_from_slice(text);
        bytes[length] = 0x80;
        let end = bytes.len();
        bytes[end - 8..].copy_from_slice(&(8 * length as u64).to_be_bytes());
        let mut start = match hash {
            Hash::Sha224 => SHA224_START,
            Hash::Sha256 => SHA256_START,
        };
        // A long image fills whole blocks, which are the same for every disk.
        let fixed = text.len() / BLOCK;
        compress256(&mut start, &blocks[..fixed]);
        Self {
            start,
            blocks: blocks.split_off(fixed),
            uuid_at: text.len() - fixed * BLOCK,
        }
    }

    /// The first 256 bits of the state, of which SHA-224 keeps 224.
    fn hash(&mut self, uuid: u128) -> [u32; 8] {
        let text = &mut self.blocks.as_flattened_mut()[self.uuid_at..][..UUID_LENGTH];
        write_uuid(
            uuid,
            text.first_chunk_mut().expect("the slice is that long"),
        );
        let mut state = self.start;
        compress256(&mut state, &self.blocks);
        state
    }
}

/// Sixteen such messages side by side, for the processors that hash them so.
#[derive(Clone, Debug)]
struct Sixteen {
    one: Message,
    /// Their blocks as words: all the same but for the UUID's.
    blocks: Vec<[[u32; LANES]; 16]>,
    /// The words that the UUID touches begin here.
    first_word: usize,
    /// Those words of each message, as bytes.
    texts: [[u8; 4 * UUID_WORDS]; LANES],
}

/// A UUID's text touches so many words, wherever it begins.
const UUID_WORDS: usize = UUID_LENGTH / 4 + 1;

impl Sixteen {
    fn new(one: Message) -> Self {
        let words = |block: &[u8; BLOCK]| {
            let (words, _) = block.as_chunks::<4>();
            std::array::from_fn(|at| [u32::from_be_bytes(words[at]); LANES])
        };
        let first_word = one.uuid_at / 4;
        let bytes = one.blocks.as_flattened();
        let text = &bytes[4 * first_word..];
        let mut texts = [[0; 4 * UUID_WORDS]; LANES];
        for lane in &mut texts {
            let length = lane.len().min(text.len());
            lane[..length].copy_from_slice(&text[..length]);
        }
        Self {
            blocks: one.blocks.iter().map(words).collect(),
            first_word,
            texts,
            one,
        }
    }

    /// The first two words of the states of sixteen disks.
    fn hash(&mut self, planes: &Planes, uuids: [u128; LANES]) -> [[u32; LANES]; 2] {
        let offset = self.one.uuid_at % 4;
        for (text, uuid) in self.texts.iter_mut().zip(uuids) {
            let text = text[offset..].first_chunk_mut();
            write_uuid(uuid, text.expect("the words of a UUID hold it"));
        }
        let words = self.blocks.as_flattened_mut();
        for (at, word) in (0..).zip(words[self.first_word..].iter_mut().take(UUID_WORDS)) {
            *word = std::array::from_fn(|lane| {
                let (words, _) = self.texts[lane].as_chunks::<4>();
                u32::from_be_bytes(words[at])
            });
        }
        let mut states = self.one.start.map(|word| [word; LANES]);
        if !compress16(planes, &mut states, &self.blocks) {
            for (lane, uuid) in uuids.into_iter().enumerate() {
                let state = self.one.hash(uuid);
                (states[0][lane], states[1][lane]) = (state[0], state[1]);
            }
        }
        [states[0], states[1]]
    }
}

fn write_uuid(uuid: u128, text: &mut [u8; UUID_LENGTH]) {
    // Where each byte's two digits stand; hyphens are between.
    const AT: [usize; 16] = [0, 2, 4, 6, 9, 11, 14, 16, 19, 21, 24, 26, 28, 30, 32, 34];
    for (byte, at) in uuid.to_be_bytes().into_iter().zip(AT) {
        let [high, low] = HEX[usize::from(byte)];
        text[at] = high;
        text[at + 1] = low;
    }
    for at in [8, 13, 18, 23] {
        text[at] = b'-';
    }
}

/// Which names: those of a cluster's disks under one image.
#[derive(Clone, Copy, Debug)]
pub(super) struct Which<'a> {
    pub(super) hash: Hash,
    pub(super) image: &'a str,
    pub(super) cluster: u64,
    pub(super) disks: u64,
}

/// Buffers that are used again and again.
#[derive(Debug, Default)]
pub(super) struct Names {
    disks: Disks,
    groups: Groups,
    heaps: Vec<Vec<u64>>,
}

impl Names {
    /// Counts the names that agree in their first `digits` digits.
    pub(super) fn count(
        &mut self,
        planes: &Planes,
        which: Which<'_>,
        digits: u8,
        counts: &mut Counts,
    ) {
        let bits = 4 * u32::from(digits);
        let mut sizes = Vec::new();
        self.each_heap(
            planes,
            which,
            |groups, keys| {
                let kept = u64::MAX << 64_u32.saturating_sub(bits).min(63);
                for key in keys.iter_mut() {
                    *key &= kept;
                }
                let whole = |wanted: &[u64]| long_names(planes, which, bits, wanted);
                let whole: Option<&Lookup<'_>> = if bits > 64 { Some(&whole) } else { None };
                groups.find(planes, keys, bits.min(64), whole);
                sizes.extend_from_slice(&groups.sizes);
            },
            bits,
        );
        counts.enter(&sizes);
    }

    /// Counts the pairs of names that agree in so many leading bits.
    pub(super) fn ladder(&mut self, planes: &Planes, which: Which<'_>, counts: &mut Counts) {
        let mut pairs = [0_u128; RUNGS.len()];
        self.each_heap(
            planes,
            which,
            |_, keys| {
                keys.sort_unstable();
                for (pairs, rung) in pairs.iter_mut().zip(RUNGS) {
                    let runs = keys.chunk_by(|a, b| (a ^ b) >> (64 - rung) == 0);
                    *pairs += runs.map(|run| pairs_in(run.len() as u64)).sum::<u128>();
                }
            },
            64,
        );
        counts.clusters += 1;
        for (pairs, rung) in pairs.into_iter().zip(RUNGS) {
            let pairs = u64::try_from(pairs).expect("2^33 names have fewer than 2^64 pairs");
            *counts.rungs.entry(rung.into()).or_default() += pairs;
        }
    }

    /// Hashes all names, and hands out their first 64 bits so that names that
    /// agree in `bits` of them come together.
    fn each_heap(
        &mut self,
        planes: &Planes,
        which: Which<'_>,
        mut each: impl FnMut(&mut Groups, &mut [u64]),
        bits: u32,
    ) {
        let heap_bits = HEAP_BITS
            .min(bits)
            .min(which.disks.max(1).ilog2().saturating_sub(9));
        let heaps = 1_usize << heap_bits;
        // Names are hashed once for every so many heaps.
        let at_once = match which.disks / KEYS_AT_ONCE {
            0 => heaps,
            more => (heaps / (more as usize + 1)).max(1),
        };
        self.heaps.resize_with(heaps, Vec::new);
        let mut message = Sixteen::new(Message::new(which.hash, which.image));
        for from in (0..heaps).step_by(at_once) {
            let wanted = from..heaps.min(from + at_once);
            let mut first = 0;
            while first < which.disks {
                self.disks.draw(planes, which.cluster, first, 122);
                let count = (which.disks - first).min(AT_ONCE as u64);
                for at in (0..count as usize).step_by(LANES) {
                    let uuids = std::array::from_fn(|lane| self.disks.uuid(at + lane));
                    let [high, low] = message.hash(planes, uuids);
                    let some = LANES.min(count as usize - at);
                    for (high, low) in high.into_iter().zip(low).take(some) {
                        let key = u64::from(high) << 32 | u64::from(low);
                        let heap = key.checked_shr(64 - heap_bits).unwrap_or(0) as usize;
                        if wanted.contains(&heap) {
                            self.heaps[heap].push(key);
                        }
                    }
                }
                first += AT_ONCE as u64;
            }
            for heap in wanted {
                each(&mut self.groups, &mut self.heaps[heap]);
                self.heaps[heap].clear();
            }
        }
    }
}

/// The whole names of the disks whose first 64 bits are among those wanted.
fn long_names(planes: &Planes, which: Which<'_>, bits: u32, wanted: &[u64]) -> Vec<LongKey> {
    let mut disks = Disks::default();
    let mut message = Message::new(which.hash, which.image);
    let mut found = Vec::new();
    for disk in 0..which.disks {
        let at = (disk % AT_ONCE as u64) as usize;
        if at == 0 {
            disks.draw(planes, which.cluster, disk, 122);
        }
        let state = message.hash(disks.uuid(at));
        let mut words =
            [0, 2, 4, 6].map(|at| u64::from(state[at]) << 32 | u64::from(state[at + 1]));
        if wanted.binary_search(&words[0]).is_err() {
            continue;
        }
        for (at, word) in (0..).zip(&mut words) {
            let left = bits.saturating_sub(64 * at).min(64);
            *word &= u64::MAX.checked_shl(64 - left).unwrap_or(0);
        }
        found.push(words);
    }
    found
}

#[cfg(test)]
mod tests {
    use fixname_naming::{DiskUuid, ImageRef, Scheme};
    use fixname_planes::Engine;

    use super::*;

    #[test]
    fn the_names_are_those_that_longhorn_gives() {
        let planes = Planes::new(1, Engine::Auto).unwrap();
        let mut disks = Disks::default();
        disks.draw(&planes, 0, 0, 122);
        let long = "registry.example.com/".to_owned() + &"x".repeat(200);
        for image in [
            "longhornio/backing-image-manager:v1.10.2",
            "",
            "  a",
            &"y".repeat(63),
            &"y".repeat(64),
            &"y".repeat(18),
            &"y".repeat(19),
            &long,
        ] {
            for (hash, scheme) in [
                (Hash::Sha224, Scheme::Sha224),
                (Hash::Sha256, Scheme::Sha256),
            ] {
                let mut message = Message::new(hash, image);
                for at in [0, 1, 100] {
                    let uuid = format!("{:032x}", disks.uuid(at));
                    let cuts = [
                        &uuid[..8],
                        &uuid[8..12],
                        &uuid[12..16],
                        &uuid[16..20],
                        &uuid[20..],
                    ];
                    let disk = DiskUuid::new(cuts.join("-"));
                    let want = scheme.manager_name(&ImageRef::new(image), &disk).unwrap();
                    let state = message.hash(disks.uuid(at));
                    let digits: String = state.iter().map(|word| format!("{word:08x}")).collect();
                    let got = format!("bim-{}", &digits[..hash.digits().into()]);
                    assert_eq!(got, want.as_str(), "{image:?}");
                }
            }
        }
    }

    #[test]
    fn ladder_and_groups_see_the_same_pairs_as_a_plain_sort() {
        let planes = Planes::new(1, Engine::Auto).unwrap();
        let which = Which {
            hash: Hash::Sha224,
            image: "image",
            cluster: 3,
            disks: 20_000,
        };
        let mut message = Message::new(which.hash, which.image);
        let mut disks = Disks::default();
        let mut all: Vec<u32> = (0..which.disks)
            .map(|disk| {
                if disk % AT_ONCE as u64 == 0 {
                    disks.draw(&planes, 3, disk, 122);
                }
                message.hash(disks.uuid((disk % AT_ONCE as u64) as usize))[0]
            })
            .collect();
        all.sort_unstable();
        let mut names = Names::default();
        let mut ladder = Counts::default();
        names.ladder(&planes, which, &mut ladder);
        for (digits, bits) in [(1, 4), (2, 8), (6, 24), (7, 28), (8, 32_u32)] {
            let runs = all.chunk_by(|a, b| (a ^ b) >> (32 - bits) == 0);
            let want: u128 = runs.map(|run| pairs_in(run.len() as u64)).sum();
            let mut counts = Counts::default();
            names.count(&planes, which, digits, &mut counts);
            assert_eq!(counts.pairs, want, "{bits} bits");
            if let Some(rung) = ladder.rungs.get(&bits.into()) {
                assert_eq!(u128::from(*rung), want, "{bits} bits");
            }
        }
        // Digits beyond 64 bits: no two names agree, and nothing is lost.
        let mut counts = Counts::default();
        names.count(&planes, which, 56, &mut counts);
        assert_eq!((counts.clusters, counts.pairs), (1, 0));
    }
}
