//! Laws of the reader: no bytes make it panic, and what it prints back it reads
//! as the same objects, in every shape.

use fixname_capture::read_text;
use fixname_longhorn::{BackingImage, CopySpec, DiskStatus, Node};
use proptest::prelude::*;

/// Any text, weighted towards what breaks formats and names.
fn word() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-z0-9-]{0,12}",
        "\\PC{0,6}",
        Just("0123".to_owned()),
        Just("4e07".to_owned()),
        Just("null".to_owned()),
        Just("---".to_owned()),
        Just("a: b # \"'".to_owned()),
    ]
}

prop_compose! {
    fn node(index: usize)(
        name in word(),
        disks in prop::collection::vec((word(), word(), any::<i64>()), 0..4),
        extra in prop::option::of(word()),
        allow in any::<bool>(),
    ) -> Node {
        // The index keeps two nodes from being one and the same object.
        let mut node = Node::named(&format!("{index}{name}"));
        node.spec.allow_scheduling = allow;
        for (name, uuid, bytes) in disks {
            let mut status = DiskStatus { disk_uuid: uuid, storage_maximum: bytes, ..DiskStatus::default() };
            if let Some(extra) = &extra {
                status.extra.insert("unknownField".to_owned(), extra.clone().into());
            }
            node.status.disk_status.insert(name, status);
        }
        node
    }
}

prop_compose! {
    fn image()(name in "[a-z]{1,8}", disks in prop::collection::btree_map(word(), any::<bool>(), 0..4)) -> BackingImage {
        let mut image = BackingImage::named(&name);
        let copy = |evicted| CopySpec { eviction_requested: evicted, ..CopySpec::default() };
        image.spec.disk_file_spec_map = Some(disks.into_iter().map(|(k, v)| (k, copy(v))).collect());
        image
    }
}

fn nodes() -> impl Strategy<Value = Vec<Node>> {
    (0usize..5).prop_flat_map(|count| (0..count).map(node).collect::<Vec<_>>())
}

proptest! {
    #[test]
    fn printed_objects_are_read_back(nodes in nodes(), image in image()) {
        let mut objects: Vec<serde_json::Value> =
            nodes.iter().map(|n| serde_json::to_value(n).unwrap()).collect();
        objects.push(serde_json::to_value(&image).unwrap());
        let list = serde_json::json!({"apiVersion": "v1", "kind": "List", "items": objects});
        let concatenated: String = objects.iter().map(|o| format!("{o:#}\n")).collect();
        let documents: String =
            objects.iter().map(|o| format!("---\n{}", serde_saphyr::to_string(o).unwrap())).collect();
        let yaml_list = serde_saphyr::to_string(&list).unwrap();
        for text in [list.to_string(), format!("{list:#}"), concatenated, documents, yaml_list] {
            let inventory = read_text("x", text.as_bytes());
            let inventory = inventory.map_err(|e| TestCaseError::fail(format!("{e}\n{text}")))?;
            prop_assert_eq!(&inventory.nodes, &nodes, "{}", text);
            prop_assert_eq!(&inventory.backing_images, std::slice::from_ref(&image));
        }
    }

    #[test]
    fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = read_text("x", &bytes);
    }

    #[test]
    fn no_text_makes_it_panic(text in "[\\{\\}\\[\\]\":, \\n\\-&*!|>%#'a0e\\\\]{0,60}") {
        let _ = read_text("x", text.as_bytes());
        let _ = read_text("x", format!("apiVersion: longhorn.io/v1beta2\nkind: Node\n{text}").as_bytes());
    }

    #[test]
    fn a_damaged_dump_is_read_or_refused_with_a_place(at in any::<prop::sample::Index>(), byte in any::<u8>(), cut in any::<bool>()) {
        for whole in [&include_bytes!("data/recorded/cluster.json")[..], include_bytes!("data/recorded/nodes.yaml")] {
            let at = at.index(whole.len());
            let mut damaged = whole.to_vec();
            if cut { damaged.truncate(at) } else { damaged[at] = byte }
            if let Err(error) = read_text("x", &damaged) {
                prop_assert!(error.to_string().starts_with("x:"), "{}", error);
            }
        }
    }

    #[test]
    fn a_json_dump_that_is_cut_off_is_never_read(at in any::<prop::sample::Index>()) {
        let whole = include_str!("data/recorded/nodes.json").trim_end();
        let at = at.index(whole.len());
        prop_assert!(read_text("x", &whole.as_bytes()[..at]).is_err());
    }
}
