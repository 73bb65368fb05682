//! Parts of a run: what is missing, doubled or changed is refused by name.

use fixname_collision::simulate::{
    Hash, MergeError, Model, Options, Part, PartError, Plan, Shard, Skew, merge, run,
};

fn shards(of: u64) -> Vec<(String, Part)> {
    let plan = Plan::new(
        Model::Uniform {
            bits: 16,
            disks: 10,
        },
        1_000_000,
        1,
    )
    .unwrap();
    (0..of)
        .map(|index| {
            let shard = Shard::new(index, of).unwrap();
            let part = run(&plan, plan.shard_units(shard), &Options::default()).unwrap();
            (format!("part-{index}.json"), part)
        })
        .collect()
}

#[test]
fn a_missing_part_is_named() {
    let mut parts = shards(4);
    parts.remove(2);
    let error = merge(&parts).unwrap_err();
    let text = error.to_string();
    assert!(
        matches!(
            &error,
            MergeError::Gaps {
                missing: 4,
                all: 16,
                ..
            }
        ),
        "{error:?}"
    );
    assert!(
        text.contains("units 8 to 11") && text.contains("shard 2/4"),
        "{text}"
    );
    assert!(text.contains("clusters 524288 to 786431"), "{text}");
    parts.pop();
    let text = merge(&parts).unwrap_err().to_string();
    assert!(text.contains("shards 2/4 to 3/4"), "{text}");
    assert_eq!(merge(&[]), Err(MergeError::Nothing));
}

#[test]
fn overlapping_parts_and_parts_of_other_runs_are_refused() {
    let mut parts = shards(4);
    let twice = ("copy.json".to_owned(), parts[1].1.clone());
    parts.push(twice);
    let text = merge(&parts).unwrap_err().to_string();
    assert!(
        text.contains("part-1.json") && text.contains("copy.json"),
        "{text}"
    );
    parts.pop();
    let mut mixed = shards(2);
    mixed.extend(parts.clone());
    assert!(matches!(merge(&mixed), Err(MergeError::Overlap(_))));
    let other = |model, clusters, seed| {
        let plan = Plan::new(model, clusters, seed).unwrap();
        let part = run(&plan, 0..1, &Options::default()).unwrap();
        let mut parts = parts.clone();
        parts[0] = ("other.json".to_owned(), part);
        merge(&parts).unwrap_err().to_string()
    };
    let model = |disks| Model::Uniform { bits: 16, disks };
    assert!(other(model(10), 1_000_000, 2).contains("seeds are 2 and 1"));
    assert!(other(model(10), 900_000, 1).contains("900000 and 1000000 clusters"));
    assert!(other(model(11), 1_000_000, 1).contains("models"));
}

#[test]
fn a_changed_file_is_refused_and_no_text_panics() {
    let text = shards(4)[1].1.to_json();
    let part: serde_json::Value = serde_json::from_str(&text).unwrap();
    let changed = |pointer: &str, value: serde_json::Value| {
        let mut part = part.clone();
        *part
            .pointer_mut(pointer)
            .unwrap_or_else(|| panic!("{pointer}")) = value;
        Part::from_json(&part.to_string()).unwrap_err()
    };
    for pointer in [
        "/counts/collided",
        "/counts/pairs",
        "/counts/groups/2",
        "/digest",
    ] {
        let error = changed(pointer, "7".into());
        assert!(
            matches!(error, PartError::Digest { .. }),
            "{pointer}: {error}"
        );
    }
    for (pointer, value) in [
        ("/plan/seed", 5.into()),
        ("/plan/clusters", 1_000_001.into()),
        ("/units/first", 0.into()),
        ("/units/end", 7.into()),
        ("/units/end", 1_000_000.into()),
        ("/units/of", 3.into()),
        ("/plan/model/disks", 11.into()),
        ("/plan/model/bits", 0.into()),
        ("/formatVersion", 2.into()),
        ("/engineVersion", 1.into()),
        ("/kind", "other".into()),
        ("/modelDigest", "00".into()),
        ("/counts/pairs", 7.into()),
        ("/counts/pairs", "+7".into()),
        ("/counts/pairs", "-7".into()),
        ("/counts/groups", serde_json::json!({"02": "7"})),
        (
            "/counts/clusters",
            "99999999999999999999999999999999999999999".into(),
        ),
        ("/counts", serde_json::json!([])),
    ] {
        changed(pointer, value);
    }
    let mut extra = part.clone();
    extra["counts"]["more"] = "1".into();
    assert!(Part::from_json(&extra.to_string()).is_err());
    // Every cut, and every byte exchanged.
    for at in 0..text.len() {
        assert!(Part::from_json(&text[..at.saturating_sub(1)]).is_err());
        let mut bytes = text.clone().into_bytes();
        bytes[at] ^= 1;
        if let Ok(text) = String::from_utf8(bytes)
            && let Ok(part) = Part::from_json(&text)
        {
            // Only white space may differ.
            assert_eq!(part.to_json(), shards(4)[1].1.to_json());
        }
    }
}

#[test]
fn no_part_is_larger_than_said() {
    let image = "longhornio/backing-image-manager:v1.10.2".to_owned();
    for (model, clusters) in [
        (
            Model::Uniform {
                bits: 16,
                disks: 302,
            },
            200_000,
        ),
        (
            Model::Uniform {
                bits: 8,
                disks: 100_000,
            },
            50,
        ),
        (
            Model::Uniform {
                bits: 32,
                disks: (1 << 20) + 1,
            },
            20,
        ),
        (Model::FirstCollision { bits: 16 }, 500_000),
        (Model::FirstCollision { bits: 3 }, 1000),
        (
            Model::Guarded {
                unguarded: 300,
                guarded: 300,
                at_once: 50,
                block: 100,
            },
            500,
        ),
        (
            Model::Skewed {
                bits: 16,
                disks: 2000,
                skew: Skew::Spike { share: 0.5 },
            },
            300,
        ),
        (
            Model::Names {
                hash: Hash::Sha256,
                digits: 3,
                image: image.clone(),
                disks: 5000,
            },
            20,
        ),
        (
            Model::ForcedPair {
                bits: 10,
                disks: 500,
            },
            2000,
        ),
        (
            Model::Ladder {
                hash: Hash::Sha224,
                image,
                disks: 20_000,
            },
            2,
        ),
    ] {
        let plan = Plan::new(model, clusters, 3).unwrap();
        let units = 0..plan.units();
        let part = run(&plan, units.clone(), &Options::default()).unwrap();
        let (is, said) = (part.to_json().len() as u64, plan.part_bytes(&units));
        assert!(is <= said, "{plan:?}: {is} {said}");
    }
}
