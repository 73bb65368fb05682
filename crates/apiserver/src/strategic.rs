//! Strategic merge patch of the core kinds: lists merge by the keys that the
//! types name, and directives in the patch say what else to do
//! (`apimachinery/pkg/util/strategicpatch`).

use serde_json::{Map, Value};

use crate::core_types::{self, GoType, PatchRule};
use crate::quote::quote;
use crate::status::Failure;

const DIRECTIVE: &str = "$patch";
const RETAIN: &str = "$retainKeys";
const DELETE_LIST: &str = "$deleteFromPrimitiveList";
const ORDER: &str = "$setElementOrder";

const BAD_PRIMITIVE_LIST: &str = "invalid patch format of primitive list";
const BAD_RETAIN: &str = "invalid patch format of retainKeys";
const BAD_ORDER: &str = "invalid patch format of setElementOrder list";
const LIST_OF_LISTS: &str = "lists of lists are not supported";

type Object = Map<String, Value>;

/// Merges `patch` into `object`, whose type is `go`.
pub(crate) fn merge(go: &GoType, object: &mut Value, patch: &Value) -> Result<(), Failure> {
    let (Value::Object(original), Value::Object(patch)) = (object, patch) else {
        return Ok(());
    };
    let merged = merge_map(std::mem::take(original), patch.clone(), Some(go))
        .map_err(|why| failure(&why))?;
    *original = merged;
    Ok(())
}

/// As `interpretStrategicMergePatchError` sorts them.
fn failure(why: &str) -> Failure {
    match why {
        BAD_PRIMITIVE_LIST | BAD_RETAIN | BAD_ORDER => Failure::bad_request(why),
        LIST_OF_LISTS => Failure::unprocessable(),
        other => Failure::new(500, "", other),
    }
}

/// The type and the rule of a field. A map's values have a type and no rule.
fn field<'g>(
    go: Option<&'g GoType>,
    key: &str,
) -> Result<(Option<&'g GoType>, Option<PatchRule>), String> {
    match go.map(GoType::pointee) {
        Some(GoType::Struct(id)) => {
            let of = core_types::table().get(*id);
            let field = of.field(key).ok_or_else(|| {
                format!(
                    "unable to find api field in struct {} for the json field {}",
                    of.short_name(),
                    quote(key)
                )
            })?;
            Ok((Some(&field.go), field.patch))
        }
        Some(GoType::Map(_, _, of)) => Ok((Some(of), None)),
        _ => Ok((None, None)),
    }
}

fn item(go: Option<&GoType>) -> Option<&GoType> {
    match go.map(GoType::pointee) {
        Some(GoType::List(of)) => Some(of),
        _ => None,
    }
}

/// The kind of a value as Go's reflection names it in errors.
fn go_type(value: &Value) -> &'static str {
    match value {
        Value::Null => "%!s(<nil>)",
        Value::Bool(_) => "bool",
        Value::Number(n) if n.is_f64() => "float64",
        Value::Number(_) => "int64",
        Value::String(_) => "string",
        Value::Array(_) => "[]interface {}",
        Value::Object(_) => "map[string]interface {}",
    }
}

fn no_key(map: &Object, key: &str) -> String {
    format!(
        "map: {} does not contain declared merge key: {key}",
        crate::smd::go_plain(&Value::Object(map.clone()))
    )
}

fn bad_type(directive: &Value, map: &Object) -> String {
    format!(
        "unknown patch type: {} in map: {}",
        crate::smd::go_plain(directive),
        crate::smd::go_plain(&Value::Object(map.clone()))
    )
}

fn merge_map(
    mut original: Object,
    mut patch: Object,
    go: Option<&GoType>,
) -> Result<Object, String> {
    if let Some(directive) = patch.get(DIRECTIVE) {
        return match directive.as_str() {
            Some("replace") => {
                patch.remove(DIRECTIVE);
                Ok(patch)
            }
            Some("delete") => Ok(Object::new()),
            _ => Err(bad_type(directive, &patch)),
        };
    }
    retain(&mut original, &mut patch)?;
    order_lists(&mut original, &mut patch, go)?;
    for (key, value) in patch {
        let (key, deletes) = match key.strip_prefix(DELETE_LIST) {
            Some(rest) => match rest.strip_prefix('/') {
                Some(list) => (list.to_owned(), true),
                None => return Err(BAD_PRIMITIVE_LIST.to_owned()),
            },
            None => (key, false),
        };
        if value.is_null() {
            original.remove(&key);
            continue;
        }
        let there = original.get(&key);
        if there.is_none_or(|old| go_type(old) != go_type(&value)) {
            if !deletes {
                match taken(value) {
                    Some(value) => original.insert(key, value),
                    None => original.remove(&key),
                };
            }
            continue;
        }
        let old = original.remove(&key).unwrap_or_default();
        let merged = match (old, value) {
            (Value::Object(old), Value::Object(new)) => {
                let (below, _) = field(go, &key)?;
                Value::Object(merge_map(old, new, below)?)
            }
            (Value::Array(old), Value::Array(new)) => {
                let (below, rule) = field(go, &key)?;
                Value::Array(merge_list(old, new, item(below), rule, deletes)?)
            }
            (_, new) => new,
        };
        original.insert(key, merged);
    }
    Ok(original)
}

/// A value of the patch that meets nothing: nulls and directives go.
fn taken(value: Value) -> Option<Value> {
    without_directives(without_nulls(value))
}

fn without_nulls(value: Value) -> Value {
    match value {
        Value::Object(map) => map
            .into_iter()
            .filter(|(_, value)| !value.is_null())
            .map(|(key, value)| (key, without_nulls(value)))
            .collect::<Object>()
            .into(),
        Value::Array(items) => items.into_iter().map(without_nulls).collect(),
        other => other,
    }
}

fn without_directives(value: Value) -> Option<Value> {
    Some(match value {
        Value::Object(map) if map.contains_key(DIRECTIVE) => return None,
        Value::Object(map) => map
            .into_iter()
            .filter_map(|(key, value)| Some((key, without_directives(value)?)))
            .collect::<Object>()
            .into(),
        Value::Array(items) => items.into_iter().filter_map(without_directives).collect(),
        other => other,
    })
}

fn retain(original: &mut Object, patch: &mut Object) -> Result<(), String> {
    let Some(keys) = patch.remove(RETAIN) else {
        return Ok(());
    };
    let Value::Array(keys) = keys else {
        return Err(BAD_RETAIN.to_owned());
    };
    let kept = |key: &str| keys.iter().any(|k| k.as_str() == Some(key));
    let stray = patch.iter().any(|(key, value)| {
        !value.is_null() && !key.starts_with(DELETE_LIST) && !key.starts_with(ORDER) && !kept(key)
    });
    if stray {
        return Err(BAD_RETAIN.to_owned());
    }
    original.retain(|key, _| kept(key));
    Ok(())
}

/// Merges the lists whose order the patch gives, and takes both out of it.
fn order_lists(
    original: &mut Object,
    patch: &mut Object,
    go: Option<&GoType>,
) -> Result<(), String> {
    let directives: Vec<String> = patch
        .keys()
        .filter(|key| key.starts_with(ORDER))
        .cloned()
        .collect();
    for directive in directives {
        let Some(order) = patch.remove(&directive) else {
            continue;
        };
        let list = |value: Option<&Value>| -> Result<Option<Vec<Value>>, String> {
            match value {
                None => Ok(None),
                Some(Value::Array(items)) => Ok(Some(items.clone())),
                Some(other) => Err(format!(
                    "expected a []interface {{}}, but received a {}",
                    go_type(other)
                )),
            }
        };
        let order = list(Some(&order))?.unwrap_or_default();
        let key = directive
            .strip_prefix(ORDER)
            .and_then(|rest| rest.strip_prefix('/'))
            .ok_or_else(|| BAD_ORDER.to_owned())?
            .to_owned();
        let old = list(original.get(&key))?;
        let new = list(patch.get(&key))?;
        let (below, rule) = field(go, &key)?;
        let merge_key = rule.map_or("", |rule| rule.key);
        check_order(new.as_deref().unwrap_or_default(), &order, merge_key)?;
        let merged = match (&old, &new) {
            (None, None) => continue,
            (Some(old), None) => old.clone(),
            (None, Some(new)) => new
                .iter()
                .filter_map(|item| without_directives(item.clone()))
                .collect(),
            (Some(old), Some(new)) => {
                merge_list(old.clone(), new.clone(), item(below), rule, false)?
            }
        };
        let (named, rest) = split(merged, &order, merge_key)?;
        let all = arrange(
            named,
            rest,
            &order,
            old.as_deref().unwrap_or_default(),
            merge_key,
        );
        original.insert(key.clone(), Value::Array(all));
        patch.remove(&key);
    }
    Ok(())
}

/// The items of the patch must stand in the order that the patch gives.
fn check_order(patch: &[Value], order: &[Value], key: &str) -> Result<(), String> {
    if patch.is_empty() || order.is_empty() {
        return Ok(());
    }
    let mut wanted = order.iter();
    for item in patch.iter().filter(|item| item.get(DIRECTIVE).is_none()) {
        if !wanted.any(|other| id(other, key) == id(item, key)) {
            let all = |items: &[Value]| crate::smd::go_plain(&Value::from(items.to_vec()));
            return Err(format!(
                "The order in patch list:\n{}\n doesn't match {ORDER} list:\n{}\n",
                all(patch),
                all(order)
            ));
        }
    }
    Ok(())
}

/// What an item is known by.
fn id<'v>(item: &'v Value, key: &str) -> Option<&'v Value> {
    if key.is_empty() {
        Some(item)
    } else {
        item.get(key)
    }
}

fn place(items: &[Value], item: &Value, key: &str) -> Option<usize> {
    items
        .iter()
        .position(|other| id(other, key) == id(item, key))
}

/// The items that `by` names too, and the others.
fn split(items: Vec<Value>, by: &[Value], key: &str) -> Result<(Vec<Value>, Vec<Value>), String> {
    if !key.is_empty() {
        for item in &items {
            let Value::Object(map) = item else {
                return Err(format!(
                    "expected a map[string]interface {{}}, but received a {}",
                    go_type(item)
                ));
            };
            if !map.contains_key(key) {
                return Err(no_key(map, key));
            }
        }
    }
    Ok(items
        .into_iter()
        .partition(|item| place(by, item, key).is_some()))
}

/// Puts the patch's items and the server's own together: each in their order,
/// the server's before those that they stood before.
fn arrange(
    mut named: Vec<Value>,
    mut rest: Vec<Value>,
    order: &[Value],
    before: &[Value],
    key: &str,
) -> Vec<Value> {
    sort(&mut named, order, key);
    sort(&mut rest, before, key);
    let mut out = Vec::with_capacity(named.len() + rest.len());
    let mut named = named.into_iter().peekable();
    let mut rest = rest.into_iter().peekable();
    loop {
        let own = match (rest.peek(), named.peek()) {
            (None, None) => return out,
            (Some(_), None) => true,
            (None, Some(_)) => false,
            (Some(own), Some(other)) => matches!(
                (place(before, own, key), place(before, other, key)),
                (Some(l), Some(r)) if l < r
            ),
        };
        out.extend(if own { rest.next() } else { named.next() });
    }
}

/// Go's stable sort of a short list is an insertion sort, and its comparison
/// here lets an item that has no place go to the front.
fn sort(items: &mut [Value], order: &[Value], key: &str) {
    for i in 1..items.len() {
        let mut j = i;
        while j > 0 {
            let places = (
                place(order, &items[j], key),
                place(order, &items[j - 1], key),
            );
            let less = match places {
                (Some(a), Some(b)) => a < b,
                _ => true,
            };
            if !less {
                break;
            }
            items.swap(j, j - 1);
            j -= 1;
        }
    }
}

fn merge_list(
    mut old: Vec<Value>,
    new: Vec<Value>,
    go: Option<&GoType>,
    rule: Option<PatchRule>,
    deletes: bool,
) -> Result<Vec<Value>, String> {
    if !deletes && rule.is_none_or(|rule| !rule.merge) {
        return Ok(new);
    }
    let key = rule.map_or("", |rule| rule.key);
    let Some(first) = old.iter().chain(&new).next() else {
        return Ok(old);
    };
    if first.is_array() {
        return Err(LIST_OF_LISTS.to_owned());
    }
    if !first.is_object() {
        if deletes {
            old.retain(|item| !new.contains(item));
            return Ok(old);
        }
        let mut all: Vec<Value> = Vec::new();
        for item in old.iter().chain(&new) {
            if !all.contains(item) {
                all.push(item.clone());
            }
        }
        let (named, rest) = split(all, &new, "")?;
        return Ok(arrange(named, rest, &new, &old, ""));
    }
    if key.is_empty() {
        return Err("cannot merge lists without merge key for struct".to_owned());
    }
    let mut replace = false;
    let mut plain: Vec<Value> = Vec::new();
    for item in new {
        let Value::Object(map) = &item else {
            return Err(format!(
                "expected a map[string]interface {{}}, but received a {}",
                go_type(&item)
            ));
        };
        match map.get(DIRECTIVE) {
            None => plain.push(item),
            Some(directive) => match directive.as_str() {
                Some("delete") => {
                    let gone = map.get(key).ok_or_else(|| no_key(map, key))?;
                    old.retain(|other| other.get(key) != Some(gone));
                }
                Some("replace") => replace = true,
                Some("merge") => {
                    return Err("merging lists cannot yet be specified in the patch".to_owned());
                }
                _ => return Err(bad_type(directive, map)),
            },
        }
    }
    if replace {
        old = std::mem::take(&mut plain);
    }
    let before = old.clone();
    for item in &plain {
        let Value::Object(map) = item else {
            continue;
        };
        let value = map.get(key).ok_or_else(|| no_key(map, key))?;
        match old.iter_mut().find(|other| other.get(key) == Some(value)) {
            Some(Value::Object(found)) => {
                *found = merge_map(std::mem::take(found), map.clone(), go)?;
            }
            _ => old.push(item.clone()),
        }
    }
    let (named, rest) = split(old, &plain, key)?;
    Ok(arrange(named, rest, &plain, &before, key))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn pod(mut object: Value, patch: &Value) -> Result<Value, String> {
        let id = core_types::of_kind(crate::builtin::Kind::Pod).expect("there");
        merge(&GoType::Struct(id), &mut object, patch)
            .map_err(|failure| failure.message().to_owned())?;
        Ok(object)
    }

    #[test]
    fn lists_with_a_key_merge_and_others_are_replaced() {
        let old = json!({"spec": {"containers": [
            {"name": "a", "image": "1", "args": ["x"]}, {"name": "b", "image": "1"}]}});
        for (patch, wanted) in [
            (
                json!([{"name": "a", "image": "2", "args": ["y"]}, {"name": "c", "image": "3"}]),
                json!([{"name": "a", "image": "2", "args": ["y"]}, {"name": "c", "image": "3"}, {"name": "b", "image": "1"}]),
            ),
            (
                json!([{"name": "a", "$patch": "delete"}]),
                json!([{"name": "b", "image": "1"}]),
            ),
            (
                json!([{"$patch": "replace"}, {"name": "z"}]),
                json!([{"name": "z"}]),
            ),
        ] {
            let merged = pod(old.clone(), &json!({"spec": {"containers": patch}}));
            assert_eq!(merged.expect("merges")["spec"]["containers"], wanted);
        }
        let patch = json!({"spec": {"$setElementOrder/containers": [{"name": "b"}, {"name": "a"}],
            "containers": [{"name": "b", "image": "9"}]}});
        let merged = pod(old, &patch).expect("merges");
        assert_eq!(merged["spec"]["containers"][0]["image"], "9");
        assert_eq!(merged["spec"]["containers"][1]["name"], "a");
    }

    #[test]
    fn directives_and_nulls() {
        let old =
            json!({"metadata": {"labels": {"a": "1", "b": "2"}, "finalizers": ["x/y", "x/z"]}});
        let patch = json!({"metadata": {"labels": {"a": null}, "$deleteFromPrimitiveList/finalizers": ["x/y"]}});
        assert_eq!(
            pod(old.clone(), &patch).expect("merges"),
            json!({"metadata": {"labels": {"b": "2"}, "finalizers": ["x/z"]}})
        );
        let patch =
            json!({"metadata": {"finalizers": ["x/w"], "labels": {"$patch": "replace", "c": "3"}}});
        assert_eq!(
            pod(old.clone(), &patch).expect("merges"),
            json!({"metadata": {"labels": {"c": "3"}, "finalizers": ["x/w", "x/y", "x/z"]}})
        );
        let patch = json!({"spec": {"volumes": [{"name": "v", "$patch": "odd"}]}});
        assert!(pod(json!({"spec": {"volumes": [{"name": "v"}]}}), &patch).is_err());
        let patch = json!({"metadata": {"$retainKeys": ["labels"], "labels": {}}});
        assert_eq!(
            pod(old, &patch).expect("merges"),
            json!({"metadata": {"labels": {"a": "1", "b": "2"}}})
        );
    }
}
