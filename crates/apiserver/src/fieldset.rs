//! Sets of fields, as `managedFields` records them (`FieldsV1`), and the walks
//! over typed objects that make them: which fields an object has, and what
//! differs between two (`structured-merge-diff`, packages fieldpath and typed).

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use crate::resource::Resource;
use crate::schema::{Additional, ListKind, Schema};

/// A set of paths as a tree. Keys are path elements in their written form:
/// `f:name`, `k:{"id":"x"}`, `v:"x"`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Set {
    /// This path itself is in the set.
    member: bool,
    below: BTreeMap<String, Set>,
}

impl Set {
    pub(crate) fn is_empty(&self) -> bool {
        !self.member && self.below.is_empty()
    }

    pub(crate) fn insert(&mut self, path: &[String]) {
        let Some((step, rest)) = path.split_first() else {
            self.member = true;
            return;
        };
        // Most paths share their beginning with one that is there already.
        match self.below.get_mut(step) {
            Some(below) => below.insert(rest),
            None => self.below.entry(step.clone()).or_default().insert(rest),
        }
    }

    /// The node of one step, if there is any.
    pub(crate) fn at(&self, step: &str) -> Option<&Self> {
        self.below.get(step)
    }

    pub(crate) fn is_member(&self) -> bool {
        self.member
    }

    pub(crate) fn steps(&self) -> impl Iterator<Item = (&String, &Self)> {
        self.below.iter()
    }

    pub(crate) fn union(&mut self, other: &Self) {
        self.member |= other.member;
        for (step, below) in &other.below {
            self.below.entry(step.clone()).or_default().union(below);
        }
    }

    /// Removes the paths that are in `other`.
    pub(crate) fn subtract(&mut self, other: &Self) {
        self.member &= !other.member;
        for (step, below) in &other.below {
            if let Some(mine) = self.below.get_mut(step) {
                mine.subtract(below);
                if mine.is_empty() {
                    self.below.remove(step);
                }
            }
        }
    }

    /// Removes a path and everything below it.
    pub(crate) fn remove_below(&mut self, path: &[&str]) {
        let Some((first, rest)) = path.split_first() else {
            return;
        };
        if rest.is_empty() {
            self.below.remove(*first);
        } else if let Some(next) = self.below.get_mut(*first) {
            next.remove_below(rest);
            if next.is_empty() {
                self.below.remove(*first);
            }
        }
    }

    /// Removes one path, but not what is below it.
    pub(crate) fn remove_member(&mut self, path: &[&str]) {
        let Some((first, rest)) = path.split_first() else {
            self.member = false;
            return;
        };
        if let Some(next) = self.below.get_mut(*first) {
            next.remove_member(rest);
            if next.is_empty() {
                self.below.remove(*first);
            }
        }
    }

    pub(crate) fn intersection(&self, other: &Self) -> Self {
        let mut common = Self {
            member: self.member && other.member,
            below: BTreeMap::new(),
        };
        for (step, mine) in &self.below {
            if let Some(theirs) = other.below.get(step) {
                let both = mine.intersection(theirs);
                if !both.is_empty() {
                    common.below.insert(step.clone(), both);
                }
            }
        }
        common
    }

    /// Every path in the set, as errors show it: `.spec.parts[id="x"].n`.
    pub(crate) fn paths(&self) -> Vec<String> {
        let mut all = Vec::new();
        self.collect(&mut String::new(), &mut all);
        all
    }

    fn collect(&self, path: &mut String, all: &mut Vec<String>) {
        // Members of one level come before what is below them.
        for (step, below) in &self.below {
            if below.member {
                all.push(format!("{path}{}", shown(step)));
            }
        }
        for (step, below) in &self.below {
            let length = path.len();
            path.push_str(&shown(step));
            below.collect(path, all);
            path.truncate(length);
        }
    }

    pub(crate) fn to_json(&self) -> Value {
        let mut map = Map::new();
        if self.member && !self.below.is_empty() {
            map.insert(".".to_owned(), json!({}));
        }
        for (step, below) in &self.below {
            map.insert(step.clone(), below.to_json());
        }
        Value::Object(map)
    }

    pub(crate) fn from_json(value: &Value) -> Self {
        let mut set = Self::parse(value);
        // The root itself is never a member.
        set.member = false;
        set
    }

    fn parse(value: &Value) -> Self {
        let Value::Object(map) = value else {
            return Self::default();
        };
        Self {
            member: map.is_empty() || map.contains_key("."),
            below: map
                .iter()
                .filter(|(step, _)| *step != ".")
                .map(|(step, below)| (step.clone(), Self::parse(below)))
                .collect(),
        }
    }
}

fn shown(step: &str) -> String {
    match step.split_once(':') {
        Some(("f", name)) => format!(".{name}"),
        Some(("k", key)) => {
            let Ok(Value::Object(map)) = serde_json::from_str(key) else {
                return format!("[{key}]");
            };
            let parts: Vec<String> = map.iter().map(|(k, v)| format!("{k}={v}")).collect();
            format!("[{}]", parts.join(","))
        }
        Some(("v", value)) => format!("[={value}]"),
        _ => format!("[{step}]"),
    }
}

/// What is known of the type of a value.
#[derive(Clone, Copy)]
pub(crate) enum Ty<'a> {
    Root(&'a Resource),
    Schema(&'a Schema),
    Meta,
    /// A map of texts below metadata.
    Texts,
    Owners,
    /// One owner: owned as a whole (`x-kubernetes-map-type: atomic`).
    Owner,
    Finalizers,
    /// Below a core kind: the name of the field.
    Core(&'a str),
    /// Of no known type: maps by their keys, lists as a whole.
    Untyped,
}

/// Fields of core kinds that are maps with keys of the user's choice.
const CORE_MAPS: [&str; 12] = [
    "data",
    "stringData",
    "binaryData",
    "nodeSelector",
    "matchLabels",
    "limits",
    "requests",
    "capacity",
    "allocatable",
    "labels",
    "annotations",
    "overhead",
];

/// Lists of core kinds that are merged by keys (`x-kubernetes-list-map-keys`).
const CORE_LISTS: &[(&str, &[&str])] = &[
    ("containers", &["name"]),
    ("initContainers", &["name"]),
    ("ephemeralContainers", &["name"]),
    ("volumes", &["name"]),
    ("env", &["name"]),
    ("volumeMounts", &["mountPath"]),
    ("imagePullSecrets", &["name"]),
    ("ports", &["containerPort", "protocol"]),
    ("conditions", &["type"]),
    ("addresses", &["type"]),
    ("secrets", &["name"]),
    ("podIPs", &["ip"]),
    ("hostAliases", &["ip"]),
];

impl<'a> Ty<'a> {
    /// The type below a key, and whether the key is a field of a struct.
    fn child(self, key: &'a str) -> (Self, bool) {
        match self {
            Self::Root(_) if key == "metadata" => (Self::Meta, true),
            Self::Root(_) if key == "apiVersion" || key == "kind" => (Self::Untyped, true),
            Self::Root(resource) => match &resource.schema {
                Some(schema) => Self::Schema(schema).child(key),
                None if resource.is_custom() => (Self::Untyped, false),
                None => (Self::Core(key), true),
            },
            Self::Schema(schema) => match (schema.properties.get(key), &schema.additional) {
                (Some(property), _) => (Self::Schema(property), true),
                (None, Additional::Schema(rest)) => (Self::Schema(rest), false),
                _ => (Self::Untyped, false),
            },
            Self::Meta => match key {
                "labels" | "annotations" => (Self::Texts, true),
                "ownerReferences" => (Self::Owners, true),
                "finalizers" => (Self::Finalizers, true),
                _ => (Self::Untyped, true),
            },
            Self::Core(name) if CORE_MAPS.contains(&name) => (Self::Untyped, false),
            Self::Core(_) | Self::Owners | Self::Owner | Self::Finalizers => {
                (Self::Core(key), true)
            }
            Self::Texts | Self::Untyped => (Self::Untyped, false),
        }
    }

    fn list(self) -> ListKind {
        match self {
            Self::Schema(schema) => schema.list_kind.clone(),
            Self::Owners => ListKind::Map(vec!["uid".to_owned()]),
            Self::Finalizers => ListKind::Set,
            Self::Core(name) => CORE_LISTS
                .iter()
                .find(|(list, _)| *list == name)
                .map_or(ListKind::Atomic, |(_, keys)| {
                    ListKind::Map(keys.iter().map(|k| (*k).to_owned()).collect())
                }),
            _ => ListKind::Atomic,
        }
    }

    fn item(self) -> Self {
        match self {
            Self::Schema(schema) => schema.items.as_deref().map_or(Self::Untyped, Self::Schema),
            Self::Owners => Self::Owner,
            Self::Core(_) => Self::Core(""),
            _ => Self::Untyped,
        }
    }

    fn atomic_map(self) -> bool {
        match self {
            Self::Schema(schema) => schema.atomic_map,
            Self::Owner => true,
            Self::Core(name) => matches!(
                name,
                "involvedObject" | "regarding" | "related" | "selector" | "claimRef"
            ),
            _ => false,
        }
    }
}

/// The path element of a list's item; `None` in an atomic list.
fn element(kind: &ListKind, item: &Value) -> Option<String> {
    match kind {
        ListKind::Atomic => None,
        ListKind::Set => Some(format!("v:{item}")),
        ListKind::Map(keys) => {
            let mut map = Map::new();
            for key in keys {
                let value = match item.get(key) {
                    Some(value) => value.clone(),
                    // The default of a port's protocol.
                    None if key == "protocol" => json!("TCP"),
                    None => continue,
                };
                map.insert(key.clone(), value);
            }
            Some(format!("k:{}", Value::Object(map)))
        }
    }
}

/// The fields that an applied configuration has.
pub(crate) fn fields_of(resource: &Resource, config: &Value) -> Set {
    let mut set = Set::default();
    has(Ty::Root(resource), config, &mut Vec::new(), &mut set);
    set
}

fn has(ty: Ty<'_>, value: &Value, path: &mut Vec<String>, set: &mut Set) {
    match value {
        Value::Object(map) if !ty.atomic_map() => {
            for (key, value) in map {
                let (below, is_field) = ty.child(key);
                path.push(format!("f:{key}"));
                has(below, value, path, set);
                let empty = value.is_null() || value.as_object().is_some_and(Map::is_empty);
                if empty || !is_field {
                    set.insert(path);
                }
                path.pop();
            }
        }
        Value::Array(items) if ty.list() != ListKind::Atomic => {
            let kind = ty.list();
            for item in items {
                if let Some(step) = element(&kind, item) {
                    path.push(step);
                    if matches!(item, Value::Object(_)) {
                        has(ty.item(), item, path, set);
                    }
                    set.insert(path);
                    path.pop();
                }
            }
        }
        _ => set.insert(path),
    }
}

/// What differs between two objects.
#[derive(Debug, Default)]
pub(crate) struct Comparison {
    pub(crate) added: Set,
    pub(crate) modified: Set,
    pub(crate) removed: Set,
}

/// Compares two objects of one type.
pub(crate) fn compare(resource: &Resource, old: &Value, new: &Value) -> Comparison {
    let mut comparison = Comparison::default();
    differs(
        Ty::Root(resource),
        Some(old),
        Some(new),
        &mut Vec::new(),
        &mut comparison,
    );
    comparison
}

fn differs(
    ty: Ty<'_>,
    old: Option<&Value>,
    new: Option<&Value>,
    path: &mut Vec<String>,
    found: &mut Comparison,
) {
    if old == new {
        return;
    }
    let is_empty = |value: Option<&Value>| match value {
        None | Some(Value::Null) => true,
        Some(Value::Object(map)) => map.is_empty(),
        Some(Value::Array(items)) => items.is_empty(),
        Some(_) => false,
    };
    let any = new.or(old);
    let leaf = |found: &mut Comparison, path: &[String]| match (old, new) {
        (None, Some(_)) => found.added.insert(path),
        (Some(_), None) => found.removed.insert(path),
        _ => found.modified.insert(path),
    };
    let both = |test: fn(&Value) -> bool| old.is_none_or(test) && new.is_none_or(test);
    let empty = is_empty(old) && is_empty(new);
    if any.is_some_and(Value::is_object) && both(Value::is_object) && !ty.atomic_map() && !empty {
        let nothing = Map::new();
        let left = old.and_then(Value::as_object).unwrap_or(&nothing);
        let right = new.and_then(Value::as_object).unwrap_or(&nothing);
        for (key, value) in left {
            path.push(format!("f:{key}"));
            differs(ty.child(key).0, Some(value), right.get(key), path, found);
            path.pop();
        }
        for (key, value) in right {
            if !left.contains_key(key) {
                path.push(format!("f:{key}"));
                differs(ty.child(key).0, None, Some(value), path, found);
                path.pop();
            }
        }
    } else if any.is_some_and(Value::is_array)
        && both(Value::is_array)
        && ty.list() != ListKind::Atomic
        && !empty
    {
        let kind = ty.list();
        let index = |value: Option<&'_ Value>| -> BTreeMap<String, Value> {
            value
                .and_then(Value::as_array)
                .into_iter()
                .flatten()
                .filter_map(|item| Some((element(&kind, item)?, item.clone())))
                .collect()
        };
        let (left, right) = (index(old), index(new));
        for step in left
            .keys()
            .chain(right.keys().filter(|k| !left.contains_key(*k)))
        {
            path.push(step.clone());
            differs(ty.item(), left.get(step), right.get(step), path, found);
            path.pop();
        }
    } else {
        leaf(found, path);
        return;
    }
    // A struct of a core kind is always there in Go: only what is in it is added.
    let is_struct = matches!(ty, Ty::Core(name) if !name.is_empty() && !CORE_MAPS.contains(&name));
    match (old, new) {
        _ if is_struct => {}
        (None, _) if !path.is_empty() => found.added.insert(path),
        (_, None) if !path.is_empty() => found.removed.insert(path),
        _ => {}
    }
}

/// Merges an applied configuration into an object.
pub(crate) fn merge(resource: &Resource, live: &Value, config: &Value) -> Value {
    merged(Ty::Root(resource), live, config)
}

fn merged(ty: Ty<'_>, live: &Value, config: &Value) -> Value {
    match (live, config) {
        (Value::Object(left), Value::Object(right)) if !ty.atomic_map() => {
            let mut out = left.clone();
            for (key, value) in right {
                let below = ty.child(key).0;
                let value = match left.get(key) {
                    Some(old) => merged(below, old, value),
                    None => value.clone(),
                };
                out.insert(key.clone(), value);
            }
            Value::Object(out)
        }
        (Value::Array(left), Value::Array(right)) if ty.list() != ListKind::Atomic => {
            let kind = ty.list();
            let mut out: Vec<(Option<String>, Value)> = left
                .iter()
                .map(|i| (element(&kind, i), i.clone()))
                .collect();
            for item in right {
                let step = element(&kind, item);
                match out.iter_mut().find(|(known, _)| *known == step) {
                    Some((_, old)) => *old = merged(ty.item(), old, item),
                    None => out.push((step, item.clone())),
                }
            }
            out.into_iter().map(|(_, item)| item).collect()
        }
        (_, config) => config.clone(),
    }
}

/// Removes the fields in `gone` from an object, except what is in `keep`.
pub(crate) fn prune(resource: &Resource, object: &mut Value, gone: &Set, keep: &Set) {
    strike(Ty::Root(resource), object, gone, keep);
}

fn strike(ty: Ty<'_>, value: &mut Value, gone: &Set, keep: &Set) {
    let nothing = Set::default();
    match value {
        Value::Object(map) => {
            for (step, below) in gone.steps() {
                let Some(key) = step.strip_prefix("f:") else {
                    continue;
                };
                let kept = keep.at(step);
                if below.is_member() && kept.is_none() {
                    map.remove(key);
                } else if let Some(value) = map.get_mut(key) {
                    strike(ty.child(key).0, value, below, kept.unwrap_or(&nothing));
                    let drained = matches!(value, Value::Object(m) if m.is_empty())
                        || matches!(value, Value::Array(a) if a.is_empty());
                    if drained && kept.is_none() {
                        map.remove(key);
                    }
                }
            }
        }
        Value::Array(items) => {
            let kind = ty.list();
            items.retain_mut(|item| {
                let Some(step) = element(&kind, item) else {
                    return true;
                };
                let Some(below) = gone.at(&step) else {
                    return true;
                };
                match keep.at(&step) {
                    None if below.is_member() => false,
                    kept => {
                        strike(ty.item(), item, below, kept.unwrap_or(&nothing));
                        true
                    }
                }
            });
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_written_and_read_back() {
        let json =
            json!({"f:spec": {".": {}, "f:parts": {"k:{\"id\":\"x\"}": {".": {}, "f:n": {}}}}});
        let set = Set::from_json(&json);
        assert_eq!(set.to_json(), json);
        assert_eq!(
            set.paths(),
            [".spec", ".spec.parts[id=\"x\"]", ".spec.parts[id=\"x\"].n"]
        );
    }

    #[test]
    fn sets_can_be_joined_and_cut() {
        let mut a = Set::from_json(&json!({"f:a": {}, "f:b": {"f:c": {}}}));
        let b = Set::from_json(&json!({"f:b": {"f:c": {}, "f:d": {}}}));
        assert_eq!(a.intersection(&b).to_json(), json!({"f:b": {"f:c": {}}}));
        a.subtract(&b);
        assert_eq!(a.to_json(), json!({"f:a": {}}));
        a.union(&b);
        assert_eq!(
            a.to_json(),
            json!({"f:a": {}, "f:b": {"f:c": {}, "f:d": {}}})
        );
    }
}
