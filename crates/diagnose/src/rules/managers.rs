//! LHC005: live managers of two images. Longhorn deletes every manager whose
//! image is not its own, so this either passes within minutes or never ends.

use std::collections::BTreeMap;

use super::{finding, listed};
use crate::index::{Index, namespace_of};
use crate::report::{Code, Finding, Severity, State};

pub(crate) fn two_images(index: &Index<'_>, findings: &mut Vec<Finding>) {
    let mut images: BTreeMap<&str, BTreeMap<&str, usize>> = BTreeMap::new();
    for manager in index.inventory.managers.iter().filter(|m| !m.is_deleting()) {
        let namespace = namespace_of(manager.metadata.namespace.as_ref());
        let counts = images.entry(namespace).or_default();
        *counts.entry(manager.spec.image.as_str()).or_default() += 1;
    }
    for (namespace, counts) in images.into_iter().filter(|(_, counts)| counts.len() > 1) {
        let mut found = finding(
            Code::TwoManagerImages,
            State::Unknown,
            Severity::Warning,
            namespace,
        );
        let shown: Vec<String> = counts
            .iter()
            .map(|(image, managers)| format!("{managers} of {image:?}"))
            .collect();
        found
            .evidence
            .push(format!("live managers: {}", listed(&shown)));
        found.advice = "During an upgrade this passes within minutes: run this again then. If it \
                        stays, two longhorn-manager processes with different \
                        --backing-image-manager-image run at once and delete each other's \
                        managers; make the DaemonSet's pods agree."
            .to_owned();
        findings.push(found);
    }
}
