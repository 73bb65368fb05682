//! Longhorn versions, read from the strings that a user has at hand: `v1.9.1`,
//! `1.9.1`, or an image with such a tag.
//!
//! Only the spelling is checked here. Whether a version was ever released, and
//! how it names managers, is in [`mod@crate::releases`].

use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::ids::ImageRef;

/// A version such as `v1.9.1` or `v1.10.2-hotfix-1`.
///
/// Ordered as semantic versions are, so a suffix sorts *before* the plain
/// version. For a release candidate that is right. For a published hotfix
/// (`v1.10.2-hotfix-1` came out after `v1.10.2`) it is not, but it is what
/// Longhorn's own upgrade check believes (see [`crate::upgrade_path`]).
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct LonghornVersion {
    /// First number.
    pub major: u64,
    /// Second number.
    pub minor: u64,
    /// Third number.
    pub patch: u64,
    /// What follows a hyphen after the third number, without the hyphen.
    pub pre: Option<String>,
}

/// Why a string is not the version of a Longhorn release.
///
/// The caller should show the message and ask for a version such as `v1.9.1`.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum VersionError {
    /// Nothing was given.
    #[error("the version is empty; expected one like v1.9.1")]
    Empty,
    /// The string has a space or another blank in it.
    #[error("version {0:?} has a space in it; expected one like v1.9.1")]
    Blank(String),
    /// An image pinned by digest alone.
    #[error("{0:?} has a digest but no tag, and a digest names no version; say the version itself")]
    DigestOnly(String),
    /// An image without a tag.
    #[error("image {0:?} has no tag; expected one like longhornio/longhorn-manager:v1.9.1")]
    NoTag(String),
    /// A tag that points to another build every day.
    #[error(
        "{0:?} is a moving build, not a release; say the release it was built from, like v1.9.1"
    )]
    Moving(String),
    /// A tag from before v1.4.0, when manager images had numbers of their own.
    #[error(
        "{0:?} is the image tag of a release before v1.4.0, and several releases share it; say the release itself, like v1.3.3"
    )]
    OldImageTag(String),
    /// One or two of the three numbers are missing.
    #[error("version {0:?} is not complete; expected three numbers, like v1.9.1")]
    Incomplete(String),
    /// A number does not fit in 64 bits.
    #[error("version {0:?} has a number that is too large")]
    TooLarge(String),
    /// Anything else.
    #[error("{0:?} is not a version; expected one like v1.9.1")]
    Malformed(String),
}

impl LonghornVersion {
    /// A version without a suffix.
    #[must_use]
    pub const fn new(major: u64, minor: u64, patch: u64) -> Self {
        Self {
            major,
            minor,
            patch,
            pre: None,
        }
    }

    /// The same version without its suffix.
    #[must_use]
    pub const fn base(&self) -> Self {
        Self::new(self.major, self.minor, self.patch)
    }

    /// The three numbers.
    #[must_use]
    pub const fn numbers(&self) -> (u64, u64, u64) {
        (self.major, self.minor, self.patch)
    }
}

impl FromStr for LonghornVersion {
    type Err = VersionError;

    fn from_str(given: &str) -> Result<Self, VersionError> {
        if given.is_empty() {
            return Err(VersionError::Empty);
        }
        if given.contains(char::is_whitespace) {
            return Err(VersionError::Blank(given.to_owned()));
        }
        if !given.contains(['/', ':', '@']) {
            return parse_tag(given);
        }
        let image = ImageRef::new(given);
        match (image.tag(), image.digest()) {
            (Some(""), _) | (None, None) => Err(VersionError::NoTag(given.to_owned())),
            (Some(tag), _) => parse_tag(tag),
            (None, Some(_)) => Err(VersionError::DigestOnly(given.to_owned())),
        }
    }
}

impl TryFrom<&str> for LonghornVersion {
    type Error = VersionError;

    fn try_from(given: &str) -> Result<Self, VersionError> {
        given.parse()
    }
}

impl TryFrom<String> for LonghornVersion {
    type Error = VersionError;

    fn try_from(given: String) -> Result<Self, VersionError> {
        given.parse()
    }
}

impl TryFrom<&ImageRef> for LonghornVersion {
    type Error = VersionError;

    /// The version in an image's tag. A word that only *looks* like a version
    /// (`v1.9.1` with no repository before it) is taken as one.
    fn try_from(image: &ImageRef) -> Result<Self, VersionError> {
        image.as_str().parse()
    }
}

impl From<LonghornVersion> for String {
    fn from(version: LonghornVersion) -> Self {
        version.to_string()
    }
}

impl fmt::Display for LonghornVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            major,
            minor,
            patch,
            pre,
        } = self;
        let hyphen = if pre.is_some() { "-" } else { "" };
        let suffix = pre.as_deref().unwrap_or_default();
        f.pad(&format!("v{major}.{minor}.{patch}{hyphen}{suffix}"))
    }
}

impl Ord for LonghornVersion {
    fn cmp(&self, other: &Self) -> Ordering {
        self.numbers()
            .cmp(&other.numbers())
            .then_with(|| match (&self.pre, &other.pre) {
                (None, None) => Ordering::Equal,
                (None, Some(_)) => Ordering::Greater,
                (Some(_), None) => Ordering::Less,
                (Some(a), Some(b)) => compare_suffixes(a, b),
            })
    }
}

impl PartialOrd for LonghornVersion {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// Semantic versioning, item 11.4: numbers by value and before words, words by
/// their bytes, and the shorter of two equal beginnings first.
fn compare_suffixes(a: &str, b: &str) -> Ordering {
    let mut left = a.split('.');
    let mut right = b.split('.');
    loop {
        let ordering = match (left.next(), right.next()) {
            (None, None) => return Ordering::Equal,
            (None, Some(_)) => return Ordering::Less,
            (Some(_), None) => return Ordering::Greater,
            (Some(x), Some(y)) => match (is_number(x), is_number(y)) {
                // Leading zeros were refused, so the longer number is the
                // larger one; no length overflows.
                (true, true) => x.len().cmp(&y.len()).then_with(|| x.cmp(y)),
                (true, false) => Ordering::Less,
                (false, true) => Ordering::Greater,
                (false, false) => x.cmp(y),
            },
        };
        if ordering.is_ne() {
            return ordering;
        }
    }
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit())
}

fn parse_tag(tag: &str) -> Result<LonghornVersion, VersionError> {
    let malformed = || VersionError::Malformed(tag.to_owned());
    if tag == "latest" || tag.ends_with("-head") || tag == "head" {
        return Err(VersionError::Moving(tag.to_owned()));
    }
    let bare = tag.strip_prefix('v').unwrap_or(tag);
    if is_old_image_tag(bare) {
        return Err(VersionError::OldImageTag(tag.to_owned()));
    }
    let (numbers, pre) = match bare.split_once('-') {
        Some((numbers, pre)) => (numbers, Some(pre)),
        None => (bare, None),
    };
    let fields: Vec<&str> = numbers.split('.').collect();
    if !fields.iter().all(|field| is_number(field)) {
        return Err(malformed());
    }
    let &[major, minor, patch] = fields.as_slice() else {
        return Err(if fields.len() < 3 {
            VersionError::Incomplete(tag.to_owned())
        } else {
            malformed()
        });
    };
    if let Some(pre) = pre
        && !pre.split('.').all(is_suffix_part)
    {
        return Err(malformed());
    }
    let number = |text: &str| {
        if text.len() > 1 && text.starts_with('0') {
            return Err(malformed());
        }
        // All digits, so being too large is the one way to fail.
        text.parse()
            .map_err(|_| VersionError::TooLarge(tag.to_owned()))
    };
    Ok(LonghornVersion {
        major: number(major)?,
        minor: number(minor)?,
        patch: number(patch)?,
        pre: pre.map(str::to_owned),
    })
}

fn is_suffix_part(part: &str) -> bool {
    let leading_zero = part.len() > 1 && part.starts_with('0') && is_number(part);
    !part.is_empty()
        && !leading_zero
        && part.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
}

/// `1_20210422`, `2_20210820_patch1`: the tags of v1.1.1 to v1.3.3, without `v`.
fn is_old_image_tag(bare: &str) -> bool {
    let mut parts = bare.split('_');
    let (Some(api), Some(date)) = (parts.next(), parts.next()) else {
        return false;
    };
    is_number(api) && is_number(date)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<LonghornVersion, VersionError> {
        text.parse()
    }

    #[test]
    fn strings_that_a_user_has_at_hand_are_versions() {
        for (text, shown) in [
            ("v1.9.1", "v1.9.1"),
            ("1.9.1", "v1.9.1"),
            ("longhornio/backing-image-manager:v1.9.1", "v1.9.1"),
            (
                "registry.example.com:5000/mirror/longhornio/longhorn-manager:v1.8.1",
                "v1.8.1",
            ),
            (
                "docker.io/longhornio/backing-image-manager:v1.12.1@sha256:abab",
                "v1.12.1",
            ),
            ("longhorn-manager:1.10.2", "v1.10.2"),
            ("v1.9.2-rc1", "v1.9.2-rc1"),
            ("v1.10.2-hotfix-1", "v1.10.2-hotfix-1"),
            ("v1.10.0-dev-20250914", "v1.10.0-dev-20250914"),
        ] {
            assert_eq!(
                parse(text).map(|v| v.to_string()),
                Ok(shown.into()),
                "{text}"
            );
        }
    }

    #[test]
    fn other_strings_get_the_error_that_says_why() {
        use VersionError as E;
        type Case = (&'static str, fn(String) -> VersionError);
        let cases: &[Case] = &[
            (" v1.9.1", E::Blank),
            ("v1.9.1\n", E::Blank),
            ("v1. 9.1", E::Blank),
            ("v1.9", E::Incomplete),
            ("v1", E::Incomplete),
            ("1", E::Incomplete),
            ("latest", E::Moving),
            ("master-head", E::Moving),
            ("v1.8.x-head", E::Moving),
            ("v3_20230320", E::OldImageTag),
            ("v2_20210820_patch1", E::OldImageTag),
            ("longhornio/backing-image-manager", E::NoTag),
            ("host:5000/longhorn-manager", E::NoTag),
            ("host/longhorn-manager:", E::NoTag),
            ("a/b@sha256:abab", E::DigestOnly),
            ("v1.9.18446744073709551616", E::TooLarge),
            ("v1.9.1.0", E::Malformed),
            ("v1.9.x", E::Malformed),
            ("v1.9.1-", E::Malformed),
            ("v1.9.1-a..b", E::Malformed),
            ("v1.9.1-rc.01", E::Malformed),
            ("v01.9.1", E::Malformed),
            ("v1.9.-1", E::Malformed),
            ("v+1.9.1", E::Malformed),
            // A Rancher chart's version: its first number is not Longhorn's.
            ("106.2.0+up1.8.1", E::Malformed),
            ("vv1.9.1", E::Malformed),
            ("V1.9.1", E::Malformed),
            ("banana", E::Malformed),
        ];
        assert_eq!(parse(""), Err(E::Empty));
        for &(text, error) in cases {
            let got = parse(text);
            // The text quoted is the tag where an image was given.
            let quoted = match &got {
                Err(E::Blank(t) | E::Incomplete(t) | E::Moving(t) | E::OldImageTag(t))
                | Err(E::NoTag(t) | E::DigestOnly(t) | E::TooLarge(t) | E::Malformed(t)) => {
                    t.clone()
                }
                other => panic!("{text:?} gave {other:?}"),
            };
            assert_eq!(got, Err(error(quoted.clone())), "{text}");
            assert!(text.contains(&quoted), "{text}");
        }
    }

    #[test]
    fn versions_sort_by_semantic_versioning() {
        let sorted = [
            "v1.1.0",
            "v1.9.1",
            "v1.9.2-1",
            "v1.9.2-2",
            "v1.9.2-10",
            "v1.9.2-rc.2",
            "v1.9.2-rc.10",
            "v1.9.2-rc.10.1",
            "v1.9.2-rc1",
            "v1.9.2",
            "v1.10.0",
            "v1.10.2-hotfix-1",
            "v1.10.2",
            "v2.0.0",
        ]
        .map(|text| parse(text).unwrap());
        for (i, a) in sorted.iter().enumerate() {
            for (j, b) in sorted.iter().enumerate() {
                assert_eq!(a.cmp(b), i.cmp(&j), "{a} {b}");
            }
        }
    }
}
