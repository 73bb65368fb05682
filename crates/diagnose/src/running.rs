//! Which Longhorn runs, and which image its managers have: from what the caller
//! says, or from what the objects show. Judges no disk.

use std::str::FromStr;

use fixname_longhorn::{BackingImageManager, Inventory};
use fixname_naming::{
    DiskUuid, ImageRef, LonghornVersion, ManagerName, Resolved, Scheme, manager_image_for, resolve,
};
use serde::Serialize;

use crate::Options;

/// Longhorn keeps its own version there (longhorn-manager `types/setting.go`).
const SETTING_VERSION: &str = "current-longhorn-version";
const SETTING_IMAGE: &str = "default-backing-image-manager-image";

/// Which Longhorn was assumed to run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Running {
    /// The version, if anything says it.
    pub longhorn_version: Option<String>,
    /// The known version that it is treated as, where that is another one.
    pub treated_as: Option<String>,
    /// How it names managers; `None` if that is not known, which is judged as
    /// the truncated scheme would be.
    pub scheme: Option<Scheme>,
    /// What tells the scheme.
    pub basis: Basis,
    /// The images that managers have or would have; the first one is used for
    /// names.
    pub manager_images: Vec<ImageRef>,
}

/// What told the naming scheme.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub enum Basis {
    /// The caller said the version.
    GivenVersion,
    /// The caller said the manager image, and its tag is a version.
    GivenImage,
    /// The setting `current-longhorn-version`.
    Setting,
    /// The names of live managers are what that scheme makes of their image and
    /// disk. If an upgrade kept the manager image, old names outlive it.
    ManagerNames,
    /// The tag of the manager image in use, or in the settings.
    ImageTag,
    /// Nothing.
    Unknown,
}

impl Running {
    /// True if two disks with one prefix are known to get different names.
    #[must_use]
    pub fn is_safe(&self) -> bool {
        self.scheme
            .is_some_and(|scheme| scheme != Scheme::Truncated)
    }

    /// The truncated name that a disk would get, if the image is known.
    pub(crate) fn truncated_name(&self, uuid: &DiskUuid) -> Option<ManagerName> {
        let image = self.manager_images.first()?;
        Scheme::Truncated.manager_name(image, uuid).ok()
    }

    pub(crate) fn find(inventory: &Inventory, options: &Options) -> Self {
        let live = || inventory.managers.iter().filter(|m| !m.is_deleting());
        let setting = |name: &str| {
            let found = inventory.settings.iter().find(|s| s.name() == name);
            found.map(|s| s.value.as_str()).filter(|v| !v.is_empty())
        };
        let version_in = |text: &str| {
            let version = LonghornVersion::from_str(text).ok()?;
            resolve(&version).ok()
        };

        let mut images: Vec<ImageRef> = Vec::new();
        let used = live().map(|m| m.spec.image.as_str());
        match &options.manager_image {
            Some(image) => images.push(image.clone()),
            None => {
                // Terminating managers come last: they say which name is being freed.
                let leaving = inventory.managers.iter().filter(|m| m.is_deleting());
                let leaving = leaving.map(|m| m.spec.image.as_str());
                let all = used.chain(setting(SETTING_IMAGE)).chain(leaving);
                for image in all.filter(|image| !image.is_empty()) {
                    if !images.iter().any(|known| known.as_str() == image) {
                        images.push(ImageRef::new(image));
                    }
                }
            }
        }

        let given = options.longhorn.clone().map(|v| (v, Basis::GivenVersion));
        let resolved = given
            .or_else(|| {
                let image = options.manager_image.as_ref()?;
                Some((version_in(image.as_str())?, Basis::GivenImage))
            })
            .or_else(|| Some((version_in(setting(SETTING_VERSION)?)?, Basis::Setting)));
        let (version, scheme, basis) = match resolved {
            Some((version, basis)) => {
                let scheme = version.release().scheme;
                (Some(version), Some(scheme), basis)
            }
            None => match scheme_of_names(&live()) {
                Some(scheme) => (None, Some(scheme), Basis::ManagerNames),
                None => match images.iter().find_map(|i| version_in(i.as_str())) {
                    Some(version) => {
                        let scheme = version.release().scheme;
                        (Some(version), Some(scheme), Basis::ImageTag)
                    }
                    None => (None, None, Basis::Unknown),
                },
            },
        };
        if images.is_empty()
            && let Some(version) = &version
            && let Ok(image) = manager_image_for(version.asked())
        {
            images.push(image.image);
        }
        Self {
            longhorn_version: version.as_ref().map(|v| v.asked().to_string()),
            treated_as: version
                .as_ref()
                .filter(|v| !v.is_exact())
                .map(|v: &Resolved| v.release().version.to_string()),
            scheme,
            basis,
            manager_images: images,
        }
    }
}

/// The scheme of the newest of these names. Each name is made anew from the
/// manager's own image and disk: a name that only looks like one proves nothing.
fn scheme_of_names<'a>(
    managers: &(impl Iterator<Item = &'a BackingImageManager> + Clone),
) -> Option<Scheme> {
    [Scheme::Sha224, Scheme::Sha256, Scheme::Truncated]
        .into_iter()
        .find(|scheme| managers.clone().any(|manager| has_name(manager, *scheme)))
}

/// True if the manager has the name that the scheme gives it.
pub(crate) fn has_name(manager: &BackingImageManager, scheme: Scheme) -> bool {
    let image = ImageRef::new(manager.spec.image.as_str());
    let uuid = DiskUuid::new(manager.spec.disk_uuid.as_str());
    scheme
        .manager_name(&image, &uuid)
        .is_ok_and(|name| name.as_str() == manager.name())
}
