//! Longhorn's prefix guard (v1.7.4, v1.8.2, v1.9.0 and later): it draws a new
//! disk's UUID up to 20 times, until the prefix is in none of the statuses.
//!
//! Running out of draws is not its weakness; not seeing everything is. Old
//! disks are [`super::Birthday`], block disks are
//! [`super::timeline::p_unguarded_joins`], and a stale view is
//! [`p_stale_batch`].

use super::classes::Classes;
use super::error::{ExactError, limit};
use super::probability::Probability;
use super::sum::sum;

/// How often Longhorn draws.
pub const LONGHORN_TRIES: u32 = 20;

/// Sums of more terms than this take more than seconds.
const MAX_DISKS: u128 = 1 << 24;

/// Probability that `tries` draws all meet one of `present` different
/// prefixes, so that the next disk gets no UUID.
#[must_use]
pub fn p_exhausted_next(classes: Classes, present: u128, tries: u32) -> Probability {
    if tries == 0 || classes.fewer_than(present.saturating_add(1)) {
        return Probability::ALWAYS;
    }
    if present == 0 {
        return Probability::NEVER;
    }
    let taken = present as f64 / classes.count();
    let value = taken.powi(tries.try_into().unwrap_or(i32::MAX));
    Probability {
        value,
        ..Probability::from_ln(taken.ln() * f64::from(tries))
    }
}

/// Probability that this happens at any of the joins up to `disks` disks.
///
/// # Errors
/// When there are more than 2^24 disks and classes.
pub fn p_exhausted(classes: Classes, disks: u128, tries: u32) -> Result<Probability, ExactError> {
    if classes.fewer_than(disks) || (tries == 0 && disks > 0) {
        return Ok(Probability::ALWAYS);
    }
    limit("number of disks", disks, MAX_DISKS)?;
    let m = classes.count();
    let tries = tries.try_into().unwrap_or(i32::MAX);
    let none = sum((0..disks).map(|i| (-(i as f64 / m).powi(tries)).ln_1p()));
    Ok(Probability::from_ln_of_opposite(none))
}

/// Expected number of draws beyond the first, over all joins up to `disks`
/// disks. Once every prefix is taken, each join draws in vain.
///
/// # Errors
/// When there are more than 2^24 disks.
pub fn expected_redraws(classes: Classes, disks: u128, tries: u32) -> Result<f64, ExactError> {
    limit("number of disks", disks, MAX_DISKS)?;
    limit("number of tries", tries.into(), 1 << 10)?;
    let m = classes.count();
    Ok(sum((0..disks).map(|i| {
        let taken = (i as f64 / m).min(1.0);
        // taken + taken^2 + ..., each try but the last.
        (1..tries).fold(0.0, |rest, _| taken * (1.0 + rest))
    })))
}

/// Probability that `batch` disks collide among themselves that joined at
/// about the same time: each was drawn against the same `seen` prefixes,
/// because a node reads them from its own cache and a new UUID is seen only
/// after a status update.
///
/// With nothing seen it is no better than no guard at all. Read from
/// Longhorn's code; running out of draws is left out.
///
/// # Errors
/// When all prefixes are taken.
pub fn p_stale_batch(classes: Classes, seen: u128, batch: u128) -> Result<Probability, ExactError> {
    let free = classes
        .urn()
        .without(seen)
        .ok_or_else(|| ExactError::NothingFree {
            classes: classes.to_string(),
        })?;
    Ok(Probability::from_ln_of_opposite(
        free.ln_all_different(batch),
    ))
}

/// Who joins a cluster, in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Joins {
    /// Disks made before there was a guard.
    pub unguarded: u64,
    /// Disks made with it.
    pub guarded: u64,
    /// So many guarded disks join at once, and none of them sees the others.
    pub at_once: u64,
    /// Block disks, which no guard sees; they come last.
    pub block: u64,
}

/// Probability that two disks of such a cluster share a prefix. Running out of
/// draws is left out, as in [`p_stale_batch`].
///
/// # Errors
/// When all prefixes are taken before a guarded disk joins, or `at_once` is 0.
pub fn p_any(classes: Classes, joins: Joins) -> Result<Probability, ExactError> {
    let taken = || ExactError::NothingFree {
        classes: classes.to_string(),
    };
    let none = |odds: Probability| (-odds.value).ln_1p();
    let urn = classes.urn();
    let mut ln = vec![urn.ln_all_different(joins.unguarded.into())];
    let mut present = u128::from(joins.unguarded);
    let mut left = joins.guarded;
    while left > 0 && joins.at_once > 1 {
        let now = left.min(joins.at_once);
        let free = urn.without(present).ok_or_else(taken)?;
        ln.push(free.ln_all_different(now.into()));
        present += u128::from(now);
        left -= now;
    }
    if joins.at_once == 0 && left > 0 {
        return Err(ExactError::TooSmall(
            "the number of disks that join at once",
        ));
    }
    present += u128::from(left);
    if left > 0 && classes.fewer_than(present) {
        return Err(taken());
    }
    ln.push(none(super::timeline::p_unguarded_joins(
        classes,
        present,
        joins.block.into(),
    )));
    Ok(Probability::from_ln_of_opposite(sum(ln)))
}

#[cfg(test)]
mod tests {
    use super::super::birthday::Birthday;
    use super::*;

    const PREFIX: Classes = Classes::PREFIX;

    #[test]
    fn one_try_is_no_guard() {
        for disks in [0, 1, 2, 302, 1_000, 65_536, 65_537] {
            let plain = Birthday::new(PREFIX, disks).p_any().value;
            let guarded = p_exhausted(PREFIX, disks, 1).unwrap().value;
            assert!((plain - guarded).abs() <= 1e-14 * plain, "{disks}");
            assert_eq!(p_stale_batch(PREFIX, 0, disks).unwrap().value, plain);
        }
        assert_eq!(expected_redraws(PREFIX, 1_000, 1), Ok(0.0));
    }

    #[test]
    fn the_guard_fails_for_certain_when_no_prefix_is_left() {
        assert_eq!(p_exhausted_next(PREFIX, 65_536, 20), Probability::ALWAYS);
        assert_eq!(p_exhausted(PREFIX, 65_537, 20), Ok(Probability::ALWAYS));
        assert_eq!(p_exhausted_next(PREFIX, 0, 20), Probability::NEVER);
        assert_eq!(p_exhausted_next(PREFIX, 5, 0), Probability::ALWAYS);
        assert!(matches!(
            p_stale_batch(PREFIX, 65_536, 1),
            Err(ExactError::NothingFree { .. })
        ));
        assert_eq!(p_stale_batch(PREFIX, 65_535, 1), Ok(Probability::NEVER));
        assert_eq!(p_stale_batch(PREFIX, 65_535, 2), Ok(Probability::ALWAYS));
    }

    #[test]
    fn a_cluster_is_as_safe_as_its_least_guarded_part() {
        let p = |unguarded, guarded, at_once, block| {
            let joins = Joins {
                unguarded,
                guarded,
                at_once,
                block,
            };
            p_any(PREFIX, joins).unwrap().value
        };
        let plain = |n| Birthday::new(PREFIX, n).p_any().value;
        assert_eq!(p(0, 302, 1, 0), 0.0);
        assert_eq!(p(302, 1000, 1, 0), plain(302));
        assert_eq!(p(0, 302, 302, 0), plain(302));
        assert_eq!(p(302, 0, 1, 0), plain(302));
        assert!((p(0, 0, 1, 302) - plain(302)).abs() < 1e-15);
        // Two batches are safer than one, and block disks meet the guarded.
        assert!(p(0, 302, 151, 0) < p(0, 302, 302, 0));
        let block = super::super::timeline::p_unguarded_joins(PREFIX, 302, 10).value;
        assert!((p(0, 302, 1, 10) - block).abs() < 1e-15);
        let joins = |guarded, at_once| Joins {
            unguarded: 0,
            guarded,
            at_once,
            block: 0,
        };
        assert!(p_any(PREFIX, joins(70_000, 1)).is_err());
        assert!(p_any(PREFIX, joins(70_000, 65_536)).is_err());
        assert!(p_any(PREFIX, joins(1, 0)).is_err());
    }

    #[test]
    fn questions_beyond_the_limits_are_errors() {
        let wide = Classes::new(64).unwrap();
        assert!(p_exhausted(wide, 1 << 40, 20).is_err());
        assert!(expected_redraws(wide, 1 << 40, 20).is_err());
        assert!(expected_redraws(wide, 1, u32::MAX).is_err());
        assert_eq!(p_exhausted_next(wide, 1 << 40, u32::MAX).value, 0.0);
    }
}
