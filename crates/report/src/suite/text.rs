//! The text of a suite while it runs: a line a scenario and version, every failure
//! in full, and at the end the story of the collision for somebody who has never
//! heard of it.
//!
//! Lines are kept within 80 columns where the names in them allow it.

use std::io::{self, Write};

use fixname_replay::event::{Manager, Verdict};
use fixname_replay::{Failure, Outcome, RunResult, SuiteResult};

use super::story::{self, last_outcome, place};
use super::{SuiteHead, failure_lines, totals_line};
use crate::text::count;

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
pub struct SuiteText<W> {
    out: W,
    head: SuiteHead,
    detail: Detail,
    /// Repeats of the scenario and version that is being collected.
    group: Vec<RunResult>,
    scenario: String,
}

impl<W: Write> SuiteText<W> {
    /// Begins a report with its head.
    ///
    /// # Errors
    ///
    /// What writing failed with.
    pub fn begin(mut out: W, detail: Detail, head: &SuiteHead) -> io::Result<Self> {
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
            match head.play.as_str() {
                "all" => {}
                "none" => writeln!(out, "Nothing of the model is played.")?,
                parts => writeln!(out, "Of the model are played: {parts}.")?,
            }
            if let Some(scheme) = &head.name_scheme {
                writeln!(
                    out,
                    "Every version's model is given the {scheme} name function."
                )?;
            }
        }
        Ok(Self {
            out,
            head: head.clone(),
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
        for trouble in &result.troubles {
            writeln!(self.out, "{}: {}", trouble.phase.as_str(), trouble.message)?;
        }
        for missing in &result.not_judged {
            writeln!(self.out, "not judged: {missing}")?;
        }
        for kept in &result.kept {
            writeln!(self.out, "kept: {kept}")?;
        }
        write!(self.out, "{}", totals_line(result))?;
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
                for line in steps(run).lines() {
                    writeln!(self.out, "    {line}")?;
                }
            }
        }
        for run in &group {
            for failure in &run.failures {
                write_failure(&mut self.out, &self.head, run, failure)?;
            }
        }
        Ok(())
    }
}

/// One line on all repeats of a scenario under a version, of which there is at least one.
pub(super) fn summary(group: &[RunResult]) -> String {
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
        Some(Outcome::Seen { .. }) => {
            let outcomes = group.iter().flat_map(|run| &run.steps);
            let n = outcomes.map(|step| step.outcomes.len()).sum::<usize>() / group.len();
            format!("shown    {} held{seeds}", count(n, "expectation"))
        }
        None => "passed".to_owned(),
    }
}

fn has_been_stuck(step: &fixname_replay::StepResult) -> bool {
    step.outcomes
        .iter()
        .any(|o| matches!(o, Outcome::Stuck { .. }))
}

/// A word on all repeats of a scenario under a version, if they passed.
pub(super) fn state(group: &[RunResult]) -> &'static str {
    match group.iter().filter_map(last_outcome).next_back() {
        Some(Outcome::Stuck { .. }) => "stuck",
        Some(Outcome::Settled { .. }) => "settled",
        Some(Outcome::Seen { .. }) | None => "passed",
    }
}

/// What was seen in each step of a run.
pub(super) fn steps(run: &RunResult) -> String {
    let mut lines = vec![format!(
        "seed {}, {} model seconds",
        run.seed,
        run.model_time.as_secs()
    )];
    for step in &run.steps {
        lines.push(format!("  {} ({})", step.name, step.longhorn));
        for outcome in &step.outcomes {
            lines.extend(details(outcome).into_iter().map(|l| format!("    {l}")));
        }
    }
    lines.join("\n")
}

fn details(outcome: &Outcome) -> Vec<String> {
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
            let row = |what: &str, disk| format!("  {what:<8} {}  {}", place(disk), disk.uuid);
            let mut lines = vec![format!("image {image} is stuck over {manager_name}")];
            lines.push(row("has it:", winner));
            lines.extend(losers.iter().map(|disk| row("waits:", disk)));
            lines.extend(bystanders.iter().map(|disk| row("shut out:", disk)));
            let seen = match attempts.is_empty() {
                true => "attempts not seen".to_owned(),
                false => format!("attempts at each resync: {attempts:?}"),
            };
            let frozen = frozen.as_secs();
            lines.push(format!("  {seen}; status frozen for {frozen} s"));
            lines
        }
        Outcome::Settled {
            image,
            managers,
            after,
        } => {
            let after = after.as_secs();
            let mut lines = vec![format!("image {image} has settled after {after} s")];
            lines.extend(
                managers
                    .iter()
                    .map(|Manager { name, disk }| format!("  {}  {name}", place(disk))),
            );
            lines
        }
        Outcome::Seen { what, count, after } => vec![format!(
            "{what}: {count} fitted, shown after {} s",
            after.as_secs()
        )],
    }
}

fn write_failure(
    out: &mut impl Write,
    head: &SuiteHead,
    run: &RunResult,
    failure: &Failure,
) -> io::Result<()> {
    writeln!(
        out,
        "\n  FAILED {} under {}, seed {}",
        run.name, run.longhorn, run.seed
    )?;
    for line in failure_lines(head, run, failure) {
        writeln!(out, "    {line}")?;
    }
    writeln!(out)
}
