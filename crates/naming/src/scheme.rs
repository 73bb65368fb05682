//! The name functions: what each Longhorn release, or a what-if release, calls
//! the manager of one disk under one image.
//!
//! The functions are those of `types/types.go`, `GetBackingImageManagerName`,
//! of the releases in [`mod@crate::releases`]; they are checked against names that
//! the real functions gave. Which release uses which is not decided here.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha224, Sha256, Sha512};
use thiserror::Error;

use crate::ids::{DiskUuid, ImageRef, ManagerName, PREFIX_LEN};

/// First part of the names up to v1.9.1.
pub const TRUNCATED_NAME_PREFIX: &str = "backing-image-manager-";
/// First part of the names from v1.9.2 on.
pub const HASHED_NAME_PREFIX: &str = "bim-";
/// How many hexadecimal digits of the image's hash a truncated name has.
const IMAGE_DIGITS: usize = 4;

/// A way to name managers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Scheme {
    /// No managers at all: v1.1.0.
    None,
    /// Four hexadecimal digits of the image's hash and the first four bytes of
    /// the disk's UUID: v1.1.1 to v1.9.1. Two disks collide with a chance of
    /// one in 65,536.
    Truncated,
    /// SHA-256 of image and disk, 68 characters: v1.9.2, v1.9.3, v1.10.0 and
    /// v1.10.1.
    Sha256,
    /// SHA-224 of image and disk, 60 characters: v1.10.2 and later.
    Sha224,
    /// A scheme that no release has used.
    WhatIf(WhatIf),
}

/// Schemes to reason about: how long would a name have to be?
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum WhatIf {
    /// As [`Scheme::Truncated`], with this many characters of the UUID instead
    /// of four. Longhorn slices the *dashed* string, so characters 9, 14, 19
    /// and 24 are hyphens and count; with 4 it is the truncated scheme itself.
    UuidHexDigits(Width<36>),
    /// As [`Scheme::Truncated`], with the whole UUID.
    FullUuid,
    /// As [`Scheme::Sha256`], with only this many hexadecimal digits of the
    /// hash, four bits each.
    HashHexDigits(Width<64>),
}

/// A number of characters from 1 to `MAX`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Width<const MAX: u8>(u8);

/// Why a disk has no manager name.
///
/// In the real Longhorn only [`NameError::NoManagers`] is harmless; the caller
/// should report the others as findings about the disk.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum NameError {
    /// The release has no backing image managers.
    #[error("this Longhorn version has no backing image managers, so no manager names")]
    NoManagers,
    /// Go's slice expression is out of range: the whole longhorn-manager
    /// process panics and exits with code 2.
    #[error(
        "disk UUID {:?} is too short: longhorn-manager itself panics on it, \
         slice bounds out of range [:{wanted}] with length {length}",
        .uuid.as_str()
    )]
    UuidTooShort {
        /// The UUID as given.
        uuid: DiskUuid,
        /// How many bytes the scheme takes.
        wanted: usize,
        /// How many bytes there are.
        length: usize,
    },
    /// Go slices bytes, so the name would not be UTF-8, which no API server
    /// stores.
    #[error(
        "disk UUID {:?} cannot be cut after {wanted} bytes: the cut is inside a character, \
         and the name would not be valid text",
        .uuid.as_str()
    )]
    CutInsideCharacter {
        /// The UUID as given.
        uuid: DiskUuid,
        /// How many bytes the scheme takes.
        wanted: usize,
    },
}

/// A string that names no [`Scheme`].
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error(
    "unknown naming scheme {0:?}; expected none, truncated, sha256, sha224, uuid-K (K = 1 to 36 \
     characters of the UUID), uuid-full or hash-K (K = 1 to 64 hexadecimal digits)"
)]
pub struct UnknownScheme(pub String);

impl<const MAX: u8> Width<MAX> {
    /// `None` if `characters` is 0 or more than `MAX`.
    #[must_use]
    pub const fn new(characters: u8) -> Option<Self> {
        if characters == 0 || characters > MAX {
            None
        } else {
            Some(Self(characters))
        }
    }

    /// The number.
    #[must_use]
    pub const fn get(self) -> u8 {
        self.0
    }

    fn parse(text: &str) -> Option<Self> {
        // Only the spelling that `Display` gives, so that an id is unique.
        let characters: u8 = text.parse().ok()?;
        (characters.to_string() == text)
            .then(|| Self::new(characters))
            .flatten()
    }
}

impl Scheme {
    /// The schemes that releases use, oldest first.
    pub const RELEASED: [Self; 4] = [Self::None, Self::Truncated, Self::Sha256, Self::Sha224];

    /// The name of the manager that serves `disk` under `image`.
    ///
    /// The result is what the real function returns, be it a valid object name
    /// or not: an upper-case UUID gives a truncated name that the API server
    /// refuses. [`crate::rules`] tells.
    ///
    /// # Errors
    /// When the scheme has no names, or the real function would panic or make
    /// bytes that are not text.
    pub fn manager_name(
        &self,
        image: &ImageRef,
        disk: &DiskUuid,
    ) -> Result<ManagerName, NameError> {
        let hashed = |digits: &str| ManagerName::new(format!("{HASHED_NAME_PREFIX}{digits}"));
        match self {
            Self::None => Err(NameError::NoManagers),
            Self::Truncated => Ok(truncated(image, first_bytes(disk, PREFIX_LEN)?)),
            Self::WhatIf(WhatIf::UuidHexDigits(width)) => {
                Ok(truncated(image, first_bytes(disk, width.get().into())?))
            }
            Self::WhatIf(WhatIf::FullUuid) => Ok(truncated(image, disk.as_str())),
            Self::Sha256 => Ok(hashed(&hex_of::<Sha256>(&hash_input(image, disk)))),
            Self::Sha224 => Ok(hashed(&hex_of::<Sha224>(&hash_input(image, disk)))),
            Self::WhatIf(WhatIf::HashHexDigits(width)) => {
                let digits = hex_of::<Sha256>(&hash_input(image, disk));
                Ok(hashed(&digits[..usize::from(width.get())]))
            }
        }
    }

    /// How many random bits of a version 4 UUID tell two disks under one image
    /// apart; `None` if the scheme has no names.
    ///
    /// 16 for the truncated scheme. For the hashed ones 122, all that such a
    /// UUID has: a collision of the hash itself is about 2^102 times rarer
    /// than two equal UUIDs and is left out.
    #[must_use]
    pub fn random_bits(&self) -> Option<u16> {
        match self {
            Self::None => None,
            Self::Truncated => Some(uuid_v4_random_bits(PREFIX_LEN)),
            Self::Sha256 | Self::Sha224 | Self::WhatIf(WhatIf::FullUuid) => {
                Some(uuid_v4_random_bits(UUID_V4.len()))
            }
            Self::WhatIf(WhatIf::UuidHexDigits(width)) => {
                Some(uuid_v4_random_bits(usize::from(width.get())))
            }
            Self::WhatIf(WhatIf::HashHexDigits(width)) => {
                Some((4 * u16::from(width.get())).min(uuid_v4_random_bits(UUID_V4.len())))
            }
        }
    }

    /// Length in bytes of the names of disks with an ordinary UUID of 36
    /// characters; `None` if the scheme has no names.
    #[must_use]
    pub fn name_length(&self) -> Option<usize> {
        let truncated = |uuid: usize| TRUNCATED_NAME_PREFIX.len() + IMAGE_DIGITS + 1 + uuid;
        let hashed = |digits: usize| HASHED_NAME_PREFIX.len() + digits;
        match self {
            Self::None => None,
            Self::Truncated => Some(truncated(PREFIX_LEN)),
            Self::Sha256 => Some(hashed(64)),
            Self::Sha224 => Some(hashed(56)),
            Self::WhatIf(WhatIf::UuidHexDigits(width)) => Some(truncated(width.get().into())),
            Self::WhatIf(WhatIf::FullUuid) => Some(truncated(UUID_V4.len())),
            Self::WhatIf(WhatIf::HashHexDigits(width)) => Some(hashed(width.get().into())),
        }
    }

    /// Whether its names fit in a DNS label (and so in a pod's hostname and in
    /// a label's value); `None` if the scheme has no names.
    #[must_use]
    pub fn fits_dns_label(&self) -> Option<bool> {
        self.name_length()
            .map(|length| length <= crate::rules::DNS_LABEL_MAX)
    }

    /// The stable word for it in JSON and on the command line; [`FromStr`] and
    /// serde read it back.
    #[must_use]
    pub fn id(&self) -> Cow<'static, str> {
        match self {
            Self::None => "none".into(),
            Self::Truncated => "truncated".into(),
            Self::Sha256 => "sha256".into(),
            Self::Sha224 => "sha224".into(),
            Self::WhatIf(WhatIf::UuidHexDigits(width)) => format!("uuid-{}", width.get()).into(),
            Self::WhatIf(WhatIf::FullUuid) => "uuid-full".into(),
            Self::WhatIf(WhatIf::HashHexDigits(width)) => format!("hash-{}", width.get()).into(),
        }
    }
}

impl fmt::Display for Scheme {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.id())
    }
}

impl FromStr for Scheme {
    type Err = UnknownScheme;

    fn from_str(text: &str) -> Result<Self, UnknownScheme> {
        let known = Self::RELEASED
            .into_iter()
            .chain([Self::WhatIf(WhatIf::FullUuid)])
            .find(|scheme| scheme.id() == text);
        known
            .or_else(|| {
                let (kind, width) = text.split_once('-')?;
                let what_if = match kind {
                    "uuid" => WhatIf::UuidHexDigits(Width::parse(width)?),
                    "hash" => WhatIf::HashHexDigits(Width::parse(width)?),
                    _ => return None,
                };
                Some(Self::WhatIf(what_if))
            })
            .ok_or_else(|| UnknownScheme(text.to_owned()))
    }
}

impl TryFrom<String> for Scheme {
    type Error = UnknownScheme;

    fn try_from(text: String) -> Result<Self, UnknownScheme> {
        text.parse()
    }
}

impl From<Scheme> for String {
    fn from(scheme: Scheme) -> Self {
        scheme.id().into_owned()
    }
}

/// The bytes that the hashed schemes hash: the image, a hyphen and the UUID,
/// with blanks trimmed from the two ends of the *whole*.
///
/// The issue that announced the fix (longhorn#11455) says disk first; the code
/// of v1.9.2 and later says image first. `strings.TrimSpace` and [`str::trim`]
/// both mean Unicode's `White_Space`.
#[must_use]
pub fn hash_input(image: &ImageRef, disk: &DiskUuid) -> String {
    format!("{image}-{disk}").trim().to_owned()
}

/// Where a version 4 UUID is random. Each hexadecimal digit `x` holds four
/// random bits, `y` (the variant) two, the version digit and the hyphens none.
const UUID_V4: &[u8; 36] = b"xxxxxxxx-xxxx-4xxx-yxxx-xxxxxxxxxxxx";

/// Random bits in the first `characters` characters of a dashed version 4 UUID.
#[must_use]
pub fn uuid_v4_random_bits(characters: usize) -> u16 {
    UUID_V4
        .iter()
        .take(characters)
        .map(|place| match place {
            b'x' => 4,
            b'y' => 2,
            _ => 0,
        })
        .sum()
}

fn truncated(image: &ImageRef, uuid: &str) -> ManagerName {
    let image = hex_of::<Sha512>(image.as_str());
    let image = &image[..IMAGE_DIGITS];
    ManagerName::new(format!("{TRUNCATED_NAME_PREFIX}{image}-{uuid}"))
}

fn first_bytes(disk: &DiskUuid, wanted: usize) -> Result<&str, NameError> {
    let uuid = disk.as_str();
    uuid.get(..wanted).ok_or_else(|| {
        if uuid.len() < wanted {
            NameError::UuidTooShort {
                uuid: disk.clone(),
                wanted,
                length: uuid.len(),
            }
        } else {
            NameError::CutInsideCharacter {
                uuid: disk.clone(),
                wanted,
            }
        }
    })
}

fn hex_of<D: Digest>(text: &str) -> String {
    hex::encode(D::digest(text.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn random_bits_follow_the_layout_of_a_version_4_uuid() {
        // The closed form, piece by piece, as a second way to the same numbers.
        for k in 1..=36_u16 {
            let expected = match k {
                1..=8 => 4 * k,
                9 => 32,
                10..=13 => 4 * k - 4,
                14..=15 => 48,
                16..=18 => 4 * k - 12,
                19 => 60,
                20 => 62,
                21..=23 => 4 * k - 18,
                24 => 74,
                _ => 4 * k - 22,
            };
            assert_eq!(uuid_v4_random_bits(k.into()), expected, "{k} characters");
        }
        assert_eq!(Scheme::None.random_bits(), None);
        assert_eq!(Scheme::Truncated.random_bits(), Some(16));
        assert_eq!(Scheme::Sha224.random_bits(), Some(122));
        assert_eq!("uuid-13".parse::<Scheme>().unwrap().random_bits(), Some(48));
        assert_eq!(
            "hash-30".parse::<Scheme>().unwrap().random_bits(),
            Some(120)
        );
        assert_eq!(
            "hash-31".parse::<Scheme>().unwrap().random_bits(),
            Some(122)
        );
    }

    #[test]
    fn every_scheme_id_reads_back_as_the_scheme() {
        let uuid = (1..=36).map(|k| WhatIf::UuidHexDigits(Width::new(k).unwrap()));
        let hash = (1..=64).map(|k| WhatIf::HashHexDigits(Width::new(k).unwrap()));
        let what_if = uuid
            .chain(hash)
            .chain([WhatIf::FullUuid])
            .map(Scheme::WhatIf);
        for scheme in Scheme::RELEASED.into_iter().chain(what_if) {
            assert_eq!(scheme.id().parse(), Ok(scheme));
        }
        for text in [
            "",
            "SHA256",
            "uuid",
            "uuid-",
            "uuid-0",
            "uuid-37",
            "uuid-04",
            "uuid-+4",
            "hash-65",
            "hash-full",
            "hash-256",
            "sha-224",
            " none",
        ] {
            assert_eq!(
                text.parse::<Scheme>(),
                Err(UnknownScheme(text.to_owned())),
                "{text}"
            );
        }
    }

    #[test]
    fn what_if_schemes_lie_between_the_released_ones() {
        let image = ImageRef::new("longhornio/backing-image-manager:v1.9.1");
        let disk = DiskUuid::new("c012eb76-f8eb-4ea1-b81d-472eac9d98bf");
        let name = |scheme: &str| {
            let scheme: Scheme = scheme.parse().unwrap();
            let name = scheme.manager_name(&image, &disk).unwrap();
            assert_eq!(Some(name.as_str().len()), scheme.name_length(), "{scheme}");
            name
        };
        assert_eq!(name("uuid-4"), name("truncated"));
        assert_eq!(name("hash-64"), name("sha256"));
        assert_eq!(name("uuid-36"), name("uuid-full"));
        assert_eq!(
            name("uuid-9").as_str(),
            "backing-image-manager-4407-c012eb76-"
        );
        assert_eq!(name("hash-8").as_str(), "bim-4766f421");
        assert_eq!(name("sha224").as_str().len(), 60);
        assert_eq!(
            "uuid-full".parse::<Scheme>().unwrap().fits_dns_label(),
            Some(true)
        );
    }

    #[test]
    fn a_uuid_that_cannot_be_cut_is_an_error_and_not_a_panic() {
        let image = ImageRef::new("x");
        let short = Scheme::Truncated.manager_name(&image, &DiskUuid::new("aaa"));
        let message = short.unwrap_err().to_string();
        assert!(
            message.contains("slice bounds out of range [:4] with length 3"),
            "{message}"
        );
        assert!(matches!(
            Scheme::Truncated.manager_name(&image, &DiskUuid::new("abcé")),
            Err(NameError::CutInsideCharacter { wanted: 4, .. })
        ));
        // Two characters of three bytes are long enough for Go's check.
        assert!(matches!(
            Scheme::Truncated.manager_name(&image, &DiskUuid::new("镜像")),
            Err(NameError::CutInsideCharacter { wanted: 4, .. })
        ));
        assert_eq!(
            Scheme::None.manager_name(&image, &DiskUuid::new("abcd")),
            Err(NameError::NoManagers)
        );
    }

    #[test]
    fn the_hash_input_is_trimmed_as_a_whole() {
        let input =
            |image: &str, disk: &str| hash_input(&ImageRef::new(image), &DiskUuid::new(disk));
        assert_eq!(input(" \u{a0}img ", " u\u{3000}\n"), "img - u");
        // Not White_Space: a zero-width space and a byte order mark stay.
        assert_eq!(input("\u{200b}img", "u\u{feff}"), "\u{200b}img-u\u{feff}");
        assert_eq!(input("", ""), "-");
    }
}
