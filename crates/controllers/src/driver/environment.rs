//! The rest of the cluster: pods that serve files, downloads, finalizers. It goes
//! on when a manager process is replaced, as pods do.

use std::time::Duration;

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use tokio::task::JoinHandle;

use super::CurrentImage;
use super::caches::Caches;
use super::send::Sender;
use crate::pods::Pods;
use crate::trace::TraceItem;

/// How often the pods are looked at (the recordings' stand-in: two to three times a second).
const PERIOD: Duration = Duration::from_millis(400);

/// The running environment. Dropping it stops it.
#[derive(Debug)]
pub struct Environment {
    task: JoinHandle<()>,
}

impl Environment {
    /// Starts it on the current tokio runtime, with the manager image in force.
    pub fn start(sender: Sender, mut pods: Pods, image: CurrentImage) -> Self {
        let task = tokio::spawn(async move {
            let mut caches = Caches::watch(&sender.client, &sender.namespace);
            let mut rng = ChaCha8Rng::seed_from_u64(0);
            loop {
                sender.clock.sleep(PERIOD).await;
                if let Err(error) = caches.catch_up() {
                    sender.note(TraceItem::Trouble(error.to_string()));
                }
                if !caches.are_synced() {
                    continue;
                }
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
