//! Newtypes for the three strings that are easily confused: a disk's UUID, a
//! manager image and a manager's name.
//!
//! They hold what Longhorn stores, character for character: nothing is
//! trimmed, lowered or checked here, because the name functions see the raw
//! string too. What a name may look like is in [`crate::rules`].

use std::fmt;

use serde::{Deserialize, Serialize};

/// How many bytes of a disk's UUID the truncated scheme and the prefix guard
/// look at (longhorn-manager v1.9.1, `types/types.go`).
pub const PREFIX_LEN: usize = 4;

macro_rules! string_newtype {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(String);

        impl $name {
            /// Wraps the string unchanged.
            pub fn new(value: impl Into<String>) -> Self {
                Self(value.into())
            }

            /// The string as it was given.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }

            /// Gives the string back.
            #[must_use]
            pub fn into_string(self) -> String {
                self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }

        impl From<&str> for $name {
            fn from(value: &str) -> Self {
                Self::new(value)
            }
        }

        impl From<String> for $name {
            fn from(value: String) -> Self {
                Self(value)
            }
        }

        // Lets a map keyed by the newtype be asked with a plain `&str`; sound
        // because the derived order and hash are those of the string.
        impl std::borrow::Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }
    };
}

string_newtype! {
    /// A disk's UUID as it stands in `status.diskStatus[…].diskUUID` and in
    /// `longhorn-disk.cfg`.
    ///
    /// Any string is accepted, since Longhorn accepts any: hand-edited ones
    /// are upper case, have spaces or are three characters long.
    DiskUuid
}

string_newtype! {
    /// The literal value of the flag `--backing-image-manager-image`.
    ///
    /// All of it enters a manager's name: the registry, its port, the tag and
    /// the digest. Two spellings of one image are two images to Longhorn.
    ImageRef
}

string_newtype! {
    /// The name of a `BackingImageManager` object, and of its pod.
    ManagerName
}

impl DiskUuid {
    /// The first four **bytes**, as Go's `uuid[:4]` takes them.
    ///
    /// `None` if the string is shorter, or if the cut would fall inside a
    /// character (Go would then build a name that is not UTF-8).
    #[must_use]
    pub fn prefix(&self) -> Option<&str> {
        self.0.get(..PREFIX_LEN)
    }
}

/// The parts of an [`ImageRef`], as far as they can be told apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct ImageParts<'a> {
    repository: &'a str,
    tag: Option<&'a str>,
    digest: Option<&'a str>,
}

impl ImageRef {
    /// The part before tag and digest, with the registry and its port.
    ///
    /// ```
    /// # use fixname_naming::ImageRef;
    /// let image = ImageRef::new("registry.example.com:5000/mirror/manager:v1.8.1");
    /// assert_eq!(image.repository(), "registry.example.com:5000/mirror/manager");
    /// assert_eq!(image.tag(), Some("v1.8.1"));
    /// ```
    #[must_use]
    pub fn repository(&self) -> &str {
        self.parts().repository
    }

    /// The tag, also if a digest follows it.
    #[must_use]
    pub fn tag(&self) -> Option<&str> {
        self.parts().tag
    }

    /// The digest, as `algorithm:hex`.
    #[must_use]
    pub fn digest(&self) -> Option<&str> {
        self.parts().digest
    }

    fn parts(&self) -> ImageParts<'_> {
        let (rest, digest) = match self.0.split_once('@') {
            Some((rest, digest)) => (rest, Some(digest)),
            None => (self.0.as_str(), None),
        };
        // A colon before the last slash belongs to the registry's port.
        let last_segment = rest.rfind('/').map_or(0, |slash| slash + 1);
        match rest[last_segment..].find(':') {
            Some(colon) => {
                let colon = last_segment + colon;
                ImageParts {
                    repository: &rest[..colon],
                    tag: Some(&rest[colon + 1..]),
                    digest,
                }
            }
            None => ImageParts {
                repository: rest,
                tag: None,
                digest,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_is_taken_apart_at_the_right_colons() {
        let cases: &[(&str, &str, Option<&str>, Option<&str>)] = &[
            ("a/b:v1", "a/b", Some("v1"), None),
            ("a/b", "a/b", None, None),
            ("host:5000/b", "host:5000/b", None, None),
            ("host:5000/b:v1", "host:5000/b", Some("v1"), None),
            ("a/b@sha256:ab", "a/b", None, Some("sha256:ab")),
            (
                "host:5000/b:v1@sha256:ab",
                "host:5000/b",
                Some("v1"),
                Some("sha256:ab"),
            ),
            ("b:v1", "b", Some("v1"), None),
            ("", "", None, None),
            ("镜像/管理器:v1", "镜像/管理器", Some("v1"), None),
        ];
        for &(text, repository, tag, digest) in cases {
            let image = ImageRef::new(text);
            assert_eq!(
                (image.repository(), image.tag(), image.digest()),
                (repository, tag, digest),
                "{text}"
            );
        }
    }

    #[test]
    fn a_prefix_is_four_bytes_or_nothing() {
        assert_eq!(DiskUuid::new("c012eb76-f8eb").prefix(), Some("c012"));
        assert_eq!(DiskUuid::new("c012").prefix(), Some("c012"));
        assert_eq!(DiskUuid::new("c01").prefix(), None);
        assert_eq!(DiskUuid::new("").prefix(), None);
        // "é" is two bytes, "镜" three: the fourth byte is inside a character.
        assert_eq!(DiskUuid::new("abcé").prefix(), None);
        assert_eq!(DiskUuid::new("镜像").prefix(), None);
        assert_eq!(DiskUuid::new("éé").prefix(), Some("éé"));
    }
}
