//! The one thing the data source controller does to a backing image: it puts the
//! disk of an unfinished data source into the image's spec
//! (`controller/backing_image_data_source_controller.go:382-423` at v1.9.1).

use std::collections::BTreeMap;

use fixname_longhorn::{BackingImage, BackingImageDataSource, CopySpec, DataEngine};

use crate::effect::{Effect, Object, Tolerance, Write};
use crate::view::View;

/// The effects of one pass over all data sources.
pub fn sync_images(view: &View) -> Vec<Effect> {
    let sources = view.data_sources.values();
    let mut effects = Vec::new();
    for source in sources.filter(|s| !s.is_deleting()) {
        let image = view.images.get(source.name());
        if let Some(image) = image.and_then(|image| image_with_disk(image, source)) {
            effects.push(Effect::Write {
                write: Write::Update(Object::BackingImage(Box::new(image))),
                tolerance: Tolerance::Dropped,
                context: &[],
            });
        }
    }
    effects
}

/// The image as its data source wants it; none if it is so already.
pub(crate) fn image_with_disk(
    image: &BackingImage,
    source: &BackingImageDataSource,
) -> Option<BackingImage> {
    let wanted = image.spec.disk_file_spec_map.as_ref();
    let disk = &source.spec.disk_uuid;
    let is_missing =
        !source.spec.file_transferred && !wanted.is_some_and(|map| map.contains_key(disk));
    if wanted.is_some() && !is_missing {
        return None;
    }
    let mut image = BackingImage::clone(image);
    let wanted: &mut BTreeMap<_, _> = image.spec.disk_file_spec_map.get_or_insert_default();
    if is_missing {
        let copy = CopySpec {
            data_engine: DataEngine::V1,
            ..CopySpec::default()
        };
        wanted.insert(disk.clone(), copy);
    }
    Some(image)
}
