//! What the node controller does to backing images: it asks for the eviction of
//! the copies on a disk, and drops copies that nobody has used for long
//! (`controller/node_controller.go:1147-1263` and `1651-1712` at v1.9.1).

use std::collections::{BTreeMap, BTreeSet};

use fixname_longhorn::{BackingImage, CopyState, Node};
use jiff::{SignedDuration, Timestamp};
use rand::Rng;

use crate::behaviour::Behaviour;
use crate::defect::Defect;
use crate::effect::{Effect, Event, EventType, Level, LogLine, Object, Tolerance, Write};
use crate::view::{View, shuffled};

/// `cleanUpBackingImagesInDisks`: for each image, what is done to it. The series
/// are independent: an error in one does not end the others.
pub fn clean_up_unused_copies(
    node: &Node,
    view: &View,
    now: Timestamp,
    rng: &mut impl Rng,
) -> Vec<Vec<Effect>> {
    let minutes = view.number("backing-image-cleanup-wait-interval");
    let wait = SignedDuration::from_mins(minutes);
    let mut series = Vec::new();
    for image in shuffled(view.images.values(), rng) {
        let is_transferred = view
            .data_sources
            .get(image.name())
            .is_some_and(|source| source.spec.file_transferred);
        if !is_transferred {
            continue;
        }
        let unused = unused_copies(node, image, wait, now, rng);
        if unused.is_empty() {
            continue;
        }
        let mut changed = BackingImage::clone(image);
        let mut effects = Vec::new();
        for uuid in unused {
            effects.push(log(
                image.name(),
                Level::Info,
                format!(
                    "Cleaning up the unused file in disk {uuid} for backing image {}",
                    image.name()
                ),
            ));
            if let Some(wanted) = &mut changed.spec.disk_file_spec_map {
                wanted.remove(&uuid);
            }
        }
        effects.push(Effect::Write {
            write: Write::Update(Object::BackingImage(Box::new(changed))),
            tolerance: Tolerance::Warned {
                message: "Failed to update backing image when cleaning up the images in disks",
                with_error: true,
            },
            context: &[],
        });
        series.push(effects);
    }
    series
}

/// `BackingImageDiskFileCleanup`: the wanted disks of this node whose copy has
/// been unused for long enough and is not needed for the minimum. Ready copies
/// are kept first, then those on their way, then failed ones.
fn unused_copies(
    node: &Node,
    image: &BackingImage,
    wait: SignedDuration,
    now: Timestamp,
    rng: &mut impl Rng,
) -> Vec<String> {
    let (Some(wanted), Some(last)) = (
        &image.spec.disk_file_spec_map,
        &image.status.disk_last_ref_at_map,
    ) else {
        return Vec::new();
    };
    let class = |uuid: &str| {
        let copies = image.status.disk_file_status_map.as_ref();
        match copies.and_then(|map| map.get(uuid)).map(|copy| &copy.state) {
            Some(CopyState::Ready | CopyState::ReadyForTransfer) => Class::Ready,
            Some(CopyState::Failed) => Class::Failed,
            _ => Class::Handling,
        }
    };
    let mut counts = BTreeMap::from([(Class::Ready, 0), (Class::Handling, 0), (Class::Failed, 0)]);
    for uuid in wanted.keys() {
        *counts.entry(class(uuid)).or_default() += 1;
    }
    let minimum = image.spec.min_number_of_copies.max(1);

    let mut unused: BTreeSet<String> = BTreeSet::new();
    let mut found = Vec::new();
    for disk in shuffled(node.status.disk_status.values(), rng) {
        let uuid = &disk.disk_uuid;
        let due = last
            .get(uuid)
            .and_then(|since| since.parse::<Timestamp>().ok())
            .and_then(|since| since.checked_add(wait).ok());
        if !wanted.contains_key(uuid) || unused.contains(uuid) || due.is_none_or(|due| now <= due) {
            continue;
        }
        let class = class(uuid);
        // What would be left of this and the better classes.
        let enough: i64 = counts.range(..=class).map(|(_, n)| n).sum();
        if minimum >= enough {
            continue;
        }
        *counts.entry(class).or_default() -= 1;
        unused.insert(uuid.clone());
        found.push(uuid.clone());
    }
    found
}

/// How well a copy counts, best first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Class {
    Ready,
    Handling,
    Failed,
}

/// `syncBackingImageEvictionRequested`: sets and clears the eviction flag of the
/// copies on this node's disks. It goes by the *status* of images, so a disk
/// that never got its copy is never marked; and nothing at all is done unless
/// the node or one of its disks is being evicted, so that cancelling the last
/// eviction leaves the flags as they are.
pub fn sync_evictions(
    node: &Node,
    view: &View,
    behaviour: &Behaviour,
    rng: &mut impl Rng,
) -> Vec<Vec<Effect>> {
    let whole = node.spec.eviction_requested;
    if !whole && !node.spec.disks.values().any(|d| d.eviction_requested) {
        return Vec::new();
    }
    let mut images: BTreeMap<&str, BackingImage> = BTreeMap::new();
    let mut changes = Vec::new();
    let mut series = Vec::new();
    for (name, disk) in shuffled(node.spec.disks.iter(), rng) {
        let uuid = match node.status.disk_status.get(name) {
            Some(status) => status.disk_uuid.as_str(),
            None => "",
        };
        let requested = whole || disk.eviction_requested;
        for image in shuffled(view.images.values(), rng) {
            let copies = image.status.disk_file_status_map.as_ref();
            let is_reported = copies.is_some_and(|map| map.contains_key(uuid));
            if !is_reported && !behaviour.has(Defect::EvictsByWish) {
                continue;
            }
            let changed = images
                .entry(image.name())
                .or_insert_with(|| BackingImage::clone(image));
            let wanted = changed.spec.disk_file_spec_map.as_mut();
            let copy = wanted.and_then(|map| map.get_mut(uuid));
            let Some(copy) = copy else {
                if behaviour.repeats_eviction_requests && requested {
                    series.push(vec![Effect::Panic(crate::driver::NIL_POINTER.to_owned())]);
                    return series;
                }
                continue;
            };
            let repeats = behaviour.repeats_eviction_requests && requested;
            if copy.eviction_requested != requested || repeats {
                copy.eviction_requested = requested;
                changes.push((image.name(), uuid, requested));
            }
        }
    }
    // The objects are shared by all changes, and sent once for each.
    for (name, uuid, requested) in changes {
        let Some(image) = images.get(name) else {
            continue;
        };
        series.push(eviction(node, image, uuid, requested));
    }
    series
}

fn eviction(node: &Node, image: &BackingImage, uuid: &str, requested: bool) -> Vec<Effect> {
    let (reason, message, failure) = if requested {
        (
            "EvictionUserRequested",
            "Requesting backing image copy eviction",
            "Failed to requesting backing image copy eviction, will enqueue then resync the node",
        )
    } else {
        (
            "EvictionCanceled",
            "Cancelling backing image copy eviction",
            "Failed to cancelling backing image copy eviction, will enqueue then resync the node",
        )
    };
    vec![
        log(image.name(), Level::Info, message.to_owned()),
        Effect::Write {
            write: Write::Update(Object::BackingImage(Box::new(image.clone()))),
            tolerance: Tolerance::Warned {
                message: failure,
                with_error: false,
            },
            context: &[],
        },
        Effect::Event(Event {
            kind: "BackingImage",
            name: image.name().to_owned(),
            type_: EventType::Normal,
            reason,
            message: format!("{message} from node {} and disk {uuid}", node.name()),
        }),
    ]
}

fn log(image: &str, level: Level, message: String) -> Effect {
    Effect::Log(LogLine {
        level,
        message,
        error: None,
        image: image.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use fixname_longhorn::{BackingImageDataSource, CopySpec, CopyStatus, DiskSpec, DiskStatus};
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    use super::*;

    const NOW: Timestamp = Timestamp::constant(1_762_214_400, 0);

    fn rng() -> ChaCha8Rng {
        ChaCha8Rng::seed_from_u64(1)
    }

    fn node(disks: &[(&str, bool)]) -> Node {
        let mut node = Node::named("node-1");
        for (uuid, evicting) in disks {
            let spec = DiskSpec {
                eviction_requested: *evicting,
                ..DiskSpec::default()
            };
            let status = DiskStatus {
                disk_uuid: (*uuid).to_owned(),
                ..DiskStatus::default()
            };
            node.spec.disks.insert(format!("disk-{uuid}"), spec);
            node.status
                .disk_status
                .insert(format!("disk-{uuid}"), status);
        }
        node
    }

    /// An image that wants `wanted`, with a status for `reported`, both last used an hour ago.
    fn view(wanted: &[&str], reported: &[(&str, CopyState)], minimum: i64) -> View {
        let mut image = BackingImage::named("parrot");
        let wish = |uuid: &&str| ((*uuid).to_owned(), CopySpec::default());
        image.spec.disk_file_spec_map = Some(wanted.iter().map(wish).collect());
        image.spec.min_number_of_copies = minimum;
        let hour_ago = (NOW - SignedDuration::from_mins(61)).to_string();
        let last = wanted.iter().map(|u| ((*u).to_owned(), hour_ago.clone()));
        image.status.disk_last_ref_at_map = Some(last.collect());
        let copies = reported.iter().map(|(uuid, state)| {
            let copy = CopyStatus {
                state: state.clone(),
                ..CopyStatus::default()
            };
            ((*uuid).to_owned(), copy)
        });
        image.status.disk_file_status_map = Some(copies.collect());
        let mut source = BackingImageDataSource::named("parrot");
        source.spec.file_transferred = true;
        let mut view = View::default();
        view.images.insert("parrot".to_owned(), Arc::new(image));
        view.data_sources
            .insert("parrot".to_owned(), Arc::new(source));
        view
    }

    fn written(series: &[Vec<Effect>]) -> Vec<Vec<(String, bool)>> {
        let writes = series.iter().flatten().filter_map(|effect| match effect {
            Effect::Write {
                write: Write::Update(Object::BackingImage(image)),
                ..
            } => Some(image.spec.disk_file_spec_map.clone().unwrap()),
            _ => None,
        });
        writes
            .map(|map| {
                map.into_iter()
                    .map(|(uuid, copy)| (uuid, copy.eviction_requested))
                    .collect()
            })
            .collect()
    }

    #[test]
    fn an_unused_copy_goes_only_if_enough_of_its_class_and_better_ones_stay() {
        use CopyState::{Failed, Ready};
        let node = node(&[("a", false), ("b", false), ("c", false)]);
        let drops = |reported: &[(&str, CopyState)], minimum| {
            let view = view(&["a", "b", "c"], reported, minimum);
            let series = clean_up_unused_copies(&node, &view, NOW, &mut rng());
            written(&series).first().map_or(0, |left| 3 - left.len())
        };
        let three = [("a", Ready), ("b", Ready), ("c", Ready)];
        assert_eq!(drops(&three, 3), 0);
        assert_eq!(drops(&three, 2), 1);
        assert_eq!(drops(&three, 1), 2);
        // The failed one goes first; a missing one counts as on its way.
        assert_eq!(drops(&[("a", Ready), ("b", Ready), ("c", Failed)], 2), 1);
        assert_eq!(drops(&[("a", Ready), ("b", Ready)], 2), 1);
        assert_eq!(drops(&[("a", Ready)], 1), 2);
    }

    #[test]
    fn a_copy_without_a_last_reference_is_never_unused() {
        let mut view = view(&["a", "b"], &[("a", CopyState::Ready)], 1);
        let nothing = Some(BTreeMap::new());
        (view.images).edit("parrot", |i| i.status.disk_last_ref_at_map = nothing);
        let node = node(&[("a", false), ("b", false)]);
        assert!(clean_up_unused_copies(&node, &view, NOW, &mut rng()).is_empty());
    }

    #[test]
    fn eviction_marks_what_the_status_has_and_the_spec_wants() {
        let behaviour = Behaviour::of(&"v1.9.1".parse().unwrap()).unwrap();
        let view = view(&["a", "b"], &[("a", CopyState::Ready)], 1);
        let node = node(&[("a", true), ("b", true)]);
        let series = sync_evictions(&node, &view, &behaviour, &mut rng());
        let expected = [("a".to_owned(), true), ("b".to_owned(), false)];
        assert_eq!(written(&series), [expected.to_vec()]);
        let event = series[0].iter().find_map(|effect| match effect {
            Effect::Event(event) => Some(event.text()),
            _ => None,
        });
        assert_eq!(
            event.as_deref(),
            Some(
                "BackingImage/parrot Normal EvictionUserRequested: Requesting backing image copy eviction from node node-1 and disk a"
            )
        );
    }

    #[test]
    fn before_v1_9_1_a_copy_with_a_status_but_no_wish_crashes_the_process() {
        let old = Behaviour::of(&"v1.8.1".parse().unwrap()).unwrap();
        let new = Behaviour::of(&"v1.9.1".parse().unwrap()).unwrap();
        let view = view(&["b"], &[("a", CopyState::Ready)], 1);
        let node = node(&[("a", true)]);
        let series = sync_evictions(&node, &view, &old, &mut rng());
        assert!(matches!(series[0][..], [Effect::Panic(_)]));
        assert!(sync_evictions(&node, &view, &new, &mut rng()).is_empty());
    }
}
