//! Files that appear whole or not at all: written beside their place under
//! another name, and moved there at the end. What was there before stays until then.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use crate::exit::{Exit, Failure};
use crate::interrupt;

/// A file under way. Dropped before [`WholeFile::finish`], it leaves nothing.
#[derive(Debug)]
pub(crate) struct WholeFile {
    file: File,
    path: PathBuf,
    /// Where it is until the end; `None` for what is no plain file, such as a pipe.
    beside: Option<PathBuf>,
}

impl WholeFile {
    /// Begins a file; its folder must be there.
    pub(crate) fn create(path: &Path) -> Result<Self, Failure> {
        Self::begin(path).map_err(|error| cannot_write(path, &error))
    }

    fn begin(path: &Path) -> io::Result<Self> {
        let there = fs::metadata(path);
        if there.as_ref().is_ok_and(|there| !there.is_file()) {
            // A device or a named pipe cannot be replaced; a folder is an error here.
            let file = File::options().write(true).open(path)?;
            return Ok(Self {
                file,
                path: path.to_owned(),
                beside: None,
            });
        }
        let name = path.file_name().ok_or(io::ErrorKind::InvalidInput)?;
        // Through a link, the file it points to is replaced and not the link.
        let path = match there {
            Ok(_) => fs::canonicalize(path)?,
            Err(_) => path.to_owned(),
        };
        let mut other = std::ffi::OsString::from(".");
        other.push(name);
        other.push(format!(".{}.partial", std::process::id()));
        let beside = path.with_file_name(other);
        let file = File::options().write(true).create_new(true).open(&beside)?;
        Ok(Self {
            file,
            path,
            beside: Some(beside),
        })
    }

    /// Puts the file in its place.
    pub(crate) fn finish(mut self) -> Result<(), Failure> {
        let Some(beside) = &self.beside else {
            return Ok(());
        };
        let moved = self
            .file
            .sync_all()
            .and_then(|()| fs::rename(beside, &self.path));
        moved.map_err(|error| cannot_write(&self.path, &error))?;
        self.beside = None;
        Ok(())
    }
}

impl Drop for WholeFile {
    fn drop(&mut self) {
        if let Some(beside) = &self.beside {
            // Nothing more can be done about a file that does not go.
            let _ = fs::remove_file(beside);
        }
    }
}

/// An interruption ends the writing, so that the file can be taken away.
impl Write for WholeFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if interrupt::interrupted() {
            return Err(io::Error::other("interrupted"));
        }
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

/// What a failed write to a file means.
pub(crate) fn cannot_write(path: &Path, error: &io::Error) -> Failure {
    if interrupt::interrupted() {
        return Failure::Told {
            exit: Exit::Interrupted,
            message: format!("interrupted; {} was not written", path.display()),
            next: None,
        };
    }
    Failure::usage(
        format!("cannot write {}: {error}", path.display()),
        "give a file in a folder that is there and that you may write to, with room on the disk",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_was_there_stays_until_the_new_one_is_whole() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        fs::write(&path, "old").unwrap();
        let mut file = WholeFile::create(&path).unwrap();
        file.write_all(b"new").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"old");
        drop(file);
        assert_eq!(fs::read(&path).unwrap(), b"old");
        let mut file = WholeFile::create(&path).unwrap();
        file.write_all(b"new").unwrap();
        file.finish().unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"new");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[cfg(unix)]
    #[test]
    fn a_link_stays_a_link_and_a_device_a_device() {
        let folder = tempfile::tempdir().unwrap();
        let (target, link) = (folder.path().join("target"), folder.path().join("link"));
        fs::write(&target, "old").unwrap();
        std::os::unix::fs::symlink(&target, &link).unwrap();
        let mut file = WholeFile::create(&link).unwrap();
        file.write_all(b"new").unwrap();
        file.finish().unwrap();
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(fs::read(&target).unwrap(), b"new");
        let mut null = WholeFile::create(Path::new("/dev/null")).unwrap();
        null.write_all(b"new").unwrap();
        null.finish().unwrap();
        for wrong in [folder.path().to_owned(), folder.path().join("no/file")] {
            assert!(WholeFile::create(&wrong).is_err(), "{}", wrong.display());
        }
    }
}
