//! Merges a configuration into an object (`typed/merge.go`).

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use super::fields::element;
use super::pair::Pair;
use super::ty::{List, Ty};

/// Merges a configuration into an object; both must fit the type.
pub(crate) fn merge(ty: Ty<'_>, live: &Value, config: &Value) -> Option<Value> {
    merged(ty, Some(live), Some(config))
}

fn merged(ty: Ty<'_>, live: Option<&Value>, config: Option<&Value>) -> Option<Value> {
    let atom = ty.atom();
    let form = atom.form(config.or(live)).0;
    match Pair::of(form, &atom, live, config) {
        Pair::Whole => config.or(live).cloned(),
        Pair::Items(list, left, right) => {
            let items = merge_items(list, left, right);
            (!items.is_empty()).then_some(Value::Array(items))
        }
        Pair::Members(map, left, right) => {
            let mut out = Map::new();
            for (key, value) in left.into_iter().flatten() {
                let config = right.and_then(|right| right.get(key));
                if let Some(value) = merged(map.below(key), Some(value), config) {
                    out.insert(key.clone(), value);
                }
            }
            for (key, value) in right.into_iter().flatten() {
                if left.is_some_and(|left| left.contains_key(key)) {
                    continue;
                }
                if let Some(value) = merged(map.below(key), None, Some(value)) {
                    out.insert(key.clone(), value);
                }
            }
            (!out.is_empty()).then_some(Value::Object(out))
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::ListKind;

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
}
