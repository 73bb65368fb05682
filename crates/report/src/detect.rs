//! A diagnosis for people: the table explains each finding at 80 columns, the
//! wide one has a line for each disk with nothing cut off.

use std::fmt::Write as _;

use anstyle::Style;
use fixname_diagnose::{Basis, Finding, Report, Running, State};
use fixname_longhorn::{Coverage, CoverageState, Kind};

use crate::text::{
    BOLD, Columns, GREEN, RED, WIDTH, YELLOW, clean, counted, shortened, styled, wrapped,
};

/// Before the text of a finding, under its code.
const INDENT: &str = "        ";

/// Each finding with its disks, the reasons and what to do.
pub fn table(report: &Report) -> String {
    let mut out = String::new();
    for finding in &report.findings {
        add_finding(finding, &mut out);
        out.push('\n');
    }
    out.push_str(&verdict(report));
    out.push_str(&wrapped("", "  ", &assumed(&report.running)));
    for line in read(report) {
        out.push_str(&wrapped("", "  ", &line));
    }
    out
}

/// One line for each disk of each finding, as `kubectl get -o wide` has it.
pub fn wide(report: &Report) -> String {
    let mut columns = Columns::new(&[
        "CODE",
        "STATE",
        "SEVERITY",
        "NAMESPACE",
        "PREFIX",
        "MANAGER",
        "ROLE",
        "NODE",
        "DISK",
        "UUID",
        "IMAGES",
    ]);
    for finding in &report.findings {
        let images = finding.backing_images.join(",");
        let start = [
            finding.code.as_str(),
            finding.state.as_str(),
            finding.severity.as_str(),
            &finding.namespace,
            finding.prefix.as_deref().unwrap_or_default(),
            finding.manager_name.as_deref().unwrap_or_default(),
        ];
        if finding.disks.is_empty() {
            columns.row(&[&start[..], &["", "", "", "", &images]].concat());
        }
        for disk in &finding.disks {
            let rest = [
                disk.role.as_str(),
                &disk.node,
                &disk.name,
                &disk.disk_uuid,
                &images,
            ];
            columns.row(&[&start[..], &rest].concat());
        }
    }
    columns.render("")
}

fn style_of(state: State) -> Style {
    match state {
        State::Active => RED,
        State::Unknown | State::Latent => YELLOW,
        State::Cleared => GREEN,
    }
}

fn add_finding(finding: &Finding, out: &mut String) {
    writeln!(
        out,
        "{}  {}",
        styled(BOLD, finding.code.as_str()),
        styled(
            style_of(finding.state),
            &format!("{}: {}", finding.state.as_str(), finding.title())
        )
    )
    .expect("a String takes everything");
    let mut facts = Columns::default();
    if let Some(prefix) = &finding.prefix {
        facts.row(&["prefix", prefix]);
    }
    if let Some(name) = &finding.manager_name {
        facts.row(&["manager", name]);
    }
    if !finding.backing_images.is_empty() {
        let images = shortened(&finding.backing_images.join(", "), WIDTH - INDENT.len() - 9);
        facts.row(&["images", &images]);
    }
    out.push_str(&facts.render(INDENT));
    add_disks(finding, out);
    for line in &finding.evidence {
        out.push_str(&wrapped("      - ", INDENT, line));
    }
    out.push_str(&wrapped("    To do: ", INDENT, &finding.advice));
}

/// The disks with their UUIDs shortened: the full ones are in the evidence and
/// in `-o wide`, and would leave no room for names.
fn add_disks(finding: &Finding, out: &mut String) {
    const UUID: usize = 9;
    const SHOWN: usize = 20;
    if finding.disks.is_empty() {
        return;
    }
    // What the node and disk columns may have together.
    let room = WIDTH - INDENT.len() - ("bystander".len() + 2) - (UUID + 2) - 2;
    let longest = |words: &mut dyn Iterator<Item = &String>| {
        words
            .map(|w| clean(w).chars().count())
            .max()
            .unwrap_or_default()
    };
    let node = longest(&mut finding.disks.iter().map(|d| &d.node));
    let disk = longest(&mut finding.disks.iter().map(|d| &d.name));
    // Each is promised half; one that needs less leaves the rest to the other.
    let half = room / 2;
    let node_most = if node + disk <= room {
        node
    } else {
        half.max(room.saturating_sub(disk))
    };
    let disk_most = room.saturating_sub(node.min(node_most));
    let mut columns = Columns::new(&["ROLE", "NODE", "DISK", "UUID"]);
    for disk in finding.disks.iter().take(SHOWN) {
        columns.row(&[
            disk.role.as_str(),
            &shortened(&disk.node, node_most),
            &shortened(&disk.name, disk_most),
            &shortened(&disk.disk_uuid, UUID),
        ]);
    }
    out.push_str(&columns.render(INDENT));
    if finding.disks.len() > SHOWN {
        let more = finding.disks.len() - SHOWN;
        out.push_str(&wrapped(
            INDENT,
            INDENT,
            &format!("and {more} more; -o wide has them all"),
        ));
    }
}

fn verdict(report: &Report) -> String {
    if report.findings.is_empty() {
        return format!("{}\n", styled(GREEN, "Nothing found."));
    }
    let counts: Vec<String> = [State::Active, State::Unknown, State::Latent, State::Cleared]
        .into_iter()
        .filter_map(|state| {
            let found = report.findings.iter().filter(|f| f.state == state).count();
            (found > 0).then(|| format!("{found} {}", state.as_str()))
        })
        .collect();
    let style = report.findings.first().map_or(GREEN, |f| style_of(f.state));
    let line = format!(
        "{}: {}.",
        counted(report.findings.len(), "finding", "findings"),
        counts.join(", ")
    );
    format!("{}\n", styled(style, &line))
}

/// Which Longhorn was assumed, in words.
fn assumed(running: &Running) -> String {
    let scheme = match running.scheme {
        None => "naming unknown".to_owned(),
        Some(scheme) => format!("names {scheme}"),
    };
    let from = match running.basis {
        Basis::GivenVersion => "as you said".to_owned(),
        Basis::GivenImage => "from the manager image that you gave".to_owned(),
        Basis::Setting => "from the setting current-longhorn-version".to_owned(),
        Basis::ManagerNames => "from the names of the managers".to_owned(),
        Basis::ImageTag => "from the tag of the managers' image".to_owned(),
        _ => "say it with --longhorn".to_owned(),
    };
    let version = match (&running.longhorn_version, &running.treated_as) {
        (Some(version), Some(known)) => format!("Longhorn {version}, treated as {known}"),
        (Some(version), None) => format!("Longhorn {version}"),
        (None, _) => "Longhorn of unknown version".to_owned(),
    };
    format!("{version} ({scheme}, {from}).")
}

fn read(report: &Report) -> Vec<String> {
    let mut read = Vec::new();
    let mut missing = Vec::new();
    let mut notes = Vec::new();
    for Coverage {
        kind,
        state,
        notes: said,
    } in &report.coverage
    {
        match state {
            CoverageState::Read { objects, .. } => {
                let (one, many) = words(*kind);
                read.push(counted(*objects, one, many));
            }
            CoverageState::NotRead { reason } if reason == "not given" => {
                missing.push(words(*kind).1.to_owned());
            }
            CoverageState::NotRead { reason } => {
                missing.push(format!("{} ({reason})", words(*kind).1));
            }
        }
        notes.extend(
            said.iter()
                .map(|note| format!("Note on {}: {note}.", words(*kind).1)),
        );
    }
    let mut lines = Vec::new();
    if !read.is_empty() {
        lines.push(format!("Read: {}.", read.join(", ")));
    }
    if !missing.is_empty() {
        lines.push(format!("Not read: {}.", missing.join(", ")));
    }
    lines.append(&mut notes);
    let ignored: usize = report.ignored.iter().map(|i| i.objects).sum();
    if ignored > 0 {
        lines.push(format!(
            "Not used: {} of other kinds.",
            counted(ignored, "object", "objects")
        ));
    }
    lines
}

/// One and many of a kind, in words.
fn words(kind: Kind) -> (&'static str, &'static str) {
    match kind {
        Kind::Node => ("node", "nodes"),
        Kind::BackingImage => ("backing image", "backing images"),
        Kind::BackingImageManager => ("backing image manager", "backing image managers"),
        Kind::BackingImageDataSource => ("data source", "data sources"),
        Kind::Replica => ("replica", "replicas"),
        Kind::Setting => ("setting", "settings"),
        Kind::Volume => ("volume", "volumes"),
    }
}
