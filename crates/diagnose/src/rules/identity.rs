//! LHC002 and LHC004: disks whose UUID is wrong in itself, whatever other disks
//! there are.

use std::collections::HashMap;

use fixname_longhorn::Kind;
use fixname_naming::rules::broken_subdomain_rules;
use fixname_naming::{ImageRef, NameError, Scheme};

use super::{finding, listed};
use crate::index::{Disk, Index};
use crate::report::{Code, Finding, Role, Severity, State};
use crate::running::Running;

/// The same full UUID on two disks: one manager serves both, on one node. No
/// naming scheme tells them apart, so this is not the naming bug.
pub(crate) fn same_uuid(index: &Index<'_>, findings: &mut Vec<Finding>) {
    let mut order: Vec<Vec<&Disk<'_>>> = Vec::new();
    let mut at: HashMap<(&str, &str), usize> = HashMap::new();
    for disk in &index.disks {
        let at = *at
            .entry((disk.namespace, disk.uuid.as_str()))
            .or_insert_with(|| {
                order.push(Vec::new());
                order.len() - 1
            });
        order[at].push(disk);
    }
    for disks in order.into_iter().filter(|disks| disks.len() > 1) {
        let mut found = finding(
            Code::SameUuid,
            State::Active,
            Severity::Error,
            disks[0].namespace,
        );
        let uuid = disks[0].uuid.as_str();
        found.prefix = disks[0].uuid.prefix().map(str::to_owned);
        found.disks = disks.iter().map(|d| d.as_finding(Role::Member)).collect();
        let images = index.images_wanting(disks[0].namespace, uuid);
        found.backing_images = images.iter().map(|i| i.name().to_owned()).collect();
        let places: Vec<String> = disks.iter().map(|d| d.place()).collect();
        found
            .evidence
            .push(format!("diskUUID {uuid} stands on {}", listed(&places)));
        found.advice = "Longhorn takes these for one disk, on every version. Find out which one \
                        was cloned or restored from the other, move everything off it, remove it \
                        from its node, delete longhorn-disk.cfg in its directory, and add it again."
            .to_owned();
        findings.push(found);
    }
}

/// UUIDs that the truncated name function cannot take. The hashed ones take
/// anything.
pub(crate) fn unusable_uuid(index: &Index<'_>, running: &Running, findings: &mut Vec<Finding>) {
    if running.is_safe() {
        return;
    }
    // Any image: only the UUID can break the name.
    let image = ImageRef::new("image");
    for disk in index.disks.iter().filter(|disk| !disk.block) {
        let what = match Scheme::Truncated.manager_name(&image, &disk.uuid) {
            Ok(name) if broken_subdomain_rules(name.as_str()).is_empty() => continue,
            Ok(name) => {
                let name = name.as_str();
                let end = name.rsplit('-').next().unwrap_or(name);
                format!(
                    "the API server refuses names that end in {end:?}, so its manager can never be created"
                )
            }
            Err(error @ NameError::UuidTooShort { .. }) => error.to_string(),
            Err(error) => error.to_string(),
        };
        let wanting = index.images_wanting(disk.namespace, disk.uuid.as_str());
        let served = index
            .managers_for(disk.namespace, disk.uuid.as_str())
            .next()
            .is_some();
        let (state, severity) = match (wanting.is_empty(), served) {
            (false, false) if index.inventory.has_read(Kind::BackingImageManager) => {
                (State::Active, Severity::Error)
            }
            (false, false) => (State::Unknown, Severity::Warning),
            _ => (State::Latent, Severity::Warning),
        };
        let mut found = finding(Code::UnusableUuid, state, severity, disk.namespace);
        found.prefix = disk.uuid.prefix().map(str::to_owned);
        found.disks.push(disk.as_finding(Role::Member));
        found.backing_images = wanting.iter().map(|i| i.name().to_owned()).collect();
        found.evidence.push(format!(
            "{} has the UUID {:?}",
            disk.place(),
            disk.uuid.as_str()
        ));
        found.evidence.push(what);
        found.advice =
            "Keep backing images off this disk (allowScheduling: false), then give it a \
                        new UUID: lower-case letters and digits, of the usual form. Longhorn \
                        v1.9.2 and later take any UUID."
                .to_owned();
        findings.push(found);
    }
}
