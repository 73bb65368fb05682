//! What one cluster looked like at one moment, and what of it could not be read.
//! Readers (crate `capture`) fill it; rules (crate `diagnose`) judge it.

use serde::Serialize;

use crate::objects::{
    BackingImage, BackingImageDataSource, BackingImageManager, Kind, Node, Replica, Setting, Volume,
};

/// The objects of one cluster at one moment, in the order of the input.
#[derive(Clone, Debug, Default)]
pub struct Inventory {
    /// Nodes with their disks.
    pub nodes: Vec<Node>,
    /// Backing images.
    pub backing_images: Vec<BackingImage>,
    /// Backing image managers.
    pub managers: Vec<BackingImageManager>,
    /// Data sources of backing images.
    pub data_sources: Vec<BackingImageDataSource>,
    /// Replicas.
    pub replicas: Vec<Replica>,
    /// Settings.
    pub settings: Vec<Setting>,
    /// Volumes; no finding is about them.
    pub volumes: Vec<Volume>,
    /// What was read and what was not: one entry for each kind, and for volumes only if
    /// there were some to read. Nothing about a kind that was not read may ever be
    /// reported as clean.
    pub coverage: Vec<Coverage>,
    /// Objects that were given but not used, counted by kind.
    pub ignored: Vec<Ignored>,
}

/// Objects of one kind that were given but not used.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Ignored {
    /// Their `apiVersion`; empty if they have none.
    pub api_version: String,
    /// Their `kind`; empty if they have none.
    pub kind: String,
    /// How many.
    pub objects: usize,
}

/// How far one kind could be read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Coverage {
    /// The kind.
    pub kind: Kind,
    /// How far.
    #[serde(flatten)]
    pub state: CoverageState,
    /// What else the user must know about it: an old API version, for instance.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
}

/// How far one kind could be read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "state", rename_all = "camelCase")]
pub enum CoverageState {
    /// Everything that was given has been read.
    Read {
        /// How many objects; 0 is an answer, the cluster has none.
        objects: usize,
        /// The files, or the cluster, they came from.
        sources: Vec<String>,
    },
    /// Nothing of this kind was given, or it could not be read.
    NotRead {
        /// Why, in words for the user.
        reason: String,
    },
}

impl Inventory {
    /// How far that kind was read; a kind without an entry was not read.
    pub fn coverage_of(&self, kind: Kind) -> Option<&CoverageState> {
        self.coverage
            .iter()
            .find(|c| c.kind == kind)
            .map(|c| &c.state)
    }

    /// True if objects of that kind were read, even if there were none.
    pub fn has_read(&self, kind: Kind) -> bool {
        matches!(self.coverage_of(kind), Some(CoverageState::Read { .. }))
    }
}
