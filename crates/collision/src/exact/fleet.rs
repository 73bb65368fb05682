//! Many clusters. Names live in one cluster, so disks of different clusters
//! are never pooled; only their risks are.

use super::birthday::Birthday;
use super::classes::Classes;
use super::probability::Probability;
use super::sum::sum;

/// So many clusters with so many disks each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Clusters {
    /// How many clusters.
    pub count: u64,
    /// How many disks each of them has.
    pub disks: u128,
}

/// Probability that any cluster of the fleet has a collision.
#[must_use]
pub fn p_any(classes: Classes, fleet: &[Clusters]) -> Probability {
    let none = fleet
        .iter()
        .filter(|clusters| clusters.count > 0)
        .map(|clusters| clusters.count as f64 * Birthday::new(classes, clusters.disks).ln_p_none());
    Probability::from_ln_of_opposite(sum(none))
}

/// Expected number of clusters with a collision.
#[must_use]
pub fn expected_clusters(classes: Classes, fleet: &[Clusters]) -> f64 {
    sum(fleet.iter().map(|clusters| {
        clusters.count as f64 * Birthday::new(classes, clusters.disks).p_any().value
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fleet_of_one_is_its_cluster_and_no_fleet_is_safe() {
        let one = [Clusters {
            count: 1,
            disks: 302,
        }];
        let plain = Birthday::new(Classes::PREFIX, 302).p_any();
        assert_eq!(p_any(Classes::PREFIX, &one), plain);
        assert_eq!(expected_clusters(Classes::PREFIX, &one), plain.value);
        assert_eq!(p_any(Classes::PREFIX, &[]), Probability::NEVER);
        // No cluster of a size that always collides: 0 times infinity is not NaN.
        let none = [Clusters {
            count: 0,
            disks: 100_000,
        }];
        assert_eq!(p_any(Classes::PREFIX, &none), Probability::NEVER);
        assert_eq!(expected_clusters(Classes::PREFIX, &none), 0.0);
        let sure = [Clusters {
            count: 2,
            disks: 100_000,
        }];
        assert_eq!(p_any(Classes::PREFIX, &sure), Probability::ALWAYS);
        assert_eq!(expected_clusters(Classes::PREFIX, &sure), 2.0);
    }
}
