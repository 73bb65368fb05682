//! Single things: objects, lines, events and findings, looked at once a model
//! second for as long as an expectation says.

use std::time::Duration;

use fixname_apiserver::ApiServer;
use fixname_controllers::TraceItem;
use fixname_diagnose::{Options, diagnose};
use fixname_longhorn::{Coverage, CoverageState, Inventory, Kind};
use fixname_naming::resolve;
use kube::api::ListParams;
use serde_json::{Value, json};

use super::{LOOK, Mismatch, Observer};
use crate::event::Outcome;
use crate::kinds;
use crate::partial::differences;
use crate::scenario::Subject;
use crate::seen::{Expression, Findings, Lines, Objects, Rule, Time};

/// What one look showed.
#[derive(Clone)]
pub(crate) struct Look {
    holds: bool,
    /// Why it does not hold, for a person.
    why: Vec<String>,
    /// How many fitted.
    fit: usize,
    /// What must not move while something is stuck.
    state: Value,
    /// Expressions that were neither true nor false: no proof that nothing fits.
    untold: Vec<String>,
}

/// A thing that was looked at, and where it differs from what it should be.
struct Candidate {
    name: String,
    differences: Vec<String>,
    untold: Option<String>,
    state: Value,
}

impl Observer<'_> {
    /// Looks for as long as `time` says. Lines and events count from the entry
    /// `from` of the trace on.
    pub(crate) async fn seen(
        &self,
        subject: Subject<'_>,
        time: Time,
        from: usize,
    ) -> Result<Outcome, Mismatch> {
        let began = self.clock.elapsed();
        let deadline = began + time.span();
        let is_over = || self.clock.elapsed() >= deadline;
        let fit = match time {
            Time::Eventually(_) => self.until(subject, deadline, from).await?.fit,
            // Lines only become more, so their number is known at the end.
            Time::Always(_) if matches!(subject, Subject::Log(_) | Subject::Event(_)) => {
                while !is_over() {
                    self.pause().await?;
                }
                let look = self.look(subject, from).await?;
                holds(look, "at the end of that time")?.fit
            }
            Time::Always(_) => loop {
                let look = self.look(subject, from).await?;
                let when = self.since(began);
                let fit = holds(look, &when)?.fit;
                if is_over() {
                    break fit;
                }
                self.pause().await?;
            },
            Time::Never(_) => loop {
                let look = self.look(subject, from).await?;
                if look.holds {
                    let when = self.since(began);
                    return Err(vec![format!("it was so {when}; {} fitted", look.fit)]);
                }
                if !look.untold.is_empty() {
                    let mut found = vec!["could not tell whether it was so:".to_owned()];
                    found.extend(look.untold);
                    return Err(found);
                }
                if is_over() {
                    break look.fit;
                }
                self.pause().await?;
            },
            Time::Stuck(span) => self.unmoved(subject, span, from).await?,
        };
        Ok(Outcome::Seen {
            what: words(subject, time),
            count: fit,
            after: self.clock.elapsed().saturating_sub(began),
        })
    }

    async fn until(
        &self,
        subject: Subject<'_>,
        deadline: Duration,
        from: usize,
    ) -> Result<Look, Mismatch> {
        let began = self.clock.elapsed();
        loop {
            let look = self.look(subject, from).await?;
            if look.holds {
                return Ok(look);
            }
            if self.clock.elapsed() >= deadline {
                let when = self.since(began);
                return holds(look, &when);
            }
            self.pause().await?;
        }
    }

    /// It comes about, and then holds at each look while what is looked at stands still.
    async fn unmoved(
        &self,
        subject: Subject<'_>,
        span: Duration,
        from: usize,
    ) -> Result<usize, Mismatch> {
        let patience = self.clock.elapsed() + super::PATIENCE;
        let first = self.until(subject, patience, from).await?;
        let began = self.clock.elapsed();
        loop {
            self.pause().await?;
            let look = self.look(subject, from).await?;
            let when = self.since(began);
            let look = holds(look, &when)?;
            if look.state != first.state {
                let mut found = vec![format!("it moved {when}:")];
                found.extend(differences(&first.state, &look.state));
                return Err(found);
            }
            if self.clock.elapsed() >= began + span {
                return Ok(look.fit);
            }
        }
    }

    async fn pause(&self) -> Result<(), Mismatch> {
        self.clock.sleep(LOOK).await;
        if (self.cancelled)() {
            return Err(vec!["interrupted".to_owned()]);
        }
        Ok(())
    }

    fn since(&self, began: Duration) -> String {
        let seconds = self.clock.elapsed().saturating_sub(began).as_secs();
        format!("after {seconds} model seconds")
    }

    /// Objects, and what follows from them alone, are looked at again only when
    /// something was written; an observer is for one subject.
    async fn look(&self, subject: Subject<'_>, from: usize) -> Result<Look, Mismatch> {
        let is_state = matches!(subject, Subject::Objects(_) | Subject::Findings(_));
        let version = self.server.filter(|_| is_state);
        let version = version.map(ApiServer::resource_version);
        if let Some(look) = self.last_look.at(version) {
            return Ok(look);
        }
        let look = self.look_anew(subject, from).await?;
        self.last_look.keep(version, &look);
        Ok(look)
    }

    async fn look_anew(&self, subject: Subject<'_>, from: usize) -> Result<Look, Mismatch> {
        match subject {
            Subject::Objects(wanted) => self.look_at_objects(wanted).await,
            // Silence proves nothing where nobody's log is read.
            Subject::Log(_) | Subject::Event(_) if !self.is_logged => Err(vec![
                "the backing image controller is not played, so there is no log of it to look at"
                    .to_owned(),
            ]),
            Subject::Log(lines) => Ok(look_at_lines(lines, &self.log(from))),
            Subject::Event(lines) => Ok(look_at_lines(lines, &self.events(from))),
            Subject::Findings(wanted) => self.look_at_findings(wanted).await,
            Subject::Stuck(_) | Subject::Settled(_) => {
                Err(vec!["it is proved in a way of its own".to_owned()])
            }
        }
    }

    async fn look_at_objects(&self, wanted: &Objects) -> Result<Look, Mismatch> {
        let kind = kinds::served(wanted.api_version.as_deref(), &wanted.kind)
            .map_err(|error| vec![error.text])?;
        let selector: Vec<String> = wanted
            .labels
            .iter()
            .map(|(key, value)| format!("{key}={value}"))
            .collect();
        let params = ListParams::default().labels(&selector.join(","));
        let list = kind.api(self.client, self.namespace).list(&params).await;
        let list = list.map_err(|e| vec![format!("the API server did not answer: {e}")])?;
        let candidates = list
            .items
            .into_iter()
            .filter(|object| wanted.name.is_none() || object.metadata.name == wanted.name)
            .map(|object| {
                let value = json!(object);
                let name = object.metadata.name.unwrap_or_default();
                let state = json!({"spec": value["spec"], "status": value["status"]});
                let (differences, untold) =
                    misfits(&value, wanted.fields.as_ref(), wanted.cel.as_ref());
                Candidate {
                    differences,
                    untold,
                    state: json!({ &name: state }),
                    name,
                }
            })
            .collect();
        let rule = wanted.rule_or_default();
        Ok(judge(rule, &wanted.kind, candidates))
    }

    async fn look_at_findings(&self, wanted: &Findings) -> Result<Look, Mismatch> {
        let view = self.view().await?;
        let objects = |kind: Kind, objects: usize| Coverage {
            kind,
            state: CoverageState::Read {
                objects,
                sources: Vec::new(),
            },
            notes: Vec::new(),
        };
        let coverage = vec![
            objects(Kind::Node, view.nodes.len()),
            objects(Kind::BackingImage, view.images.len()),
            objects(Kind::BackingImageManager, view.managers.len()),
            objects(Kind::BackingImageDataSource, view.data_sources.len()),
        ];
        let inventory = Inventory {
            nodes: view.nodes.values().map(|o| (**o).clone()).collect(),
            backing_images: view.images.values().map(|o| (**o).clone()).collect(),
            managers: view.managers.values().map(|o| (**o).clone()).collect(),
            data_sources: view.data_sources.values().map(|o| (**o).clone()).collect(),
            coverage,
            ..Inventory::default()
        };
        let options = Options {
            longhorn: resolve(&self.expected.version).ok(),
            manager_image: Some(self.manager_image.clone()),
        };
        let candidates = diagnose(&inventory, &options)
            .findings
            .iter()
            .map(|finding| {
                let value = json!(finding);
                let (differences, untold) =
                    misfits(&value, wanted.fields.as_ref(), wanted.cel.as_ref());
                Candidate {
                    name: format!("{} ({})", finding.code.as_str(), finding.state.as_str()),
                    differences,
                    untold,
                    state: value,
                }
            })
            .collect();
        let rule = wanted.rule.unwrap_or(Rule::Any);
        Ok(judge(rule, "finding", candidates))
    }

    fn log(&self, from: usize) -> Vec<String> {
        let entries = self.trace.since(from).into_iter();
        entries
            .filter_map(|entry| match entry.item {
                TraceItem::Log(line) => Some(line.text()),
                _ => None,
            })
            .collect()
    }

    fn events(&self, from: usize) -> Vec<String> {
        let entries = self.trace.since(from).into_iter();
        entries
            .filter_map(|entry| match entry.item {
                TraceItem::Event(event) => Some(event.text()),
                _ => None,
            })
            .collect()
    }
}

fn holds(look: Look, when: &str) -> Result<Look, Mismatch> {
    if look.holds {
        return Ok(look);
    }
    let mut found = vec![format!("{when}:")];
    found.extend(look.why);
    Err(found)
}

/// Where a value is not what it should be, and among that what an expression could
/// not tell: a mistyped member would else make every "never" come true.
fn misfits(
    value: &Value,
    fields: Option<&Value>,
    cel: Option<&Expression>,
) -> (Vec<String>, Option<String>) {
    let mut found = fields.map_or_else(Vec::new, |fields| differences(fields, value));
    let mut untold = None;
    if let Some(cel) = cel {
        match cel.is_true(value) {
            Ok(true) => {}
            Ok(false) => found.push(format!("{cel} is false")),
            Err(error) => {
                let error = format!("{cel}: {error}");
                // What its fields rule out does not depend on the expression.
                untold = found.is_empty().then(|| error.clone());
                found.push(error);
            }
        }
    }
    (found, untold)
}

/// How many nearest candidates a failure shows.
const SHOWN: usize = 3;

fn judge(rule: Rule, what: &str, mut candidates: Vec<Candidate>) -> Look {
    let all = candidates.len();
    let fit = candidates
        .iter()
        .filter(|c| c.differences.is_empty())
        .count();
    let untold: Vec<String> = candidates.iter().filter_map(|c| c.untold.clone()).collect();
    let counts = matches!(rule, Rule::None | Rule::Exactly(_));
    let holds = rule.holds(fit, all) && (untold.is_empty() || !counts);
    let mut why = Vec::new();
    if !holds {
        why.push(format!(
            "{} should fit; of {all} looked at (kind {what}), {fit} fit",
            rule.words()
        ));
        // Too many that fit, or the nearest of those that do not.
        candidates.sort_by_key(|c| c.differences.len());
        let too_many = match rule {
            Rule::None => fit > 0,
            Rule::Exactly(n) => fit > n,
            Rule::Any | Rule::All => false,
        };
        let shown = candidates
            .iter()
            .filter(|c| c.differences.is_empty() == too_many)
            .take(SHOWN);
        for candidate in shown {
            why.push(match candidate.differences.is_empty() {
                true => format!("{} fits", candidate.name),
                false => format!("nearest: {}", candidate.name),
            });
            why.extend(candidate.differences.iter().map(|d| format!("  {d}")));
        }
    }
    let fitting = candidates
        .into_iter()
        .filter(|c| c.differences.is_empty())
        .map(|c| c.state)
        .collect();
    Look {
        holds,
        why,
        fit,
        state: Value::Array(fitting),
        untold,
    }
}

fn look_at_lines(wanted: &Lines, lines: &[String]) -> Look {
    let fits = |line: &&String| {
        wanted
            .contains
            .as_ref()
            .is_none_or(|part| line.contains(part))
            && wanted.matches.as_ref().is_none_or(|p| p.0.is_match(line))
    };
    let fitting: Vec<&String> = lines.iter().filter(fits).collect();
    let rule = wanted.rule.unwrap_or(Rule::Any);
    let holds = rule.holds(fitting.len(), lines.len());
    let mut why = vec![format!(
        "{} should fit; of {} lines since the step began, {} fit",
        rule.words(),
        lines.len(),
        fitting.len()
    )];
    why.extend(
        fitting
            .iter()
            .take(SHOWN)
            .map(|line| format!("fits: {line}")),
    );
    Look {
        holds,
        why,
        fit: fitting.len(),
        state: json!(fitting),
        untold: Vec::new(),
    }
}

/// What is expected, in words.
pub(crate) fn words(subject: Subject<'_>, time: Time) -> String {
    let conditions = |fields: Option<&Value>, cel: Option<&Expression>| {
        let mut text = String::new();
        if let Some(fields) = fields {
            text.push_str(&format!(" with {fields}"));
        }
        if let Some(cel) = cel {
            text.push_str(&format!(" where {cel}"));
        }
        text
    };
    let what = match subject {
        Subject::Objects(o) => {
            let name = o
                .name
                .as_ref()
                .map_or_else(String::new, |n| format!(" {n}"));
            let labels: Vec<_> = o.labels.iter().map(|(k, v)| format!("{k}={v}")).collect();
            let labels = match labels[..] {
                [] => String::new(),
                _ => format!(" labelled {}", labels.join(",")),
            };
            let rule = o.rule_or_default().words();
            let conditions = conditions(o.fields.as_ref(), o.cel.as_ref());
            format!("{rule} {}{name}{labels}{conditions}", o.kind)
        }
        Subject::Log(lines) => format!("{} in the log", line_words(lines)),
        Subject::Event(lines) => format!("{} among the events", line_words(lines)),
        Subject::Findings(f) => format!(
            "{} finding{}",
            f.rule.unwrap_or(Rule::Any).words(),
            conditions(f.fields.as_ref(), f.cel.as_ref())
        ),
        Subject::Stuck(_) | Subject::Settled(_) => "a state".to_owned(),
    };
    match (subject, time) {
        (Subject::Log(_) | Subject::Event(_), Time::Always(span)) => {
            format!("{what}, counted over {} s", span.as_secs())
        }
        _ => format!("{what}, {}", time.words()),
    }
}

fn line_words(lines: &Lines) -> String {
    let mut text = format!("{} line", lines.rule.unwrap_or(Rule::Any).words());
    if let Some(part) = &lines.contains {
        text.push_str(&format!(" with {part:?}"));
    }
    if let Some(pattern) = &lines.matches {
        text.push_str(&format!(" that matches {:?}", pattern.0.as_str()));
    }
    text
}
