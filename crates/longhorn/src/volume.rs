//! Parts of volumes, as far as the model of Longhorn and recorded scenarios need them:
//! how many replicas, of which backing image, and whether it can be used
//! (`k8s/pkg/apis/longhorn/v1beta2/volume.go`).

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::objects::{Condition, parts};
use crate::states::DataEngine;

parts! {
    /// What is wanted of a volume.
    VolumeSpec {
        /// Bytes, in decimal.
        size: String,
        /// Replicas to keep.
        number_of_replicas: i64,
        /// The node it is to be attached to, or empty.
        #[serde(rename = "nodeID")]
        node_id: String,
        /// The backing image it is based on, or empty.
        backing_image: String,
        /// Tags that a disk must carry.
        disk_selector: Vec<String>,
        /// Tags that a node must carry.
        node_selector: Vec<String>,
        /// Engine of the volume.
        data_engine: DataEngine,
    }

    /// What has become of a volume.
    VolumeStatus {
        /// Node whose manager reconciles it.
        #[serde(rename = "ownerID")]
        owner_id: String,
        /// `creating`, `detached`, `attaching`, `attached`, `detaching`; empty at first.
        state: String,
        /// `unknown`, `healthy`, `degraded`, `faulted`.
        robustness: String,
        /// The node it is attached to, or empty.
        #[serde(rename = "currentNodeID")]
        current_node_id: String,
        /// Since when it has been degraded (RFC 3339), or empty.
        last_degraded_at: String,
        /// `Scheduled`, `WaitForBackingImage` and others.
        conditions: Vec<Condition>,
    }
}
