//! Disks that come and go: the chance that no collision was *ever* there.
//!
//! A disk that leaves does so without regard to its prefix. Then "colliding
//! now", with `live` disks present, is the plain [`super::Birthday`].

use super::classes::Classes;
use super::probability::Probability;
use super::sum::Sum;

/// Probability that some unguarded disk met its own prefix when it joined.
///
/// `live` is, for every unguarded join in turn, the number of disks that were
/// present just before. Disks that left do not count, and the live disks are
/// taken to be all different so far.
#[must_use]
pub fn p_ever(classes: Classes, live: impl IntoIterator<Item = u128>) -> Probability {
    let m = classes.count();
    let mut ln = Sum::default();
    for before in live {
        if classes.fewer_than(before.saturating_add(1)) {
            return Probability::ALWAYS;
        }
        ln.add((-(before as f64) / m).ln_1p());
    }
    Probability::from_ln_of_opposite(ln.value())
}

/// Probability that one of `unguarded` further disks collides, where `present`
/// disks, all different, are there already: block disks that join a guarded
/// cluster, for instance.
#[must_use]
pub fn p_unguarded_joins(classes: Classes, present: u128, unguarded: u128) -> Probability {
    if unguarded == 0 {
        return Probability::NEVER;
    }
    let all = classes.urn();
    let Some(free) = all.without(present) else {
        return Probability::ALWAYS;
    };
    // All of the new disks land outside the prefixes present, and there on
    // different ones: two factors, each of which keeps its digits.
    let outside = if present == 0 {
        0.0
    } else {
        unguarded as f64 * (-(present as f64) / all.size()).ln_1p()
    };
    Probability::from_ln_of_opposite(free.ln_all_different(unguarded) + outside)
}

#[cfg(test)]
mod tests {
    use super::super::birthday::Birthday;
    use super::*;

    #[test]
    fn joins_without_leaving_are_the_plain_birthday() {
        let classes = Classes::PREFIX;
        for disks in [0, 1, 2, 302, 1_000] {
            let ever = p_ever(classes, 0..disks).value;
            let plain = Birthday::new(classes, disks).p_any().value;
            assert!(
                (ever - plain).abs() <= 1e-15 * plain,
                "{disks}: {ever} {plain}"
            );
            let joined = p_unguarded_joins(classes, 0, disks).value;
            assert_eq!(joined, plain, "{disks}");
        }
    }

    #[test]
    fn joins_to_a_cluster_are_its_timeline_from_there() {
        for (present, joins) in [(302, 1), (302, 100), (65_000, 500), (65_535, 1)] {
            let ever = p_ever(Classes::PREFIX, present..present + joins).value;
            let joined = p_unguarded_joins(Classes::PREFIX, present, joins).value;
            assert!(
                (ever - joined).abs() <= 2e-15 * joined,
                "{present}: {ever} {joined}"
            );
        }
    }

    #[test]
    fn a_disk_that_leaves_lowers_the_risk_of_the_next() {
        // Ten disks that replace one another, beside a hundred that stay.
        let replaced = p_ever(Classes::PREFIX, std::iter::repeat_n(100, 10)).value;
        let added = p_ever(Classes::PREFIX, 100..110).value;
        assert!(replaced < added);
        let want = 1.0 - (1.0_f64 - 100.0 / 65_536.0).powi(10);
        assert!((replaced - want).abs() < 1e-14);
    }

    #[test]
    fn a_full_house_always_collides() {
        assert_eq!(p_ever(Classes::PREFIX, [65_536]), Probability::ALWAYS);
        assert_eq!(p_ever(Classes::PREFIX, [u128::MAX]), Probability::ALWAYS);
        assert_eq!(
            p_unguarded_joins(Classes::PREFIX, 65_536, 1),
            Probability::ALWAYS
        );
        assert_eq!(
            p_unguarded_joins(Classes::PREFIX, 65_536, 0),
            Probability::NEVER
        );
        assert_eq!(
            p_unguarded_joins(Classes::PREFIX, 65_535, 2),
            Probability::ALWAYS
        );
    }
}
