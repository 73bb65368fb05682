//! Laws of the name functions and of the parsers, over drawn input.

use std::collections::BTreeMap;

use fixname_naming::{
    DiskUuid, ImageRef, LonghornVersion, NameError, Resolved, Scheme, manager_image_for, releases,
    resolve, rules, upgrade_path,
};
use proptest::prelude::*;

/// UUIDs that share prefixes often, so that equal names would be found.
fn uuid() -> impl Strategy<Value = DiskUuid> {
    "(c012|C012|aaaa|[0-9a-f]{4})[0-9a-f]{4}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"
        .prop_map(DiskUuid::new)
}

fn image() -> impl Strategy<Value = ImageRef> {
    "(docker\\.io/|host:5000/)?longhornio/backing-image-manager(:v1\\.[0-9]\\.[0-9])?(@sha256:[0-9a-f]{4})?"
        .prop_map(ImageRef::new)
}

proptest! {
    #[test]
    fn hashed_names_are_injective_valid_and_short(
        pairs in prop::collection::vec((image(), uuid()), 1..60),
    ) {
        for (scheme, length) in [(Scheme::Sha224, 60), (Scheme::Sha256, 68)] {
            let mut owner = BTreeMap::new();
            for pair in &pairs {
                let name = scheme.manager_name(&pair.0, &pair.1)?;
                prop_assert_eq!(name.as_str().len(), length);
                prop_assert!(rules::is_dns_subdomain(name.as_str()));
                prop_assert_eq!(rules::fits_dns_label(&name), length <= 63);
                prop_assert_eq!(*owner.entry(name).or_insert(pair), pair);
            }
        }
    }

    #[test]
    fn truncated_names_are_equal_exactly_when_the_prefixes_are(image in image(), a in uuid(), b in uuid()) {
        let name = |disk| Scheme::Truncated.manager_name(&image, disk);
        prop_assert_eq!(name(&a)? == name(&b)?, a.prefix() == b.prefix());
        prop_assert_eq!(name(&a)?.as_str().len(), 31);
    }

    #[test]
    fn more_characters_of_the_uuid_never_add_a_collision(image in image(), a in uuid(), b in uuid()) {
        let mut equal_before = true;
        for k in 1..=36 {
            let scheme: Scheme = format!("uuid-{k}").parse()?;
            let equal = scheme.manager_name(&image, &a)? == scheme.manager_name(&image, &b)?;
            prop_assert!(equal_before || !equal, "{} of {} and {}", scheme, a, b);
            equal_before = equal;
        }
        prop_assert_eq!(equal_before, a == b);
    }

    #[test]
    fn no_string_makes_a_name_function_panic(image in any::<String>(), disk in any::<String>()) {
        let (image, disk) = (ImageRef::new(image), DiskUuid::new(disk));
        for scheme in ["none", "truncated", "sha256", "sha224", "uuid-9", "uuid-full", "hash-7"] {
            let scheme: Scheme = scheme.parse()?;
            match scheme.manager_name(&image, &disk) {
                Ok(_) => {}
                Err(NameError::NoManagers) => prop_assert_eq!(scheme, Scheme::None),
                Err(_) if scheme == Scheme::Truncated => prop_assert_eq!(disk.prefix(), None),
                Err(_) => prop_assert!(scheme.id().starts_with("uuid-")),
            }
        }
        prop_assert!(rules::broken_label_rules(disk.as_str()).len() <= 2);
    }

    #[test]
    fn the_parts_of_an_image_make_up_the_image(text in any::<String>()) {
        let image = ImageRef::new(text.clone());
        let tag = image.tag().map_or(String::new(), |tag| format!(":{tag}"));
        let digest = image.digest().map_or(String::new(), |digest| format!("@{digest}"));
        prop_assert_eq!(format!("{}{tag}{digest}", image.repository()), text);
    }

    #[test]
    fn parsing_undoes_printing(major: u64, minor: u64, patch: u64, pre in "|(rc|hotfix-|x\\.)[1-9][0-9]{0,3}") {
        let version = LonghornVersion {
            major, minor, patch,
            pre: (!pre.is_empty()).then_some(pre),
        };
        // `-head` would be a moving build, but the strategy never draws it.
        prop_assert_eq!(version.to_string().parse(), Ok(version.clone()));
        let image = format!("host:5000/a/b:{version}@sha256:ab");
        prop_assert_eq!(image.parse(), Ok(version));
    }

    #[test]
    fn whatever_parses_prints_as_something_that_parses_to_the_same(text in "[v0-9a-z./:@_ -]{0,24}") {
        if let Ok(version) = text.parse::<LonghornVersion>() {
            prop_assert_eq!(version.to_string().parse(), Ok(version));
        }
    }

    #[test]
    fn no_string_makes_the_parsers_panic(text in any::<String>()) {
        let _ = text.parse::<LonghornVersion>();
        let _ = text.parse::<Scheme>();
    }

    #[test]
    fn a_resolved_version_is_never_newer_than_asked(major in 0_u64..3, minor in 0_u64..15, patch in 0_u64..9) {
        let asked = LonghornVersion::new(major, minor, patch);
        match resolve(&asked) {
            Err(_) => prop_assert!(asked < releases()[0].version),
            Ok(Resolved::Exact(release)) => prop_assert_eq!(&release.version, &asked),
            Ok(resolved) => {
                let treated_as = &resolved.release().version;
                prop_assert!(*treated_as < asked);
                let between = |r: &fixname_naming::Release| *treated_as < r.version && r.version <= asked;
                prop_assert!(!releases().iter().any(between));
            }
        }
        if let Ok(image) = manager_image_for(&asked) {
            let old_tags = asked < LonghornVersion::new(1, 4, 0);
            let tag: Result<LonghornVersion, _> = image.image.as_str().parse();
            prop_assert!(old_tags && image.published || tag == Ok(asked), "{:?}", image);
        }
    }

    #[test]
    fn an_upgrade_and_its_way_back_are_never_both_allowed(
        a in (0_u64..3, 0_u64..40, 0_u64..4), b in (0_u64..3, 0_u64..40, 0_u64..4),
    ) {
        let [a, b] = [a, b].map(|(x, y, z)| LonghornVersion::new(x, y, z));
        let both = upgrade_path(&a, &b).is_ok() && upgrade_path(&b, &a).is_ok();
        prop_assert_eq!(both, a == b);
    }
}
