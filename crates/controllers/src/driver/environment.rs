//! The rest of the cluster: pods that serve files, downloads, finalizers. It goes
//! on when a manager process is replaced, as pods do.

use std::time::Duration;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use tokio::task::JoinHandle;

use super::CurrentImage;
use super::caches::Caches;
use super::send::Sender;
use crate::parts::{Part, Parts};
use crate::pods::{Pods, Reports};
use crate::trace::TraceItem;

/// How often, on average, the pods are looked at (the recordings' stand-in: two to three times a second).
const PERIOD: Duration = Duration::from_millis(400);

/// The running environment. Dropping it stops it.
#[derive(Debug)]
pub struct Environment {
    task: JoinHandle<()>,
}

impl Environment {
    /// True if any of these parts is played here.
    pub fn plays(parts: Parts) -> bool {
        parts.has_any(&[
            Part::BackingImageManager,
            Part::DataSource,
            Part::ManagerPods,
        ])
    }

    /// Starts it on the current tokio runtime, with the manager image in force.
    pub fn start(sender: Sender, pods: Pods, image: CurrentImage) -> Self {
        let (_, no_reports) = tokio::sync::watch::channel(Reports::new());
        Self::start_reporting(sender, pods, image, no_reports, 0)
    }

    /// Starts it, with what files are to be reported like, whatever else holds.
    /// The seed says when it looks: every 0.3 to 0.5 s, first after at most 0.4 s.
    pub fn start_reporting(
        sender: Sender,
        mut pods: Pods,
        image: CurrentImage,
        reports: tokio::sync::watch::Receiver<Reports>,
        seed: u64,
    ) -> Self {
        let task = tokio::spawn(async move {
            let mut caches = Caches::watch(&sender.client, &sender.namespace);
            let mut rng = ChaCha8Rng::seed_from_u64(seed);
            // It has been looking since before the processes began.
            let mut wait = PERIOD.mul_f64(rng.random::<f64>());
            loop {
                sender.clock.sleep(wait).await;
                wait = PERIOD.mul_f64(rng.random_range(0.75..1.25));
                if let Err(error) = caches.catch_up() {
                    sender.note(TraceItem::Trouble(error.to_string()));
                }
                if !caches.are_synced() {
                    continue;
                }
                pods.report(reports.borrow().clone());
                let current = image.borrow().clone();
                let effects = pods.pass(&caches.view, &current, sender.clock.now());
                let mut written = Vec::new();
                sender.carry_out(effects, &mut rng, &mut written).await;
                written
                    .into_iter()
                    .for_each(|object| caches.remember(object));
            }
        });
        Self { task }
    }
}

impl Drop for Environment {
    fn drop(&mut self) {
        self.task.abort();
    }
}
