//! `fixname crds`: Longhorn's definitions, as of a version.

use clap::ValueEnum;
use fixname_longhorn::crds::crds;
use fixname_naming::{LonghornVersion, releases};
use fixname_report::data;
use serde_json::{Value, json};

use super::resolved;
use crate::exit::{Exit, Failure};
use crate::output::Output;

/// Print Longhorn's CustomResourceDefinitions, as of a version.
///
/// They are generated, for the kinds that this program knows, and say what the
/// official ones say but for descriptions and the conversion webhook.
#[derive(clap::Args)]
#[command(after_help = "\
Exit codes: 0 printed, 2 wrong usage.

Examples:
  fixname crds --longhorn v1.9.1 | kubectl apply -f -
  fixname crds -o json")]
pub(crate) struct Args {
    /// The version; the newest one if not given.
    #[arg(long, value_name = "VERSION", env = "FIXNAME_LONGHORN")]
    longhorn: Option<LonghornVersion>,
    /// How to print.
    #[arg(
        short,
        long,
        value_enum,
        default_value = "yaml",
        env = "FIXNAME_OUTPUT"
    )]
    output: Format,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// One document for each definition.
    Yaml,
    /// One List.
    Json,
}

pub(crate) fn run(args: &Args, output: &Output) -> Result<Exit, Failure> {
    let definitions = definitions(args.longhorn.as_ref(), output)?;
    match args.output {
        Format::Json => {
            let list = json!({"apiVersion": "v1", "kind": "List", "items": definitions});
            output.data(&data::json(&list))?;
        }
        Format::Yaml => {
            let documents = definitions.iter().map(data::yaml);
            output.data(&documents.collect::<Vec<_>>().join("---\n"))?;
        }
    }
    Ok(Exit::Ok)
}

/// The definitions of a version, or of the newest one.
pub(super) fn definitions(
    version: Option<&LonghornVersion>,
    output: &Output,
) -> Result<Vec<Value>, Failure> {
    let Some(version) = version.or(releases().last().map(|newest| &newest.version)) else {
        return Ok(Vec::new());
    };
    let release = &resolved(version, output)?.release().version;
    let all = crds(release);
    let written = all.iter().map(|crd| {
        // With its apiVersion and kind.
        serde_json::to_value(crd).map_err(|error| {
            Failure::usage(
                format!("a definition cannot be written: {error}"),
                "fixname crds --help",
            )
        })
    });
    written.collect()
}
