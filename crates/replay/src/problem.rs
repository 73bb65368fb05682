//! What is wrong with a file, and where: the file, line and column, the mistake,
//! what may have been meant, and the line itself.

use std::fmt;
use std::sync::Arc;

use crate::place::{Path, Position, Tree};
use crate::suggest::instead;

/// How much of a long line is shown.
const SHOWN: usize = 160;

/// A mistake in a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The file, as it was given, without control characters; empty for a text in memory.
    pub file: String,
    /// Line and column in characters from 1, if it has a place in the file.
    pub place: Option<(usize, usize)>,
    /// What is wrong, and what may have been meant.
    pub message: String,
    /// The line that it stands in.
    source: Option<String>,
}

impl Problem {
    /// The same with more behind what is said.
    pub(crate) fn with(mut self, more: &str) -> Self {
        self.message.push_str(more);
        self
    }

    /// A problem with a file as a whole.
    pub(crate) fn of_file(file: &str, message: impl Into<String>) -> Self {
        Self {
            file: file.to_owned(),
            place: None,
            message: message.into(),
            source: None,
        }
    }
}

impl fmt::Display for Problem {
    /// `FILE:LINE:COLUMN: what is wrong`, and below it the line with a mark.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.file.is_empty() {
            write!(f, "{}:", self.file)?;
        }
        if let Some((line, column)) = self.place {
            write!(f, "{line}:{column}:")?;
        }
        let space = if self.file.is_empty() && self.place.is_none() {
            ""
        } else {
            " "
        };
        write!(f, "{space}{}", self.message)?;
        if let (Some((line, column)), Some(source)) = (self.place, &self.source)
            && column <= SHOWN
        {
            let number = line.to_string();
            let shown: String = source.chars().take(SHOWN).collect();
            let margin = " ".repeat(number.len());
            let mark = " ".repeat(column - 1);
            write!(f, "\n {number} | {shown}\n {margin} | {mark}^")?;
        }
        Ok(())
    }
}

/// The text of a file, and the text that was parsed: variables are replaced in it,
/// which moves what stands behind them in their line.
#[derive(Clone, Debug)]
pub(crate) struct Text {
    pub(crate) file: String,
    pub(crate) original: Arc<str>,
    pub(crate) replaced: String,
    pub(crate) moves: Vec<Move>,
}

/// One replaced variable: its line, and in characters from 1 where its value
/// stands, how long that is, and the same of the variable itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Move {
    pub(crate) line: usize,
    pub(crate) to: (usize, usize),
    pub(crate) from: (usize, usize),
}

impl Text {
    /// A text in which nothing is replaced.
    pub(crate) fn plain(file: &str, text: &str) -> Self {
        Self {
            file: file.to_owned(),
            original: text.into(),
            replaced: text.to_owned(),
            moves: Vec::new(),
        }
    }

    /// Where something in the parsed text stands in the file.
    fn original(&self, at: Position) -> Position {
        let mut column = at.column;
        for moved in self.moves.iter().filter(|m| m.line == at.line) {
            let (start, length) = moved.to;
            if at.column >= start + length.max(1) {
                // Behind it; the last one before counts.
                column = at.column - (start + length) + moved.from.0 + moved.from.1;
            } else if at.column >= start {
                column = moved.from.0;
            }
        }
        Position {
            line: at.line,
            column,
        }
    }

    /// A problem at a place in the parsed text.
    pub(crate) fn problem(&self, at: Position, message: impl Into<String>) -> Problem {
        let Position { line, column } = self.original(at);
        Problem {
            file: self.file.clone(),
            place: Some((line, column)),
            message: message.into(),
            source: self.original.lines().nth(line - 1).map(str::to_owned),
        }
    }

    /// A problem of a node.
    pub(crate) fn problem_of(&self, path: &Path, message: impl Into<String>) -> Problem {
        match Tree::read(&self.replaced) {
            Some(tree) => self.problem(tree.position(path), message),
            None => Problem::of_file(&self.file, message),
        }
    }

    /// What the parser says, with what may have been meant.
    pub(crate) fn unreadable(&self, error: &serde_saphyr::Error) -> Problem {
        use serde_saphyr::Error;
        let error = error.without_snippet();
        let message = match error {
            Error::SerdeUnknownField {
                field, expected, ..
            } => {
                let instead = instead(field, expected.iter().copied());
                format!("there is no key {field:?} here{instead}")
            }
            Error::SerdeUnknownVariant {
                variant, expected, ..
            } => {
                let instead = instead(variant, expected.iter().copied());
                format!("{variant:?} is not known here{instead}")
            }
            Error::SerdeMissingField { field, .. } => format!("the key {field:?} is missing"),
            other => {
                let text = other.to_string();
                // The place stands in front.
                let end = text.rfind(" at line ").unwrap_or(text.len());
                text[..end].to_owned()
            }
        };
        match error.location() {
            Some(location) if location.line() > 0 => self.problem(location.into(), message),
            _ => Problem::of_file(&self.file, message),
        }
    }
}
