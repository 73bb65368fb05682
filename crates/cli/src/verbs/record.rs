//! `fixname scenario record`: a dump or a live cluster becomes a scenario.

use std::io::Write;
use std::path::PathBuf;
use std::time::Duration;

use fixname_capture::{Source, read_files};
use fixname_longhorn::{Inventory, NAMESPACE};
use fixname_replay::record::{RecordError, RecordOptions, read_cluster, record};

use super::playing::Running;
use crate::cluster::{Flags, unreachable, whole_message};
use crate::exit::{Exit, Failure};
use crate::output::Output;
use crate::whole_file::{WholeFile, cannot_write};

/// How long a cluster may take to answer.
const PATIENCE: Duration = Duration::from_secs(60);

/// Make a scenario of a cluster: from a dump, or live.
///
/// Reads what `kubectl get … -o json` or `-o yaml` printed, as detect does, or
/// without a file a live cluster, which it only lists seven kinds of. The scenario has
/// its disks, images, volumes and settings and expects what is: stuck images with the
/// disks that fight and the volumes that wait, or settled ones, and what detect finds.
#[derive(clap::Args)]
#[command(after_help = "\
Exit codes: 0 made, 2 unreadable input or nothing to make a scenario of,
3 the cluster cannot be reached or refuses, 4 it does not answer for a minute.

Examples:
  fixname scenario record cluster.json settings.json > ours.yaml
  fixname scenario record dump/ --anonymize --out for-the-issue.yaml
  fixname scenario record --context prod -n longhorn-system > prod.yaml
  fixname replay ours.yaml")]
pub(crate) struct Args {
    /// Files with objects of one cluster, or folders with *.json and *.yaml of it; -
    /// is stdin. Without any, a live cluster is read.
    #[arg(value_name = "FILE")]
    files: Vec<PathBuf>,
    #[command(flatten)]
    cluster: Flags,
    /// The namespace of Longhorn in a live cluster.
    #[arg(short, long, value_name = "NAME", default_value = NAMESPACE, env = "FIXNAME_NAMESPACE")]
    namespace: String,
    /// The scenario's name.
    #[arg(
        long,
        value_name = "NAME",
        default_value = "recorded",
        env = "FIXNAME_NAME"
    )]
    name: String,
    #[command(flatten)]
    running: Running,
    /// Everything, not only what a collision needs.
    #[arg(long, env = "FIXNAME_WHOLE")]
    whole: bool,
    /// Give nodes, disks, images and volumes other names, and UUIDs other digits after
    /// the first four. The same cluster gets the same ones.
    #[arg(long, env = "FIXNAME_ANONYMIZE")]
    anonymize: bool,
    /// Where to write it, if not to stdout.
    #[arg(long, value_name = "FILE", env = "FIXNAME_OUT")]
    out: Option<PathBuf>,
}

pub(crate) fn run(args: &Args, output: &Output) -> Result<Exit, Failure> {
    let options = RecordOptions {
        name: args.name.clone(),
        longhorn: args.running.resolved(output)?,
        whole: args.whole,
        anonymize: args.anonymize,
    };
    let inventory = if args.files.is_empty() {
        live(args)?
    } else {
        dump(&args.files)?
    };
    let recorded = record(&inventory, &options).map_err(|error| refused(&error))?;
    match &args.out {
        None => output.data(&recorded.text)?,
        Some(path) => {
            let mut file = WholeFile::create(path)?;
            let written = file.write_all(recorded.text.as_bytes());
            written.map_err(|error| cannot_write(path, &error))?;
            file.finish()?;
        }
    }
    for note in &recorded.notes {
        output.note(note);
    }
    Ok(Exit::Ok)
}

fn refused(error: &RecordError) -> Failure {
    let next = match error {
        RecordError::NoVersion => "say it with --longhorn VERSION, or give the settings too",
        RecordError::Name { .. } => "--anonymize gives everything another name",
        RecordError::NoNodes | RecordError::NoDisk => {
            "kubectl -n longhorn-system get nodes.longhorn.io,backingimages.longhorn.io,\
             backingimagemanagers.longhorn.io,backingimagedatasources.longhorn.io,\
             replicas.longhorn.io,volumes.longhorn.io,settings.longhorn.io \
             -o json > cluster.json"
        }
        _ => "fixname scenario record --help",
    };
    Failure::usage(error.to_string(), next)
}

/// What is in files, and in the files of folders.
fn dump(paths: &[PathBuf]) -> Result<Inventory, Failure> {
    let mut sources = Vec::new();
    for path in paths {
        if !path.is_dir() {
            sources.push(Source::from(path.clone()));
            continue;
        }
        let wrong = |error: &std::io::Error| {
            let message = format!("{}: {error}", path.display());
            Failure::usage(message, "give files, or a folder that you may read")
        };
        let entries = std::fs::read_dir(path).map_err(|error| wrong(&error))?;
        let mut inside = Vec::new();
        for entry in entries {
            let file = entry.map_err(|error| wrong(&error))?.path();
            let known = ["json", "yaml", "yml"];
            if file
                .extension()
                .is_some_and(|e| known.iter().any(|k| e == *k))
            {
                inside.push(file);
            }
        }
        if inside.is_empty() {
            let message = format!("{}: no *.json or *.yaml in it", path.display());
            return Err(Failure::usage(
                message,
                "give what kubectl get -o json printed",
            ));
        }
        inside.sort();
        sources.extend(inside.into_iter().map(Source::from));
    }
    read_files(&sources).map_err(|error| Failure::usage(error.to_string(), error.advice()))
}

/// What is in a cluster.
fn live(args: &Args) -> Result<Inventory, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| unreachable(format!("cannot start: {error}"), None))?;
    runtime.block_on(async {
        let cluster = args.cluster.cluster().await?;
        let read = read_cluster(&cluster.client, &args.namespace);
        match tokio::time::timeout(PATIENCE, read).await {
            Ok(Ok(inventory)) => Ok(inventory),
            Ok(Err(error)) => Err(unreachable(
                format!("cannot read {}: {}", cluster.url, whole_message(&error)),
                Some(
                    "it takes the right to list nodes, backingimages, backingimagemanagers, \
                      backingimagedatasources and settings of longhorn.io in the namespace, \
                      and for volumes to list replicas and volumes too; \
                      -n chooses it",
                ),
            )),
            Err(_) => Err(Failure::Told {
                exit: Exit::Timeout,
                message: format!(
                    "{} did not answer for {} s",
                    cluster.url,
                    PATIENCE.as_secs()
                ),
                next: None,
            }),
        }
    })
}
