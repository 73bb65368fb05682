//! The folder of one filesystem disk: its configuration file and the files of
//! backing images. Everything else that lies there is of no concern to a collision.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// A disk as it lies on its node.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Folder {
    /// The text of `longhorn-disk.cfg`; none if there is no such file.
    pub config: Option<String>,
    /// What the file system calls itself. Two disks of a node with one such id are one disk.
    pub filesystem: String,
    /// Bytes of the file system.
    pub bytes: i64,
    /// Files of backing images, by the name of their folder: `<image>-<uuid>`.
    pub files: BTreeMap<String, File>,
}

/// One file of a backing image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct File {
    /// SHA-512 of what is in it, which here stands for what is in it.
    pub checksum: String,
    /// Bytes.
    pub bytes: i64,
}

/// What `longhorn-disk.cfg` says (`util/util.go:637-641` at v1.9.1). Keys may be
/// missing, as before v1.7, or more, as from v1.10.0.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct DiskConfig {
    /// The disk's name; empty on old disks.
    #[serde(rename = "diskName")]
    pub name: String,
    /// The disk's identity.
    #[serde(rename = "diskUUID")]
    pub uuid: String,
    /// The driver of a block disk; always empty in a file.
    #[serde(rename = "diskDriver")]
    pub driver: String,
    /// `ready`: v1.10.0 and later.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub state: String,
}

impl Folder {
    /// The folder of a disk whose configuration holds that UUID.
    pub fn of_disk(name: &str, uuid: &str, filesystem: &str, bytes: i64) -> Self {
        let config = DiskConfig {
            name: name.to_owned(),
            uuid: uuid.to_owned(),
            ..DiskConfig::default()
        };
        let mut folder = Self::blank(filesystem, bytes);
        folder.write(&config);
        folder
    }

    /// The folder of a disk that has never been used.
    pub fn blank(filesystem: &str, bytes: i64) -> Self {
        Self {
            config: None,
            filesystem: filesystem.to_owned(),
            bytes,
            files: BTreeMap::new(),
        }
    }

    /// What the configuration says, if there is one.
    ///
    /// # Errors
    ///
    /// The parser's words, if it cannot be read.
    pub fn read(&self) -> Result<Option<DiskConfig>, String> {
        let Some(text) = &self.config else {
            return Ok(None);
        };
        serde_json::from_str(text)
            .map(Some)
            .map_err(|e| e.to_string())
    }

    /// Writes a configuration over whatever is there.
    pub fn write(&mut self, config: &DiskConfig) {
        // A struct of texts always has a form in JSON.
        self.config = serde_json::to_string(config).ok();
    }

    /// Bytes that nothing lies in.
    pub fn free(&self) -> i64 {
        self.bytes - self.files.values().map(|file| file.bytes).sum::<i64>()
    }
}

/// The folder of an image's file below `backing-images`.
pub fn file_name(image: &str, uuid: &str) -> String {
    format!("{image}-{uuid}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_configuration_of_any_release_can_be_read() {
        let read = |text: &str| {
            let folder = Folder {
                config: Some(text.to_owned()),
                ..Folder::default()
            };
            folder.read().map(|config| config.unwrap().uuid)
        };
        assert_eq!(read(r#"{"diskUUID":"c012"}"#).unwrap(), "c012");
        assert_eq!(
            read(r#"{"diskName":"a","diskUUID":"c012","diskDriver":"","state":"ready"}"#).unwrap(),
            "c012"
        );
        assert!(read("{").is_err());
        assert!(read(r#"{"diskUUID":7}"#).is_err());
    }

    #[test]
    fn what_is_written_has_the_keys_of_the_release() {
        let folder = Folder::of_disk("disk-1", "c012", "fs", 1);
        assert_eq!(
            folder.config.as_deref(),
            Some(r#"{"diskName":"disk-1","diskUUID":"c012","diskDriver":""}"#)
        );
    }
}
