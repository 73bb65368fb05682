//! How far something has come, in one line at the bottom of a terminal; nothing where
//! stderr is none.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::output::Output;

/// The line. Dropping it takes it away.
pub(crate) struct Meter(ProgressBar);

impl Meter {
    /// Nothing is shown before the first [`Meter::show`], and never if `output` is quiet.
    pub(crate) fn new(output: &Output) -> Self {
        let target = match output.is_quiet() {
            true => ProgressDrawTarget::hidden(),
            false => ProgressDrawTarget::stderr(),
        };
        let style = ProgressStyle::with_template("{pos}/{len} [{wide_bar}] {elapsed} {msg}");
        let bar = ProgressBar::with_draw_target(None, target);
        Self(match style {
            Ok(style) => bar.with_style(style.progress_chars("=> ")),
            Err(_) => bar,
        })
    }

    /// So much is done, and this was the last of it.
    pub(crate) fn show(&self, done: usize, of: usize, last: &str) {
        self.0.set_length(u64::try_from(of).unwrap_or(u64::MAX));
        self.0.set_message(fixname_report::text::clean(last));
        self.0.set_position(u64::try_from(done).unwrap_or(u64::MAX));
    }

    /// Writes something else to the terminal meanwhile.
    pub(crate) fn aside<T>(&self, write: impl FnOnce() -> T) -> T {
        self.0.suspend(write)
    }
}

impl Drop for Meter {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}
