//! `fixname detect`: finds collisions in files that kubectl made.

use std::path::PathBuf;

use clap::ValueEnum;
use fixname_capture::{Source, read_files};
use fixname_diagnose::{Options, diagnose};
use fixname_longhorn::Kind;
use fixname_naming::ImageRef;
use fixname_report::{data, detect, kb};

use super::playing::Running;
use crate::exit::{Exit, Failure};
use crate::output::Output;

const MAKE_A_FILE: &str = "kubectl -n longhorn-system get nodes.longhorn.io,\
                           backingimages.longhorn.io,backingimagemanagers.longhorn.io -o json \
                           > cluster.json && fixname detect cluster.json";

/// Find disks that fight, or would fight, over one manager name.
///
/// Reads what `kubectl get … -o json` or `-o yaml` printed. Nodes alone show
/// which disks share a prefix; with backing images and backing image managers
/// it can be told whether anything is stuck; data sources, replicas and
/// settings add detail.
#[derive(clap::Args)]
#[command(after_help = "\
Exit codes: 0 nothing found, 1 a finding (active, latent or unknown), 2 unreadable input.

Examples:
  kubectl -n longhorn-system get nodes.longhorn.io,backingimages.longhorn.io,\\
backingimagemanagers.longhorn.io -o json | fixname detect -
  fixname detect nodes.json images.json managers.json --longhorn v1.9.1 -o wide
  fixname detect nodes.json -o kb      (what the knowledge base's script prints)")]
pub(crate) struct Args {
    /// Files with objects of one cluster; - is stdin.
    #[arg(value_name = "FILE")]
    files: Vec<PathBuf>,
    /// How to print.
    #[arg(
        short,
        long,
        value_enum,
        default_value = "table",
        env = "FIXNAME_OUTPUT"
    )]
    output: Format,
    #[command(flatten)]
    running: Running,
    /// The managers' image, literally as Longhorn's --backing-image-manager-image has it.
    #[arg(long, value_name = "IMAGE", env = "FIXNAME_MANAGER_IMAGE")]
    manager_image: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// Each finding explained, 80 columns.
    Table,
    /// One line for each disk, nothing cut off.
    Wide,
    /// For programs.
    Json,
    /// For programs.
    Yaml,
    /// Byte for byte what the knowledge base's script prints.
    Kb,
}

pub(crate) fn run(args: &Args, output: &Output) -> Result<Exit, Failure> {
    if args.files.is_empty() {
        return Err(Failure::usage(
            "no file was given, and this version cannot read a live cluster",
            MAKE_A_FILE,
        ));
    }
    let options = Options {
        longhorn: args.running.resolved(output)?,
        manager_image: args.manager_image.as_deref().map(ImageRef::new),
    };
    let sources: Vec<Source> = args.files.iter().cloned().map(Source::from).collect();
    let inventory =
        read_files(&sources).map_err(|error| Failure::usage(error.to_string(), error.advice()))?;
    let report = diagnose(&inventory, &options);
    match args.output {
        Format::Table => output.text(&detect::table(&report))?,
        Format::Wide => output.text(&detect::wide(&report))?,
        Format::Json => output.data(&data::json(&report))?,
        Format::Yaml => output.data(&data::yaml(&report))?,
        Format::Kb if inventory.has_read(Kind::Node) => output.data(&kb::kb(&inventory.nodes))?,
        Format::Kb => {
            return Err(Failure::usage(
                "-o kb is about nodes, and the files have none",
                MAKE_A_FILE,
            ));
        }
    }
    // The table ends with these; elsewhere they would be lost.
    if args.output != Format::Table {
        for coverage in &report.coverage {
            for note in &coverage.notes {
                output.note(&format!("{}: {note}", coverage.kind.plural()));
            }
        }
    }
    Ok(if report.has_problem() {
        Exit::Finding
    } else {
        Exit::Ok
    })
}
