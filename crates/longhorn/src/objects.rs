//! Typed objects of group `longhorn.io`, version `v1beta2`: the fields of the
//! CRDs of v1.7.2 to v1.12.1, for the kinds that backing images touch.
//!
//! Reading is lenient (an absent part is its zero value, as in Go; unknown
//! fields are kept in `extra` and written back). `Option` is used only where
//! Longhorn tells absent from empty.

use std::collections::BTreeMap;

use fixname_naming::DiskUuid;
use indexmap::IndexMap;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};

use crate::LABEL_DISK_UUID;
use crate::states::{CopyState, DataEngine, DiskType, ManagerState};
use crate::volume::{VolumeSpec, VolumeStatus};

/// API group of all of Longhorn's kinds.
pub const GROUP: &str = "longhorn.io";
/// The version served by every release from v1.7.2 to v1.12.1.
pub const VERSION: &str = "v1beta2";

/// Reads `null` as the zero value, which is how Go reads it.
pub(crate) fn null_is_default<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de> + Default,
{
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

/// Defines a root object: metadata, spec and status, all lenient, with its
/// `kube::Resource`.
macro_rules! object {
    ($(#[$meta:meta])* $name:ident($plural:literal) { $($(#[$fmeta:meta])* $field:ident: $type:ty,)+ }) => {
        $(#[$meta])*
        #[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
        #[serde(rename_all = "camelCase")]
        pub struct $name {
            /// `longhorn.io/v1beta2`; kept as read, so that another version can be told apart.
            #[serde(default = "crate::objects::api_version")]
            #[schemars(skip)]
            pub api_version: String,
            /// The kind's name.
            #[serde(default)]
            #[schemars(skip)]
            pub kind: String,
            /// Name, labels, finalizers and so on.
            #[serde(default, deserialize_with = "crate::objects::null_is_default")]
            #[schemars(skip)]
            pub metadata: ObjectMeta,
            $(
                $(#[$fmeta])*
                #[serde(default, deserialize_with = "crate::objects::null_is_default")]
                pub $field: $type,
            )+
        }

        impl $name {
            /// An object of that name, with nothing else in it.
            pub fn named(name: &str) -> Self {
                Self {
                    api_version: crate::objects::api_version(),
                    kind: stringify!($name).to_owned(),
                    metadata: ObjectMeta { name: Some(name.to_owned()), ..ObjectMeta::default() },
                    ..Self::default()
                }
            }

            /// The object's name; empty if it has none.
            pub fn name(&self) -> &str {
                self.metadata.name.as_deref().unwrap_or_default()
            }

            /// True once somebody has asked for its deletion; finalizers may keep it.
            pub fn is_deleting(&self) -> bool {
                self.metadata.deletion_timestamp.is_some()
            }
        }

        impl kube::Resource for $name {
            type DynamicType = ();
            type Scope = kube::core::NamespaceResourceScope;

            fn kind((): &()) -> std::borrow::Cow<'_, str> {
                stringify!($name).into()
            }
            fn group((): &()) -> std::borrow::Cow<'_, str> {
                crate::objects::GROUP.into()
            }
            fn version((): &()) -> std::borrow::Cow<'_, str> {
                crate::objects::VERSION.into()
            }
            fn plural((): &()) -> std::borrow::Cow<'_, str> {
                $plural.into()
            }
            fn meta(&self) -> &ObjectMeta {
                &self.metadata
            }
            fn meta_mut(&mut self) -> &mut ObjectMeta {
                &mut self.metadata
            }
        }
    };
}

/// The objects that an inventory is made of, and their kinds.
macro_rules! objects {
    ($($(#[$meta:meta])* $name:ident($plural:literal) { $($(#[$fmeta:meta])* $field:ident: $type:ty,)+ })+) => {
        $(object! { $(#[$meta])* $name($plural) { $($(#[$fmeta])* $field: $type,)+ } })+

        /// The kinds of objects that this program reads.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
        pub enum Kind {
            $($(#[$meta])* $name,)+
        }

        impl Kind {
            /// All kinds, in the order in which reports name them.
            pub const ALL: &'static [Kind] = &[$(Kind::$name,)+];

            /// The kind's name, as in an object's `kind` field.
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Kind::$name => stringify!($name),)+
                }
            }

            /// The plural that URLs and `kubectl get` use.
            pub const fn plural(self) -> &'static str {
                match self {
                    $(Kind::$name => $plural,)+
                }
            }
        }
    };
}

pub(crate) fn api_version() -> String {
    format!("{GROUP}/{VERSION}")
}

objects! {
    /// A node of the cluster as Longhorn sees it, with its disks.
    Node("nodes") {
        /// What the administrator wants of the node.
        spec: NodeSpec,
        /// What the node's manager found.
        status: NodeStatus,
    }

    /// A base image for volumes, of which copies lie on disks.
    BackingImage("backingimages") {
        /// Where copies should be.
        spec: BackingImageSpec,
        /// Where copies are.
        status: BackingImageStatus,
    }

    /// The object that serves all copies on one disk. Its name is what collides.
    BackingImageManager("backingimagemanagers") {
        /// Which disk, which image, which backing images.
        spec: BackingImageManagerSpec,
        /// What its pod reports.
        status: BackingImageManagerStatus,
    }

    /// Brings the first copy of a backing image into the cluster.
    BackingImageDataSource("backingimagedatasources") {
        /// Which disk, from where.
        spec: BackingImageDataSourceSpec,
        /// How far it has got.
        status: BackingImageDataSourceStatus,
    }

    /// One copy of a volume's data on one disk.
    Replica("replicas") {
        /// Which volume, which disk, which backing image.
        spec: ReplicaSpec,
        /// Whether it runs.
        status: ReplicaStatus,
    }

    /// One setting. Its value sits at the top level, not in a spec.
    Setting("settings") {
        /// The value, always as text.
        value: String,
        /// Whether the value has been taken over.
        status: SettingStatus,
    }

    /// A block device made of replicas. No finding needs it; scenarios and the model do.
    Volume("volumes") {
        /// How many replicas, of which image, on which node it is used.
        spec: VolumeSpec,
        /// Whether it can be used.
        status: VolumeStatus,
    }
}

/// Defines the parts of objects: every field has its zero value when absent or
/// null, and unknown fields are kept.
macro_rules! parts {
    ($($(#[$meta:meta])* $name:ident { $($(#[$fmeta:meta])* $field:ident: $type:ty,)+ })+) => {
        $(
            $(#[$meta])*
            #[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
            #[serde(rename_all = "camelCase")]
            pub struct $name {
                $(
                    $(#[$fmeta])*
                    #[serde(default, deserialize_with = "crate::objects::null_is_default")]
                    pub $field: $type,
                )+
                /// Fields this program does not know, kept so that they can be written back.
                #[serde(flatten)]
                #[schemars(skip)]
                pub extra: Map<String, Value>,
            }
        )+
    };
}
pub(crate) use parts;

parts! {
    /// What the administrator wants of a node.
    NodeSpec {
        /// The node's name again.
        name: String,
        /// By disk *name*.
        disks: IndexMap<String, DiskSpec>,
        /// False keeps new replicas and copies off the whole node.
        allow_scheduling: bool,
        /// True moves everything off the node.
        eviction_requested: bool,
        /// Tags that node selectors ask for.
        tags: Vec<String>,
        /// Thousandths of a core reserved for an instance manager; 0 = the setting's value.
        #[serde(rename = "instanceManagerCPURequest")]
        instance_manager_cpu_request: i64,
    }

    /// What the administrator wants of a disk.
    DiskSpec {
        /// Filesystem or block.
        #[serde(rename = "diskType")]
        disk_type: DiskType,
        /// Directory of a filesystem disk, or device of a block disk.
        path: String,
        /// `auto`, `aio`, `nvme` or empty; block disks only.
        disk_driver: String,
        /// False keeps new replicas and copies off the disk.
        allow_scheduling: bool,
        /// True moves everything off the disk.
        eviction_requested: bool,
        /// Bytes that Longhorn leaves alone.
        storage_reserved: i64,
        /// Tags that disk selectors ask for.
        tags: Vec<String>,
    }

    /// What the node's manager found.
    NodeStatus {
        /// `Ready`, `Schedulable` and others.
        conditions: Vec<Condition>,
        /// By disk *name*, in the order of the input. Null is normal for a node that has just joined.
        disk_status: IndexMap<String, DiskStatus>,
        /// Region of the Kubernetes node.
        region: String,
        /// Zone of the Kubernetes node.
        zone: String,
        /// True while a drain evicts the node.
        auto_evicting: bool,
        /// When snapshots were last checked.
        snapshot_check_status: Map<String, Value>,
    }

    /// What the node's manager found on a disk.
    DiskStatus {
        /// The identity used everywhere but in a node's maps. Empty until the disk's configuration was read.
        #[serde(rename = "diskUUID")]
        disk_uuid: String,
        /// Name in the disk's own configuration file; may differ from the map's key, or be empty.
        disk_name: String,
        /// Path at the time of reading.
        disk_path: String,
        /// Filesystem or block.
        #[serde(rename = "diskType")]
        disk_type: DiskType,
        /// Driver of a block disk.
        disk_driver: String,
        /// For instance `ext2/ext3`.
        filesystem_type: String,
        /// `Ready` and `Schedulable`.
        conditions: Vec<Condition>,
        /// Bytes free.
        storage_available: i64,
        /// Bytes in all.
        storage_maximum: i64,
        /// Bytes promised to replicas and (from v1.8.0) to copies of backing images.
        storage_scheduled: i64,
        /// Bytes by replica name.
        scheduled_replica: BTreeMap<String, i64>,
        /// Bytes by backing image name (from v1.8.0).
        scheduled_backing_image: BTreeMap<String, i64>,
        /// The instance manager that serves a block disk.
        instance_manager_name: String,
    }

    /// One condition. Longhorn keeps them in a list, with `True`, `False` or `Unknown`.
    Condition {
        /// What it is about, `Ready` for instance.
        #[serde(rename = "type")]
        type_: String,
        /// `True`, `False` or `Unknown`.
        status: String,
        /// When it was looked at.
        last_probe_time: String,
        /// When it changed.
        last_transition_time: String,
        /// One word.
        reason: String,
        /// A sentence.
        message: String,
    }

    /// Where copies of a backing image should be.
    BackingImageSpec {
        /// Legacy list of disk UUIDs, superseded in v1.7.0.
        disks: BTreeMap<String, String>,
        /// The disks that should hold a copy, by UUID. Absent and empty differ: a reconcile stops at absent.
        disk_file_spec_map: Option<BTreeMap<String, CopySpec>>,
        /// Copies that the controller tries to keep.
        min_number_of_copies: i64,
        /// `download`, `upload`, `export-from-volume`, `restore` or `clone`.
        source_type: String,
        /// `url` of a download, for instance.
        source_parameters: BTreeMap<String, String>,
        /// Expected SHA-512 in hex, or empty.
        checksum: String,
        /// Tags that a disk must carry.
        disk_selector: Vec<String>,
        /// Tags that a node must carry.
        node_selector: Vec<String>,
        /// Engine of the image (from v1.8.0).
        data_engine: DataEngine,
        /// Secret of an encrypted image.
        secret: String,
        /// Its namespace.
        secret_namespace: String,
    }

    /// One copy that should be.
    CopySpec {
        /// True asks for the copy to be moved off its disk.
        eviction_requested: bool,
        /// Engine of the copy (from v1.8.0).
        data_engine: DataEngine,
    }

    /// Where copies of a backing image are.
    BackingImageStatus {
        /// Node whose manager reconciles the image.
        #[serde(rename = "ownerID")]
        owner_id: String,
        /// Eight hex characters, set once.
        uuid: String,
        /// Bytes; 0 until known.
        size: i64,
        /// Bytes as a guest sees it.
        virtual_size: i64,
        /// Bytes on disk (from v1.8.0).
        real_size: i64,
        /// SHA-512 of the first file reported.
        checksum: String,
        /// What is known of each copy, by disk UUID. May hold disks that are not wanted, and lack disks that are.
        disk_file_status_map: Option<BTreeMap<String, CopyStatus>>,
        /// When a replica last used a copy (RFC 3339), by disk UUID.
        disk_last_ref_at_map: Option<BTreeMap<String, String>>,
        /// v2 engine only.
        v2_first_copy_status: CopyState,
        /// v2 engine only.
        v2_first_copy_disk: String,
    }

    /// What is known of one copy.
    CopyStatus {
        /// Where it stands.
        state: CopyState,
        /// Percent.
        progress: i64,
        /// Why it failed, for instance.
        message: String,
        /// RFC 3339.
        last_state_transition_time: String,
        /// Engine of the copy (from v1.8.0).
        data_engine: DataEngine,
    }

    /// Which disk a manager serves.
    BackingImageManagerSpec {
        /// The container image, literally as the flag `--backing-image-manager-image` has it.
        image: String,
        /// The disk's node.
        #[serde(rename = "nodeID")]
        node_id: String,
        /// The disk's full UUID.
        #[serde(rename = "diskUUID")]
        disk_uuid: String,
        /// The disk's path.
        disk_path: String,
        /// Backing image name to its `status.uuid`.
        backing_images: BTreeMap<String, String>,
    }

    /// What a manager's pod reports.
    BackingImageManagerStatus {
        /// Node whose Longhorn manager reconciles it.
        #[serde(rename = "ownerID")]
        owner_id: String,
        /// The pod's state.
        current_state: ManagerState,
        /// The files it has, by backing image name.
        backing_image_file_map: BTreeMap<String, FileRecord>,
        /// The pod's address.
        ip: String,
        /// Its address on the storage network.
        #[serde(rename = "storageIP")]
        storage_ip: String,
        /// 0 until known.
        api_min_version: i64,
        /// 0 until known.
        api_version: i64,
    }

    /// One file that a manager has.
    FileRecord {
        /// Backing image name.
        name: String,
        /// Backing image `status.uuid`.
        uuid: String,
        /// Bytes.
        size: i64,
        /// Bytes as a guest sees it.
        virtual_size: i64,
        /// Bytes on disk (from v1.8.0).
        real_size: i64,
        /// Where the file stands.
        state: CopyState,
        /// SHA-512 once computed.
        current_checksum: String,
        /// Why it failed, for instance.
        message: String,
        /// How many others fetch from it.
        sending_reference: i64,
        /// Where it was fetched from.
        sender_manager_address: String,
        /// Percent.
        progress: i64,
    }

    /// Where the first copy is made.
    BackingImageDataSourceSpec {
        /// The disk's node.
        #[serde(rename = "nodeID")]
        node_id: String,
        /// The backing image's `status.uuid`.
        uuid: String,
        /// The disk's full UUID.
        #[serde(rename = "diskUUID")]
        disk_uuid: String,
        /// The disk's path.
        disk_path: String,
        /// Expected SHA-512.
        checksum: String,
        /// As in the backing image.
        source_type: String,
        /// As in the backing image.
        parameters: BTreeMap<String, String>,
        /// True once a manager has taken the file over.
        file_transferred: bool,
    }

    /// How far a data source has got.
    BackingImageDataSourceStatus {
        /// Node whose manager reconciles it.
        #[serde(rename = "ownerID")]
        owner_id: String,
        /// Where it stands.
        current_state: CopyState,
        /// Parameters in use.
        running_parameters: BTreeMap<String, String>,
        /// The pod's address.
        ip: String,
        /// Its address on the storage network.
        #[serde(rename = "storageIP")]
        storage_ip: String,
        /// Bytes.
        size: i64,
        /// Percent.
        progress: i64,
        /// SHA-512.
        checksum: String,
        /// Why it failed, for instance.
        message: String,
    }

    /// Which volume a replica belongs to and which copy it needs.
    ReplicaSpec {
        /// Its volume.
        volume_name: String,
        /// Its node.
        #[serde(rename = "nodeID")]
        node_id: String,
        /// Its disk's *UUID*.
        #[serde(rename = "diskID")]
        disk_id: String,
        /// Its disk's path.
        disk_path: String,
        /// Bytes of its volume, in decimal: what it takes of its disk at most.
        volume_size: String,
        /// Its folder below the disk's `replicas`.
        data_directory_name: String,
        /// Backing image it needs, or empty.
        backing_image: String,
        /// `running` or `stopped`.
        desire_state: String,
        /// Set once it has been healthy (RFC 3339).
        healthy_at: String,
        /// Set once it has failed (RFC 3339).
        failed_at: String,
        /// True asks for it to be moved.
        eviction_requested: bool,
        /// Engine of the replica.
        data_engine: DataEngine,
    }

    /// Whether a replica runs.
    ReplicaStatus {
        /// Node whose manager reconciles it.
        #[serde(rename = "ownerID")]
        owner_id: String,
        /// `stopped`, `starting`, `running`, `stopping`, `error`, `unknown`.
        current_state: String,
        /// `WaitForBackingImage`, for instance.
        conditions: Vec<Condition>,
    }

    /// Whether a setting's value has been taken over.
    SettingStatus {
        /// True once it has.
        applied: bool,
    }
}

/// One disk of one node, as its status has it.
#[derive(Clone, Copy, Debug)]
pub struct DiskRef<'a> {
    /// The node's name.
    pub node: &'a str,
    /// The disk's name: the key in both of the node's maps.
    pub name: &'a str,
    /// The disk's status.
    pub status: &'a DiskStatus,
    /// The disk's spec, if it is (still, or already) there.
    pub spec: Option<&'a DiskSpec>,
}

impl DiskRef<'_> {
    /// The disk's UUID, once Longhorn has read one.
    pub fn uuid(&self) -> Option<DiskUuid> {
        (!self.status.disk_uuid.is_empty()).then(|| DiskUuid::new(self.status.disk_uuid.clone()))
    }

    /// Filesystem or block; absent in status and spec reads as filesystem, as
    /// Longhorn's mutating webhook has it.
    pub fn disk_type(&self) -> DiskType {
        let known = |t: &&DiskType| **t != DiskType::Unset;
        let spec = self.spec.map(|s| &s.disk_type);
        Some(&self.status.disk_type)
            .filter(known)
            .or(spec.filter(known))
            .cloned()
            .unwrap_or(DiskType::Filesystem)
    }
}

impl Node {
    /// The disks in the node's status, in the order of the input.
    pub fn disks(&self) -> impl Iterator<Item = DiskRef<'_>> {
        self.status
            .disk_status
            .iter()
            .map(|(name, status)| DiskRef {
                node: self.name(),
                name,
                status,
                spec: self.spec.disks.get(name),
            })
    }
}

impl BackingImageManager {
    /// The value of the label that Longhorn looks managers up by.
    pub fn disk_label(&self) -> Option<&str> {
        let labels = self.metadata.labels.as_ref()?;
        labels.get(LABEL_DISK_UUID).map(String::as_str)
    }
}

/// True if the condition of that type has status `True`.
pub fn is_true(conditions: &[Condition], type_: &str) -> bool {
    conditions
        .iter()
        .any(|c| c.type_ == type_ && c.status == "True")
}

/// A condition with that type and status; `reason` may be empty.
pub fn condition(type_: &str, status: bool, reason: &str) -> Condition {
    Condition {
        type_: type_.to_owned(),
        status: if status { "True" } else { "False" }.to_owned(),
        reason: reason.to_owned(),
        ..Condition::default()
    }
}
