//! A captured cluster as what a scenario begins with.

use std::path::{Component, Path};

use fixname_capture::{Source, read_files};
use fixname_diagnose::{Options, diagnose};
use fixname_longhorn::Kind;
use fixname_naming::{LonghornVersion, resolve};

use super::{Found, RecordError, names};
use crate::load::shown;
use crate::scenario::{Cluster, Image, Volume};

/// Adds the disks, images, volumes and settings of a dump beside the scenario's file to
/// its cluster. What the file says itself of one of them counts. Copies that would lose
/// a name to another one under the first of the versions are left for the steps to
/// want, and volumes with a replica that waits for one are left for them to attach.
///
/// # Errors
///
/// That the dump is elsewhere, cannot be read, or has no disk.
pub(crate) fn add(
    cluster: &mut Cluster,
    dump: &str,
    scenario: &Path,
    version: &LonghornVersion,
) -> Result<(), String> {
    let file = beside(scenario, Path::new(dump))?;
    let inventory = read_files(&[Source::Path(file)]).map_err(|error| error.to_string())?;
    if !inventory.has_read(Kind::Node) {
        return Err(RecordError::NoNodes.to_string());
    }
    let resolved = resolve(version).map_err(|error| error.to_string())?;
    let options = Options {
        longhorn: Some(resolved.clone()),
        manager_image: None,
    };
    let report = diagnose(&inventory, &options);
    let mut found =
        Found::read(&inventory, &report, resolved.release()).map_err(|e| e.to_string())?;
    found.keep_unused_copies();
    names::check(&found).map_err(|error| error.to_string())?;
    for (path, uuid) in found.disks {
        if found.block.contains(&path) && !cluster.disks.contains_key(&path) {
            cluster.block.push(path.clone());
        }
        cluster.disks.entry(path).or_insert(uuid);
    }
    for (name, volume) in found.volumes {
        let on: Vec<_> = volume.disks().cloned().collect();
        let is_waiting = volume.waiting.is_some();
        cluster.volumes.entry(name).or_insert(Volume {
            image: volume.image,
            replicas: i64::try_from(on.len()).unwrap_or(i64::MAX),
            on,
            node: volume.node.filter(|_| !is_waiting),
        });
    }
    for (name, value) in found.settings {
        cluster.settings.entry(name).or_insert(value);
    }
    for (name, image) in found.images {
        cluster.images.entry(name).or_insert(Image {
            source: image.source,
            copies: image.copies,
            minimum: image.minimum,
            download: None,
        });
    }
    Ok(())
}

/// A file below the scenario's folder. A scenario may come from anybody, and must not
/// read what is elsewhere, through links neither.
fn beside(scenario: &Path, dump: &Path) -> Result<std::path::PathBuf, String> {
    let plain = |part: Component<'_>| matches!(part, Component::Normal(_) | Component::CurDir);
    if !dump.components().all(plain) {
        return Err("a dump is named from the folder of this file on, and is below it".to_owned());
    }
    let folder = match scenario.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        Some(_) => Path::new("."),
        None => return Err("a dump is beside the scenario's file, and this has none".to_owned()),
    };
    let named = folder.join(dump);
    let open = |path: &Path| {
        let real = path.canonicalize();
        real.map_err(|error| format!("{}: {error}", shown(path)))
    };
    let (real, folder) = (open(&named)?, open(folder)?);
    if !real.starts_with(&folder) {
        return Err(format!(
            "{} leads out of the folder of this file",
            shown(&named)
        ));
    }
    Ok(named)
}
