//! What a replay shows: a line a run, every failure in full, and at the end the
//! story of the collision for somebody who has never heard of it; or JSON.
//!
//! Lines are kept within 80 columns where the names in them allow it.

use std::io::{self, Write};

use fixname_replay::event::{Disk, Manager, Verdict};
use fixname_replay::{Failure, Outcome, RunResult, SuiteResult, Totals};
use serde::Serialize;

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
            story(&mut self.out, &result.runs)?;
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

fn last_outcome(run: &RunResult) -> Option<&Outcome> {
    run.steps.last().and_then(|step| step.outcomes.last())
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
        _ => Ok(()),
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

/// What happened, told once: the first stuck run, and the same scenario under
/// the first version where it settled.
fn story(out: &mut impl Write, runs: &[RunResult]) -> io::Result<()> {
    let stuck = runs
        .iter()
        .filter(|r| r.result == Verdict::Passed)
        .find_map(|run| {
            let outcome = last_outcome(run)?;
            // The knowledge base's case is the one with somebody shut out besides.
            matches!(outcome, Outcome::Stuck { bystanders, .. } if !bystanders.is_empty())
                .then_some((run, outcome))
        });
    let Some((run, outcome)) = stuck else {
        return Ok(());
    };
    // The newest affected version tells it best.
    let (run, outcome) = runs
        .iter()
        .filter(|r| r.name == run.name && r.result == Verdict::Passed)
        .filter_map(|r| Some((r, last_outcome(r)?)))
        .filter(|(_, o)| matches!(o, Outcome::Stuck { .. }))
        .next_back()
        .unwrap_or((run, outcome));
    let Outcome::Stuck {
        image,
        manager_name,
        winner,
        losers,
        bystanders,
        attempts,
        frozen,
        error,
    } = outcome
    else {
        return Ok(());
    };
    let prefix = winner.uuid.get(..4).unwrap_or(&winner.uuid);
    writeln!(out, "\nWhat happened under {}", run.longhorn)?;
    writeln!(
        out,
        "  Each disk that holds a copy of image {image} needs a manager object. Its name"
    )?;
    writeln!(
        out,
        "  is made from the first 4 digits of the disk's UUID, and {} disks begin",
        losers.len() + 1
    )?;
    writeln!(
        out,
        "  with {prefix}, so both managers would be {manager_name}:"
    )?;
    let width = [winner]
        .into_iter()
        .chain(losers)
        .chain(bystanders)
        .map(|d| place(d).len())
        .max()
        .unwrap_or(0);
    writeln!(
        out,
        "    {:<width$}  {}  has it",
        place(winner),
        winner.uuid
    )?;
    for loser in losers {
        writeln!(out, "    {:<width$}  {}  STUCK", place(loser), loser.uuid)?;
    }
    for disk in bystanders {
        writeln!(out, "    {:<width$}  {}  shut out", place(disk), disk.uuid)?;
    }
    let total: usize = attempts.iter().sum();
    writeln!(
        out,
        "  In {} s Longhorn tried {total} times ({} at each resync) and was refused:",
        frozen.as_secs(),
        attempts.first().unwrap_or(&0)
    )?;
    writeln!(
        out,
        "    {}",
        error.replace(
            &format!(" \"{manager_name}\""),
            &format!("\n    \"{manager_name}\"")
        )
    )?;
    writeln!(
        out,
        "  A failed try throws the image's whole status update away. {} has its",
        list(bystanders)
    )?;
    writeln!(
        out,
        "  copy, but the image never says so: replicas on both disks wait for ever."
    )?;

    let fixed = runs
        .iter()
        .filter(|r| r.name == run.name && r.result == Verdict::Passed)
        .find_map(|r| match last_outcome(r)? {
            Outcome::Settled {
                managers, after, ..
            } => Some((r, managers, after)),
            _ => None,
        });
    if let Some((run, managers, after)) = fixed {
        writeln!(out, "\nWhat {} did instead", run.longhorn)?;
        writeln!(
            out,
            "  It hashes the image and the whole UUID, so every disk has a name of its own;"
        )?;
        writeln!(
            out,
            "  all {} copies were ready after {} s:",
            managers.len(),
            after.as_secs().max(1)
        )?;
        for Manager { name, disk } in managers {
            writeln!(
                out,
                "    {:<width$}  {}",
                place(disk),
                shorten(name, 76 - width)
            )?;
        }
    }
    writeln!(out, "\nLook closer")?;
    writeln!(
        out,
        "  fixname replay scenarios -v              every step of every run"
    )?;
    writeln!(
        out,
        "  fixname names --all-versions --disk UUID the names a disk gets"
    )?;
    writeln!(
        out,
        "  fixname detect nodes.json                is a cluster of yours hit?"
    )
}

fn shorten(name: &str, width: usize) -> String {
    if name.len() <= width {
        return name.to_owned();
    }
    let kept: String = name.chars().take(width.saturating_sub(3)).collect();
    format!("{kept}...")
}

fn place(disk: &Disk) -> String {
    format!("{}/{}", disk.node, disk.name)
}

fn list(disks: &[Disk]) -> String {
    disks.iter().map(place).collect::<Vec<_>>().join(", ")
}

fn count(n: usize, what: &str) -> String {
    format!("{n} {what}{}", if n == 1 { "" } else { "s" })
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
