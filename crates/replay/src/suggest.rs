//! What somebody may have meant by a name that is not there.

/// How alike two names must be, from 0 to 1, for one to be taken for the other.
const ALIKE: f64 = 0.6;

/// The end of a sentence about a name that is not among `names`: the one that was
/// meant, if one looks so, or else all there are.
pub(crate) fn instead<'n>(name: &str, names: impl IntoIterator<Item = &'n str>) -> String {
    let names: Vec<&str> = names.into_iter().collect();
    let alike = names
        .iter()
        .map(|known| (likeness(name, known), *known))
        .filter(|(likeness, _)| *likeness >= ALIKE)
        // The first of the best, so that the order of `names` decides.
        .reduce(|best, next| if next.0 > best.0 { next } else { best });
    match (alike, &names[..]) {
        (Some((_, meant)), _) => format!("; did you mean {meant}?"),
        (None, []) => "; there are none".to_owned(),
        (None, [one]) => format!("; there is only {one}"),
        (None, all) => format!("; there are {}", all.join(", ")),
    }
}

fn likeness(a: &str, b: &str) -> f64 {
    strsim::normalized_damerau_levenshtein(&a.to_lowercase(), &b.to_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_name_is_suggested() {
        for (name, end) in [
            ("setled", "; did you mean settled?"),
            ("SETTLED", "; did you mean settled?"),
            ("stcuk", "; did you mean stuck?"),
            ("stuk", "; did you mean stuck?"),
            ("node", "; there are stuck, settled"),
        ] {
            assert_eq!(instead(name, ["stuck", "settled"]), end);
        }
        assert_eq!(instead("a", []), "; there are none");
        assert_eq!(instead("a", ["parrot"]), "; there is only parrot");
    }
}
