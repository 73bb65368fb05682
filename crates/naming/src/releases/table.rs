//! The released versions, as data.
//!
//! Source: the tags of longhorn/longhorn and longhorn/longhorn-manager up to
//! v1.12.1. The scheme is `types/types.go` (`GetBackingImageManagerName`) at
//! each tag; the guard is `controller/monitor/disk_utils.go`
//! (`generateUniqueFirstFourCharUUID`); the image is the flag's value in
//! `deploy/longhorn.yaml`. What the rows mean is in the parent module.

use super::Release;
use crate::scheme::Scheme::{self, None, Sha224, Sha256, Truncated};
use crate::version::LonghornVersion;

const NO_MANAGERS: &str = "no backing image manager in this release";
const TAG_AFTER_RELEASE: &str = "the tag is one commit after the release (cac4e5c1), and the \
     manifest at the tag says v1.8.x-head; the image here is the release's";
const MANAGER_TAG_ONLY: &str = "tagged in longhorn-manager only: no longhorn/longhorn tag and no \
     changelog was found, so no manifest and no image";

/// Oldest first. In v1.10.2 the published image gained its registry,
/// `docker.io/`, which changes every name even under one scheme.
#[rustfmt::skip]
pub(super) static RELEASES: [Release; 52] = [
    release(1, 1, 0, None).note(NO_MANAGERS),
    release(1, 1, 1, Truncated).image("longhornio/backing-image-manager:v1_20210422"),
    release(1, 1, 2, Truncated).image("longhornio/backing-image-manager:v1_20210422"),
    release(1, 1, 3, Truncated).image("longhornio/backing-image-manager:v1_20210422_patch1"),
    release(1, 2, 0, Truncated).image("longhornio/backing-image-manager:v2_20210820"),
    release(1, 2, 1, Truncated).image("longhornio/backing-image-manager:v2_20210820"),
    release(1, 2, 2, Truncated).image("longhornio/backing-image-manager:v2_20210820"),
    release(1, 2, 3, Truncated).image("longhornio/backing-image-manager:v2_20210820"),
    release(1, 2, 4, Truncated).image("longhornio/backing-image-manager:v2_20210820"),
    release(1, 2, 5, Truncated).image("longhornio/backing-image-manager:v2_20210820_patch1"),
    release(1, 2, 6, Truncated).image("longhornio/backing-image-manager:v2_20221027"),
    release(1, 3, 0, Truncated).image("longhornio/backing-image-manager:v3_20220609"),
    release(1, 3, 1, Truncated).image("longhornio/backing-image-manager:v3_20220808"),
    release(1, 3, 2, Truncated).image("longhornio/backing-image-manager:v3_20221003"),
    release(1, 3, 3, Truncated).image("longhornio/backing-image-manager:v3_20230320"),
    release(1, 4, 0, Truncated).image("longhornio/backing-image-manager:v1.4.0"),
    release(1, 4, 1, Truncated).image("longhornio/backing-image-manager:v1.4.1"),
    release(1, 4, 2, Truncated).image("longhornio/backing-image-manager:v1.4.2"),
    release(1, 4, 3, Truncated).image("longhornio/backing-image-manager:v1.4.3"),
    release(1, 4, 4, Truncated).image("longhornio/backing-image-manager:v1.4.4"),
    release(1, 5, 0, Truncated).image("longhornio/backing-image-manager:v1.5.0"),
    release(1, 5, 1, Truncated).image("longhornio/backing-image-manager:v1.5.1"),
    release(1, 5, 2, Truncated).image("longhornio/backing-image-manager:v1.5.2"),
    release(1, 5, 3, Truncated).image("longhornio/backing-image-manager:v1.5.3"),
    release(1, 5, 4, Truncated).image("longhornio/backing-image-manager:v1.5.4"),
    release(1, 5, 5, Truncated).image("longhornio/backing-image-manager:v1.5.5"),
    release(1, 6, 0, Truncated).image("longhornio/backing-image-manager:v1.6.0"),
    release(1, 6, 1, Truncated).image("longhornio/backing-image-manager:v1.6.1"),
    release(1, 6, 2, Truncated).image("longhornio/backing-image-manager:v1.6.2"),
    release(1, 6, 3, Truncated).image("longhornio/backing-image-manager:v1.6.3"),
    release(1, 6, 4, Truncated).image("longhornio/backing-image-manager:v1.6.4"),
    release(1, 7, 0, Truncated).image("longhornio/backing-image-manager:v1.7.0"),
    release(1, 7, 1, Truncated).image("longhornio/backing-image-manager:v1.7.1"),
    release(1, 7, 2, Truncated).image("longhornio/backing-image-manager:v1.7.2"),
    release(1, 7, 3, Truncated).image("longhornio/backing-image-manager:v1.7.3"),
    release(1, 7, 4, Truncated).guarded().note(MANAGER_TAG_ONLY),
    release(1, 8, 0, Truncated).image("longhornio/backing-image-manager:v1.8.0").note(TAG_AFTER_RELEASE),
    release(1, 8, 1, Truncated).image("longhornio/backing-image-manager:v1.8.1"),
    release(1, 8, 2, Truncated).guarded().image("longhornio/backing-image-manager:v1.8.2"),
    release(1, 9, 0, Truncated).guarded().image("longhornio/backing-image-manager:v1.9.0"),
    release(1, 9, 1, Truncated).guarded().image("longhornio/backing-image-manager:v1.9.1"),
    release(1, 9, 2, Sha256).guarded().image("longhornio/backing-image-manager:v1.9.2"),
    release(1, 9, 3, Sha256).guarded().note(MANAGER_TAG_ONLY),
    release(1, 10, 0, Sha256).guarded().image("longhornio/backing-image-manager:v1.10.0"),
    release(1, 10, 1, Sha256).guarded().image("longhornio/backing-image-manager:v1.10.1"),
    release(1, 10, 2, Sha224).guarded().image("docker.io/longhornio/backing-image-manager:v1.10.2"),
    release(1, 11, 0, Sha224).guarded().image("docker.io/longhornio/backing-image-manager:v1.11.0"),
    release(1, 11, 1, Sha224).guarded().image("docker.io/longhornio/backing-image-manager:v1.11.1"),
    release(1, 11, 2, Sha224).guarded().image("docker.io/longhornio/backing-image-manager:v1.11.2"),
    release(1, 11, 3, Sha224).guarded().image("docker.io/longhornio/backing-image-manager:v1.11.3"),
    release(1, 12, 0, Sha224).guarded().image("docker.io/longhornio/backing-image-manager:v1.12.0"),
    release(1, 12, 1, Sha224).guarded().image("docker.io/longhornio/backing-image-manager:v1.12.1"),
];

const fn release(major: u64, minor: u64, patch: u64, scheme: Scheme) -> Release {
    Release {
        version: LonghornVersion::new(major, minor, patch),
        scheme,
        prefix_guard: false,
        default_manager_image: Option::None,
        note: Option::None,
    }
}

impl Release {
    const fn guarded(mut self) -> Self {
        self.prefix_guard = true;
        self
    }

    const fn image(mut self, image: &'static str) -> Self {
        self.default_manager_image = Some(image);
        self
    }

    const fn note(mut self, note: &'static str) -> Self {
        self.note = Some(note);
        self
    }
}
