//! What earlier steps have done to later ones: an action that could not be carried out,
//! so that no step after it would be reached, and an expectation that could never hold,
//! or never fail, because what it speaks of is not there, or has gone for good.
//!
//! Only what is certain is said. Names are known of the kinds in [`NAMED`], which nobody
//! but a scenario makes; an object has gone for good where an expectation has shown that
//! it is not there. A program of the scenario's own (`run`) may make anything.

use std::collections::{BTreeMap, BTreeSet};

use fixname_controllers::Behaviour;
use fixname_naming::{DiskUuid, LonghornVersion, manager_image_for};

use super::Checker;
use crate::expect::PATIENCE;
use crate::place::Path;
use crate::scenario::{Action, DiskPath, Expectation, On, Step, Stuck, Subject};
use crate::seen::{Objects, Rule, Time};
use crate::suggest::instead;

/// Longhorn's kinds of which nobody but a scenario makes objects.
const NAMED: [&str; 3] = ["BackingImage", "Node", "Volume"];

/// The kind and the name of one of them.
type Named<'s> = (&'s str, &'s str);

/// What is known at a step.
#[derive(Default)]
struct Known<'s> {
    /// Objects that there are, or have been.
    made: BTreeSet<Named<'s>>,
    /// Objects that have gone, and the step that shows it.
    gone: BTreeMap<Named<'s>, usize>,
    /// Images that are being deleted, at least, and the step that began it.
    deleted: BTreeMap<&'s str, usize>,
    /// Nodes without power, and the step that took it.
    down: BTreeMap<&'s str, usize>,
    /// Disks that their nodes have.
    disks: BTreeSet<&'s DiskPath>,
    /// Disks may have other UUIDs, and nodes other disks, than the cluster says.
    disks_change: bool,
    /// A program has run, and may have made anything.
    anything: bool,
}

impl Checker<'_> {
    pub(super) fn reached(&mut self) {
        let scenario = self.scenario;
        let cluster = &scenario.cluster;
        let mut known = Known::default();
        let images = cluster.images.keys().map(|name| ("BackingImage", name));
        let volumes = cluster.volumes.keys().map(|name| ("Volume", name));
        let nodes = cluster.disks.keys().map(|disk| ("Node", &disk.node));
        let all = images.chain(volumes).chain(nodes);
        known.made = all.map(|(kind, name)| (kind, name.as_str())).collect();
        let there = cluster.disks.keys().filter(|d| !cluster.later.contains(*d));
        known.disks = there.collect();
        let mut in_force: Vec<LonghornVersion> =
            scenario.longhorn.iter().map(|v| v.0.clone()).collect();
        for (index, step) in scenario.steps.iter().enumerate() {
            let at = Path::of("steps").item(index);
            for (action, at) in step
                .actions
                .iter()
                .zip((0..).map(|n| at.member("do").item(n)))
            {
                match action {
                    Action::Upgrade(to) => in_force = vec![to.0.clone()],
                    Action::Install(install) => in_force = vec![install.version.0.clone()],
                    _ => self.done(action, index, &at, &mut known),
                }
            }
            for (number, expectation) in step.expect.iter().enumerate() {
                let at = at.member("expect").item(number);
                self.expected(expectation, index, &at, &known, &in_force);
            }
            known.learn(step, index, &in_force);
        }
        self.every_contested_disk_wins();
    }

    /// What an action needs, and what it changes.
    fn done<'s>(&mut self, action: &'s Action, step: usize, at: &Path, known: &mut Known<'s>) {
        let unreached = "so this would fail, and no later step would be reached";
        match action {
            Action::Want(copies) | Action::Drop(copies) => {
                let key = if matches!(action, Action::Want(_)) {
                    "want"
                } else {
                    "drop"
                };
                let named = ("BackingImage", copies.image.as_str());
                self.needs(named, known, unreached, &at.member(key).member("image"));
            }
            Action::Patch(patch) if is_ours(patch.api_version.as_deref()) => {
                let at = at.member("patch").member("name");
                let named = (patch.kind.as_str(), patch.name.as_str());
                self.needs_or_misses(named, known, unreached, &at);
                known.disks_change |= patch.kind == "Node";
            }
            Action::Delete(object) if is_ours(object.api_version.as_deref()) => {
                known.disks_change |= object.kind == "Node";
                let Some(name) = object.name.as_deref() else {
                    return;
                };
                let named = (object.kind.as_str(), name);
                let at = at.member("delete").member("name");
                self.needs_or_misses(named, known, unreached, &at);
                if object.kind == "BackingImage" && object.refused.is_none() {
                    known.deleted.insert(name, step);
                }
            }
            Action::Apply(object) => {
                let text = |value: &'s serde_json::Value| value.as_str().unwrap_or_default();
                if !is_ours(object["apiVersion"].as_str()) {
                    return;
                }
                let named = (text(&object["kind"]), text(&object["metadata"]["name"]));
                known.made.insert(named);
                known.gone.remove(&named);
                if named.0 == "BackingImage" {
                    known.deleted.remove(named.1);
                }
                known.disks_change |= named.0 == "Node";
            }
            Action::NodeDown(node) => {
                if let Some(since) = known.down.insert(node, step) {
                    let text = format!(
                        "{node} has no power since step {}: nothing would change; give it back with nodeUp first",
                        self.title(since)
                    );
                    self.say(&at.member("nodeDown"), text);
                }
            }
            Action::NodeUp(node) => {
                let since = known.down.remove(node.as_str());
                if since.is_none() {
                    let text =
                        format!("{node} has its power: nothing would change; nodeDown takes it");
                    self.say(&at.member("nodeUp"), text);
                }
            }
            Action::AddDisk(new) => {
                let is_new = known.disks.insert(&new.disk);
                if !is_new && !known.disks_change {
                    let text = format!(
                        "{} is there already: name it in the cluster's `later`, or leave this out",
                        new.disk
                    );
                    self.say(&at.member("addDisk").member("disk"), text);
                }
            }
            Action::Config(config) => {
                let is_later = self.scenario.cluster.later.contains(&config.disk);
                if is_later && !known.disks.contains(&config.disk) {
                    let text = format!("{} is not there before addDisk, {unreached}", config.disk);
                    self.say(&at.member("config").member("disk"), text);
                }
                known.disks_change = true;
            }
            Action::Run(_) => known.anything = true,
            _ => {}
        }
    }

    fn expected(
        &mut self,
        expectation: &Expectation,
        step: usize,
        at: &Path,
        known: &Known<'_>,
        in_force: &[LonghornVersion],
    ) {
        let never = "so this can never be so";
        let Ok(subject) = expectation.subject() else {
            return;
        };
        match subject {
            Subject::Stuck(stuck) => {
                let at = at.member("stuck");
                let named = ("BackingImage", stuck.image.as_str());
                self.needs(named, known, never, &at.member("image"));
                let on = in_force.iter().filter(|v| expectation.on.includes(v));
                if !known.disks_change {
                    on.for_each(|version| self.can_collide(stuck, version, &at));
                }
            }
            Subject::Settled(settled) => {
                let at = at.member("settled").member("image");
                let image = settled.image.as_str();
                let is_said = self.needs(("BackingImage", image), known, never, &at);
                if let Some(since) = known.deleted.get(image)
                    && !is_said
                    && *since < step
                    && !known.anything
                {
                    let text = format!(
                        "image {image:?} is deleted in step {}, {never}; apply it again before",
                        self.title(*since)
                    );
                    self.say(&at, text);
                }
            }
            Subject::Objects(objects) if is_ours(objects.api_version.as_deref()) => {
                let Some(name) = objects.name.as_deref() else {
                    return;
                };
                let (named, at) = (
                    (objects.kind.as_str(), name),
                    at.member("objects").member("name"),
                );
                let is_never = matches!(expectation.span().time(PATIENCE), Ok(Time::Never(_)));
                if is_none(objects) == is_never {
                    self.needs_or_misses(named, known, never, &at);
                } else if !self.is_ever_there(named) {
                    self.misses(named, known, "so this cannot fail", &at);
                }
            }
            _ => {}
        }
    }

    /// Says so if an object has gone, or comes later.
    fn needs(&mut self, named: Named<'_>, known: &Known<'_>, hence: &str, at: &Path) -> bool {
        let (kind, name) = named;
        if known.anything || !NAMED.contains(&kind) {
            return false;
        }
        let text = if let Some(step) = known.gone.get(&named) {
            format!(
                "{kind} {name:?} has gone by step {}, {hence}; apply it again before, or leave this out",
                self.title(*step)
            )
        } else if !known.made.contains(&named) && self.is_ever_there(named) {
            format!("{kind} {name:?} is applied later, {hence}; apply it before")
        } else {
            return false;
        };
        self.say(at, text);
        true
    }

    /// The same, and also if it is never there at all.
    fn needs_or_misses(&mut self, named: Named<'_>, known: &Known<'_>, hence: &str, at: &Path) {
        if !self.needs(named, known, hence, at) && !self.is_ever_there(named) {
            self.misses(named, known, hence, at);
        }
    }

    fn misses(&mut self, (kind, name): Named<'_>, known: &Known<'_>, hence: &str, at: &Path) {
        if known.anything || !NAMED.contains(&kind) {
            return;
        }
        let names = known.made.iter().filter(|(other, _)| *other == kind);
        let instead = instead(name, names.map(|(_, name)| *name));
        self.say(at, format!("there is no {kind} {name:?}, {hence}{instead}"));
    }

    /// Whether the cluster has an object, or some step applies it.
    fn is_ever_there(&self, (kind, name): Named<'_>) -> bool {
        let cluster = &self.scenario.cluster;
        let mut actions = self.scenario.steps.iter().flat_map(|step| &step.actions);
        let is_given = match kind {
            "BackingImage" => cluster.images.contains_key(name),
            "Volume" => cluster.volumes.contains_key(name),
            "Node" => cluster.disks.keys().any(|disk| disk.node == name),
            _ => true,
        };
        is_given
            || actions.any(|action| match action {
                Action::Apply(object) => {
                    object["kind"] == kind && object["metadata"]["name"] == name
                }
                _ => false,
            })
    }

    /// Disks whose managers have names of their own do not fight over one.
    fn can_collide(&mut self, stuck: &Stuck, version: &LonghornVersion, at: &Path) {
        let (Ok(behaviour), Ok(image)) = (Behaviour::of(version), manager_image_for(version))
        else {
            return;
        };
        let disks = &self.scenario.cluster.disks;
        let uuids = stuck.contested.iter().filter_map(|disk| disks.get(disk));
        let names = uuids.map(|uuid| {
            let name = behaviour
                .scheme
                .manager_name(&image.image, &DiskUuid::new(uuid));
            name.map(|name| name.as_str().to_owned()).ok()
        });
        let names: BTreeSet<Option<String>> = names.collect();
        if names.len() > 1 && !names.contains(&None) {
            let advice = match On::Affected.includes(version) {
                true => "their UUIDs differ in the first four characters",
                false => "say `on: affected`",
            };
            let text = format!(
                "under {version} the managers of these disks have names of their own, so this can \
                 never be so: {advice}"
            );
            self.say(&at.member("contested"), text);
        }
    }

    /// That every contested disk wins at times is looked at where the last step ends stuck.
    fn every_contested_disk_wins(&mut self) {
        let repeat = self.scenario.repeat;
        if !repeat.every_contested_disk_wins {
            return;
        }
        let at = Path::of("repeat").member("everyContestedDiskWins");
        let last = self.scenario.steps.last();
        let mut stuck = last.into_iter().flat_map(|step| &step.expect);
        let Some(stuck) = stuck.find_map(|expectation| expectation.stuck.as_ref()) else {
            let text = "never looked at: the last step does not expect that an image is stuck";
            return self.say(&at, text);
        };
        if let Some(winner) = &stuck.winner {
            let text = format!("the last step expects that {winner} wins, so no other disk could");
            self.say(&at, text);
        } else if usize::try_from(repeat.seeds).is_ok_and(|seeds| seeds < stuck.contested.len()) {
            let (seeds, disks) = (repeat.seeds, stuck.contested.len());
            let text =
                format!("in {seeds} runs not each of {disks} disks can win: give more seeds");
            self.say(&at, text);
        }
    }

    /// A step, as a person finds it.
    fn title(&self, step: usize) -> String {
        let name = self.scenario.steps.get(step).map(|step| &step.name.text);
        format!("{} ({:?})", step + 1, name.map_or("", String::as_str))
    }
}

impl<'s> Known<'s> {
    /// What a step that has passed has shown: that objects have gone.
    fn learn(&mut self, step: &'s Step, index: usize, in_force: &[LonghornVersion]) {
        for expectation in &step.expect {
            let everywhere = in_force
                .iter()
                .all(|version| expectation.on.includes(version));
            let lasts = matches!(
                expectation.span().time(PATIENCE),
                Ok(Time::Eventually(_) | Time::Always(_))
            );
            let Some(objects) = &expectation.objects else {
                continue;
            };
            let is_plain = objects.labels.is_empty()
                && objects.fields.is_none()
                && objects.cel.is_none()
                && is_ours(objects.api_version.as_deref());
            if !everywhere || !lasts || !is_plain || !is_none(objects) {
                continue;
            }
            let is_meant = |(kind, name): &&Named<'s>| {
                *kind == objects.kind && objects.name.as_ref().is_none_or(|meant| meant == name)
            };
            let gone: Vec<Named<'s>> = self.made.iter().filter(is_meant).copied().collect();
            self.gone
                .extend(gone.into_iter().map(|named| (named, index)));
        }
    }
}

/// It expects that there is none.
fn is_none(objects: &Objects) -> bool {
    matches!(objects.rule, Some(Rule::None | Rule::Exactly(0)))
}

fn is_ours(api_version: Option<&str>) -> bool {
    api_version.is_none_or(|version| version.starts_with("longhorn.io/"))
}
