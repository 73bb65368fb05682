//! The words that stand in Longhorn's fields, as enums that keep a word they do
//! not know, so that reading and writing an object never changes it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::fmt;

/// Defines an enum over the strings of one field. An unknown string is kept in
/// `Other`, and the empty string is a value of its own wherever Longhorn makes it one.
macro_rules! words {
    ($(#[$meta:meta])* $name:ident { $($(#[$vmeta:meta])* $variant:ident = $word:literal,)+ }) => {
        $(#[$meta])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
        #[serde(from = "String", into = "String")]
        #[schemars(with = "String")]
        pub enum $name {
            $($(#[$vmeta])* $variant,)+
            /// A word this program does not know, kept as it was read.
            Other(String),
        }

        impl $name {
            /// The word as it stands in the object.
            pub fn as_str(&self) -> &str {
                match self {
                    $(Self::$variant => $word,)+
                    Self::Other(word) => word,
                }
            }
        }

        impl From<&str> for $name {
            fn from(word: &str) -> Self {
                match word {
                    $($word => Self::$variant,)+
                    other => Self::Other(other.to_owned()),
                }
            }
        }

        impl From<String> for $name {
            fn from(word: String) -> Self {
                Self::from(word.as_str())
            }
        }

        impl From<$name> for String {
            fn from(word: $name) -> Self {
                word.as_str().to_owned()
            }
        }

        impl Default for $name {
            fn default() -> Self {
                Self::from("")
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }
    };
}

words! {
    /// State of one copy of a backing image, and of a data source
    /// (`k8s/pkg/apis/longhorn/v1beta2/backingimage.go`).
    CopyState {
        /// `""` is a state of its own, not only absence: a copy that froze
        /// before its data source had reported anything keeps it for ever.
        Empty = "",
        /// Waiting to be started.
        Pending = "pending",
        /// A pod is starting.
        Starting = "starting",
        /// The file is being fetched.
        InProgress = "in-progress",
        /// The data source has the file and waits for a manager to take it over.
        ReadyForTransfer = "ready-for-transfer",
        /// The copy can be used.
        Ready = "ready",
        /// Fetching or checking failed.
        Failed = "failed",
        /// A failed data source whose file has been removed.
        FailedAndCleanUp = "failed-and-cleanup",
        /// Nobody can tell: the disk, its node or its manager is away.
        Unknown = "unknown",
    }
}

words! {
    /// State of a backing image manager.
    ManagerState {
        /// Not looked at yet.
        Empty = "",
        /// No pod.
        Stopped = "stopped",
        /// The pod is being started.
        Starting = "starting",
        /// The pod runs.
        Running = "running",
        /// The pod was lost.
        Error = "error",
        /// The disk or its node is not ready.
        Unknown = "unknown",
    }
}

words! {
    /// Kind of a disk.
    DiskType {
        /// Absent in objects of old versions; the mutating webhook fills in `filesystem`.
        Unset = "",
        /// A directory with `longhorn-disk.cfg` in it. Only these have managers.
        Filesystem = "filesystem",
        /// A raw device of the v2 data engine. Never has a manager.
        Block = "block",
    }
}

words! {
    /// Data engine of an image or of one copy.
    DataEngine {
        /// Absent before v1.8.0; everything that is not `v2` is served as v1.
        Unset = "",
        /// The engine whose copies are files that managers serve.
        V1 = "v1",
        /// The SPDK engine: its copies are not served by managers.
        V2 = "v2",
    }
}
