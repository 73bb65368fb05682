//! Behaviours of Longhorn's that the model can be told to get wrong, one at a time.
//! A test plays recordings with each of them, and shows that one is no longer
//! reproduced: what no recording, scenario or test would notice is not known to be
//! modelled. No version has any of them.

/// One behaviour turned off or into something else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Defect {
    /// The status is written although the manager step fails.
    WritesStatusInSpiteOfError,
    /// Wanted disks are visited in the order of their UUIDs, not at random.
    VisitsDisksInOrder,
    /// A failing image is tried for ever, not four times.
    RetriesForEver,
    /// A failing image is not tried again.
    NeverRetries,
    /// A name that is taken is no error.
    TakesExistingForCreated,
    /// A manager is looked up by its name before it is created.
    LooksUpByName,
    /// One that fails does not end the step: the other disks get their managers.
    GoesOnAfterFailure,
    /// Managers of another image than the flag's stay.
    KeepsOutdatedManagers,
    /// A manager that serves nothing any more stays.
    KeepsUnusedManagers,
    /// A changed disk label of a manager is left as it is.
    LeavesLabelsAlone,
    /// Disks of the v2 engine get managers too.
    ServesV2Disks,
    /// A copy that nobody reports keeps its entry.
    KeepsUnreportedCopies,
    /// A file that a manager has taken over is never marked so.
    NeverTransfers,
    /// A data source stays on a disk that is no longer ready.
    KeepsSourceInPlace,
    /// A file is not fetched anew when every copy is lost.
    NeverFetchesAnew,
    /// Too few copies stay too few.
    NeverReplenishes,
    /// Copies that are being evicted count for the minimum.
    CountsEvictingCopies,
    /// Evicted copies stay.
    KeepsEvictedCopies,
    /// The last healthy copy is evicted too.
    EvictsLastCopy,
    /// When a copy was last used is not recorded.
    ForgetsLastUse,
    /// An image is deleted while replicas use it.
    DeletesImagesInUse,
    /// An image is deleted while its data source is not done.
    DeletesUnfinishedImages,
    /// The finalizer of a deleted image stays.
    KeepsFinalizer,
    /// The eviction flags of copies follow the wanted disks, not the reported ones.
    EvictsByWish,
    /// Images are not looked at again by themselves.
    NeverResyncs,
    /// What happens to managers wakes no image.
    IgnoresManagers,
    /// The UUID of a new disk may share its prefix with another's.
    IgnoresTakenPrefixes,
    /// A UUID that was changed in a disk's configuration is taken over.
    AdoptsChangedUuids,
    /// Copies are not charged to disks.
    ChargesReplicasOnly,
    /// Replicas wait for a copy that nobody was asked for.
    NeverAsksForCopies,
    /// Replicas start without their copy.
    StartsWithoutCopy,
    /// A volume is attached before its replicas run.
    AttachesWithoutAll,
    /// A replica that waits is replaced by another.
    ReplacesWaitingReplicas,
    /// Deleting a manager leaves its files.
    KeepsFilesOfDeletedManagers,
    /// Files that lie on a disk are not used again.
    NeverReusesFiles,
    /// Copies come from no other manager.
    NeverSyncs,
    /// A failed copy is kept although another one is there.
    KeepsFailedFiles,
}
