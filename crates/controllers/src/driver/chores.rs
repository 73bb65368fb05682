//! What other controllers of a process do to backing images, on timers: the data
//! source controller, the node controller, the manager controller. Each round
//! runs beside the workers, so that their writes can meet.

use fixname_longhorn::{BackingImage, Node};
use rand_chacha::ChaCha8Rng;

use super::process::ProcessOptions;
use super::send::{Ended, Sender};
use crate::data_source;
use crate::effect::{Effect, Object};
use crate::missing_disk;
use crate::node;
use crate::view::{View, shuffled};

/// What a round brings back.
pub(super) struct Chore {
    /// The objects that it wrote.
    pub(super) written: Vec<Object>,
    /// It crashed the process.
    pub(super) panic: Option<String>,
}

/// One round: what the caches showed when it began, and what it has done since.
pub(super) struct Hand {
    sender: Sender,
    rng: ChaCha8Rng,
    view: View,
    options: ProcessOptions,
    done: Chore,
}

impl Hand {
    pub(super) fn new(
        sender: Sender,
        rng: ChaCha8Rng,
        view: View,
        options: ProcessOptions,
    ) -> Self {
        Self {
            sender,
            rng,
            view,
            options,
            done: Chore {
                written: Vec::new(),
                panic: None,
            },
        }
    }

    pub(super) async fn tend_data_sources(mut self) -> Chore {
        let series = data_source::sync_images(&self.view);
        self.carry_out(vec![series]).await;
        self.done
    }

    /// For each node: first the cleanup of unused copies, then the evictions.
    pub(super) async fn tend_nodes(mut self) -> Chore {
        let nodes: Vec<_> = self.view.nodes.values().cloned().collect();
        let nodes = shuffled(nodes, &mut self.rng);
        for node in nodes {
            let node: &Node = &node;
            let now = self.sender.clock.now();
            let series = node::clean_up_unused_copies(node, &self.view, now, &mut self.rng);
            self.carry_out(series).await;
            let behaviour = &self.options.behaviour;
            let series = node::sync_evictions(node, &self.view, behaviour, &mut self.rng);
            self.carry_out(series).await;
        }
        self.done
    }

    pub(super) async fn tend_missing_disks(mut self) -> Chore {
        let managers: Vec<_> = self.view.managers.values().cloned().collect();
        for manager in managers {
            let is_current = manager.spec.image == self.options.manager_image.as_str();
            if is_current && !manager.is_deleting() {
                let series = missing_disk::evict_copies(&manager, &self.view, &mut self.rng);
                self.carry_out(series).await;
            }
        }
        self.done
    }

    /// Carries out series that do not depend on each other. What is written
    /// shows in the view, as Longhorn waits until its caches have it.
    async fn carry_out(&mut self, series: Vec<Vec<Effect>>) {
        for effects in series {
            if self.done.panic.is_some() {
                return;
            }
            let before = self.done.written.len();
            let ended = self
                .sender
                .carry_out(effects, &mut self.rng, &mut self.done.written)
                .await;
            for object in &self.done.written[before..] {
                if let Object::BackingImage(image) = object {
                    let image = BackingImage::clone(image);
                    self.view
                        .images
                        .insert(image.name().to_owned(), image.into());
                }
            }
            if let Ended::Panicked(text) = ended {
                self.done.panic = Some(text);
            }
        }
    }
}
