//! All is well: the bare assertions that every fixed version's end state must meet,
//! twice over.

use std::time::Duration;

use fixname_controllers::View;
use fixname_longhorn::{BackingImage, CopyState};

use super::attempts::attempts;
use super::{LOOK, Mismatch, Observer, TWO_RESYNCS, copy_state, describe, image};
use crate::event::{Disk, Manager, Outcome};
use crate::scenario::Settled;

/// A status that says all is well may be from before the manager looked at the file
/// itself: it is withdrawn within so long, and then well again. That may be once; what
/// does not stay well then has not settled.
const FIRST_WORDS: Duration = Duration::from_secs(30);

impl Observer<'_> {
    /// All is well, and stays so.
    pub(crate) async fn settled(&self, settled: &Settled) -> Result<Outcome, Mismatch> {
        let began = self.clock.elapsed();
        let mut is_first = true;
        let (managers, after, from) = loop {
            let (managers, _) = self
                .eventually(|view| self.check_settled(&settled.image, view))
                .await?;
            let after = self.clock.elapsed().saturating_sub(began);
            let (from, well) = (self.trace.len(), self.clock.elapsed());
            match self.stays(settled).await? {
                None => break (managers, after, from),
                Some(_) if is_first && self.clock.elapsed() < well + FIRST_WORDS => {
                    is_first = false;
                }
                Some(mut found) => {
                    found.insert(0, "all was well, but did not stay so:".to_owned());
                    return Err(found);
                }
            }
        };
        // A single "already exists" soon after a start is two images racing for
        // one new manager; only an image that was given up is trouble.
        let dropped: Vec<String> = attempts(&self.trace.since(from), &settled.image)
            .into_iter()
            .filter(|attempt| attempt.given_up)
            .map(|attempt| attempt.text)
            .collect();
        if !dropped.is_empty() {
            return Err(dropped);
        }
        Ok(Outcome::Settled {
            image: settled.image.clone(),
            managers,
            after,
        })
    }

    /// What changes within two resyncs, if anything does.
    async fn stays(&self, settled: &Settled) -> Result<Option<Mismatch>, Mismatch> {
        let until = self.clock.elapsed() + TWO_RESYNCS;
        while self.clock.elapsed() < until {
            self.clock.sleep(LOOK * 5).await;
            if let Err(found) = self.check_settled(&settled.image, &*self.view().await?) {
                return Ok(Some(found));
            }
        }
        Ok(None)
    }

    fn check_settled(&self, name: &str, view: &View) -> Result<Vec<Manager>, Mismatch> {
        let image = image(view, name)?;
        let mut found = Vec::new();
        let mut managers = Vec::new();
        let wanted = self.wanted(image);
        let minimum = usize::try_from(image.spec.min_number_of_copies).unwrap_or_default();
        if wanted.len() < minimum {
            // Longhorn adds one disk at a time; before the last it only looks settled.
            found.push(format!(
                "image {name} wants {} disks, and keeps at least {minimum} copies",
                wanted.len()
            ));
        }
        for disk in wanted {
            match self.check_served(image, &disk, view) {
                Ok(manager) => managers.push(manager),
                Err(problem) => found.push(problem),
            }
        }
        for manager in view.managers.values() {
            let uuid = &manager.spec.disk_uuid;
            let is_wanted = view.images.values().any(|i| {
                let map = i.spec.disk_file_spec_map.as_ref();
                map.is_some_and(|map| map.contains_key(uuid))
            });
            if manager.is_deleting() {
                found.push(format!("manager {} is still terminating", manager.name()));
            } else if !is_wanted {
                found.push(format!(
                    "manager {} serves disk {uuid}, which no image wants",
                    manager.name()
                ));
            }
        }
        if managers.is_empty() && found.is_empty() {
            found.push(format!(
                "image {name} wants no disk, so there is nothing to see"
            ));
        }
        if found.is_empty() {
            Ok(managers)
        } else {
            Err(found)
        }
    }

    /// One disk has exactly one live manager, of the right image, by the right
    /// name, listing the image; and the image's status says the copy is ready.
    fn check_served(
        &self,
        image: &BackingImage,
        disk: &Disk,
        view: &View,
    ) -> Result<Manager, String> {
        let live: Vec<_> = view
            .managers_of_disk(&disk.uuid)
            .filter(|m| !m.is_deleting())
            .collect();
        let [manager] = live[..] else {
            return Err(format!(
                "disk {} has {} live managers, not one",
                describe(disk),
                live.len()
            ));
        };
        let name = self.name_of(&disk.uuid)?;
        let is_kept = self.kept.contains(manager.name());
        if manager.name() != name && !is_kept {
            return Err(format!(
                "the manager of disk {} is named {}; {} names it {name}",
                describe(disk),
                manager.name(),
                self.expected.version
            ));
        }
        if manager.spec.disk_uuid != disk.uuid {
            return Err(format!(
                "manager {name} is labelled for disk {} but serves {}",
                disk.uuid, manager.spec.disk_uuid
            ));
        }
        if manager.spec.image != self.manager_image.as_str() {
            return Err(format!(
                "manager {name} runs {}, not {}",
                manager.spec.image, self.manager_image
            ));
        }
        if manager.spec.backing_images.get(image.name()) != Some(&image.status.uuid) {
            return Err(format!(
                "manager {name} does not list image {}",
                image.name()
            ));
        }
        // The image's status may still be what it was before the manager looked.
        let file = manager.status.backing_image_file_map.get(image.name());
        if file.is_none_or(|file| file.state != CopyState::Ready) {
            return Err(format!(
                "manager {name} does not have the file of image {} ready",
                image.name()
            ));
        }
        match copy_state(image, &disk.uuid) {
            Some(CopyState::Ready) => Ok(Manager {
                name: manager.name().to_owned(),
                disk: disk.clone(),
            }),
            Some(state) => Err(format!(
                "the copy on {} is {:?}, not ready",
                describe(disk),
                state.as_str()
            )),
            None => Err(format!(
                "image {} has no status entry for {}",
                image.name(),
                describe(disk)
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use fixname_controllers::driver::ModelClock;
    use fixname_controllers::{Behaviour, Trace};
    use fixname_longhorn::{
        BackingImage, BackingImageManager, FileRecord, LABEL_DISK_UUID, ManagerState, NAMESPACE,
    };
    use fixname_naming::{DiskUuid, LonghornVersion, manager_image_for};
    use kube::api::{Patch, PatchParams};
    use kube::{Api, Client};
    use serde_json::json;

    use super::*;
    use crate::backend::{EPOCH, embedded, prepare};
    use crate::cluster::{create_with_status, objects};
    use crate::expect::Last;
    use crate::load::parse;

    const UUID: &str = "c01200da-8a5c-4692-92e6-c4a983087951";

    /// Says in the image's status that its copy is in this state.
    async fn say(client: &Client, state: &str) {
        let images: Api<BackingImage> = Api::namespaced(client.clone(), NAMESPACE);
        let copies = json!({"status": {"diskFileStatusMap": {UUID: {"state": state}}}});
        let params = PatchParams::default();
        let patch = Patch::Merge(copies);
        let done = images.patch_status("parrot", &params, &patch).await;
        done.expect("the image is there");
    }

    /// Whether an image counts as settled that nobody plays, but whose status is
    /// withdrawn after so many seconds, for six seconds each time.
    fn settles(withdrawn_at: &[u64]) -> Result<(), String> {
        let version: LonghornVersion = "v1.12.1".parse().expect("a version");
        let scenario = format!(
            "{{name: a, title: t, description: d, longhorn: [{version}], cluster: {{disks: {{node-1/disk-1: {UUID}}}, \
             images: {{parrot: {{source: node-1/disk-1, copies: [node-1/disk-1]}}}}}}, \
             steps: [{{name: s, expect: [settled: {{image: parrot}}]}}]}}"
        );
        let scenario = parse("", &scenario).expect("a scenario").remove(0);
        let runtime = embedded::virtual_time().expect("a runtime");
        runtime.block_on(async {
            let server = embedded::server(1);
            let client = server.client(NAMESPACE);
            prepare(&client, NAMESPACE, &version, None)
                .await
                .expect("a server");
            let nodes = objects(&scenario.cluster).create(&client, NAMESPACE).await;
            nodes.expect("the objects are made");
            let expected = Behaviour::of(&version).expect("a version");
            let image = manager_image_for(&version).expect("a version").image;
            let name = expected.scheme.manager_name(&image, &DiskUuid::new(UUID));
            let mut manager = BackingImageManager::named(name.expect("a name").as_str());
            manager.metadata.labels = Some([(LABEL_DISK_UUID.to_owned(), UUID.to_owned())].into());
            manager.spec.disk_uuid = UUID.to_owned();
            manager.spec.image = image.as_str().to_owned();
            let uuid = "uuid-of-parrot".to_owned();
            manager.spec.backing_images = [("parrot".to_owned(), uuid)].into();
            manager.status.current_state = ManagerState::Running;
            let file = FileRecord {
                state: CopyState::Ready,
                ..FileRecord::default()
            };
            manager.status.backing_image_file_map = [("parrot".to_owned(), file)].into();
            let made = create_with_status(&client, NAMESPACE, &manager).await;
            made.expect("the manager is made");
            let clock = ModelClock::new(EPOCH, 1.0);
            let (at, other) = (withdrawn_at.to_vec(), client.clone());
            let withdrawing = tokio::spawn(async move {
                for at in at {
                    clock
                        .sleep(Duration::from_secs(at).saturating_sub(clock.elapsed()))
                        .await;
                    say(&other, "pending").await;
                    clock.sleep(Duration::from_secs(6)).await;
                    say(&other, "ready").await;
                }
            });
            let trace = Trace::default();
            let observer = Observer {
                client: &client,
                namespace: NAMESPACE,
                clock,
                trace: &trace,
                is_logged: false,
                cluster: &scenario.cluster,
                expected: &expected,
                manager_image: &image,
                kept: &BTreeSet::new(),
                cancelled: &|| false,
                server: Some(&server),
                last: Last::default(),
                last_look: Last::default(),
            };
            let settled = Settled {
                image: "parrot".to_owned(),
            };
            let outcome = observer.settled(&settled).await;
            withdrawing.abort();
            outcome.map(drop).map_err(|found| found.join("\n"))
        })
    }

    /// Only real servers show a status that is withdrawn once.
    #[test]
    fn first_words_may_be_withdrawn_once_and_soon() {
        assert_eq!(settles(&[]), Ok(()));
        assert_eq!(settles(&[12]), Ok(()));
        for withdrawn_at in [&[12, 32][..], &[42], &[12, 90]] {
            let found = settles(withdrawn_at).expect_err("it does not stay well");
            assert!(
                found.starts_with("all was well, but did not stay so:"),
                "{withdrawn_at:?}: {found}"
            );
            assert!(found.contains("\"pending\", not ready"), "{found}");
        }
    }
}
