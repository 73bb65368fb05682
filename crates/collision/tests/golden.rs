//! Every row of the golden file: 50 digits, each confirmed by a second method
//! when the file was made. A quantity that this test does not know fails it.
//!
//! What we promise is 1e-14 (1e-13 for `p_none`, 1e-12 for the largest group).
//! The test asks for ten times more, so that a loss shows before it matters.

#![expect(clippy::unwrap_used, reason = "in a test, a panic is the failure")]

use fixname_collision::exact::{fleet, guard, p_any_with_images, skew, timeline};
use fixname_collision::{
    Birthday, Classes, GroupOdds, Target, disks_for, expected_first_collision,
};

const GOLDEN: &str = include_str!("data/birthday.tsv");

struct Row<'a> {
    line: &'a str,
    bits: &'a str,
    n: &'a str,
    k: &'a str,
    quantity: &'a str,
    /// What stands in brackets behind the quantity.
    argument: &'a str,
    value: &'a str,
}

impl<'a> Row<'a> {
    fn read(line: &'a str) -> Self {
        let fields: Vec<&str> = line.split('\t').collect();
        let &[bits, n, k, quantity, value] = fields.as_slice() else {
            panic!("five fields in {line:?}");
        };
        let (quantity, argument) = match quantity.split_once('[') {
            Some((quantity, rest)) => (quantity, rest.strip_suffix(']').unwrap()),
            None => (quantity, ""),
        };
        Self {
            line,
            bits,
            n,
            k,
            quantity,
            argument,
            value,
        }
    }

    fn classes(&self) -> Classes {
        Classes::new(self.bits.parse().unwrap()).unwrap()
    }

    fn n(&self) -> u128 {
        self.n.parse().unwrap()
    }

    fn k(&self) -> u128 {
        self.k.parse().unwrap()
    }

    fn tries(&self) -> u32 {
        self.k.parse().unwrap()
    }

    fn birthday(&self) -> Birthday {
        Birthday::new(self.classes(), self.n())
    }

    /// `3x302+1x1000`.
    fn fleet(&self) -> Vec<fleet::Clusters> {
        self.argument
            .split('+')
            .map(|part| {
                let (count, disks) = part.split_once('x').unwrap();
                fleet::Clusters {
                    count: count.parse().unwrap(),
                    disks: disks.parse().unwrap(),
                }
            })
            .collect()
    }

    /// `1/100`.
    fn fraction(&self) -> f64 {
        let (top, bottom) = self.argument.split_once('/').unwrap();
        top.parse::<f64>().unwrap() / bottom.parse::<f64>().unwrap()
    }
}

/// What we say, and how far it may be off, relative to the value.
fn answer(row: &Row<'_>) -> (f64, f64) {
    let b = || row.birthday();
    let usual = |value: f64| (value, 1e-15);
    match row.quantity {
        "p_any" => usual(b().p_any().value),
        "ln_p_none" => usual(b().ln_p_none()),
        "p_none" => (b().p_none().value, 1e-14),
        "e_pairs" => usual(b().expected_pairs()),
        "var_pairs" => usual(b().variance_of_pairs()),
        "e_colliding_disks" => usual(b().expected_colliding_disks()),
        "e_groups_ge2" => usual(b().expected_groups()),
        "e_groups_eq" => usual(b().expected_groups_of(row.k())),
        "e_excess" => usual(b().expected_excess()),
        "p_excess_eq" => usual(b().p_excess(row.k()).unwrap().value),
        "p_max_ge" => match b().p_group_of_at_least(row.k()).unwrap() {
            GroupOdds::Exact(p) => (p.value, 1e-13),
            between => panic!("{}: {between:?}", row.line),
        },
        "e_first_collision" => usual(expected_first_collision(row.classes())),
        "p_guard_exhaust_any" => usual(
            guard::p_exhausted(row.classes(), row.n(), row.tries())
                .unwrap()
                .value,
        ),
        "p_guard_exhaust_next" => {
            usual(guard::p_exhausted_next(row.classes(), row.n(), row.tries()).value)
        }
        "e_guard_redraws" => {
            usual(guard::expected_redraws(row.classes(), row.n(), row.tries()).unwrap())
        }
        "p_any_stale_batch" => usual(
            guard::p_stale_batch(row.classes(), row.n(), row.k())
                .unwrap()
                .value,
        ),
        "p_any_guarded_then_unguarded" => {
            usual(timeline::p_unguarded_joins(row.classes(), row.n(), row.k()).value)
        }
        "p_fleet_any" => usual(fleet::p_any(row.classes(), &row.fleet()).value),
        "e_fleet_clusters" => usual(fleet::expected_clusters(row.classes(), &row.fleet())),
        "p_any_images" => usual(p_any_with_images(row.classes(), row.n(), row.k()).value),
        "p_any_spike" => usual(
            skew::p_any_with_spike(row.classes(), row.n(), row.fraction())
                .unwrap()
                .value,
        ),
        unknown => panic!(
            "the test does not know the quantity {unknown:?}: {}",
            row.line
        ),
    }
}

#[test]
fn every_golden_value_is_met() {
    let mut worst = std::collections::BTreeMap::new();
    let mut failures = Vec::new();
    let mut rows = 0;
    for row in GOLDEN.lines().skip(1).map(Row::read) {
        rows += 1;
        if row.quantity == "n_at_p" {
            let target: Target = row.argument.parse().unwrap();
            let got = disks_for(row.classes(), &target).unwrap().to_string();
            if got != row.value {
                failures.push(format!("{}: got {got}", row.line));
            }
            continue;
        }
        let (got, tolerance) = answer(&row);
        let want: f64 = row.value.parse().unwrap();
        let error = (got - want).abs() / want.abs();
        if error.is_nan() || error > tolerance {
            failures.push(format!("{}: got {got:e}, off by {error:e}", row.line));
        }
        let seen: &mut f64 = worst.entry(row.quantity).or_default();
        *seen = seen.max(error);
    }
    println!("largest relative errors: {worst:#?}");
    assert!(failures.is_empty(), "{}", failures.join("\n"));
    assert_eq!(rows, 220);
}

#[test]
fn probabilities_agree_with_their_own_logarithms() {
    for row in GOLDEN.lines().skip(1).map(Row::read) {
        if row.quantity != "p_any" {
            continue;
        }
        let p = row.birthday().p_any();
        let want: f64 = row.value.parse().unwrap();
        // Where the value rounds to 1 its logarithm is known to this much.
        let slack = 1e-15 * want.ln().abs() + f64::EPSILON;
        assert!((p.ln - want.ln()).abs() <= slack, "{}", row.line);
        assert!(
            (p.log10 - p.ln / std::f64::consts::LN_10).abs() <= 1e-13,
            "{}",
            row.line
        );
    }
}
