//! Places in a file: which node of a YAML text a mistake is about, and in which
//! line and column that node stands.

use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_saphyr::Spanned;

/// A line and a column, in characters from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Position {
    pub(crate) line: usize,
    pub(crate) column: usize,
}

impl From<serde_saphyr::Location> for Position {
    fn from(location: serde_saphyr::Location) -> Self {
        let number = |n: u64| usize::try_from(n).unwrap_or(usize::MAX).max(1);
        Self {
            line: number(location.line()),
            column: number(location.column()),
        }
    }
}

/// The way from the root of a file to one of its nodes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Path {
    parts: Vec<Part>,
    /// About the key of the last member, not its value.
    is_key: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Member(String),
    Item(usize),
}

impl Path {
    /// A member of the root.
    pub(crate) fn of(member: &str) -> Self {
        Self::default().member(member)
    }

    /// A member of this map.
    pub(crate) fn member(&self, name: &str) -> Self {
        self.with(Part::Member(name.to_owned()))
    }

    /// An item of this list.
    pub(crate) fn item(&self, index: usize) -> Self {
        self.with(Part::Item(index))
    }

    fn with(&self, part: Part) -> Self {
        let mut parts = self.parts.clone();
        parts.push(part);
        Self {
            parts,
            is_key: false,
        }
    }

    /// A node below this one.
    pub(crate) fn join(&self, below: &Self) -> Self {
        Self {
            parts: [self.parts.as_slice(), &below.parts].concat(),
            is_key: below.is_key,
        }
    }

    /// Of which step of a scenario it is a part, and of what in that.
    pub(crate) fn in_step(&self) -> Option<(usize, Self)> {
        match &self.parts[..] {
            [Part::Member(name), Part::Item(index), below @ ..] if name == "steps" => {
                let below = Self {
                    parts: below.to_vec(),
                    is_key: self.is_key,
                };
                Some((*index, below))
            }
            _ => None,
        }
    }

    /// The same, but about the key that names it.
    pub(crate) fn key(mut self) -> Self {
        self.is_key = true;
        self
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, part) in self.parts.iter().enumerate() {
            match part {
                Part::Member(name) if index == 0 => f.write_str(name)?,
                Part::Member(name) => write!(f, ".{name}")?,
                Part::Item(index) => write!(f, "[{index}]")?,
            }
        }
        Ok(())
    }
}

/// Where each node of a YAML document stands.
#[derive(Debug)]
pub(crate) struct Tree {
    at: Position,
    below: Below,
}

#[derive(Debug)]
enum Below {
    Nothing,
    Members(Vec<(Spanned<String>, Tree)>),
    Items(Vec<Tree>),
}

impl Tree {
    /// The places in a text; `None` if it is not YAML.
    pub(crate) fn read(text: &str) -> Option<Self> {
        serde_saphyr::from_str(text).ok()
    }

    /// Where a node stands, or the nearest one above it that is there.
    pub(crate) fn position(&self, path: &Path) -> Position {
        let (mut tree, mut at) = (self, self.at);
        let last = path.parts.len().saturating_sub(1);
        for (index, part) in path.parts.iter().enumerate() {
            let found = match (part, &tree.below) {
                (Part::Member(name), Below::Members(members)) => {
                    let found = members.iter().find(|(key, _)| key.value == *name);
                    found.map(|(key, value)| {
                        let is_key = path.is_key && index == last;
                        (
                            value,
                            if is_key {
                                key.referenced.into()
                            } else {
                                value.at
                            },
                        )
                    })
                }
                (Part::Item(index), Below::Items(items)) => items.get(*index).map(|i| (i, i.at)),
                _ => None,
            };
            match found {
                Some(found) => (tree, at) = found,
                None => return at,
            }
        }
        at
    }
}

impl<'de> Deserialize<'de> for Tree {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let spanned = Spanned::<Below>::deserialize(deserializer)?;
        Ok(Self {
            at: spanned.referenced.into(),
            below: spanned.value,
        })
    }
}

impl<'de> Deserialize<'de> for Below {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AnyNode)
    }
}

struct AnyNode;

/// Scalars have nothing below them.
macro_rules! nothing_below {
    ($($method:ident $type:ty,)+) => {
        $(fn $method<E>(self, _: $type) -> Result<Below, E> {
            Ok(Below::Nothing)
        })+
    };
}

impl<'de> Visitor<'de> for AnyNode {
    type Value = Below;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("anything")
    }

    nothing_below! {
        visit_bool bool,
        visit_i64 i64,
        visit_i128 i128,
        visit_u64 u64,
        visit_u128 u128,
        visit_f64 f64,
        visit_str &str,
        visit_bytes &[u8],
    }

    fn visit_unit<E>(self) -> Result<Below, E> {
        Ok(Below::Nothing)
    }

    fn visit_none<E>(self) -> Result<Below, E> {
        Ok(Below::Nothing)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Below, D::Error> {
        IgnoredAny::deserialize(deserializer).map(|_| Below::Nothing)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Below, A::Error> {
        let mut found = Vec::new();
        while let Some(item) = items.next_element()? {
            found.push(item);
        }
        Ok(Below::Items(found))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Below, A::Error> {
        let mut found = Vec::new();
        while let Some(member) = members.next_entry()? {
            found.push(member);
        }
        Ok(Below::Members(found))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_node_has_its_place() {
        let text = "a: 1\nb:\n  - {c: x, d/e: [1, 0123]}\n  - ~\nf: &g\n  h: 2\ni: *g\n";
        let tree = Tree::read(text).unwrap();
        let of = |path: &Path| {
            let Position { line, column } = tree.position(path);
            (line, column)
        };
        let list = Path::of("b");
        assert_eq!(of(&Path::of("a")), (1, 4));
        assert_eq!(of(&Path::of("a").key()), (1, 1));
        assert_eq!(of(&list.item(0)), (3, 5));
        assert_eq!(of(&list.item(0).member("d/e").key()), (3, 12));
        assert_eq!(of(&list.item(0).member("d/e").item(1)), (3, 21));
        assert_eq!(of(&list.item(1)), (4, 5));
        assert_eq!(of(&Path::of("f").member("h").key()), (6, 3));
        assert_eq!(of(&Path::of("i")), (7, 4));
        // What is not there has the place of what is above it.
        assert_eq!(of(&list.item(0).member("z").item(7)), (3, 5));
        assert_eq!(of(&Path::of("z")), (1, 1));
        assert_eq!(list.item(0).member("c").to_string(), "b[0].c");
        assert!(Tree::read("a: [").is_none());
    }
}
