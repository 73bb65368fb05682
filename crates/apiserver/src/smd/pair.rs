//! Two values of one type side by side: whether a walk goes into them, and over
//! what. Comparing and merging have this in common (`typed/merge.go`).

use serde_json::{Map, Value};

use super::ty::{Atom, Form, List, MapType};
use crate::schema::ListKind;

/// Two values, taken as one form.
pub(super) enum Pair<'t, 'v> {
    /// Scalars, what is owned as a whole, and two empty values.
    Whole,
    /// Lists whose items have keys.
    Items(&'t List<'t>, &'v [Value], &'v [Value]),
    /// Maps that merge.
    Members(
        MapType<'t>,
        Option<&'v Map<String, Value>>,
        Option<&'v Map<String, Value>>,
    ),
}

impl<'t, 'v> Pair<'t, 'v> {
    pub(super) fn of(
        form: Form,
        atom: &'t Atom<'t>,
        left: Option<&'v Value>,
        right: Option<&'v Value>,
    ) -> Self {
        match (form, &atom.list, atom.map) {
            (Form::List, Some(list), _) if *list.kind != ListKind::Atomic => {
                let items = |value: Option<&'v Value>| -> &'v [Value] {
                    let items = value.and_then(Value::as_array);
                    items.map(Vec::as_slice).unwrap_or_default()
                };
                let (left, right) = (items(left), items(right));
                if left.is_empty() && right.is_empty() {
                    return Self::Whole;
                }
                Self::Items(list, left, right)
            }
            (Form::Map, _, Some(map)) if !map.atomic => {
                let members = |value: Option<&'v Value>| value.and_then(Value::as_object);
                let (left, right) = (members(left), members(right));
                if left.is_none_or(Map::is_empty) && right.is_none_or(Map::is_empty) {
                    return Self::Whole;
                }
                Self::Members(map, left, right)
            }
            _ => Self::Whole,
        }
    }
}
