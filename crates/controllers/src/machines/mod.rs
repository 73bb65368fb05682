//! What happens outside the API: the folders of disks, the pods that serve and fetch
//! files of backing images, and the processes of replicas, on nodes that may lose
//! their power. A stand-in for the machines, with the rules of the real pods
//! (backing-image-manager's `pkg/sync` and `pkg/manager`) and round figures for how
//! long things take.
//!
//! Time is an argument: [`Machines::advance`] does everything that is due. Nothing
//! here is random. Controllers see it as it is when they look, and change it by
//! [`Call`]s; what changes by itself is told by [`Machines::news`].

mod folder;
mod pods;

use std::collections::{BTreeMap, BTreeSet};

use fixname_longhorn::{DiskType, Node};
use jiff::{SignedDuration, Timestamp};
use sha2::{Digest, Sha512};

pub use folder::{DiskConfig, File, Folder, file_name};
pub use pods::{Origin, Phase, Pod, PodFile, Role};

/// From a pod's creation until it runs.
pub const POD_START: SignedDuration = SignedDuration::from_secs(2);
/// From a pod's deletion until it is gone.
pub const POD_STOP: SignedDuration = SignedDuration::from_secs(1);
/// How long taking a file over, checking it, or copying it from another disk takes.
pub const FILE_WORK: SignedDuration = SignedDuration::from_secs(2);
/// How long the process of a replica takes to start.
pub const REPLICA_START: SignedDuration = SignedDuration::from_secs(1);
/// How long a download takes, if nothing else is said.
pub const DOWNLOAD: SignedDuration = SignedDuration::from_secs(1);
/// Bytes of a disk of which nothing else is said.
pub const DISK_BYTES: i64 = 100 << 30;
/// Bytes of the file of an image of which nothing else is said.
pub const IMAGE_BYTES: i64 = 64 << 20;

/// Where an image comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Download {
    /// How long fetching it takes.
    pub takes: SignedDuration,
    /// What is fetched.
    pub file: File,
}

impl Download {
    /// The file of an image of which nothing else is known.
    pub fn made_up(image: &str, takes: SignedDuration) -> Self {
        let checksum = hex::encode(Sha512::digest(image));
        let bytes = IMAGE_BYTES;
        let file = File { checksum, bytes };
        Self { takes, file }
    }
}

/// What a controller asks of the machines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Call {
    /// Makes the pod of a manager.
    StartManagerPod {
        /// Its name.
        name: String,
        /// On which node.
        node: String,
        /// On which folder.
        path: String,
    },
    /// Makes the pod that fetches an image.
    StartSourcePod {
        /// The image.
        image: String,
        /// Its UUID.
        uuid: String,
        /// On which node.
        node: String,
        /// On which folder.
        path: String,
        /// What the checksum must be; empty for any.
        checksum: String,
    },
    /// Deletes a pod.
    DeletePod(String),
    /// A manager's pod is to have a file.
    Fetch {
        /// The pod.
        pod: String,
        /// The image.
        image: String,
        /// Its UUID.
        uuid: String,
        /// What the checksum must be; empty for any.
        checksum: String,
        /// From where.
        origin: Origin,
    },
    /// A manager's pod is to delete a file, and forget it.
    DeleteFile {
        /// The pod.
        pod: String,
        /// The image.
        image: String,
        /// Its UUID.
        uuid: String,
    },
    /// Starts the process of a replica on a node.
    StartReplica {
        /// The replica.
        name: String,
        /// The node.
        node: String,
    },
    /// Ends the process of a replica.
    StopReplica(String),
    /// Writes the configuration of a new disk.
    WriteConfig {
        /// The node.
        node: String,
        /// The folder.
        path: String,
        /// What to write.
        config: DiskConfig,
    },
}

/// The process of a replica.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Instance {
    /// Its node.
    pub node: String,
    /// Since when it has been asked for.
    pub since: Timestamp,
    /// It runs.
    pub is_running: bool,
}

/// What has changed by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum News {
    /// The pod of the manager of that name.
    Manager(String),
    /// The pod that fetches the image of that name.
    Source(String),
    /// The process of the replica of that name.
    Replica(String),
    /// The power of the node of that name.
    Node(String),
}

/// All machines of a cluster.
#[derive(Clone, Debug, Default)]
pub struct Machines {
    folders: BTreeMap<(String, String), Folder>,
    pods: BTreeMap<String, Pod>,
    instances: BTreeMap<String, Instance>,
    down: BTreeSet<String>,
    downloads: BTreeMap<String, Download>,
    /// How long downloads take that nobody has offered.
    any_download: Option<SignedDuration>,
    news: Vec<News>,
}

impl Machines {
    /// The folder of a disk; none if there is nothing at that path.
    pub fn folder(&self, node: &str, path: &str) -> Option<&Folder> {
        self.folders.get(&(node.to_owned(), path.to_owned()))
    }

    /// The same, to be changed by hand.
    pub fn folder_mut(&mut self, node: &str, path: &str) -> Option<&mut Folder> {
        self.folders.get_mut(&(node.to_owned(), path.to_owned()))
    }

    /// Puts a folder at a path, over whatever is there.
    pub fn mount(&mut self, node: &str, path: &str, folder: Folder) {
        self.folders
            .insert((node.to_owned(), path.to_owned()), folder);
    }

    /// Takes a folder away.
    pub fn unmount(&mut self, node: &str, path: &str) -> Option<Folder> {
        self.folders.remove(&(node.to_owned(), path.to_owned()))
    }

    /// Sees that there is something at the path of each of a node's filesystem disks.
    /// A disk with an identity in the node's status has it in its configuration; any
    /// other one is blank.
    pub fn provide(&mut self, node: &Node) {
        for (name, disk) in &node.spec.disks {
            let place = (node.name().to_owned(), disk.path.clone());
            if disk.disk_type == DiskType::Block || self.folders.contains_key(&place) {
                continue;
            }
            let filesystem = format!("{}:{}", place.0, place.1);
            let status = node.status.disk_status.get(name);
            let folder = match status.filter(|status| !status.disk_uuid.is_empty()) {
                Some(status) => {
                    let bytes = match status.storage_maximum {
                        0 => DISK_BYTES,
                        bytes => bytes,
                    };
                    let name = &status.disk_name;
                    Folder::of_disk(name, &status.disk_uuid, &filesystem, bytes)
                }
                None => Folder::blank(&filesystem, DISK_BYTES),
            };
            self.folders.insert(place, folder);
        }
    }

    /// Says where an image comes from.
    pub fn offer(&mut self, image: &str, download: Download) {
        self.downloads.insert(image.to_owned(), download);
    }

    /// Every image that nobody has offered can be fetched too, and this takes so long.
    pub fn offer_all(&mut self, takes: SignedDuration) {
        self.any_download = Some(takes);
    }

    /// A pod, perhaps on its way out.
    pub fn pod(&self, name: &str) -> Option<&Pod> {
        self.pods.get(name)
    }

    /// The process of a replica, if its node has power.
    pub fn instance(&self, replica: &str) -> Option<&Instance> {
        self.instances
            .get(replica)
            .filter(|instance| !self.is_down(&instance.node))
    }

    /// True if the node has no power.
    pub fn is_down(&self, node: &str) -> bool {
        self.down.contains(node)
    }

    /// Cuts a node's power.
    pub fn power_off(&mut self, node: &str) {
        self.down.insert(node.to_owned());
        self.instances.retain(|_, instance| instance.node != node);
        self.news.push(News::Node(node.to_owned()));
    }

    /// Gives it back. The pods that ran there have failed, for nobody restarts them;
    /// what lies in the folders is as it was.
    pub fn power_on(&mut self, node: &str) {
        self.down.remove(node);
        self.news.push(News::Node(node.to_owned()));
        for (name, pod) in &mut self.pods {
            if pod.node == node {
                pod.fail();
                self.news.push(pod.news(name));
            }
        }
    }

    /// What has changed by itself since the `from`-th news.
    pub fn news(&self, from: usize) -> &[News] {
        self.news.get(from..).unwrap_or_default()
    }

    /// How many news there have been.
    pub fn news_count(&self) -> usize {
        self.news.len()
    }

    /// Does what a controller asks for. What cannot be done (a pod that is gone, a
    /// node without power) is not done, and shows when the controller looks again.
    pub fn call(&mut self, call: Call, now: Timestamp) {
        match call {
            Call::StartManagerPod { name, node, path } => {
                let pod = Pod::new(node, path, now, Role::Manager(BTreeMap::new()));
                self.pods.entry(name).or_insert(pod);
            }
            Call::StartSourcePod {
                image,
                uuid,
                node,
                path,
                checksum,
            } => {
                let name = source_pod(&image);
                let role = Role::source(&image, &uuid, &checksum);
                let pod = Pod::new(node, path, now, role);
                self.pods.entry(name).or_insert(pod);
            }
            Call::DeletePod(name) => {
                if let Some(pod) = self.pods.get_mut(&name) {
                    pod.deleted.get_or_insert(now);
                }
            }
            Call::Fetch {
                pod,
                image,
                uuid,
                checksum,
                origin,
            } => {
                if let Some(pod) = self.running(&pod) {
                    pod.begin(&image, &uuid, &checksum, origin, now);
                }
            }
            Call::DeleteFile { pod, image, uuid } => {
                let Some(pod) = self.running(&pod) else {
                    return;
                };
                if let Role::Manager(files) = &mut pod.role {
                    files.remove(&image);
                }
                let place = (pod.node.clone(), pod.path.clone());
                if let Some(folder) = self.folders.get_mut(&place) {
                    folder.files.remove(&file_name(&image, &uuid));
                }
            }
            Call::StartReplica { name, node } => {
                if !self.is_down(&node) {
                    self.instances.entry(name).or_insert(Instance {
                        node,
                        since: now,
                        is_running: false,
                    });
                }
            }
            Call::StopReplica(name) => {
                self.instances.remove(&name);
            }
            Call::WriteConfig { node, path, config } => {
                if let Some(folder) = self.folder_mut(&node, &path) {
                    folder.write(&config);
                }
            }
        }
    }

    fn running(&mut self, name: &str) -> Option<&mut Pod> {
        let pod = self.pods.get_mut(name)?;
        let is_up = pod.phase == Phase::Running && !self.down.contains(&pod.node);
        is_up.then_some(pod)
    }

    /// Does everything that is due.
    pub fn advance(&mut self, now: Timestamp) {
        let names: Vec<String> = self.pods.keys().cloned().collect();
        for name in names {
            self.advance_pod(&name, now);
        }
        for (name, instance) in &mut self.instances {
            if !instance.is_running && now >= instance.since + REPLICA_START {
                instance.is_running = true;
                self.news.push(News::Replica(name.clone()));
            }
        }
    }

    fn advance_pod(&mut self, name: &str, now: Timestamp) {
        let Some(mut pod) = self.pods.remove(name) else {
            return;
        };
        if self.down.contains(&pod.node) {
            self.pods.insert(name.to_owned(), pod);
            return;
        }
        let news = pod.news(name);
        if pod.deleted.is_some_and(|since| now >= since + POD_STOP) {
            self.news.push(news);
            return;
        }
        let before = pod.clone();
        if pod.phase == Phase::Pending && now >= pod.since + POD_START {
            pod.phase = Phase::Running;
        }
        if pod.phase == Phase::Running {
            self.do_file_work(&mut pod, now);
        }
        if pod != before {
            self.news.push(news);
        }
        self.pods.insert(name.to_owned(), pod);
    }
}

/// The name of the pod that fetches an image (`types.GetBackingImageDataSourcePodName`).
pub fn source_pod(image: &str) -> String {
    format!("backing-image-ds-{image}")
}
