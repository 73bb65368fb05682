//! A scenario in sentences: what is set up, what each step does and expects, under
//! which versions, and which runs come of it. Words only; `report` prints them.

use fixname_naming::LonghornVersion;
use serde::Serialize;

use crate::expect::{PATIENCE, TWO_RESYNCS, words};
use crate::scenario::{
    Action, BackendName, Copies, DiskPath, Expectation, Fault, FaultKind, Image, ManagersAre,
    ObjectName, Scenario, Stuck, Subject,
};
use crate::seen::Time;

/// A scenario in sentences.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Explanation {
    /// Its name.
    pub name: String,
    /// Its own words: one line.
    pub title: String,
    /// Its own words: what it shows.
    pub description: String,
    /// The file it was read from, if it was.
    pub file: Option<String>,
    /// What is there before the first manager starts.
    pub set_up: Vec<String>,
    /// What happens, in order.
    pub steps: Vec<StepExplanation>,
    /// The backends that can judge it, as the command line names them.
    pub backends: Vec<&'static str>,
    /// What all runs under a version have to show together, if anything.
    pub together: Option<String>,
    /// The runs that it makes from seed 1.
    pub runs: Vec<Run>,
}

/// A step in sentences.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct StepExplanation {
    /// Its name.
    pub name: String,
    /// Its line in the scenario's file, from 1.
    pub line: Option<u64>,
    /// What is done.
    pub does: Vec<String>,
    /// What is expected then, one after the other.
    pub expects: Vec<ExpectationExplanation>,
}

/// An expectation in sentences.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ExpectationExplanation {
    /// The versions under which it is looked at, of those in force at that step.
    pub longhorn: Vec<String>,
    /// What must be so.
    pub says: String,
    /// How that is found out.
    pub proof: String,
}

/// One run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Run {
    /// The scenario's name, which selects it.
    pub name: String,
    /// The version it begins with.
    pub longhorn: String,
    /// Where its random choices come from.
    pub seed: u64,
}

/// Says what a scenario means.
pub fn explain(scenario: &Scenario) -> Explanation {
    let mut in_force: Vec<LonghornVersion> =
        scenario.longhorn.iter().map(|v| v.0.clone()).collect();
    let mut steps = Vec::new();
    for (index, step) in scenario.steps.iter().enumerate() {
        let mut does: Vec<String> = step.actions.iter().map(done).collect();
        if index == 0 {
            does.push("A manager of Longhorn starts.".to_owned());
        }
        for action in &step.actions {
            match action {
                Action::Upgrade(to) => in_force = vec![to.0.clone()],
                Action::Install(install) => in_force = vec![install.version.0.clone()],
                _ => {}
            }
        }
        steps.push(StepExplanation {
            name: step.name.text.clone(),
            line: step.name.line,
            does,
            expects: step.expect.iter().map(|e| expected(e, &in_force)).collect(),
        });
    }
    let repeat = scenario.repeat;
    let together = repeat.every_contested_disk_wins.then(|| {
        format!(
            "Over the {} seeds of a version, each contested disk must have won at least once.",
            repeat.seeds
        )
    });
    let all = [
        BackendName::Embedded,
        BackendName::ControlPlane,
        BackendName::Container,
        BackendName::Kind,
        BackendName::Context,
    ];
    let backends = scenario.backends.as_deref().unwrap_or(&all);
    let runs = scenario.longhorn.iter().flat_map(|version| {
        (1..=repeat.seeds).map(|seed| Run {
            name: scenario.name.clone(),
            longhorn: version.0.to_string(),
            seed,
        })
    });
    Explanation {
        name: scenario.name.clone(),
        title: scenario.title.clone(),
        description: scenario.description.trim().to_owned(),
        file: scenario.file.clone(),
        set_up: set_up(scenario),
        steps,
        backends: backends.iter().map(|b| b.as_str()).collect(),
        together,
        runs: runs.collect(),
    }
}

fn set_up(scenario: &Scenario) -> Vec<String> {
    let mut said = Vec::new();
    let cluster = &scenario.cluster;
    if let Some(dump) = &cluster.captured {
        said.push(format!(
            "The disks, images, volumes and settings of the captured cluster {dump}."
        ));
    }
    for (path, uuid) in &cluster.disks {
        let kind = if cluster.block.contains(path) {
            "Block disk"
        } else {
            "Disk"
        };
        let is = if cluster.later.contains(path) {
            "which its node does not have yet"
        } else {
            "ready"
        };
        said.push(format!("{kind} {path}, {is}, with the UUID {uuid}."));
    }
    for (name, image) in &scenario.cluster.images {
        let Image {
            source,
            copies,
            minimum,
            download,
        } = image;
        let first = download.map_or_else(
            || format!("whose first copy is ready on {source}"),
            |seconds| format!("which takes {seconds} s to download to {source}"),
        );
        said.push(format!(
            "Image {name}, {first}. It wants copies on {}, and keeps {minimum} or more.",
            listed(copies)
        ));
    }
    for (name, volume) in &cluster.volumes {
        let attached = volume.node.as_ref();
        let attached = attached.map_or_else(|| "to no node".to_owned(), |n| format!("to {n}"));
        let on = match volume.on[..] {
            [] => String::new(),
            _ => format!(" (on {})", listed(&volume.on)),
        };
        said.push(format!(
            "Volume {name} of image {}, with {} replicas{on}, attached {attached}.",
            volume.image, volume.replicas
        ));
    }
    for (name, value) in &cluster.settings {
        said.push(format!("Setting {name} is {value:?}."));
    }
    if cluster.managers == ManagersAre::EachNode {
        said.push("Each node has a manager of its own.".to_owned());
    }
    if cluster.cache_lag_ms > 0 {
        said.push(format!(
            "Caches show what others have changed up to {} ms late.",
            cluster.cache_lag_ms
        ));
    }
    said
}

fn done(action: &Action) -> String {
    match action {
        Action::Want(Copies { image, disks }) => {
            format!("Image {image} wants copies on {} too.", listed(disks))
        }
        Action::Drop(Copies { image, disks }) => {
            format!("Image {image} wants no copy on {} any more.", listed(disks))
        }
        Action::Upgrade(to) => format!(
            "The manager ends, and one of {} starts with its own manager image.",
            to.0
        ),
        Action::Install(install) => {
            let image = if install.keep_image {
                "the manager image that is there"
            } else {
                "its own manager image"
            };
            let unchecked = if install.unchecked {
                "; the upgrade path is not checked"
            } else {
                ""
            };
            format!(
                "The manager ends, and one of {} starts with {image}{unchecked}.",
                install.version.0
            )
        }
        Action::NodeDown(node) => {
            format!("Node {node} loses its power, and with it its pods and its manager.")
        }
        Action::NodeUp(node) => format!("Node {node} has power again."),
        Action::AddDisk(new) => {
            let kind = if new.block { "Block disk" } else { "Disk" };
            let scheduling = if new.scheduling {
                ""
            } else {
                ", closed to scheduling"
            };
            format!("{kind} {} is added to its node{scheduling}.", new.disk)
        }
        Action::Config(config) => match &config.uuid {
            Some(uuid) => format!(
                "The longhorn-disk.cfg of disk {} is edited: its UUID is {uuid} now.",
                config.disk
            ),
            None => format!("The longhorn-disk.cfg of disk {} is removed.", config.disk),
        },
        Action::Restart => "The manager ends, and another of the same version starts.".to_owned(),
        Action::Apply(object) => {
            let text = |pointer: &str| object.pointer(pointer).and_then(|v| v.as_str());
            let kind = text("/kind").unwrap_or_default();
            let name = text("/metadata/name").unwrap_or_default();
            format!("{kind} {name} is applied: {object}.")
        }
        Action::Patch(patch) => {
            let part = if patch.status { "status of " } else { "" };
            let refused = patch.refused.as_ref().map_or_else(String::new, |words| {
                format!(" This must be refused with {words:?}.")
            });
            format!(
                "The {part}{} {} is patched: {}.{refused}",
                patch.kind, patch.name, patch.merge
            )
        }
        Action::Delete(object) => deleted(object),
        Action::Advance(seconds) => format!("{seconds} model seconds pass."),
        Action::Fault(fault) => faulty(fault),
        Action::Run(command) => format!(
            "The program {:?} runs, and must end with {} within {} real seconds.",
            command.command.join(" "),
            command.exit,
            command.within
        ),
    }
}

fn deleted(object: &ObjectName) -> String {
    let labels = object.labels.iter().map(|(k, v)| format!("{k}={v}"));
    let labels: Vec<String> = labels.collect();
    let what = match &object.name {
        Some(name) => format!("{} {name}", object.kind),
        None => format!("Every {} labelled {}", object.kind, labels.join(",")),
    };
    match &object.refused {
        Some(words) => format!("{what} is to be deleted, which must be refused with {words:?}."),
        None => format!("{what} is deleted."),
    }
}

fn faulty(fault: &Fault) -> String {
    let what = match fault.action {
        FaultKind::Error => "are answered with 500 and not carried out",
        FaultKind::Conflict => "are answered with 409 and not carried out",
        FaultKind::Drop => "are cut off and not carried out",
        FaultKind::LoseAnswer => "are carried out, and the answer is lost",
        FaultKind::BreakWatch => "have their watch cut at its next event",
        FaultKind::Expired => "are answered with 410",
    };
    let verb = fault.verb.as_deref().unwrap_or("any");
    let resource = fault.resource.as_deref().unwrap_or("anything");
    let name = fault
        .name
        .as_ref()
        .map_or_else(String::new, |n| format!(" {n}"));
    format!(
        "Of the manager's requests ({verb} {resource}{name}), from number {} on {} {what}.",
        fault.nth, fault.times
    )
}

fn expected(expectation: &Expectation, in_force: &[LonghornVersion]) -> ExpectationExplanation {
    let versions = in_force.iter().filter(|v| expectation.on.includes(v));
    let longhorn = versions.map(ToString::to_string).collect();
    let resyncs = TWO_RESYNCS.as_secs();
    let (says, proof) = match expectation.subject() {
        Ok(Subject::Stuck(stuck)) => (
            stuck_words(stuck),
            format!(
                "It must come about within {} model seconds. Then, over two resyncs ({resyncs} s), the image's \
                 status does not move, and every trigger brings four attempts, each refused because the \
                 name is taken.",
                PATIENCE.as_secs()
            ),
        ),
        Ok(Subject::Settled(settled)) => (
            format!(
                "Image {} is settled: each disk that it wants has one manager, with the name, image and label \
                 of this version; every copy is ready; nothing is left over.",
                settled.image
            ),
            format!(
                "It must come about within {} model seconds, and stay so over two resyncs ({resyncs} s).",
                PATIENCE.as_secs()
            ),
        ),
        Ok(subject) => match expectation.span().time(PATIENCE) {
            Ok(time) => (format!("{}.", words(subject, time)), proof(subject, time)),
            Err(problem) => (problem, String::new()),
        },
        Err(problem) => (problem, String::new()),
    };
    ExpectationExplanation {
        longhorn,
        says,
        proof,
    }
}

fn stuck_words(stuck: &Stuck) -> String {
    let winner = stuck.winner.as_ref();
    let winner = winner.map_or_else(|| "only one".to_owned(), |w| format!("only {w}"));
    let mut said = format!(
        "Image {} is stuck: of {} {winner} has a manager, which has the name that all of them would have.",
        stuck.image,
        listed(&stuck.contested)
    );
    if !stuck.bystanders.is_empty() {
        said.push_str(&format!(
            " The managers of {} have the file, and the image's status does not say so.",
            listed(&stuck.bystanders)
        ));
    }
    said
}

/// How a single thing is looked at.
fn proof(subject: Subject<'_>, time: Time) -> String {
    let is_lines = matches!(subject, Subject::Log(_) | Subject::Event(_));
    match time {
        Time::Eventually(span) => format!(
            "Looked at once a model second; the first look that fits is enough, and {} s without one fail.",
            span.as_secs()
        ),
        Time::Always(span) if is_lines => {
            format!("Counted after {} s, since the step began.", span.as_secs())
        }
        Time::Always(span) => format!(
            "Looked at now and once a model second for {} s; the first look that does not fit fails.",
            span.as_secs()
        ),
        Time::Never(span) => format!(
            "Looked at once a model second for {} s; the first look that fits fails, and so does one that cannot tell.",
            span.as_secs()
        ),
        Time::Stuck(span) => format!(
            "It must come about within {} s; for {} s after that, neither spec nor status of what fits moves.",
            PATIENCE.as_secs(),
            span.as_secs()
        ),
    }
}

fn listed(disks: &[DiskPath]) -> String {
    let names: Vec<String> = disks.iter().map(ToString::to_string).collect();
    match &names[..] {
        [] => "no disk".to_owned(),
        [one] => one.clone(),
        [some @ .., last] => format!("{} and {last}", some.join(", ")),
    }
}
