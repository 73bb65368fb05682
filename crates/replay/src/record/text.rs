//! The file of a recorded scenario.

use std::fmt::Write as _;

use fixname_diagnose::State;

use super::found::{Found, Image, Stuck};
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
        line("  - name: the other copies are wanted".to_owned());
        line("    do:".to_owned());
        for (name, stuck) in &late {
            let wanted = stuck.contested[1..].iter().chain(&stuck.bystanders);
            let wanted: Vec<_> = wanted.cloned().collect();
            let (image, wanted) = (quoted(name), disks(&wanted));
            line(format!("      - want: {{image: {image}, disks: {wanted}}}"));
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
