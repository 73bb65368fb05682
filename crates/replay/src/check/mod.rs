//! Checks a scenario for what a parser cannot see: names that do not exist,
//! expectations that nobody would look at, that could not fail or never hold.
//! `expectation` checks single ones, `against` those of one step against each
//! other, `members` names of members against the kinds' schemas, `machines` what is
//! said of disks, nodes and volumes, `reached` steps against those before them.

mod against;
mod expectation;
mod machines;
mod members;
mod reached;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use fixname_naming::{LonghornVersion, Resolved, releases, resolve, upgrade_path};
use serde_json::Value;

use crate::act;
use crate::kinds;
use crate::place::Path;
use crate::scenario::{Action, Copies, DiskPath, Fault, ObjectPatch, Scenario, Step, Version};
use crate::suggest::instead;

pub(crate) use members::Schemas;

/// One mistake.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Mistake {
    /// What it is about.
    pub(crate) path: Path,
    /// What is wrong.
    pub(crate) text: String,
}

/// What is wrong with a scenario besides its form.
pub(crate) fn check(scenario: &Scenario, schemas: &mut Schemas) -> Vec<Mistake> {
    let mut checker = Checker {
        scenario,
        schemas,
        found: Vec::new(),
    };
    checker.head();
    checker.cluster();
    checker.machines();
    // The versions in force at each step, to find expectations nobody would look at.
    let mut in_force: Vec<LonghornVersion> =
        scenario.longhorn.iter().map(|v| v.0.clone()).collect();
    for (index, step) in scenario.steps.iter().enumerate() {
        let at = Path::of("steps").item(index);
        checker.actions(step, &at, index == 0, &mut in_force);
        checker.expectations(step, &at, &in_force);
    }
    checker.reached();
    checker.unused_disks();
    checker.found
}

struct Checker<'s> {
    scenario: &'s Scenario,
    schemas: &'s mut Schemas,
    found: Vec<Mistake>,
}

impl Checker<'_> {
    fn say(&mut self, path: &Path, text: impl Into<String>) {
        self.found.push(Mistake {
            path: path.clone(),
            text: text.into(),
        });
    }

    fn head(&mut self) {
        let scenario = self.scenario;
        let versions = Path::of("longhorn");
        if scenario.longhorn.is_empty() {
            self.say(&versions, "no version to run under");
        }
        for (index, version) in scenario.longhorn.iter().enumerate() {
            let at = versions.item(index);
            self.version(version, &at);
            if scenario.longhorn[..index].contains(version) {
                self.say(&at, format!("{} is there twice", version.0));
            }
        }
        if scenario.repeat.seeds == 0 {
            let at = Path::of("repeat").member("seeds");
            self.say(&at, "0 runs would show nothing");
        }
        if scenario.backends.as_ref().is_some_and(Vec::is_empty) {
            self.say(&Path::of("backends"), "no backend to play on");
        }
        if scenario.steps.is_empty() {
            self.say(&Path::of("steps"), "no step");
        }
    }

    /// A version between known releases is a slip; one newer than all of them may be
    /// a release that came out since.
    fn version(&mut self, version: &Version, at: &Path) {
        let newest = releases().last().map(|release| &release.version);
        if let Ok(Resolved::NewerThanKnown { asked, treated_as }) = resolve(&version.0)
            && Some(&treated_as.version) != newest
        {
            let names: Vec<String> = releases().iter().map(|r| r.version.to_string()).collect();
            let instead = instead(&asked.to_string(), names.iter().map(String::as_str));
            self.say(at, format!("there is no release {asked}{instead}"));
        }
    }

    fn cluster(&mut self) {
        let scenario = self.scenario;
        if scenario.cluster.disks.is_empty() {
            self.say(&Path::of("cluster"), "there is no disk in it".to_owned());
        }
        for (name, image) in &scenario.cluster.images {
            let at = Path::of("cluster").member("images").member(name);
            self.disk(&image.source, &at.member("source"));
            self.disks(&image.copies, &at.member("copies"));
        }
    }

    fn disks(&mut self, disks: &[DiskPath], at: &Path) {
        for (index, disk) in disks.iter().enumerate() {
            self.disk(disk, &at.item(index));
            if disks[..index].contains(disk) {
                self.say(&at.item(index), format!("{disk} is there twice"));
            }
        }
    }

    fn disk(&mut self, disk: &DiskPath, at: &Path) {
        let disks = &self.scenario.cluster.disks;
        if !disks.contains_key(disk) {
            let names: Vec<String> = disks.keys().map(ToString::to_string).collect();
            let instead = instead(&disk.to_string(), names.iter().map(String::as_str));
            self.say(at, format!("there is no disk {disk}{instead}"));
        }
    }

    fn image(&mut self, image: &str, at: &Path) {
        let images = self.scenario.cluster.images.keys().map(String::as_str);
        let actions = self.scenario.steps.iter().flat_map(|step| &step.actions);
        let applied = actions.filter_map(|action| match action {
            Action::Apply(object) if object["kind"] == "BackingImage" => {
                object["metadata"]["name"].as_str()
            }
            _ => None,
        });
        let known: Vec<&str> = images.chain(applied).collect();
        if !known.contains(&image) {
            let instead = instead(image, known);
            self.say(at, format!("there is no image {image:?}{instead}"));
        }
    }

    fn kind(&mut self, api_version: Option<&str>, kind: &str, at: &Path) -> bool {
        let served = kinds::served(api_version, kind);
        if let Err(problem) = &served {
            self.say(&at.member(problem.member), problem.text.clone());
        }
        served.is_ok()
    }

    fn actions(
        &mut self,
        step: &Step,
        at: &Path,
        is_first: bool,
        in_force: &mut Vec<LonghornVersion>,
    ) {
        let at = at.member("do");
        for (index, action) in step.actions.iter().enumerate() {
            let at = at.item(index);
            match action {
                Action::Want(copies) => self.copies(copies, &at.member("want")),
                Action::Drop(copies) => self.copies(copies, &at.member("drop")),
                Action::Upgrade(to) => self.upgrade(to, true, &at.member("upgrade"), in_force),
                Action::Install(install) => {
                    let at = at.member("install").member("version");
                    self.upgrade(&install.version, !install.unchecked, &at, in_force);
                }
                Action::NodeDown(node) => self.node(node, &at.member("nodeDown")),
                Action::NodeUp(node) => self.node(node, &at.member("nodeUp")),
                Action::AddDisk(new) => self.new_disk(new, &at.member("addDisk")),
                Action::Config(config) => {
                    self.disk(&config.disk, &at.member("config").member("disk"));
                }
                Action::Apply(object) => self.applied(object, &at.member("apply"), in_force),
                Action::Patch(patch) => self.patch(patch, &at.member("patch"), in_force),
                Action::Delete(object) => {
                    let at = at.member("delete");
                    self.kind(object.api_version.as_deref(), &object.kind, &at);
                    self.deleted(object, &at);
                }
                Action::Advance(0) => {
                    self.say(&at.member("advance"), "0 seconds change nothing");
                }
                Action::Run(command) => {
                    if let Some(problem) = command.problem() {
                        self.say(&at.member("run"), problem);
                    }
                }
                Action::Fault(fault) => self.fault(fault, &at.member("fault")),
                Action::Restart if is_first => {
                    self.say(&at, "no manager runs before the first step is done");
                }
                Action::Restart | Action::Advance(_) => {}
            }
        }
    }

    fn upgrade(
        &mut self,
        to: &Version,
        is_checked: bool,
        at: &Path,
        in_force: &mut Vec<LonghornVersion>,
    ) {
        self.version(to, at);
        for from in in_force.iter().filter(|_| is_checked) {
            if let Err(refused) = upgrade_path(from, &to.0) {
                self.say(at, format!("Longhorn refuses this upgrade: {refused}"));
            }
        }
        *in_force = vec![to.0.clone()];
    }

    fn copies(&mut self, copies: &Copies, at: &Path) {
        self.image(&copies.image, &at.member("image"));
        let at = at.member("disks");
        if copies.disks.is_empty() {
            self.say(&at, "no disk, so nothing would change");
        }
        self.disks(&copies.disks, &at);
    }

    fn applied(&mut self, object: &Value, at: &Path, in_force: &[LonghornVersion]) {
        match act::applied(object) {
            Err(problem) => self.say(&at.member(problem.member), problem.text),
            Ok(_) => {
                let text = |key: &str| object[key].as_str().unwrap_or_default();
                let of = (Some(text("apiVersion")), text("kind"));
                self.members(of, object, at, in_force);
            }
        }
    }

    fn patch(&mut self, patch: &ObjectPatch, at: &Path, in_force: &[LonghornVersion]) {
        if !self.kind(patch.api_version.as_deref(), &patch.kind, at) {
            return;
        }
        self.refused(patch.refused.as_deref(), &at.member("refused"));
        let at = at.member("merge");
        if patch
            .merge
            .as_object()
            .is_none_or(serde_json::Map::is_empty)
        {
            self.say(&at, "it names no member, so nothing would change");
        }
        let of = (patch.api_version.as_deref(), patch.kind.as_str());
        self.members(of, &patch.merge, &at, in_force);
    }

    fn fault(&mut self, fault: &Fault, at: &Path) {
        for (member, number) in [("nth", fault.nth), ("times", fault.times)] {
            if number == 0 {
                self.say(&at.member(member), "a fault counts requests from 1");
            }
        }
        if let Some(verb) = &fault.verb
            && !kinds::VERBS.contains(&verb.as_str())
        {
            let instead = instead(verb, kinds::VERBS);
            self.say(
                &at.member("verb"),
                format!("there is no verb {verb:?}{instead}"),
            );
        }
        if let Some(resource) = &fault.resource
            && !kinds::resources().any(|known| known == resource)
        {
            let instead = instead(resource, kinds::resources());
            let text = format!("there is no resource {resource:?}{instead}");
            self.say(&at.member("resource"), text);
        }
    }

    /// Findings are about all disks, also those that no image wants.
    fn unused_disks(&mut self) {
        let scenario = self.scenario;
        // A cluster that was captured is as it is.
        if scenario.cluster.captured.is_some() {
            return;
        }
        let mut expectations = scenario.steps.iter().flat_map(|s| &s.expect);
        if expectations.any(|e| e.findings.is_some()) {
            return;
        }
        let images = scenario.cluster.images.values();
        let given = images.flat_map(|i| i.copies.iter().chain([&i.source]));
        let actions = scenario.steps.iter().flat_map(|s| &s.actions);
        let acted_on = actions.flat_map(|action| match action {
            Action::Want(copies) | Action::Drop(copies) => copies.disks.as_slice(),
            Action::AddDisk(new) => std::slice::from_ref(&new.disk),
            _ => &[],
        });
        let block = &scenario.cluster.block;
        let used: BTreeSet<&DiskPath> = given.chain(acted_on).chain(block).collect();
        // Replicas, and copies that Longhorn places itself, may use any disk.
        let mut images = scenario.cluster.images.values();
        let is_open = !scenario.cluster.volumes.is_empty()
            || images.any(|i| usize::try_from(i.minimum).is_ok_and(|n| n > i.copies.len()));
        let is_applied = |uuid: &String| {
            let mut actions = scenario.steps.iter().flat_map(|s| &s.actions);
            actions.any(|action| match action {
                Action::Apply(object) => object["spec"]["diskFileSpecMap"].get(uuid).is_some(),
                _ => false,
            })
        };
        for (disk, uuid) in scenario.cluster.disks.iter().filter(|_| !is_open) {
            if !used.contains(disk) && !is_applied(uuid) {
                let at = Path::of("cluster")
                    .member("disks")
                    .member(&disk.to_string());
                self.say(&at.key(), format!("{disk} is never used"));
            }
        }
    }
}
