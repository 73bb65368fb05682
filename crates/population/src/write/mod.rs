//! Streams a population as text or as Parquet. What is in memory at a time is
//! one disk, or one row group.

mod csv;
mod json;
mod nodes;
mod parquet;

use std::io::{self, Write};

use thiserror::Error;

use crate::population::Population;
use crate::tally::Summary;

/// How a population is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Format {
    /// A List of nodes.longhorn.io as `kubectl get -o json` prints it.
    NodesJson,
    /// One node object a line.
    Ndjson,
    /// One disk a line, with a heading.
    Csv,
    /// One disk a row, in the columns of the CSV.
    Parquet,
}

/// Why a population was not written to its end.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum WriteError {
    /// The output took no more. If its reader has gone, that is no fault.
    #[error("write the population")]
    Io(#[from] io::Error),
    /// Parquet's writer refused; never seen.
    #[error("write Parquet: {0}")]
    Parquet(String),
}

/// Writes all of a population, and counts it on the way.
///
/// # Errors
/// When `out` takes no more.
pub fn write<W: Write + Send>(
    population: &Population,
    format: Format,
    out: W,
) -> Result<Summary, WriteError> {
    let mut population = population.clone();
    let out = io::BufWriter::with_capacity(1 << 16, out);
    match format {
        Format::NodesJson => Ok(nodes::list(&mut population, out)?),
        Format::Ndjson => Ok(nodes::lines(&mut population, out)?),
        Format::Csv => Ok(csv::write(&mut population, out)?),
        Format::Parquet => parquet::write(&mut population, out),
    }
}
