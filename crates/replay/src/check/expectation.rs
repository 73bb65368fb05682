//! Single expectations: what they name must be there, and they must be able to
//! fail and to hold.

use fixname_naming::LonghornVersion;
use serde_json::Value;

use super::Checker;
use crate::expect::{PATIENCE, TWO_RESYNCS};
use crate::place::Path;
use crate::scenario::{Expectation, Step, Stuck, Subject};
use crate::seen::{Findings, Lines, Objects, Rule, Span, Time};

impl Checker<'_> {
    /// The expectations of a step, one by one and against each other.
    pub(super) fn expectations(&mut self, step: &Step, at: &Path, in_force: &[LonghornVersion]) {
        let expect = at.member("expect");
        if step.expect.is_empty() {
            self.say(at, "it expects nothing, so it could not fail");
        }
        for version in in_force {
            if !step.expect.is_empty() && !step.expect.iter().any(|e| e.on.includes(version)) {
                self.say(&expect, format!("nothing is expected under {version}"));
            }
        }
        for (index, expectation) in step.expect.iter().enumerate() {
            let at = expect.item(index);
            let on = in_force.iter().filter(|v| expectation.on.includes(v));
            let on: Vec<LonghornVersion> = on.cloned().collect();
            if on.is_empty() {
                let text = format!(
                    "an expectation on {:?} is never looked at: the step is played under {}",
                    expectation.on,
                    listed(in_force)
                );
                self.say(&at.member("on"), text);
            }
            self.expectation(expectation, &at, &on);
        }
        self.against_each_other(&step.expect, &expect, in_force);
    }

    fn expectation(&mut self, expectation: &Expectation, at: &Path, on: &[LonghornVersion]) {
        match expectation.subject() {
            Err(problem) => self.say(at, problem),
            Ok(Subject::Stuck(stuck)) => {
                self.stuck(stuck, &at.member("stuck"));
                self.takes_no_time(expectation.span(), at);
            }
            Ok(Subject::Settled(settled)) => {
                self.image(&settled.image, &at.member("settled").member("image"));
                self.takes_no_time(expectation.span(), at);
            }
            Ok(single) => match expectation.span().time(PATIENCE) {
                Err(problem) => self.say(at, problem),
                Ok(time) => self.single(single, time, at, on),
            },
        }
    }

    fn takes_no_time(&mut self, span: Span, at: &Path) {
        if span != Span::default() {
            self.say(
                at,
                "stuck and settled are proved over two resyncs, and take no time of their own",
            );
        }
    }

    fn stuck(&mut self, stuck: &Stuck, at: &Path) {
        self.image(&stuck.image, &at.member("image"));
        let contested = at.member("contested");
        if stuck.contested.len() < 2 {
            self.say(&contested, "it takes two contested disks to get stuck");
        }
        self.disks(&stuck.contested, &contested);
        let bystanders = at.member("bystanders");
        self.disks(&stuck.bystanders, &bystanders);
        for (index, disk) in stuck.bystanders.iter().enumerate() {
            if stuck.contested.contains(disk) {
                let text = format!("{disk} is contested, so it is no bystander");
                self.say(&bystanders.item(index), text);
            }
        }
        if let Some(winner) = &stuck.winner {
            let at = at.member("winner");
            self.disk(winner, &at);
            if !stuck.contested.contains(winner) {
                let text = format!("the winner {winner} is not among the contested disks");
                self.say(&at, text);
            }
        }
    }

    fn single(&mut self, subject: Subject<'_>, time: Time, at: &Path, on: &[LonghornVersion]) {
        if let Time::Stuck(span) = time
            && span < TWO_RESYNCS
        {
            let text = format!(
                "stuck is shown over two resyncs: stuckFor takes {} seconds or more",
                TWO_RESYNCS.as_secs()
            );
            self.say(&at.member("stuckFor"), text);
        }
        match subject {
            Subject::Objects(objects) => self.objects(objects, &at.member("objects"), on),
            Subject::Log(lines) => self.lines(lines, time, &at.member("log")),
            Subject::Event(lines) => self.lines(lines, time, &at.member("event")),
            Subject::Findings(findings) => self.findings(findings, &at.member("findings")),
            Subject::Stuck(_) | Subject::Settled(_) => {}
        }
    }

    fn objects(&mut self, objects: &Objects, at: &Path, on: &[LonghornVersion]) {
        let api_version = objects.api_version.as_deref();
        let is_served = self.kind(api_version, &objects.kind, at);
        if objects.name.is_none() && objects.rule.is_none() {
            self.say(
                at,
                "say how many objects must fit: match: any, all, none or {exactly: n}",
            );
        }
        if objects.name.is_some() && matches!(objects.rule, Some(Rule::Exactly(2..))) {
            self.say(&at.member("match"), "a name has one object at most");
        }
        let asks = objects.fields.is_some() || objects.cel.is_some();
        if objects.rule == Some(Rule::All) && !asks {
            self.say(
                &at.member("match"),
                "match: all without fields or cel asks nothing of them",
            );
        }
        self.asks_something(objects.fields.as_ref(), at);
        if let (Some(fields), true) = (&objects.fields, is_served) {
            let of = (api_version, objects.kind.as_str());
            self.members(of, fields, &at.member("fields"), on);
        }
    }

    fn findings(&mut self, findings: &Findings, at: &Path) {
        self.asks_something(findings.fields.as_ref(), at);
        if let Some(fields) = &findings.fields {
            self.members_of_findings(fields, &at.member("fields"));
        }
        if findings.rule == Some(Rule::All) && findings.fields.is_none() && findings.cel.is_none() {
            self.say(
                &at.member("match"),
                "match: all without fields or cel asks nothing of them",
            );
        }
    }

    fn asks_something(&mut self, fields: Option<&Value>, at: &Path) {
        let at = at.member("fields");
        match fields {
            Some(Value::Object(members)) if members.is_empty() => {
                self.say(&at, "no member is named, so anything would fit");
            }
            Some(Value::Object(_)) | None => {}
            Some(_) => self.say(&at, "fields is a map of members"),
        }
    }

    fn lines(&mut self, lines: &Lines, time: Time, at: &Path) {
        if lines.contains.as_deref() == Some("") {
            self.say(&at.member("contains"), "every line has an empty text in it");
        }
        let match_ = at.member("match");
        if lines.contains.is_none() && lines.matches.is_none() && lines.rule == Some(Rule::All) {
            self.say(&match_, "match: all asks nothing of the lines");
        }
        let counts = matches!(lines.rule, Some(Rule::None | Rule::Exactly(_) | Rule::All));
        if counts && !matches!(time, Time::Always(_)) {
            self.say(
                &match_,
                "lines only become more: give alwaysFor, at whose end they are counted",
            );
        }
        if matches!(time, Time::Stuck(_)) {
            self.say(at, "a log does not get stuck: use alwaysFor");
        }
    }
}

/// Versions for a person.
pub(super) fn listed(versions: &[LonghornVersion]) -> String {
    let names: Vec<String> = versions.iter().map(ToString::to_string).collect();
    names.join(", ")
}
