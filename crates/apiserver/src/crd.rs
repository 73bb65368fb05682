//! CustomResourceDefinitions: their conditions, and the resources that they
//! make the server serve. What is wrong with one is in [`crate::definition`].

use serde_json::{Value, json};

use crate::builtin::Kind;
use crate::definition::list;
use crate::resource::{Column, Resource, ScalePaths, TableKey, text};
use crate::schema::Schema;
use crate::server::State;
use crate::status::Failure;
use crate::store::Stored;

/// Holds a definition until its instances are gone.
pub(crate) const FINALIZER: &str = "customresourcecleanup.apiextensions.k8s.io";

/// Where definitions are stored.
pub(crate) fn table() -> TableKey {
    TableKey {
        group: "apiextensions.k8s.io".to_owned(),
        plural: "customresourcedefinitions".to_owned(),
    }
}

fn flag(object: &Value, pointer: &str) -> bool {
    object
        .pointer(pointer)
        .and_then(Value::as_bool)
        .unwrap_or_default()
}

/// The members of a definition and of the types in it (`types.go` of
/// `apiextensions/v1`): behind a colon the type of a member; `[T]` is a list and
/// `{T}` a map of it, `T?` reads leniently, and what is left out is a scalar or
/// any JSON.
const MEMBERS: &[(&str, &str)] = &[
    (
        "definition",
        "apiVersion kind metadata spec:spec status:status",
    ),
    (
        "spec",
        "group names:names scope versions:[version] conversion:conversion preserveUnknownFields",
    ),
    (
        "names",
        "plural singular shortNames kind listKind categories",
    ),
    (
        "version",
        "name served storage deprecated deprecationWarning schema:schema subresources:subresources additionalPrinterColumns:[column] selectableFields:[selectable]",
    ),
    ("schema", "openAPIV3Schema:props"),
    ("subresources", "status:empty scale:scale"),
    ("empty", ""),
    (
        "scale",
        "specReplicasPath statusReplicasPath labelSelectorPath",
    ),
    ("column", "name type format description priority jsonPath"),
    ("selectable", "jsonPath"),
    ("conversion", "strategy webhook:webhook"),
    ("webhook", "clientConfig:client conversionReviewVersions"),
    ("client", "url service:service caBundle"),
    ("service", "namespace name path port"),
    (
        "status",
        "conditions:[condition] acceptedNames:names storedVersions",
    ),
    (
        "condition",
        "type status lastTransitionTime reason message observedGeneration",
    ),
    (
        "props",
        "id $schema $ref description type format title default maximum exclusiveMaximum minimum exclusiveMinimum maxLength minLength pattern maxItems minItems uniqueItems multipleOf enum maxProperties minProperties required items:props? allOf:[props] oneOf:[props] anyOf:[props] not:props properties:{props} additionalProperties:props? patternProperties:{props} dependencies additionalItems:props? definitions:{props} externalDocs:docs example nullable x-kubernetes-preserve-unknown-fields x-kubernetes-embedded-resource x-kubernetes-int-or-string x-kubernetes-list-map-keys x-kubernetes-list-type x-kubernetes-map-type x-kubernetes-validations:[rule]",
    ),
    ("docs", "description url"),
    (
        "rule",
        "rule message messageExpression reason fieldPath optionalOldSelf",
    ),
];

/// Drops the members that a definition does not have, and names them.
pub(crate) fn shape(object: &mut Value) -> Vec<String> {
    let mut unknown = Vec::new();
    prune(object, "definition", "", &mut Some(&mut unknown));
    if let Value::Object(map) = object {
        map.retain(|_, value| !value.is_null());
    }
    default(object);
    unknown
}

/// Goes along the types of [`MEMBERS`]; `unknown` is `None` where Go's own
/// decoders read without telling what they skip.
fn prune(value: &mut Value, of: &str, at: &str, unknown: &mut Option<&mut Vec<String>>) {
    if let Some(of) = of.strip_suffix('?') {
        // One schema, or a list of them.
        let mut items = match value {
            Value::Array(items) => items.iter_mut().collect(),
            one => vec![one],
        };
        items
            .iter_mut()
            .for_each(|item| prune(item, of, at, &mut None));
        return;
    }
    if let Some(of) = of.strip_prefix('[').and_then(|of| of.strip_suffix(']')) {
        let items = value.as_array_mut().into_iter().flatten();
        for (i, item) in items.enumerate() {
            prune(item, of, &format!("{at}[{i}]"), unknown);
        }
        return;
    }
    if let Some(of) = of.strip_prefix('{').and_then(|of| of.strip_suffix('}')) {
        for (key, member) in value.as_object_mut().into_iter().flatten() {
            prune(member, of, &format!("{at}.{key}"), unknown);
        }
        return;
    }
    let members = MEMBERS.iter().find(|(name, _)| *name == of);
    let (Some((_, members)), Value::Object(map)) = (members, value) else {
        return;
    };
    map.retain(|key, member| {
        let place = if at.is_empty() {
            key.clone()
        } else {
            format!("{at}.{key}")
        };
        let found = members
            .split(' ')
            .map(|m| m.split_once(':').unwrap_or((m, "")))
            .find(|(name, _)| name == key);
        let Some((_, of)) = found else {
            if let Some(unknown) = unknown {
                unknown.push(place);
            }
            return false;
        };
        prune(member, of, &place, unknown);
        true
    });
}

/// Fills in what a definition leaves out (`apiextensions/v1/defaults.go`).
fn default(object: &mut Value) {
    let Some(spec) = object.get_mut("spec").and_then(Value::as_object_mut) else {
        return;
    };
    if let Some(names) = spec.get_mut("names").and_then(Value::as_object_mut) {
        let kind = names
            .get("kind")
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned();
        let missing = |names: &serde_json::Map<String, Value>, key: &str| {
            names
                .get(key)
                .and_then(Value::as_str)
                .unwrap_or_default()
                .is_empty()
        };
        if missing(names, "listKind") && !kind.is_empty() {
            names.insert("listKind".to_owned(), Value::String(format!("{kind}List")));
        }
        if missing(names, "singular") && !kind.is_empty() {
            names.insert("singular".to_owned(), Value::String(kind.to_lowercase()));
        }
    }
    let conversion = spec
        .entry("conversion")
        .or_insert_with(|| json!({"strategy": "None"}));
    if conversion.is_null() {
        *conversion = json!({"strategy": "None"});
    }
}

/// Gives a definition its status: names accepted and established at once,
/// or the reason why not.
pub(crate) fn establish(state: &State, object: &mut Value, now: &str) -> Result<(), Failure> {
    let group = text(object, "/spec/group").to_owned();
    let plural = text(object, "/spec/names/plural").to_owned();
    let conflict = conflicting_names(state, object, &group, &plural);
    let accepted = conflict.is_none();
    let was_established = list(object, "/status/conditions")
        .iter()
        .any(|c| text(c, "/type") == "Established" && text(c, "/status") == "True");
    let mut conditions: Vec<Value> = list(object, "/status/conditions").to_vec();
    let mut set = |kind: &str, status: &str, reason: &str, message: &str| {
        let fresh = json!({"type": kind, "status": status, "reason": reason, "message": message,
            "lastTransitionTime": now});
        match conditions.iter_mut().find(|c| text(c, "/type") == kind) {
            Some(known) if text(known, "/status") == status => {
                known["reason"] = Value::from(reason);
                known["message"] = Value::from(message);
            }
            Some(known) => *known = fresh,
            None => conditions.push(fresh),
        }
    };
    match &conflict {
        None => {
            set("NamesAccepted", "True", "NoConflicts", "no conflicts found");
            set(
                "Established",
                "True",
                "InitialNamesAccepted",
                "the initial names have been accepted",
            );
        }
        Some((reason, message)) => {
            set("NamesAccepted", "False", reason, message);
            if !was_established {
                set(
                    "Established",
                    "False",
                    "NotAccepted",
                    "not all names are accepted",
                );
            }
        }
    }
    let storage = list(object, "/spec/versions")
        .iter()
        .find(|v| flag(v, "/storage"))
        .map(|v| text(v, "/name").to_owned())
        .unwrap_or_default();
    let mut stored_versions: Vec<Value> = list(object, "/status/storedVersions").to_vec();
    if !storage.is_empty() && !stored_versions.iter().any(|v| *v == storage.as_str()) {
        stored_versions.push(Value::String(storage));
    }
    let names = if accepted {
        object.pointer("/spec/names").cloned().unwrap_or_default()
    } else {
        json!({"plural": "", "kind": ""})
    };
    object["status"] = json!({
        "acceptedNames": names,
        "conditions": conditions,
        "storedVersions": stored_versions,
    });
    Ok(())
}

fn conflicting_names(
    state: &State,
    object: &Value,
    group: &str,
    plural: &str,
) -> Option<(String, String)> {
    let versions: Vec<String> = state
        .registry
        .groups()
        .filter(|(g, _)| *g == group)
        .flat_map(|(_, versions)| versions.clone())
        .collect();
    let wanted = [
        ("SingularConflict", text(object, "/spec/names/singular")),
        ("KindConflict", text(object, "/spec/names/kind")),
        ("ListKindConflict", text(object, "/spec/names/listKind")),
    ];
    // The real server lets a later conflict stand in for an earlier one.
    let mut found = None;
    for version in &versions {
        for other in state.registry.of_version(group, version) {
            if other.plural == plural {
                continue;
            }
            let taken = [&other.singular, &other.kind, &other.list_kind];
            for ((reason, name), taken) in wanted.iter().zip(taken) {
                if *name == taken.as_str() {
                    found = Some((
                        (*reason).to_owned(),
                        format!("{} is already in use", crate::quote::quote(name)),
                    ));
                }
            }
        }
    }
    found
}

/// The condition of a definition that is being deleted.
pub(crate) fn mark_terminating(object: &mut Value, now: &str) {
    let mut conditions: Vec<Value> = list(object, "/status/conditions").to_vec();
    if !conditions.iter().any(|c| text(c, "/type") == "Terminating") {
        conditions.push(
            json!({"type": "Terminating", "status": "True", "reason": "InstanceDeletionInProgress",
            "message": "CustomResource deletion is in progress", "lastTransitionTime": now}),
        );
    }
    object["status"]["conditions"] = Value::from(conditions);
}

/// Whether the definition of a resource is being deleted.
pub(crate) fn is_terminating(state: &State, resource: &Resource) -> bool {
    let name = format!("{}.{}", resource.table.plural, resource.table.group);
    state
        .get(&table(), &name)
        .is_some_and(|definition| definition.terminating)
}

/// Serves what a stored definition defines, in place of what it defined before.
pub(crate) fn register(state: &mut State, stored: &Stored) -> Result<(), Failure> {
    let object = stored.parse();
    let established = list(&object, "/status/conditions")
        .iter()
        .any(|c| text(c, "/type") == "Established" && text(c, "/status") == "True");
    if !established {
        return Ok(());
    }
    let group = text(&object, "/spec/group").to_owned();
    let plural = text(&object, "/spec/names/plural").to_owned();
    let key = TableKey {
        group: group.clone(),
        plural: plural.clone(),
    };
    // A write that leaves the spec alone must not end watches.
    let spec = object.get("spec").cloned().unwrap_or_default();
    let fingerprint = spec.to_string();
    if state.definitions.get(&key) == Some(&fingerprint) {
        return Ok(());
    }
    let changed = state.definitions.insert(key.clone(), fingerprint).is_some();
    let epoch = state.next_epoch;
    state.next_epoch += 1;
    state.registry.remove(&group, &plural);
    for resource in resources(&object, epoch)? {
        state.registry.add(resource);
    }
    if changed {
        state.store.table(&key).end_watches();
    }
    Ok(())
}

/// Serves a deleted definition's resources no longer.
pub(crate) fn unregister(state: &mut State, stored: &Stored) {
    let object = stored.parse();
    let key = TableKey {
        group: text(&object, "/spec/group").to_owned(),
        plural: text(&object, "/spec/names/plural").to_owned(),
    };
    state.registry.remove(&key.group, &key.plural);
    state.definitions.remove(&key);
    state.store.drop_table(&key);
}

fn resources(object: &Value, epoch: u64) -> Result<Vec<Resource>, Failure> {
    let names = |key: &str| -> Vec<String> {
        list(object, &format!("/spec/names/{key}"))
            .iter()
            .filter_map(|v| v.as_str().map(str::to_owned))
            .collect()
    };
    let group = text(object, "/spec/group");
    let plural = text(object, "/spec/names/plural");
    let kind = text(object, "/spec/names/kind");
    let versions = list(object, "/spec/versions");
    let storage_version = versions
        .iter()
        .find(|v| flag(v, "/storage"))
        .map(|v| text(v, "/name").to_owned())
        .unwrap_or_default();
    let mut all = Vec::new();
    for version in versions.iter().filter(|v| flag(v, "/served")) {
        let schema = version
            .pointer("/schema/openAPIV3Schema")
            .map(Schema::parse)
            .transpose()
            .map_err(|why| Failure::internal(&why))?;
        let name = text(version, "/name");
        let deprecation = flag(version, "/deprecated").then(|| {
            let given = text(version, "/deprecationWarning");
            if given.is_empty() {
                format!("{group}/{name} {kind} is deprecated")
            } else {
                given.to_owned()
            }
        });
        let scale = version.pointer("/subresources/scale").map(|s| ScalePaths {
            spec_replicas: text(s, "/specReplicasPath").to_owned(),
            status_replicas: text(s, "/statusReplicasPath").to_owned(),
            label_selector: s
                .get("labelSelectorPath")
                .and_then(Value::as_str)
                .map(str::to_owned),
        });
        all.push(Resource {
            group: group.to_owned(),
            version: name.to_owned(),
            plural: plural.to_owned(),
            singular: text(object, "/spec/names/singular").to_owned(),
            kind: kind.to_owned(),
            list_kind: text(object, "/spec/names/listKind").to_owned(),
            short_names: names("shortNames"),
            categories: names("categories"),
            namespaced: text(object, "/spec/scope") == "Namespaced",
            behaviour: Kind::Custom,
            has_status: version.pointer("/subresources/status").is_some(),
            scale,
            schema: schema.map(std::sync::Arc::new),
            columns: list(version, "/additionalPrinterColumns")
                .iter()
                .map(|c| Column {
                    name: text(c, "/name").to_owned(),
                    kind: text(c, "/type").to_owned(),
                    format: text(c, "/format").to_owned(),
                    description: text(c, "/description").to_owned(),
                    priority: c
                        .get("priority")
                        .and_then(Value::as_i64)
                        .unwrap_or_default(),
                    path: text(c, "/jsonPath").to_owned(),
                })
                .collect(),
            selectable: list(version, "/selectableFields")
                .iter()
                .map(|f| text(f, "/jsonPath").trim_start_matches('.').to_owned())
                .collect(),
            storage_version: storage_version.clone(),
            table: TableKey {
                group: group.to_owned(),
                plural: plural.to_owned(),
            },
            epoch,
            deprecation,
            foreign_conversion: text(object, "/spec/conversion/strategy") == "Webhook",
        });
    }
    Ok(all)
}
