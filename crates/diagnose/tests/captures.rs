//! What is found in dumps of the real Longhorn controller's work, and in the
//! recorded cluster of the knowledge base's page.

use std::path::{Path, PathBuf};

use fixname_capture::{Source, read_files};
use fixname_diagnose::{Basis, Finding, Options, Report, Role, State, diagnose};
use fixname_naming::{Scheme, resolve};

const A: &str = "c01200da-8a5c-4692-92e6-c4a983087951";
const B: &str = "c012eb76-f8eb-4ea1-b81d-472eac9d98bf";
const ALL: &[&str] = &[
    "nodes.json",
    "backingimages.json",
    "backingimagemanagers.json",
    "backingimagedatasources.json",
];

fn judge(folder: &str, files: &[&str], options: &Options) -> Report {
    let data: PathBuf = Path::new(env!("CARGO_MANIFEST_DIR")).join("../capture/tests/data");
    let sources: Vec<Source> = files
        .iter()
        .map(|file| Source::Path(data.join(folder).join(file)))
        .collect();
    diagnose(&read_files(&sources).expect("the data is whole"), options)
}

fn capture(scenario: &str) -> Report {
    judge(&format!("captures/{scenario}"), ALL, &Options::default())
}

fn roles(finding: &Finding) -> Vec<(&str, Role)> {
    let disks = finding.disks.iter();
    disks.map(|d| (d.disk_uuid.as_str(), d.role)).collect()
}

fn says(finding: &Finding, words: &str) -> bool {
    finding.evidence.iter().any(|line| line.contains(words))
}

#[test]
fn the_recorded_page_is_active_with_winner_loser_and_bystander() {
    let files = [ALL, &["replicas.json", "settings.json"]].concat();
    let report = judge("recorded", &files, &Options::default());
    assert_eq!(report.running.basis, Basis::Setting);
    assert_eq!(report.running.longhorn_version.as_deref(), Some("v1.9.1"));
    let [found] = &report.findings[..] else {
        panic!("one finding expected: {report:#?}");
    };
    assert_eq!(found.code.as_str(), "LHC001");
    assert_eq!(found.state, State::Active);
    assert_eq!(found.namespace, "longhorn-system");
    assert_eq!(found.prefix.as_deref(), Some("c012"));
    assert_eq!(
        found.manager_name.as_deref(),
        Some("backing-image-manager-4407-c012")
    );
    assert_eq!(
        roles(found),
        [
            (A, Role::Winner),
            (B, Role::Loser),
            ("7b1d2c3e-5a8f-4c1d-9a52-3f0e8d6c2b11", Role::Bystander),
        ]
    );
    // The other image wants the winner alone, and is not stuck.
    assert_eq!(found.backing_images, ["rhel-9-5-comops-4249-v2"]);
    assert!(says(
        found,
        "replicas on c012eb76-f8eb-4ea1-b81d-472eac9d98bf that wait for the copy: vm-root-r-33cc44dd"
    ));
    assert!(
        found
            .advice
            .contains("my-node-2/default-disk-a0c5d780fe32c91c")
    );
    assert!(report.has_problem());
}

#[test]
fn the_real_controllers_collisions_are_active() {
    let report = capture("two-nodes-one-prefix-and-bystander-v191");
    assert_eq!(report.running.scheme, Some(Scheme::Truncated));
    let [found] = &report.findings[..] else {
        panic!("{report:#?}");
    };
    assert_eq!(found.state, State::Active);
    assert_eq!(
        roles(found),
        [
            (A, Role::Winner),
            (B, Role::Loser),
            ("7b1d2c3e-0000-4000-8000-000000000001", Role::Bystander)
        ]
    );

    let found = &capture("same-node-one-prefix-v191").findings[0];
    assert_eq!(found.state, State::Active);
    assert_eq!(roles(found), [(A, Role::Winner), (B, Role::Loser)]);

    let found = &capture("three-disks-one-prefix-v191").findings[0];
    assert_eq!(found.state, State::Active);
    assert_eq!(
        roles(found),
        [
            (A, Role::Loser),
            (B, Role::Winner),
            ("c012a1b2-2222-4222-8222-000000000003", Role::Loser)
        ]
    );
}

#[test]
fn a_loser_that_is_not_ready_is_passed_over_and_so_latent() {
    let report = capture("colliding-disk-not-ready-v191");
    let [found] = &report.findings[..] else {
        panic!("{report:#?}");
    };
    assert_eq!(found.state, State::Latent);
    assert!(says(
        found,
        "but the disk is not ready, so Longhorn passes it over"
    ));
    assert!(roles(found).iter().all(|(_, role)| *role == Role::Member));
}

#[test]
fn a_loser_that_was_dropped_leaves_a_latent_prefix() {
    let report = capture("mitigate-remove-loser-v191");
    let [found] = &report.findings[..] else {
        panic!("{report:#?}");
    };
    assert_eq!(found.state, State::Latent);
    assert_eq!(found.backing_images, ["parrot"]);
}

#[test]
fn fixed_versions_and_clean_clusters_have_no_problem() {
    assert!(capture("no-collision-v191").findings.is_empty());
    for (scenario, scheme) in [
        ("upgrade-collided-to-v1102-v191", Scheme::Sha224),
        ("two-nodes-one-prefix-and-bystander-v1101", Scheme::Sha256),
    ] {
        let report = capture(scenario);
        assert_eq!(report.running.scheme, Some(scheme));
        assert_eq!(report.running.basis, Basis::ManagerNames);
        let [found] = &report.findings[..] else {
            panic!("{report:#?}");
        };
        assert_eq!(found.state, State::Cleared);
        assert!(!report.has_problem(), "{scenario}");
        let names: Vec<&str> = found.evidence[1]
            .split(['-', ',', ' '])
            .filter(|w| w.len() >= 56)
            .collect();
        assert_eq!(names.len(), 2, "{:?}", found.evidence);
        assert_ne!(names[0], names[1]);
    }
}

#[test]
fn what_was_not_read_is_never_clean() {
    let nodes_only = judge("recorded", &["nodes.json"], &Options::default());
    let found = &nodes_only.findings[0];
    assert_eq!(found.state, State::Latent);
    assert_eq!(found.manager_name, None);
    assert!(says(found, "which Longhorn runs is not known"));
    assert!(says(found, "backingimages.longhorn.io were not read"));
    assert!(says(
        found,
        "backingimagemanagers.longhorn.io were not read"
    ));

    let no_managers = judge(
        "recorded",
        &["nodes.json", "backingimages.json"],
        &Options::default(),
    );
    assert_eq!(no_managers.findings[0].state, State::Unknown);
    assert!(no_managers.has_problem());

    let no_images = judge(
        "recorded",
        &["nodes.json", "backingimagemanagers.json"],
        &Options::default(),
    );
    assert_eq!(no_images.findings[0].state, State::Latent);
    assert!(says(
        &no_images.findings[0],
        "backingimages.longhorn.io were not read"
    ));

    // Without nodes the fight can still be seen, but nothing can be cleared.
    let no_nodes = judge(
        "recorded",
        &["backingimages.json", "backingimagemanagers.json"],
        &Options::default(),
    );
    let codes: Vec<_> = no_nodes
        .findings
        .iter()
        .map(|f| (f.code.as_str(), f.state))
        .collect();
    assert_eq!(
        codes,
        [("LHC001", State::Active), ("LHC007", State::Unknown)]
    );
}

#[test]
fn the_caller_knows_better_than_the_objects() {
    let options = |version: &str| Options {
        longhorn: Some(resolve(&version.parse().unwrap()).unwrap()),
        manager_image: None,
    };
    let fixed = judge("recorded", &["nodes.json"], &options("v1.10.2"));
    assert_eq!(fixed.findings[0].state, State::Cleared);
    assert!(!fixed.has_problem());

    let affected = judge("recorded", &["nodes.json"], &options("v1.8.1"));
    let found = &affected.findings[0];
    assert_eq!(found.state, State::Latent);
    let name = fixname_naming::Scheme::Truncated
        .manager_name(&"longhornio/backing-image-manager:v1.8.1".into(), &B.into());
    assert_eq!(found.manager_name.as_deref(), Some(name.unwrap().as_str()));
}

#[test]
fn the_json_keys_are_those_of_the_contract() {
    let report = judge("recorded", ALL, &Options::default());
    let json = serde_json::to_value(&report).unwrap();
    assert_eq!(json["formatVersion"], 1);
    let found = json["findings"][0].as_object().unwrap();
    for key in [
        "code",
        "state",
        "severity",
        "namespace",
        "prefix",
        "managerName",
        "disks",
        "backingImages",
        "evidence",
        "advice",
    ] {
        assert!(found.contains_key(key), "{key}");
    }
    assert_eq!(found["code"], "LHC001");
    assert_eq!(found["state"], "active");
    assert_eq!(
        found["disks"][1],
        serde_json::json!({
            "node": "my-node-2", "name": "default-disk-a0c5d780fe32c91c", "diskUUID": B, "role": "loser"
        })
    );
    assert_eq!(json["coverage"][0]["kind"], "Node");
    assert_eq!(json["coverage"][0]["state"], "read");
    assert_eq!(json["coverage"][5]["state"], "notRead");
}
