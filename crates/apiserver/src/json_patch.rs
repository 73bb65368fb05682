//! JSON patch and merge patch as `evanphx/json-patch` v4 does them, which is
//! not always as the RFCs say: a `replace` of a member that is not there adds
//! it, a `copy` of one makes a null, and indexes may count from the end.

use serde_json::{Map, Value};

/// Places that a patch has looked into, as lists of keys: what is written
/// again from there has its keys sorted, and the rest keeps its order.
pub(crate) type Opened = std::collections::BTreeSet<Vec<String>>;

/// Applies the operations in their order; whether all of them could be.
pub(crate) fn apply(document: &mut Value, operations: &[Value], opened: &mut Opened) -> bool {
    opened.insert(Vec::new());
    operations
        .iter()
        .all(|operation| step(document, operation, opened).is_some())
}

fn step(document: &mut Value, operation: &Value, opened: &mut Opened) -> Option<()> {
    let text = |key: &str| operation.get(key)?.as_str();
    let value = || operation.get("value").cloned().unwrap_or(Value::Null);
    match text("op")? {
        "add" => {
            let path = text("path")?;
            let (container, key) = find(document, path, opened)?;
            add(container, &key, value())?;
            open_all(&value(), &mut places(path), opened);
            Some(())
        }
        "remove" => {
            let (container, key) = find(document, text("path")?, opened)?;
            remove(container, &key).map(|_| ())
        }
        "replace" => {
            let path = text("path")?;
            if path.is_empty() {
                let value = value();
                if !value.is_object() && !value.is_array() {
                    return None;
                }
                *document = value;
                return Some(());
            }
            let (container, key) = find(document, path, opened)?;
            match container {
                Value::Object(map) => {
                    map.insert(key, value());
                }
                Value::Array(items) => {
                    let at = existing(&key, items.len())?;
                    items[at] = value();
                }
                _ => return None,
            }
            open_all(&value(), &mut places(path), opened);
            Some(())
        }
        "move" => {
            let (container, key) = find(document, text("from")?, opened)?;
            let moved = remove(container, &key)?;
            let (container, key) = find(document, text("path")?, opened)?;
            add(container, &key, moved)
        }
        "copy" => {
            let (container, key) = find(document, text("from")?, opened)?;
            let copied = match container {
                Value::Object(map) => map.get(&key).cloned().unwrap_or(Value::Null),
                Value::Array(items) => items[existing(&key, items.len())?].clone(),
                _ => return None,
            };
            let (container, key) = find(document, text("path")?, opened)?;
            add(container, &key, copied)
        }
        "test" => {
            let path = text("path")?;
            let wanted = value();
            if path.is_empty() {
                return (*document == wanted).then_some(());
            }
            let (container, key) = find(document, path, opened)?;
            let found = match container {
                Value::Object(map) => map.get(&key).unwrap_or(&Value::Null),
                Value::Array(items) => &items[existing(&key, items.len())?],
                _ => return None,
            };
            (*found == wanted).then_some(())
        }
        _ => None,
    }
}

fn places(path: &str) -> Vec<String> {
    path.split('/')
        .skip(1)
        .map(|step| step.replace("~1", "/").replace("~0", "~"))
        .collect()
}

/// What the patch brings keeps the order that it was sent in, which is taken
/// to be sorted.
fn open_all(value: &Value, place: &mut Vec<String>, opened: &mut Opened) {
    let mut below = |step: String, value: &Value| {
        place.push(step);
        open_all(value, place, opened);
        place.pop();
    };
    match value {
        Value::Object(map) => {
            for (key, value) in map {
                below(key.clone(), value);
            }
            opened.insert(place.clone());
        }
        Value::Array(items) => {
            for (i, value) in items.iter().enumerate() {
                below(i.to_string(), value);
            }
        }
        _ => {}
    }
}

/// The container that a path's last step is in, and that step.
fn find<'v>(
    document: &'v mut Value,
    path: &str,
    opened: &mut Opened,
) -> Option<(&'v mut Value, String)> {
    let steps = places(path);
    let (last, parents) = steps.split_last()?;
    let mut at = document;
    let mut place = Vec::new();
    for step in parents {
        at = match at {
            Value::Object(map) => map.get_mut(step)?,
            Value::Array(items) => {
                let index = existing(step, items.len())?;
                &mut items[index]
            }
            _ => return None,
        };
        if !at.is_object() && !at.is_array() {
            return None;
        }
        place.push(step.clone());
        opened.insert(place.clone());
    }
    Some((at, last.clone()))
}

/// An index as Go's `Atoi` reads it.
fn index(text: &str) -> Option<i64> {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    if digits.is_empty() || !digits.bytes().all(|c| c.is_ascii_digit()) {
        return None;
    }
    text.parse().ok()
}

/// The place of an item that is there; negative ones count from the end.
fn existing(text: &str, length: usize) -> Option<usize> {
    let length = i64::try_from(length).ok()?;
    let at = index(text)?;
    let at = if at < 0 { at + length } else { at };
    (0..length)
        .contains(&at)
        .then(|| usize::try_from(at).ok())?
}

fn add(container: &mut Value, key: &str, value: Value) -> Option<()> {
    match container {
        Value::Object(map) => {
            map.insert(key.to_owned(), value);
        }
        Value::Array(items) if key == "-" => items.push(value),
        Value::Array(items) => {
            // One more place than there are items.
            let at = existing(key, items.len() + 1)?;
            items.insert(at, value);
        }
        _ => return None,
    }
    Some(())
}

fn remove(container: &mut Value, key: &str) -> Option<Value> {
    match container {
        Value::Object(map) => map.remove(key),
        Value::Array(items) => {
            let at = existing(key, items.len())?;
            Some(items.remove(at))
        }
        _ => None,
    }
}

/// Merge patch. Nulls in a list stay, those in objects of a list go.
pub(crate) fn merge(document: &mut Value, patch: &Map<String, Value>, opened: &mut Opened) {
    merge_at(document, patch, &mut Vec::new(), opened);
}

fn merge_at(
    document: &mut Value,
    patch: &Map<String, Value>,
    place: &mut Vec<String>,
    opened: &mut Opened,
) {
    opened.insert(place.clone());
    let Value::Object(map) = document else {
        return;
    };
    for (key, value) in patch {
        if value.is_null() {
            map.remove(key);
            continue;
        }
        place.push(key.clone());
        match (map.get_mut(key).filter(|old| !old.is_null()), value) {
            (Some(old @ Value::Object(_)), Value::Object(new)) => {
                merge_at(old, new, place, opened);
            }
            // Over an object a list or a scalar is taken as it is.
            (Some(Value::Object(_)), new) => {
                map.insert(key.clone(), new.clone());
                open_all(new, place, opened);
            }
            (_, new) => {
                map.insert(key.clone(), without_nulls(new));
                open_all(new, place, opened);
            }
        }
        place.pop();
    }
}

fn without_nulls(value: &Value) -> Value {
    match value {
        Value::Object(map) => map
            .iter()
            .filter(|(_, value)| !value.is_null())
            .map(|(key, value)| (key.clone(), without_nulls(value)))
            .collect::<Map<_, _>>()
            .into(),
        Value::Array(items) => items.iter().map(without_nulls).collect(),
        other => other.clone(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn operations_that_the_rfc_would_refuse() {
        for (patch, wanted) in [
            (
                json!([{"op": "replace", "path": "/b", "value": 2}]),
                Some(json!({"a": [1, 2], "b": 2})),
            ),
            (
                json!([{"op": "copy", "from": "/x", "path": "/y"}]),
                Some(json!({"a": [1, 2], "y": null})),
            ),
            (
                json!([{"op": "remove", "path": "/a/-1"}]),
                Some(json!({"a": [1]})),
            ),
            (
                json!([{"op": "add", "path": "/a/-1", "value": 3}]),
                Some(json!({"a": [1, 2, 3]})),
            ),
            (
                json!([{"op": "test", "path": "/x", "value": null}]),
                Some(json!({"a": [1, 2]})),
            ),
            (json!([{"op": "remove", "path": "/x"}]), None),
            (json!([{"op": "move", "from": "/x", "path": "/y"}]), None),
            (json!([{"op": "replace", "path": "/a/2", "value": 3}]), None),
            (json!([{"op": "add", "path": "/a/4", "value": 3}]), None),
            (json!([{"op": "add", "path": "/x/y", "value": 3}]), None),
            (json!([{"op": "add", "path": "", "value": 3}]), None),
            (json!([{"op": "odd", "path": "/a"}]), None),
        ] {
            let mut document = json!({"a": [1, 2]});
            let operations = patch.as_array().expect("a list").clone();
            let fits = apply(&mut document, &operations, &mut Opened::new());
            assert_eq!(fits.then_some(document), wanted, "{patch}");
        }
    }

    #[test]
    fn nulls_in_a_merge_patch() {
        let mut document = json!({"a": {"b": 1}, "c": 1});
        let patch = json!({"a": {"b": null, "n": {"m": null}}, "c": null,
            "l": [null, {"x": null, "y": 1}], "e": {"f": null}});
        let patch = patch.as_object().expect("an object").clone();
        merge(&mut document, &patch, &mut Opened::new());
        assert_eq!(
            document,
            json!({"a": {"n": {}}, "l": [null, {"y": 1}], "e": {}})
        );
    }
}
