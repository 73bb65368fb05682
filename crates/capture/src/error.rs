//! What can be wrong with an input, where, and what to do about it.

use std::fmt;
use std::io;

use thiserror::Error;

/// A place in a text, in characters from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Position {
    /// The line.
    pub line: usize,
    /// The column.
    pub column: usize,
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.line, self.column)
    }
}

/// Why nothing was read. All of them mean that the input has to be made anew;
/// [`CaptureError::advice`] says how.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum CaptureError {
    /// The file cannot be opened or read.
    #[error("{file}: {error}")]
    Unreadable {
        /// The file.
        file: String,
        /// What the operating system says.
        #[source]
        error: io::Error,
    },
    /// The file is larger than any cluster's objects.
    #[error("{file}: more than {max_bytes} bytes")]
    TooLarge {
        /// The file.
        file: String,
        /// The bound.
        max_bytes: u64,
    },
    /// `-` was given more than once.
    #[error("stdin (-) can be read only once")]
    StdinTwice,
    /// The file has no content.
    #[error("{file}: empty, as a file is when the command that should have filled it failed")]
    Empty {
        /// The file.
        file: String,
    },
    /// The file is something else altogether.
    #[error("{file}: this is {what}, not JSON or YAML")]
    NotText {
        /// The file.
        file: String,
        /// What it is.
        what: &'static str,
    },
    /// The file has bytes that are not UTF-8.
    #[error("{file}:{at}: not UTF-8 text from here on")]
    NotUtf8 {
        /// The file.
        file: String,
        /// The first bad byte.
        at: Position,
    },
    /// The file ends inside a JSON value.
    #[error("{file}:{at}: the file ends in the middle of a value, it has been cut off")]
    Truncated {
        /// The file.
        file: String,
        /// Its end.
        at: Position,
    },
    /// The file is not JSON or YAML, or an object has a field of a wrong type.
    #[error("{file}:{at}: {message}")]
    Malformed {
        /// The file.
        file: String,
        /// Where.
        at: Position,
        /// What the parser says.
        message: String,
    },
    /// The file can be read but has nothing in it for this program.
    #[error("{file}: {found}, none of Longhorn's that fixname reads")]
    NoLonghorn {
        /// The file.
        file: String,
        /// What is in it, such as `3 objects (3 v1 Node)`.
        found: String,
        /// True if these are Kubernetes' own nodes.
        core_nodes: bool,
    },
    /// One object is in two files, with different contents.
    #[error("{second}: {object} is also in {first}, and differs")]
    Differs {
        /// Kind and name.
        object: String,
        /// The first file.
        first: String,
        /// The second file.
        second: String,
    },
}

impl CaptureError {
    /// What to do next: a sentence with a command in it.
    pub fn advice(&self) -> String {
        const MAKE: &str = "kubectl -n longhorn-system get nodes.longhorn.io,backingimages.longhorn.io,\
                            backingimagemanagers.longhorn.io -o json > cluster.json";
        match self {
            Self::Unreadable { error, .. } if error.kind() == io::ErrorKind::NotFound => {
                format!("Check the name, or make the file: {MAKE}")
            }
            Self::Unreadable { .. } => "Give a file that you may read, or - for stdin.".to_owned(),
            Self::TooLarge { .. } => format!("Give only Longhorn's objects: {MAKE}"),
            Self::StdinTwice => "Give - once, and files for the rest.".to_owned(),
            Self::NotText { what, .. } if what.starts_with("UTF-16") => {
                "Save it as UTF-8: kubectl … -o json | Out-File -Encoding utf8 cluster.json"
                    .to_owned()
            }
            Self::NotText { what, .. } if what.contains("kubectl") => {
                format!("Make it again: {MAKE}")
            }
            Self::NotText { .. } => "Unpack it and give the files with the objects.".to_owned(),
            Self::Empty { .. } => format!("Make it again and look at kubectl's errors: {MAKE}"),
            Self::NoLonghorn {
                core_nodes: true, ..
            } => {
                format!("These are Kubernetes' own nodes; Longhorn's are nodes.longhorn.io: {MAKE}")
            }
            Self::Differs { .. } => {
                format!("Give files of one cluster, made at one moment: {MAKE}")
            }
            Self::NotUtf8 { .. }
            | Self::Truncated { .. }
            | Self::Malformed { .. }
            | Self::NoLonghorn { .. } => format!("Make it again: {MAKE}"),
        }
    }
}
