//! Runs many scenarios, on as many threads as asked for, and reports the runs in
//! a fixed order, whichever ends first.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;

use fixname_naming::Scheme;

use crate::backend::{Backend, BackendError};
use crate::event::{Failure, RunResult, Totals, Verdict};
use crate::expect::wins;
use crate::run::RunOptions;
use crate::scenario::Scenario;

/// How to run a suite.
#[derive(Clone, Debug)]
pub struct SuiteOptions {
    /// The first seed; repeats count up from it.
    pub seed: u64,
    /// Runs at a time; 0 counts as 1.
    pub parallel: usize,
    /// Gives the models of all versions this name function instead of their own.
    pub name_scheme: Option<Scheme>,
    /// Starts nothing new after the first failure.
    pub fail_fast: bool,
}

/// A suite of scenarios.
pub struct Suite<'a> {
    scenarios: &'a [Scenario],
    options: SuiteOptions,
}

/// What became of a suite.
#[derive(Clone, Debug)]
pub struct SuiteResult {
    /// Every run, in order. After `fail_fast` or an interruption, some are missing.
    pub runs: Vec<RunResult>,
    /// Runs that were planned.
    pub planned: usize,
}

impl SuiteResult {
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
}

impl<'a> Suite<'a> {
    /// A suite of those scenarios.
    pub fn new(scenarios: &'a [Scenario], options: SuiteOptions) -> Self {
        Self { scenarios, options }
    }

    fn plan(&self) -> Vec<(&'a Scenario, RunOptions)> {
        let mut plan = Vec::new();
        for scenario in self.scenarios {
            for version in &scenario.longhorn {
                for repeat in 0..scenario.repeat.seeds {
                    plan.push((
                        scenario,
                        RunOptions {
                            longhorn: version.0.clone(),
                            seed: self.options.seed.wrapping_add(repeat),
                            name_scheme: self.options.name_scheme,
                        },
                    ));
                }
            }
        }
        plan
    }

    /// Runs everything; `report` gets each run as soon as all before it are done.
    ///
    /// # Errors
    ///
    /// [`BackendError`] if the API server could not be made; what had run until
    /// then is lost, for no verdict could be trusted.
    pub fn run(
        &self,
        backend: &dyn Backend,
        cancelled: &(dyn Fn() -> bool + Sync),
        report: &mut dyn FnMut(&RunResult),
    ) -> Result<SuiteResult, BackendError> {
        let plan = self.plan();
        let next = AtomicUsize::new(0);
        let stop = std::sync::atomic::AtomicBool::new(false);
        let (done, results) = mpsc::channel();
        let mut finished: BTreeMap<usize, RunResult> = BTreeMap::new();
        let mut runs = Vec::new();
        std::thread::scope(|scope| {
            for _ in 0..self.options.parallel.clamp(1, plan.len().max(1)) {
                let (done, plan, next, stop) = (done.clone(), &plan, &next, &stop);
                scope.spawn(move || {
                    loop {
                        let index = next.fetch_add(1, Ordering::Relaxed);
                        let Some((scenario, options)) = plan.get(index) else {
                            break;
                        };
                        if stop.load(Ordering::Relaxed) || cancelled() {
                            break;
                        }
                        let result = backend.run(scenario, options, cancelled);
                        // An interrupted run has shown nothing, either way.
                        if cancelled() && result.is_ok() {
                            break;
                        }
                        let failed = !matches!(&result, Ok(r) if r.result == Verdict::Passed);
                        if result.is_err() || (failed && self.options.fail_fast) {
                            stop.store(true, Ordering::Relaxed);
                        }
                        if done.send((index, result)).is_err() {
                            break;
                        }
                    }
                });
            }
            drop(done);
            for (index, result) in results {
                finished.insert(index, result?);
                while let Some(run) = finished.remove(&runs.len()) {
                    let run = self.judge_repeats(run, &runs);
                    report(&run);
                    runs.push(run);
                }
            }
            Ok(())
        })
        .and_then(|()| backend.finish())?;
        // What ended out of order before an early stop still counts.
        for run in finished.into_values() {
            report(&run);
            runs.push(run);
        }
        Ok(SuiteResult {
            runs,
            planned: plan.len(),
        })
    }

    /// The last repeat of a scenario under a version also answers for what all
    /// repeats together had to show.
    fn judge_repeats(&self, mut run: RunResult, before: &[RunResult]) -> RunResult {
        let Some(scenario) = self.scenarios.iter().find(|s| s.name == run.name) else {
            return run;
        };
        let last_seed = self.options.seed.wrapping_add(scenario.repeat.seeds - 1);
        let ends_stuck =
            scenario
                .steps
                .last()
                .zip(run.steps.last())
                .is_some_and(|(step, played)| {
                    let mut stuck = step.expect.iter().filter(|e| e.stuck.is_some());
                    stuck.any(|e| e.on.includes(&played.longhorn))
                });
        if !scenario.repeat.every_contested_disk_wins || run.seed != last_seed || !ends_stuck {
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
                expected: format!(
                    "each contested disk to win in at least one of {} seeds",
                    scenario.repeat.seeds
                ),
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
