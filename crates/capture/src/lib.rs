//! Reads the objects of a cluster from files that `kubectl get -o json` or
//! `-o yaml` made, into an [`Inventory`]. Judges nothing; that is `diagnose`.
//!
//! Map of the code: [`read_files`] is the way in; `json` and `yaml` cut a text
//! into objects, `object` reads one object as its kind says, `collect` puts the
//! objects of all files together, and [`CaptureError`] says what was wrong where.
//! [`read_objects`] reads objects of any kind as they are, [`read_manifest`] also from
//! a chart that was not rendered.
//!
//! ```
//! use fixname_capture::read_text;
//!
//! let inventory = read_text("nodes.json", br#"{
//!     "apiVersion": "v1", "kind": "List", "items": [{
//!         "apiVersion": "longhorn.io/v1beta2", "kind": "Node",
//!         "metadata": {"name": "node-1"},
//!         "status": {"diskStatus": {"disk-7": {"diskUUID": "c01200da-8a5c-4692-92e6-c4a983087951"}}}
//!     }]
//! }"#)?;
//! assert_eq!(inventory.nodes[0].disks().count(), 1);
//!
//! let error = read_text("nodes.json", br#"{"kind": "#).unwrap_err();
//! assert!(error.to_string().starts_with("nodes.json:1:10: "));
//! # Ok::<(), fixname_capture::CaptureError>(())
//! ```

mod collect;
mod error;
mod helm;
mod json;
mod object;
mod raw;
mod source;
mod text;
mod yaml;

pub use error::{CaptureError, Position};
pub use raw::{Manifest, RawObject, read_manifest, read_objects, read_objects_text};
pub use source::Source;

use fixname_longhorn::Inventory;

use collect::Collector;

/// Reads files into one inventory, in the order given.
///
/// One file may hold one object, a `List` (or `NodeList` and so on), several
/// JSON values one after another, or several YAML documents. Objects of kinds
/// that are not used are counted and left out. The same object in two files is
/// taken once.
///
/// A `List` without items and without a kind of its own, which is what
/// `kubectl get nodes.longhorn.io -o json` prints where there are none, counts
/// as a list of nodes if no other file has nodes; the coverage says so.
///
/// # Errors
/// At the first file that cannot be read whole. Nothing is returned of the
/// others then: half an answer would look like a clean cluster.
pub fn read_files(sources: &[Source]) -> Result<Inventory, CaptureError> {
    let mut collector = Collector::default();
    let mut stdin_taken = false;
    for source in sources {
        if *source == Source::Stdin && std::mem::replace(&mut stdin_taken, true) {
            return Err(CaptureError::StdinTwice);
        }
        add(&mut collector, &source.to_string(), &source.read()?)?;
    }
    Ok(collector.finish())
}

/// Reads one text that is already in memory; `name` stands in for a file's name.
///
/// # Errors
/// As [`read_files`].
pub fn read_text(name: &str, bytes: &[u8]) -> Result<Inventory, CaptureError> {
    let mut collector = Collector::default();
    add(&mut collector, name, bytes)?;
    Ok(collector.finish())
}

fn add(collector: &mut Collector, name: &str, bytes: &[u8]) -> Result<(), CaptureError> {
    let text = text::decode(name, bytes)?;
    collector.begin(name);
    if text::looks_like_json(text) {
        json::read(name, text, collector)?;
    } else {
        yaml::read(name, text, collector)?;
    }
    collector.end()
}
