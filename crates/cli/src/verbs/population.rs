//! `fixname population`: a cluster's disks as data, with chosen collisions.

mod apply;

use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::str::FromStr;

use clap::ValueEnum;
use fixname_population::{
    Accidents, Chosen, Format, Population, Spec, Summary, UuidMix, WriteError, write,
};
use fixname_report::data;
use fixname_report::text::wrapped;
use serde::Serialize;

use super::odds::{DiskNumber, grouped};
use crate::exit::{Exit, Failure};
use crate::output::{Output, finish};
use crate::whole_file::{WholeFile, cannot_write};
use crate::{interrupt, verbs};

/// Make a cluster's nodes and disks as data, with collisions where you want them.
///
/// One seed gives the same bytes on every machine. Memory does not grow with
/// the cluster, whatever its size. With --collide there are exactly the
/// collisions you chose, as long as four digits suffice to keep all other disks
/// apart (65,536 prefixes); without it disks collide as chance has it. How many
/// there are of each is told at the end.
#[derive(clap::Args)]
#[command(after_help = "\
Exit codes: 0 written, 2 wrong usage or a file that cannot be written,
3 the cluster cannot be reached or refuses, 130 interrupted.

Collisions are described as COUNT[xSIZE][@node|@nodes][=cloned|=hand-set]:
  3               three pairs of disks that share their first four digits
  2x5             two groups of five
  1x3@node        three disks of one node
  4@nodes         four pairs, each on two nodes
  1@nodes=cloned  two disks with one whole UUID, as cloned machines have
  1=hand-set      a pair that begins with aaaa, as people write

Examples:
  fixname population --nodes 100 --disks-per-node 3 --collide 5 > nodes.json
  fixname population --nodes 100 --disks-per-node 3 --collide 5 | fixname detect -
  fixname population --nodes 1e6 --disks-per-node 10 --out disks.parquet
  fixname population --nodes 500 --collide 2x3 --apply --context kind-test --yes")]
pub(crate) struct Args {
    /// Nodes; 1_000_000, 1e6 and 10^6 are understood.
    #[arg(long, value_name = "N", env = "FIXNAME_NODES")]
    nodes: Count,
    /// Disks on each node.
    #[arg(
        long,
        value_name = "D",
        default_value = "1",
        env = "FIXNAME_DISKS_PER_NODE"
    )]
    disks_per_node: Count,
    /// Where all random choices come from.
    #[arg(long, value_name = "N", default_value_t = 1, env = "FIXNAME_SEED")]
    seed: u64,
    /// The collisions that are wanted; see below. May be given several times.
    #[arg(
        long,
        value_name = "COLLISIONS",
        value_delimiter = ',',
        env = "FIXNAME_COLLIDE"
    )]
    collide: Vec<Chosen>,
    /// Refuse if accidental collisions cannot be kept out.
    #[arg(long, conflicts_with = "accidental", env = "FIXNAME_NO_ACCIDENTAL")]
    no_accidental: bool,
    /// Let disks collide by chance as well as by choice.
    #[arg(long, env = "FIXNAME_ACCIDENTAL")]
    accidental: bool,
    /// How the UUIDs of all other disks were made: v4, v1, v7, cloned (from the
    /// disk of the same place on another node), hand-set, or several with their
    /// shares, such as v4=97,cloned=3.
    #[arg(long, value_name = "KIND", default_value = "v4", env = "FIXNAME_UUID")]
    uuid: UuidMix,
    /// How to write; told by the file's name if not given, else nodes-json.
    #[arg(long, value_enum, conflicts_with = "apply", env = "FIXNAME_FORMAT")]
    format: Option<FileFormat>,
    /// Write into this file, which appears when it is whole, instead of stdout.
    #[arg(
        long,
        value_name = "FILE",
        conflicts_with = "apply",
        env = "FIXNAME_OUT"
    )]
    out: Option<PathBuf>,
    /// How to print the numbers at the end, with --out or --apply.
    #[arg(
        short,
        long,
        value_enum,
        default_value = "table",
        env = "FIXNAME_OUTPUT"
    )]
    output: verbs::Format,
    #[command(flatten)]
    apply: apply::Args,
}

/// A number of nodes or disks on the command line.
#[derive(Clone, Copy, Debug)]
struct Count(u64);

impl FromStr for Count {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let DiskNumber(number) = text.parse()?;
        u64::try_from(number).map(Self).map_err(|e| e.to_string())
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum FileFormat {
    /// A List of nodes.longhorn.io, as kubectl prints it; detect reads it.
    NodesJson,
    /// One node object a line; detect reads it.
    Ndjson,
    /// One disk a line.
    Csv,
    /// One disk a row.
    Parquet,
}

/// What came out, for programs.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Answer {
    format_version: u32,
    seed: u64,
    nodes: u64,
    disks: u64,
    /// As described by --collide.
    chosen_collisions: u64,
    chosen_disks: u64,
    accidental_collisions: u64,
    accidental_disks: u64,
    /// Disks that share a chosen collision's prefix by chance.
    joined_by_chance: u64,
    colliding_pairs: u128,
    clones: u64,
    accidental_prevented: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    nodes_created: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    nodes_updated: Option<u64>,
}

impl Answer {
    fn new(seed: u64, summary: &Summary) -> Self {
        Self {
            format_version: 1,
            seed,
            nodes: summary.nodes,
            disks: summary.disks,
            chosen_collisions: summary.chosen,
            chosen_disks: summary.chosen_disks,
            accidental_collisions: summary.accidental,
            accidental_disks: summary.accidental_disks,
            joined_by_chance: summary.joined,
            colliding_pairs: summary.pairs,
            clones: summary.clones,
            accidental_prevented: summary.exact,
            nodes_created: None,
            nodes_updated: None,
        }
    }
}

pub(crate) fn run(args: &Args, output: &Output) -> Result<Exit, Failure> {
    let spec = Spec {
        nodes: args.nodes.0,
        disks_per_node: args.disks_per_node.0,
        seed: args.seed,
        uuids: args.uuid.clone(),
        collide: args.collide.clone(),
        accidents: match (args.no_accidental, args.accidental) {
            (true, _) => Accidents::Prevented,
            (_, true) => Accidents::Allowed,
            _ => Accidents::Auto,
        },
    };
    let population =
        Population::new(spec).map_err(|e| Failure::usage(e.to_string(), advice(&e)))?;
    if args.apply.is_asked_for() {
        return apply::run(args, &population, output);
    }
    let format = format(args)?;
    match &args.out {
        None => {
            let stdout = io::stdout();
            if format == Format::Parquet && stdout.is_terminal() {
                return Err(Failure::usage(
                    "Parquet is not for a terminal",
                    "give a file: --out disks.parquet",
                ));
            }
            // Not locked: the lock cannot go to where Parquet's writer wants it.
            let summary = finish(write(&population, format, stdout).map_err(as_io))?;
            output.note(&sentences(&summary));
        }
        Some(path) => {
            interrupt::watch();
            let mut file = WholeFile::create(path)?;
            let written = write(&population, format, &mut file).map_err(as_io);
            let summary = written.map_err(|error| cannot_write(path, &error))?;
            file.finish()?;
            print(args, &Answer::new(args.seed, &summary), &summary, output)?;
        }
    }
    Ok(Exit::Ok)
}

fn advice(error: &fixname_population::SpecError) -> &'static str {
    use fixname_population::SpecError;
    match error {
        SpecError::CannotPrevent { .. } | SpecError::NotFree(_) => {
            "leave --no-accidental out; the accidental ones are then counted and told"
        }
        _ => "fixname population --help describes collisions and UUIDs",
    }
}

fn as_io(error: WriteError) -> io::Error {
    match error {
        WriteError::Io(error) => error,
        other => io::Error::other(other),
    }
}

fn format(args: &Args) -> Result<Format, Failure> {
    let by_name = |path: &Path| {
        let extension = path.extension()?.to_str()?.to_ascii_lowercase();
        Some(match extension.as_str() {
            "json" => FileFormat::NodesJson,
            "ndjson" | "jsonl" => FileFormat::Ndjson,
            "csv" => FileFormat::Csv,
            "parquet" => FileFormat::Parquet,
            _ => return None,
        })
    };
    let format = match (args.format, &args.out) {
        (Some(format), _) => format,
        (None, None) => FileFormat::NodesJson,
        (None, Some(path)) => by_name(path).ok_or_else(|| {
            Failure::usage(
                format!("the name {} does not tell the format", path.display()),
                "add --format nodes-json, ndjson, csv or parquet",
            )
        })?,
    };
    Ok(match format {
        FileFormat::NodesJson => Format::NodesJson,
        FileFormat::Ndjson => Format::Ndjson,
        FileFormat::Csv => Format::Csv,
        FileFormat::Parquet => Format::Parquet,
    })
}

fn print(args: &Args, answer: &Answer, summary: &Summary, output: &Output) -> Result<(), Failure> {
    match args.output {
        verbs::Format::Table | verbs::Format::Wide => {
            output.text(&wrapped("", "", &sentences(summary)))
        }
        verbs::Format::Json => output.data(&data::json(answer)),
        verbs::Format::Yaml => output.data(&data::yaml(answer)),
    }
}

fn number(count: u64, one: &str, many: &str) -> String {
    let word = if count == 1 { one } else { many };
    format!("{} {word}", grouped(&count.to_string()))
}

/// What came out, in one line.
fn sentences(summary: &Summary) -> String {
    let disks = |count| number(count, "disk", "disks");
    let mut text = format!(
        "{}, {}: ",
        number(summary.nodes, "node", "nodes"),
        disks(summary.disks)
    );
    if summary.chosen > 0 {
        text += &format!(
            "{} chosen ({})",
            number(summary.chosen, "collision", "collisions"),
            disks(summary.chosen_disks)
        );
    } else {
        text += "no chosen collision";
    }
    if summary.exact {
        text += ", no other.";
    } else if summary.accidental == 0 {
        text += ", none by chance.";
    } else {
        text += &format!(
            ", {} by chance ({}).",
            grouped(&summary.accidental.to_string()),
            disks(summary.accidental_disks)
        );
    }
    if summary.joined > 0 {
        text += &format!(
            " By chance {} more fell into chosen ones.",
            disks(summary.joined)
        );
    }
    if summary.clones > 0 {
        text += &format!(
            " {} made by cloning.",
            number(summary.clones, "UUID was", "UUIDs were")
        );
    }
    text
}

/// On a terminal, what is under way; nothing elsewhere.
fn progress(output: &Output, text: &str) {
    if !output.is_quiet() && io::stderr().is_terminal() {
        // Back to the line's start, and erase what stood there.
        let _ = write!(io::stderr(), "\r\x1b[K{text}");
    }
}
