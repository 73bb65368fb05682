//! UUIDs that are not uniform: hand-edited, made by a broken generator, or
//! counted from a real population.

use super::birthday::Birthday;
use super::classes::Classes;
use super::double::Double;
use super::error::{ExactError, limit, probability};
use super::moments::minus_ln_1p;
use super::probability::Probability;

/// Steps of the polynomial that take about a second.
const MAX_STEPS: u128 = 1 << 26;

/// Probability that two of `disks` share a prefix, when a share `spike` of all
/// disks has one fixed prefix and the others are uniform over all classes.
///
/// # Errors
/// When `spike` is not a probability.
pub fn p_any_with_spike(
    classes: Classes,
    disks: u128,
    spike: f64,
) -> Result<Probability, ExactError> {
    let spike = probability(spike)?;
    let uniform = Birthday::new(classes, disks);
    if disks < 2 || spike == 0.0 {
        return Ok(uniform.p_any());
    }
    if spike == 1.0 {
        return Ok(Probability::ALWAYS);
    }
    // None or one of the disks is in the spike:
    // P0 = P0(uniform) (1-e)^(n-1) (1 + (n-1)e). The last two factors' logarithms
    // nearly cancel; what is left of them is two terms that do not.
    let others = (disks - 1) as f64;
    let left = minus_ln_1p(others * spike) + others * minus_ln_1p(-spike);
    Ok(Probability::from_ln_of_opposite(uniform.ln_p_none() - left))
}

/// Probability that two of `disks` share a class, when class `i` is drawn with
/// a chance proportional to `weights[i]`. Counts will do as weights.
///
/// # Errors
/// When a weight is negative, infinite or NaN, or all are 0; when disks times
/// classes is beyond 2^26.
pub fn p_any_weighted(weights: &[f64], disks: u128) -> Result<Probability, ExactError> {
    for &weight in weights {
        if !(weight >= 0.0 && weight.is_finite()) {
            return Err(ExactError::NotAWeight(weight));
        }
    }
    // By the largest, so that neither sum nor product overflows.
    let largest = weights.iter().copied().fold(0.0, f64::max);
    if largest == 0.0 {
        return Err(ExactError::NotAWeight(0.0));
    }
    let drawn: Vec<f64> = weights
        .iter()
        .map(|weight| weight / largest)
        .filter(|&weight| weight > 0.0)
        .collect();
    if disks < 2 {
        return Ok(Probability::NEVER);
    }
    if disks > drawn.len() as u128 {
        return Ok(Probability::ALWAYS);
    }
    limit(
        "disks times classes",
        disks * drawn.len() as u128,
        MAX_STEPS,
    )?;

    // P0 = n! e_n(p), with e_n the elementary symmetric polynomial. `chances[j]`
    // is j! e_j over the classes so far: every term is positive, and none is
    // above 1, being the chance that j disks are all different.
    let total = drawn
        .iter()
        .fold(Double::ZERO, |sum, &weight| sum.plus(Double::new(weight)));
    let reciprocal = reciprocal(total);
    let mut chances = vec![Double::ZERO; disks as usize + 1];
    chances[0] = Double::ONE;
    for &weight in &drawn {
        let chance = reciprocal.times_f64(weight);
        for j in (1..chances.len()).rev() {
            let drawn_now = chances[j - 1].times(chance).times_f64(j as f64);
            chances[j] = chances[j].plus(drawn_now);
        }
    }
    // With 32 digits the plain difference still has 12 at a chance of 1e-20.
    let none = chances[disks as usize];
    Ok(Probability::from_value(Double::ONE.minus(none).value()))
}

/// `1/d`, by one Newton step from the double's.
fn reciprocal(d: Double) -> Double {
    let first = Double::ONE.over_f64(d.value());
    let error = Double::ONE.minus(d.times(first));
    first.plus(first.times(error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spike_as_weights_is_the_spike_in_closed_form() {
        let classes = Classes::new(8).unwrap();
        for spike in [0.0, 1e-9, 1e-3, 0.25, 0.9] {
            let mut weights = vec![(1.0 - spike) / 256.0; 256];
            weights[7] += spike;
            for disks in [0, 1, 2, 3, 20, 100, 256, 257] {
                let closed = p_any_with_spike(classes, disks, spike).unwrap().value;
                let weighted = p_any_weighted(&weights, disks).unwrap().value;
                let error = (closed - weighted).abs();
                assert!(
                    error <= 1e-13 * closed,
                    "{spike} {disks}: {closed} {weighted}"
                );
            }
        }
    }

    #[test]
    fn a_tiny_spike_over_many_classes_keeps_its_digits() {
        // Two disks: both in the spike, or one draw meets the other.
        let spike = 1e-30;
        let p = p_any_with_spike(Classes::new(200).unwrap(), 2, spike).unwrap();
        let want = (-200_f64).exp2() + spike * spike;
        assert!((p.value - want).abs() < 1e-15 * want, "{p:?} {want}");
    }

    #[test]
    fn bad_spikes_and_weights_are_errors() {
        for spike in [f64::NAN, -0.1, 1.1, f64::INFINITY] {
            assert!(matches!(
                p_any_with_spike(Classes::PREFIX, 10, spike),
                Err(ExactError::NotAProbability(_))
            ));
        }
        for weights in [
            &[][..],
            &[0.0, 0.0],
            &[1.0, f64::NAN],
            &[1.0, -1.0],
            &[f64::INFINITY],
        ] {
            assert!(matches!(
                p_any_weighted(weights, 2),
                Err(ExactError::NotAWeight(_))
            ));
        }
        assert!(p_any_weighted(&[f64::MAX; 4], 2).unwrap().value == 0.25);
        assert_eq!(p_any_weighted(&[1.0, 0.0], 2), Ok(Probability::ALWAYS));
        assert_eq!(
            p_any_with_spike(Classes::PREFIX, 2, 1.0),
            Ok(Probability::ALWAYS)
        );
        assert_eq!(
            p_any_with_spike(Classes::PREFIX, 1, 1.0),
            Ok(Probability::NEVER)
        );
    }
}
