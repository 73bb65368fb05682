//! The parts of the model. Each can be left out, so that the real thing, or
//! somebody's own controller, takes its place against the rest.

use std::fmt;
use std::str::FromStr;

/// One part.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    /// The backing image controller: [`crate::backing_image`].
    BackingImage,
    /// What the backing image manager controller does: it marks managers of disks
    /// that are not ready, takes the finalizer off deleted ones, and evicts copies
    /// from missing disks ([`crate::manager`], [`crate::missing_disk`]).
    BackingImageManager,
    /// Data sources: the download, and their disk in an image's spec
    /// ([`crate::source`], [`crate::data_source`]).
    DataSource,
    /// What the pods of managers do: they run and have files ([`crate::manager`],
    /// [`crate::machines`]; in recordings [`crate::pods`]).
    ManagerPods,
    /// The node controller with its disk monitor: UUIDs and conditions of disks,
    /// eviction, and the cleanup of unused copies ([`crate::disk_monitor`],
    /// [`crate::node_disks`], [`crate::node`]).
    Node,
    /// The replica controller: [`crate::replica`].
    Replica,
    /// The volume controller: [`crate::volume`].
    Volume,
    /// The replica scheduler: [`crate::scheduler`].
    Scheduler,
    /// The mutating and the validating webhook: [`crate::webhooks`].
    Webhooks,
}

impl Part {
    /// All of them, in the order of the command line's help.
    pub const ALL: [Self; 9] = [
        Self::BackingImage,
        Self::BackingImageManager,
        Self::DataSource,
        Self::ManagerPods,
        Self::Node,
        Self::Replica,
        Self::Volume,
        Self::Scheduler,
        Self::Webhooks,
    ];

    /// Its name on the command line.
    pub fn id(self) -> &'static str {
        match self {
            Self::BackingImage => "backing-image",
            Self::BackingImageManager => "backing-image-manager",
            Self::DataSource => "data-source",
            Self::ManagerPods => "manager-pods",
            Self::Node => "node",
            Self::Replica => "replica",
            Self::Volume => "volume",
            Self::Scheduler => "scheduler",
            Self::Webhooks => "webhooks",
        }
    }
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.id())
    }
}

/// A set of parts that are played.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Parts(u16);

impl Parts {
    /// Nothing is played.
    pub const NONE: Self = Self(0);

    /// Every part.
    pub fn all() -> Self {
        Part::ALL.into_iter().fold(Self::NONE, Self::with)
    }

    /// These and one more.
    #[must_use]
    pub const fn with(self, part: Part) -> Self {
        Self(self.0 | 1 << part as u16)
    }

    /// These but one.
    #[must_use]
    pub const fn without(self, part: Part) -> Self {
        Self(self.0 & !(1 << part as u16))
    }

    /// True if a part is played.
    pub const fn has(self, part: Part) -> bool {
        self.0 & 1 << part as u16 != 0
    }

    /// Those that are in both.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// True if any of these is played.
    pub fn has_any(self, parts: &[Part]) -> bool {
        parts.iter().any(|part| self.has(*part))
    }

    /// True if nothing is played.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The parts that are played.
    pub fn iter(self) -> impl Iterator<Item = Part> {
        Part::ALL.into_iter().filter(move |part| self.has(*part))
    }
}

impl Default for Parts {
    fn default() -> Self {
        Self::all()
    }
}

impl fmt::Display for Parts {
    /// As it is written on the command line.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_empty() {
            return f.pad("none");
        }
        if *self == Self::all() {
            return f.pad("all");
        }
        let ids: Vec<_> = self.iter().map(Part::id).collect();
        f.pad(&ids.join(","))
    }
}

impl fmt::Debug for Parts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Parts({self})")
    }
}

/// A text names no set of parts.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PartsError {
    /// A name that no part has.
    #[error("there is no part {0:?}; there are {list}", list = list())]
    Unknown(String),
    /// `all` or `none` beside other names.
    #[error("{0:?} stands alone")]
    NotAlone(String),
}

fn list() -> String {
    Part::ALL.map(Part::id).join(", ")
}

impl FromStr for Parts {
    type Err = PartsError;

    /// `all`, `none`, or names of parts with commas between them.
    fn from_str(text: &str) -> Result<Self, PartsError> {
        match text {
            "all" => return Ok(Self::all()),
            "none" => return Ok(Self::NONE),
            _ => {}
        }
        let mut parts = Self::NONE;
        for name in text.split(',') {
            if matches!(name, "all" | "none") {
                return Err(PartsError::NotAlone(name.to_owned()));
            }
            let part = Part::ALL.into_iter().find(|part| part.id() == name);
            let part = part.ok_or_else(|| PartsError::Unknown(name.to_owned()))?;
            parts = parts.with(part);
        }
        Ok(parts)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_printed_can_be_read_again() {
        for set in 0..1u32 << Part::ALL.len() {
            let chosen = Part::ALL.iter().enumerate();
            let chosen = chosen.filter(|(i, _)| set >> i & 1 == 1);
            let parts = chosen.fold(Parts::NONE, |parts, (_, part)| parts.with(*part));
            assert_eq!(parts.to_string().parse(), Ok(parts));
        }
    }

    #[test]
    fn a_name_that_means_nothing_is_an_error() {
        for text in ["", "everything", "node,", "node volume", "Node"] {
            assert!(
                matches!(text.parse::<Parts>(), Err(PartsError::Unknown(_))),
                "{text:?}"
            );
        }
        for text in ["all,node", "node,none"] {
            assert!(
                matches!(text.parse::<Parts>(), Err(PartsError::NotAlone(_))),
                "{text:?}"
            );
        }
    }
}
