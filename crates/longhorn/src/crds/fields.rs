//! What the official definitions say of a field that our types do not: fields
//! that no type has, words that a field may be, and what differs between
//! releases. Data; a test holds it against Longhorn's own definitions.

use super::Kind::{
    self, BackingImage, BackingImageDataSource, BackingImageManager, Node, Replica, Setting,
};
use super::Releases;

/// One fact about a field.
pub(super) struct Row {
    pub(super) kind: Kind,
    /// Names joined by dots; `{}` is a map's values and `[]` a list's items. The
    /// object itself is the empty path.
    pub(super) path: &'static str,
    pub(super) releases: Releases,
    pub(super) fact: Fact,
}

pub(super) enum Fact {
    /// Of this type: one of OpenAPI's, or `int64`, `int32`, `int64-string`,
    /// `date-time`, which are an integer or a string with a format.
    Is(&'static str),
    /// Not there.
    Absent,
    /// One of these words.
    OneOf(&'static [&'static str]),
    /// What the API server puts in where it is missing.
    Default(&'static str),
    /// Must be there.
    Required(&'static [&'static str]),
}

use Fact::{Absent, Default, Is, OneOf, Required};

const fn row(kind: Kind, path: &'static str, releases: Releases, fact: Fact) -> Row {
    Row {
        kind,
        path,
        releases,
        fact,
    }
}

const fn since(major: u64, minor: u64, patch: u64) -> Releases {
    Releases::since(major, minor, patch)
}

const fn before(major: u64, minor: u64, patch: u64) -> Releases {
    Releases::before(major, minor, patch)
}

const ALL: Releases = Releases::ALL;

const SOURCE_TYPES: &[&str] = &[
    "download",
    "upload",
    "export-from-volume",
    "restore",
    "clone",
];

/// In the order in which they are applied.
pub(super) const ROWS: &[Row] = &[
    row(
        BackingImageDataSource,
        "spec.sourceType",
        ALL,
        OneOf(SOURCE_TYPES),
    ),
    row(
        BackingImageDataSource,
        "status.progress",
        ALL,
        Is("integer"),
    ),
    row(
        BackingImageManager,
        "status.apiMinVersion",
        ALL,
        Is("integer"),
    ),
    row(BackingImageManager, "status.apiVersion", ALL, Is("integer")),
    row(
        BackingImageManager,
        "status.backingImageFileMap{}.progress",
        ALL,
        Is("integer"),
    ),
    row(
        BackingImageManager,
        "status.backingImageFileMap{}.realSize",
        before(1, 8, 0),
        Absent,
    ),
    row(
        BackingImageManager,
        "status.backingImageFileMap{}.sendingReference",
        ALL,
        Is("integer"),
    ),
    row(BackingImage, "spec.dataEngine", before(1, 8, 0), Absent),
    row(
        BackingImage,
        "spec.dataEngine",
        since(1, 8, 0),
        Default("v1"),
    ),
    row(
        BackingImage,
        "spec.dataEngine",
        since(1, 8, 0),
        OneOf(&["v1", "v2"]),
    ),
    row(
        BackingImage,
        "spec.diskFileSpecMap{}.dataEngine",
        before(1, 8, 0),
        Absent,
    ),
    row(
        BackingImage,
        "spec.diskFileSpecMap{}.dataEngine",
        since(1, 8, 0),
        OneOf(&["v1", "v2"]),
    ),
    row(BackingImage, "spec.minNumberOfCopies", ALL, Is("integer")),
    row(BackingImage, "spec.sourceType", ALL, OneOf(SOURCE_TYPES)),
    row(
        BackingImage,
        "status.diskFileStatusMap{}.dataEngine",
        before(1, 8, 0),
        Absent,
    ),
    row(
        BackingImage,
        "status.diskFileStatusMap{}.dataEngine",
        since(1, 8, 0),
        OneOf(&["v1", "v2"]),
    ),
    row(
        BackingImage,
        "status.diskFileStatusMap{}.progress",
        ALL,
        Is("integer"),
    ),
    row(BackingImage, "status.realSize", before(1, 8, 0), Absent),
    row(
        BackingImage,
        "status.v2FirstCopyDisk",
        before(1, 8, 0),
        Absent,
    ),
    row(
        BackingImage,
        "status.v2FirstCopyStatus",
        before(1, 8, 0),
        Absent,
    ),
    row(
        Node,
        "spec.disks{}.diskDriver",
        since(1, 10, 0),
        OneOf(&["", "auto", "aio", "nvme"]),
    ),
    row(
        Node,
        "spec.disks{}.diskDriver",
        before(1, 10, 0),
        OneOf(&["", "auto", "aio"]),
    ),
    row(
        Node,
        "spec.disks{}.diskType",
        ALL,
        OneOf(&["filesystem", "block"]),
    ),
    row(Node, "spec.instanceManagerCPURequest", ALL, Is("integer")),
    row(Node, "status.cpuPolicy", since(1, 12, 0), Is("string")),
    row(
        Node,
        "status.diskStatus{}.healthData",
        since(1, 12, 0),
        Is("object"),
    ),
    row(
        Node,
        "status.diskStatus{}.healthDataLastCollectedAt",
        since(1, 12, 0),
        Is("date-time"),
    ),
    row(
        Node,
        "status.diskStatus{}.healthData{}",
        since(1, 12, 0),
        Is("object"),
    ),
    row(
        Node,
        "status.diskStatus{}.healthData{}.attributes",
        since(1, 12, 0),
        Is("array"),
    ),
    row(
        Node,
        "status.diskStatus{}.healthData{}.attributes[]",
        since(1, 12, 0),
        Is("object"),
    ),
    row(
        Node,
        "status.diskStatus{}.healthData{}.attributes[].id",
        since(1, 12, 0),
        Is("integer"),
    ),
    row(
        Node,
        "status.diskStatus{}.healthData{}.attributes[].name",
        since(1, 12, 0),
        Is("string"),
    ),
    row(
        Node,
        "status.diskStatus{}.healthData{}.attributes[].rawString",
        since(1, 12, 0),
        Is("string"),
    ),
    row(
        Node,
        "status.diskStatus{}.healthData{}.attributes[].rawValue",
        since(1, 12, 0),
        Is("int64"),
    ),
    row(
        Node,
        "status.diskStatus{}.healthData{}.attributes[].threshold",
        since(1, 12, 0),
        Is("integer"),
    ),
    row(
        Node,
        "status.diskStatus{}.healthData{}.attributes[].value",
        since(1, 12, 0),
        Is("integer"),
    ),
    row(
        Node,
        "status.diskStatus{}.healthData{}.attributes[].whenFailed",
        since(1, 12, 0),
        Is("string"),
    ),
    row(
        Node,
        "status.diskStatus{}.healthData{}.attributes[].worst",
        since(1, 12, 0),
        Is("integer"),
    ),
    row(
        Node,
        "status.diskStatus{}.healthData{}.capacity",
        since(1, 12, 0),
        Is("int64"),
    ),
    row(
        Node,
        "status.diskStatus{}.healthData{}.diskName",
        since(1, 12, 0),
        Is("string"),
    ),
    row(
        Node,
        "status.diskStatus{}.healthData{}.diskType",
        since(1, 12, 0),
        Is("string"),
    ),
    row(
        Node,
        "status.diskStatus{}.healthData{}.firmwareVersion",
        since(1, 12, 0),
        Is("string"),
    ),
    row(
        Node,
        "status.diskStatus{}.healthData{}.healthStatus",
        since(1, 12, 0),
        Is("string"),
    ),
    row(
        Node,
        "status.diskStatus{}.healthData{}.healthStatus",
        since(1, 12, 0),
        OneOf(&["FAILED", "PASSED", "UNKNOWN", "WARNING"]),
    ),
    row(
        Node,
        "status.diskStatus{}.healthData{}.modelName",
        since(1, 12, 0),
        Is("string"),
    ),
    row(
        Node,
        "status.diskStatus{}.healthData{}.serialNumber",
        since(1, 12, 0),
        Is("string"),
    ),
    row(
        Node,
        "status.diskStatus{}.healthData{}.source",
        since(1, 12, 0),
        Is("string"),
    ),
    row(
        Node,
        "status.diskStatus{}.healthData{}.source",
        since(1, 12, 0),
        OneOf(&["SMART", "SPDK"]),
    ),
    row(
        Node,
        "status.diskStatus{}.healthData{}.temperature",
        since(1, 12, 0),
        Is("integer"),
    ),
    row(
        Node,
        "status.diskStatus{}.scheduledBackingImage",
        before(1, 8, 0),
        Absent,
    ),
    row(
        Node,
        "status.diskStatus{}.scheduledBackingImage{}",
        before(1, 8, 0),
        Absent,
    ),
    row(Node, "status.snapshotCheckStatus", ALL, Is("object")),
    row(
        Node,
        "status.snapshotCheckStatus.lastPeriodicCheckedAt",
        ALL,
        Is("date-time"),
    ),
    row(Replica, "spec.active", ALL, Is("boolean")),
    row(
        Replica,
        "spec.backendStoreDriver",
        before(1, 9, 0),
        Is("string"),
    ),
    row(Replica, "spec.dataDirectoryName", ALL, Is("string")),
    row(Replica, "spec.dataEngine", ALL, OneOf(&["v1", "v2"])),
    row(Replica, "spec.engineImage", before(1, 9, 0), Is("string")),
    row(Replica, "spec.engineName", ALL, Is("string")),
    row(Replica, "spec.hardNodeAffinity", ALL, Is("string")),
    row(Replica, "spec.image", ALL, Is("string")),
    row(Replica, "spec.lastFailedAt", ALL, Is("string")),
    row(Replica, "spec.lastHealthyAt", ALL, Is("string")),
    row(
        Replica,
        "spec.linkedCloneSrcReplicaName",
        since(1, 12, 0),
        Is("string"),
    ),
    row(Replica, "spec.logRequested", ALL, Is("boolean")),
    row(
        Replica,
        "spec.migrationEngineName",
        since(1, 8, 0),
        Is("string"),
    ),
    row(Replica, "spec.rebuildRetryCount", ALL, Is("integer")),
    row(Replica, "spec.revisionCounterDisabled", ALL, Is("boolean")),
    row(Replica, "spec.salvageRequested", ALL, Is("boolean")),
    row(Replica, "spec.snapshotMaxCount", ALL, Is("integer")),
    row(Replica, "spec.snapshotMaxSize", ALL, Is("int64-string")),
    row(
        Replica,
        "spec.unmapMarkDiskChainRemovedEnabled",
        ALL,
        Is("boolean"),
    ),
    row(Replica, "spec.volumeSize", ALL, Is("int64-string")),
    row(Replica, "status.currentImage", ALL, Is("string")),
    row(
        Replica,
        "status.evictionRequested",
        before(1, 10, 0),
        Is("boolean"),
    ),
    row(Replica, "status.instanceManagerName", ALL, Is("string")),
    row(Replica, "status.ip", ALL, Is("string")),
    row(Replica, "status.logFetched", ALL, Is("boolean")),
    row(Replica, "status.port", ALL, Is("integer")),
    row(Replica, "status.salvageExecuted", ALL, Is("boolean")),
    row(Replica, "status.started", ALL, Is("boolean")),
    row(Replica, "status.starting", since(1, 9, 2), Is("boolean")),
    row(Replica, "status.storageIP", ALL, Is("string")),
    row(Replica, "status.ublkID", since(1, 9, 0), Is("int32")),
    row(Replica, "status.uuid", since(1, 9, 0), Is("string")),
    row(Setting, "", ALL, Required(&["value"])),
    row(Setting, "status", ALL, Required(&["applied"])),
];
