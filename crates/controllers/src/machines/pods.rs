//! Pods: what those of managers do with files, and those of data sources with
//! downloads.

use std::collections::BTreeMap;

use fixname_longhorn::CopyState;
use jiff::Timestamp;

use super::{
    DOWNLOAD, Download, FILE_WORK, File, Machines, News, POD_START, file_name, source_pod,
};

/// What a pod says when there is no file to be used again
/// (backing-image-manager, `pkg/sync/sync_file.go:456-458`).
const NOTHING_TO_REUSE: &str = "syncing file should be directly reused but failed";

/// A pod on one node and one folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pod {
    /// Its node.
    pub node: String,
    /// The folder of its disk.
    pub path: String,
    /// How far it has got.
    pub phase: Phase,
    /// When it was made.
    pub since: Timestamp,
    /// When it was deleted.
    pub deleted: Option<Timestamp>,
    /// What it does.
    pub role: Role,
}

/// How far a pod has got.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// It is being started.
    Pending,
    /// It runs, and answers.
    Running,
    /// It has ended, and nobody restarts it.
    Failed,
}

/// What a pod does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Role {
    /// Serves the files of one disk: by image.
    Manager(BTreeMap<String, PodFile>),
    /// Fetches one image.
    Source {
        /// The image.
        image: String,
        /// Its UUID.
        uuid: String,
        /// What the checksum must be; empty for any.
        checksum: String,
        /// How far it has got.
        state: CopyState,
        /// Why it failed.
        message: String,
        /// What it has, until a manager takes it.
        file: Option<File>,
    },
}

impl Role {
    pub(super) fn source(image: &str, uuid: &str, checksum: &str) -> Self {
        Self::Source {
            image: image.to_owned(),
            uuid: uuid.to_owned(),
            checksum: checksum.to_owned(),
            state: CopyState::Pending,
            message: String::new(),
            file: None,
        }
    }
}

/// A file that a manager's pod knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PodFile {
    /// The image's UUID.
    pub uuid: String,
    /// How far it has got: in progress, ready or failed.
    pub state: CopyState,
    /// Why it failed.
    pub message: String,
    /// What the checksum must be; empty for any.
    pub wanted: String,
    /// What it is, once it is ready.
    pub file: Option<File>,
    /// Since when it has been worked on.
    pub since: Timestamp,
    /// Where it comes from.
    pub origin: Origin,
}

/// Where a manager's pod gets a file from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// From the data source's pod on the same disk.
    Source,
    /// From its own folder: what is there is used again.
    Reuse,
    /// From the pod of another manager.
    Sender(String),
}

impl Pod {
    pub(super) fn new(node: String, path: String, since: Timestamp, role: Role) -> Self {
        Self {
            node,
            path,
            phase: Phase::Pending,
            since,
            deleted: None,
            role,
        }
    }

    pub(super) fn fail(&mut self) {
        self.phase = Phase::Failed;
        if let Role::Manager(files) = &mut self.role {
            files.clear();
        }
    }

    pub(super) fn news(&self, name: &str) -> News {
        match &self.role {
            Role::Manager(_) => News::Manager(name.to_owned()),
            Role::Source { image, .. } => News::Source(image.clone()),
        }
    }

    /// The files of a manager's pod.
    pub fn files(&self) -> Option<&BTreeMap<String, PodFile>> {
        match &self.role {
            Role::Manager(files) => Some(files),
            Role::Source { .. } => None,
        }
    }

    pub(super) fn begin(
        &mut self,
        image: &str,
        uuid: &str,
        checksum: &str,
        origin: Origin,
        now: Timestamp,
    ) {
        let Role::Manager(files) = &mut self.role else {
            return;
        };
        // One that it has already, or works on, stays; a failed one begins anew.
        if files
            .get(image)
            .is_some_and(|f| f.state != CopyState::Failed)
        {
            return;
        }
        let file = PodFile {
            uuid: uuid.to_owned(),
            state: CopyState::InProgress,
            message: String::new(),
            wanted: checksum.to_owned(),
            file: None,
            since: now,
            origin,
        };
        files.insert(image.to_owned(), file);
    }
}

impl Machines {
    pub(super) fn do_file_work(&mut self, pod: &mut Pod, now: Timestamp) {
        let (node, path) = (pod.node.clone(), pod.path.clone());
        let begun = pod.since + POD_START;
        match &mut pod.role {
            Role::Manager(files) => {
                for (image, file) in files {
                    if file.state == CopyState::InProgress {
                        self.work_on(&node, &path, image, file, now);
                    }
                }
            }
            Role::Source {
                image,
                checksum,
                state,
                message,
                file,
                ..
            } => {
                let made_up = self.any_download.map(|takes| {
                    let mut download = Download::made_up(image, takes);
                    if !checksum.is_empty() {
                        download.file.checksum.clone_from(checksum);
                    }
                    download
                });
                let download = self.downloads.get(image).or(made_up.as_ref());
                let takes = download.map_or(DOWNLOAD, |download| download.takes);
                *state = match (&*state, download) {
                    (CopyState::Ready | CopyState::Failed | CopyState::ReadyForTransfer, _) => {
                        return;
                    }
                    (_, Some(_)) if now < begun + takes => CopyState::InProgress,
                    (_, Some(download))
                        if checksum.is_empty() || *checksum == download.file.checksum =>
                    {
                        *file = Some(download.file.clone());
                        CopyState::ReadyForTransfer
                    }
                    (_, Some(_)) => {
                        *message = "the file's checksum is not the expected one".to_owned();
                        CopyState::Failed
                    }
                    (_, None) => {
                        *message = "nobody answers at the address of the image".to_owned();
                        CopyState::Failed
                    }
                };
            }
        }
    }

    fn work_on(&mut self, node: &str, path: &str, image: &str, work: &mut PodFile, now: Timestamp) {
        let name = file_name(image, &work.uuid);
        let there = self.folder(node, path).and_then(|f| f.files.get(&name));
        // Without a file there is nothing to be checked, so it fails at once.
        if work.origin == Origin::Reuse && there.is_none() {
            work.state = CopyState::Failed;
            NOTHING_TO_REUSE.clone_into(&mut work.message);
            return;
        }
        if now < work.since + FILE_WORK {
            return;
        }
        let found = match &work.origin {
            Origin::Reuse => there.cloned(),
            Origin::Source => self.take_over(image),
            Origin::Sender(pod) => self.sent_by(pod, image),
        };
        let is_right = |file: &File| work.wanted.is_empty() || work.wanted == file.checksum;
        match found {
            None => {
                work.state = CopyState::Failed;
                "the other side does not answer".clone_into(&mut work.message);
            }
            Some(file) if !is_right(&file) => {
                work.state = CopyState::Failed;
                work.message = format!(
                    "checksum {} is not the expected {}",
                    file.checksum, work.wanted
                );
            }
            Some(file) => {
                if let Some(folder) = self.folder_mut(node, path) {
                    folder.files.insert(name, file.clone());
                }
                work.file = Some(file);
                work.state = CopyState::Ready;
            }
        }
    }

    /// What the data source's pod has, which is then done.
    fn take_over(&mut self, image: &str) -> Option<File> {
        let pod = self.pods.get_mut(&source_pod(image))?;
        if self.down.contains(&pod.node) {
            return None;
        }
        let Role::Source { state, file, .. } = &mut pod.role else {
            return None;
        };
        let file = file.clone()?;
        *state = CopyState::Ready;
        self.news.push(News::Source(image.to_owned()));
        Some(file)
    }

    fn sent_by(&self, pod: &str, image: &str) -> Option<File> {
        let pod = self.pods.get(pod)?;
        if self.down.contains(&pod.node) {
            return None;
        }
        pod.files()?.get(image)?.file.clone()
    }
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;

    use super::super::{Call, Folder, POD_STOP};
    use super::*;

    const NOW: Timestamp = Timestamp::constant(1_762_214_400, 0);
    const PATH: &str = "/var/lib/disk";

    fn file() -> File {
        File {
            checksum: "abc".to_owned(),
            bytes: 10,
        }
    }

    /// Two nodes with a disk and a running manager's pod each.
    fn machines() -> (Machines, Timestamp) {
        let mut machines = Machines::default();
        for node in ["node-1", "node-2"] {
            machines.mount(node, PATH, Folder::of_disk("disk", node, node, 100));
            let start = Call::StartManagerPod {
                name: format!("manager-{node}"),
                node: node.to_owned(),
                path: PATH.to_owned(),
            };
            machines.call(start, NOW);
        }
        machines.advance(NOW);
        assert_eq!(
            machines.pod("manager-node-1").unwrap().phase,
            Phase::Pending
        );
        let now = NOW + POD_START;
        machines.advance(now);
        assert_eq!(machines.news_count(), 2);
        (machines, now)
    }

    fn fetch(machines: &mut Machines, pod: &str, wanted: &str, origin: Origin, now: Timestamp) {
        let call = Call::Fetch {
            pod: pod.to_owned(),
            image: "parrot".to_owned(),
            uuid: "1234".to_owned(),
            checksum: wanted.to_owned(),
            origin,
        };
        machines.call(call, now);
    }

    fn state(machines: &Machines, pod: &str) -> CopyState {
        machines.pod(pod).unwrap().files().unwrap()["parrot"]
            .state
            .clone()
    }

    #[test]
    fn a_file_that_is_not_there_cannot_be_used_again_and_says_so_at_once() {
        let (mut machines, now) = machines();
        fetch(&mut machines, "manager-node-1", "", Origin::Reuse, now);
        machines.advance(now);
        assert_eq!(state(&machines, "manager-node-1"), CopyState::Failed);
        let pod = machines.pod("manager-node-1").unwrap();
        assert_eq!(pod.files().unwrap()["parrot"].message, NOTHING_TO_REUSE);
    }

    #[test]
    fn a_file_is_used_again_if_its_checksum_is_right_and_sent_to_others() {
        let (mut machines, now) = machines();
        let folder = machines.folder_mut("node-1", PATH).unwrap();
        folder.files.insert(file_name("parrot", "1234"), file());
        fetch(&mut machines, "manager-node-1", "abc", Origin::Reuse, now);
        machines.advance(now);
        assert_eq!(state(&machines, "manager-node-1"), CopyState::InProgress);
        let now = now + FILE_WORK;
        machines.advance(now);
        assert_eq!(state(&machines, "manager-node-1"), CopyState::Ready);

        let sender = Origin::Sender("manager-node-1".to_owned());
        fetch(&mut machines, "manager-node-2", "abc", sender, now);
        machines.advance(now + FILE_WORK);
        assert_eq!(state(&machines, "manager-node-2"), CopyState::Ready);
        let folder = machines.folder("node-2", PATH).unwrap();
        assert_eq!(folder.files[&file_name("parrot", "1234")], file());
    }

    #[test]
    fn a_file_with_another_checksum_fails() {
        let (mut machines, now) = machines();
        let folder = machines.folder_mut("node-1", PATH).unwrap();
        folder.files.insert(file_name("parrot", "1234"), file());
        fetch(&mut machines, "manager-node-1", "other", Origin::Reuse, now);
        machines.advance(now + FILE_WORK);
        assert_eq!(state(&machines, "manager-node-1"), CopyState::Failed);
    }

    #[test]
    fn a_download_waits_for_a_manager_that_takes_it_over() {
        let (mut machines, now) = machines();
        let takes = SignedDuration::from_secs(5);
        machines.offer(
            "parrot",
            Download {
                takes,
                file: file(),
            },
        );
        let start = Call::StartSourcePod {
            image: "parrot".to_owned(),
            uuid: "1234".to_owned(),
            node: "node-1".to_owned(),
            path: PATH.to_owned(),
            checksum: String::new(),
        };
        machines.call(start, now);
        let source =
            |machines: &Machines| match &machines.pod("backing-image-ds-parrot").unwrap().role {
                Role::Source { state, .. } => state.clone(),
                Role::Manager(_) => unreachable!(),
            };
        let running = now + POD_START;
        machines.advance(running);
        assert_eq!(source(&machines), CopyState::InProgress);
        let done = running + takes;
        machines.advance(done);
        assert_eq!(source(&machines), CopyState::ReadyForTransfer);
        fetch(&mut machines, "manager-node-1", "", Origin::Source, done);
        machines.advance(done + FILE_WORK);
        assert_eq!(state(&machines, "manager-node-1"), CopyState::Ready);
        assert_eq!(source(&machines), CopyState::Ready);
    }

    #[test]
    fn pods_of_a_node_without_power_fail_and_files_stay() {
        let (mut machines, now) = machines();
        let folder = machines.folder_mut("node-1", PATH).unwrap();
        folder.files.insert(file_name("parrot", "1234"), file());
        fetch(&mut machines, "manager-node-1", "", Origin::Reuse, now);
        machines.power_off("node-1");
        machines.advance(now + FILE_WORK);
        assert_eq!(state(&machines, "manager-node-1"), CopyState::InProgress);
        machines.power_on("node-1");
        assert_eq!(machines.pod("manager-node-1").unwrap().phase, Phase::Failed);
        machines.call(Call::DeletePod("manager-node-1".to_owned()), now);
        machines.advance(now + POD_STOP);
        assert!(machines.pod("manager-node-1").is_none());
        assert_eq!(machines.folder("node-1", PATH).unwrap().files.len(), 1);
    }
}
