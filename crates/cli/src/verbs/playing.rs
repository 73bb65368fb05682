//! What the verbs that play something have in common: how many at a time, how to
//! print, and what to say when there is nowhere to play.

use clap::ValueEnum;
use fixname_replay::BackendError;

use crate::exit::{Exit, Failure};

/// The arguments in common.
#[derive(clap::Args)]
pub(super) struct Playing {
    /// How many at a time; as many as there are processors if not given, four on a real API server.
    #[arg(long, value_name = "N", env = "FIXNAME_PARALLEL")]
    parallel: Option<usize>,
    /// How to print.
    #[arg(
        short,
        long,
        value_enum,
        default_value = "text",
        env = "FIXNAME_OUTPUT"
    )]
    pub(super) output: Format,
    /// Everything, not only what went wrong.
    #[arg(short, long, env = "FIXNAME_VERBOSE")]
    pub(super) verbose: bool,
}

impl Playing {
    /// How many at a time, in virtual time or against a real API server.
    pub(super) fn threads(&self, is_virtual: bool) -> usize {
        threads(self.parallel, is_virtual)
    }
}

/// As many as asked for; if nothing was, all processors in virtual time, and four
/// against a real API server, which has work of its own.
pub(super) fn threads(asked: Option<usize>, is_virtual: bool) -> usize {
    let processors = || std::thread::available_parallelism().map_or(1, usize::from);
    asked.unwrap_or_else(|| if is_virtual { processors() } else { 4 })
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
