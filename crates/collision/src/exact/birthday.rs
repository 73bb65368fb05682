//! The plain question: so many disks over so many classes, does a pair share
//! one? The finer questions about the same two numbers are in `moments`,
//! `excess` and `groups`.

use super::classes::Classes;
use super::probability::Probability;

/// `disks` that draw independently and uniformly from `classes`.
///
/// Any number of disks is answered. Up to 10^18 the answers are checked
/// against values of 50 digits; beyond 2^53 the number itself is rounded to a
/// double where it does not enter as a pair count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Birthday {
    pub(super) classes: Classes,
    pub(super) disks: u128,
}

impl Birthday {
    /// So many disks over so many classes.
    #[must_use]
    pub const fn new(classes: Classes, disks: u128) -> Self {
        Self { classes, disks }
    }

    /// The classes.
    #[must_use]
    pub const fn classes(self) -> Classes {
        self.classes
    }

    /// The disks.
    #[must_use]
    pub const fn disks(self) -> u128 {
        self.disks
    }

    /// Natural logarithm of the probability that no two disks share a class;
    /// negative infinity if there are more disks than classes.
    #[must_use]
    pub fn ln_p_none(self) -> f64 {
        self.classes.urn().ln_all_different(self.disks)
    }

    /// Probability that no two disks share a class.
    #[must_use]
    pub fn p_none(self) -> Probability {
        Probability::from_ln(self.ln_p_none())
    }

    /// Probability that some two disks share a class. The opposite of
    /// [`p_none`](Self::p_none), and not computed from it: it keeps all its
    /// digits however small it is.
    #[must_use]
    pub fn p_any(self) -> Probability {
        Probability::from_ln_of_opposite(self.ln_p_none())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn birthday(bits: u16, disks: u128) -> Birthday {
        Birthday::new(Classes::new(bits).unwrap(), disks)
    }

    #[test]
    fn one_disk_or_none_never_collides_and_too_many_always_do() {
        for bits in [1, 8, 16, 128, 256] {
            for disks in [0, 1] {
                assert_eq!(birthday(bits, disks).p_any(), Probability::NEVER);
                assert_eq!(birthday(bits, disks).p_none(), Probability::ALWAYS);
                assert_eq!(birthday(bits, disks).expected_pairs(), 0.0);
            }
        }
        for (bits, disks) in [(1, 3), (16, 65_537), (127, (1 << 127) + 1), (8, u128::MAX)] {
            assert_eq!(birthday(bits, disks).p_any(), Probability::ALWAYS);
            assert_eq!(birthday(bits, disks).p_none(), Probability::NEVER);
        }
    }

    #[test]
    fn two_disks_collide_with_one_over_the_classes() {
        for bits in 1..=256 {
            let p = birthday(bits, 2).p_any();
            let want = (-f64::from(bits)).exp2();
            assert!((p.value - want).abs() <= 2.3e-16 * want, "2^{bits}: {p:?}");
            assert!((p.log10 + f64::from(bits) * 2_f64.log10()).abs() <= 1e-13);
        }
    }

    #[test]
    fn a_sure_collision_still_has_the_logarithm_of_its_opposite() {
        let sure = birthday(16, 5_000);
        assert_eq!(sure.p_any().value, 1.0);
        assert!((sure.p_none().log10 - -85.008_7).abs() < 1e-3);
        let surer = birthday(32, 1_000_000_000);
        assert_eq!(surer.p_none().value, 0.0);
        assert!((surer.p_none().ln + 126_676_501.732_876).abs() < 1e-5);
    }
}
