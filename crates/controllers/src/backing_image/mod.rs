//! The backing image controller: one reconcile as a pure function.
//!
//! Modelled on `controller/backing_image_controller.go`, which is the same file
//! in v1.9.1 to v1.10.2 and differs little in v1.8.1 and v1.12.1. The steps, in
//! the order of the real code, are the methods of `Reconcile`: the data source
//! (`source`), the managers (`managers`), the files' status (`files`), and the
//! number of copies (`copies`). Copies of the v2 engine are left alone.
//!
//! The one property everything hangs on: the image's spec and status are written
//! once, at the very end, and only if no step failed. A manager whose name is
//! taken ends the reconcile early, so *nothing* of the image's status moves.

mod copies;
mod files;
mod managers;
mod source;

use fixname_longhorn::{BackingImage, FINALIZER};
use fixname_naming::ImageRef;
use jiff::Timestamp;
use rand::{Rng, RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::behaviour::Behaviour;
use crate::defect::Defect;
use crate::effect::{Effect, Event, EventType, Level, LogLine, Object, Tolerance, Write};
use crate::view::View;

/// Who reconciles, and when.
#[derive(Clone, Debug)]
pub struct Context<'a> {
    /// The version's switches.
    pub behaviour: &'a Behaviour,
    /// The namespace Longhorn is in.
    pub namespace: &'a str,
    /// The node whose manager this is.
    pub controller_id: &'a str,
    /// The flag `--backing-image-manager-image`, literally. The setting of a
    /// similar name plays no role.
    pub manager_image: &'a ImageRef,
    /// The time.
    pub now: Timestamp,
}

/// The effects of one reconcile of the image of that name, in order.
///
/// Everything before the first failing effect happens, nothing after it does. An
/// image that is not there, or that another manager owns, has no effects.
///
/// The real code looks into its caches again and again, so what it does after a
/// write depends on what has happened meanwhile. Therefore most writes end with
/// [`Effect::Reread`]: call again, with a newer view and the same random numbers.
pub fn reconcile(
    name: &str,
    view: &View,
    context: &Context<'_>,
    rng: &mut impl Rng,
) -> Vec<Effect> {
    let Some(image) = view.images.get(name) else {
        return Vec::new();
    };
    // Drawn first, so that it is the same when the reconcile is called again.
    let order = ChaCha8Rng::seed_from_u64(rng.random());
    let mut run = Reconcile {
        image: BackingImage::clone(image),
        order,
        view: view.clone(),
        context,
        rng,
        effects: Vec::new(),
    };
    if run.is_responsible() {
        // `Err` means that the last effect ends the reconcile.
        let _ended = run.steps();
    }
    run.effects
}

/// The reconcile has ended early; why is the last of the effects.
struct Ended;

type Step = Result<(), Ended>;

struct Reconcile<'a, R> {
    /// The image as it is being changed.
    image: BackingImage,
    /// The caches; the reconcile's own writes show in them.
    view: View,
    context: &'a Context<'a>,
    rng: &'a mut R,
    /// Says in which order the wanted disks are visited.
    order: ChaCha8Rng,
    effects: Vec<Effect>,
}

impl<R: Rng> Reconcile<'_, R> {
    /// `isControllerResponsibleFor`: the owner keeps an image while the owner's
    /// node is up, else anybody takes it.
    fn is_responsible(&self) -> bool {
        let owner = &self.image.status.owner_id;
        owner == self.context.controller_id || self.view.is_down_or_gone(owner)
    }

    fn steps(&mut self) -> Step {
        self.take_ownership();
        self.draw_uuid();
        if !self.effects.is_empty() {
            return self.reread();
        }
        let before = self.image.clone();
        if self.image.is_deleting() {
            return self.finish_deletion();
        }
        let status = &mut self.image.status;
        status.disk_file_status_map.get_or_insert_default();
        status.disk_last_ref_at_map.get_or_insert_default();

        self.handle_data_source()?;
        if self.has(Defect::WritesStatusInSpiteOfError) {
            self.sync_file_info();
            self.write_changes(&before);
        }
        if self.image.spec.disk_file_spec_map.is_some() {
            self.handle_managers()?;
            self.sync_file_info();
            self.update_last_references();
            self.replenish_copies();
            self.drop_evicted_copies();
        }
        self.write_changes(&before);
        Ok(())
    }

    fn has(&self, defect: Defect) -> bool {
        self.context.behaviour.has(defect)
    }

    fn take_ownership(&mut self) {
        if self.image.status.owner_id == self.context.controller_id {
            return;
        }
        self.image.status.owner_id = self.context.controller_id.to_owned();
        self.write(
            Write::UpdateStatus {
                object: Object::BackingImage(Box::new(self.image.clone())),
                adopted: true,
            },
            Tolerance::ConflictEndsQuietly,
            &[],
        );
        self.info(format!(
            "Backing image got new owner {}",
            self.context.controller_id
        ));
    }

    /// Lines 250-261. A conflict here crashes the process: the image it would
    /// queue again is the one that the failed request did not return. Recorded,
    /// when the data source's disk entered the spec between the two writes.
    fn draw_uuid(&mut self) {
        if !self.image.status.uuid.is_empty() {
            return;
        }
        self.image.status.uuid = format!("{:08x}", self.rng.random::<u32>());
        self.write(
            Write::UpdateStatus {
                object: Object::BackingImage(Box::new(self.image.clone())),
                adopted: true,
            },
            Tolerance::ConflictPanics,
            &[],
        );
        let message = format!("Initialized UUID to {}", self.image.status.uuid);
        self.event("Update", message);
    }

    /// Lines 283-314: wait for replicas, wait for the data source, leave all
    /// managers, remove the finalizer. The manager step does not run.
    fn finish_deletion(&mut self) -> Step {
        let name = self.image.name().to_owned();
        let is_used = self.view.replicas_using(&name, None).next().is_some();
        if is_used && !self.has(Defect::DeletesImagesInUse) {
            self.warn("Waiting for all replicas stopping using this backing image before removing the finalizer", None);
            return Ok(());
        }
        if let Some(source) = self.view.data_sources.get(&name)
            && !source.spec.file_transferred
            && source.status.current_state != fixname_longhorn::CopyState::FailedAndCleanUp
            && !self.has(Defect::DeletesUnfinishedImages)
        {
            let error = format!(
                "backing image data source status is {} not failed-and-cleanup",
                source.status.current_state
            );
            self.warn(
                "Waiting until backing image data source is cleaned before removing the finalizer",
                Some(error),
            );
            return Ok(());
        }
        self.info("Cleaning up the record for backing image managers and remove the finalizer");
        self.leave_managers(&[])?;
        if self.has(Defect::KeepsFinalizer) {
            return Ok(());
        }
        let mut image = self.image.clone();
        if let Some(finalizers) = &mut image.metadata.finalizers {
            finalizers.retain(|f| f != FINALIZER);
        }
        let object = Object::BackingImage(Box::new(image));
        // Of a deleted image, whatever refuses this is kept quiet about
        // (`datastore/longhorn.go`, `RemoveFinalizerForBackingImage`).
        self.write(Write::Update(object), Tolerance::Dropped, &[]);
        Ok(())
    }

    /// Spec first, then status, each only if changed. The real code sends the
    /// status with the resource version from before the spec's write, so where
    /// both change, the status is refused and the image is queued again.
    fn write_changes(&mut self, before: &BackingImage) {
        let object = || Object::BackingImage(Box::new(self.image.clone()));
        let mut writes = Vec::new();
        if self.image.spec != before.spec {
            writes.push(Write::Update(object()));
        }
        if self.image.status != before.status {
            writes.push(Write::UpdateStatus {
                object: object(),
                adopted: false,
            });
        }
        for write in writes {
            self.write(write, Tolerance::Dropped, &[]);
        }
    }

    fn write(&mut self, write: Write, tolerance: Tolerance, context: &'static [&'static str]) {
        self.effects.push(Effect::Write {
            write,
            tolerance,
            context,
        });
    }

    fn reread(&mut self) -> Step {
        self.effects.push(Effect::Reread);
        Err(Ended)
    }

    fn fail(&mut self, error: impl Into<String>) -> Step {
        self.effects.push(Effect::Fail(error.into()));
        Err(Ended)
    }

    fn log(&mut self, level: Level, message: impl Into<String>, error: Option<String>) {
        self.effects.push(Effect::Log(LogLine {
            level,
            message: message.into(),
            error,
            image: self.image.name().to_owned(),
        }));
    }

    fn info(&mut self, message: impl Into<String>) {
        self.log(Level::Info, message, None);
    }

    fn warn(&mut self, message: impl Into<String>, error: Option<String>) {
        self.log(Level::Warning, message, error);
    }

    fn event(&mut self, reason: &'static str, message: impl Into<String>) {
        self.event_of(EventType::Normal, reason, message);
    }

    fn event_of(&mut self, type_: EventType, reason: &'static str, message: impl Into<String>) {
        self.effects.push(Effect::Event(Event {
            kind: "BackingImage",
            name: self.image.name().to_owned(),
            type_,
            reason,
            message: message.into(),
        }));
    }
}
