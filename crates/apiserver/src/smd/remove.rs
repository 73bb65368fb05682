//! Takes fields out of a value (`typed/remove.go`).

use serde_json::{Map, Value};

use super::Set;
use super::fields::element;
use super::ty::{Atom, Form, Ty};
use crate::schema::ListKind;

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
                match gone.field(key) {
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

    #[test]
    fn what_is_removed_leaves_null_behind() {
        let gone = Set::of(&[&["a", "b"], &["c"]]);
        let value = json!({"a": {"b": 1}, "c": 2, "d": [1]});
        assert_eq!(
            remove(Ty::Deduced, &value, &gone),
            json!({"a": null, "d": [1]})
        );
    }
}
