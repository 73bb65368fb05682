//! Replays recordings of a real Longhorn against the model, and says where the two
//! differ.
//!
//! Map of the code: `format` reads recordings, `setup` makes the recorded cluster,
//! `play` plays the steps (`operate` carries out their operations), `state` takes
//! down what the cluster looks like, `compare` compares that with the record, `alike`
//! tells another outcome of the same chance from one that no chance explains.
//! Single requests and their answers are in `admission`. This file tries seeds until one gives the recorded run. The format and the
//! rules of comparison are described in `docs/conform.md`.

mod admission;
mod alike;
mod compare;
mod format;
mod operate;
mod play;
mod setup;
mod state;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use fixname_controllers::Behaviour;
use fixname_controllers::webhooks::Rules;
use serde::Serialize;

pub use admission::Row;
pub use compare::Difference;
pub use format::{Finalizers, FormatError, Line, Recording, StandIns, parse, text};

use crate::backend::{BackendError, ContextBackend, ControlPlaneBackend, Definitions};
use compare::{Extent, Said};
use format::RecordedStep;
use play::Left;

/// How to replay recordings.
#[derive(Clone, Debug)]
pub struct ConformOptions {
    /// The first seed; the others count up from it.
    pub seed: u64,
    /// How many seeds are tried for each run; it is reproduced if one fits.
    pub seeds: u64,
    /// How many seeds must all give the recorded end states where repeats of a run
    /// all agree; none are tried if 0.
    pub agreement: u64,
    /// Recordings at a time; 0 counts as 1.
    pub parallel: usize,
    /// Definitions to load instead of ours.
    pub definitions: Option<Definitions>,
    /// Changes made to the model before it is compared; none, outside tests.
    pub tampering: Tampering,
}

/// Changes of the model's switches.
#[derive(Clone, Copy, Debug, Default)]
pub struct Tampering {
    /// Of the controllers, whatever their version.
    pub behaviour: Option<fn(&mut Behaviour)>,
    /// Of the webhooks.
    pub rules: Option<fn(&mut Rules)>,
}

impl Default for ConformOptions {
    fn default() -> Self {
        Self {
            seed: 0,
            seeds: 500,
            agreement: 8,
            parallel: 1,
            definitions: None,
            tampering: Tampering::default(),
        }
    }
}

/// What became of one recording.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RecordingResult {
    /// What was played.
    pub scenario: String,
    /// The first version.
    pub version: String,
    /// Which repeat.
    pub run: u32,
    /// The run is reproduced: some seed gave its end states, step by step.
    pub matches: bool,
    /// That seed also said the same in every step. If not, what was said in the run
    /// lies within what the seeds that gave its end states said between them.
    pub whole: bool,
    /// Which seed.
    pub seed: Option<u64>,
    /// Where the seed that came furthest differs; empty if the run is reproduced.
    pub differences: Vec<Difference>,
    /// How many seeds were played.
    pub tried: u64,
    /// Those of them that went astray.
    pub astray: Option<Astray>,
}

/// Seeds that came to a state in which no repeat of the run ended, and not because another
/// disk had won or been drawn. Steps that had not settled do not count.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Astray {
    /// How many.
    pub seeds: u64,
    /// The first of them.
    pub first: u64,
    /// Where that one differs from the run.
    pub differences: Vec<Difference>,
}

/// Repeats of one run that all ended in the same states, which every seed must give.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Agreement {
    /// What was played.
    pub scenario: String,
    /// The first version.
    pub version: String,
    /// How many runs agree.
    pub runs: usize,
    /// Every seed tried gave their states.
    pub holds: bool,
    /// The first seed that did not.
    pub seed: Option<u64>,
    /// Where it differs.
    pub differences: Vec<Difference>,
}

/// Counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Totals {
    /// Runs read.
    pub recordings: usize,
    /// Runs that are reproduced.
    pub reproduced: usize,
    /// Runs of which one seed gave the states and all texts.
    pub whole: usize,
    /// Seeds played for them.
    pub tried: u64,
    /// Those among them that went astray.
    pub astray: u64,
}

/// What became of all recordings, in the order of the input.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ConformResult {
    /// Each recording.
    pub recordings: Vec<RecordingResult>,
    /// Each group of repeats that agree.
    pub agreements: Vec<Agreement>,
}

impl ConformResult {
    /// All together.
    pub fn totals(&self) -> Totals {
        count(&self.recordings)
    }

    /// By the first version of each run, in the order of their first appearance.
    pub fn by_version(&self) -> Vec<(String, Totals)> {
        let mut versions: Vec<String> = Vec::new();
        for recording in &self.recordings {
            if !versions.contains(&recording.version) {
                versions.push(recording.version.clone());
            }
        }
        versions
            .into_iter()
            .map(|version| {
                let of_version = self.recordings.iter().filter(|r| r.version == version);
                let totals = count(of_version);
                (version, totals)
            })
            .collect()
    }

    /// True if the model agrees with every recording.
    pub fn agrees(&self) -> bool {
        self.recordings.iter().all(|r| r.matches)
    }
}

fn count<'a>(recordings: impl IntoIterator<Item = &'a RecordingResult>) -> Totals {
    let mut totals = Totals::default();
    for recording in recordings {
        totals.recordings += 1;
        totals.reproduced += usize::from(recording.matches);
        totals.whole += usize::from(recording.whole);
        totals.tried += recording.tried;
        totals.astray += recording.astray.as_ref().map_or(0, |astray| astray.seeds);
    }
    totals
}

/// Where recordings are played.
#[derive(Clone, Copy, Debug)]
pub enum On<'a> {
    /// In this process, in virtual time.
    Embedded,
    /// On a control plane of real programs.
    ControlPlane(&'a ControlPlaneBackend),
    /// On a cluster that is there.
    Context(&'a ContextBackend),
}

impl On<'_> {
    /// True if a recording can be played there. Longhorn's webhooks are the model's
    /// only on the embedded server.
    pub fn can_play(self, line: &Line) -> bool {
        match (self, line) {
            (On::Embedded, _) => true,
            (_, Line::Run(run)) => run.finalizers != Finalizers::LonghornWebhooks,
            (_, Line::Row(_)) => false,
        }
    }
}

/// Replays recordings on the embedded API server. The result does not depend on
/// the number of threads.
///
/// # Errors
///
/// [`BackendError`] if a recorded cluster could not be made, or a watch broke.
pub fn conform(
    recordings: &[Line],
    options: &ConformOptions,
) -> Result<ConformResult, BackendError> {
    conform_on(recordings, options, On::Embedded)
}

/// Replays recordings on an API server. On a real one, what is left to chance does
/// not come from the seed alone.
///
/// # Errors
///
/// [`BackendError`] if a recorded cluster could not be made, a watch broke, or a
/// recording cannot be played there.
pub fn conform_on(
    recordings: &[Line],
    options: &ConformOptions,
    on: On<'_>,
) -> Result<ConformResult, BackendError> {
    if let Some(line) = recordings.iter().find(|line| !on.can_play(line)) {
        return Err(BackendError::new(format!(
            "{} {} needs Longhorn's webhooks, which only the embedded server has",
            line.scenario(),
            line.version()
        )));
    }
    let groups = repeats(recordings.iter().filter_map(run_of));
    let indices: Vec<usize> = (0..recordings.len()).collect();
    let results = in_parallel(options.parallel, &indices, |index| {
        match &recordings[*index] {
            Line::Run(run) => reproduce(run, &groups[&key(run)], options, on),
            Line::Row(row) => answer(row, options),
        }
    })?;
    let agreeing: Vec<&Vec<&Recording>> = groups.values().filter(|group| agree(group)).collect();
    let agreements = in_parallel(options.parallel, &agreeing, |group| {
        hold(group[0], group.len(), options, on)
    })?;
    Ok(ConformResult {
        recordings: results,
        agreements: agreements.into_iter().flatten().collect(),
    })
}

fn run_of(line: &Line) -> Option<&Recording> {
    match line {
        Line::Run(run) => Some(run),
        Line::Row(_) => None,
    }
}

/// Sends the request of an admission row and compares the answer.
fn answer(row: &Row, options: &ConformOptions) -> Result<RecordingResult, BackendError> {
    let (differences, seed) = admission::differences(row, options)?;
    let matches = differences.is_empty();
    Ok(RecordingResult {
        scenario: row.rule.clone(),
        version: row.version.to_string(),
        run: 0,
        matches,
        whole: matches,
        seed: matches.then_some(seed),
        differences,
        tried: match matches {
            true => seed.wrapping_sub(options.seed) + 1,
            false => admission::ORDERS,
        },
        astray: None,
    })
}

/// Tries seeds until one gives the recorded run whole. If none does, seeds that
/// give its states stand for it, provided that what was said fits them.
fn reproduce(
    recording: &Recording,
    repeats: &[&Recording],
    options: &ConformOptions,
    on: On<'_>,
) -> Result<RecordingResult, BackendError> {
    let mut result = RecordingResult {
        scenario: recording.scenario.clone(),
        version: recording.version.to_string(),
        run: recording.run,
        matches: false,
        whole: false,
        seed: None,
        differences: Vec::new(),
        tried: 0,
        astray: None,
    };
    let mut best = None;
    let mut range = Range::default();
    for seed in (0..options.seeds).map(|n| options.seed.wrapping_add(n)) {
        let outcome = play::play(recording, seed, Extent::Everything, options, on)?;
        result.tried += 1;
        if outcome
            .left
            .as_ref()
            .is_some_and(|left| is_astray(left, repeats))
        {
            let astray = result.astray.get_or_insert_with(|| Astray {
                seeds: 0,
                first: seed,
                differences: outcome.differences.clone(),
            });
            astray.seeds += 1;
        }
        if outcome.differences.is_empty() {
            result.matches = true;
            result.whole = true;
            result.seed = Some(seed);
            result.differences.clear();
            return Ok(result);
        }
        if outcome.states_agree {
            range.widen(&outcome.said);
            result.seed.get_or_insert(seed);
        }
        // Further is better; as far with fewer differences, too.
        let reach = (outcome.agreed, std::cmp::Reverse(outcome.differences.len()));
        if best.is_none_or(|best| reach > best) {
            best = Some(reach);
            result.differences = outcome.differences;
        }
    }
    if range.holds() {
        result.matches = true;
        result.differences.clear();
    }
    Ok(result)
}

/// What several seeds said that gave the same states, step by step.
#[derive(Default)]
struct Range {
    recorded: Vec<Said>,
    /// Said by some seed.
    some: Vec<Said>,
    /// Said by every seed.
    every: Vec<Said>,
}

impl Range {
    fn widen(&mut self, said: &[[Said; 2]]) {
        if self.recorded.is_empty() {
            self.recorded = said.iter().map(|[recorded, _]| recorded.clone()).collect();
            self.every = said.iter().map(|[_, model]| model.clone()).collect();
            self.some.clone_from(&self.every);
            return;
        }
        for (index, [_, model]) in said.iter().enumerate() {
            self.some[index].extend(model.iter().cloned());
            self.every[index].retain(|text| model.contains(text));
        }
    }

    /// Every text recorded is one that some seed said, and none is missing that
    /// every seed said.
    fn holds(&self) -> bool {
        let mut steps = self.recorded.iter().zip(&self.some).zip(&self.every);
        !self.recorded.is_empty()
            && steps.all(|((recorded, some), every)| {
                recorded.is_subset(some) && every.is_subset(recorded)
            })
    }
}

/// True if no repeat of a run ended that step alike, though the same disks won and were
/// drawn in one.
fn is_astray(left: &Left, repeats: &[&Recording]) -> bool {
    let steps = repeats.iter().filter_map(|run| run.steps.get(left.step));
    let settled: Vec<_> = steps.filter(|step| step.settled != Some(false)).collect();
    let is_alike = |step: &RecordedStep| {
        compare::ended_alike(step.controller_exited.as_ref(), left.panic.as_deref())
            && alike::are_alike(&compare::recorded_state(step), &left.state)
    };
    let is_comparable =
        |step: &RecordedStep| !alike::chose_otherwise(&compare::recorded_state(step), &left.state);
    settled.iter().any(|step| is_comparable(step)) && !settled.iter().any(|step| is_alike(step))
}

/// What repeats of a run have in common.
fn key(recording: &Recording) -> String {
    format!(
        "{} {} {:?} {:?}",
        recording.scenario, recording.version, recording.finalizers, recording.stand_ins
    )
}

/// Runs of the same thing.
fn repeats<'a>(
    recordings: impl Iterator<Item = &'a Recording>,
) -> BTreeMap<String, Vec<&'a Recording>> {
    let mut groups: BTreeMap<String, Vec<&Recording>> = BTreeMap::new();
    for recording in recordings {
        groups.entry(key(recording)).or_default().push(recording);
    }
    groups
}

/// True of at least three repeats that end in the same states at every step.
fn agree(group: &[&Recording]) -> bool {
    let mut others = group.iter().skip(1);
    group.len() >= 3 && others.all(|other| compare::same_states(group[0], other))
}

fn hold(
    recording: &Recording,
    runs: usize,
    options: &ConformOptions,
    on: On<'_>,
) -> Result<Option<Agreement>, BackendError> {
    if options.agreement == 0 {
        return Ok(None);
    }
    let mut agreement = Agreement {
        scenario: recording.scenario.clone(),
        version: recording.version.to_string(),
        runs,
        holds: true,
        seed: None,
        differences: Vec::new(),
    };
    for seed in (0..options.agreement).map(|n| options.seed.wrapping_add(n)) {
        let outcome = play::play(recording, seed, Extent::States, options, on)?;
        if !outcome.differences.is_empty() {
            agreement.holds = false;
            agreement.seed = Some(seed);
            agreement.differences = outcome.differences;
            break;
        }
    }
    Ok(Some(agreement))
}

/// Does the same to each item on several threads; the results come in the items' order.
fn in_parallel<T: Sync, R: Send>(
    threads: usize,
    items: &[T],
    work: impl Fn(&T) -> Result<R, BackendError> + Sync,
) -> Result<Vec<R>, BackendError> {
    let next = AtomicUsize::new(0);
    let done: Mutex<BTreeMap<usize, Result<R, BackendError>>> = Mutex::new(BTreeMap::new());
    std::thread::scope(|scope| {
        for _ in 0..threads.clamp(1, items.len().max(1)) {
            scope.spawn(|| {
                while let Some((index, item)) = {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    items.get(index).map(|item| (index, item))
                } {
                    let result = work(item);
                    let mut done = done.lock().unwrap_or_else(PoisonError::into_inner);
                    done.insert(index, result);
                }
            });
        }
    });
    let done = done.into_inner().unwrap_or_else(PoisonError::into_inner);
    done.into_values().collect()
}
