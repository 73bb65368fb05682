//! What differs between Longhorn's versions, as data. One loop serves them all.

use crate::defect::Defect;
use fixname_naming::{LonghornVersion, Scheme, UnknownVersion, resolve};

/// The switches of one version. Sources: longhorn-manager, read tag by tag.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Behaviour {
    /// The version modelled.
    pub version: LonghornVersion,
    /// How managers are named.
    pub scheme: Scheme,
    /// An evicting copy is kept while a replica uses it: v1.8.2, v1.9.1 and
    /// later, but not v1.9.0 (`controller/backing_image_controller.go`, longhorn#11053).
    pub keeps_evicting_copy_in_use: bool,
    /// An eviction that has been asked for is asked for again at every pass, and a
    /// copy with a status but no wish crashes the process: before v1.8.2 and
    /// v1.9.1 (`controller/node_controller.go`, `syncBackingImageEvictionRequested`).
    pub repeats_eviction_requests: bool,
    /// Managers whose disk no node has any more have their copies evicted: v1.9.2
    /// and later (`controller/backing_image_manager_controller.go`, longhorn#10983).
    pub evicts_missing_disks: bool,
    /// A wanted disk that is not ready is logged with the advice to remove it,
    /// and set to `unknown` (which the same reconcile drops again): v1.12.0 and
    /// later (`controller/backing_image_controller.go:1261` at v1.12.1).
    pub advises_removal_of_missing_disk: bool,
    /// What this model gets wrong on purpose; nothing, outside the test that shows
    /// that it would be noticed.
    pub defect: Option<Defect>,
}

impl Behaviour {
    /// The behaviour of a version.
    ///
    /// A version newer than the newest known one behaves like that one.
    ///
    /// # Errors
    ///
    /// [`UnknownVersion`] for a version that is older than the table or not in it.
    pub fn of(version: &LonghornVersion) -> Result<Self, UnknownVersion> {
        let release = resolve(version)?.release();
        let at = (version.major, version.minor, version.patch);
        Ok(Self {
            version: version.clone(),
            scheme: release.scheme,
            keeps_evicting_copy_in_use: at >= (1, 9, 1) || ((1, 8, 2)..(1, 9, 0)).contains(&at),
            repeats_eviction_requests: at < (1, 8, 2) || at == (1, 9, 0),
            evicts_missing_disks: at >= (1, 9, 2),
            advises_removal_of_missing_disk: at >= (1, 12, 0),
            defect: None,
        })
    }

    /// True if the model is to get this wrong.
    pub(crate) fn has(&self, defect: Defect) -> bool {
        self.defect == Some(defect)
    }

    /// The same behaviour with another name function: "what if?".
    #[must_use]
    pub fn with_scheme(mut self, scheme: Scheme) -> Self {
        self.scheme = scheme;
        self
    }
}
