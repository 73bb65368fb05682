//! LHC001 and LHC006: disks that share the prefix which the truncated names
//! consist of, and whether anybody fights over the name.
//!
//! A prefix alone is no fault, and neither is "in an image's spec, missing in
//! its status": both are needed together with a live manager of *another* disk
//! under the wanted name (Longhorn v1.9.1, `backing_image_controller.go:1211-1276`).

use std::collections::HashMap;

use fixname_longhorn::{BackingImage, BackingImageManager, Kind};
use fixname_naming::{ImageRef, ManagerName, Scheme};

use super::{finding, listed};
use crate::index::{Disk, Index, namespace_of, wanted};
use crate::report::{Code, Finding, FindingDisk, Role, Severity, State};
use crate::running::{Basis, Running};

const UPGRADE: &str = "Upgrade to Longhorn v1.10.2 or later, one minor version at a time \
                       (v1.9.2 is the first with the fix, longhorn#11455)";

/// The disks of one namespace that share a prefix, in the order of the input.
struct Group<'i, 'a> {
    namespace: &'a str,
    prefix: &'i str,
    filesystem: Vec<&'i Disk<'a>>,
    block: Vec<&'i Disk<'a>>,
}

pub(crate) fn check(index: &Index<'_>, running: &Running, findings: &mut Vec<Finding>) {
    for group in groups(index) {
        let mut notes = Vec::new();
        let contests = if running.is_safe() {
            Vec::new()
        } else {
            contests(index, running, &group, &mut notes)
        };
        // One disk is enough where the other one has left its node and the
        // manager has stayed, as it does up to v1.9.1 (longhorn#10983).
        if group.uuids().len() > 1 || !contests.is_empty() {
            findings.push(judge(index, running, &group, &contests, notes));
        } else if !group.block.is_empty() && group.block.len() + group.filesystem.len() > 1 {
            findings.push(harmless_block_disk(&group));
        }
    }
}

fn groups<'i, 'a>(index: &'i Index<'a>) -> Vec<Group<'i, 'a>> {
    let mut groups: Vec<Group<'i, 'a>> = Vec::new();
    let mut at: HashMap<(&str, &str), usize> = HashMap::new();
    for disk in &index.disks {
        let Some(prefix) = disk.uuid.prefix() else {
            continue;
        };
        let at = *at.entry((disk.namespace, prefix)).or_insert_with(|| {
            groups.push(Group {
                namespace: disk.namespace,
                prefix,
                filesystem: Vec::new(),
                block: Vec::new(),
            });
            groups.len() - 1
        });
        let group = &mut groups[at];
        if disk.block {
            group.block.push(disk);
        } else {
            group.filesystem.push(disk);
        }
    }
    groups
}

impl<'i> Group<'i, '_> {
    /// The different full UUIDs of its filesystem disks.
    fn uuids(&self) -> Vec<&'i str> {
        let mut uuids: Vec<&str> = Vec::new();
        for disk in &self.filesystem {
            if !uuids.contains(&disk.uuid.as_str()) {
                uuids.push(disk.uuid.as_str());
            }
        }
        uuids
    }
}

/// A wanted disk, the live manager that holds its name, and who wants it.
struct Contest<'i, 'a> {
    loser: &'i str,
    name: ManagerName,
    holder: &'a BackingImageManager,
    images: &'i [&'a BackingImage],
}

fn judge<'a>(
    index: &Index<'a>,
    running: &Running,
    group: &Group<'_, 'a>,
    contests: &[Contest<'_, 'a>],
    mut notes: Vec<String>,
) -> Finding {
    let (state, severity) = if running.is_safe() {
        (State::Cleared, Severity::Info)
    } else if !contests.is_empty() {
        (State::Active, Severity::Error)
    } else if may_be_fought_over(index, group) {
        (State::Unknown, Severity::Warning)
    } else {
        (State::Latent, Severity::Warning)
    };

    let mut found = finding(Code::SharedPrefix, state, severity, group.namespace);
    found.prefix = Some(group.prefix.to_owned());
    found.manager_name = match contests.first() {
        Some(contest) => Some(contest.name.as_str().to_owned()),
        None if running.is_safe() => None,
        None => running
            .truncated_name(&group.filesystem[0].uuid)
            .map(ManagerName::into_string),
    };
    for disk in &group.filesystem {
        let uuid = disk.uuid.as_str();
        let role = if contests.iter().any(|c| c.holder.spec.disk_uuid == uuid) {
            Role::Winner
        } else if contests.iter().any(|c| c.loser == uuid) {
            Role::Loser
        } else {
            Role::Member
        };
        found.disks.push(disk.as_finding(role));
    }
    if group.uuids().len() > 1 {
        found.evidence.push(shared(group));
    }
    for contest in contests {
        add_gone_winner(contest, &mut found);
    }
    add_block_disks(group, &mut found);
    if contests.is_empty() {
        found.backing_images = names(
            group
                .uuids()
                .iter()
                .flat_map(|uuid| index.images_wanting(group.namespace, uuid).iter().copied()),
        );
    } else {
        found.backing_images = names(contests.iter().flat_map(|c| c.images.iter().copied()));
        for contest in contests {
            explain(index, contest, &mut found);
        }
    }
    found.evidence.append(&mut notes);
    if state != State::Active {
        explain_quiet(index, running, state, &mut found);
    }
    found.advice = advice(index, group, state, contests);
    found
}

/// The manager of a disk that no node has any more still holds its name.
fn add_gone_winner(contest: &Contest<'_, '_>, found: &mut Finding) {
    let holder = &contest.holder.spec;
    if found.disks.iter().any(|d| d.disk_uuid == holder.disk_uuid) {
        return;
    }
    found.evidence.push(format!(
        "the disk {} that holds the name is on no node that was read",
        holder.disk_uuid
    ));
    found.disks.push(FindingDisk {
        node: holder.node_id.clone(),
        name: String::new(),
        disk_uuid: holder.disk_uuid.clone(),
        role: Role::Winner,
    });
}

fn shared(group: &Group<'_, '_>) -> String {
    let disks: Vec<String> = group
        .filesystem
        .iter()
        .map(|disk| format!("{} ({})", disk.place(), disk.uuid))
        .collect();
    format!(
        "the first four characters of {} different UUIDs of filesystem disks are {:?}: {}",
        group.uuids().len(),
        group.prefix,
        listed(&disks)
    )
}

fn add_block_disks(group: &Group<'_, '_>, found: &mut Finding) {
    if !group.block.is_empty() {
        let disks: Vec<String> = group
            .block
            .iter()
            .map(|disk| format!("{} ({})", disk.place(), disk.uuid))
            .collect();
        found.evidence.push(format!(
            "not counted, since block disks have no managers: {}",
            listed(&disks)
        ));
    }
}

/// The fights that go on now. What keeps a wanted disk out of one goes to `notes`.
fn contests<'i, 'a>(
    index: &'i Index<'a>,
    running: &Running,
    group: &Group<'i, 'a>,
    notes: &mut Vec<String>,
) -> Vec<Contest<'i, 'a>> {
    let namespace = group.namespace;
    let mut contests = Vec::new();
    for loser in group.uuids() {
        let images = index.images_wanting(namespace, loser);
        if images.is_empty() || index.managers_for(namespace, loser).next().is_some() {
            continue;
        }
        let wanted = format!(
            "{} {} {loser}, for which no live manager has the label",
            listed(&names(images.iter().copied())),
            if images.len() == 1 { "wants" } else { "want" }
        );
        let disk = group.filesystem.iter().find(|d| d.uuid.as_str() == loser);
        let uuid = match disk {
            Some(disk) => &disk.uuid,
            None => continue,
        };
        let held = running.manager_images.iter().find_map(|image| {
            let name = Scheme::Truncated.manager_name(image, uuid).ok()?;
            let holder = index.manager_named(namespace, name.as_str())?;
            // Held by its own manager is another finding (LHC003).
            (holder.spec.disk_uuid != loser).then_some((name, holder))
        });
        let Some((name, holder)) = held else {
            if index.inventory.has_read(Kind::BackingImageManager) {
                notes.push(format!(
                    "{wanted}; nothing holds its name, so it is waiting for something else"
                ));
            }
            continue;
        };
        if holder.is_deleting() {
            notes.push(format!(
                "{wanted}; its name {name} is held by a manager that is being deleted, which ends by itself"
            ));
            continue;
        }
        // Longhorn skips a disk that is not ready and gets to the end of its
        // loop, so nothing is stuck (`datastore/longhorn.go:2754-2773`).
        let places: Vec<_> = index.disks_with(namespace, loser).collect();
        if let Some(why) = places.first().and_then(|d| d.not_ready)
            && places.iter().all(|d| d.not_ready.is_some())
        {
            notes.push(format!(
                "{wanted}; its name {name} is held, but {why}, so Longhorn passes it over; \
                 the fight begins when it comes back"
            ));
            continue;
        }
        contests.push(Contest {
            loser,
            name,
            holder,
            images,
        });
    }
    contests
}

/// True if two disks of the group are wanted and the managers, which would tell,
/// were not read.
fn may_be_fought_over<'a>(index: &Index<'a>, group: &Group<'_, 'a>) -> bool {
    let wanted = group
        .uuids()
        .into_iter()
        .filter(|uuid| !index.images_wanting(group.namespace, uuid).is_empty());
    !index.inventory.has_read(Kind::BackingImageManager) && wanted.count() > 1
}

fn names<'a>(images: impl Iterator<Item = &'a BackingImage>) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for image in images {
        if !names.iter().any(|name| name == image.name()) {
            names.push(image.name().to_owned());
        }
    }
    names
}

/// What was compared for one fight, and who suffers besides the loser.
fn explain<'a>(index: &Index<'a>, contest: &Contest<'_, 'a>, found: &mut Finding) {
    let Contest {
        loser,
        name,
        holder,
        images,
    } = contest;
    found.evidence.push(format!(
        "no live manager has the label longhorn.io/disk-uuid={loser}, and the name it would get, \
         {name}, is held by the live manager with spec.diskUUID {} on node {:?}",
        holder.spec.disk_uuid, holder.spec.node_id
    ));
    for image in *images {
        let status = image.status.disk_file_status_map.as_ref();
        let entry = status.and_then(|map| map.get(*loser));
        found.evidence.push(match entry {
            None => format!(
                "backing image {} wants {loser} (spec.diskFileSpecMap), and has no entry for it in \
                 status.diskFileStatusMap",
                image.name()
            ),
            // The first copy was put on the loser: its entry froze before
            // anything had reported a state.
            Some(copy) => format!(
                "backing image {} wants {loser} (spec.diskFileSpecMap), and its entry in \
                 status.diskFileStatusMap stands still at state {:?}",
                image.name(),
                copy.state.as_str()
            ),
        });
        explain_freeze(index, contest, image, found);
    }
    let waiting: Vec<String> = index
        .inventory
        .replicas
        .iter()
        .filter(|r| r.spec.disk_id == *loser && names_image(images, &r.spec.backing_image))
        .filter(|r| r.status.current_state != "running")
        .map(|r| r.name().to_owned())
        .collect();
    if !waiting.is_empty() {
        found.evidence.push(format!(
            "replicas on {loser} that wait for the copy: {}",
            listed(&waiting)
        ));
    }
}

fn names_image(images: &[&BackingImage], name: &str) -> bool {
    images.iter().any(|image| image.name() == name)
}

/// One losing disk freezes the status of the whole image: what the managers of
/// its other disks report does not get there.
fn explain_freeze<'a>(
    index: &Index<'a>,
    contest: &Contest<'_, 'a>,
    image: &'a BackingImage,
    found: &mut Finding,
) {
    let namespace = namespace_of(image.metadata.namespace.as_ref());
    for uuid in wanted(image) {
        if uuid == contest.loser {
            continue;
        }
        let reported = index.managers_for(namespace, uuid).find_map(|manager| {
            let file = manager.status.backing_image_file_map.get(image.name())?;
            (file.uuid == image.status.uuid).then_some((manager, file))
        });
        let Some((manager, file)) = reported else {
            continue;
        };
        let status = image.status.disk_file_status_map.as_ref();
        match status.and_then(|map| map.get(uuid)) {
            Some(copy) if copy.state == file.state => {}
            Some(copy) => found.evidence.push(format!(
                "the status of backing image {} is frozen: {uuid} is {:?} there, and {:?} in manager {}",
                image.name(),
                copy.state.as_str(),
                file.state.as_str(),
                manager.name()
            )),
            None => {
                found.evidence.push(format!(
                    "the status of backing image {} is frozen: it has no entry for {uuid}, whose \
                     manager {} reports the file as {:?}",
                    image.name(),
                    manager.name(),
                    file.state.as_str()
                ));
                add_bystander(index, namespace, uuid, manager, found);
            }
        }
    }
}

fn add_bystander<'a>(
    index: &Index<'a>,
    namespace: &'a str,
    uuid: &str,
    manager: &BackingImageManager,
    found: &mut Finding,
) {
    let mut listed = false;
    for disk in found.disks.iter_mut().filter(|d| d.disk_uuid == uuid) {
        listed = true;
        if disk.role == Role::Member {
            disk.role = Role::Bystander;
        }
    }
    if listed {
        return;
    }
    let before = found.disks.len();
    let places = index.disks_with(namespace, uuid);
    found
        .disks
        .extend(places.map(|disk| disk.as_finding(Role::Bystander)));
    if found.disks.len() == before {
        found.disks.push(FindingDisk {
            node: manager.spec.node_id.clone(),
            name: String::new(),
            disk_uuid: uuid.to_owned(),
            role: Role::Bystander,
        });
    }
}

/// Why it is not active: which of the conditions does not hold, or was not read.
fn explain_quiet(index: &Index<'_>, running: &Running, state: State, found: &mut Finding) {
    if state == State::Cleared {
        let image = running.manager_images.first();
        let scheme = running.scheme.unwrap_or(Scheme::Sha224);
        found.evidence.push(match (scheme, image) {
            (Scheme::None, _) => "this version has no backing image managers".to_owned(),
            (_, Some(image)) => {
                let names: Vec<String> = found
                    .disks
                    .iter()
                    .filter_map(|disk| name_for(scheme, image, &disk.disk_uuid))
                    .collect();
                format!("their manager names differ: {}", listed(&names))
            }
            (_, None) => format!("this version names managers by {scheme} of image and full UUID"),
        });
        return;
    }
    if running.basis == Basis::Unknown {
        found.evidence.push(
            "which Longhorn runs is not known, so v1.9.1 or earlier is assumed; say it with \
             --longhorn"
                .to_owned(),
        );
    }
    for (kind, whether) in [
        (
            Kind::BackingImage,
            "whether a backing image wants these disks",
        ),
        (
            Kind::BackingImageManager,
            "whether a manager holds the name",
        ),
    ] {
        if !index.inventory.has_read(kind) {
            found.evidence.push(format!(
                "{}.longhorn.io were not read, so it is not known {whether}",
                kind.plural()
            ));
        }
    }
    if index.inventory.has_read(Kind::BackingImage) && found.backing_images.is_empty() {
        found
            .evidence
            .push("no backing image wants any of them".to_owned());
    }
}

fn name_for(scheme: Scheme, image: &ImageRef, uuid: &str) -> Option<String> {
    let name = scheme.manager_name(image, &uuid.into()).ok()?;
    Some(name.into_string())
}

fn advice<'a>(
    index: &Index<'a>,
    group: &Group<'_, 'a>,
    state: State,
    contests: &[Contest<'_, 'a>],
) -> String {
    match state {
        State::Cleared => "Nothing to do. Do not go back to v1.9.1 or earlier.".to_owned(),
        State::Latent => format!(
            "{UPGRADE}. Until then keep backing images off all but one of these disks: set \
             allowScheduling: false on the others."
        ),
        State::Unknown => format!(
            "Give the managers too and run this again: kubectl -n {} get \
             backingimagemanagers.longhorn.io -o json > managers.json",
            group.namespace
        ),
        State::Active => active_advice(index, group, contests),
    }
}

fn active_advice<'a>(
    index: &Index<'a>,
    group: &Group<'_, 'a>,
    contests: &[Contest<'_, 'a>],
) -> String {
    let mut text = format!("{UPGRADE}.");
    for contest in contests {
        let places: Vec<String> = index
            .disks_with(group.namespace, contest.loser)
            .map(Disk::place)
            .collect();
        let place = listed(&places);
        let mut droppable = Vec::new();
        for image in contest.images {
            if wanted(image) == [contest.loser] {
                text.push_str(&format!(
                    " Leave {} as it is: {} is the only disk it wants, and without any it is \
                     fetched anew, perhaps onto the same disk.",
                    image.name(),
                    contest.loser
                ));
            } else if is_source(index, image, contest.loser) {
                text.push_str(&format!(
                    " Leave {} as it is: its first copy is still being made on {place}, and the \
                     data source puts the disk back.",
                    image.name()
                ));
            } else {
                droppable.push(image.name().to_owned());
            }
        }
        if !droppable.is_empty() {
            text.push_str(&format!(
                " Until then, in this order: set allowScheduling: false on {place}, delete the \
                 replicas that wait there, and remove {} from spec.diskFileSpecMap of {}.",
                contest.loser,
                listed(&droppable)
            ));
        }
    }
    text
}

/// True if the image's data source still works on that disk. Such a disk comes
/// back into the spec by itself (Longhorn v1.9.1,
/// `backing_image_data_source_controller.go:382-423`).
fn is_source(index: &Index<'_>, image: &BackingImage, uuid: &str) -> bool {
    index.inventory.data_sources.iter().any(|source| {
        source.name() == image.name()
            && source.metadata.namespace == image.metadata.namespace
            && source.spec.disk_uuid == uuid
            && !source.spec.file_transferred
    })
}

fn harmless_block_disk(group: &Group<'_, '_>) -> Finding {
    let mut found = finding(
        Code::BlockDisk,
        State::Cleared,
        Severity::Info,
        group.namespace,
    );
    found.prefix = Some(group.prefix.to_owned());
    let disks = group.filesystem.iter().chain(&group.block);
    found.disks = disks.map(|disk| disk.as_finding(Role::Member)).collect();
    let block: Vec<String> = group.block.iter().map(|d| d.place()).collect();
    found.evidence.push(format!(
        "{} of type block, and block disks have no managers: {}",
        if block.len() == 1 {
            "1 disk is"
        } else {
            "these disks are"
        },
        listed(&block)
    ));
    found.advice =
        "Nothing to do; the knowledge base's script lists these disks all the same.".to_owned();
    found
}
