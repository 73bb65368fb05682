//! What a scenario means, for people, within 80 columns.

use std::fmt::Write as _;

use fixname_replay::explain::{Explanation, Run};
use serde::Serialize;

use crate::text::{clean, count, wrapped};

/// Explanations as other programs parse them.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Document<'e> {
    format_version: u32,
    scenarios: &'e [Explanation],
}

/// As JSON.
pub fn json(explanations: &[Explanation]) -> String {
    crate::data::json(&Document {
        format_version: 1,
        scenarios: explanations,
    })
}

/// As text.
pub fn text(explanations: &[Explanation]) -> String {
    let texts: Vec<String> = explanations.iter().map(one).collect();
    texts.join("\n")
}

fn one(explanation: &Explanation) -> String {
    let mut out = format!("{}\n", clean(&explanation.name));
    let mut say = |lead: &str, indent: &str, text: &str| {
        out.push_str(&wrapped(lead, indent, &clean(text)));
    };
    say("  ", "  ", &explanation.title);
    say("  ", "  ", &explanation.description);
    out.push_str("\nAt first\n");
    let mut say = |lead: &str, indent: &str, text: &str| {
        out.push_str(&wrapped(lead, indent, &clean(text)));
    };
    for said in &explanation.set_up {
        say("  - ", "    ", said);
    }
    for (index, step) in explanation.steps.iter().enumerate() {
        let line = step
            .line
            .map_or_else(String::new, |line| format!(" (line {line})"));
        let _ = write!(out, "\nStep {}: {}{line}\n", index + 1, clean(&step.name));
        let mut say = |lead: &str, indent: &str, text: &str| {
            out.push_str(&wrapped(lead, indent, &clean(text)));
        };
        for done in &step.does {
            say("  do      ", "          ", done);
        }
        for expectation in &step.expects {
            let versions = expectation.longhorn.join(", ");
            say(
                "  expect  ",
                "          ",
                &format!("{} Under {versions}.", expectation.says),
            );
            say("          ", "          ", &expectation.proof);
        }
    }
    let _ = write!(out, "\nRuns: {}\n", count(explanation.runs.len(), "run"));
    for runs in explanation.runs.chunk_by(|a, b| a.longhorn == b.longhorn) {
        let _ = writeln!(out, "  {}", runs_of(runs));
    }
    let mut say = |lead: &str, indent: &str, text: &str| {
        out.push_str(&wrapped(lead, indent, &clean(text)));
    };
    if let Some(together) = &explanation.together {
        say("  ", "  ", together);
    }
    let backends = explanation.backends.join(", ");
    say("  ", "  ", &format!("It can be judged on: {backends}."));
    out
}

/// The runs under one version.
fn runs_of(runs: &[Run]) -> String {
    let (first, last) = (&runs[0], &runs[runs.len() - 1]);
    let seeds = if first.seed == last.seed {
        format!("seed {}", first.seed)
    } else {
        format!("seeds {} to {}", first.seed, last.seed)
    };
    format!("{} {} {seeds}", clean(&first.name), first.longhorn)
}
