//! What differs between two values of one type (`typed/compare.go`).

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::Set;
use super::check::fits;
use super::fields::element;
use super::pair::Pair;
use super::set::field_step;
use super::ty::{Atom, Form, List, MapType, Ty};

/// What differs between two values.
#[derive(Debug, Default, Clone)]
pub(crate) struct Comparison {
    pub(crate) added: Set,
    pub(crate) modified: Set,
    pub(crate) removed: Set,
}

/// Compares two values of one type, without the fields in `except` and what is
/// below them.
pub(crate) fn compare(ty: Ty<'_>, old: &Value, new: &Value, except: &Set) -> Comparison {
    let mut found = compare_values(ty, Some(old), Some(new), Some(except));
    // The whole object is never a member.
    for set in [&mut found.added, &mut found.modified, &mut found.removed] {
        set.unmark();
    }
    found
}

/// The walk of [`compare`]; the paths it finds start at the value itself.
fn compare_values(
    ty: Ty<'_>,
    old: Option<&Value>,
    new: Option<&Value>,
    except: Option<&Set>,
) -> Comparison {
    let mut found = Comparison::default();
    if old == new {
        return found;
    }
    let atom = ty.atom();
    let (left, right) = (atom.form(old), atom.form(new));
    let mut walk = |form| found.form(form, &atom, old, new, except);
    let leaf = if new.is_none() {
        walk(left.0)
    } else if old.is_none() || left == right {
        walk(right.0)
    } else {
        walk(left.0);
        walk(right.0)
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
    fn below(&mut self, step: &dyn Fn() -> String, found: Self) {
        for (mine, below) in [
            (&mut self.added, found.added),
            (&mut self.modified, found.modified),
            (&mut self.removed, found.removed),
        ] {
            if !below.is_empty() {
                mine.put(step(), below);
            }
        }
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
        except: Option<&Set>,
    ) -> bool {
        match Pair::of(form, atom, old, new) {
            Pair::Whole => {
                let bad = |value| atom.scalar.is_some_and(|scalar| !fits(scalar, value));
                if form == Form::Scalar && bad(old) && bad(new) {
                    return false;
                }
                self.leaf(old, new)
            }
            Pair::Items(list, left, right) => {
                self.items(list, left, right);
                false
            }
            Pair::Members(map, left, right) => {
                for (key, value) in left.into_iter().flatten() {
                    let other = right.and_then(|right| right.get(key));
                    self.member(map, key, Some(value), other, except);
                }
                for (key, value) in right.into_iter().flatten() {
                    if left.is_none_or(|left| !left.contains_key(key)) {
                        self.member(map, key, None, Some(value), except);
                    }
                }
                false
            }
        }
    }

    fn member(
        &mut self,
        map: MapType<'_>,
        key: &str,
        old: Option<&Value>,
        new: Option<&Value>,
        except: Option<&Set>,
    ) {
        let except = except.and_then(|except| except.field(key));
        if old == new || except.is_some_and(Set::is_member) {
            return;
        }
        let found = compare_values(map.below(key), old, new, except);
        self.below(&|| field_step(key), found);
    }

    fn items(&mut self, list: &List<'_>, old: &[Value], new: &[Value]) {
        fn index<'v>(list: &List<'_>, items: &'v [Value]) -> BTreeMap<String, Vec<&'v Value>> {
            let mut all: BTreeMap<String, Vec<&Value>> = BTreeMap::new();
            for item in items {
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
                    compare_values(list.item, one.first().copied(), two.first().copied(), None)
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
                        compare_values(list.item, None, Some(item), None)
                    });
                    found.removed.mark();
                    found
                }
                (rest, _) => {
                    let mut found = rest.first().map_or_else(Self::default, |item| {
                        compare_values(list.item, Some(item), None, None)
                    });
                    found.added.mark();
                    found
                }
            };
            self.below(&|| step.clone(), found);
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_comparison_names_what_was_added_changed_and_removed() {
        let found = compare(
            Ty::Deduced,
            &json!({"a": 1, "b": {"c": 1}, "l": [1]}),
            &json!({"a": 2, "n": {"m": null}, "l": [2]}),
            &Set::default(),
        );
        assert_eq!(found.modified.paths(), [".a", ".l"]);
        assert_eq!(found.added.paths(), [".n", ".n.m"]);
        assert_eq!(found.removed.paths(), [".b", ".b.c"]);
    }

    #[test]
    fn a_comparison_leaves_out_what_it_is_told_to() {
        let (old, new) = (
            json!({"a": {"b": 1}}),
            json!({"a": {"b": 2, "c": 1}, "s": 1}),
        );
        let found = compare(Ty::Deduced, &old, &new, &Set::of(&[&["s"], &["a", "b"]]));
        assert_eq!(found.added.paths(), [".a.c"]);
        assert!(found.modified.is_empty() && found.removed.is_empty());
    }
}
