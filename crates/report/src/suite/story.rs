//! What happened, told once for somebody who has never heard of it: the first
//! passed run in which a disk was shut out, and what a fixed version did instead.

use std::fmt::Write as _;
use std::time::Duration;

use fixname_replay::event::{Disk, Manager, Verdict};
use fixname_replay::{Outcome, RunResult};

use crate::text::{WIDTH, wrapped};

const LOOK_CLOSER: &str = "
Look closer
  fixname replay scenarios -v                every step of every run
  fixname names --all-versions --disk UUID   the names a disk gets
  fixname detect nodes.json                  is a cluster of yours hit?
";

/// The whole story; empty if nothing got stuck in the way it tells of.
pub(super) fn story(runs: &[RunResult]) -> String {
    let passed = || runs.iter().filter(|r| r.result == Verdict::Passed);
    let shuts_out =
        |o: &&Outcome| matches!(o, Outcome::Stuck { bystanders, .. } if !bystanders.is_empty());
    let Some(scenario) = passed().find(|r| last_outcome(r).as_ref().is_some_and(shuts_out)) else {
        return String::new();
    };
    let of_scenario = || {
        passed()
            .filter(|r| r.name == scenario.name)
            .filter_map(|r| Some((r, last_outcome(r)?)))
    };
    let mut text = String::new();
    // The newest affected version tells it best, the first fixed one ends it.
    if let Some((run, outcome)) = of_scenario().rfind(|(_, o)| shuts_out(o)) {
        text.push_str(&stuck(run, outcome));
    }
    let settled = of_scenario().find_map(|(run, outcome)| match outcome {
        Outcome::Settled {
            managers, after, ..
        } => Some(fixed(run, managers, *after)),
        Outcome::Stuck { .. } | Outcome::Seen { .. } => None,
    });
    text.push_str(&settled.unwrap_or_default());
    text.push_str(LOOK_CLOSER);
    text
}

fn stuck(run: &RunResult, outcome: &Outcome) -> String {
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
        return String::new();
    };
    let prefix = winner.uuid.get(..4).unwrap_or(&winner.uuid);
    let mut text = format!("\nWhat happened under {}\n", run.longhorn);
    text.push_str(&paragraph(&format!(
        "Each disk that holds a copy of image {image} needs a manager object. Its name is made from \
         the first 4 digits of the disk's UUID, and {} disks begin with {prefix}, so each of them \
         needs the name {manager_name}:",
        losers.len() + 1
    )));
    let mut rows = vec![(winner, "has it")];
    rows.extend(losers.iter().map(|disk| (disk, "STUCK")));
    rows.extend(bystanders.iter().map(|disk| (disk, "shut out")));
    let width = rows.iter().map(|(disk, _)| place(disk).len()).max();
    let width = width.unwrap_or_default();
    for (disk, what) in rows {
        let _ = writeln!(text, "    {:<width$}  {}  {what}", place(disk), disk.uuid);
    }
    text.push_str(&paragraph(&match attempts.first() {
        Some(first) => format!(
            "In {} s of model time Longhorn tried {} times ({first} at each resync), and was \
             refused each time:",
            frozen.as_secs(),
            attempts.iter().sum::<usize>(),
        ),
        None => format!(
            "In {} s of model time nothing moved. The controller is not the model's, so its \
             attempts were not seen; it should have been refused with:",
            frozen.as_secs(),
        ),
    }));
    // The name stays in one piece.
    let _ = writeln!(text, "    {}", error.replacen(" \"", "\n    \"", 1));
    text.push_str(&paragraph(&format!(
        "Each failure throws away the update of the image's whole status. {} has its copy too, but \
         the image never says so: replicas on {} wait for ever.",
        list(bystanders),
        list(losers.iter().chain(bystanders))
    )));
    text
}

fn fixed(run: &RunResult, managers: &[Manager], after: Duration) -> String {
    let mut text = format!("\nWhat {} did instead\n", run.longhorn);
    text.push_str(&paragraph(&format!(
        "It hashes the whole UUID, so every disk has a name of its own; all {} copies were ready \
         after {} s:",
        managers.len(),
        after.as_secs().max(1)
    )));
    let width = managers.iter().map(|m| place(&m.disk).len()).max();
    let width = width.unwrap_or_default();
    for Manager { name, disk } in managers {
        let room = WIDTH.saturating_sub(width + 6);
        let _ = writeln!(text, "    {:<width$}  {}", place(disk), shorten(name, room));
    }
    text
}

fn paragraph(text: &str) -> String {
    wrapped("  ", "  ", text)
}

fn shorten(name: &str, width: usize) -> String {
    if name.len() <= width {
        return name.to_owned();
    }
    let kept: String = name.chars().take(width.saturating_sub(3)).collect();
    format!("{kept}...")
}

/// What was seen last in a run.
pub(super) fn last_outcome(run: &RunResult) -> Option<&Outcome> {
    let outcomes = &run.steps.last()?.outcomes;
    let is_state = |o: &&Outcome| !matches!(o, Outcome::Seen { .. });
    outcomes.iter().rfind(is_state).or(outcomes.last())
}

/// `node/disk`.
pub(super) fn place(disk: &Disk) -> String {
    format!("{}/{}", disk.node, disk.name)
}

fn list<'d>(disks: impl IntoIterator<Item = &'d Disk>) -> String {
    disks.into_iter().map(place).collect::<Vec<_>>().join(", ")
}
