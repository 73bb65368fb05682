//! The expectations of one step against each other: what cannot hold at once under
//! one version is an error, since the step could not pass and none after it would
//! be reached; what says the same twice is one too.

use fixname_naming::LonghornVersion;

use super::Checker;
use crate::expect::PATIENCE;
use crate::place::Path;
use crate::scenario::{Expectation, Subject};
use crate::seen::{Rule, Time};

impl Checker<'_> {
    pub(super) fn against_each_other(
        &mut self,
        expectations: &[Expectation],
        at: &Path,
        in_force: &[LonghornVersion],
    ) {
        for (index, later) in expectations.iter().enumerate() {
            for (before, earlier) in expectations[..index].iter().enumerate() {
                let mut both = in_force
                    .iter()
                    .filter(|v| earlier.on.includes(v) && later.on.includes(v));
                let (Some(version), Some(clash)) = (both.next(), clash(earlier, later)) else {
                    continue;
                };
                let text = match clash {
                    Clash::Same => format!("the same is expected in expect[{before}]"),
                    Clash::Contradiction(why) => format!(
                        "it contradicts expect[{before}] under {version}: {why}; the step could not \
                         pass, and no later one would be reached"
                    ),
                };
                self.say(&at.item(index), text);
                break;
            }
        }
    }
}

enum Clash {
    Same,
    Contradiction(String),
}

fn clash(a: &Expectation, b: &Expectation) -> Option<Clash> {
    let (subject_a, subject_b) = (a.subject().ok()?, b.subject().ok()?);
    let contradiction = |why: String| Some(Clash::Contradiction(why));
    match (subject_a, subject_b) {
        (Subject::Stuck(stuck), Subject::Settled(settled))
        | (Subject::Settled(settled), Subject::Stuck(stuck))
            if stuck.image == settled.image =>
        {
            contradiction(format!(
                "image {:?} cannot be stuck and settled at once",
                stuck.image
            ))
        }
        (Subject::Settled(a), Subject::Settled(b)) if a == b => Some(Clash::Same),
        (Subject::Stuck(a), Subject::Stuck(b)) if a == b => Some(Clash::Same),
        (Subject::Stuck(a), Subject::Stuck(b)) if a.image == b.image => {
            match (&a.winner, &b.winner) {
                (Some(one), Some(other))
                    if one != other && same_disks(&a.contested, &b.contested) =>
                {
                    contradiction(format!("{one} and {other} cannot both have won"))
                }
                _ => None,
            }
        }
        _ => {
            let (rule_a, rule_b) = same_thing(subject_a, subject_b)?;
            let time = |e: &Expectation| e.span().time(PATIENCE).ok();
            over_time((time(a)?, rule_a), (time(b)?, rule_b))
        }
    }
}

fn same_disks<T: PartialEq>(a: &[T], b: &[T]) -> bool {
    a.len() == b.len() && a.iter().all(|disk| b.contains(disk))
}

/// The rules of two expectations that look at the same things.
fn same_thing(a: Subject<'_>, b: Subject<'_>) -> Option<(Rule, Rule)> {
    match (a, b) {
        (Subject::Objects(a), Subject::Objects(b)) => {
            let alike = a.api_version == b.api_version
                && (&a.kind, &a.name, &a.labels) == (&b.kind, &b.name, &b.labels)
                && (&a.fields, &a.cel) == (&b.fields, &b.cel);
            alike.then(|| (a.rule_or_default(), b.rule_or_default()))
        }
        (Subject::Log(a), Subject::Log(b)) | (Subject::Event(a), Subject::Event(b)) => {
            let alike = (&a.contains, &a.matches) == (&b.contains, &b.matches);
            alike.then(|| (a.rule.unwrap_or(Rule::Any), b.rule.unwrap_or(Rule::Any)))
        }
        (Subject::Findings(a), Subject::Findings(b)) => {
            let alike = (&a.fields, &a.cel) == (&b.fields, &b.cel);
            alike.then(|| (a.rule.unwrap_or(Rule::Any), b.rule.unwrap_or(Rule::Any)))
        }
        _ => None,
    }
}

/// What two expectations about the same things are to each other.
fn over_time(a: (Time, Rule), b: (Time, Rule)) -> Option<Clash> {
    let word = |(time, rule): (Time, Rule)| format!("{} {}", rule.words(), time.words());
    let cannot = || {
        let why = format!("{:?} and {:?} cannot both be so", word(a), word(b));
        Some(Clash::Contradiction(why))
    };
    match (a, b) {
        _ if a == b => Some(Clash::Same),
        ((Time::Always(_), one), (Time::Never(_), other))
        | ((Time::Never(_), one), (Time::Always(_), other))
            if one == other =>
        {
            cannot()
        }
        ((Time::Always(_), one), (Time::Always(_), other)) if exclusive(one, other) => cannot(),
        _ => None,
    }
}

/// Rules of which at most one can hold.
fn exclusive(a: Rule, b: Rule) -> bool {
    let bounds = |rule| match rule {
        Rule::Any | Rule::All => (1, usize::MAX),
        Rule::None => (0, 0),
        Rule::Exactly(n) => (n, n),
    };
    let ((min_a, max_a), (min_b, max_b)) = (bounds(a), bounds(b));
    max_a < min_b || max_b < min_a
}
