//! The prefix guard: how later releases draw the UUID of a new disk so that
//! its first four bytes are its own.
//!
//! Draws and the set of taken prefixes are arguments. Who collects that set,
//! and how stale it is, is the caller's business (and Longhorn's weak spot).

use std::collections::BTreeSet;

use thiserror::Error;

use crate::ids::DiskUuid;
use crate::releases::Release;

/// How often the guard draws before it gives up.
pub const ATTEMPTS: usize = 20;

/// What kind of disk gets a UUID.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DiskType {
    /// A directory, with a `longhorn-disk.cfg` that Longhorn writes.
    Filesystem,
    /// A block device of the v2 data engine; its UUID comes from the disk
    /// service.
    Block,
}

/// Twenty draws, and each one's prefix was taken.
///
/// The disk is then not ready, with this text in its condition's message; the
/// next pass of the disk monitor tries again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("failed to generate UUID with unique prefix after 20 attempts")]
pub struct GuardExhausted;

/// Whether `release` guards the UUID that it generates for a disk.
///
/// In v1.7.4, v1.8.2, v1.9.0 and later, for filesystem disks only. Not guarded
/// in any release: a configuration that exists already (a restored, copied or
/// hand-edited one).
#[must_use]
pub fn applies(release: &Release, disk: DiskType) -> bool {
    release.prefix_guard && disk == DiskType::Filesystem
}

/// Draws UUIDs until one has a prefix that is not in `taken`.
///
/// As `generateUniqueFirstFourCharUUID` (longhorn-manager v1.9.1,
/// `controller/monitor/disk_utils.go`). The real function draws version 4 UUIDs, so
/// it never meets one without a prefix; here such a draw counts as an attempt
/// that failed.
///
/// # Errors
/// After [`ATTEMPTS`] draws without a free prefix.
pub fn generate_unique(
    mut draw: impl FnMut() -> DiskUuid,
    taken: &BTreeSet<String>,
) -> Result<DiskUuid, GuardExhausted> {
    std::iter::repeat_with(&mut draw)
        .take(ATTEMPTS)
        .find(|uuid| uuid.prefix().is_some_and(|prefix| !taken.contains(prefix)))
        .ok_or(GuardExhausted)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::releases::releases;

    fn taken(prefixes: &[&str]) -> BTreeSet<String> {
        prefixes.iter().map(|&p| p.to_owned()).collect()
    }

    #[test]
    fn the_first_draw_with_a_free_prefix_is_taken() {
        let mut draws = ["c012eb76", "c01200da", "ffff0000", "c013"].iter();
        let drawn = generate_unique(|| DiskUuid::new(*draws.next().unwrap()), &taken(&["c012"]));
        assert_eq!(drawn, Ok(DiskUuid::new("ffff0000")));
        assert_eq!(draws.len(), 1);
    }

    #[test]
    fn the_guard_draws_twenty_times_and_then_gives_up() {
        let mut count = 0;
        let drawn = generate_unique(
            || {
                count += 1;
                DiskUuid::new("c012eb76")
            },
            &taken(&["c012"]),
        );
        assert_eq!(count, 20);
        assert_eq!(
            drawn.unwrap_err().to_string(),
            format!("failed to generate UUID with unique prefix after {ATTEMPTS} attempts")
        );
        let mut count = 0;
        let last = generate_unique(
            || {
                count += 1;
                DiskUuid::new(if count == 20 { "abcd" } else { "c012" })
            },
            &taken(&["c012"]),
        );
        assert_eq!(last, Ok(DiskUuid::new("abcd")));
    }

    #[test]
    fn a_draw_without_a_prefix_is_never_accepted() {
        assert_eq!(
            generate_unique(|| DiskUuid::new("abc"), &taken(&[])),
            Err(GuardExhausted)
        );
    }

    #[test]
    fn only_filesystem_disks_of_guarded_releases_are_guarded() {
        let guarded: Vec<String> = releases()
            .iter()
            .filter(|release| applies(release, DiskType::Filesystem))
            .map(|release| release.version.to_string())
            .collect();
        assert_eq!(guarded[..4], ["v1.7.4", "v1.8.2", "v1.9.0", "v1.9.1"]);
        assert!(guarded.ends_with(&["v1.12.0".to_owned(), "v1.12.1".to_owned()]));
        assert!(
            !releases()
                .iter()
                .any(|release| applies(release, DiskType::Block))
        );
    }
}
