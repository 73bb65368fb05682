//! Several manager images at once, as during an upgrade or with mirrors.

use super::birthday::Birthday;
use super::classes::Classes;
use super::probability::Probability;

/// Probability that two names of `disks` disks under `images` images are
/// equal, in the truncated form: image hashes of 16 bits, taken as random.
///
/// If two images agree in their hash, *every* disk collides with itself. The
/// official images of v1.1.1 to v1.12.1 do not agree in any pair; this is for
/// private registries.
#[must_use]
pub fn p_any_with_images(classes: Classes, disks: u128, images: u128) -> Probability {
    if disks == 0 || images == 0 {
        return Probability::NEVER;
    }
    let none = Birthday::new(classes, disks).ln_p_none()
        + Birthday::new(Classes::PREFIX, images).ln_p_none();
    Probability::from_ln_of_opposite(none)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_image_is_the_plain_birthday_and_no_disk_has_no_name() {
        let plain = Birthday::new(Classes::PREFIX, 302).p_any();
        assert_eq!(p_any_with_images(Classes::PREFIX, 302, 1), plain);
        assert_eq!(
            p_any_with_images(Classes::PREFIX, 0, 70_000),
            Probability::NEVER
        );
        assert_eq!(
            p_any_with_images(Classes::PREFIX, 302, 0),
            Probability::NEVER
        );
        assert_eq!(
            p_any_with_images(Classes::PREFIX, 1, 70_000),
            Probability::ALWAYS
        );
    }
}
