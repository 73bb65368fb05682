//! How UUIDs are made: the versions a disk may carry, and what people and
//! cloning do to them. Which bytes are random is the caller's.

use std::fmt;
use std::str::FromStr;

use crate::spec::SpecError;

/// How a disk came by its UUID.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum UuidKind {
    /// 122 random bits: what Longhorn draws.
    V4,
    /// Time first, lowest bits in front: the first four digits go round in 429.5 s.
    V1,
    /// A clock of milliseconds first: the first four digits change every 49.7 days.
    V7,
    /// Copied whole from the disk of the same place on another node, as when
    /// machines are cloned (longhorn#9586).
    Cloned,
    /// Written by a person: begins with one digit eight times, `aaaaaaaa-`.
    HandSet,
}

impl UuidKind {
    /// All of them.
    pub const ALL: &'static [Self] = &[Self::V4, Self::V1, Self::V7, Self::Cloned, Self::HandSet];

    /// The word on the command line and in files.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::V4 => "v4",
            Self::V1 => "v1",
            Self::V7 => "v7",
            Self::Cloned => "cloned",
            Self::HandSet => "hand-set",
        }
    }

    /// Whether the first four digits can be any, so that they can be told to differ.
    pub(crate) fn has_free_prefix(self) -> bool {
        matches!(self, Self::V4 | Self::V1)
    }
}

impl fmt::Display for UuidKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for UuidKind {
    type Err = SpecError;

    fn from_str(word: &str) -> Result<Self, SpecError> {
        let known = Self::ALL.iter().find(|kind| kind.as_str() == word);
        known
            .copied()
            .ok_or_else(|| SpecError::UuidKind(word.to_owned()))
    }
}

/// Kinds of UUIDs with their shares, such as `v4=97,cloned=2,hand-set=1`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UuidMix {
    parts: Vec<(UuidKind, u32)>,
    total: u64,
}

impl Default for UuidMix {
    fn default() -> Self {
        Self::of(UuidKind::V4)
    }
}

impl UuidMix {
    /// One kind only.
    #[must_use]
    pub fn of(kind: UuidKind) -> Self {
        Self {
            parts: vec![(kind, 1)],
            total: 1,
        }
    }

    /// The kinds that occur.
    pub fn kinds(&self) -> impl Iterator<Item = UuidKind> {
        self.parts.iter().map(|(kind, _)| *kind)
    }

    /// The kind that a random number stands for.
    pub(crate) fn pick(&self, bits: u64) -> UuidKind {
        let mut at = crate::stream::scaled(bits, self.total);
        for &(kind, weight) in &self.parts {
            if at < u64::from(weight) {
                return kind;
            }
            at -= u64::from(weight);
        }
        // `at` began below the sum of all weights.
        self.parts[0].0
    }

    pub(crate) fn is_one_kind(&self) -> bool {
        self.parts.len() == 1
    }
}

impl FromStr for UuidMix {
    type Err = SpecError;

    fn from_str(text: &str) -> Result<Self, SpecError> {
        let mut parts: Vec<(UuidKind, u32)> = Vec::new();
        for part in text.split(',') {
            let (kind, weight) = part.split_once('=').unwrap_or((part, "1"));
            let kind: UuidKind = kind.trim().parse()?;
            let weight = weight.trim().parse::<u32>();
            let weight = weight.map_err(|_| SpecError::Share(part.to_owned()))?;
            if parts.iter().any(|(other, _)| *other == kind) {
                return Err(SpecError::KindTwice(kind));
            }
            if weight > 0 {
                parts.push((kind, weight));
            }
        }
        if parts.is_empty() {
            return Err(SpecError::Share(text.to_owned()));
        }
        let total = parts.iter().map(|(_, weight)| u64::from(*weight)).sum();
        Ok(Self { parts, total })
    }
}

/// 2025-01-01T00:00:00Z in milliseconds since 1970: the first disk of a
/// population with clocks in its UUIDs was made then or later.
const FIRST_MS: u64 = 1_735_689_600_000;
/// The last one was made within a year from then.
const SPAN_MS: u64 = 365 * 86_400_000;
/// From 1582-10-15 to 1970 in steps of 100 ns (RFC 9562, 5.1).
const GREGORIAN: u64 = 0x01b2_1dd2_1381_4000;

fn stamped(mut bytes: [u8; 16], version: u8) -> [u8; 16] {
    bytes[6] = bytes[6] & 0x0f | version << 4;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    bytes
}

/// Version 4 from 16 random bytes.
pub(crate) fn v4(random: [u8; 16]) -> [u8; 16] {
    stamped(random, 4)
}

/// Version 1: a moment in 100 ns, and random bits for clock sequence and node.
pub(crate) fn v1(random: [u8; 16], moment: u64) -> [u8; 16] {
    let ticks = GREGORIAN + FIRST_MS * 10_000 + crate::stream::scaled(moment, SPAN_MS * 10_000);
    let mut bytes = random;
    bytes[..4].copy_from_slice(&(ticks as u32).to_be_bytes());
    bytes[4..6].copy_from_slice(&((ticks >> 32) as u16).to_be_bytes());
    bytes[6..8].copy_from_slice(&((ticks >> 48) as u16).to_be_bytes());
    // The multicast bit says that the node is a random number (RFC 9562, 6.10).
    bytes[10] |= 1;
    stamped(bytes, 1)
}

/// Version 7: a moment in milliseconds, and 74 random bits.
pub(crate) fn v7(random: [u8; 16], moment: u64) -> [u8; 16] {
    let ms = FIRST_MS + crate::stream::scaled(moment, SPAN_MS);
    let mut bytes = random;
    bytes[..6].copy_from_slice(&ms.to_be_bytes()[2..]);
    stamped(bytes, 7)
}

/// What a person writes: one digit eight times, the rest as it was.
pub(crate) fn hand_set(random: [u8; 16]) -> [u8; 16] {
    let digit = random[0] & 0x0f;
    let mut bytes = v4(random);
    bytes[..4].fill(digit << 4 | digit);
    bytes
}

/// The usual text, as Longhorn stores it.
pub(crate) fn text(bytes: [u8; 16]) -> [u8; 36] {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut text = [b'-'; 36];
    let mut at = 0;
    for byte in bytes {
        if matches!(at, 8 | 13 | 18 | 23) {
            at += 1;
        }
        text[at] = DIGITS[usize::from(byte >> 4)];
        text[at + 1] = DIGITS[usize::from(byte & 0x0f)];
        at += 2;
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(bytes: [u8; 16]) -> String {
        String::from_utf8(text(bytes).to_vec()).unwrap()
    }

    #[test]
    fn each_kind_has_its_version_and_shape() {
        let random = [0x5a; 16];
        assert_eq!(shown(v4(random)), "5a5a5a5a-5a5a-4a5a-9a5a-5a5a5a5a5a5a");
        assert_eq!(shown(v7(random, 0)), "01941f29-7c00-7a5a-9a5a-5a5a5a5a5a5a");
        let first = v1(random, 0);
        let ticks = u64::from_be_bytes([
            first[6] & 0x0f,
            first[7],
            first[4],
            first[5],
            first[0],
            first[1],
            first[2],
            first[3],
        ]);
        assert_eq!((ticks - GREGORIAN) / 10_000, FIRST_MS);
        assert_eq!((first[6] >> 4, first[8] >> 6, first[10] & 1), (1, 2, 1));
        assert!(shown(hand_set(random)).starts_with("aaaaaaaa-5a5a-4"));
    }

    #[test]
    fn a_year_of_version_7_has_eight_or_nine_prefixes() {
        let of = |moment| shown(v7([0; 16], moment))[..4].to_owned();
        assert_eq!(of(0), "0194");
        assert_eq!(of(u64::MAX), "019b");
    }

    #[test]
    fn a_mix_is_read_and_its_shares_are_kept() {
        let mix: UuidMix = "v4=3,hand-set=1".parse().unwrap();
        let picks = |bits| mix.pick(bits);
        assert_eq!(picks(0), UuidKind::V4);
        assert_eq!(picks((3 << 62) - 1), UuidKind::V4);
        assert_eq!(picks(3 << 62), UuidKind::HandSet);
        assert_eq!(picks(u64::MAX), UuidKind::HandSet);
        assert_eq!("v7".parse::<UuidMix>().unwrap(), UuidMix::of(UuidKind::V7));
        assert_eq!("v7=5,v4=0".parse::<UuidMix>().unwrap().kinds().count(), 1);
        for wrong in [
            "",
            "v5",
            "v4=0",
            "v4=-1",
            "v4=1,v4=2",
            "v4=",
            "=1",
            "v4=99999999999",
        ] {
            assert!(wrong.parse::<UuidMix>().is_err(), "{wrong}");
        }
    }
}
