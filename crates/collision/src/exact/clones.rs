//! Disks that were copied: one UUID twice, which defeats every name scheme.
//!
//! A cloned machine brings its `longhorn-disk.cfg` along (longhorn#9586 is a
//! cluster made of such), so this is an event of its own beside the collision
//! of random UUIDs.

use super::birthday::Birthday;
use super::classes::Classes;
use super::error::{ExactError, probability};
use super::probability::Probability;

/// Probability that two of `disks` share a name, when each disk after the first
/// is a copy of an earlier one with the chance `cloned`.
///
/// # Errors
/// When `cloned` is not a probability.
pub fn p_any_with_clones(
    classes: Classes,
    disks: u128,
    cloned: f64,
) -> Result<Probability, ExactError> {
    let cloned = probability(cloned)?;
    let plain = Birthday::new(classes, disks);
    if disks < 2 || cloned == 0.0 {
        return Ok(plain.p_any());
    }
    let no_clone = (disks - 1) as f64 * (-cloned).ln_1p();
    Ok(Probability::from_ln_of_opposite(
        no_clone + plain.ln_p_none(),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clone_collides_however_long_the_name_is() {
        let p = |bits, disks, cloned| {
            p_any_with_clones(Classes::new(bits).unwrap(), disks, cloned)
                .unwrap()
                .value
        };
        assert!((p(256, 2, 0.25) - 0.25).abs() < 1e-15);
        assert!((p(122, 3, 0.1) - 0.19).abs() < 1e-15);
        assert_eq!(
            p(16, 302, 0.0),
            Birthday::new(Classes::PREFIX, 302).p_any().value
        );
        assert_eq!(p(16, 1, 0.5), 0.0);
        assert_eq!(p(16, 2, 1.0), 1.0);
        assert!(p_any_with_clones(Classes::PREFIX, 2, f64::NAN).is_err());
    }
}
