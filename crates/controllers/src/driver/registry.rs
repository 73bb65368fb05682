//! What a process runs: controllers with a work queue, and rounds on a timer. A new
//! one is one entry here; the loop in `process` knows none of them by name.

use std::time::Duration;

use futures::future::BoxFuture;
use rand_chacha::ChaCha8Rng;

use super::caches::Seen;
use super::chores::{Chore, Hand};
use super::triggers;
use crate::backing_image::{self, Context};
use crate::behaviour::Behaviour;
use crate::effect::Effect;
use crate::parts::Part;
use crate::view::View;

/// A controller with a work queue of names.
pub(super) struct Controller {
    /// The part of the model that it belongs to.
    pub(super) part: Part,
    /// What it works on, in its own words: `backing image`.
    pub(super) kind: &'static str,
    /// One reconcile of the object of that name.
    pub(super) reconcile: fn(&str, &View, &Context<'_>, &mut ChaCha8Rng) -> Vec<Effect>,
    /// The names that a change concerns, as the caches show it now.
    pub(super) triggers: fn(&Seen, &View, &Behaviour) -> Vec<String>,
    /// All names: what a resync queues.
    pub(super) all: fn(&View) -> Vec<String>,
    /// The node whose manager owns the object of that name.
    pub(super) owner: for<'a> fn(&str, &'a View) -> Option<&'a str>,
}

/// Something done again and again, whatever has changed.
pub(super) struct Round {
    /// The part of the model that it belongs to.
    pub(super) part: Part,
    /// From the start of one to the start of the next; the first comes within one.
    pub(super) period: Duration,
    /// The versions that do it.
    pub(super) applies: fn(&Behaviour) -> bool,
    /// One time.
    pub(super) once: fn(Hand) -> BoxFuture<'static, Chore>,
}

/// The controllers. Their order is that in which they get their turn.
pub(super) const CONTROLLERS: &[Controller] = &[Controller {
    part: Part::BackingImage,
    kind: "backing image",
    reconcile: backing_image::reconcile,
    triggers: triggers::backing_images,
    all: |view| view.images.keys().cloned().collect(),
    owner: |name, view| Some(view.images.get(name)?.status.owner_id.as_str()),
}];

/// The rounds. The recordings' stand-ins had these periods; the real controllers do
/// it at events of their own objects and every 30 s.
pub(super) const ROUNDS: &[Round] = &[
    Round {
        part: Part::DataSource,
        period: Duration::from_secs(1),
        applies: |_| true,
        once: |hand| Box::pin(hand.tend_data_sources()),
    },
    Round {
        part: Part::Node,
        period: Duration::from_secs(5),
        applies: |_| true,
        once: |hand| Box::pin(hand.tend_nodes()),
    },
    Round {
        part: Part::BackingImageManager,
        period: Duration::from_secs(5),
        applies: |behaviour| behaviour.evicts_missing_disks,
        once: |hand| Box::pin(hand.tend_missing_disks()),
    },
];

/// The parts that run in a process; the others are the cluster around it.
pub(super) fn parts() -> impl Iterator<Item = Part> {
    let controllers = CONTROLLERS.iter().map(|controller| controller.part);
    controllers.chain(ROUNDS.iter().map(|round| round.part))
}
