//! What verbs have in common: how many at a time, how to print, which definitions to
//! load, which version runs, and what to say when there is nowhere to play.

use std::path::PathBuf;

use clap::ValueEnum;
use fixname_naming::{LonghornVersion, Resolved};
use fixname_replay::BackendError;
use fixname_replay::backend::Definitions;

use super::{crds, resolved};
use crate::exit::{Exit, Failure};
use crate::output::Output;

/// How many at a time, and how much is said.
#[derive(clap::Args)]
pub(super) struct Playing {
    /// How many at a time; as many as there are processors if not given, four on a real API server.
    #[arg(long, value_name = "N", env = "FIXNAME_PARALLEL")]
    parallel: Option<usize>,
    /// Everything, not only what went wrong.
    #[arg(short, long, env = "FIXNAME_VERBOSE")]
    pub(super) verbose: bool,
}

impl Playing {
    /// How many at a time, in virtual time or against a real API server.
    ///
    /// As many as asked for; if nothing was, all processors in virtual time, and four
    /// against a real API server, which has work of its own.
    pub(super) fn threads(&self, is_virtual: bool) -> usize {
        let processors = || std::thread::available_parallelism().map_or(1, usize::from);
        self.parallel
            .unwrap_or_else(|| if is_virtual { processors() } else { 4 })
    }
}

/// Text, or a document.
#[derive(clap::Args)]
pub(super) struct Printing {
    /// How to print.
    #[arg(
        short,
        long,
        value_enum,
        default_value = "text",
        env = "FIXNAME_OUTPUT"
    )]
    pub(super) output: Format,
}

/// Other definitions than ours.
#[derive(clap::Args)]
pub(super) struct Manifests {
    /// Load the definitions in this manifest (stdin: -) instead of ours, where there
    /// are none. What else is in it and conversion webhooks are left out, and Helm's
    /// placeholders are made harmless.
    #[arg(long, value_name = "FILE", env = "FIXNAME_CRDS")]
    crds: Vec<PathBuf>,
}

impl Manifests {
    /// The definitions to play with, if not ours.
    pub(super) fn definitions(&self, output: &Output) -> Result<Option<Definitions>, Failure> {
        if self.crds.is_empty() {
            return Ok(None);
        }
        let given = crds::given(&self.crds, output)?;
        let missing = crds::missing(&given);
        if !missing.is_empty() {
            return Err(Failure::usage(
                format!("the definitions of --crds lack {}", missing.join(", ")),
                "give the whole manifest, such as Longhorn's deploy/longhorn.yaml",
            ));
        }
        let typed = given.into_iter().map(|definition| {
            let name = definition["metadata"]["name"].to_string();
            serde_json::from_value(definition).map_err(|error| {
                Failure::usage(
                    format!("--crds: definition {name}: {error}"),
                    "give definitions that a Kubernetes API server accepts",
                )
            })
        });
        typed.collect::<Result<_, _>>().map(Some)
    }
}

/// Which version runs in a cluster.
#[derive(clap::Args)]
pub(super) struct Running {
    /// The Longhorn version that runs, if the objects do not tell.
    #[arg(long, value_name = "VERSION", env = "FIXNAME_LONGHORN")]
    longhorn: Option<LonghornVersion>,
}

impl Running {
    /// The release that it stands for.
    pub(super) fn resolved(&self, output: &Output) -> Result<Option<Resolved>, Failure> {
        let version = self.longhorn.as_ref();
        version.map(|version| resolved(version, output)).transpose()
    }
}

/// Output formats.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    /// For people.
    Text,
    /// For programs.
    Json,
}

/// There is nowhere to play.
#[expect(clippy::needless_pass_by_value, reason = "for map_err")]
pub(super) fn no_environment(error: BackendError) -> Failure {
    Failure::Told {
        exit: Exit::Environment,
        message: error.message.clone(),
        next: Some("--backend embedded needs nothing else".to_owned()),
    }
}
