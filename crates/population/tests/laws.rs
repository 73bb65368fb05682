//! What holds for every population: the chosen collisions are there, detect
//! finds them and nothing else, and without them disks collide as chance has it.

use std::collections::{BTreeMap, BTreeSet};

use fixname_capture::read_text;
use fixname_diagnose::{Code, Options, diagnose};
use fixname_longhorn::Inventory;
use fixname_population::{
    Accidents, Chosen, ChosenKind, Format, Placement, Population, Spec, UuidKind, write,
};
use proptest::prelude::*;

/// The disks of each finding, as (code, sorted UUIDs and places).
type Found = BTreeSet<(Code, Vec<(String, String)>)>;

fn found(inventory: &Inventory) -> Found {
    let findings = diagnose(inventory, &Options::default()).findings;
    let findings = findings.into_iter().map(|finding| {
        let disks = finding.disks.into_iter();
        let mut disks: Vec<_> = disks
            .map(|d| (d.disk_uuid, format!("{}/{}", d.node, d.name)))
            .collect();
        disks.sort();
        (finding.code, disks)
    });
    findings.collect()
}

fn chosen(population: &Population) -> Found {
    let mut all = population.clone();
    let groups: Vec<Vec<u64>> = population.collisions().map(<[u64]>::to_vec).collect();
    let groups = groups.into_iter().map(|group| {
        let mut disks: Vec<(String, String)> = group
            .iter()
            .map(|&index| {
                let disk = all.disk(index);
                let node = all.node(disk.node);
                let name = node.status.disk_status.keys().nth(disk.slot as usize);
                let place = format!("{}/{}", node.name(), name.expect("it has that many"));
                (disk.uuid().to_owned(), place)
            })
            .collect();
        disks.sort();
        let cloned = all.disk(group[0]).kind == UuidKind::Cloned;
        let code = if cloned {
            Code::SameUuid
        } else {
            Code::SharedPrefix
        };
        (code, disks)
    });
    groups.collect()
}

fn read(population: &Population, format: Format) -> Inventory {
    let mut bytes = Vec::new();
    write(population, format, &mut bytes).expect("memory takes everything");
    read_text("population", &bytes).expect("it can be read")
}

#[test]
fn detect_finds_exactly_the_chosen_collisions() {
    for (nodes, disks, collide) in [
        (100, 3, &["5"][..]),
        (1, 50, &["3", "1x10@node"]),
        (
            50,
            6,
            &["4x3@nodes", "2x6@node", "3=cloned", "2x2@nodes=hand-set"],
        ),
        // By chance alone hundreds of them would collide.
        (6_003, 1, &["100", "1x50"]),
        (10, 1, &["1x10"]),
    ] {
        let spec = Spec {
            collide: collide.iter().map(|c| c.parse().unwrap()).collect(),
            ..Spec::new(nodes, disks, 3)
        };
        let population = Population::new(spec).unwrap();
        let expected = chosen(&population);
        assert_eq!(expected.len(), population.collisions().count());
        assert_eq!(found(&population.inventory()), expected);
        for format in [Format::NodesJson, Format::Ndjson] {
            assert_eq!(found(&read(&population, format)), expected, "{format:?}");
        }
    }
}

#[test]
fn accidents_are_counted_as_detect_finds_them() {
    let mut spec = Spec::new(1000, 2, 5);
    spec.collide = vec!["7".parse().unwrap()];
    spec.accidents = Accidents::Allowed;
    let population = Population::new(spec).unwrap();
    let summary = population.summary();
    assert!(summary.accidental > 10 && !summary.exact, "{summary:?}");
    let found = found(&population.inventory());
    assert_eq!(found.len() as u64, summary.chosen + summary.accidental);
    let disks: usize = found.iter().map(|(_, disks)| disks.len()).sum();
    assert_eq!(
        disks as u64,
        summary.chosen_disks + summary.accidental_disks + summary.joined
    );
}

/// 302 disks are the half-way point of 16 bits: of 2,000 clusters 1,001 are
/// expected to collide, with a standard deviation of 22.
#[test]
fn without_choice_disks_collide_as_chance_has_it() {
    let collided = (0..2000)
        .filter(|&seed| {
            let mut population = Population::new(Spec::new(302, 1, seed)).unwrap();
            let prefixes: BTreeSet<String> = population
                .iter()
                .map(|disk| disk.prefix().to_owned())
                .collect();
            prefixes.len() < 302
        })
        .count();
    assert!((890..1113).contains(&collided), "{collided}");
}

/// No collision at all is wanted: the rarest case of a prevented accident.
#[test]
fn all_prefixes_can_be_used_once() {
    let mut spec = Spec::new(1 << 16, 1, 9);
    spec.accidents = Accidents::Prevented;
    let summary = Population::new(spec).unwrap().summary();
    assert_eq!(
        (summary.disks, summary.pairs, summary.accidental),
        (1 << 16, 0, 0)
    );
}

#[test]
fn each_kind_of_uuid_collides_in_its_own_way() {
    let summary = |kind: &str| {
        let spec = Spec {
            uuids: kind.parse().unwrap(),
            ..Spec::new(500, 2, 1)
        };
        Population::new(spec).unwrap().summary()
    };
    // A year has eight spans of 49.7 days.
    let clocks = summary("v7");
    assert_eq!(clocks.accidental_disks, 1000);
    assert!((7..=9).contains(&clocks.accidental), "{clocks:?}");
    // Sixteen digits.
    assert_eq!(summary("hand-set").accidental, 16);
    // Every machine is a copy of the first one.
    let cloned = summary("cloned");
    assert_eq!((cloned.accidental, cloned.accidental_disks), (2, 1000));
    // The first four digits of version 1 go round in minutes: as good as random.
    let ticks = summary("v1");
    assert!((2..=16).contains(&ticks.pairs), "{ticks:?}");
    let mixed = summary("v4=9,cloned=1");
    assert!((60..140).contains(&mixed.clones), "{mixed:?}");
}

#[test]
fn clones_carry_the_whole_uuid_of_another_disk() {
    let mut spec = Spec::new(400, 2, 1);
    spec.uuids = "v4=9,cloned=1".parse().unwrap();
    let mut population = Population::new(spec).unwrap();
    let all: Vec<_> = population.iter().collect();
    let mut uuids: BTreeMap<&str, usize> = BTreeMap::new();
    for disk in &all {
        *uuids.entry(disk.uuid()).or_default() += 1;
    }
    for disk in all
        .iter()
        .filter(|d| d.kind == UuidKind::Cloned && d.node > 0)
    {
        let same = all.iter().find(|d| d.uuid() == disk.uuid()).unwrap();
        assert_eq!((same.slot, uuids[disk.uuid()] > 1), (disk.slot, true));
    }
}

fn collisions() -> impl Strategy<Value = Chosen> {
    let placement = prop_oneof![
        Just(Placement::Any),
        Just(Placement::OneNode),
        Just(Placement::AcrossNodes)
    ];
    let kind = prop_oneof![
        Just(ChosenKind::Prefix),
        Just(ChosenKind::Cloned),
        Just(ChosenKind::HandSet)
    ];
    (0..6u64, 2..5u64, placement, kind).prop_map(|(count, size, placement, kind)| Chosen {
        count,
        size,
        placement,
        kind,
    })
}

proptest! {
    #[test]
    fn any_population_has_its_chosen_collisions_and_counts_right(
        nodes in 0..30u64,
        disks in 0..8u64,
        seed: u64,
        collide in prop::collection::vec(collisions(), 0..4),
        allowed: bool,
    ) {
        let accidents = if allowed { Accidents::Allowed } else { Accidents::Auto };
        let spec = Spec { collide, accidents, ..Spec::new(nodes, disks, seed) };
        let Ok(mut population) = Population::new(spec) else { return Ok(()) };
        let summary = population.summary();
        let all: Vec<_> = population.iter().collect();
        prop_assert_eq!(all.len() as u64, nodes * disks);

        // Counted again, in the plainest way.
        let mut by_prefix: BTreeMap<&str, Vec<u64>> = BTreeMap::new();
        for (at, disk) in (0u64..).zip(&all) {
            by_prefix.entry(disk.prefix()).or_default().push(at);
        }
        let mut accidental = 0;
        let mut joined = 0;
        for group in by_prefix.values() {
            let chosen: BTreeSet<_> = group.iter().filter_map(|&at| all[at as usize].collision).collect();
            prop_assert!(chosen.len() < 2, "two collisions share a prefix");
            let others = group.iter().filter(|&&at| all[at as usize].collision.is_none()).count();
            if chosen.is_empty() {
                accidental += u64::from(group.len() > 1);
            } else {
                joined += others as u64;
            }
        }
        prop_assert_eq!((summary.accidental, summary.joined), (accidental, joined));
        if summary.exact {
            prop_assert_eq!((accidental, joined), (0, 0));
        }
        for group in population.collisions() {
            let same: BTreeSet<_> = group.iter().map(|&at| all[at as usize].prefix()).collect();
            prop_assert_eq!(same.len(), 1);
        }
        // Any disk alone is the disk of the walk.
        if let Some(last) = (nodes * disks).checked_sub(1) {
            prop_assert_eq!(population.disk(last), all[last as usize]);
            prop_assert_eq!(population.disk(0), all[0]);
        }
    }
}
