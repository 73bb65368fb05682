//! How the program ends. The only place that knows the numbers.

use std::process::ExitCode;

/// How it went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// Asked and answered, nothing wrong.
    Ok,
    /// A finding.
    Finding,
    /// Wrong usage, unreadable or invalid input.
    Usage,
    /// The environment could not be made or reached.
    Environment,
    /// It took longer than allowed.
    Timeout,
    /// Nothing ran.
    NothingRan,
    /// Ctrl-C, as a shell counts it.
    Interrupted,
}

impl Exit {
    pub(crate) fn code(self) -> u8 {
        match self {
            Self::Ok => 0,
            Self::Finding => 1,
            Self::Usage => 2,
            Self::Environment => 3,
            Self::Timeout => 4,
            Self::NothingRan => 5,
            Self::Interrupted => 130,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        exit.code().into()
    }
}

/// Why there is no answer.
#[derive(Debug)]
pub(crate) enum Failure {
    /// Something to be told on stderr.
    Told {
        /// How to end.
        exit: Exit,
        /// What is wrong.
        message: String,
        /// What to do next.
        next: Option<String>,
    },
    /// The reader of our output has seen enough: no failure at all.
    PipeClosed,
}

impl Failure {
    /// Wrong usage or input.
    pub(crate) fn usage(message: impl Into<String>, next: impl Into<String>) -> Self {
        Self::Told {
            exit: Exit::Usage,
            message: message.into(),
            next: Some(next.into()),
        }
    }
}
