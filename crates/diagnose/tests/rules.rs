//! One small cluster for each thing that a rule has to tell apart.

use fixname_diagnose::{Code, Finding, Options, Role, State, diagnose};
use fixname_longhorn::{
    BackingImage, BackingImageDataSource, BackingImageManager, CopySpec, CopyState, Coverage,
    CoverageState, DataEngine, DiskType, FileRecord, Inventory, Kind, LABEL_DISK_UUID, Node,
    objects::condition,
};
use fixname_naming::{ImageRef, Scheme};

const A: &str = "c01200da-8a5c-4692-92e6-c4a983087951";
const B: &str = "c012eb76-f8eb-4ea1-b81d-472eac9d98bf";
const C: &str = "7b1d2c3e-0000-4000-8000-000000000001";
const IMAGE: &str = "longhornio/backing-image-manager:v1.9.1";

/// A cluster where all of its kinds were read.
fn cluster(disks: &[&str]) -> Inventory {
    let read = |kind: &Kind| Coverage {
        kind: *kind,
        state: CoverageState::Read {
            objects: 0,
            sources: vec![],
        },
        notes: vec![],
    };
    Inventory {
        nodes: disks
            .iter()
            .enumerate()
            .map(|(at, uuid)| {
                let mut node = Node::named(&format!("node-{}", at + 1));
                let disk = node.status.disk_status.entry("disk".into()).or_default();
                disk.disk_uuid = (*uuid).to_owned();
                disk.disk_type = DiskType::Filesystem;
                node
            })
            .collect(),
        coverage: Kind::ALL.iter().map(read).collect(),
        ..Inventory::default()
    }
}

fn image(name: &str, disks: &[&str]) -> BackingImage {
    let mut image = BackingImage::named(name);
    let wanted = disks.iter().map(|d| ((*d).to_owned(), CopySpec::default()));
    image.spec.disk_file_spec_map = Some(wanted.collect());
    image.status.uuid = "0a9b33ef".to_owned();
    image
}

fn manager(uuid: &str) -> BackingImageManager {
    manager_of(uuid, IMAGE)
}

fn manager_of(uuid: &str, image: &str) -> BackingImageManager {
    let name = Scheme::Truncated.manager_name(&ImageRef::new(image), &uuid.into());
    let mut manager = BackingImageManager::named(name.expect("an ordinary UUID").as_str());
    manager.spec.disk_uuid = uuid.to_owned();
    manager.spec.image = image.to_owned();
    manager.spec.node_id = "node-1".to_owned();
    let label = (LABEL_DISK_UUID.to_owned(), uuid.to_owned());
    manager.metadata.labels = Some([label].into());
    manager
}

fn judge(inventory: &Inventory) -> Vec<Finding> {
    diagnose(inventory, &Options::default()).findings
}

fn only(inventory: &Inventory) -> Finding {
    let mut findings = judge(inventory);
    assert_eq!(findings.len(), 1, "{findings:#?}");
    findings.remove(0)
}

fn roles(finding: &Finding) -> Vec<(&str, Role)> {
    let disks = finding.disks.iter();
    disks.map(|d| (d.disk_uuid.as_str(), d.role)).collect()
}

fn says(finding: &Finding, words: &str) -> bool {
    finding.evidence.iter().any(|line| line.contains(words))
}

/// The same object, marked for deletion but still there.
fn deleting<T: serde::Serialize + serde::de::DeserializeOwned>(object: &T) -> T {
    let mut value = serde_json::to_value(object).expect("the objects are plain data");
    value["metadata"]["deletionTimestamp"] = "2025-08-20T19:11:52Z".into();
    serde_json::from_value(value).expect("it was one a moment ago")
}

#[test]
fn a_manager_of_another_disk_under_the_wanted_name_is_a_fight() {
    let mut cluster = cluster(&[A, B]);
    cluster.backing_images = vec![image("parrot", &[A, B])];
    cluster.managers = vec![manager(A)];
    let found = only(&cluster);
    assert_eq!(found.state, State::Active);
    assert_eq!(roles(&found), [(A, Role::Winner), (B, Role::Loser)]);
    assert_eq!(found.backing_images, ["parrot"]);
}

#[test]
fn a_prefix_that_nobody_fights_over_is_latent() {
    let mut cluster = cluster(&[A, B, C]);
    assert_eq!(only(&cluster).state, State::Latent);
    cluster.backing_images = vec![image("parrot", &[A, C])];
    cluster.managers = vec![manager(A), manager(C)];
    assert_eq!(only(&cluster).state, State::Latent);
    // B is wanted, and its manager is about to be made.
    cluster.backing_images = vec![image("parrot", &[B])];
    cluster.managers = vec![];
    let found = only(&cluster);
    assert_eq!(found.state, State::Latent);
    assert!(says(&found, "nothing holds its name"));
}

#[test]
fn a_terminating_manager_is_no_fight() {
    let mut cluster = cluster(&[A, B]);
    cluster.backing_images = vec![image("parrot", &[A, B])];
    cluster.managers = vec![deleting(&manager(A))];
    let found = only(&cluster);
    assert_eq!(found.state, State::Latent);
    assert!(says(&found, "held by a manager that is being deleted"));
}

#[test]
fn an_image_that_is_being_deleted_wants_nothing() {
    let mut cluster = cluster(&[A, B]);
    cluster.backing_images = vec![deleting(&image("parrot", &[A, B]))];
    cluster.managers = vec![manager(A)];
    let found = only(&cluster);
    assert_eq!(found.state, State::Latent);
    assert!(says(&found, "no backing image wants any of them"));
}

#[test]
fn v2_copies_have_no_managers() {
    let mut cluster = cluster(&[A, B]);
    let mut parrot = image("parrot", &[A, B]);
    let map = parrot.spec.disk_file_spec_map.as_mut().unwrap();
    map.get_mut(B).unwrap().data_engine = DataEngine::V2;
    cluster.backing_images = vec![parrot];
    cluster.managers = vec![manager(A)];
    assert_eq!(only(&cluster).state, State::Latent);
}

#[test]
fn images_from_before_v1_7_want_their_disks_too() {
    let mut cluster = cluster(&[A, B]);
    let mut old = BackingImage::named("old");
    old.spec.disks = [A, B].map(|d| (d.to_owned(), String::new())).into();
    cluster.backing_images = vec![old];
    cluster.managers = vec![manager(A)];
    assert_eq!(only(&cluster).state, State::Active);
}

#[test]
fn the_first_copy_on_the_loser_is_seen_though_it_has_an_entry() {
    let mut cluster = cluster(&[A, B]);
    let mut parrot = image("parrot", &[B]);
    let frozen = [(B.to_owned(), fixname_longhorn::CopyStatus::default())];
    parrot.status.disk_file_status_map = Some(frozen.into());
    cluster.backing_images = vec![parrot, image("other", &[A])];
    cluster.managers = vec![manager(A)];
    let found = only(&cluster);
    assert_eq!(found.state, State::Active);
    assert_eq!(found.backing_images, ["parrot"]);
    assert!(says(&found, "stands still at state \"\""));
    assert!(
        found.advice.contains("is the only disk it wants"),
        "{}",
        found.advice
    );
}

#[test]
fn the_advice_never_drops_a_data_sources_own_disk() {
    let mut cluster = cluster(&[A, B]);
    cluster.backing_images = vec![image("parrot", &[A, B])];
    cluster.managers = vec![manager(A)];
    let mut source = BackingImageDataSource::named("parrot");
    source.spec.disk_uuid = B.to_owned();
    cluster.data_sources = vec![source];
    let advice = only(&cluster).advice;
    assert!(
        advice.contains("the data source puts the disk back"),
        "{advice}"
    );
    assert!(!advice.contains("remove c012eb76"), "{advice}");
    cluster.data_sources[0].spec.file_transferred = true;
    assert!(only(&cluster).advice.contains("remove c012eb76"));
}

#[test]
fn only_a_copy_that_its_manager_reports_makes_a_bystander() {
    let mut cluster = cluster(&[A, B, C]);
    cluster.backing_images = vec![image("parrot", &[A, B, C])];
    let mut bystander = manager(C);
    let file = FileRecord {
        uuid: "another".to_owned(),
        state: CopyState::Ready,
        ..FileRecord::default()
    };
    bystander
        .status
        .backing_image_file_map
        .insert("parrot".to_owned(), file);
    cluster.managers = vec![manager(A), bystander];
    assert_eq!(
        roles(&only(&cluster)),
        [(A, Role::Winner), (B, Role::Loser)]
    );

    let files = &mut cluster.managers[1].status.backing_image_file_map;
    files.get_mut("parrot").unwrap().uuid = "0a9b33ef".to_owned();
    assert_eq!(
        roles(&only(&cluster)),
        [(A, Role::Winner), (B, Role::Loser), (C, Role::Bystander)]
    );
}

#[test]
fn the_manager_of_a_removed_disk_still_holds_its_name() {
    let mut cluster = cluster(&[B]);
    cluster.backing_images = vec![image("parrot", &[B, C])];
    cluster.managers = vec![manager(A)];
    let found = only(&cluster);
    assert_eq!(found.state, State::Active);
    assert_eq!(roles(&found), [(B, Role::Loser), (A, Role::Winner)]);
    assert!(says(&found, "is on no node that was read"));
}

#[test]
fn one_uuid_on_two_disks_is_another_finding() {
    let found = only(&cluster(&[A, A]));
    assert_eq!(found.code, Code::SameUuid);
    assert_eq!(found.disks.len(), 2);
    let mut codes: Vec<Code> = judge(&cluster(&[A, A, B])).iter().map(|f| f.code).collect();
    codes.sort();
    assert_eq!(codes, [Code::SharedPrefix, Code::SameUuid]);
}

#[test]
fn one_node_given_twice_is_one_disk() {
    let mut cluster = cluster(&[A]);
    cluster.nodes.push(cluster.nodes[0].clone());
    assert!(judge(&cluster).is_empty());
}

#[test]
fn block_disks_are_told_apart() {
    let block = |at: usize| {
        let mut cluster = cluster(&[A, B]);
        for node in &mut cluster.nodes[at..] {
            node.status.disk_status[0].disk_type = DiskType::Block;
        }
        cluster
    };
    for at in [0, 1] {
        let found = only(&block(at));
        assert_eq!((found.code, found.state), (Code::BlockDisk, State::Cleared));
    }
    assert!(!diagnose(&block(1), &Options::default()).has_problem());
    let mut three = cluster(&[A, B, "c0120000-0000-4000-8000-000000000000"]);
    three.nodes[2].status.disk_status[0].disk_type = DiskType::Block;
    let found = only(&three);
    assert_eq!(found.code, Code::SharedPrefix);
    assert_eq!(found.disks.len(), 2);
    assert!(says(&found, "block disks have no managers: node-3/disk"));
}

#[test]
fn a_stripped_label_is_no_collision() {
    let mut cluster = cluster(&[A, C]);
    cluster.backing_images = vec![image("parrot", &[A])];
    cluster.managers = vec![manager(A)];
    assert!(judge(&cluster).is_empty());
    for labels in [
        None,
        Some([(LABEL_DISK_UUID.to_owned(), C.to_owned())].into()),
    ] {
        cluster.managers[0].metadata.labels = labels;
        let found = only(&cluster);
        assert_eq!(found.code, Code::UnlabelledManager);
        assert_eq!(found.state, State::Active);
        assert!(
            found
                .advice
                .ends_with(&format!("longhorn.io/disk-uuid={A}"))
        );
    }
}

#[test]
fn hand_made_uuids_are_judged_by_the_name_they_would_give() {
    let upper = A.to_uppercase();
    for uuid in [upper.as_str(), "c01", "c0 2eb76", "cée", "c01é"] {
        let mut cluster = cluster(&[uuid]);
        let found = only(&cluster);
        assert_eq!(
            (found.code, found.state),
            (Code::UnusableUuid, State::Latent),
            "{uuid}"
        );
        cluster.backing_images = vec![image("parrot", &[uuid])];
        assert_eq!(only(&cluster).state, State::Active, "{uuid}");
        cluster
            .coverage
            .retain(|c| c.kind != Kind::BackingImageManager);
        assert_eq!(only(&cluster).state, State::Unknown, "{uuid}");
        let options = Options {
            longhorn: Some(fixname_naming::resolve(&"v1.9.2".parse().unwrap()).unwrap()),
            ..Options::default()
        };
        assert!(diagnose(&cluster, &options).findings.is_empty(), "{uuid}");
    }
    // Upper and lower case are two prefixes to Longhorn, and two names.
    let codes: Vec<Code> = judge(&cluster(&[A, &B.to_uppercase()]))
        .iter()
        .map(|f| f.code)
        .collect();
    assert_eq!(codes, [Code::UnusableUuid]);
}

#[test]
fn managers_of_two_images_cannot_be_told_from_an_upgrade() {
    let mut cluster = cluster(&[A, C]);
    cluster.managers = vec![
        manager(A),
        manager_of(C, "longhornio/backing-image-manager:v1.9.0"),
    ];
    let found = only(&cluster);
    assert_eq!(
        (found.code, found.state),
        (Code::TwoManagerImages, State::Unknown)
    );
    cluster.managers[1] = deleting(&cluster.managers[1]);
    assert!(judge(&cluster).is_empty());
}

#[test]
fn a_disk_that_is_passed_over_is_not_stuck() {
    let not_ready: [fn(&mut Node); 3] = [
        |node| node.status.conditions = vec![condition("Ready", false, "")],
        |node| node.status.disk_status[0].conditions = vec![condition("Ready", false, "")],
        |node| {
            node.spec
                .disks
                .insert("another".to_owned(), Default::default());
        },
    ];
    for change in not_ready {
        let mut cluster = cluster(&[A, B]);
        cluster.backing_images = vec![image("parrot", &[A, B])];
        cluster.managers = vec![manager(A)];
        change(&mut cluster.nodes[1]);
        let found = only(&cluster);
        assert_eq!(found.state, State::Latent, "{found:#?}");
        assert!(says(&found, "so Longhorn passes it over"));
    }
}

#[test]
fn two_namespaces_are_two_clusters() {
    let mut cluster = cluster(&[A, B]);
    cluster.nodes[1].metadata.namespace = Some("another".to_owned());
    assert!(judge(&cluster).is_empty());
}

#[test]
fn a_disk_without_a_uuid_is_not_judged_and_the_coverage_says_so() {
    let report = diagnose(&cluster(&[A, ""]), &Options::default());
    assert!(report.findings.is_empty());
    assert_eq!(
        report.coverage[0].notes,
        ["1 disk has no UUID yet and was not judged: node-2/disk"]
    );
}
