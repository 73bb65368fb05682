//! Byte for byte what the script on Longhorn's knowledge base page
//! "Backing Image Manager CR naming collisions" prints for the same nodes, so
//! that a runbook can swap one for the other.
//!
//! That includes what the script gets wrong: block disks count, one full UUID
//! on two disks is a conflict, and upper and lower case differ.

use std::collections::HashMap;
use std::fmt::Write as _;

use fixname_longhorn::Node;

/// A disk that was found: the node's name if it has one, the disk's, the UUID.
type Row<'a> = (Option<&'a str>, &'a str, &'a str);

/// The script's output. Groups stand in the order in which their prefix first
/// appears, disks in the order of the input.
pub fn kb(nodes: &[Node]) -> String {
    let mut groups: Vec<(String, Vec<Row<'_>>)> = Vec::new();
    let mut at: HashMap<String, usize> = HashMap::new();
    for node in nodes {
        for (name, disk) in &node.status.disk_status {
            let uuid = disk.disk_uuid.as_str();
            if uuid.is_empty() {
                continue;
            }
            // Python's `uuid[:4]` takes four characters, not bytes, and fewer
            // where there are fewer.
            let prefix: String = uuid.chars().take(4).collect();
            let at = *at.entry(prefix.clone()).or_insert_with(|| {
                groups.push((prefix, Vec::new()));
                groups.len() - 1
            });
            groups[at]
                .1
                .push((node.metadata.name.as_deref(), name, uuid));
        }
    }
    let mut text = String::from("Conflict disks:\n");
    for (prefix, disks) in groups.iter().filter(|(_, disks)| disks.len() > 1) {
        for (node, disk, uuid) in disks {
            let node = node.unwrap_or("None");
            writeln!(
                text,
                "    Prefix \"{prefix}\": node {node}, disk {disk} ({uuid})"
            )
            .expect("a String takes everything");
        }
    }
    text
}
