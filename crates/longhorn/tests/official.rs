//! Our definitions beside Longhorn's own of seven releases, field by field.
//!
//! The official ones are not part of this repository: they are read from
//! `../shared/data/crds` beside the checkout. Where they are missing the test says
//! that it was skipped, and fails if `FIXNAME_REQUIRE` is `all`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use fixname_longhorn::crds::crds;
use fixname_naming::LonghornVersion;
use serde_json::{Map, Value, json};

/// What a version of a definition says, by place.
type Facts = BTreeMap<String, Value>;

/// Releases whose definitions are there, with these by kind.
fn official() -> Vec<(LonghornVersion, BTreeMap<String, Value>)> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data/crds");
    let Ok(files) = std::fs::read_dir(&folder) else {
        let message = format!("no official definitions in {}", folder.display());
        assert_ne!(
            std::env::var("FIXNAME_REQUIRE").as_deref(),
            Ok("all"),
            "{message}"
        );
        eprintln!("SKIPPED: {message}");
        return Vec::new();
    };
    let mut releases = Vec::new();
    for file in files {
        let path = file.expect("the folder can be read").path();
        let name = path
            .file_stem()
            .and_then(|n| n.to_str())
            .unwrap_or_default();
        let Some(version) = name.strip_prefix("longhorn-") else {
            continue;
        };
        let text = std::fs::read_to_string(&path).expect("the file can be read");
        let documents: Vec<Option<Value>> =
            serde_saphyr::from_multiple(&text).unwrap_or_else(|e| panic!("{name}: {e}"));
        let definitions = documents.into_iter().flatten().map(|definition| {
            let kind = definition["spec"]["names"]["kind"].as_str();
            (
                kind.expect("a definition has a kind").to_owned(),
                definition,
            )
        });
        let version = version.parse().expect("the file is named after a release");
        releases.push((version, definitions.collect()));
    }
    assert!(
        !releases.is_empty(),
        "no definitions in {}",
        folder.display()
    );
    releases
}

fn facts(definition: &Value) -> Facts {
    let spec = &definition["spec"];
    let mut names = spec["names"].clone();
    // What an API server fills in.
    if let Some(names) = names.as_object_mut() {
        names.remove("categories");
    }
    let mut facts = Facts::from([
        ("group".to_owned(), spec["group"].clone()),
        ("scope".to_owned(), spec["scope"].clone()),
        ("names".to_owned(), names),
    ]);
    for version in spec["versions"].as_array().into_iter().flatten() {
        let name = version["name"].as_str().unwrap_or_default();
        for key in [
            "served",
            "storage",
            "deprecated",
            "deprecationWarning",
            "subresources",
        ] {
            facts.insert(format!("{name} {key}"), version[key].clone());
        }
        let mut columns = version["additionalPrinterColumns"].clone();
        for column in columns.as_array_mut().into_iter().flatten() {
            column
                .as_object_mut()
                .map(|column| column.remove("description"));
        }
        facts.insert(format!("{name} columns"), columns);
        fields(&version["schema"]["openAPIV3Schema"], name, &mut facts);
    }
    facts
}

/// Enters a field and all below it: all that is said of it, but for words.
fn fields(schema: &Value, path: &str, facts: &mut Facts) {
    let mut said = Map::new();
    for (key, value) in schema.as_object().into_iter().flatten() {
        match key.as_str() {
            "description" => {}
            "properties" => {
                for (name, field) in value.as_object().into_iter().flatten() {
                    fields(field, &format!("{path}.{name}"), facts);
                }
            }
            "items" => fields(value, &format!("{path}[]"), facts),
            "additionalProperties" if value.is_object() => {
                fields(value, &format!("{path}{{}}"), facts);
            }
            "enum" | "required" => {
                let words = value
                    .as_array()
                    .into_iter()
                    .flatten()
                    .map(ToString::to_string);
                let words: BTreeSet<String> = words.collect();
                said.insert(key.clone(), json!(words));
            }
            // 0 and 0.0 are one bound.
            "minimum" | "maximum" => {
                said.insert(key.clone(), json!(value.as_f64()));
            }
            _ => {
                said.insert(key.clone(), value.clone());
            }
        }
    }
    facts.insert(path.to_owned(), Value::Object(said));
}

fn differences(ours: &Facts, theirs: &Facts) -> Vec<String> {
    let places: BTreeSet<&String> = ours.keys().chain(theirs.keys()).collect();
    let differing = places
        .into_iter()
        .filter(|place| ours.get(*place) != theirs.get(*place));
    let told = |value: Option<&Value>| value.map_or("nothing".to_owned(), ToString::to_string);
    differing
        .map(|place| {
            let (ours, theirs) = (told(ours.get(place)), told(theirs.get(place)));
            format!("{place}: ours {ours}, official {theirs}")
        })
        .collect()
}

#[test]
fn our_definitions_are_the_official_ones() {
    let mut wrong = Vec::new();
    let mut compared = 0;
    for (release, official) in official() {
        for ours in crds(&release).iter() {
            let ours = serde_json::to_value(ours).expect("a definition is JSON");
            let kind = ours["spec"]["names"]["kind"].as_str().unwrap_or_default();
            let Some(theirs) = official.get(kind) else {
                wrong.push(format!("{release}: there is no kind {kind}"));
                continue;
            };
            let (ours, theirs) = (facts(&ours), facts(theirs));
            compared += theirs.len();
            let found = differences(&ours, &theirs);
            wrong.extend(found.iter().map(|text| format!("{release} {kind} {text}")));
        }
    }
    println!("{compared} places compared");
    assert!(
        wrong.is_empty(),
        "{} differences:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}

/// The comparison itself: each kind of difference is seen.
#[test]
fn a_difference_is_seen() {
    let release = "v1.12.1".parse().expect("a release");
    let ours = serde_json::to_value(&crds(&release)[0]).expect("a definition is JSON");
    let base = "/spec/versions/0";
    let spec = format!("{base}/schema/openAPIV3Schema/properties/spec");
    for (place, change) in [
        (
            format!("{spec}/properties/name"),
            json!({"type": "integer"}),
        ),
        (format!("{spec}/properties/name/default"), json!("x")),
        (format!("{spec}/properties/name/enum"), json!(["x"])),
        (format!("{spec}/properties/name/nullable"), json!(true)),
        (
            format!("{spec}/properties/another"),
            json!({"type": "string"}),
        ),
        (format!("{spec}/required"), json!(["name"])),
        (format!("{base}/storage"), json!(false)),
        (format!("{base}/subresources/scale"), json!({})),
        (
            format!("{base}/additionalPrinterColumns/0/jsonPath"),
            json!(".x"),
        ),
        ("/spec/names/shortNames".to_owned(), json!(["x"])),
        ("/spec/scope".to_owned(), json!("Cluster")),
    ] {
        let mut other = ours.clone();
        let (parent, key) = place.rsplit_once('/').expect("a pointer");
        let parent = other.pointer_mut(parent).expect("the place is there");
        parent[key] = change;
        assert_eq!(
            differences(&facts(&ours), &facts(&other)).len(),
            1,
            "{place}"
        );
    }
}
