//! Which release does what: the version table, and the answer for a version
//! that is not in it.
//!
//! The rows are in `table`. Nothing here computes a name; that is
//! [`crate::scheme`].

mod table;

use std::fmt;

use thiserror::Error;

use crate::ids::ImageRef;
use crate::rules;
use crate::scheme::Scheme;
use crate::version::LonghornVersion;

/// What one released version of Longhorn does about manager names.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Release {
    /// The version; never with a suffix.
    pub version: LonghornVersion,
    /// How it names managers.
    pub scheme: Scheme,
    /// Whether a new filesystem disk gets a UUID with a prefix of its own; see
    /// [`crate::guard`]. A guarded release may still be affected.
    pub prefix_guard: bool,
    /// The manager image in the published manifest, where one was seen.
    pub default_manager_image: Option<&'static str>,
    /// Anything odd about this row.
    pub note: Option<&'static str>,
}

/// A version as the table answers it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Resolved {
    /// The version is in the table.
    Exact(&'static Release),
    /// The version is a release of the table with a suffix: a release
    /// candidate, a published hotfix (`v1.10.2-hotfix-1`) or a vendor's build.
    /// It is treated as the plain release, though a release candidate may have
    /// been cut before the change that matters.
    Suffixed {
        /// The version that was asked for.
        asked: LonghornVersion,
        /// The release without the suffix.
        treated_as: &'static Release,
    },
    /// The version is newer than the table. A later patch of a minor version in
    /// the table is treated as its last known patch (v1.9.7 as v1.9.3), a later
    /// minor or major version as the last known release of all.
    NewerThanKnown {
        /// The version that was asked for.
        asked: LonghornVersion,
        /// The release that it is assumed to be like.
        treated_as: &'static Release,
    },
}

/// A version from before the table begins, about which nothing is known.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("Longhorn {asked} is older than {oldest}, the oldest version known", oldest = oldest_known())]
pub struct UnknownVersion {
    /// The version that was asked for.
    pub asked: LonghornVersion,
}

/// The default manager image of a version, and how sure that is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ManagerImage {
    /// The literal image string.
    pub image: ImageRef,
    /// `true` if it stands in that version's published manifest, `false` if
    /// it is the usual repository with the asked tag.
    pub published: bool,
}

/// Why a version has no default manager image.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum NoManagerImage {
    /// The version is not known.
    #[error(transparent)]
    Unknown(#[from] UnknownVersion),
    /// The version has no backing image managers.
    #[error("Longhorn {0} has no backing image managers, so no image for them")]
    NoManagers(LonghornVersion),
}

/// Every release, oldest first.
#[must_use]
pub fn releases() -> &'static [Release] {
    &table::RELEASES
}

/// Finds the release that stands for `version`.
///
/// # Errors
/// When the version is older than the table.
pub fn resolve(version: &LonghornVersion) -> Result<Resolved, UnknownVersion> {
    let base = version.base();
    let asked = || version.clone();
    let Some(not_newer) = releases().iter().rfind(|known| known.version <= base) else {
        return Err(UnknownVersion { asked: asked() });
    };
    Ok(if not_newer.version != base {
        Resolved::NewerThanKnown {
            asked: asked(),
            treated_as: not_newer,
        }
    } else if version.pre.is_some() {
        Resolved::Suffixed {
            asked: asked(),
            treated_as: not_newer,
        }
    } else {
        Resolved::Exact(not_newer)
    })
}

/// The default manager image of `version`.
///
/// Where no manifest was seen, it is the repository of the last release before
/// it, with the asked version as its tag: v1.9.3 gives
/// `longhornio/backing-image-manager:v1.9.3`, v1.13.0
/// `docker.io/longhornio/backing-image-manager:v1.13.0`. For a version with a
/// suffix likewise, since hotfixes and release candidates have images of their
/// own.
///
/// # Errors
/// When the version is not known, or has no managers.
pub fn manager_image_for(version: &LonghornVersion) -> Result<ManagerImage, NoManagerImage> {
    let resolved = resolve(version)?;
    let release = resolved.release();
    if release.scheme == Scheme::None {
        return Err(NoManagerImage::NoManagers(version.clone()));
    }
    if let (Resolved::Exact(_), Some(image)) = (&resolved, release.default_manager_image) {
        return Ok(ManagerImage {
            image: ImageRef::new(image),
            published: true,
        });
    }
    let last_seen = releases()
        .iter()
        .filter(|known| known.version <= release.version)
        .rev()
        .find_map(|known| known.default_manager_image);
    match last_seen {
        Some(image) => Ok(ManagerImage {
            image: ImageRef::new(format!("{}:{version}", ImageRef::new(image).repository())),
            published: false,
        }),
        None => Err(NoManagerImage::NoManagers(version.clone())),
    }
}

impl Release {
    /// Whether two disks can get one manager name because of their prefixes.
    #[must_use]
    pub fn affected(&self) -> bool {
        self.scheme == Scheme::Truncated
    }

    /// Length of its names; `None` without managers.
    #[must_use]
    pub fn name_length(&self) -> Option<usize> {
        self.scheme.name_length()
    }

    /// Whether its names fit in [`rules::DNS_LABEL_MAX`] bytes; `None` without
    /// managers.
    #[must_use]
    pub fn fits_dns_label(&self) -> Option<bool> {
        self.name_length()
            .map(|length| length <= rules::DNS_LABEL_MAX)
    }
}

impl Resolved {
    /// The release whose behaviour applies.
    #[must_use]
    pub fn release(&self) -> &'static Release {
        match self {
            Self::Exact(release)
            | Self::Suffixed {
                treated_as: release,
                ..
            }
            | Self::NewerThanKnown {
                treated_as: release,
                ..
            } => release,
        }
    }

    /// The version that was asked for.
    #[must_use]
    pub fn asked(&self) -> &LonghornVersion {
        match self {
            Self::Exact(release) => &release.version,
            Self::Suffixed { asked, .. } | Self::NewerThanKnown { asked, .. } => asked,
        }
    }

    /// Whether the table itself has the version.
    #[must_use]
    pub fn is_exact(&self) -> bool {
        matches!(self, Self::Exact(_))
    }

    /// What the user must be told if the answer is not exact: a sentence
    /// without a final stop.
    #[must_use]
    pub fn note(&self) -> Option<String> {
        match self {
            Self::Exact(_) => None,
            _ => Some(self.to_string()),
        }
    }
}

impl fmt::Display for Resolved {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exact(release) => write!(f, "{}", release.version),
            Self::Suffixed { asked, treated_as } => {
                write!(f, "{asked} is treated as {}", treated_as.version)
            }
            Self::NewerThanKnown { asked, treated_as } => write!(
                f,
                "{asked} is not known; it is treated as {}, the newest known version before it",
                treated_as.version
            ),
        }
    }
}

fn oldest_known() -> &'static LonghornVersion {
    &table::RELEASES[0].version
}

#[cfg(test)]
mod tests {
    use super::*;

    fn version(text: &str) -> LonghornVersion {
        text.parse().unwrap()
    }

    #[test]
    fn the_table_is_sorted_and_has_no_gap_in_its_patches() {
        for pair in releases().windows(2) {
            let (before, after) = (&pair[0].version, &pair[1].version);
            let next_patch = LonghornVersion::new(before.major, before.minor, before.patch + 1);
            let next_minor = LonghornVersion::new(before.major, before.minor + 1, 0);
            assert!(
                *after == next_patch || *after == next_minor,
                "{before} {after}"
            );
        }
    }

    #[test]
    fn an_unknown_newer_version_is_the_newest_known_before_it_and_says_so() {
        for (asked, treated_as) in [
            ("v1.9.7", "v1.9.3"),
            ("v1.10.9", "v1.10.2"),
            ("v1.7.5", "v1.7.4"),
            ("v1.12.2", "v1.12.1"),
            ("v1.13.0", "v1.12.1"),
            ("v1.13.0-rc1", "v1.12.1"),
            ("v2.0.0", "v1.12.1"),
            ("v18446744073709551615.0.0", "v1.12.1"),
        ] {
            let resolved = resolve(&version(asked)).unwrap();
            assert_eq!(resolved.release().version, version(treated_as), "{asked}");
            assert!(
                matches!(&resolved, Resolved::NewerThanKnown { asked: a, .. } if *a == version(asked))
            );
            let note = resolved.note().unwrap();
            assert!(note.contains(asked) && note.contains(treated_as), "{note}");
        }
    }

    #[test]
    fn a_hotfix_is_treated_as_its_release_and_says_so() {
        let resolved = resolve(&version("v1.10.2-hotfix-1")).unwrap();
        assert_eq!(resolved.release().scheme, Scheme::Sha224);
        assert_eq!(
            resolved.note().as_deref(),
            Some("v1.10.2-hotfix-1 is treated as v1.10.2")
        );
        assert_eq!(
            resolve(&version("v1.9.2-rc1")).unwrap().release().version,
            version("v1.9.2")
        );
        assert_eq!(resolve(&version("v1.9.2")).unwrap().note(), None);
    }

    #[test]
    fn a_version_before_the_table_is_an_error() {
        for text in ["v1.0.2", "v0.8.1", "0.0.0"] {
            let error = resolve(&version(text)).unwrap_err();
            assert_eq!(error.asked, version(text));
            assert!(
                error
                    .to_string()
                    .ends_with("older than v1.1.0, the oldest version known")
            );
        }
    }

    #[test]
    fn the_image_of_a_version_without_a_manifest_is_assumed_from_the_one_before() {
        for (asked, image, published) in [
            ("v1.9.1", "longhornio/backing-image-manager:v1.9.1", true),
            ("v1.8.0", "longhornio/backing-image-manager:v1.8.0", true),
            ("v1.7.4", "longhornio/backing-image-manager:v1.7.4", false),
            ("v1.9.3", "longhornio/backing-image-manager:v1.9.3", false),
            ("v1.9.9", "longhornio/backing-image-manager:v1.9.9", false),
            (
                "v1.12.1",
                "docker.io/longhornio/backing-image-manager:v1.12.1",
                true,
            ),
            (
                "v1.13.0",
                "docker.io/longhornio/backing-image-manager:v1.13.0",
                false,
            ),
            (
                "v1.10.2-hotfix-1",
                "docker.io/longhornio/backing-image-manager:v1.10.2-hotfix-1",
                false,
            ),
        ] {
            let expected = ManagerImage {
                image: ImageRef::new(image),
                published,
            };
            assert_eq!(manager_image_for(&version(asked)), Ok(expected), "{asked}");
        }
        assert_eq!(
            manager_image_for(&version("v1.1.0")),
            Err(NoManagerImage::NoManagers(version("v1.1.0")))
        );
        assert!(matches!(
            manager_image_for(&version("v1.0.0")),
            Err(NoManagerImage::Unknown(_))
        ));
    }
}
