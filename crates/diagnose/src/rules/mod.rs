//! The rules, one file for each thing they look at. Each one appends findings.

pub(crate) mod identity;
pub(crate) mod label;
pub(crate) mod managers;
pub(crate) mod prefix;

use fixname_longhorn::NAMESPACE;

use crate::report::{Code, Finding, Severity, State};

/// A finding with everything but its details.
fn finding(code: Code, state: State, severity: Severity, namespace: &str) -> Finding {
    Finding {
        code,
        state,
        severity,
        namespace: namespace.to_owned(),
        prefix: None,
        manager_name: None,
        disks: Vec::new(),
        backing_images: Vec::new(),
        evidence: Vec::new(),
        advice: String::new(),
    }
}

/// Without nodes, no disk can be called safe.
pub(crate) fn nodes_not_read(findings: &mut Vec<Finding>) {
    let mut found = finding(
        Code::NodesNotRead,
        State::Unknown,
        Severity::Warning,
        NAMESPACE,
    );
    found
        .evidence
        .push("no object of kind Node (longhorn.io) was read".to_owned());
    found.advice = format!(
        "Give the nodes as well: kubectl -n {NAMESPACE} get nodes.longhorn.io -o json > nodes.json"
    );
    findings.push(found);
}

/// At most `SHOWN` of them, with a count of the rest.
fn listed(items: &[String]) -> String {
    const SHOWN: usize = 8;
    let mut text = items
        .iter()
        .take(SHOWN)
        .cloned()
        .collect::<Vec<_>>()
        .join(", ");
    if items.len() > SHOWN {
        text.push_str(&format!(" and {} more", items.len() - SHOWN));
    }
    text
}
