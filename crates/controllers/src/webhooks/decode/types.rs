//! The types of Longhorn's objects, field by field, as far as Go says which field a
//! value does not fit.

use fixname_naming::LonghornVersion;

/// The fields of a type: the key, or the path to it through embedded types, and the
/// type as Go prints it. The fields of all releases; [`IN_SOME`] says which a release lacks.
pub(super) type Fields = &'static [(&'static str, &'static str)];

const STRUCTS: &[(&str, Fields)] = &[
    (
        "BackingImage",
        &[
            ("spec", "v1beta2.BackingImageSpec"),
            ("status", "v1beta2.BackingImageStatus"),
        ],
    ),
    (
        "BackingImageSpec",
        &[
            ("disks", "map[string]string"),
            (
                "diskFileSpecMap",
                "map[string]*v1beta2.BackingImageDiskFileSpec",
            ),
            ("checksum", "string"),
            ("sourceType", "v1beta2.BackingImageDataSourceType"),
            ("sourceParameters", "map[string]string"),
            ("minNumberOfCopies", "int"),
            ("diskSelector", "[]string"),
            ("nodeSelector", "[]string"),
            ("secret", "string"),
            ("secretNamespace", "string"),
            ("dataEngine", "v1beta2.DataEngineType"),
        ],
    ),
    (
        "BackingImageDiskFileSpec",
        &[
            ("evictionRequested", "bool"),
            ("dataEngine", "v1beta2.DataEngineType"),
        ],
    ),
    (
        "BackingImageManager",
        &[
            ("spec", "v1beta2.BackingImageManagerSpec"),
            ("status", "v1beta2.BackingImageManagerStatus"),
        ],
    ),
    (
        "BackingImageManagerSpec",
        &[
            ("image", "string"),
            ("nodeID", "string"),
            ("diskUUID", "string"),
            ("diskPath", "string"),
            ("backingImages", "map[string]string"),
        ],
    ),
    (
        "BackingImageDataSource",
        &[
            ("spec", "v1beta2.BackingImageDataSourceSpec"),
            ("status", "v1beta2.BackingImageDataSourceStatus"),
        ],
    ),
    (
        "BackingImageDataSourceSpec",
        &[
            ("nodeID", "string"),
            ("uuid", "string"),
            ("diskUUID", "string"),
            ("diskPath", "string"),
            ("checksum", "string"),
            ("sourceType", "v1beta2.BackingImageDataSourceType"),
            ("parameters", "map[string]string"),
            ("fileTransferred", "bool"),
        ],
    ),
    (
        "Node",
        &[
            ("spec", "v1beta2.NodeSpec"),
            ("status", "v1beta2.NodeStatus"),
        ],
    ),
    (
        "NodeSpec",
        &[
            ("name", "string"),
            ("disks", "map[string]v1beta2.DiskSpec"),
            ("allowScheduling", "bool"),
            ("evictionRequested", "bool"),
            ("tags", "[]string"),
            ("instanceManagerCPURequest", "int"),
        ],
    ),
    (
        "DiskSpec",
        &[
            ("diskType", "v1beta2.DiskType"),
            ("path", "string"),
            ("diskDriver", "v1beta2.DiskDriver"),
            ("allowScheduling", "bool"),
            ("evictionRequested", "bool"),
            ("storageReserved", "int64"),
            ("tags", "[]string"),
        ],
    ),
    (
        "Replica",
        &[
            ("spec", "v1beta2.ReplicaSpec"),
            ("status", "v1beta2.ReplicaStatus"),
        ],
    ),
    (
        "ReplicaSpec",
        &[
            ("InstanceSpec.volumeName", "string"),
            ("InstanceSpec.volumeSize", QUOTED),
            ("InstanceSpec.nodeID", "string"),
            ("InstanceSpec.image", "string"),
            ("InstanceSpec.desireState", "v1beta2.InstanceState"),
            ("InstanceSpec.logRequested", "bool"),
            ("InstanceSpec.salvageRequested", "bool"),
            ("InstanceSpec.dataEngine", "v1beta2.DataEngineType"),
            ("engineName", "string"),
            ("migrationEngineName", "string"),
            ("healthyAt", "string"),
            ("lastHealthyAt", "string"),
            ("failedAt", "string"),
            ("lastFailedAt", "string"),
            ("diskID", "string"),
            ("diskPath", "string"),
            ("dataDirectoryName", "string"),
            ("backingImage", "string"),
            ("active", "bool"),
            ("hardNodeAffinity", "string"),
            ("revisionCounterDisabled", "bool"),
            ("unmapMarkDiskChainRemovedEnabled", "bool"),
            ("rebuildRetryCount", "int"),
            ("evictionRequested", "bool"),
            ("snapshotMaxCount", "int"),
            ("snapshotMaxSize", QUOTED),
            ("linkedCloneSrcReplicaName", "string"),
        ],
    ),
    (
        "Setting",
        &[("value", "string"), ("status", "v1beta2.SettingStatus")],
    ),
    (
        "BackingImageStatus",
        &[
            ("ownerID", "string"),
            ("uuid", "string"),
            ("size", "int64"),
            ("virtualSize", "int64"),
            ("realSize", "int64"),
            ("checksum", "string"),
            (
                "diskFileStatusMap",
                "map[string]*v1beta2.BackingImageDiskFileStatus",
            ),
            ("diskLastRefAtMap", "map[string]string"),
            ("v2FirstCopyStatus", "v1beta2.BackingImageState"),
            ("v2FirstCopyDisk", "string"),
        ],
    ),
    (
        "BackingImageDiskFileStatus",
        &[
            ("dataEngine", "v1beta2.DataEngineType"),
            ("state", "v1beta2.BackingImageState"),
            ("progress", "int"),
            ("message", "string"),
            ("lastStateTransitionTime", "string"),
        ],
    ),
    (
        "BackingImageManagerStatus",
        &[
            ("ownerID", "string"),
            ("currentState", "v1beta2.BackingImageManagerState"),
            (
                "backingImageFileMap",
                "map[string]v1beta2.BackingImageFileInfo",
            ),
            ("ip", "string"),
            ("storageIP", "string"),
            ("apiMinVersion", "int"),
            ("apiVersion", "int"),
        ],
    ),
    (
        "BackingImageFileInfo",
        &[
            ("name", "string"),
            ("uuid", "string"),
            ("size", "int64"),
            ("virtualSize", "int64"),
            ("realSize", "int64"),
            ("state", "v1beta2.BackingImageState"),
            ("currentChecksum", "string"),
            ("message", "string"),
            ("sendingReference", "int"),
            ("senderManagerAddress", "string"),
            ("progress", "int"),
        ],
    ),
    (
        "BackingImageDataSourceStatus",
        &[
            ("ownerID", "string"),
            ("runningParameters", "map[string]string"),
            ("currentState", "v1beta2.BackingImageState"),
            ("ip", "string"),
            ("storageIP", "string"),
            ("size", "int64"),
            ("progress", "int"),
            ("checksum", "string"),
            ("message", "string"),
        ],
    ),
    (
        "NodeStatus",
        &[
            ("conditions", "[]v1beta2.Condition"),
            ("diskStatus", "map[string]*v1beta2.DiskStatus"),
            ("region", "string"),
            ("zone", "string"),
            ("snapshotCheckStatus", "v1beta2.SnapshotCheckStatus"),
            ("autoEvicting", "bool"),
            ("cpuPolicy", "v1beta2.CPUManagerPolicy"),
        ],
    ),
    ("SnapshotCheckStatus", &[("lastPeriodicCheckedAt", TIME)]),
    (
        "DiskStatus",
        &[
            ("conditions", "[]v1beta2.Condition"),
            ("storageAvailable", "int64"),
            ("storageScheduled", "int64"),
            ("storageMaximum", "int64"),
            ("scheduledReplica", "map[string]int64"),
            ("scheduledBackingImage", "map[string]int64"),
            ("diskUUID", "string"),
            ("diskName", "string"),
            ("diskPath", "string"),
            ("diskType", "v1beta2.DiskType"),
            ("diskDriver", "v1beta2.DiskDriver"),
            ("filesystemType", "string"),
            ("instanceManagerName", "string"),
            ("healthData", "map[string]v1beta2.HealthData"),
            ("healthDataLastCollectedAt", TIME),
        ],
    ),
    (
        "HealthData",
        &[
            ("source", "v1beta2.HealthDataSource"),
            ("modelName", "string"),
            ("serialNumber", "string"),
            ("firmwareVersion", "string"),
            ("capacity", "uint64"),
            ("healthStatus", "v1beta2.HealthDataHealthStatus"),
            ("diskName", "string"),
            ("diskType", "string"),
            ("temperature", "uint8"),
            ("attributes", "[]*v1beta2.HealthAttribute"),
        ],
    ),
    (
        "HealthAttribute",
        &[
            ("id", "uint16"),
            ("name", "string"),
            ("value", "uint16"),
            ("worst", "uint16"),
            ("threshold", "uint16"),
            ("rawValue", "uint64"),
            ("rawString", "string"),
            ("whenFailed", "string"),
        ],
    ),
    (
        "ReplicaStatus",
        &[
            ("InstanceStatus.ownerID", "string"),
            ("InstanceStatus.instanceManagerName", "string"),
            ("InstanceStatus.currentState", "v1beta2.InstanceState"),
            ("InstanceStatus.currentImage", "string"),
            ("InstanceStatus.ip", "string"),
            ("InstanceStatus.storageIP", "string"),
            ("InstanceStatus.port", "int"),
            ("InstanceStatus.starting", "bool"),
            ("InstanceStatus.started", "bool"),
            ("InstanceStatus.logFetched", "bool"),
            ("InstanceStatus.salvageExecuted", "bool"),
            ("InstanceStatus.conditions", "[]v1beta2.Condition"),
            ("InstanceStatus.ublkID", "int32"),
            ("InstanceStatus.uuid", "string"),
            ("evictionRequested", "bool"),
        ],
    ),
    (
        "Condition",
        &[
            ("type", "string"),
            ("status", "v1beta2.ConditionStatus"),
            ("lastProbeTime", "string"),
            ("lastTransitionTime", "string"),
            ("reason", "string"),
            ("message", "string"),
        ],
    ),
    ("SettingStatus", &[("applied", "bool")]),
];

/// A number written as a text.
pub(super) const QUOTED: &str = "int64,string";

/// The fields of a type, if it is one that has some.
pub(super) fn fields_of(name: &str) -> Option<Fields> {
    let found = STRUCTS.iter().find(|(of, _)| *of == name);
    found.map(|(_, fields)| *fields)
}

/// A point in time.
pub(super) const TIME: &str = "v1.Time";

/// A release, as major, minor and patch.
type Release = (u64, u64, u64);

/// Fields that not all releases have: the type, the key, the first release with it and
/// the first that lacks it again. The schemas may be of another release than the
/// webhooks, so such a field can be there.
const IN_SOME: &[(&str, &str, Release, Release)] = &[
    (
        "ReplicaSpec",
        "linkedCloneSrcReplicaName",
        (1, 12, 1),
        NEVER,
    ),
    ("ReplicaStatus", "ublkID", (1, 9, 0), NEVER),
    ("ReplicaStatus", "uuid", (1, 9, 0), NEVER),
    ("ReplicaStatus", "starting", (1, 9, 2), NEVER),
    ("ReplicaStatus", "evictionRequested", (0, 0, 0), (1, 10, 0)),
    ("NodeStatus", "cpuPolicy", (1, 12, 1), NEVER),
    ("DiskStatus", "healthData", (1, 11, 0), NEVER),
    ("DiskStatus", "healthDataLastCollectedAt", (1, 11, 0), NEVER),
];

const NEVER: Release = (u64::MAX, 0, 0);

/// True if a type has a field in a release.
pub(super) fn has(version: &LonghornVersion, of: &str, key: &str) -> bool {
    let at = (version.major, version.minor, version.patch);
    let mut some = IN_SOME.iter();
    let some = some.find(|(some_of, some_key, ..)| (*some_of, *some_key) == (of, key));
    some.is_none_or(|(.., first, gone)| *first <= at && at < *gone)
}
