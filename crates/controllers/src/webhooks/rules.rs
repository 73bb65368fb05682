//! What differs between releases in their webhooks, as data. One set of functions
//! serves them all.

use fixname_naming::{LonghornVersion, UnknownVersion, resolve};

/// How a setting's value is checked, and in which words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SettingCheck {
    /// One value, before v1.10.0.
    Single,
    /// One value, or one for each data engine: v1.10.0 and later.
    ByEngine,
}

/// The switches of one release. Sources: longhorn-manager, `webhook/resources`, `types`
/// and `datastore`, read tag by tag from v1.7.2 to v1.12.1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rules {
    /// The release; its settings are those in the table.
    pub version: LonghornVersion,
    /// The mutator puts `longhorn.io` on whatever is not being deleted: every release.
    pub adds_finalizers: bool,
    /// An image has a data engine, which the mutator fills in and keeps as it is, and
    /// whose second kind can be neither cloned nor exported: v1.8.0 and later.
    pub images_have_an_engine: bool,
    /// A restored image gets the name of its backup target: v1.8.0 and later.
    pub finds_backup_targets: bool,
    /// An image's secret must exist when it is created: v1.10.0 and later.
    pub looks_for_image_secrets: bool,
    /// An image of the v2 engine cannot be created: v1.12.0 and later.
    pub refuses_v2_images: bool,
    /// The URL of a download is checked, not only that there is one: v1.12.1.
    pub checks_download_urls: bool,
    /// The validator is asked about updates of images: v1.12.1. (The function is
    /// there before, but not registered.)
    pub validates_image_updates: bool,
    /// An image cannot be deleted while a replica has its label: every release.
    pub keeps_images_in_use: bool,
    /// Nothing in a node's spec changes while its disks in spec and status differ:
    /// every release.
    pub waits_for_disk_sync: bool,
    /// Scheduling and eviction exclude each other: every release.
    pub evicts_only_unscheduled: bool,
    /// A disk leaves a node only when it is disabled and empty: every release.
    pub keeps_disks_in_use: bool,
    /// The refusal to remove a disk names backing images: v1.8.2, v1.9.0 and later.
    pub names_images_on_disks: bool,
    /// The type of a disk stays: every release.
    pub keeps_disk_types: bool,
    /// Block disks may reserve storage: v1.8.0 and later.
    pub block_disks_reserve_storage: bool,
    /// A node's `spec.name` must not be empty: v1.10.0 and later.
    pub requires_node_names: bool,
    /// Two disks of a node cannot have one path: v1.12.0 and later.
    pub refuses_duplicate_paths: bool,
    /// The validator is asked about deletions of nodes: v1.10.0 and later.
    pub validates_node_deletions: bool,
    /// The last replica with data cannot be deleted: every release.
    pub keeps_last_replica: bool,
    /// A replica that has failed or is being evicted does not count as one with data:
    /// v1.10.0 and later.
    pub counts_healthy_replicas_only: bool,
    /// Replicas that are linked clones keep their source: v1.12.1.
    pub keeps_clone_sources: bool,
    /// The mutator takes part in writes of settings: v1.10.0 and later.
    pub fills_in_settings: bool,
    /// How settings are checked.
    pub setting_check: SettingCheck,
    /// A JSON value is looked at even where a setting is not by engine: before v1.11.0.
    pub reads_json_of_any_setting: bool,
    /// The share of CPU of an instance manager has an upper bound before v1.9.0.
    pub bounds_cpu_reservation: bool,
    /// The fields of an instance manager's status that show attached volumes.
    pub shows_engines: &'static [&'static str],
    /// A CPU mask is checked and normalised: v1.12.0 and later.
    pub normalizes_cpu_masks: bool,
    /// A number of CPU cores is checked against nodes and mask: v1.12.1.
    pub checks_cpu_cores: bool,
    /// Kubernetes' words for a bad tag changed with its release 1.35, which is built
    /// into v1.11.0 and later.
    pub names_label_keys: bool,
}

impl Rules {
    /// The rules of a version.
    ///
    /// # Errors
    ///
    /// [`UnknownVersion`] for a version that is older than the table or not in it.
    pub fn of(version: &LonghornVersion) -> Result<Self, UnknownVersion> {
        resolve(version)?;
        let at = (version.major, version.minor, version.patch);
        Ok(Self {
            version: version.clone(),
            adds_finalizers: true,
            images_have_an_engine: at >= (1, 8, 0),
            finds_backup_targets: at >= (1, 8, 0),
            looks_for_image_secrets: at >= (1, 10, 0),
            refuses_v2_images: at >= (1, 12, 0),
            checks_download_urls: at >= (1, 12, 1),
            validates_image_updates: at >= (1, 12, 1),
            keeps_images_in_use: true,
            waits_for_disk_sync: true,
            evicts_only_unscheduled: true,
            keeps_disks_in_use: true,
            names_images_on_disks: at >= (1, 8, 2),
            keeps_disk_types: true,
            block_disks_reserve_storage: at >= (1, 8, 0),
            requires_node_names: at >= (1, 10, 0),
            refuses_duplicate_paths: at >= (1, 12, 0),
            validates_node_deletions: at >= (1, 10, 0),
            keeps_last_replica: true,
            counts_healthy_replicas_only: at >= (1, 10, 0),
            keeps_clone_sources: at >= (1, 12, 1),
            fills_in_settings: at >= (1, 10, 0),
            setting_check: if at >= (1, 10, 0) {
                SettingCheck::ByEngine
            } else {
                SettingCheck::Single
            },
            reads_json_of_any_setting: at < (1, 11, 0),
            bounds_cpu_reservation: at < (1, 9, 0),
            shows_engines: match at {
                _ if at < (1, 11, 0) => &["instanceEngines", "instances"],
                _ if at < (1, 12, 0) => &["instanceEngines"],
                _ => &["instanceEngines", "instanceEngineFrontends"],
            },
            normalizes_cpu_masks: at >= (1, 12, 0),
            checks_cpu_cores: at >= (1, 12, 1),
            names_label_keys: at >= (1, 11, 0),
        })
    }
}
