//! Compares what the model did in a step with what was recorded: the state field
//! by field, texts as sets, attempts by their pattern. Random identifiers are
//! compared by where they recur, not by their digits.

use std::collections::{BTreeMap, BTreeSet};

use fixname_controllers::{Level, TraceEntry, TraceItem};
use serde::Serialize;
use serde_json::{Value, json};

use super::format::{Exited, RecordedStep};
use super::state::State;

/// A difference between a recording and the model.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Difference {
    /// The step, from 1.
    pub step: usize,
    /// Where in the step's record.
    pub field: String,
    /// What was recorded; null if nothing was.
    pub recorded: Value,
    /// What the model did; null if nothing.
    pub model: Value,
}

/// What the model did in a step.
pub(super) struct Played<'a> {
    pub(super) state: State,
    pub(super) trace: &'a [TraceEntry],
    /// What the process panicked with.
    pub(super) panic: Option<String>,
}

/// Which parts of a step are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Extent {
    /// The state at the end, and all that was logged.
    Everything,
    /// The state at the end only.
    States,
}

/// How a step compares.
pub(super) struct Compared {
    /// Differences of the state at its end, or of how the process ended.
    pub(super) states: Vec<Difference>,
    /// Differences of what was said.
    pub(super) texts: Vec<Difference>,
    /// What was said: recorded, and by the model.
    pub(super) said: [Said; 2],
}

/// Compares step after step; remembers the random identifiers met.
#[derive(Default)]
pub(super) struct Comparer {
    recorded: Drawn,
    model: Drawn,
    found: Vec<Difference>,
    step: usize,
}

impl Comparer {
    /// The differences of the next step.
    pub(super) fn step(
        &mut self,
        recorded: &RecordedStep,
        played: &Played<'_>,
        exact_attempts: bool,
        extent: Extent,
    ) -> Compared {
        self.step += 1;
        let expected = self.recorded.normal(recorded_state(recorded));
        let found = self.model.normal(played.state.clone());
        // What had not settled is compared only in what cannot change any more.
        let fields: Option<&[&str]> =
            (recorded.settled == Some(false)).then_some(&["name", "labels", "finalizers"]);
        self.objects(
            "backingImageManagers",
            &expected.managers,
            &found.managers,
            fields,
        );
        self.objects("backingImages", &expected.images, &found.images, fields);
        if let Some(sources) = &expected.sources {
            let found = found.sources.unwrap_or_default();
            self.objects("dataSources", sources, &found, fields);
        }
        self.exit(recorded.controller_exited.as_ref(), played.panic.as_deref());
        let states = std::mem::take(&mut self.found);
        let mut said = [Said::new(), Said::new()];
        if extent == Extent::Everything && fields.is_none() {
            said = [
                recorded_said(recorded, exact_attempts),
                model_said(recorded, played.trace, exact_attempts),
            ];
        }
        self.said(&said[0], &said[1]);
        Compared {
            states,
            texts: std::mem::take(&mut self.found),
            said,
        }
    }

    fn differ(&mut self, field: String, recorded: Value, model: Value) {
        self.found.push(Difference {
            step: self.step,
            field,
            recorded,
            model,
        });
    }

    fn objects<T: Serialize>(
        &mut self,
        kind: &str,
        recorded: &BTreeMap<String, T>,
        model: &BTreeMap<String, T>,
        fields: Option<&[&str]>,
    ) {
        let names: BTreeSet<&String> = recorded.keys().chain(model.keys()).collect();
        for name in names {
            let path = format!("{kind}[{name}]");
            match (recorded.get(name), model.get(name)) {
                (Some(recorded), Some(model)) => {
                    let (recorded, model) = (json!(recorded), json!(model));
                    let Value::Object(recorded) = recorded else {
                        continue;
                    };
                    // Only what was recorded is compared.
                    for (field, value) in recorded {
                        let is_compared = fields.is_none_or(|f| f.contains(&field.as_str()));
                        if is_compared && !agrees(&value, &model[&field]) {
                            let model = model[&field].clone();
                            self.differ(format!("{path}.{field}"), value, model);
                        }
                    }
                }
                (Some(recorded), None) => self.differ(path, json!(recorded), Value::Null),
                (None, Some(model)) => self.differ(path, Value::Null, json!(model)),
                (None, None) => {}
            }
        }
    }

    fn exit(&mut self, recorded: Option<&Exited>, panic: Option<&str>) {
        if !ended_alike(recorded, panic) {
            self.differ("controllerExited".to_owned(), json!(recorded), json!(panic));
        }
    }

    fn said(&mut self, recorded: &Said, model: &Said) {
        for (field, text) in recorded.difference(model) {
            self.differ(field.clone(), json!(text), Value::Null);
        }
        for (field, text) in model.difference(recorded) {
            self.differ(field.clone(), Value::Null, json!(text));
        }
    }
}

/// What was said in a step, by field: texts of the log, of events, and the pattern
/// of attempts. What was not recorded is left out on both sides.
pub(super) type Said = BTreeSet<(String, String)>;

fn recorded_said(step: &RecordedStep, exact: bool) -> Said {
    let mut said = Said::new();
    for (field, texts) in [("logged", &step.logged), ("events", &step.events)] {
        let texts = texts.iter().flat_map(BTreeMap::keys);
        said.extend(texts.map(|text| (field.to_owned(), text.clone())));
    }
    for a in step.attempts.iter().flatten() {
        let key = format!("attempts[{} {}]", a.backing_image, a.name);
        said.insert((key, pattern(a.offsets_ms.len(), exact)));
    }
    said
}

fn model_said(step: &RecordedStep, trace: &[TraceEntry], exact: bool) -> Said {
    let mut said = Said::new();
    let mut attempts: BTreeMap<String, usize> = BTreeMap::new();
    for entry in trace {
        match &entry.item {
            TraceItem::Log(line) => {
                if line.level > Level::Info && step.logged.is_some() {
                    said.insert(("logged".to_owned(), line.text()));
                }
                if let Some(name) = line.error.as_deref().and_then(refused_name) {
                    let key = format!("attempts[{} {name}]", line.image);
                    *attempts.entry(key).or_default() += 1;
                }
            }
            TraceItem::Event(event) if step.events.is_some() => {
                said.insert(("events".to_owned(), without_drawn_uuid(event.text())));
            }
            _ => {}
        }
    }
    if step.attempts.is_some() {
        said.extend(
            attempts
                .into_iter()
                .map(|(key, n)| (key, pattern(n, exact))),
        );
    }
    said
}

/// The pattern of a number of attempts: each trigger makes four, unless one of
/// them succeeds. Where triggers were counted, the number itself.
fn pattern(count: usize, exact: bool) -> String {
    match (exact, count % 4) {
        (true, _) => count.to_string(),
        (false, 0) => "four for each trigger".to_owned(),
        (false, _) => "a trigger ended before its fourth".to_owned(),
    }
}

/// Whether a process ended as one that was recorded.
pub(super) fn ended_alike(recorded: Option<&Exited>, panic: Option<&str>) -> bool {
    match (recorded, panic) {
        (None, None) => true,
        (Some(exited), Some(panic)) => exited.code == 2 && exited.panic.contains(panic),
        _ => false,
    }
}

/// The entries of a list may have been recorded in part; everything else whole.
fn agrees(recorded: &Value, model: &Value) -> bool {
    let (Value::Array(recorded), Value::Array(model)) = (recorded, model) else {
        return recorded == model;
    };
    recorded.len() == model.len()
        && recorded.iter().zip(model).all(|pair| match pair {
            (Value::Object(recorded), Value::Object(model)) => recorded
                .iter()
                .all(|(field, value)| model.get(field) == Some(value)),
            (recorded, model) => recorded == model,
        })
}

/// The name that an error says is taken.
fn refused_name(error: &str) -> Option<&str> {
    let quoted = error.strip_suffix("\" already exists")?;
    quoted.rsplit_once('"').map(|(_, name)| name)
}

/// Recordings have the drawn UUID of an image replaced in this event.
fn without_drawn_uuid(event: String) -> String {
    const BEFORE: &str = ": Initialized UUID to ";
    match event.split_once(BEFORE) {
        Some((start, _)) => format!("{start}{BEFORE}<8 hex>"),
        None => event,
    }
}

/// The identifiers that were drawn for images, in the order in which they appeared.
#[derive(Default)]
struct Drawn(BTreeMap<String, Vec<String>>);

impl Drawn {
    fn normal(&mut self, mut state: State) -> State {
        for (image, state) in &mut state.images {
            if let Some(uuid) = &mut state.uuid {
                *uuid = self.name(image, uuid);
            }
            if let Some(disks) = &mut state.spec_disks {
                disks.sort_by(|a, b| a.disk_uuid.cmp(&b.disk_uuid));
            }
            if let Some(disks) = &mut state.last_ref {
                disks.sort();
            }
        }
        for manager in state.managers.values_mut() {
            for (image, uuid) in manager.backing_images.iter_mut().flatten() {
                *uuid = self.name(image, uuid);
            }
        }
        state
    }

    fn name(&mut self, image: &str, uuid: &str) -> String {
        if uuid.len() != 8 || !uuid.bytes().all(|b| b.is_ascii_hexdigit()) {
            return uuid.to_owned();
        }
        let known = self.0.entry(image.to_owned()).or_default();
        let index = known.iter().position(|k| k == uuid).unwrap_or_else(|| {
            known.push(uuid.to_owned());
            known.len() - 1
        });
        format!("<drawn {}>", index + 1)
    }
}

/// True if two runs ended every step in the same state, drawn identifiers aside.
/// Steps that had not settled do not count.
pub(super) fn same_states(a: &super::format::Recording, b: &super::format::Recording) -> bool {
    let (mut drawn_a, mut drawn_b) = (Drawn::default(), Drawn::default());
    a.steps.len() == b.steps.len()
        && a.steps.iter().zip(&b.steps).all(|(a, b)| {
            let same = drawn_a.normal(recorded_state(a)) == drawn_b.normal(recorded_state(b));
            let is_settled = a.settled != Some(false) && b.settled != Some(false);
            (same || !is_settled) && a.controller_exited == b.controller_exited
        })
}

/// What was recorded at the end of a step.
pub(super) fn recorded_state(step: &RecordedStep) -> State {
    let managers = step.backing_image_managers.iter();
    State {
        managers: managers.map(|m| (m.name.clone(), m.clone())).collect(),
        images: step.backing_images.clone(),
        sources: step.data_sources.clone(),
    }
}
