//! What a replay shows: a line a run, every failure in full, and at the end the
//! story of the collision for somebody who has never heard of it; or JSON.
//!
//! Lines are kept within 80 columns where the names in them allow it.

use std::io::{self, Write};

use fixname_replay::event::{Manager, Verdict};
use fixname_replay::{Failure, Outcome, RunResult, SuiteResult, Totals};
use serde::Serialize;

mod story;

use story::{count, last_outcome, place};

/// Where and how a suite was run, for the report's head.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ReplayHead {
    /// The backend's name on the command line.
    pub backend: &'static str,
    /// Model seconds in a real one; `None` for virtual time.
    pub time_scale: Option<f64>,
    /// The first seed.
    pub seed: u64,
    /// How many scenarios.
    #[serde(skip)]
    pub scenarios: usize,
    /// The name function given to all models instead of their own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name_scheme: Option<String>,
}

/// How much the text says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Detail {
    /// Failures and totals.
    Quiet,
    /// A line for each scenario and version, and the story.
    Normal,
    /// Every step of every run.
    Verbose,
}

/// Writes the text report while the suite runs.
pub struct ReplayText<W> {
    out: W,
    detail: Detail,
    /// Repeats of the scenario and version that is being collected.
    group: Vec<RunResult>,
    scenario: String,
}

impl<W: Write> ReplayText<W> {
    /// Begins a report with its head.
    ///
    /// # Errors
    ///
    /// What writing failed with.
    pub fn begin(mut out: W, detail: Detail, head: &ReplayHead) -> io::Result<Self> {
        if detail > Detail::Quiet {
            let time = match head.time_scale {
                None => "in virtual time".to_owned(),
                Some(scale) => format!("model time runs {scale} times as fast as the clock"),
            };
            writeln!(
                out,
                "Replaying {} on the {} API server, {time}; seed {}.",
                count(head.scenarios, "scenario"),
                head.backend,
                head.seed
            )?;
            if let Some(scheme) = &head.name_scheme {
                writeln!(
                    out,
                    "Every version's model is given the {scheme} name function."
                )?;
            }
        }
        Ok(Self {
            out,
            detail,
            group: Vec::new(),
            scenario: String::new(),
        })
    }

    /// Adds a run. Repeats of one scenario and version are summed up.
    ///
    /// # Errors
    ///
    /// What writing failed with.
    pub fn run(&mut self, run: &RunResult) -> io::Result<()> {
        let belongs = |last: &RunResult| last.name == run.name && last.longhorn == run.longhorn;
        if !self.group.last().is_none_or(belongs) {
            self.flush_group()?;
        }
        self.group.push(run.clone());
        Ok(())
    }

    /// Ends the report: the story, then the totals.
    ///
    /// # Errors
    ///
    /// What writing failed with.
    pub fn finish(mut self, result: &SuiteResult, wall: std::time::Duration) -> io::Result<()> {
        self.flush_group()?;
        if self.detail > Detail::Quiet {
            self.out.write_all(story::story(&result.runs).as_bytes())?;
            writeln!(self.out)?;
        }
        let Totals { passed, failed } = result.totals();
        let missing = result.planned - result.runs.len();
        write!(
            self.out,
            "{}: {passed} passed, {failed} failed",
            count(result.runs.len(), "run")
        )?;
        if missing > 0 {
            write!(self.out, ", {missing} not run")?;
        }
        writeln!(self.out, " in {:.1} s", wall.as_secs_f64())?;
        self.out.flush()
    }

    fn flush_group(&mut self) -> io::Result<()> {
        let group = std::mem::take(&mut self.group);
        let Some(first) = group.first() else {
            return Ok(());
        };
        if self.detail > Detail::Quiet {
            if self.scenario != first.name {
                self.scenario.clone_from(&first.name);
                writeln!(self.out, "\n{}", first.name)?;
                writeln!(self.out, "  {}", first.title)?;
            }
            let passed = group.iter().all(|r| r.result == Verdict::Passed);
            let verdict = if passed { "ok" } else { "FAIL" };
            let version = first.longhorn.to_string();
            writeln!(self.out, "  {verdict:<4} {version:<8} {}", summary(&group))?;
        }
        if self.detail == Detail::Verbose {
            for run in &group {
                writeln!(
                    self.out,
                    "    seed {}, {} model seconds",
                    run.seed,
                    run.model_time.as_secs()
                )?;
                for step in &run.steps {
                    writeln!(self.out, "      {} ({})", step.name, step.longhorn)?;
                    for outcome in &step.outcomes {
                        details(&mut self.out, outcome, "        ")?;
                    }
                }
            }
        }
        for run in &group {
            for failure in &run.failures {
                write_failure(&mut self.out, run, failure)?;
            }
        }
        Ok(())
    }
}

/// One line on all repeats of a scenario under a version.
fn summary(group: &[RunResult]) -> String {
    let failed = group.iter().filter(|r| r.result == Verdict::Failed).count();
    if failed > 0 {
        return format!("failed   {failed} of {}", count(group.len(), "seed"));
    }
    let last = group.iter().filter_map(last_outcome).next_back();
    let seeds = if group.len() > 1 {
        format!(" ({} seeds)", group.len())
    } else {
        String::new()
    };
    match last {
        Some(Outcome::Stuck { winner, losers, .. }) if group.len() == 1 => {
            let others = match losers.as_slice() {
                [loser] => format!("{} waits", place(loser)),
                losers => format!("{} others wait", losers.len()),
            };
            format!("stuck    {} has the name, {others}", place(winner))
        }
        Some(Outcome::Stuck { .. }) => {
            let mut wins: Vec<(String, usize)> = Vec::new();
            for outcome in group.iter().filter_map(last_outcome) {
                if let Outcome::Stuck { winner, .. } = outcome {
                    match wins.iter_mut().find(|(disk, _)| *disk == place(winner)) {
                        Some((_, n)) => *n += 1,
                        None => wins.push((place(winner), 1)),
                    }
                }
            }
            wins.sort();
            let wins: Vec<_> = wins
                .iter()
                .map(|(disk, n)| format!("{disk} won {n}"))
                .collect();
            format!("stuck    {}{seeds}", wins.join(", "))
        }
        Some(Outcome::Settled { managers, .. }) => {
            let n = managers.len();
            let from = group[0].steps.first().map(|s| s.longhorn.to_string());
            let to = group[0].steps.last().map(|s| s.longhorn.to_string());
            match (from, to) {
                (Some(from), Some(to)) if from != to => {
                    let before = if group[0].steps.iter().any(has_been_stuck) {
                        "; stuck before"
                    } else {
                        ""
                    };
                    format!("settled  after the upgrade to {to}{before}{seeds}")
                }
                _ => format!(
                    "settled  {}, {}, all copies ready{seeds}",
                    count(n, "disk"),
                    count(n, "manager")
                ),
            }
        }
        None => "passed".to_owned(),
    }
}

fn has_been_stuck(step: &fixname_replay::StepResult) -> bool {
    step.outcomes
        .iter()
        .any(|o| matches!(o, Outcome::Stuck { .. }))
}

fn details(out: &mut impl Write, outcome: &Outcome, indent: &str) -> io::Result<()> {
    match outcome {
        Outcome::Stuck {
            image,
            manager_name,
            winner,
            losers,
            bystanders,
            attempts,
            frozen,
            ..
        } => {
            writeln!(out, "{indent}image {image} is stuck over {manager_name}")?;
            writeln!(out, "{indent}  has it:  {}  {}", place(winner), winner.uuid)?;
            for loser in losers {
                writeln!(out, "{indent}  waits:   {}  {}", place(loser), loser.uuid)?;
            }
            for disk in bystanders {
                writeln!(out, "{indent}  shut out: {}  {}", place(disk), disk.uuid)?;
            }
            writeln!(
                out,
                "{indent}  attempts at each resync: {attempts:?}; status frozen for {} s",
                frozen.as_secs()
            )
        }
        Outcome::Settled {
            image,
            managers,
            after,
        } => {
            writeln!(
                out,
                "{indent}image {image} has settled after {} s",
                after.as_secs()
            )?;
            for Manager { name, disk } in managers {
                writeln!(out, "{indent}  {}  {name}", place(disk))?;
            }
            Ok(())
        }
    }
}

fn write_failure(out: &mut impl Write, run: &RunResult, failure: &Failure) -> io::Result<()> {
    writeln!(
        out,
        "\n  FAILED {} under {}, seed {}",
        run.name, run.longhorn, run.seed
    )?;
    writeln!(out, "    step:     {}", failure.step)?;
    writeln!(out, "    expected: {}", failure.expected)?;
    for (i, found) in failure.found.iter().enumerate() {
        writeln!(
            out,
            "    {} {found}",
            if i == 0 { "found:   " } else { "         " }
        )?;
    }
    writeln!(
        out,
        "    again:    fixname replay PATH --select {} --longhorn {} --seed {}",
        run.name, run.longhorn, run.seed
    )?;
    if !failure.log.is_empty() {
        writeln!(out, "    the manager's last lines (model time):")?;
        for line in &failure.log {
            writeln!(out, "      {line}")?;
        }
    }
    writeln!(out)
}

/// The JSON report.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ReplayJson<'a> {
    format_version: u32,
    #[serde(flatten)]
    head: &'a ReplayHead,
    scenarios: &'a [RunResult],
    totals: Totals,
    /// Runs that were planned and did not happen.
    not_run: usize,
}

impl<'a> ReplayJson<'a> {
    /// The report of a suite.
    pub fn new(head: &'a ReplayHead, result: &'a SuiteResult) -> Self {
        Self {
            format_version: 1,
            head,
            scenarios: &result.runs,
            totals: result.totals(),
            not_run: result.planned - result.runs.len(),
        }
    }
}
