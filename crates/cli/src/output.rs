//! Writes: data on stdout, talk on stderr. A closed pipe ends the program
//! quietly; colours go only where they are wanted.

use std::io::{self, Write};

use anstream::AutoStream;
use clap::ColorChoice;

use crate::exit::{Exit, Failure};

/// Where output goes, and how.
#[derive(Clone, Copy)]
pub(crate) struct Output {
    color: anstream::ColorChoice,
    quiet: bool,
}

impl Output {
    pub(crate) fn new(color: ColorChoice, quiet: bool) -> Self {
        let color = match color {
            ColorChoice::Auto => anstream::ColorChoice::Auto,
            ColorChoice::Always => anstream::ColorChoice::Always,
            ColorChoice::Never => anstream::ColorChoice::Never,
        };
        Self { color, quiet }
    }

    /// Text for people, which may have colours in it.
    pub(crate) fn text(&self, text: &str) -> Result<(), Failure> {
        let stdout = io::stdout().lock();
        let mut stream = AutoStream::new(stdout, self.color);
        finish(
            stream
                .write_all(text.as_bytes())
                .and_then(|()| stream.flush()),
        )
    }

    /// Data, byte for byte.
    pub(crate) fn data(&self, data: &str) -> Result<(), Failure> {
        let mut stdout = io::stdout().lock();
        finish(
            stdout
                .write_all(data.as_bytes())
                .and_then(|()| stdout.flush()),
        )
    }

    /// Standard output for text that comes bit by bit; may have colours in it.
    pub(crate) fn stream(&self) -> AutoStream<io::StdoutLock<'static>> {
        AutoStream::new(io::stdout().lock(), self.color)
    }

    /// True if only failures and results are wanted.
    pub(crate) fn is_quiet(&self) -> bool {
        self.quiet
    }

    /// Something good to know that is not the answer.
    pub(crate) fn note(&self, text: &str) {
        if !self.quiet {
            self.talk("note", text);
        }
    }

    /// A line of somebody's log.
    pub(crate) fn log(&self, line: &str) {
        if !self.quiet {
            let mut stream = AutoStream::new(io::stderr().lock(), self.color);
            let _ = writeln!(stream, "{}", fixname_report::text::clean(line));
        }
    }

    /// A command to go on with.
    pub(crate) fn next(&self, text: &str) {
        self.talk("next", text);
    }

    /// What is wrong, and what to do next.
    pub(crate) fn error(&self, message: &str, next: Option<&str>) {
        self.talk("error", message);
        if let Some(next) = next {
            self.talk("next", next);
        }
    }

    /// Problems that take several lines each, as a parser shows them.
    pub(crate) fn problems(&self, problems: &[String]) {
        for problem in problems {
            let mut lines = problem.lines();
            self.talk("error", lines.next().unwrap_or_default());
            let mut stream = AutoStream::new(io::stderr().lock(), self.color);
            for line in lines {
                let _ = writeln!(stream, "{}", fixname_report::text::clean(line));
            }
        }
    }

    fn talk(&self, word: &str, text: &str) {
        use fixname_report::text::{BOLD, RED, clean, styled};
        let style = if word == "error" { RED } else { BOLD };
        let mut stream = AutoStream::new(io::stderr().lock(), self.color);
        // Nobody is left to be told if stderr is closed.
        let _ = writeln!(
            stream,
            "{} {}",
            styled(style, &format!("{word}:")),
            clean(text)
        );
    }
}

/// What a failed write means: a closed pipe is no failure.
pub(crate) fn finish<T>(result: io::Result<T>) -> Result<T, Failure> {
    match result {
        Ok(written) => Ok(written),
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Err(Failure::PipeClosed),
        Err(error) => Err(Failure::Told {
            exit: Exit::Usage,
            message: format!("cannot write the output: {error}"),
            next: None,
        }),
    }
}
