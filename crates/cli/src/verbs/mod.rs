//! One file for each verb: its arguments, and how they become a call and a text.

pub(crate) mod conform;
pub(crate) mod crds;
pub(crate) mod detect;
mod disks;
pub(crate) mod names;
pub(crate) mod odds;
mod place;
mod playing;
pub(crate) mod population;
pub(crate) mod record;
pub(crate) mod replay;
pub(crate) mod scenario;
pub(crate) mod serve;
pub(crate) mod simulate;
pub(crate) mod versions;

use clap::ValueEnum;
use fixname_naming::{LonghornVersion, Resolved, resolve};

use crate::exit::Failure;
use crate::output::Output;

/// Output formats of the verbs that answer with one table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For people.
    Table,
    /// For people with wide terminals.
    Wide,
    /// For programs.
    Json,
    /// For programs.
    Yaml,
}

/// The release that a version stands for; says so on stderr if it is another one.
fn resolved(version: &LonghornVersion, output: &Output) -> Result<Resolved, Failure> {
    let resolved = resolve(version).map_err(|error| {
        Failure::usage(
            error.to_string(),
            "fixname versions lists the versions known",
        )
    })?;
    if let Some(note) = resolved.note() {
        output.note(&note);
    }
    Ok(resolved)
}

fn yes_no(value: Option<bool>) -> &'static str {
    match value {
        Some(true) => "yes",
        Some(false) => "no",
        None => "",
    }
}
