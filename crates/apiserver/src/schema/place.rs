//! Where a value stands in an object.

use std::fmt;

/// A place in a value, as a list from the inside out: its text is only made
/// for an error.
#[derive(Clone, Copy)]
pub(super) enum Place<'a> {
    Root,
    Member(&'a Place<'a>, &'a str),
    Item(&'a Place<'a>, usize),
}

impl Place<'_> {
    pub(super) fn text(&self) -> String {
        match self {
            Self::Root => String::new(),
            Self::Item(list, i) => format!("{}[{i}]", list.text()),
            Self::Member(object, key) => match object.text() {
                path if path.is_empty() => (*key).to_owned(),
                path => format!("{path}.{key}"),
            },
        }
    }
}

impl fmt::Display for Place<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text())
    }
}

impl From<&Place<'_>> for String {
    fn from(place: &Place<'_>) -> Self {
        place.text()
    }
}

#[cfg(test)]
mod tests {
    use super::Place;

    #[test]
    fn a_place_reads_from_the_outside_in() {
        let spec = Place::Member(&Place::Root, "spec");
        let list = Place::Member(&spec, "list");
        let item = Place::Item(&list, 2);
        assert_eq!(Place::Member(&item, "x").text(), "spec.list[2].x");
        assert_eq!(Place::Root.text(), "");
    }
}
