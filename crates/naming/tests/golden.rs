//! The names of the real Longhorn name functions, row by row, and the version
//! table as it was collected from the tags.
//!
//! Both files under `data/` are recordings: they are read, never regenerated.

use fixname_naming::{
    DiskUuid, ImageRef, LonghornVersion, NameError, fits_dns_label, releases, resolve,
};

const NAMES: &str = include_str!("data/manager-names.tsv");
const VERSIONS: &str = include_str!("data/versions.tsv");
const EXAMPLE_DISK: &str = "c012eb76-f8eb-4ea1-b81d-472eac9d98bf";

#[test]
fn every_recorded_name_is_the_real_functions_name() {
    let mut lines = NAMES.lines();
    let header: Vec<&str> = lines.next().unwrap().split('\t').collect();
    assert_eq!(header[..2], ["image", "disk_uuid"]);
    let schemes: Vec<_> = header[2..]
        .iter()
        .map(|version| {
            let version: LonghornVersion = version.parse().unwrap();
            resolve(&version).unwrap().release().scheme
        })
        .collect();
    assert_eq!(schemes.len(), 4);

    let (mut names, mut panics) = (0, 0);
    for line in lines {
        let fields: Vec<&str> = line.split('\t').collect();
        assert_eq!(fields.len(), header.len(), "{line}");
        let (image, disk) = (ImageRef::new(fields[0]), DiskUuid::new(fields[1]));
        for (scheme, expected) in schemes.iter().zip(&fields[2..]) {
            match scheme.manager_name(&image, &disk) {
                Ok(name) => {
                    assert_eq!(name.as_str(), *expected, "{scheme} of {image:?} {disk:?}");
                    names += 1;
                }
                Err(NameError::UuidTooShort { .. }) => {
                    assert_eq!(*expected, "PANIC", "{scheme} of {image:?} {disk:?}");
                    panics += 1;
                }
                Err(other) => panic!("{scheme} of {image:?} {disk:?}: {other}"),
            }
        }
    }
    assert_eq!((names, panics), (45 * 4 - 1, 1));
}

#[test]
fn the_version_table_is_the_one_collected_from_the_tags() {
    let rows: Vec<Vec<&str>> = VERSIONS
        .lines()
        .skip(1)
        .map(|line| line.split('\t').collect())
        .collect();
    assert_eq!(rows.len(), releases().len());
    for (row, release) in rows.iter().zip(releases()) {
        let tag = row[0];
        assert_eq!(release.version.to_string(), tag);
        assert_eq!(release.scheme.id(), row[1], "{tag}");
        let length = release.name_length().map(|n| n.to_string());
        assert_eq!(length.as_deref().unwrap_or("n/a"), row[2], "{tag}");
        let fits = release
            .fits_dns_label()
            .map(|fits| if fits { "yes" } else { "no" });
        assert_eq!(fits.unwrap_or("n/a"), row[3], "{tag}");
        assert_eq!(
            if release.prefix_guard { "yes" } else { "no" },
            row[4],
            "{tag}"
        );
        // The manifest at the tag v1.8.0 is one commit after the release; the
        // recorded note says so and names the release's own image.
        let image = match tag {
            "v1.8.0" => "longhornio/backing-image-manager:v1.8.0",
            _ => row[5],
        };
        assert_eq!(release.default_manager_image.unwrap_or("-"), image, "{tag}");
        assert_eq!(
            release.note.is_some(),
            row.get(7).is_some_and(|n| !n.is_empty()),
            "{tag}"
        );

        let example = release.default_manager_image.map(|image| {
            let disk = DiskUuid::new(EXAMPLE_DISK);
            release
                .scheme
                .manager_name(&ImageRef::new(image), &disk)
                .unwrap()
        });
        match &example {
            Some(name) => {
                assert_eq!(name.as_str(), row[6], "{tag}");
                assert_eq!(Some(name.as_str().len()), release.name_length(), "{tag}");
                assert_eq!(
                    Some(fits_dns_label(name)),
                    release.fits_dns_label(),
                    "{tag}"
                );
            }
            None => assert!(["n/a", "-"].contains(&row[6]), "{tag}"),
        }
    }
}

#[test]
fn no_two_official_images_share_their_four_digits_of_hash() {
    // So an upgrade between official tags adds no truncated collision of
    // images. Two releases with one image string are one image.
    let mut seen = std::collections::BTreeMap::new();
    for release in releases() {
        let Some(image) = release.default_manager_image else {
            continue;
        };
        let name = fixname_naming::Scheme::Truncated
            .manager_name(&ImageRef::new(image), &DiskUuid::new(EXAMPLE_DISK))
            .unwrap();
        assert_eq!(*seen.entry(name).or_insert(image), image);
    }
}
