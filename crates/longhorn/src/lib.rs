//! Longhorn's custom resources, as far as backing images are concerned, and the
//! [`Inventory`] of one cluster at one moment. Knows no network, file or clock.
//!
//! Map of the code: [`objects`] has the typed objects, [`states`] the words that
//! stand in their fields, [`crds`] their definitions for an API server, and
//! [`inventory`] what was (and what could not be) read from a cluster.
//!
//! ```
//! use fixname_longhorn::{CopyState, Node};
//!
//! let node: Node = serde_json::from_str(
//!     r#"{"metadata": {"name": "node-1"},
//!         "status": {"diskStatus": {"disk-7": {"diskUUID": "c01200da-8a5c-4692-92e6-c4a983087951"}}}}"#,
//! )?;
//! assert_eq!(node.disks().next().unwrap().uuid().unwrap().prefix(), Some("c012"));
//! assert_eq!(CopyState::from("ready"), CopyState::Ready);
//! # Ok::<(), serde_json::Error>(())
//! ```

pub mod crds;
pub mod inventory;
pub mod objects;
pub mod states;
mod volume;

pub use inventory::{Coverage, CoverageState, Ignored, Inventory};
pub use objects::{
    BackingImage, BackingImageDataSource, BackingImageManager, Condition, CopySpec, CopyStatus,
    DiskRef, DiskSpec, DiskStatus, FileRecord, Kind, Node, Replica, Setting, Volume,
};
pub use states::{CopyState, DataEngine, DiskType, ManagerState};
pub use volume::{VolumeSpec, VolumeStatus};

/// The namespace Longhorn is normally installed in.
pub const NAMESPACE: &str = "longhorn-system";

/// The finalizer Longhorn's mutating webhook puts on its objects.
pub const FINALIZER: &str = "longhorn.io";

/// The label of a manager that holds the full UUID of its disk; every look-up
/// of a disk's manager goes by it, never by name (Longhorn v1.9.1,
/// `datastore/longhorn.go:2276-2286`).
pub const LABEL_DISK_UUID: &str = "longhorn.io/disk-uuid";
