//! Whether two states differ only by which disk won, or was drawn: what is chance in
//! Longhorn, and so the only way in which a seed may leave the recorded runs.
//!
//! Where other disks won or were drawn, what follows from that differs too, and cannot be
//! told from the record. Where they did not, the states must be alike: a state is taken
//! apart into what it says of each disk, without saying which disk that is, and what it
//! says of no disk; two states are alike if they say the same of as many disks.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use serde_json::{Map, Value, json};

use super::format::ImageState;
use super::state::State;

/// True if two states differ at most by which disk is which. What was not recorded is not
/// compared.
pub(super) fn are_alike(recorded: &State, model: &State) -> bool {
    let known = Known::of(recorded);
    Shape::of(recorded, &known) == Shape::of(model, &known)
}

/// True if in one state another disk has a manager's name, is wanted by an image, or has its
/// data source than in the other. What was not recorded is no choice.
pub(super) fn chose_otherwise(recorded: &State, model: &State) -> bool {
    let won = recorded.managers.iter().any(|(name, recorded)| {
        let model = model.managers.get(name);
        recorded.disk_uuid.is_some()
            && model.is_some_and(|model| model.disk_uuid != recorded.disk_uuid)
    });
    let wanted = |image: &ImageState| {
        let disks = image.spec_disks.iter().flatten();
        disks
            .map(|disk| disk.disk_uuid.clone())
            .collect::<BTreeSet<_>>()
    };
    let drawn = recorded.images.iter().any(|(name, recorded)| {
        let model = model.images.get(name);
        recorded.spec_disks.is_some()
            && model.is_some_and(|model| wanted(model) != wanted(recorded))
    });
    let begun = recorded.sources.iter().flatten().any(|(name, recorded)| {
        let model = model.sources.as_ref().and_then(|sources| sources.get(name));
        recorded.disk.is_some() && model.is_some_and(|model| model.disk != recorded.disk)
    });
    won || drawn || begun
}

/// The fields that were recorded, by kind.
struct Known {
    managers: BTreeSet<String>,
    images: BTreeSet<String>,
    /// Of the disks that images want.
    wanted: BTreeSet<String>,
    sources: Option<BTreeSet<String>>,
}

impl Known {
    fn of(recorded: &State) -> Self {
        fn common<'a, T: Serialize + 'a>(
            objects: impl IntoIterator<Item = &'a T>,
        ) -> BTreeSet<String> {
            let fields = objects.into_iter().map(|object| {
                let fields = fields(object).into_iter();
                fields.map(|(field, _)| field).collect::<BTreeSet<_>>()
            });
            fields.reduce(|a, b| &a & &b).unwrap_or_default()
        }
        Self {
            managers: common(recorded.managers.values()),
            images: common(recorded.images.values()),
            wanted: common(
                recorded
                    .images
                    .values()
                    .flat_map(|i| i.spec_disks.iter().flatten()),
            ),
            sources: recorded
                .sources
                .as_ref()
                .map(|sources| common(sources.values())),
        }
    }
}

fn fields(object: &impl Serialize) -> Map<String, Value> {
    match json!(object) {
        Value::Object(fields) => fields,
        _ => Map::new(),
    }
}

/// What a state says, whichever disk it says it of.
#[derive(PartialEq)]
struct Shape {
    /// Of each disk, sorted.
    disks: Vec<Vec<String>>,
    /// Of none.
    others: Vec<String>,
}

impl Shape {
    fn of(state: &State, known: &Known) -> Self {
        let mut facts = Facts::default();
        for manager in state.managers.values() {
            facts.manager(fields(manager), &known.managers);
        }
        for (name, image) in &state.images {
            facts.image(name, fields(image), known);
        }
        if let Some(known) = &known.sources {
            for (name, source) in state.sources.iter().flatten() {
                facts.source(name, fields(source), known);
            }
        }
        let mut disks: Vec<_> = facts.of_disks.into_values().collect();
        for facts in &mut disks {
            facts.sort();
        }
        disks.sort();
        Self {
            disks,
            others: facts.others,
        }
    }
}

#[derive(Default)]
struct Facts {
    of_disks: BTreeMap<String, Vec<String>>,
    others: Vec<String>,
}

impl Facts {
    fn add(&mut self, disk: &str, fact: String) {
        self.of_disks.entry(disk.to_owned()).or_default().push(fact);
    }

    /// Its name, node and labels follow from its disk; of its images the UUIDs are drawn.
    fn manager(&mut self, mut fields: Map<String, Value>, known: &BTreeSet<String>) {
        let name = fields.remove("name").unwrap_or_default();
        fields.retain(|field, _| known.contains(field));
        fields.retain(|field, _| !matches!(field.as_str(), "nodeID" | "labels"));
        let disk = fields.remove("diskUUID").unwrap_or(name);
        if let Some(Value::Object(images)) = fields.get_mut("backingImages") {
            images.values_mut().for_each(|uuid| *uuid = Value::Null);
        }
        let disk = disk.as_str().unwrap_or_default();
        self.add(disk, format!("manager {}", Value::Object(fields)));
    }

    fn image(&mut self, name: &str, mut fields: Map<String, Value>, known: &Known) {
        fields.retain(|field, _| known.images.contains(field));
        for disk in entries(fields.remove("specDisks")) {
            let Value::Object(mut disk) = disk else {
                continue;
            };
            let uuid = disk.remove("diskUUID").unwrap_or_default();
            disk.retain(|field, _| known.wanted.contains(field));
            let wanted = format!("{name} wants {}", Value::Object(disk));
            self.add(uuid.as_str().unwrap_or_default(), wanted);
        }
        for disk in entries(fields.remove("lastRef")) {
            let uuid = disk.as_str().unwrap_or_default();
            self.add(uuid, format!("{name} refers"));
        }
        if let Some(Value::Object(copies)) = fields.remove("status") {
            for (disk, state) in copies {
                self.add(&disk, format!("{name} has {state}"));
            }
        }
        // The messages name managers and disks.
        if let Some(Value::Object(messages)) = fields.remove("statusMessages") {
            for disk in messages.keys() {
                self.add(disk, format!("{name} says why"));
            }
        }
        if let Some(uuid) = fields.get_mut("uuid") {
            *uuid = (*uuid == "").into();
        }
        self.others
            .push(format!("{name} {}", Value::Object(fields)));
    }

    fn source(&mut self, name: &str, mut fields: Map<String, Value>, known: &BTreeSet<String>) {
        fields.retain(|field, _| known.contains(field) && field != "node");
        let disk = fields.remove("disk").unwrap_or_default();
        let disk = disk.as_str().unwrap_or_default();
        self.add(disk, format!("source {name} {}", Value::Object(fields)));
    }
}

fn entries(list: Option<Value>) -> Vec<Value> {
    match list {
        Some(Value::Array(list)) => list,
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An image with a copy on each disk, of which `winner` alone has a manager.
    fn state(winner: &str, states: [&str; 2]) -> State {
        let image = json!({
            "specDisks": [{"diskUUID": "c012-a"}, {"diskUUID": "c012-b"}],
            "status": {"c012-a": states[0], "c012-b": states[1]},
            "uuid": "drawn", "deleting": false,
        });
        let manager = json!({
            "name": "manager-c012", "nodeID": format!("node-of-{winner}"), "diskUUID": winner,
            "backingImages": {"parrot": winner}, "currentState": "running",
        });
        State {
            managers: [(
                "manager-c012".to_owned(),
                serde_json::from_value(manager).unwrap(),
            )]
            .into(),
            images: [("parrot".to_owned(), serde_json::from_value(image).unwrap())].into(),
            sources: None,
        }
    }

    #[test]
    fn the_other_disk_may_win() {
        let recorded = state("c012-a", ["ready", "unknown"]);
        assert!(are_alike(&recorded, &recorded));
        assert!(are_alike(&recorded, &state("c012-b", ["unknown", "ready"])));
    }

    #[test]
    fn who_wins_is_a_choice() {
        let recorded = state("c012-a", ["ready", "unknown"]);
        assert!(chose_otherwise(
            &recorded,
            &state("c012-b", ["ready", "ready"])
        ));
        // A copy that is not there yet is none.
        assert!(!chose_otherwise(
            &recorded,
            &state("c012-a", ["unknown", "unknown"])
        ));
        let mut without = recorded.clone();
        without.managers.clear();
        assert!(!chose_otherwise(&recorded, &without));
        let mut fewer = recorded.clone();
        fewer
            .images
            .values_mut()
            .for_each(|image| image.spec_disks = None);
        assert!(chose_otherwise(&recorded, &fewer));
        assert!(!chose_otherwise(&fewer, &recorded));
    }

    #[test]
    fn nothing_else_may_differ() {
        let recorded = state("c012-a", ["ready", "unknown"]);
        // The loser has the copy.
        assert!(!are_alike(
            &recorded,
            &state("c012-a", ["unknown", "ready"])
        ));
        assert!(!are_alike(&recorded, &state("c012-a", ["ready", "ready"])));
        let mut without = recorded.clone();
        without.managers.clear();
        assert!(!are_alike(&recorded, &without));
        let mut named = recorded.clone();
        named.images.insert("second".to_owned(), Default::default());
        assert!(!are_alike(&recorded, &named));
    }

    #[test]
    fn what_was_not_recorded_is_not_compared() {
        let mut recorded = state("c012-a", ["ready", "unknown"]);
        for manager in recorded.managers.values_mut() {
            manager.current_state = None;
        }
        let mut model = state("c012-a", ["ready", "unknown"]);
        for disk in model
            .images
            .values_mut()
            .flat_map(|i| i.spec_disks.iter_mut().flatten())
        {
            disk.eviction_requested = Some(false);
        }
        assert!(are_alike(&recorded, &model));
        assert!(are_alike(&recorded, &state("c012-b", ["unknown", "ready"])));
    }
}
