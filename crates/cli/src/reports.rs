//! `--report KIND=FILE`: the documents that a suite leaves behind. Each file is
//! made anew beside its place before anything is played, so that a folder that
//! is not there costs no time, and takes its place when it is complete.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::str::FromStr;

use clap::ValueEnum;
use fixname_replay::{Phase, SuiteResult};
use fixname_report::suite::{Document, SuiteHead};
use tempfile::NamedTempFile;

use crate::exit::Failure;

/// What `--report` names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Wanted {
    kind: Kind,
    file: PathBuf,
}

/// The kinds of documents.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Kind {
    /// One JSON object.
    Json,
    /// The events of the suite, one JSON object a line.
    Jsonl,
    /// JUnit's XML.
    Junit,
    /// A page.
    Html,
    /// SARIF 2.1.0.
    Sarif,
    /// Workflow commands of GitHub Actions.
    Github,
}

impl From<Kind> for Document {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::Json => Self::Json,
            Kind::Jsonl => Self::JsonLines,
            Kind::Junit => Self::Junit,
            Kind::Html => Self::Html,
            Kind::Sarif => Self::Sarif,
            Kind::Github => Self::Github,
        }
    }
}

impl FromStr for Wanted {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let kinds = || {
            let names: Vec<_> = Kind::value_variants()
                .iter()
                .filter_map(clap::ValueEnum::to_possible_value)
                .map(|value| value.get_name().to_owned())
                .collect();
            names.join(", ")
        };
        match text.split_once('=') {
            Some((kind, file)) if !file.is_empty() => Ok(Self {
                kind: Kind::from_str(kind, true)
                    .map_err(|_| format!("there is no report {kind:?}; there are {}", kinds()))?,
                file: PathBuf::from(file),
            }),
            _ => Err(format!(
                "a report is written KIND=FILE, such as junit=results.xml, with {}",
                kinds()
            )),
        }
    }
}

/// Files that wait for their text.
#[derive(Debug, Default)]
pub(crate) struct Reports {
    open: Vec<(Wanted, NamedTempFile)>,
}

impl Reports {
    /// Makes a place for each document.
    pub(crate) fn open(wanted: &[Wanted]) -> Result<Self, Failure> {
        let mut open: Vec<(Wanted, NamedTempFile)> = Vec::new();
        for report in wanted {
            if open.iter().any(|(other, _)| other.file == report.file) {
                return Err(Failure::usage(
                    format!("two reports are to be written to {}", report.file.display()),
                    "give each report a file of its own",
                ));
            }
            let place = place(&report.file).map_err(|error| {
                Failure::usage(
                    format!(
                        "cannot write a report to {}: {error}",
                        report.file.display()
                    ),
                    "nothing was played; name a file in a folder that is there and can be written",
                )
            })?;
            open.push((report.clone(), place));
        }
        Ok(Self { open })
    }

    /// Writes all documents. One that cannot be written is trouble, of which the
    /// others then tell.
    pub(crate) fn write(self, head: &SuiteHead, result: &mut SuiteResult) {
        let mut written = Vec::new();
        let mut failed = false;
        for (report, place) in self.open {
            match put(&report, place, head, result) {
                Ok(()) => written.push(report),
                Err(error) => {
                    let file = report.file.display();
                    result.add_trouble(Phase::Report, format!("{file} was not written: {error}"));
                    failed = true;
                }
            }
        }
        if !failed {
            return;
        }
        for report in written {
            let again = place(&report.file).and_then(|place| put(&report, place, head, result));
            if let Err(error) = again {
                let file = report.file.display();
                result.add_trouble(Phase::Report, format!("{file} is incomplete: {error}"));
            }
        }
    }
}

fn place(file: &Path) -> io::Result<NamedTempFile> {
    if file.is_dir() {
        return Err(io::Error::other("it is a folder"));
    }
    let folder = match file.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let mut builder = tempfile::Builder::new();
    // As any file that a program writes, not private as files of this kind are.
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    builder.prefix(".fixname-").tempfile_in(folder)
}

fn put(
    report: &Wanted,
    mut place: NamedTempFile,
    head: &SuiteHead,
    result: &SuiteResult,
) -> io::Result<()> {
    let text = Document::from(report.kind).render(head, result);
    place.write_all(text.as_bytes())?;
    place.flush()?;
    place.persist(&report.file).map_err(|error| error.error)?;
    Ok(())
}
