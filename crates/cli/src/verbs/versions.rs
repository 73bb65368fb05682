//! `fixname versions`: what each released Longhorn version does.

use fixname_naming::releases;
use fixname_report::data;
use fixname_report::text::{Columns, wrapped};
use serde::Serialize;

use super::{Format, yes_no};
use crate::exit::{Exit, Failure};
use crate::output::Output;

/// List every Longhorn version and how it names its managers.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// How to print; wide adds the published manager image.
    #[arg(
        short,
        long,
        value_enum,
        default_value = "table",
        env = "FIXNAME_OUTPUT"
    )]
    output: Format,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Answer {
    format_version: u32,
    versions: Vec<Entry>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Entry {
    version: String,
    scheme: String,
    name_length: Option<usize>,
    fits_dns_label: Option<bool>,
    prefix_guard: bool,
    manager_image: Option<&'static str>,
    affected: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    note: Option<&'static str>,
}

pub(crate) fn run(args: &Args, output: &Output) -> Result<Exit, Failure> {
    let versions = releases()
        .iter()
        .map(|release| Entry {
            version: release.version.to_string(),
            scheme: release.scheme.id().into_owned(),
            name_length: release.name_length(),
            fits_dns_label: release.fits_dns_label(),
            prefix_guard: release.prefix_guard,
            manager_image: release.default_manager_image,
            affected: release.affected(),
            note: release.note,
        })
        .collect();
    let answer = Answer {
        format_version: 1,
        versions,
    };
    match args.output {
        Format::Table => output.text(&table(&answer, false))?,
        Format::Wide => output.text(&table(&answer, true))?,
        Format::Json => output.data(&data::json(&answer))?,
        Format::Yaml => output.data(&data::yaml(&answer))?,
    }
    Ok(Exit::Ok)
}

fn table(answer: &Answer, wide: bool) -> String {
    let mut headings = vec!["VERSION", "AFFECTED", "SCHEME", "LENGTH", "FITS63", "GUARD"];
    if wide {
        headings.extend(["IMAGE", "NOTE"]);
    }
    let mut columns = Columns::new(&headings);
    for entry in &answer.versions {
        let length = entry.name_length.map(|l| l.to_string()).unwrap_or_default();
        let mut cells = vec![
            entry.version.as_str(),
            yes_no(Some(entry.affected)),
            &entry.scheme,
            &length,
            yes_no(entry.fits_dns_label),
            yes_no(Some(entry.prefix_guard)),
        ];
        if wide {
            let image = entry.manager_image.unwrap_or_default();
            cells.extend([image, entry.note.unwrap_or_default()]);
        }
        columns.row(&cells);
    }
    let mut out = columns.render("");
    if !wide {
        for line in [
            "AFFECTED: two disks whose UUIDs begin with the same four characters get one name.",
            "FITS63: the name is short enough for a hostname (longhorn#12356).",
            "GUARD: new filesystem disks get a UUID with four characters of their own; disks that \
             are already there, block disks and disks added at the same time do not.",
        ] {
            out.push_str(&wrapped("", "  ", line));
        }
    }
    out
}
