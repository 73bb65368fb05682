//! What a scenario writes as text: names of disks, versions, and sentences with
//! their place in the file.

use std::fmt;
use std::str::FromStr;

use fixname_naming::{LonghornVersion, resolve};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;
use serde_saphyr::Spanned;

/// A text, and where it stands in the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Located {
    /// The text.
    pub text: String,
    /// Its line, from 1; `None` if it was not read from YAML.
    pub line: Option<u64>,
}

impl<'de> Deserialize<'de> for Located {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let spanned = Spanned::<String>::deserialize(deserializer)?;
        let line = spanned.referenced.line();
        Ok(Self {
            text: spanned.value,
            line: (line > 0).then_some(line),
        })
    }
}

impl fmt::Display for Located {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// `node/disk`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DiskPath {
    /// The node's name.
    pub node: String,
    /// The disk's name on that node.
    pub disk: String,
}

impl FromStr for DiskPath {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.split_once('/') {
            Some((node, disk)) if !node.is_empty() && !disk.is_empty() && !disk.contains('/') => {
                Ok(Self {
                    node: node.to_owned(),
                    disk: disk.to_owned(),
                })
            }
            _ => Err(format!(
                "a disk is written node/disk, for instance node-1/disk-7; found {text:?}"
            )),
        }
    }
}

impl fmt::Display for DiskPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.node, self.disk)
    }
}

/// A version as a scenario writes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Version(pub LonghornVersion);

impl FromStr for Version {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let version: LonghornVersion = text.parse().map_err(|e| format!("{e}"))?;
        resolve(&version).map_err(|e| e.to_string())?;
        Ok(Self(version))
    }
}

/// Types that a file writes as text.
macro_rules! schema_of_text {
    ($($name:ident)+) => {
        $(
            impl JsonSchema for $name {
                fn inline_schema() -> bool {
                    true
                }

                fn schema_name() -> std::borrow::Cow<'static, str> {
                    stringify!($name).into()
                }

                fn json_schema(_: &mut SchemaGenerator) -> Schema {
                    json_schema!({"type": "string"})
                }
            }
        )+
    };
}
pub(crate) use schema_of_text;

schema_of_text!(DiskPath Version Located);

macro_rules! from_text {
    ($($name:ident)+) => {
        $(
            impl<'de> Deserialize<'de> for $name {
                fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                    String::deserialize(deserializer)?
                        .parse()
                        .map_err(serde::de::Error::custom)
                }
            }
        )+
    };
}
from_text!(DiskPath Version);
