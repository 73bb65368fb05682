//! Sets of fields, as `managedFields` records them (`FieldsV1`).

use serde_json::{Map, Value, json};

use super::Ty;

/// A set of paths as a tree. Keys are path elements in their written form:
/// `f:name`, `k:{"id":"x"}`, `v:"x"`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Set {
    /// This path itself is in the set.
    member: bool,
    /// Sorted by step. Most sets are made in that order and hold few steps, so
    /// that a list takes less time and memory than a tree.
    below: Vec<(String, Set)>,
}

impl Set {
    /// A set of paths of named fields.
    pub(crate) fn of(paths: &[&[&str]]) -> Self {
        let mut set = Self::default();
        for path in paths {
            let mut at = &mut set;
            for name in *path {
                at = at.below_mut(field_step(name));
            }
            at.mark();
        }
        set
    }

    pub(crate) fn is_empty(&self) -> bool {
        !self.member && self.below.is_empty()
    }

    /// Where a step is, or where it would be.
    fn find(&self, step: &str) -> Result<usize, usize> {
        match self.below.last() {
            None => Err(0),
            Some((last, _)) if last.as_str() < step => Err(self.below.len()),
            _ => self
                .below
                .binary_search_by(|(mine, _)| mine.as_str().cmp(step)),
        }
    }

    /// The node of one step, made if there is none.
    fn below_mut(&mut self, step: String) -> &mut Self {
        let at = match self.find(&step) {
            Ok(at) => at,
            Err(at) => {
                self.below.insert(at, (step, Self::default()));
                at
            }
        };
        &mut self.below[at].1
    }

    /// Adds the place that this node is at.
    pub(crate) fn mark(&mut self) {
        self.member = true;
    }

    /// Takes out the place that this node is at.
    pub(crate) fn unmark(&mut self) {
        self.member = false;
    }

    /// Adds a set below a step.
    pub(crate) fn put(&mut self, step: String, below: Self) {
        if below.is_empty() {
            return;
        }
        match self.find(&step) {
            Ok(at) => self.below[at].1.union(below),
            Err(at) => self.below.insert(at, (step, below)),
        }
    }

    /// The node of one step, if there is any.
    pub(crate) fn at(&self, step: &str) -> Option<&Self> {
        let at = self.find(step).ok()?;
        Some(&self.below[at].1)
    }

    /// The node of a named field, if there is any.
    pub(crate) fn field(&self, name: &str) -> Option<&Self> {
        // Most sets that are asked for fields are empty or name one or two.
        let is_it = |step: &str| step.strip_prefix("f:") == Some(name);
        let (_, node) = self.below.iter().find(|(step, _)| is_it(step))?;
        Some(node)
    }

    pub(crate) fn is_member(&self) -> bool {
        self.member
    }

    pub(crate) fn has_below(&self) -> bool {
        !self.below.is_empty()
    }

    pub(crate) fn union(&mut self, other: Self) {
        self.member |= other.member;
        if self.below.is_empty() {
            self.below = other.below;
            return;
        }
        for (step, below) in other.below {
            self.put(step, below);
        }
    }

    /// Removes the paths that are in `other`.
    pub(crate) fn subtract(&mut self, other: &Self) {
        self.member &= !other.member;
        self.below.retain_mut(|(step, mine)| {
            if let Some(theirs) = other.at(step) {
                mine.subtract(theirs);
            }
            !mine.is_empty()
        });
    }

    /// Removes the paths that are in `other`, and all that is below them.
    pub(crate) fn subtract_all_below(&mut self, other: &Self) {
        if other.below.is_empty() {
            return;
        }
        self.below.retain_mut(|(step, mine)| {
            match other.at(step) {
                Some(theirs) if theirs.member => return false,
                Some(theirs) => mine.subtract_all_below(theirs),
                None => {}
            }
            !mine.is_empty()
        });
    }

    pub(crate) fn intersection(&self, other: &Self) -> Self {
        let common = self.below.iter().filter_map(|(step, mine)| {
            let both = mine.intersection(other.at(step)?);
            (!both.is_empty()).then(|| (step.clone(), both))
        });
        Self {
            member: self.member && other.member,
            below: common.collect(),
        }
    }

    /// Makes every field that the type names, and that has members below it,
    /// a member too (`EnsureNamedFieldsAreMembers`).
    pub(crate) fn with_named_fields(&self, ty: Ty<'_>) -> Self {
        self.named(Some(ty))
    }

    fn named(&self, ty: Option<Ty<'_>>) -> Self {
        let atom = ty.map(Ty::atom);
        let map = atom.as_ref().and_then(|atom| atom.map);
        let list = atom.as_ref().and_then(|atom| atom.list.as_ref());
        let below = self
            .below
            .iter()
            .map(|(step, node)| {
                let field = step.strip_prefix("f:");
                let named = field.and_then(|name| map?.field(name));
                let ty = match field {
                    Some(_) => named.or_else(|| map?.element()),
                    None if step.starts_with("k:") => list.map(|list| list.item),
                    None => None,
                };
                let mut node = node.named(ty);
                node.member |= named.is_some();
                (step.clone(), node)
            })
            .collect();
        Self {
            member: self.member,
            below,
        }
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

    /// As `fieldsV1` has it.
    pub(crate) fn into_json(self) -> Value {
        let mut map = Map::new();
        if self.member && !self.below.is_empty() {
            map.insert(".".to_owned(), json!({}));
        }
        for (step, below) in self.below {
            map.insert(step, below.into_json());
        }
        Value::Object(map)
    }

    /// Reads `fieldsV1`; `None` when it is not of that form.
    pub(crate) fn from_json(value: &Value) -> Option<Self> {
        let mut set = Self::parse(value)?;
        // The root itself is never a member.
        set.member = false;
        Some(set)
    }

    fn parse(value: &Value) -> Option<Self> {
        let Value::Object(map) = value else {
            return None;
        };
        let mut set = Self {
            member: map.is_empty() || map.contains_key("."),
            below: Vec::with_capacity(map.len()),
        };
        for (step, node) in map.iter().filter(|(step, _)| *step != ".") {
            let shaped = match step.split_once(':')? {
                ("f", _) => true,
                ("v", value) => serde_json::from_str::<Value>(value).is_ok(),
                ("k", key) => serde_json::from_str::<Map<String, Value>>(key).is_ok(),
                ("i", index) => index.parse::<i64>().is_ok(),
                _ => false,
            };
            if !shaped {
                return None;
            }
            set.put(step.clone(), Self::parse(node)?);
        }
        Some(set)
    }
}

/// The path element of a named field.
pub(crate) fn field_step(name: &str) -> String {
    ["f:", name].concat()
}

/// A path element as errors show it.
pub(crate) fn shown(step: &str) -> String {
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
        Some(("i", index)) => format!("[{index}]"),
        _ => format!("[{step}]"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(value: &Value) -> Set {
        Set::from_json(value).expect("the test's fields are well formed")
    }

    #[test]
    fn fields_are_written_and_read_back() {
        let json =
            json!({"f:spec": {".": {}, "f:parts": {"k:{\"id\":\"x\"}": {".": {}, "f:n": {}}}}});
        let set = read(&json);
        assert_eq!(set.clone().into_json(), json);
        assert_eq!(
            set.paths(),
            [".spec", ".spec.parts[id=\"x\"]", ".spec.parts[id=\"x\"].n"]
        );
        for bad in [
            json!([]),
            json!({"spec": {}}),
            json!({"k:x": {}}),
            json!({"f:a": 1}),
        ] {
            assert_eq!(Set::from_json(&bad), None, "{bad}");
        }
    }

    #[test]
    fn sets_can_be_joined_and_cut() {
        let mut a = read(&json!({"f:a": {}, "f:b": {"f:c": {}}}));
        let b = read(&json!({"f:b": {"f:c": {}, "f:d": {}}}));
        assert_eq!(a.intersection(&b).into_json(), json!({"f:b": {"f:c": {}}}));
        a.subtract(&b);
        assert_eq!(a.clone().into_json(), json!({"f:a": {}}));
        a.union(b.clone());
        assert_eq!(
            a.clone().into_json(),
            json!({"f:a": {}, "f:b": {"f:c": {}, "f:d": {}}})
        );
        a.subtract_all_below(&Set::of(&[&["b"]]));
        assert_eq!(a.clone().into_json(), json!({"f:a": {}}));
    }
}
