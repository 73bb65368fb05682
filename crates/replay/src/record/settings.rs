//! The settings of a recorded cluster that somebody has changed.

use std::collections::BTreeSet;

use fixname_controllers::webhooks::setting_default;
use fixname_longhorn::{Inventory, Kind};
use serde_json::Value;

use super::found::{Found, Image};

/// What the collision of an image depends on.
const OF_IMAGES: [&str; 3] = [
    CLEANUP,
    "backing-image-recovery-wait-interval",
    "concurrent-backing-image-replenish-per-node-limit",
];

/// What block disks take.
const V2: &str = "v2-data-engine";

/// After how many minutes copies are removed that no replica uses.
const CLEANUP: &str = "backing-image-cleanup-wait-interval";

impl Found {
    /// Reads the settings that are not what the version has by default.
    pub(super) fn settings(&mut self, inventory: &Inventory) {
        // Longhorn refuses block disks without it.
        if !self.block.is_empty() {
            self.settings.insert(V2.to_owned(), "true".to_owned());
        }
        if !inventory.has_read(Kind::Setting) {
            self.notes
                .push("settings are left out: none were read".to_owned());
            return;
        }
        for setting in &inventory.settings {
            let name = setting.name();
            let default = setting_default(&self.version, name);
            if default.is_some_and(|default| !same(default, &setting.value)) {
                self.settings.insert(name.to_owned(), setting.value.clone());
            }
        }
        self.settings.sort_keys();
    }

    /// Leaves out settings that no collision needs.
    pub(super) fn keep_settings_of_images(&mut self) {
        let before = self.settings.len();
        let has_block = !self.block.is_empty();
        self.settings
            .retain(|name, _| OF_IMAGES.contains(&name.as_str()) || (has_block && name == V2));
        let left_out = before - self.settings.len();
        if left_out > 0 {
            self.notes.push(format!(
                "{left_out} of {before} settings that were changed have no part in it and are left out"
            ));
        }
    }

    /// Copies that nobody uses were there when the cluster was recorded, and would be
    /// removed while the scenario is looked at.
    pub(super) fn keep_unused_copies(&mut self) {
        let used: BTreeSet<_> = self
            .volumes
            .values()
            .flat_map(|volume| volume.disks().map(|disk| (&volume.image, disk)))
            .collect();
        let has_unused = |(name, image): (&String, &Image)| {
            let mut copies = image.copies.iter();
            image.copies.len() > 1 && copies.any(|disk| !used.contains(&(name, disk)))
        };
        if self.images.iter().any(has_unused) && self.settings.shift_remove(CLEANUP).is_some() {
            let what = format!("the setting {CLEANUP}");
            self.leave_out(&what, "copies that no volume here uses would be removed");
        }
    }
}

/// Values that mean the same; those by data engine are JSON, of which the order of
/// members does not count.
fn same(default: &str, value: &str) -> bool {
    let json = |text: &str| {
        let parsed: Result<Value, _> = serde_json::from_str(text);
        parsed.ok().filter(Value::is_object)
    };
    default == value || json(default).is_some_and(|default| json(value) == Some(default))
}
