//! Where a text comes from: a file or standard input. Reads bytes, knows
//! nothing of what is in them.

use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::path::PathBuf;

use crate::error::CaptureError;

/// No file may be larger. The nodes of 100,000 disks take about 0.1 GB; without
/// a bound, a device or a runaway pipe would take all the memory there is.
const MAX_BYTES: u64 = 4 << 30;

/// One input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// A file, a pipe or whatever else can be opened.
    Path(PathBuf),
    /// Standard input, spelled `-`.
    Stdin,
}

impl From<&str> for Source {
    fn from(word: &str) -> Self {
        match word {
            "-" => Self::Stdin,
            path => Self::Path(path.into()),
        }
    }
}

impl From<PathBuf> for Source {
    fn from(path: PathBuf) -> Self {
        if path.as_os_str() == "-" {
            Self::Stdin
        } else {
            Self::Path(path)
        }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Path(path) => path.display().fmt(f),
            Self::Stdin => f.write_str("stdin"),
        }
    }
}

impl Source {
    pub(crate) fn read(&self) -> Result<Vec<u8>, CaptureError> {
        let result = match self {
            Self::Path(path) => File::open(path).and_then(|file| bounded(file, MAX_BYTES)),
            Self::Stdin => bounded(io::stdin().lock(), MAX_BYTES),
        };
        match result {
            Ok(Some(bytes)) => Ok(bytes),
            Ok(None) => Err(CaptureError::TooLarge {
                file: self.to_string(),
                max_bytes: MAX_BYTES,
            }),
            Err(error) => Err(CaptureError::Unreadable {
                file: self.to_string(),
                error,
            }),
        }
    }
}

/// The whole of `reader`, or `None` if that is more than `max` bytes.
fn bounded(reader: impl Read, max: u64) -> io::Result<Option<Vec<u8>>> {
    let mut bytes = Vec::new();
    let read = reader.take(max + 1).read_to_end(&mut bytes)?;
    Ok((read as u64 <= max).then_some(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_endless_input_is_refused_at_the_bound() {
        assert!(bounded(io::repeat(b' '), 1000).unwrap().is_none());
        assert_eq!(bounded(&b"12"[..], 2).unwrap().unwrap(), b"12");
    }

    #[test]
    fn a_hyphen_is_stdin() {
        assert_eq!(Source::from("-"), Source::Stdin);
        assert_eq!(Source::from(PathBuf::from("-")), Source::Stdin);
        assert_eq!(Source::from("./-"), Source::Path("./-".into()));
    }
}
