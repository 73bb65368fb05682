//! What a scenario says of disks that come later, of volumes, of nodes that lose their
//! power, and of requests that are to be refused.

use super::Checker;
use crate::place::Path;
use crate::scenario::{Action, BackendName, DiskPath, NewDisk, ObjectName};
use crate::suggest::instead;

impl Checker<'_> {
    pub(super) fn machines(&mut self) {
        let cluster = &self.scenario.cluster;
        let place = Path::of("cluster");
        self.disks(&cluster.block, &place.member("block"));
        self.disks(&cluster.later, &place.member("later"));
        for (name, image) in &cluster.images {
            let at = place.member("images").member(name);
            if cluster.later.contains(&image.source) {
                let text = format!("{} is not there yet", image.source);
                self.say(&at.member("source"), text);
            }
            let copies = image.copies.iter().chain([&image.source]);
            for disk in copies.filter(|disk| cluster.block.contains(disk)) {
                self.say(&at, format!("{disk} is a block disk, which holds no copy"));
            }
        }
        for (name, volume) in &cluster.volumes {
            let at = place.member("volumes").member(name);
            self.image(&volume.image, &at.member("image"));
            if volume.replicas < 1 {
                let text = "a volume has one replica at least";
                self.say(&at.member("replicas"), text);
            }
            let on = at.member("on");
            self.disks(&volume.on, &on);
            for (index, disk) in volume.on.iter().enumerate() {
                if cluster.block.contains(disk) {
                    let text = format!("{disk} is a block disk, which holds no replica of it");
                    self.say(&on.item(index), text);
                } else if cluster.later.contains(disk) {
                    self.say(&on.item(index), format!("{disk} is not there yet"));
                }
            }
            if i64::try_from(volume.on.len()).is_ok_and(|on| on > volume.replicas) {
                let text = format!("it keeps {} replicas, fewer than here", volume.replicas);
                self.say(&on, text);
            }
            if let Some(node) = &volume.node {
                self.node(node, &at.member("node"));
            }
        }
        let actions = self.scenario.steps.iter().flat_map(|step| &step.actions);
        let added: Vec<&DiskPath> = actions
            .filter_map(|action| match action {
                Action::AddDisk(new) => Some(&new.disk),
                _ => None,
            })
            .collect();
        for (index, disk) in cluster.later.iter().enumerate() {
            if !added.contains(&disk) {
                let at = place.member("later").item(index);
                self.say(&at, format!("{disk} is never added"));
            }
        }
    }

    pub(super) fn node(&mut self, node: &str, at: &Path) {
        let disks = &self.scenario.cluster.disks;
        if !disks.keys().any(|disk| disk.node == node) {
            let nodes = disks.keys().map(|disk| disk.node.as_str());
            let instead = instead(node, nodes);
            self.say(at, format!("there is no node {node:?}{instead}"));
        }
    }

    pub(super) fn new_disk(&mut self, new: &NewDisk, at: &Path) {
        let NewDisk { disk, block, .. } = new;
        self.node(&disk.node, &at.member("disk"));
        if *block && self.scenario.cluster.disks.contains_key(disk) {
            let text = format!(
                "{disk} has a UUID already; a block disk that is added gets one from the disk service"
            );
            self.say(&at.member("block"), text);
        }
    }

    pub(super) fn deleted(&mut self, object: &ObjectName, at: &Path) {
        if object.name.is_some() != object.labels.is_empty() {
            self.say(at, "say which objects to delete: by name, or by labels");
        }
        self.refused(object.refused.as_deref(), &at.member("refused"));
    }

    /// A refusal that could be any, or that no webhook is there for.
    pub(super) fn refused(&mut self, refused: Option<&str>, at: &Path) {
        let Some(words) = refused else { return };
        if words.is_empty() {
            self.say(at, "any refusal has no words in it: say which");
        }
        if self.scenario.backends.as_deref() != Some(&[BackendName::Embedded]) {
            self.say(
                at,
                "only on the embedded server the model's webhooks refuse: declare `backends: [embedded]`",
            );
        }
    }
}
