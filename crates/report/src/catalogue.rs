//! The catalogue of scenarios: a page made from their own words.

use std::fmt::Write as _;

use fixname_replay::scenario::{Action, Subject};
use fixname_replay::{Scenario, Template};

/// A Markdown page with a section for each scenario and each template. Variants of
/// one file are one section.
pub fn markdown(scenarios: &[Scenario], templates: &[Template]) -> String {
    let mut page = String::from(
        "# Catalogue of scenarios\nMade by `fixname scenario docs`; the words are the scenarios' own.\n",
    );
    for variants in scenarios.chunk_by(|a, b| a.file == b.file && base(a) == base(b)) {
        section(&mut page, variants);
    }
    for template in templates {
        template_section(&mut page, template);
    }
    page
}

/// One line for each scenario and each template: name and title.
pub fn list(scenarios: &[Scenario], templates: &[Template]) -> String {
    let scenarios = scenarios.iter().map(|s| (s.name.clone(), s.title.as_str()));
    let templates = templates
        .iter()
        .map(|t| (format!("(template) {}", t.name), t.title.as_str()));
    let all: Vec<(String, &str)> = scenarios.chain(templates).collect();
    let width = all.iter().map(|(name, _)| name.len()).max();
    let width = width.unwrap_or_default();
    let mut text = String::new();
    for (name, title) in all {
        let (name, title) = (crate::text::clean(&name), crate::text::clean(title));
        let _ = writeln!(text, "{name:<width$}  {title}");
    }
    text
}

fn template_section(page: &mut String, template: &Template) {
    let Template {
        name,
        title,
        description,
        parameters,
        steps,
    } = template;
    let _ = writeln!(
        page,
        "\n## Template {name}\n**{title}**\n\n{}\n",
        description.trim()
    );
    for (name, parameter) in parameters {
        let description = parameter.description.trim();
        let default = parameter.default_value();
        let default = default.map_or_else(String::new, |value| format!(" ({value} if not given)"));
        let _ = writeln!(page, "- `{name}`: {description}{default}");
    }
    for (index, step) in steps.iter().enumerate() {
        let _ = writeln!(page, "{}. {}", index + 1, step.text());
    }
}

/// The name without the variant.
fn base(scenario: &Scenario) -> &str {
    let name = scenario.name.as_str();
    name.split_once('[').map_or(name, |(base, _)| base)
}

fn section(page: &mut String, variants: &[Scenario]) {
    let scenario = &variants[0];
    let _ = writeln!(page, "\n## {}\n**{}**\n", base(scenario), scenario.title);
    let _ = writeln!(page, "{}\n", scenario.description.trim());
    let versions: Vec<_> = scenario.longhorn.iter().map(|v| v.0.to_string()).collect();
    let _ = writeln!(page, "- Longhorn: {}", versions.join(", "));
    if variants.len() > 1 {
        let names: Vec<_> = variants
            .iter()
            .filter_map(|v| v.name.split_once('['))
            .map(|(_, variant)| format!("`{}`", variant.trim_end_matches(']')))
            .collect();
        let _ = writeln!(page, "- Variants: {}", names.join(", "));
    }
    if scenario.repeat.seeds > 1 {
        let wins = if scenario.repeat.every_contested_disk_wins {
            ", in which every contested disk must win at least once"
        } else {
            ""
        };
        let _ = writeln!(page, "- Seeds: {}{wins}", scenario.repeat.seeds);
    }
    if let Some(backends) = &scenario.backends {
        let names: Vec<_> = backends.iter().map(|b| b.as_str()).collect();
        let _ = writeln!(page, "- Only on: {}", names.join(", "));
    }
    for (index, step) in scenario.steps.iter().enumerate() {
        let actions: Vec<_> = step.actions.iter().map(word).collect();
        let mut seen: Vec<&str> = step
            .expect
            .iter()
            .filter_map(|e| e.subject().ok())
            .map(subject)
            .collect();
        seen.dedup();
        let done = match actions[..] {
            [] => String::new(),
            _ => format!(" ({})", actions.join(", ")),
        };
        let _ = writeln!(
            page,
            "{}. {}{done}: {}",
            index + 1,
            step.name,
            seen.join(", ")
        );
    }
}

fn word(action: &Action) -> String {
    match action {
        Action::Want(_) => "want".to_owned(),
        Action::Drop(_) => "drop".to_owned(),
        Action::Upgrade(to) => format!("upgrade to {}", to.0),
        Action::Restart => "restart".to_owned(),
        Action::Install(install) => format!("install {}", install.version.0),
        Action::NodeDown(node) => format!("{node} goes down"),
        Action::NodeUp(node) => format!("{node} comes back"),
        Action::AddDisk(new) => format!("{} is added", new.disk),
        Action::Config(config) => format!("configuration of {} edited", config.disk),
        Action::Apply(_) => "apply".to_owned(),
        Action::Patch(_) => "patch".to_owned(),
        Action::Delete(_) => "delete".to_owned(),
        Action::Advance(seconds) => format!("{seconds} s pass"),
        Action::Fault(_) => "fault".to_owned(),
        Action::Run(_) => "run".to_owned(),
    }
}

fn subject(subject: Subject<'_>) -> &'static str {
    match subject {
        Subject::Stuck(_) => "stuck",
        Subject::Settled(_) => "settled",
        Subject::Objects(_) => "objects",
        Subject::Log(_) => "log",
        Subject::Event(_) => "events",
        Subject::Findings(_) => "findings",
    }
}
