//! What the controllers around backing images have in common: who reconciles, what
//! is seen, and what comes out.

use fixname_longhorn::objects::condition;
use fixname_longhorn::{Condition, Kind};
use fixname_naming::ImageRef;
use jiff::Timestamp;

use crate::behaviour::Behaviour;
use crate::effect::{Effect, Event, EventType, Level, LogLine, Object, Tolerance, Write};
use crate::machines::{Call, Machines};
use crate::parts::Parts;
use crate::view::View;

/// Whose controllers these are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Seat {
    /// One process plays the managers of all nodes: for each object its owner, and
    /// where it has none that is up, one of a node that is.
    AllNodes,
    /// The manager of one node.
    Node(String),
}

/// What a reconcile works with.
#[derive(Clone, Copy, Debug)]
pub struct Desk<'a> {
    /// What the caches show.
    pub view: &'a View,
    /// What the machines show.
    pub machines: &'a Machines,
    /// The version's switches.
    pub behaviour: &'a Behaviour,
    /// The flag `--backing-image-manager-image`.
    pub manager_image: &'a ImageRef,
    /// Whose controllers these are.
    pub seat: &'a Seat,
    /// Which parts are played; the others are somebody else's.
    pub parts: Parts,
    /// The time.
    pub now: Timestamp,
}

/// What a reconcile does: first what it asks of the machines, then what it logs and
/// writes, in order, until a write fails.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Plan {
    /// Asked of the machines.
    pub calls: Vec<Call>,
    /// Logged, recorded and sent.
    pub effects: Vec<Effect>,
}

impl Desk<'_> {
    /// `isControllerResponsibleFor` (`controller/controller_manager.go:294-309` at
    /// v1.9.1): as which node to reconcile an object that `preferred` should own and
    /// `current` does; none if that is somebody else's.
    pub(crate) fn owner(&self, preferred: &str, current: &str) -> Option<String> {
        let is_away = |node: &str| node.is_empty() || self.view.is_down_or_gone(node);
        match self.seat {
            Seat::Node(me) => {
                let is_mine = me == preferred
                    || (me == current && is_away(preferred))
                    || (is_away(current) && is_away(preferred));
                is_mine.then(|| me.clone())
            }
            Seat::AllNodes => [preferred, current]
                .into_iter()
                .find(|node| !is_away(node))
                .map(str::to_owned)
                .or_else(|| {
                    let mut nodes = self.view.nodes.keys();
                    nodes.find(|node| !is_away(node)).cloned()
                }),
        }
    }

    pub(crate) fn is_current(&self, image: &str) -> bool {
        image == self.manager_image.as_str()
    }
}

impl Plan {
    pub(crate) fn call(&mut self, call: Call) {
        self.calls.push(call);
    }

    pub(crate) fn log(&mut self, level: Level, image: &str, message: String) {
        self.effects.push(Effect::Log(LogLine {
            level,
            message,
            error: None,
            image: image.to_owned(),
        }));
    }

    pub(crate) fn event(
        &mut self,
        kind: &'static str,
        name: &str,
        type_: EventType,
        reason: &'static str,
        message: String,
    ) {
        self.effects.push(Effect::Event(Event {
            kind,
            name: name.to_owned(),
            type_,
            reason,
            message,
        }));
    }

    /// Sends a write; if it is refused, the reconcile has failed.
    pub(crate) fn write(&mut self, write: Write) {
        self.effects.push(Effect::Write {
            write,
            tolerance: Tolerance::Strict,
            context: &[],
        });
    }

    /// Sends the last write of a reconcile: a conflict queues the object again.
    pub(crate) fn finish(&mut self, object: Object) {
        self.effects.push(Effect::Write {
            write: Write::UpdateStatus {
                object,
                adopted: false,
            },
            tolerance: Tolerance::Dropped,
            context: &[],
        });
    }

    /// Updates the object; a conflict queues it again.
    pub(crate) fn update(&mut self, object: Object) {
        self.effects.push(Effect::Write {
            write: Write::Update(object),
            tolerance: Tolerance::Dropped,
            context: &[],
        });
    }

    pub(crate) fn delete(&mut self, kind: Kind, name: &str) {
        self.effects.push(Effect::Write {
            write: Write::Delete(kind, name.to_owned()),
            tolerance: Tolerance::NotFound,
            context: &[],
        });
    }
}

/// `types.SetCondition`: the time of the change moves only with the status.
pub(crate) fn set_condition(
    conditions: &mut Vec<Condition>,
    type_: &str,
    status: bool,
    [reason, message]: [&str; 2],
    now: Timestamp,
) {
    let mut new = condition(type_, status, reason);
    message.clone_into(&mut new.message);
    new.last_transition_time = now.to_string();
    match conditions.iter_mut().find(|c| c.type_ == type_) {
        Some(old) => {
            if old.status == new.status {
                new.last_transition_time
                    .clone_from(&old.last_transition_time);
            }
            new.last_probe_time.clone_from(&old.last_probe_time);
            *old = new;
        }
        None => conditions.push(new),
    }
}
