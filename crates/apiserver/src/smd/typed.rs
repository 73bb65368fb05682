//! Walks over typed values: check one, list its fields, compare two, merge
//! two, and take fields out of one (package `typed`).

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use super::set::shown;
use super::ty::{Atom, Form, List, MapType, Scalar};
use super::{Set, Ty};
use crate::schema::ListKind;

/// What does not fit, with its place.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Misfit {
    path: String,
    why: String,
}

impl Misfit {
    fn new(why: String) -> Self {
        Self {
            path: String::new(),
            why,
        }
    }

    fn text(&self) -> String {
        if self.path.is_empty() {
            self.why.clone()
        } else {
            format!("{}: {}", self.path, self.why)
        }
    }
}

/// Several misfits in one text.
pub(crate) fn text_of(misfits: &[Misfit]) -> String {
    if let [only] = misfits {
        return only.text();
    }
    let mut lines = vec!["errors:".to_owned()];
    lines.extend(misfits.iter().map(|m| format!("  {}", m.text())));
    lines.join("\n")
}

/// A list's item as a path element; the error of an item that cannot be one.
fn element(list: &List<'_>, item: &Value) -> Result<String, String> {
    let keys = match list.kind {
        ListKind::Atomic => return Err("invalid indexing of non-associative list".to_owned()),
        ListKind::Set => {
            let why = match item {
                Value::Object(_) => {
                    "associative list without keys has an element that's a map type"
                }
                Value::Array(_) => "not supported: associative list with lists as elements",
                Value::Null => {
                    "associative list without keys has an element that's an explicit null"
                }
                _ => return Ok(format!("v:{item}")),
            };
            return Err(why.to_owned());
        }
        ListKind::Map(keys) => keys,
    };
    let Value::Object(item) = item else {
        return Err(format!(
            "associative list with keys may not have {} element{}",
            if item.is_null() { "a null" } else { "non-map" },
            if item.is_null() { "" } else { "s" },
        ));
    };
    let defaults = list.item.atom().map;
    let mut found = Map::new();
    for key in keys {
        let value = item
            .get(key)
            .cloned()
            .or_else(|| defaults.and_then(|map| map.default_of(key)));
        if let Some(value) = value {
            found.insert(key.clone(), value);
        }
    }
    if found.is_empty() && !keys.is_empty() {
        let quoted: Vec<String> = keys.iter().map(|k| crate::quote::quote(k)).collect();
        return Err(format!(
            "associative list with keys has an element that omits all key fields [{}] (and doesn't have default values for any key fields)",
            quoted.join(" ")
        ));
    }
    Ok(format!("k:{}", Value::Object(found)))
}

/// A value as Go's `%v` prints it inside its wrapper.
pub(crate) fn go_plain(value: &Value) -> String {
    match value {
        Value::Null => "<nil>".to_owned(),
        Value::String(text) => text.clone(),
        Value::Array(items) => {
            let items: Vec<String> = items.iter().map(go_plain).collect();
            format!("[{}]", items.join(" "))
        }
        Value::Object(map) => {
            let members: Vec<String> = map
                .iter()
                .map(|(k, v)| format!("{k}:{}", go_plain(v)))
                .collect();
            format!("map[{}]", members.join(" "))
        }
        other => other.to_string(),
    }
}

/// A value as Go's `%#v` prints it.
fn go_syntax(value: &Value) -> String {
    match value {
        Value::Null => "interface {}(nil)".to_owned(),
        Value::String(text) => crate::quote::quote(text),
        Value::Array(items) => {
            let items: Vec<String> = items.iter().map(go_syntax).collect();
            format!("[]interface {{}}{{{}}}", items.join(", "))
        }
        Value::Object(map) => {
            let members: Vec<String> = map
                .iter()
                .map(|(k, v)| format!("{}:{}", crate::quote::quote(k), go_syntax(v)))
                .collect();
            format!("map[string]interface {{}}{{{}}}", members.join(", "))
        }
        other => other.to_string(),
    }
}

fn go_type(value: &Value) -> &'static str {
    match value {
        Value::Null => "<nil>",
        Value::Bool(_) => "bool",
        Value::Number(_) => "float64",
        Value::String(_) => "string",
        Value::Array(_) => "[]interface {}",
        Value::Object(_) => "map[string]interface {}",
    }
}

/// Whether a value fits a scalar; nothing and null always do.
fn misfit(scalar: Scalar, value: Option<&Value>) -> Option<String> {
    let value = value.filter(|v| !v.is_null())?;
    let (fits, why) = match scalar {
        Scalar::Numeric => (
            value.is_number(),
            format!("expected numeric (int or float), got {}", go_type(value)),
        ),
        Scalar::Text => (
            value.is_string(),
            format!(
                "expected string, got &value.valueUnstructured{{Value:{}}}",
                go_syntax(value)
            ),
        ),
        Scalar::Boolean => (
            value.is_boolean(),
            format!("expected boolean, got &{{{}}}", go_plain(value)),
        ),
        Scalar::Untyped => (
            !value.is_object() && !value.is_array(),
            format!("expected any scalar, got &{{{}}}", go_plain(value)),
        ),
    };
    (!fits).then_some(why)
}

fn as_list(value: Option<&Value>) -> Option<&Vec<Value>> {
    value.and_then(Value::as_array)
}

fn as_map(value: Option<&Value>) -> Option<&Map<String, Value>> {
    value.and_then(Value::as_object)
}

/// Checks a value against its type.
pub(crate) fn validate(ty: Ty<'_>, value: &Value, allow_twice: bool) -> Vec<Misfit> {
    let atom = ty.atom();
    match (atom.form(Some(value)).0, atom) {
        (
            Form::Scalar,
            Atom {
                scalar: Some(scalar),
                ..
            },
        ) => misfit(scalar, Some(value))
            .map(Misfit::new)
            .into_iter()
            .collect(),
        (
            Form::List,
            Atom {
                list: Some(list), ..
            },
        ) => match value {
            Value::Array(items) => validate_items(&list, items, allow_twice),
            Value::Null => Vec::new(),
            other => vec![Misfit::new(format!(
                "expected list, got &{{{}}}",
                go_plain(other)
            ))],
        },
        (Form::Map, Atom { map: Some(map), .. }) => match value {
            Value::Object(members) => validate_members(map, members, allow_twice),
            Value::Null => Vec::new(),
            other => vec![Misfit::new(format!(
                "expected map, got &{{{}}}",
                go_plain(other)
            ))],
        },
        _ => Vec::new(),
    }
}

fn under(mut misfits: Vec<Misfit>, step: &str) -> Vec<Misfit> {
    for misfit in &mut misfits {
        misfit.path = format!("{}{}", shown(step), misfit.path);
    }
    misfits
}

fn validate_items(list: &List<'_>, items: &[Value], allow_twice: bool) -> Vec<Misfit> {
    let mut misfits = Vec::new();
    let mut seen = BTreeSet::new();
    for (i, item) in items.iter().enumerate() {
        let step = if *list.kind == ListKind::Atomic {
            format!("i:{i}")
        } else {
            match element(list, item) {
                Ok(step) => {
                    if !seen.insert(step.clone()) && !allow_twice {
                        misfits.push(Misfit::new(format!(
                            "duplicate entries for key {}",
                            shown(&step)
                        )));
                    }
                    step
                }
                Err(why) => {
                    misfits.push(Misfit::new(format!("element {i}: {why}")));
                    return misfits;
                }
            }
        };
        misfits.extend(under(validate(list.item, item, allow_twice), &step));
    }
    misfits
}

fn validate_members(
    map: MapType<'_>,
    members: &Map<String, Value>,
    allow_twice: bool,
) -> Vec<Misfit> {
    let mut misfits = Vec::new();
    for (key, value) in members {
        let step = format!("f:{key}");
        let Some(ty) = map.field(key).or_else(|| map.element()) else {
            let unknown = Misfit::new("field not declared in schema".to_owned());
            misfits.extend(under(vec![unknown], &step));
            break;
        };
        misfits.extend(under(validate(ty, value, allow_twice), &step));
    }
    misfits
}

/// The fields that a value has.
pub(crate) fn fields_of(ty: Ty<'_>, value: &Value) -> Set {
    let mut set = Set::default();
    collect(ty, value, &mut Vec::new(), &mut set);
    set
}

fn collect(ty: Ty<'_>, value: &Value, path: &mut Vec<String>, set: &mut Set) {
    let atom = ty.atom();
    match (atom.form(Some(value)).0, atom) {
        (
            Form::List,
            Atom {
                list: Some(list), ..
            },
        ) if *list.kind != ListKind::Atomic => {
            let Value::Array(items) = value else {
                return;
            };
            let steps: Vec<Option<String>> =
                items.iter().map(|item| element(&list, item).ok()).collect();
            for (i, (step, item)) in steps.iter().zip(items).enumerate() {
                let Some(step) = step else {
                    continue;
                };
                let twice = steps
                    .iter()
                    .enumerate()
                    .any(|(j, other)| j != i && other.as_ref() == Some(step));
                path.push(step.clone());
                if !twice {
                    collect(list.item, item, path, set);
                }
                set.insert(path);
                path.pop();
            }
        }
        (Form::Map, Atom { map: Some(map), .. }) if !map.atomic => {
            let Value::Object(members) = value else {
                return;
            };
            for (key, value) in members {
                path.push(format!("f:{key}"));
                collect(map.below(key), value, path, set);
                let empty = value.is_null() || value.as_object().is_some_and(Map::is_empty);
                if empty || map.field(key).is_none() {
                    set.insert(path);
                }
                path.pop();
            }
        }
        _ => set.insert(path),
    }
}

/// What differs between two values.
#[derive(Debug, Default, Clone)]
pub(crate) struct Comparison {
    pub(crate) added: Set,
    pub(crate) modified: Set,
    pub(crate) removed: Set,
}

impl Comparison {
    /// Leaves fields out, and all that is below them.
    pub(crate) fn without(mut self, fields: &Set) -> Self {
        for set in [&mut self.added, &mut self.modified, &mut self.removed] {
            set.subtract_all_below(fields);
        }
        self
    }
}

/// Compares two values of one type.
pub(crate) fn compare(ty: Ty<'_>, old: &Value, new: &Value) -> Comparison {
    let mut found = compare_values(ty, Some(old), Some(new));
    // The whole object is never a member.
    for set in [&mut found.added, &mut found.modified, &mut found.removed] {
        set.unmark();
    }
    found
}

/// The walk of [`compare`]; the paths it finds start at the value itself.
fn compare_values(ty: Ty<'_>, old: Option<&Value>, new: Option<&Value>) -> Comparison {
    let mut found = Comparison::default();
    if old == new {
        return found;
    }
    let atom = ty.atom();
    let (left, right) = (atom.form(old), atom.form(new));
    let leaf = if new.is_none() {
        found.form(left.0, &atom, old, new)
    } else if old.is_none() || left == right {
        found.form(right.0, &atom, old, new)
    } else {
        found.form(left.0, &atom, old, new);
        found.form(right.0, &atom, old, new)
    };
    if !leaf {
        match (old, new) {
            (None, _) => found.added.mark(),
            (_, None) => found.removed.mark(),
            _ => {}
        }
    }
    found
}

impl Comparison {
    /// Puts what was found below a step in its place.
    fn below(&mut self, step: &str, found: Self) {
        self.added.put(step, found.added);
        self.modified.put(step, found.modified);
        self.removed.put(step, found.removed);
    }

    fn leaf(&mut self, old: Option<&Value>, new: Option<&Value>) -> bool {
        match (old, new) {
            (None, _) => self.added.mark(),
            (_, None) => self.removed.mark(),
            (old, new) if old != new => self.modified.mark(),
            _ => {}
        }
        true
    }

    /// Compares as one form; whether that made the value a leaf.
    fn form(
        &mut self,
        form: Form,
        atom: &Atom<'_>,
        old: Option<&Value>,
        new: Option<&Value>,
    ) -> bool {
        match form {
            Form::Scalar => {
                let bad = |value| atom.scalar.and_then(|s| misfit(s, value)).is_some();
                if bad(old) && bad(new) {
                    return false;
                }
                self.leaf(old, new)
            }
            Form::List => {
                let (left, right) = (as_list(old), as_list(new));
                let empty = left.is_none_or(Vec::is_empty) && right.is_none_or(Vec::is_empty);
                match &atom.list {
                    Some(list) if *list.kind != ListKind::Atomic && !empty => {
                        self.items(list, left, right);
                        false
                    }
                    _ => self.leaf(old, new),
                }
            }
            Form::Map => {
                let (left, right) = (as_map(old), as_map(new));
                let empty = left.is_none_or(Map::is_empty) && right.is_none_or(Map::is_empty);
                match atom.map {
                    Some(map) if !map.atomic && !empty => {
                        let nothing = Map::new();
                        let left = left.unwrap_or(&nothing);
                        let right = right.unwrap_or(&nothing);
                        for (key, value) in left {
                            self.member(map, key, Some(value), right.get(key));
                        }
                        for (key, value) in right {
                            if !left.contains_key(key) {
                                self.member(map, key, None, Some(value));
                            }
                        }
                        false
                    }
                    _ => self.leaf(old, new),
                }
            }
        }
    }

    fn member(&mut self, map: MapType<'_>, key: &str, old: Option<&Value>, new: Option<&Value>) {
        if old == new {
            return;
        }
        self.below(
            &format!("f:{key}"),
            compare_values(map.below(key), old, new),
        );
    }

    fn items(&mut self, list: &List<'_>, old: Option<&Vec<Value>>, new: Option<&Vec<Value>>) {
        fn index<'v>(
            list: &List<'_>,
            items: Option<&'v Vec<Value>>,
        ) -> BTreeMap<String, Vec<&'v Value>> {
            let mut all: BTreeMap<String, Vec<&Value>> = BTreeMap::new();
            for item in items.into_iter().flatten() {
                if let Ok(step) = element(list, item) {
                    all.entry(step).or_default().push(item);
                }
            }
            all
        }
        let (left, right) = (index(list, old), index(list, new));
        let steps: BTreeSet<&String> = left.keys().chain(right.keys()).collect();
        for step in steps {
            let one = left.get(step).map(Vec::as_slice).unwrap_or_default();
            let two = right.get(step).map(Vec::as_slice).unwrap_or_default();
            let found = match (one, two) {
                (&[] | &[_], &[] | &[_]) => {
                    compare_values(list.item, one.first().copied(), two.first().copied())
                }
                // Items that share a key are compared as a whole.
                (&[_, _, ..], &[_, _, ..]) => {
                    let mut found = Self::default();
                    if one != two {
                        found.modified.mark();
                    }
                    found
                }
                (&[_, _, ..], rest) => {
                    let mut found = rest.first().map_or_else(Self::default, |item| {
                        compare_values(list.item, None, Some(item))
                    });
                    found.removed.mark();
                    found
                }
                (rest, _) => {
                    let mut found = rest.first().map_or_else(Self::default, |item| {
                        compare_values(list.item, Some(item), None)
                    });
                    found.added.mark();
                    found
                }
            };
            self.below(step, found);
        }
    }
}

/// Merges a configuration into an object; both must fit the type.
pub(crate) fn merge(ty: Ty<'_>, live: &Value, config: &Value) -> Option<Value> {
    merged(ty, Some(live), Some(config))
}

fn merged(ty: Ty<'_>, live: Option<&Value>, config: Option<&Value>) -> Option<Value> {
    let atom = ty.atom();
    let keep = || config.or(live).cloned();
    match if config.is_some() {
        atom.form(config).0
    } else {
        atom.form(live).0
    } {
        Form::Scalar => keep(),
        Form::List => {
            let (left, right) = (as_list(live), as_list(config));
            let empty = left.is_none_or(Vec::is_empty) && right.is_none_or(Vec::is_empty);
            match &atom.list {
                Some(list) if *list.kind != ListKind::Atomic && !empty => {
                    let items = merge_items(
                        list,
                        left.map(Vec::as_slice).unwrap_or_default(),
                        right.map(Vec::as_slice).unwrap_or_default(),
                    );
                    (!items.is_empty()).then_some(Value::Array(items))
                }
                _ => keep(),
            }
        }
        Form::Map => {
            let (left, right) = (as_map(live), as_map(config));
            let empty = left.is_none_or(Map::is_empty) && right.is_none_or(Map::is_empty);
            match atom.map {
                Some(map) if !map.atomic && !empty => {
                    let nothing = Map::new();
                    let left = left.unwrap_or(&nothing);
                    let right = right.unwrap_or(&nothing);
                    let mut out = Map::new();
                    for key in left.keys().chain(right.keys()) {
                        if out.contains_key(key) {
                            continue;
                        }
                        let value = merged(map.below(key), left.get(key), right.get(key));
                        if let Some(value) = value {
                            out.insert(key.clone(), value);
                        }
                    }
                    (!out.is_empty()).then_some(Value::Object(out))
                }
                _ => keep(),
            }
        }
    }
}

/// Merges two lists by their elements: in the order of the right list as far
/// as that one goes, with the left list's own items where they stood.
fn merge_items(list: &List<'_>, left: &[Value], right: &[Value]) -> Vec<Value> {
    let steps = |items: &[Value]| -> Vec<Option<String>> {
        items.iter().map(|item| element(list, item).ok()).collect()
    };
    let (lefts, rights) = (steps(left), steps(right));
    let in_right: BTreeMap<&str, &Value> = rights
        .iter()
        .zip(right)
        .filter_map(|(step, item)| Some((step.as_deref()?, item)))
        .collect();
    // An element that is there twice is merged with nothing.
    let in_left: BTreeMap<&str, Option<&Value>> = lefts
        .iter()
        .zip(left)
        .filter_map(|(step, item)| {
            let step = step.as_deref()?;
            let twice = lefts
                .iter()
                .filter(|other| other.as_deref() == Some(step))
                .count()
                > 1;
            Some((step, (!twice).then_some(item)))
        })
        .collect();
    let one = |step: &str| -> Option<Value> {
        let live = match in_left.get(step) {
            Some(Some(item)) => Some(*item),
            Some(None) => Some(&Value::Null),
            None => None,
        };
        merged(list.item, live, in_right.get(step).copied())
    };
    let mut shared = rights
        .iter()
        .flatten()
        .filter(|step| in_left.contains_key(step.as_str()));
    let mut next = shared.next();
    let mut done: BTreeSet<&str> = BTreeSet::new();
    let mut out = Vec::new();
    let (mut l, mut r) = (0, 0);
    while l < left.len() || r < right.len() {
        let mine = lefts.get(l).and_then(Option::as_deref);
        let theirs = rights.get(r).and_then(Option::as_deref);
        if l < left.len() && mine.is_none() {
            l += 1;
            continue;
        }
        if r < right.len() && theirs.is_none() {
            r += 1;
            continue;
        }
        if let (Some(mine), Some(theirs)) = (mine, theirs) {
            if mine == theirs {
                done.insert(mine);
                out.extend(one(mine));
                l += 1;
                r += 1;
                next = shared.next();
                continue;
            }
            // A shared item whose turn has not come, or has passed.
            let wanted = next.is_none_or(|next| next == mine);
            if in_right.contains_key(mine) && !wanted {
                l += 1;
                continue;
            }
        }
        if let Some(mine) = mine {
            if !in_right.contains_key(mine) {
                out.extend(merged(list.item, left.get(l), None));
                l += 1;
                continue;
            }
            if done.contains(mine) {
                l += 1;
            }
        }
        if let Some(theirs) = theirs {
            done.insert(theirs);
            out.extend(one(theirs));
            r += 1;
            if next.is_some_and(|next| next == theirs) {
                next = shared.next();
            }
        }
    }
    out
}

/// A value without the fields of a set; a container that nothing is left of
/// becomes null.
pub(crate) fn remove(ty: Ty<'_>, value: &Value, gone: &Set) -> Value {
    let atom = ty.atom();
    match (atom.form(Some(value)).0, atom) {
        (
            Form::List,
            Atom {
                list: Some(list), ..
            },
        ) => {
            let Value::Array(items) = value else {
                return Value::Null;
            };
            if *list.kind == ListKind::Atomic {
                return Value::Null;
            }
            let mut left = Vec::new();
            for item in items {
                let node = element(&list, item).ok().and_then(|step| gone.at(&step));
                match node {
                    Some(node) if node.is_member() => {}
                    Some(node) if node.has_below() => {
                        left.push(remove(list.item, item, node));
                    }
                    _ => left.push(item.clone()),
                }
            }
            if left.is_empty() {
                Value::Null
            } else {
                Value::Array(left)
            }
        }
        (Form::Map, Atom { map: Some(map), .. }) => {
            let Value::Object(members) = value else {
                return Value::Null;
            };
            if map.atomic {
                return Value::Null;
            }
            let mut left = Map::new();
            for (key, value) in members {
                match gone.at(&format!("f:{key}")) {
                    Some(node) if node.is_member() => {}
                    Some(node) if node.has_below() => {
                        left.insert(key.clone(), remove(map.below(key), value, node));
                    }
                    _ => {
                        left.insert(key.clone(), value.clone());
                    }
                }
            }
            if left.is_empty() {
                Value::Null
            } else {
                Value::Object(left)
            }
        }
        _ => value.clone(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn strings(merged: &[Value]) -> Vec<&str> {
        merged.iter().filter_map(Value::as_str).collect()
    }

    #[test]
    fn lists_merge_in_the_order_of_the_configuration() {
        let list = List {
            item: Ty::Text,
            kind: &ListKind::Set,
        };
        let merge = |left: &[&str], right: &[&str]| -> Vec<String> {
            let values =
                |all: &[&str]| -> Vec<Value> { all.iter().map(|s| Value::from(*s)).collect() };
            let merged = merge_items(&list, &values(left), &values(right));
            strings(&merged).into_iter().map(str::to_owned).collect()
        };
        // Examples of `typed/merge_test.go`.
        assert_eq!(merge(&["a", "b"], &["b", "a"]), ["b", "a"]);
        assert_eq!(merge(&["a", "b", "c"], &["a", "b"]), ["a", "b", "c"]);
        assert_eq!(merge(&["a", "b"], &["a", "c"]), ["a", "b", "c"]);
        assert_eq!(merge(&["a", "b", "c"], &["c", "d"]), ["a", "b", "c", "d"]);
        assert_eq!(merge(&[], &["x", "y"]), ["x", "y"]);
    }

    #[test]
    fn what_is_removed_leaves_null_behind() {
        let gone = Set::of(&[&["a", "b"], &["c"]]);
        let value = json!({"a": {"b": 1}, "c": 2, "d": [1]});
        assert_eq!(
            remove(Ty::Deduced, &value, &gone),
            json!({"a": null, "d": [1]})
        );
    }

    #[test]
    fn a_comparison_names_what_was_added_changed_and_removed() {
        let found = compare(
            Ty::Deduced,
            &json!({"a": 1, "b": {"c": 1}, "l": [1]}),
            &json!({"a": 2, "n": {"m": null}, "l": [2]}),
        );
        assert_eq!(found.modified.paths(), [".a", ".l"]);
        assert_eq!(found.added.paths(), [".n", ".n.m"]);
        assert_eq!(found.removed.paths(), [".b", ".b.c"]);
    }
}
