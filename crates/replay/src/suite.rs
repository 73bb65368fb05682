//! Runs many scenarios, on as many threads as asked for, and reports the runs in
//! a fixed order, whichever ends first.

use std::any::Any;
use std::collections::BTreeMap;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc;

use fixname_controllers::Parts;
use fixname_naming::Scheme;

use crate::backend::{Backend, BackendError, Definitions};
use crate::event::{Failure, Phase, Progress, RunResult, Totals, Trouble, Verdict};
use crate::expect::wins;
use crate::run::{RunOptions, begun};
use crate::scenario::Scenario;

/// How to run a suite.
#[derive(Clone, Debug)]
pub struct SuiteOptions {
    /// The first seed; repeats count up from it.
    pub seed: u64,
    /// Seeds for each scenario and version, instead of the number in its file.
    pub repeat: Option<u64>,
    /// The part of the suite to run.
    pub shard: Shard,
    /// Runs at a time; 0 counts as 1.
    pub parallel: usize,
    /// Gives the models of all versions this name function instead of their own.
    pub name_scheme: Option<Scheme>,
    /// What of the model is played.
    pub parts: Parts,
    /// Starts nothing new after the first failure.
    pub fail_fast: bool,
    /// Definitions to load instead of ours.
    pub definitions: Option<Definitions>,
    /// Scenarios may run programs on this machine.
    pub commands: bool,
    /// Keeps what a failed run left; see [`RunOptions::keep_on_failure`].
    pub keep_on_failure: Option<PathBuf>,
}

impl Default for SuiteOptions {
    /// Everything once, from seed 1, one run at a time.
    fn default() -> Self {
        Self {
            seed: 1,
            repeat: None,
            shard: Shard::default(),
            parallel: 1,
            name_scheme: None,
            parts: Parts::all(),
            fail_fast: false,
            definitions: None,
            commands: false,
            keep_on_failure: None,
        }
    }
}

/// One of several equal parts of a suite, written `2/5`. All repeats of a scenario
/// under a version are in one part, so that they can be judged together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shard {
    index: usize,
    of: usize,
}

impl Default for Shard {
    fn default() -> Self {
        Self { index: 1, of: 1 }
    }
}

impl FromStr for Shard {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let numbers = text.split_once('/');
        let parsed = numbers.and_then(|(i, n)| Some((i.parse().ok()?, n.parse().ok()?)));
        match parsed {
            Some((index, of)) if 1 <= index && index <= of => Ok(Self { index, of }),
            _ => Err(format!(
                "a part is written i/n with i from 1 to n, such as 2/5; found {text:?}"
            )),
        }
    }
}

impl fmt::Display for Shard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.index, self.of)
    }
}

/// A suite of scenarios.
pub struct Suite<'a> {
    scenarios: &'a [Scenario],
    options: SuiteOptions,
}

/// What became of a suite.
#[derive(Clone, Debug, Default)]
pub struct SuiteResult {
    /// Every run, in order. After `fail_fast`, trouble or an interruption, some are missing.
    pub runs: Vec<RunResult>,
    /// Runs that were planned.
    pub planned: usize,
    /// What went wrong outside of the runs. A suite with trouble has failed.
    pub troubles: Vec<Trouble>,
    /// What the runs did not show, though a scenario asks for it.
    pub not_judged: Vec<String>,
    /// Clusters that were made for the suite and kept for the sake of failed runs,
    /// with how to reach and how to remove them.
    pub kept: Vec<String>,
}

impl SuiteResult {
    /// A suite of which nothing ran.
    pub fn of_trouble(phase: Phase, message: impl Into<String>) -> Self {
        let mut result = Self::default();
        result.add_trouble(phase, message);
        result
    }

    /// Something else went wrong.
    pub fn add_trouble(&mut self, phase: Phase, message: impl Into<String>) {
        self.troubles.push(Trouble {
            phase,
            message: message.into(),
        });
    }

    /// Counts.
    pub fn totals(&self) -> Totals {
        let failed = self
            .runs
            .iter()
            .filter(|r| r.result == Verdict::Failed)
            .count();
        Totals {
            passed: self.runs.len() - failed,
            failed,
        }
    }

    /// Runs that were planned and did not happen.
    pub fn not_run(&self) -> usize {
        self.planned.saturating_sub(self.runs.len())
    }

    /// Whether everything planned ran and passed, and nothing else went wrong.
    pub fn passed(&self) -> bool {
        let Totals { passed, failed } = self.totals();
        failed == 0 && passed > 0 && self.not_run() == 0 && self.troubles.is_empty()
    }
}

impl<'a> Suite<'a> {
    /// A suite of those scenarios.
    pub fn new(scenarios: &'a [Scenario], options: SuiteOptions) -> Self {
        Self { scenarios, options }
    }

    /// The runs on a backend, in the order in which they are reported.
    fn plan(&self, backend: &str) -> Vec<(&'a Scenario, RunOptions)> {
        let Shard { index, of } = self.options.shard;
        let groups = self
            .scenarios
            .iter()
            .filter(|scenario| plays_on(scenario, backend))
            .flat_map(|scenario| scenario.longhorn.iter().map(move |v| (scenario, v)));
        let mut plan = Vec::new();
        for (scenario, version) in groups.skip(index - 1).step_by(of) {
            for repeat in 0..self.seeds(scenario) {
                plan.push((
                    scenario,
                    RunOptions {
                        longhorn: version.0.clone(),
                        seed: self.options.seed.wrapping_add(repeat),
                        name_scheme: self.options.name_scheme,
                        parts: self.options.parts,
                        definitions: self.options.definitions.clone(),
                        commands: self.options.commands,
                        keep_on_failure: self.options.keep_on_failure.clone(),
                    },
                ));
            }
        }
        plan
    }

    fn seeds(&self, scenario: &Scenario) -> u64 {
        self.options.repeat.unwrap_or(scenario.repeat.seeds)
    }

    /// Whether so few repeats run that chance alone could keep a disk from winning.
    fn too_few_repeats(&self, scenario: &Scenario) -> bool {
        scenario.repeat.every_contested_disk_wins && self.seeds(scenario) < scenario.repeat.seeds
    }

    /// What will not be shown, though a scenario asks for it.
    fn not_judged(&self, backend: &str) -> Vec<String> {
        let mut list = Vec::new();
        for scenario in self.scenarios {
            if !plays_on(scenario, backend) {
                list.push(format!("{}: it is not for {backend}", scenario.name));
            } else if self.too_few_repeats(scenario) {
                list.push(format!(
                    "{}: that every contested disk wins at times takes {} seeds",
                    scenario.name, scenario.repeat.seeds
                ));
            }
        }
        list
    }

    /// Runs everything; `report` gets each run as soon as all before it are done, and
    /// hears at once how far the suite has come.
    /// A run that cannot be made, and something left behind, are trouble in the result.
    pub fn run(
        &self,
        backend: &dyn Backend,
        cancelled: &(dyn Fn() -> bool + Sync),
        report: &mut dyn FnMut(Progress<'_>),
    ) -> SuiteResult {
        let plan = self.plan(backend.name());
        let mut result = SuiteResult {
            planned: plan.len(),
            not_judged: self.not_judged(backend.name()),
            ..SuiteResult::default()
        };
        if plan.is_empty() {
            let part = self.options.shard;
            let what = format!("part {part} has no run in it on this backend");
            result.add_trouble(Phase::Input, what);
        }
        let (done, results) = mpsc::channel();
        let queue = Queue {
            plan: &plan,
            next: AtomicUsize::new(0),
            stop: AtomicBool::new(false),
            fail_fast: self.options.fail_fast,
        };
        let mut finished: BTreeMap<usize, RunResult> = BTreeMap::new();
        std::thread::scope(|scope| {
            for _ in 0..self.options.parallel.clamp(1, plan.len().max(1)) {
                let (done, queue) = (done.clone(), &queue);
                scope.spawn(move || queue.work(backend, cancelled, &done));
            }
            drop(done);
            for (done, (index, outcome)) in (1..).zip(results) {
                report(Progress::Ended {
                    done,
                    planned: plan.len(),
                    name: &plan[index].0.name,
                });
                match outcome {
                    Ok(run) => {
                        finished.insert(index, run);
                    }
                    Err(error) => result.add_trouble(Phase::Environment, error.message),
                }
                while let Some(run) = finished.remove(&result.runs.len()) {
                    let run = self.judge_repeats(run, &result.runs);
                    report(Progress::Run(&run));
                    result.runs.push(run);
                }
            }
        });
        // What ended out of order before an early stop still counts.
        for run in finished.into_values() {
            report(Progress::Run(&run));
            result.runs.push(run);
        }
        match backend.finish() {
            Ok(kept) => result.kept = kept,
            Err(error) => result.add_trouble(Phase::CleanUp, error.message),
        }
        result
    }

    /// The last repeat of a scenario under a version also answers for what all
    /// repeats together had to show.
    fn judge_repeats(&self, mut run: RunResult, before: &[RunResult]) -> RunResult {
        let Some(scenario) = self.scenarios.iter().find(|s| s.name == run.name) else {
            return run;
        };
        let seeds = self.seeds(scenario);
        let is_last = run.seed == self.options.seed.wrapping_add(seeds - 1);
        let ends_stuck =
            scenario
                .steps
                .last()
                .zip(run.steps.last())
                .is_some_and(|(step, played)| {
                    let mut stuck = step.expect.iter().filter(|e| e.stuck.is_some());
                    stuck.any(|e| e.on.includes(&played.longhorn))
                });
        if !scenario.repeat.every_contested_disk_wins
            || self.too_few_repeats(scenario)
            || !is_last
            || !ends_stuck
        {
            return run;
        }
        let same = |r: &&RunResult| r.name == run.name && r.longhorn == run.longhorn;
        let outcomes = before
            .iter()
            .filter(same)
            .chain([&run])
            .filter_map(|r| r.steps.last())
            .flat_map(|step| &step.outcomes);
        let wins = wins(outcomes);
        let never: Vec<_> = wins
            .iter()
            .filter(|(_, n)| **n == 0)
            .map(|(d, _)| d.clone())
            .collect();
        if wins.is_empty() || !never.is_empty() {
            run.result = Verdict::Failed;
            run.failures.push(Failure {
                step: "all repeats together".to_owned(),
                line: None,
                expected: format!("each contested disk to win in at least one of {seeds} seeds"),
                found: vec![if wins.is_empty() {
                    "no run ended with a winner".to_owned()
                } else {
                    format!("never won: {}; wins: {wins:?}", never.join(", "))
                }],
                log: Vec::new(),
            });
        }
        run
    }
}

fn plays_on(scenario: &Scenario, backend: &str) -> bool {
    let declared = scenario.backends.as_ref();
    declared.is_none_or(|names| names.iter().any(|name| name.as_str() == backend))
}

/// The runs that are still to be made.
struct Queue<'q> {
    plan: &'q [(&'q Scenario, RunOptions)],
    next: AtomicUsize,
    stop: AtomicBool,
    fail_fast: bool,
}

impl Queue<'_> {
    /// What one thread does: one run after the other.
    fn work(
        &self,
        backend: &dyn Backend,
        cancelled: &(dyn Fn() -> bool + Sync),
        done: &mpsc::Sender<(usize, Result<RunResult, BackendError>)>,
    ) {
        loop {
            let index = self.next.fetch_add(1, Ordering::Relaxed);
            let Some((scenario, options)) = self.plan.get(index) else {
                break;
            };
            if self.stop.load(Ordering::Relaxed) || cancelled() {
                break;
            }
            let played = catch_unwind(AssertUnwindSafe(|| {
                backend.run(scenario, options, cancelled)
            }));
            let outcome = played.unwrap_or_else(|panic| Ok(panicked(scenario, options, &*panic)));
            // An interrupted run has shown nothing, either way.
            if cancelled() && outcome.is_ok() {
                break;
            }
            let failed = !matches!(&outcome, Ok(run) if run.result == Verdict::Passed);
            if outcome.is_err() || (failed && self.fail_fast) {
                self.stop.store(true, Ordering::Relaxed);
            }
            if done.send((index, outcome)).is_err() {
                break;
            }
        }
    }
}

/// A defect of this program must not take the other runs' results with it.
fn panicked(scenario: &Scenario, options: &RunOptions, panic: &(dyn Any + Send)) -> RunResult {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
    RunResult {
        failures: vec![Failure {
            step: "the whole run".to_owned(),
            line: None,
            expected: "the run to come to an end".to_owned(),
            found: vec![format!(
                "this program panicked, which is a defect of it: {}",
                text.unwrap_or("without a text")
            )],
            log: Vec::new(),
        }],
        ..begun(scenario, options)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_written_i_of_n() {
        assert_eq!("2/5".parse(), Ok(Shard { index: 2, of: 5 }));
        for wrong in ["", "0/2", "3/2", "1/0", "1", "a/b", "-1/2", "1/2/3"] {
            let error = wrong.parse::<Shard>().unwrap_err();
            assert!(error.contains(&format!("{wrong:?}")), "{error}");
        }
    }
}
