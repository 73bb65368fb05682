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
    /// The UUID of a new filesystem disk has a prefix of its own: v1.7.4, v1.8.2,
    /// v1.9.0 and later (`controller/monitor/disk_utils.go:240-249` at v1.9.1).
    pub guards_prefixes: bool,
    /// The configuration of a new disk has a key `state`: v1.10.0 and later.
    pub writes_disk_state: bool,
    /// Copies of backing images are charged to the disks that should hold them:
    /// v1.8.0 and later (`controller/node_controller.go:906-911` at v1.9.1).
    pub charges_copies: bool,
    /// The disks of a node that is not ready are not ready: v1.11.0 and later
    /// (`controller/node_controller.go:421` at v1.11.0, longhorn#12406).
    pub marks_disks_of_lost_nodes: bool,
    /// A manager's pod is made again only after a while: v1.10.0 and later.
    pub backs_off_manager_pods: bool,
    /// How Go's maps are walked.
    pub walk: Walk,
    /// What this model gets wrong on purpose; nothing, outside the test that shows
    /// that it would be noticed.
    pub defect: Option<Defect>,
}

/// In which order a map is walked. It is chance in any case; who wins a contested name
/// hangs on it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Walk {
    /// Every order is as likely as any other; of no version of Go, and assumes nothing.
    #[default]
    Shuffled,
    /// As programs built with Go 1.24 and later walk a map of up to eight entries: as
    /// they were put in, from a random one of eight places on
    /// (`internal/runtime/maps/table.go`, `Iter.Next`). What is read from an API server
    /// was put in by the order of its keys, and was walked once to be copied.
    Rotated,
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
            guards_prefixes: release.prefix_guard,
            writes_disk_state: at >= (1, 10, 0),
            charges_copies: at >= (1, 8, 0),
            marks_disks_of_lost_nodes: at >= (1, 11, 0),
            backs_off_manager_pods: at >= (1, 10, 0),
            walk: Walk::default(),
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
