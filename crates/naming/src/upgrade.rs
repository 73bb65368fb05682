//! Longhorn's own rule about which upgrade may be started.
//!
//! Whether the upgrade is also *safe* for a cluster's backing images is for
//! the rules of the `diagnose` crate; this is only the door that
//! longhorn-manager checks before it starts anything.

use thiserror::Error;

use crate::version::LonghornVersion;

/// The first v1 minor version that may step to v2. A placeholder of Longhorn's
/// own, which no release has reached (`LonghornV1ToV2MinorVersionNum` in
/// longhorn-manager's `upgrade/util/util.go`).
const V1_TO_V2_MINOR: u64 = 30;

/// Why longhorn-manager refuses to start. The message is its own, word for
/// word.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum PathRefused {
    /// More than one major version up.
    #[error(
        "failed to upgrade since upgrading from {from} to {to} for major version is not supported"
    )]
    MajorUp {
        /// The version in the setting `current-longhorn-version`.
        from: LonghornVersion,
        /// The version that wants to start.
        to: LonghornVersion,
    },
    /// One major version up, from too early a minor one.
    #[error(
        "failed to upgrade since upgrading major version with minor version under {V1_TO_V2_MINOR} is not supported"
    )]
    MajorUpTooEarly,
    /// An older major version.
    #[error(
        "failed to upgrade since downgrading from {from} to {to} for major version is not supported"
    )]
    MajorDown {
        /// The version in the setting `current-longhorn-version`.
        from: LonghornVersion,
        /// The version that wants to start.
        to: LonghornVersion,
    },
    /// More than one minor version up.
    #[error(
        "failed to upgrade since upgrading from {from} to {to} for minor version is not supported"
    )]
    MinorUp {
        /// The version in the setting `current-longhorn-version`.
        from: LonghornVersion,
        /// The version that wants to start.
        to: LonghornVersion,
    },
    /// An older version of the same major one.
    #[error("failed to upgrade since downgrading from {from} to {to} is not supported")]
    Down {
        /// The version in the setting `current-longhorn-version`.
        from: LonghornVersion,
        /// The version that wants to start.
        to: LonghornVersion,
    },
}

/// Whether longhorn-manager `to` starts on a cluster that ran `from`.
///
/// `CheckUpgradePath` in longhorn-manager's `upgrade/util/util.go`: the same
/// major version, at most one minor step up, no step down. Staying on a
/// version is allowed. By semantic versioning `v1.10.2-hotfix-1` is *before*
/// `v1.10.2`, so going from the release to its hotfix counts as a step down.
///
/// Not modelled: the check can be switched off, and v1.12.0 and later are
/// compiled to allow two minor steps in some distributions.
///
/// # Errors
/// When it does not start.
pub fn upgrade_path(from: &LonghornVersion, to: &LonghornVersion) -> Result<(), PathRefused> {
    let (from_owned, to_owned) = (from.clone(), to.clone());
    if to.major < from.major {
        return Err(PathRefused::MajorDown {
            from: from_owned,
            to: to_owned,
        });
    }
    if to.major > from.major {
        return if to.major - from.major > 1 {
            Err(PathRefused::MajorUp {
                from: from_owned,
                to: to_owned,
            })
        } else if from.minor < V1_TO_V2_MINOR {
            Err(PathRefused::MajorUpTooEarly)
        } else {
            Ok(())
        };
    }
    if to.minor > from.minor && to.minor - from.minor > 1 {
        return Err(PathRefused::MinorUp {
            from: from_owned,
            to: to_owned,
        });
    }
    if to < from {
        return Err(PathRefused::Down {
            from: from_owned,
            to: to_owned,
        });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_upgrade_takes_at_most_one_minor_step_and_never_goes_back() {
        let refused = |kind: &str| format!("failed to upgrade since {kind} is not supported");
        let cases = [
            ("v1.9.1", "v1.9.1", None),
            ("v1.9.1", "v1.9.2", None),
            ("v1.8.1", "v1.9.2", None),
            ("v1.9.3", "v1.10.0", None),
            ("v1.9.2-rc1", "v1.9.2", None),
            ("v1.30.0", "v2.0.0", None),
            (
                "v1.8.1",
                "v1.10.2",
                Some("upgrading from v1.8.1 to v1.10.2 for minor version"),
            ),
            (
                "v1.8.1",
                "v1.12.1",
                Some("upgrading from v1.8.1 to v1.12.1 for minor version"),
            ),
            (
                "v1.9.2",
                "v1.9.1",
                Some("downgrading from v1.9.2 to v1.9.1"),
            ),
            (
                "v1.10.0",
                "v1.9.3",
                Some("downgrading from v1.10.0 to v1.9.3"),
            ),
            (
                "v1.10.2",
                "v1.10.2-hotfix-1",
                Some("downgrading from v1.10.2 to v1.10.2-hotfix-1"),
            ),
            (
                "v2.0.0",
                "v1.30.0",
                Some("downgrading from v2.0.0 to v1.30.0 for major version"),
            ),
            (
                "v1.30.0",
                "v3.0.0",
                Some("upgrading from v1.30.0 to v3.0.0 for major version"),
            ),
            (
                "v1.12.1",
                "v2.0.0",
                Some("upgrading major version with minor version under 30"),
            ),
        ];
        for (from, to, kind) in cases {
            let got = upgrade_path(&from.parse().unwrap(), &to.parse().unwrap());
            assert_eq!(
                got.err().map(|e| e.to_string()),
                kind.map(refused),
                "{from} {to}"
            );
        }
    }
}
