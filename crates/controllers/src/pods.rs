//! Stands in for the pods: what manager pods do with files and data source pods
//! with downloads, as the recordings of the real controller had it. A file is
//! there at once; finalizers go when a deletion has been dealt with.

use std::collections::{BTreeMap, BTreeSet};

use fixname_longhorn::objects::{FileRecord, is_true};
use fixname_longhorn::{
    BackingImageDataSource, BackingImageManager, CopyState, FINALIZER, ManagerState,
};
use fixname_naming::ImageRef;
use jiff::{SignedDuration, Timestamp};

use crate::effect::{Effect, Object, Tolerance, Write};
use crate::parts::{Part, Parts};
use crate::view::View;

/// How long a deleted manager stays, terminating.
const TERMINATION: SignedDuration = SignedDuration::from_secs(3);

/// How long a file stays in the status once its image has left the spec. The
/// manager's events wake the images named in spec *or status*, so it matters.
const FILE_REMOVAL: SignedDuration = SignedDuration::from_secs(2);

/// What is reported of a file, by disk UUID and image. An empty state stands for no file.
pub type Reports = BTreeMap<(String, String), CopyState>;

/// The pods of one cluster, with what they remember between passes.
#[derive(Clone, Debug, Default)]
pub struct Pods {
    /// Which parts of the model are played; only some are looked at here.
    parts: Parts,
    /// How long a download takes; without it, data sources stay as they are.
    download: Option<SignedDuration>,
    /// A manager runs at its first pass; else it starts first.
    runs_at_once: bool,
    /// Every manager has every file, whatever its data source and its disk; data
    /// sources stay as they are.
    serves_everything: bool,
    /// A data source that is taken back starts again; else it keeps its state.
    restarts: bool,
    /// Files of images that have left are forgotten while the disk is not ready, too.
    forgets_unseen: bool,
    /// What is reported of a file, by disk and image, whatever else holds.
    reported: Reports,
    /// Data sources, by UID, whose file a manager had taken over.
    transferred: BTreeSet<String>,
    /// By manager UID: when its deletion was first seen.
    terminating: BTreeMap<String, Timestamp>,
    /// By manager and image: when the image was first seen to have left.
    leaving: BTreeMap<(String, String), Timestamp>,
    /// By data source UID: when its download began.
    downloading: BTreeMap<String, Timestamp>,
}

impl Pods {
    /// Pods whose downloads take that long; without it, data sources stay as they are.
    pub fn new(download: Option<SignedDuration>) -> Self {
        Self {
            download,
            ..Self::default()
        }
    }

    /// Managers run as soon as they are seen.
    #[must_use]
    pub fn running_at_once(mut self) -> Self {
        self.runs_at_once = true;
        self
    }

    /// Only these parts of the model are played.
    #[must_use]
    pub fn playing(mut self, parts: Parts) -> Self {
        self.parts = parts;
        self
    }

    /// A data source whose file had been taken over, and that is to fetch it again,
    /// starts again. Without this its state stays, as most recordings have it.
    #[must_use]
    pub fn restarting(mut self) -> Self {
        self.restarts = true;
        self
    }

    /// Where a disk is not ready, files of images that have left their manager's spec are
    /// forgotten as elsewhere. Without this they stay, as the real manager's controller
    /// has it, which only changes states there (`updateForUnknownBackingImageManager`).
    #[must_use]
    pub fn forgetting_unseen_files(mut self) -> Self {
        self.forgets_unseen = true;
        self
    }

    /// The plainest pods: every manager runs and has every file that it lists.
    #[must_use]
    pub fn serving_everything(mut self) -> Self {
        self.runs_at_once = true;
        self.serves_everything = true;
        self
    }

    /// From now on, these files are reported like this.
    pub fn report(&mut self, reports: Reports) {
        self.reported = reports;
    }

    /// One pass over all managers and data sources: the writes it makes.
    pub fn pass(&mut self, view: &View, manager_image: &ImageRef, now: Timestamp) -> Vec<Effect> {
        let mut writes = Vec::new();
        for manager in view.managers.values() {
            writes.extend(self.manager(view, manager, manager_image, now));
        }
        if !self.serves_everything && self.parts.has(Part::DataSource) {
            for source in view.data_sources.values() {
                writes.extend(self.data_source(view, source, manager_image, now));
            }
        }
        let effect = |write| Effect::Write {
            write,
            tolerance: Tolerance::Dropped,
            context: &[],
        };
        writes.into_iter().map(effect).collect()
    }

    fn manager(
        &mut self,
        view: &View,
        manager: &BackingImageManager,
        manager_image: &ImageRef,
        now: Timestamp,
    ) -> Option<Write> {
        let uid = manager.metadata.uid.clone().unwrap_or_default();
        let is_controlled = self.parts.has(Part::BackingImageManager);
        if manager.is_deleting() {
            if !is_controlled {
                return None;
            }
            let since = *self.terminating.entry(uid).or_insert(now);
            if now < since + TERMINATION {
                return None;
            }
            let mut manager = manager.clone();
            let finalizers = manager.metadata.finalizers.as_mut()?;
            finalizers.retain(|f| f != FINALIZER);
            return Some(Write::Update(Object::Manager(Box::new(manager))));
        }
        if manager.spec.image != manager_image.as_str() {
            return None;
        }
        let mut changed = manager.clone();
        let status = &mut changed.status;
        if !self.serves_everything && !disk_is_ready(view, &manager.spec.disk_uuid) {
            if !is_controlled {
                return None;
            }
            status.current_state = ManagerState::Unknown;
            if self.forgets_unseen {
                self.forget_files(manager, &mut changed, now);
            }
            for file in changed.status.backing_image_file_map.values_mut() {
                if file.state != CopyState::Failed {
                    file.state = CopyState::Unknown;
                }
            }
        } else if !self.parts.has(Part::ManagerPods) {
            return None;
        } else if status.current_state == ManagerState::Empty && !self.runs_at_once {
            status.current_state = ManagerState::Starting;
        } else {
            status.current_state = ManagerState::Running;
            self.report_files(view, manager, &mut changed, now);
        }
        (changed.status != manager.status).then(|| Write::UpdateStatus {
            object: Object::Manager(Box::new(changed)),
            adopted: false,
        })
    }

    /// Images that have left the manager's spec go a little later.
    fn forget_files(
        &mut self,
        manager: &BackingImageManager,
        changed: &mut BackingImageManager,
        now: Timestamp,
    ) {
        let files = &mut changed.status.backing_image_file_map;
        files.retain(|image, _| {
            let key = (manager.name().to_owned(), image.clone());
            if manager.spec.backing_images.contains_key(image) {
                self.leaving.remove(&key);
                return true;
            }
            now < *self.leaving.entry(key).or_insert(now) + FILE_REMOVAL
        });
    }

    fn report_files(
        &mut self,
        view: &View,
        manager: &BackingImageManager,
        changed: &mut BackingImageManager,
        now: Timestamp,
    ) {
        self.forget_files(manager, changed, now);
        let files = &mut changed.status.backing_image_file_map;
        for (image, uuid) in &manager.spec.backing_images {
            let key = (manager.spec.disk_uuid.clone(), image.clone());
            let reported = self.reported.get(&key);
            let source = view.data_sources.get(image);
            let has_file = self.serves_everything
                || source.is_some_and(|source| {
                    source.spec.file_transferred
                        || (source.spec.disk_uuid == manager.spec.disk_uuid
                            && matches!(
                                source.status.current_state,
                                CopyState::ReadyForTransfer | CopyState::Ready
                            ))
                });
            let state = match reported {
                Some(state) => state.clone(),
                None if has_file => CopyState::Ready,
                None => CopyState::default(),
            };
            if state == CopyState::default() {
                files.remove(image);
                continue;
            }
            let file = files.entry(image.clone()).or_default();
            *file = FileRecord {
                name: image.clone(),
                uuid: uuid.clone(),
                size: 1,
                virtual_size: 1,
                real_size: 1,
                state,
                progress: 100,
                ..FileRecord::default()
            };
        }
    }

    fn data_source(
        &mut self,
        view: &View,
        source: &BackingImageDataSource,
        manager_image: &ImageRef,
        now: Timestamp,
    ) -> Option<Write> {
        let state = &source.status.current_state;
        let transferred = source.spec.file_transferred;
        let uid = source.metadata.uid.clone().unwrap_or_default();
        let was_transferred = if transferred {
            self.transferred.insert(uid);
            false
        } else {
            self.transferred.remove(&uid)
        };
        let next = if source.is_deleting() {
            if transferred || *state == CopyState::FailedAndCleanUp {
                let mut source = source.clone();
                let finalizers = source.metadata.finalizers.as_mut()?;
                finalizers.retain(|f| f != FINALIZER);
                return Some(Write::Update(Object::DataSource(Box::new(source))));
            }
            let is_listed = view.managers.values().any(|manager| {
                !manager.is_deleting()
                    && manager.spec.image == manager_image.as_str()
                    && manager.spec.backing_images.contains_key(source.name())
            });
            // Only a manager that lists the image can clean up after it.
            match state {
                CopyState::Failed if is_listed => CopyState::FailedAndCleanUp,
                _ => CopyState::Failed,
            }
        } else if transferred {
            CopyState::Ready
        } else if was_transferred && self.restarts {
            // The controller took it back: a new download begins.
            CopyState::Starting
        } else if !disk_is_ready(view, &source.spec.disk_uuid) {
            CopyState::Unknown
        } else {
            self.download_state(view, source, now)?
        };
        if next == *state {
            return None;
        }
        let mut source = source.clone();
        source.status.progress = if next == CopyState::InProgress {
            0
        } else {
            100
        };
        source.status.current_state = next;
        Some(Write::UpdateStatus {
            object: Object::DataSource(Box::new(source)),
            adopted: false,
        })
    }

    /// A download: in progress, then waiting for a manager, then taken over.
    fn download_state(
        &mut self,
        view: &View,
        source: &BackingImageDataSource,
        now: Timestamp,
    ) -> Option<CopyState> {
        let download = self.download?;
        let uid = source.metadata.uid.clone().unwrap_or_default();
        let since = *self.downloading.entry(uid).or_insert(now);
        if now < since + download {
            return Some(CopyState::InProgress);
        }
        let has_taken_over = view.managers.values().any(|manager| {
            manager.spec.disk_uuid == source.spec.disk_uuid
                && !manager.is_deleting()
                && manager
                    .status
                    .backing_image_file_map
                    .get(source.name())
                    .is_some_and(|file| file.state == CopyState::Ready)
        });
        Some(if has_taken_over {
            CopyState::Ready
        } else {
            CopyState::ReadyForTransfer
        })
    }
}

/// A disk of that UUID is ready, on a ready node that has it in its spec.
fn disk_is_ready(view: &View, uuid: &str) -> bool {
    view.nodes
        .values()
        .filter(|node| is_true(&node.status.conditions, "Ready"))
        .flat_map(|node| node.disks())
        .any(|disk| {
            disk.status.disk_uuid == uuid
                && disk.spec.is_some()
                && is_true(&disk.status.conditions, "Ready")
        })
}
