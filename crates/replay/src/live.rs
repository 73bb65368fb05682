//! A model of Longhorn that plays on an embedded API server in real time, for
//! people and controllers that use the server meanwhile.

use std::time::Duration;

use fixname_apiserver::ApiServer;
use fixname_controllers::driver::{
    Admission, Exit, Longhorn, LonghornOptions, ModelClock, Sender, SharedMachines,
};
use fixname_controllers::webhooks::Webhooks;
use fixname_controllers::{Behaviour, Part, Parts, Seat, Trace};
use fixname_longhorn::NAMESPACE;
use fixname_naming::{LonghornVersion, manager_image_for};
use jiff::{SignedDuration, Timestamp};
use tokio::task::JoinHandle;

use crate::backend::BackendError;
use crate::webhooks::{Hook, Judged};

/// How long a download takes: long enough to be seen.
const DOWNLOAD: SignedDuration = SignedDuration::from_secs(5);

/// How long a crashed process stays away: the kubelet's first back-off.
const RESTART: Duration = Duration::from_secs(10);

/// What is played.
#[derive(Clone, Debug)]
pub struct LiveOptions {
    /// The version.
    pub longhorn: LonghornVersion,
    /// Which parts of it.
    pub parts: Parts,
    /// Where random choices come from. Time is real, so the same seed does not give
    /// the same run.
    pub seed: u64,
}

/// The running model. Dropping it stops it; its webhooks stay with the server.
#[derive(Debug)]
pub struct Live {
    manager: Option<JoinHandle<()>>,
}

impl Live {
    /// Starts to play on a server that has Longhorn's definitions and namespace, on
    /// the current tokio runtime. What is there already is not judged by the
    /// webhooks. One process does the work of the managers of all nodes, and is
    /// started again when it crashes; the machines go on. Every disk that a node's
    /// spec names is there, blank unless its status has a UUID, and every image can
    /// be fetched.
    ///
    /// # Errors
    ///
    /// [`BackendError`] for a version that is not modelled.
    pub fn start(
        server: &ApiServer,
        options: LiveOptions,
        trace: Trace,
    ) -> Result<Self, BackendError> {
        let LiveOptions {
            longhorn,
            parts,
            seed,
        } = options;
        let behaviour = Behaviour::of(&longhorn).map_err(BackendError::new)?;
        let manager_image = manager_image_for(&longhorn).map_err(BackendError::new)?;
        let manager_image = manager_image.image;
        let client = server.client(NAMESPACE);
        if parts.has(Part::Webhooks) {
            let webhooks = Webhooks::of(&longhorn).map_err(BackendError::new)?;
            let hook = Hook::new(webhooks, Judged::Everybody, server, seed);
            server.add_admission(hook);
        }
        let sender = Sender {
            client,
            namespace: NAMESPACE.to_owned(),
            trace,
            clock: ModelClock::new(Timestamp::now(), 1.0),
            admission: Admission::Cluster,
            latency: Duration::ZERO,
        };
        let machines = SharedMachines::default();
        machines.with(|machines| machines.offer_all(DOWNLOAD));
        let manager = LonghornOptions {
            behaviour,
            manager_image,
            seat: Seat::AllNodes,
            parts,
            cache_lag: Duration::ZERO,
            seed,
        };
        let is_played = Longhorn::runs(parts);
        Ok(Self {
            manager: is_played.then(|| tokio::spawn(keep_up(sender, machines, manager))),
        })
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        if let Some(manager) = &self.manager {
            manager.abort();
        }
    }
}

/// Runs a manager, and another one after each crash.
async fn keep_up(sender: Sender, machines: SharedMachines, mut options: LonghornOptions) {
    loop {
        let manager = Longhorn::start(sender.clone(), machines.clone(), options.clone());
        if manager.ended().await == Exit::Stopped {
            return;
        }
        options.seed = options.seed.wrapping_add(1);
        tokio::time::sleep(RESTART).await;
    }
}
