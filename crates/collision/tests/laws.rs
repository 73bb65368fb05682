//! Laws that hold for any number of classes and disks.

#![expect(clippy::unwrap_used, reason = "in a test, a panic is the failure")]

use fixname_collision::exact::{guard, skew, timeline};
use fixname_collision::{Birthday, Classes, GroupOdds, Probability, Target, disks_for};
use proptest::prelude::*;

fn classes() -> impl Strategy<Value = Classes> {
    (1_u16..=256).prop_map(|bits| Classes::new(bits).unwrap())
}

/// All magnitudes alike, from 0 to 2^128.
fn disks() -> impl Strategy<Value = u128> {
    (0_u32..128, any::<u128>()).prop_map(|(shift, n)| n >> shift)
}

fn is_sound(p: Probability) -> bool {
    (0.0..=1.0).contains(&p.value) && p.ln <= 0.0 && p.log10 <= 0.0
}

proptest! {
    #[test]
    fn every_answer_is_a_probability(classes in classes(), n in disks(), k in 0_u128..40, spike in 0.0..=1.0_f64) {
        let birthday = Birthday::new(classes, n);
        prop_assert!(is_sound(birthday.p_any()), "{:?}", birthday.p_any());
        prop_assert!(is_sound(birthday.p_none()));
        prop_assert!(is_sound(timeline::p_unguarded_joins(classes, n, k)));
        prop_assert!(is_sound(timeline::p_unguarded_joins(classes, k, n)));
        prop_assert!(is_sound(guard::p_exhausted_next(classes, n, 20)));
        prop_assert!(is_sound(skew::p_any_with_spike(classes, n, spike)?));
        if let Ok(p) = guard::p_stale_batch(classes, n, k) {
            prop_assert!(is_sound(p));
        }
        if n < 5_000 {
            match birthday.p_group_of_at_least(k)? {
                GroupOdds::Exact(p) => prop_assert!(is_sound(p), "{p:?}"),
                GroupOdds::Between { low, high } => {
                    prop_assert!(is_sound(low) && is_sound(high), "{low:?} {high:?}");
                    prop_assert!(low.value <= high.value);
                }
            }
            prop_assert!(is_sound(birthday.p_excess(k)?));
        }
    }

    #[test]
    fn more_disks_are_never_safer_and_more_bits_never_riskier(bits in 1_u16..256, n in disks()) {
        let ln = |bits, n| Birthday::new(Classes::new(bits).unwrap(), n).ln_p_none();
        // A rounding error may turn equals around; nothing larger may.
        let slack = |x: f64| x * (1.0 - 4e-15);
        prop_assert!(ln(bits, n.saturating_add(1)) <= slack(ln(bits, n)));
        prop_assert!(ln(bits + 1, n) >= ln(bits, n) * (1.0 + 4e-15));
    }

    #[test]
    fn the_two_opposites_add_up_to_one(classes in classes(), n in disks()) {
        let birthday = Birthday::new(classes, n);
        let total = birthday.p_any().value + birthday.p_none().value;
        prop_assert!((total - 1.0).abs() <= 4e-16);
    }

    #[test]
    fn the_inverse_inverts(bits in 1_u16..=128, thousandths in 1_u32..1_000) {
        let classes = Classes::new(bits).unwrap();
        let p = f64::from(thousandths) / 1_000.0;
        let count = disks_for(classes, &Target::try_from(p)?)?.to_u128();
        // 128 bits and a probability near 1 may be beyond 2^128 disks; not here.
        let n = count.expect("at most 2^66 disks");
        let at = |n| Birthday::new(classes, n).p_any().value;
        prop_assert!(at(n) >= p * (1.0 - 1e-14));
        prop_assert!(at(n - 1) <= p * (1.0 + 1e-14));
    }

    #[test]
    fn a_guarded_population_is_at_least_as_safe(n in 0_u128..2_000, g in 0_u128..2_000) {
        let unguarded = Birthday::new(Classes::PREFIX, n + g).p_any().value;
        let guarded_first = timeline::p_unguarded_joins(Classes::PREFIX, g, n).value;
        prop_assert!(guarded_first <= unguarded * (1.0 + 1e-14));
    }

    #[test]
    fn no_text_makes_a_target_panic(text in any::<String>(), number in "-?[0-9]{0,9}\\.?[0-9]{0,9}(e-?[0-9]{1,11})?") {
        for text in [text, number] {
            if let Ok(target) = text.parse::<Target>() {
                prop_assert_eq!(target.to_string().parse(), Ok(target));
            }
        }
    }
}
