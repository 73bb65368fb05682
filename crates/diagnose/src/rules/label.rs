//! LHC003: a manager that holds its disk's name without the label by which
//! Longhorn finds it. Looks like the collision in the logs, and is none.

use std::collections::HashSet;

use fixname_longhorn::{BackingImageManager, LABEL_DISK_UUID};
use fixname_naming::Scheme;

use super::finding;
use crate::index::{Index, namespace_of};
use crate::report::{Code, Finding, FindingDisk, Role, Severity, State};
use crate::running::has_name;

pub(crate) fn check(index: &Index<'_>, findings: &mut Vec<Finding>) {
    let mut reported = HashSet::new();
    for manager in index.inventory.managers.iter().filter(|m| !m.is_deleting()) {
        let namespace = namespace_of(manager.metadata.namespace.as_ref());
        let uuid = manager.spec.disk_uuid.as_str();
        let images = index.images_wanting(namespace, uuid);
        if uuid.is_empty()
            || images.is_empty()
            || manager.disk_label() == Some(uuid)
            || index.managers_for(namespace, uuid).next().is_some()
            || !Scheme::RELEASED
                .iter()
                .any(|scheme| has_name(manager, *scheme))
            || !reported.insert((namespace, manager.name()))
        {
            continue;
        }
        let mut found = finding(
            Code::UnlabelledManager,
            State::Active,
            Severity::Error,
            namespace,
        );
        found.manager_name = Some(manager.name().to_owned());
        found.disks = disks(index, namespace, manager);
        found.backing_images = images.iter().map(|i| i.name().to_owned()).collect();
        found.evidence.push(format!(
            "manager {} has spec.diskUUID {uuid} and {}",
            manager.name(),
            match manager.disk_label() {
                None => format!("no label {LABEL_DISK_UUID}"),
                Some(label) => format!("the label {LABEL_DISK_UUID}={label}"),
            }
        ));
        found.evidence.push(format!(
            "Longhorn looks for a manager by label, finds none for {uuid}, and cannot create one \
             because this one has the name"
        ));
        found.advice = format!(
            "Put the label back: kubectl -n {namespace} label --overwrite \
             backingimagemanagers.longhorn.io {} {LABEL_DISK_UUID}={uuid}",
            manager.name()
        );
        findings.push(found);
    }
}

fn disks<'a>(
    index: &Index<'a>,
    namespace: &'a str,
    manager: &'a BackingImageManager,
) -> Vec<FindingDisk> {
    let uuid = &manager.spec.disk_uuid;
    let mut disks: Vec<FindingDisk> = index
        .disks_with(namespace, uuid)
        .map(|disk| disk.as_finding(Role::Loser))
        .collect();
    if disks.is_empty() {
        disks.push(FindingDisk {
            node: manager.spec.node_id.clone(),
            name: String::new(),
            disk_uuid: uuid.clone(),
            role: Role::Loser,
        });
    }
    disks
}
