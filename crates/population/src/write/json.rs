//! Writes JSON piece by piece, either as kubectl indents it or on one line.
//! Every text that is written is made by this crate and needs no escapes.

use std::io::{self, Write};

/// A writer of JSON.
pub(super) struct Json<W> {
    out: W,
    /// Spaces of a level; `None` for one line.
    indent: Option<usize>,
    depth: usize,
    /// Whether the level has something in it.
    begun: bool,
}

impl<W: Write> Json<W> {
    /// On several lines, four spaces a level.
    pub(super) fn kubectl(out: W) -> Self {
        Self::new(out, Some(4))
    }

    /// On one line.
    pub(super) fn line(out: W) -> Self {
        Self::new(out, None)
    }

    fn new(out: W, indent: Option<usize>) -> Self {
        Self {
            out,
            indent,
            depth: 0,
            begun: false,
        }
    }

    fn separate(&mut self) -> io::Result<()> {
        if std::mem::replace(&mut self.begun, true) {
            self.out.write_all(b",")?;
        }
        self.break_line()
    }

    fn break_line(&mut self) -> io::Result<()> {
        const SPACES: [u8; 64] = [b' '; 64];
        if let Some(indent) = self.indent
            && self.depth > 0
        {
            self.out.write_all(b"\n")?;
            self.out
                .write_all(&SPACES[..(indent * self.depth).min(64)])?;
        }
        Ok(())
    }

    fn open(&mut self, bracket: u8) -> io::Result<()> {
        self.out.write_all(&[bracket])?;
        self.depth += 1;
        self.begun = false;
        Ok(())
    }

    fn close(&mut self, bracket: u8) -> io::Result<()> {
        self.depth -= 1;
        if std::mem::replace(&mut self.begun, true) {
            match self.depth {
                0 if self.indent.is_some() => self.out.write_all(b"\n")?,
                _ => self.break_line()?,
            }
        }
        self.out.write_all(&[bracket])
    }

    /// An object: as an item of a list, or after its key.
    pub(super) fn object(
        &mut self,
        inside: impl FnOnce(&mut Self) -> io::Result<()>,
    ) -> io::Result<()> {
        self.open(b'{')?;
        inside(self)?;
        self.close(b'}')
    }

    /// A list; each of its items begins with [`Json::item`].
    pub(super) fn list(
        &mut self,
        inside: impl FnOnce(&mut Self) -> io::Result<()>,
    ) -> io::Result<()> {
        self.open(b'[')?;
        inside(self)?;
        self.close(b']')
    }

    /// Begins an item.
    pub(super) fn item(&mut self) -> io::Result<&mut Self> {
        self.separate()?;
        Ok(self)
    }

    /// Begins an entry; its value comes next.
    pub(super) fn key(&mut self, key: &str) -> io::Result<&mut Self> {
        self.separate()?;
        self.quoted(key)?;
        let colon: &[u8] = if self.indent.is_some() { b": " } else { b":" };
        self.out.write_all(colon)?;
        Ok(self)
    }

    /// An entry whose value is a text.
    pub(super) fn text(&mut self, key: &str, text: &str) -> io::Result<()> {
        self.key(key)?.quoted(text)
    }

    /// An entry whose value is written as it stands: a number, `true`, `{}`.
    pub(super) fn plain(&mut self, key: &str, value: impl std::fmt::Display) -> io::Result<()> {
        write!(self.key(key)?.out, "{value}")
    }

    fn quoted(&mut self, text: &str) -> io::Result<()> {
        debug_assert!(
            text.bytes()
                .all(|b| matches!(b, b' '..=b'~') && b != b'"' && b != b'\\')
        );
        self.out.write_all(b"\"")?;
        self.out.write_all(text.as_bytes())?;
        self.out.write_all(b"\"")
    }

    /// Ends the line after a whole value, and begins anew.
    pub(super) fn end_line(&mut self) -> io::Result<()> {
        self.begun = false;
        self.out.write_all(b"\n")
    }

    pub(super) fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}
