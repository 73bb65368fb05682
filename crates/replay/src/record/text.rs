//! The file of a recorded scenario.

use std::fmt::Write as _;

use fixname_diagnose::State;
use serde_json::json;

use super::found::{Found, Image, Stuck};
use super::volumes::{Volume, Waiting};
use crate::cluster::replica_spec;
use crate::scenario::DiskPath;

/// The scenario as YAML. Every name stands in quotes as in JSON, which is YAML too.
pub(super) fn written(found: &Found, name: &str) -> String {
    let stuck: Vec<&str> = found
        .images
        .iter()
        .filter(|(_, image)| image.stuck.is_some())
        .map(|(name, _)| name.as_str())
        .collect();
    let title = match stuck[..] {
        [] if found.prefixes.is_empty() => {
            "A recorded cluster in which nothing collides".to_owned()
        }
        [] => "A recorded cluster in which disks share a prefix, and no image is stuck".to_owned(),
        [one] => format!("A recorded cluster in which image {one} is stuck"),
        ref many => format!(
            "A recorded cluster in which {} images are stuck",
            many.len()
        ),
    };
    let mut out = String::new();
    let mut line = |text: String| {
        let _ = writeln!(out, "{text}");
    };
    line(format!("name: {}", quoted(name)));
    line(format!("title: {}", quoted(&title)));
    line("description: Made by `fixname scenario record`.".to_owned());
    line(format!("longhorn: [{}]", found.version));
    line("cluster:".to_owned());
    line("  disks:".to_owned());
    for (path, uuid) in &found.disks {
        line(format!("    {}: {}", disk(path), quoted(uuid)));
    }
    if found.images.is_empty() {
        line("  images: {}".to_owned());
    } else {
        line("  images:".to_owned());
    }
    for (name, image) in &found.images {
        let Image {
            source,
            copies,
            minimum,
            ..
        } = image;
        line(format!("    {}:", quoted(name)));
        line(format!("      source: {}", disk(source)));
        line(format!("      copies: {}", disks(at_first(image, copies))));
        if *minimum != 1 {
            line(format!("      minimum: {minimum}"));
        }
    }
    cluster(found, &mut line);
    line("steps:".to_owned());
    let late: Vec<(&String, &Stuck)> = found
        .images
        .iter()
        .filter_map(|(name, image)| Some((name, image.stuck.as_ref()?)))
        .filter(|(_, stuck)| stuck.has_winner)
        .collect();
    if !late.is_empty() {
        line("  - name: the copies that are there are ready".to_owned());
        line("    expect:".to_owned());
        for (name, image) in &found.images {
            if image.stuck.as_ref().is_none_or(|stuck| stuck.has_winner) {
                line(format!("      - settled: {{image: {}}}", quoted(name)));
            }
        }
        for (name, volume) in &found.volumes {
            if volume.waiting.is_some() {
                line(is_so(name, at_the_start(volume)));
            }
        }
        line("  - name: the other copies are wanted".to_owned());
        line("    do:".to_owned());
        for (name, stuck) in &late {
            let wanted: Vec<_> = stuck.late().cloned().collect();
            let (image, wanted) = (quoted(name), disks(&wanted));
            line(format!("      - want: {{image: {image}, disks: {wanted}}}"));
        }
        for (name, volume) in &found.volumes {
            if let Some(waiting) = &volume.waiting {
                wait(found, name, volume, waiting, &mut line);
            }
        }
    } else {
        line("  - name: this is what was recorded".to_owned());
    }
    line("    expect:".to_owned());
    for (name, image) in &found.images {
        let name = quoted(name);
        let Some(stuck) = &image.stuck else {
            line(format!("      - settled: {{image: {name}}}"));
            continue;
        };
        line("      - stuck:".to_owned());
        line(format!("          image: {name}"));
        line(format!("          contested: {}", disks(&stuck.contested)));
        if stuck.has_winner {
            line(format!("          winner: {}", disk(&stuck.contested[0])));
        }
        if stuck.has_winner && !stuck.bystanders.is_empty() {
            line(format!(
                "          bystanders: {}",
                disks(&stuck.bystanders)
            ));
        }
    }
    for (name, volume) in &found.volumes {
        let Some(waiting) = &volume.waiting else {
            line(is_so(name, at_the_start(volume)));
            continue;
        };
        let state = match waiting.is_in_use {
            true => "state: attached, robustness: degraded",
            false => "state: attaching",
        };
        line(is_so(name, state));
        line("        stuckFor: 100".to_owned());
        line(format!(
            "      - objects: {{kind: Replica, labels: {{longhornvolume: {}}}, fields: {{spec: {{desireState: running}}, status: {{currentState: stopped}}}}, match: {{exactly: {}}}}}",
            quoted(name),
            waiting.on.len()
        ));
    }
    for (prefix, state) in &found.prefixes {
        let prefix = quoted(prefix);
        let state = state.map_or_else(String::new, |s: State| format!(", state: {}", s.as_str()));
        line(format!(
            "      - findings: {{fields: {{code: LHC001, prefix: {prefix}{state}}}, match: {{exactly: 1}}}}"
        ));
    }
    if found.prefixes.is_empty() {
        line("      - findings: {fields: {code: LHC001}, match: none}".to_owned());
    }
    out
}

/// What is there besides disks and images.
fn cluster(found: &Found, line: &mut impl FnMut(String)) {
    let block: Vec<_> = found.block.iter().cloned().collect();
    if !block.is_empty() {
        line(format!("  block: {}", disks(&block)));
    }
    if !found.volumes.is_empty() {
        line("  volumes:".to_owned());
    }
    for (name, volume) in &found.volumes {
        line(format!("    {}:", quoted(name)));
        line(format!("      image: {}", quoted(&volume.image)));
        let waiting = volume.waiting.as_ref();
        let on: Vec<_> = match waiting.filter(|waiting| waiting.is_in_use) {
            Some(_) => volume.on.clone(),
            None => volume.disks().cloned().collect(),
        };
        line(format!("      replicas: {}", on.len()));
        line(format!("      on: {}", disks(&on)));
        if let Some(node) = &volume.node
            && waiting.is_none_or(|waiting| waiting.is_in_use)
        {
            line(format!("      node: {}", quoted(node)));
        }
    }
    if !found.settings.is_empty() {
        line("  settings:".to_owned());
    }
    for (name, value) in &found.settings {
        line(format!("    {}: {}", quoted(name), quoted(value)));
    }
}

/// What a volume is before any of its replicas waits.
fn at_the_start(volume: &Volume) -> &'static str {
    match &volume.waiting {
        Some(waiting) if waiting.is_in_use => "state: attached, robustness: healthy",
        None if volume.node.is_some() && volume.is_whole => "state: attached, robustness: healthy",
        None if volume.node.is_some() => "state: attached",
        _ => "state: detached",
    }
}

fn is_so(volume: &str, status: &str) -> String {
    let name = quoted(volume);
    format!("      - objects: {{kind: Volume, name: {name}, fields: {{status: {{{status}}}}}}}")
}

/// What makes replicas of a volume wait: it is attached, or gets more of them while it
/// is in use.
fn wait(
    found: &Found,
    name: &str,
    volume: &Volume,
    waiting: &Waiting,
    line: &mut impl FnMut(String),
) {
    let spec = match waiting.is_in_use {
        true => format!("numberOfReplicas: {}", volume.disks().count()),
        false => {
            let node = volume.node.as_deref().unwrap_or_default();
            format!("nodeID: {}", quoted(node))
        }
    };
    for (index, path) in waiting.on.iter().enumerate().filter(|_| waiting.is_in_use) {
        let index = volume.on.len() + index;
        let uuid = found.disks.get(path).map_or("", String::as_str);
        let mut spec = json!(replica_spec(name, &volume.image, path, uuid));
        if let Some(members) = spec.as_object_mut() {
            members.retain(|_, value| *value != "" && *value != false);
        }
        let replica = format!("{name}-r-{index:08x}");
        line(format!(
            "      - apply: {{apiVersion: longhorn.io/v1beta2, kind: Replica, metadata: {{name: {}}}, spec: {}}}",
            quoted(&replica),
            spec.to_string().replace("${", "$${")
        ));
    }
    line(format!(
        "      - patch: {{kind: Volume, name: {}, merge: {{spec: {{{spec}}}}}}}",
        quoted(name)
    ));
}

/// Where nobody knows who has the name, all copies are wanted from the start.
fn at_first<'i>(image: &'i Image, copies: &'i [DiskPath]) -> &'i [DiskPath] {
    match &image.stuck {
        Some(stuck) if !stuck.has_winner => &stuck.contested,
        _ => copies,
    }
}

fn disk(path: &DiskPath) -> String {
    quoted(&path.to_string())
}

fn disks(paths: &[DiskPath]) -> String {
    let all: Vec<String> = paths.iter().map(disk).collect();
    format!("[{}]", all.join(", "))
}

/// A text in quotes, in which no variable is replaced.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text)
        .to_string()
        .replace("${", "$${")
}
