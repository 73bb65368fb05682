//! Which fields a value has, as path elements and as a set
//! (`fieldpath/element.go`, `typed/tofieldset.go`).

use serde_json::{Map, Value};

use super::Set;
use super::set::field_step;
use super::ty::{Atom, Form, List, Ty};
use crate::schema::ListKind;

/// A list's item as a path element; the error of an item that cannot be one.
pub(super) fn element(list: &List<'_>, item: &Value) -> Result<String, String> {
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

/// The fields that a value has.
pub(crate) fn fields_of(ty: Ty<'_>, value: &Value) -> Set {
    let mut set = fields_below(ty, value);
    // The whole object is never a member.
    set.unmark();
    set
}

/// The same as a node of its own; whether a value that has members is a member
/// itself is for the walk above it to say.
fn fields_below(ty: Ty<'_>, value: &Value) -> Set {
    let mut set = Set::default();
    let atom = ty.atom();
    match (atom.form(Some(value)).0, atom) {
        (
            Form::List,
            Atom {
                list: Some(list), ..
            },
        ) if *list.kind != ListKind::Atomic => {
            let Value::Array(items) = value else {
                return set;
            };
            let steps: Vec<Option<String>> =
                items.iter().map(|item| element(&list, item).ok()).collect();
            for (step, item) in steps.iter().zip(items) {
                let Some(step) = step else {
                    continue;
                };
                let count = steps.iter().flatten().filter(|other| *other == step);
                let mut below = if count.count() > 1 {
                    Set::default()
                } else {
                    fields_below(list.item, item)
                };
                below.mark();
                set.put(step.clone(), below);
            }
        }
        (Form::Map, Atom { map: Some(map), .. }) if !map.atomic => {
            let Value::Object(members) = value else {
                return set;
            };
            for (key, value) in members {
                let mut below = fields_below(map.below(key), value);
                let empty = value.is_null() || value.as_object().is_some_and(Map::is_empty);
                if empty || map.field(key).is_none() {
                    below.mark();
                }
                set.put(field_step(key), below);
            }
        }
        _ => set.mark(),
    }
    set
}
