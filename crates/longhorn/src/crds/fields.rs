//! What the official definitions say of a field that our types do not: fields that no
//! type has, words that a field may be, and what differs between releases. It is
//! data, `fields.tsv`; a test holds it against Longhorn's own definitions.

use std::sync::LazyLock;

use fixname_naming::LonghornVersion;

use super::{Kind, Releases};

/// One fact about some fields.
#[derive(Debug)]
pub(super) struct Row {
    pub(super) kind: Kind,
    pub(super) releases: Releases,
    pub(super) fact: Fact,
    /// Names joined by dots; `{}` is a map's values and `[]` a list's items. The
    /// object itself is the empty path.
    pub(super) paths: Vec<String>,
}

#[derive(Debug)]
pub(super) enum Fact {
    /// Of this type: one of OpenAPI's, or `int64`, `int32`, `int64-string`,
    /// `date-time`, which are an integer or a string with a format.
    Is(&'static str),
    /// Not there.
    Absent,
    /// One of these words.
    OneOf(Vec<&'static str>),
    /// What the API server puts in where it is missing.
    Default(&'static str),
    /// A member of that name must be there.
    Required(&'static str),
    /// May be null.
    Nullable,
    /// A number from 0, to this one if there is a bound.
    From0(Option<i64>),
    /// Never changed, and what who tries is told.
    Immutable(&'static str),
}

/// In the order in which they are applied.
pub(super) static ROWS: LazyLock<Vec<Row>> = LazyLock::new(|| lines().filter_map(row).collect());

fn lines() -> impl Iterator<Item = &'static str> {
    let lines = include_str!("fields.tsv").lines();
    lines.filter(|line| !line.starts_with('#'))
}

fn row(line: &'static str) -> Option<Row> {
    let columns: Vec<&'static str> = line.split('\t').collect();
    let [kind, first, before, inside, fact, argument, fields] = columns[..] else {
        return None;
    };
    let kind = Kind::ALL.iter().find(|known| known.as_str() == kind)?;
    let mut releases = Releases::ALL;
    for (release, bound) in [(first, &mut releases.from), (before, &mut releases.before)] {
        if !release.is_empty() {
            let release: LonghornVersion = release.parse().ok()?;
            *bound = (release.major, release.minor, release.patch);
        }
    }
    let fact = match (fact, argument) {
        ("is", type_) => Fact::Is(type_),
        ("absent", "") => Fact::Absent,
        ("one-of", words) => Fact::OneOf(words.split('|').collect()),
        ("default", word) => Fact::Default(word),
        ("required", name) => Fact::Required(name),
        ("nullable", "") => Fact::Nullable,
        ("from-0", "") => Fact::From0(None),
        ("from-0", most) => Fact::From0(Some(most.parse().ok()?)),
        ("immutable", message) => Fact::Immutable(message),
        _ => return None,
    };
    let path = |field: &str| match (inside, field) {
        (inside, ".") => inside.to_owned(),
        ("", field) => field.to_owned(),
        (inside, field) => format!("{inside}.{field}"),
    };
    Some(Row {
        kind: *kind,
        releases,
        fact,
        paths: fields.split(' ').map(path).collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_of_the_table_is_understood() {
        let not_understood: Vec<&str> = lines().filter(|line| row(line).is_none()).collect();
        assert!(not_understood.is_empty(), "{not_understood:#?}");
        assert!(ROWS.len() > 90, "{}", ROWS.len());
    }
}
