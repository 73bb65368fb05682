//! `fixname crds`: Longhorn's definitions, as of a version.

use std::path::PathBuf;

use clap::ValueEnum;
use fixname_capture::{CaptureError, Manifest, Source, read_manifest};
use fixname_longhorn::crds::crds;
use fixname_naming::{LonghornVersion, releases};
use fixname_replay::backend::needed_definitions;
use fixname_report::data;
use serde_json::{Value, json};

use super::resolved;
use super::serve::counted;
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

/// The definitions in manifests, as they can be loaded: without conversion webhooks,
/// since nobody serves them.
pub(super) fn given(files: &[PathBuf], output: &Output) -> Result<Vec<Value>, Failure> {
    let sources: Vec<Source> = files.iter().cloned().map(Source::from).collect();
    let wrong = |error: &CaptureError| Failure::usage(error.to_string(), error.advice());
    if sources.iter().filter(|s| **s == Source::Stdin).count() > 1 {
        return Err(wrong(&CaptureError::StdinTwice));
    }
    let mut definitions = Vec::new();
    let (mut others, mut unfilled, mut webhooks) = (0, 0, 0);
    for source in &sources {
        let Manifest {
            objects,
            placeholders,
        } = read_manifest(source).map_err(|error| wrong(&error))?;
        unfilled += placeholders;
        for object in objects {
            if object.kind() != "CustomResourceDefinition" {
                others += 1;
                continue;
            }
            if object.api_version() != "apiextensions.k8s.io/v1" {
                return Err(Failure::usage(
                    format!(
                        "{}:{}: a definition of {}; only apiextensions.k8s.io/v1 is served",
                        object.file,
                        object.at,
                        object.api_version()
                    ),
                    "give the manifest of a Longhorn version from v1.2.0 on",
                ));
            }
            let mut definition = Value::Object(object.object);
            if definition.pointer("/spec/conversion/strategy") == Some(&json!("Webhook")) {
                definition["spec"]["conversion"] = json!({"strategy": "None"});
                webhooks += 1;
            }
            definitions.push(definition);
        }
    }
    if definitions.is_empty() {
        return Err(Failure::usage(
            "--crds: there is no CustomResourceDefinition in these files",
            "give a manifest such as Longhorn's deploy/longhorn.yaml",
        ));
    }
    if others > 0 {
        let objects = counted(others, "object");
        output.note(&format!(
            "{objects} of other kinds in the files of --crds left out"
        ));
    }
    if unfilled > 0 {
        let placeholders = counted(unfilled, "placeholder");
        output.note(&format!(
            "{placeholders} of Helm's in the files of --crds made harmless"
        ));
    }
    if webhooks > 0 {
        let webhooks = counted(webhooks, "conversion webhook");
        output.note(&format!(
            "{webhooks} in the files of --crds left out: nobody serves them here"
        ));
    }
    Ok(definitions)
}

/// What the model needs and these definitions lack, such as `nodes`.
pub(super) fn missing(definitions: &[Value]) -> Vec<String> {
    let names: Vec<_> = definitions
        .iter()
        .filter_map(|definition| definition["metadata"]["name"].as_str())
        .collect();
    let missing = needed_definitions()
        .into_iter()
        .filter(|needed| !names.contains(&needed.as_str()));
    missing
        .map(|name| name.trim_end_matches(".longhorn.io").to_owned())
        .collect()
}
