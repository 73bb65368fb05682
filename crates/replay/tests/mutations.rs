//! The mutation test of the model itself: each behaviour is turned off, one at a
//! time, by a switch, and a recording of the real Longhorn is no longer reproduced.
//! Without the change, the same seeds reproduce it.

use fixname_controllers::webhooks::Rules;
use fixname_controllers::{Behaviour, Defect};
use fixname_replay::conform::{ConformOptions, Line, Tampering, conform, parse, text};

const RUNS: &[u8] = include_bytes!("data/longhorn-runs.jsonl.gz");
const ROWS: &[u8] = include_bytes!("data/admission.jsonl.gz");

/// Seeds tried for each run, from each of these: the first ones walk maps as Go does, the
/// others in any order.
const SEEDS: u64 = 8;
const FIRST_SEEDS: [u64; 2] = [0, 16];

fn lines(packed: &[u8]) -> Vec<Line> {
    let text = text(packed).expect("the packed test data is whole");
    parse("test data", &text).expect("the test data is understood")
}

fn reproduced(lines: &[Line], tampering: Tampering) -> bool {
    FIRST_SEEDS.into_iter().any(|seed| {
        let options = ConformOptions {
            seed,
            seeds: SEEDS,
            agreement: 0,
            tampering,
            ..ConformOptions::default()
        };
        let result = conform(lines, &options).expect("the recorded cluster can be made");
        result.recordings.iter().all(|r| r.matches)
    })
}

/// What is turned off, and the run that shows it.
type RunCase = (&'static str, fn(&mut Behaviour), [&'static str; 2], u32);

macro_rules! defects {
    ($($defect:ident => $scenario:literal $version:literal $run:literal;)+) => {
        &[$((
            stringify!($defect),
            |b: &mut Behaviour| b.defect = Some(Defect::$defect),
            [$scenario, $version],
            $run,
        )),+]
    };
}

const DEFECTS: &[RunCase] = defects! {
    WritesStatusInSpiteOfError => "data-source-lost-while-stuck" "v1.9.1" 0;
    VisitsDisksInOrder => "winner-manager-deleted-by-hand" "v1.9.1" 1;
    RetriesForEver => "attempts-per-trigger" "v1.9.1" 0;
    NeverRetries => "attempts-from-cold-start" "v1.9.1" 0;
    TakesExistingForCreated => "attempts-per-trigger" "v1.9.1" 0;
    LooksUpByName => "attempts-from-cold-start" "v1.8.1" 0;
    GoesOnAfterFailure => "attempts-per-trigger" "v1.9.1" 0;
    KeepsOutdatedManagers => "early-collision-then-upgrade-to-v1.10.2" "v1.9.1" 0;
    KeepsUnusedManagers => "evict-loser-disk" "v1.10.2" 0;
    ServesV2Disks => "v2-entry-is-skipped" "v1.9.1" 0;
    KeepsUnreportedCopies => "evict-loser-disk" "v1.12.1" 0;
    NeverTransfers => "early-collision-all-disks-from-start" "v1.10.2" 0;
    KeepsSourceInPlace => "last-copy-dropped-from-spec" "v1.9.1" 0;
    NeverFetchesAnew => "last-copy-dropped-from-spec" "v1.10.2" 0;
    NeverReplenishes => "replenish-into-collision" "v1.10.2" 0;
    KeepsEvictedCopies => "evict-loser-disk" "v1.9.2" 0;
    ForgetsLastUse => "attempts-per-trigger" "v1.10.2" 0;
    DeletesUnfinishedImages => "first-copy-on-loser-then-delete" "v1.8.1" 0;
    KeepsFinalizer => "first-copy-on-loser-then-delete" "v1.10.2" 0;
    EvictsByWish => "evict-loser-disk" "v1.9.1" 0;
    NeverResyncs => "attempts-from-cold-start" "v1.9.1" 0;
    IgnoresManagers => "attempts-per-trigger" "v1.12.1" 0;
};

/// What differs between versions, turned around.
const SWITCHES: &[RunCase] = &[
    (
        "keeps_evicting_copy_in_use",
        |b| b.keeps_evicting_copy_in_use ^= true,
        ["evict-loser-disk-with-replica", "v1.10.2"],
        0,
    ),
    (
        "evicts_missing_disks",
        |b| b.evicts_missing_disks ^= true,
        ["uuid-changed-in-status-only", "v1.10.2"],
        0,
    ),
    (
        "advises_removal_of_missing_disk",
        |b| b.advises_removal_of_missing_disk ^= true,
        ["wanted-disk-unknown-then-appears", "v1.10.2"],
        0,
    ),
];

/// What is turned off, and the row that shows it.
type RowCase = (&'static str, fn(&mut Rules), &'static str, &'static str);

macro_rules! rules {
    ($($field:ident $version:literal $rule:literal;)+) => {
        &[$((stringify!($field), |r: &mut Rules| r.$field ^= true, $version, $rule)),+]
    };
}

const RULES: &[RowCase] = rules! {
    adds_finalizers "v1.9.1" "manager create: finalizer is put on";
    images_have_an_engine "v1.9.1" "image update: dataEngine changes";
    checks_download_urls "v1.12.1" "image create: download with ftp url";
    validates_image_updates "v1.12.1" "image update: minNumberOfCopies to 0";
    keeps_images_in_use "v1.9.1" "image delete: a stopped, never started replica carries its label";
    waits_for_disk_sync "v1.9.1" "node update 3: same number of disks, other key";
    evicts_only_unscheduled "v1.9.1" "node update 2: node eviction while node scheduling is on";
    keeps_disks_in_use "v1.9.1" "node update 7: removing a disk whose stored entry has scheduling on";
    names_images_on_disks "v1.8.1" "node update 7: removing a disk whose stored entry has scheduling on";
    keeps_disk_types "v1.9.1" "node update 8: type of an existing disk changes (v2 engine on)";
    requires_node_names "v1.10.2" "node update: empty spec.name";
    refuses_duplicate_paths "v1.12.1" "node create: two disks with one path";
    validates_node_deletions "v1.10.2" "node delete: ready, scheduling on";
    keeps_last_replica "v1.9.1" "replica delete: the other healthy one is being deleted";
    counts_healthy_replicas_only "v1.10.2" "replica delete: the other healthy one is evicting";
    fills_in_settings "v1.10.2" "setting update: backing-image-cleanup-wait-interval to 0";
};

fn notices((name, tamper, [scenario, version], run): &RunCase, all: &[Line]) -> bool {
    let found = all.iter().find(|line| {
        line.scenario() == *scenario && line.version().to_string() == *version && line.run() == *run
    });
    let line = [found.expect("the run is in the test data").clone()];
    assert!(
        reproduced(&line, Tampering::default()),
        "{name}: {scenario}"
    );
    let off = Tampering {
        behaviour: Some(*tamper),
        ..Tampering::default()
    };
    !reproduced(&line, off)
}

#[test]
fn each_behaviour_of_the_controllers_is_missed_by_a_recording_when_it_is_off() {
    let all = lines(RUNS);
    let cases: Vec<&RunCase> = DEFECTS.iter().chain(SWITCHES).collect();
    assert!(cases.len() >= 25, "{}", cases.len());
    let unnoticed: Vec<&str> = std::thread::scope(|scope| {
        let halves: Vec<_> = cases
            .chunks(cases.len().div_ceil(2))
            .map(|half| {
                scope.spawn(|| {
                    half.iter()
                        .filter(|c| !notices(c, &all))
                        .map(|c| c.0)
                        .collect::<Vec<_>>()
                })
            })
            .collect();
        halves
            .into_iter()
            .flat_map(|half| half.join().unwrap())
            .collect()
    });
    assert!(unnoticed.is_empty(), "{unnoticed:?}");
}

#[test]
fn each_rule_of_the_webhooks_is_missed_by_a_row_when_it_is_off() {
    let all = lines(ROWS);
    let mut unnoticed = Vec::new();
    for (name, tamper, version, rule) in RULES {
        let found = all
            .iter()
            .find(|line| line.version().to_string() == *version && line.scenario() == *rule);
        let line = [found.expect("the row is in the test data").clone()];
        let off = Tampering {
            rules: Some(*tamper),
            ..Tampering::default()
        };
        if reproduced(&line, off) {
            unnoticed.push(*name);
        }
    }
    assert!(unnoticed.is_empty(), "{unnoticed:?}");
}
