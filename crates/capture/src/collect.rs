//! Puts the objects of all files together: keeps their order, takes an object
//! that is in two files once, and writes down what was and was not read.

use std::collections::HashMap;

use fixname_longhorn::{
    BackingImage, BackingImageDataSource, BackingImageManager, Coverage, CoverageState, Ignored,
    Inventory, Kind, Node, Replica, Setting, Volume,
};

use crate::error::CaptureError;
use crate::object::{How, Object};

/// Where an object was first seen.
struct Seen {
    index: usize,
    document: usize,
    file: usize,
}

/// Gathers objects, file by file.
#[derive(Default)]
pub(crate) struct Collector {
    inventory: Inventory,
    files: Vec<String>,
    /// Counts over all files.
    document: usize,
    /// Files that had objects of a kind, or an empty list that names the kind.
    sources: HashMap<Kind, Vec<usize>>,
    seen: HashMap<(Kind, String, String), Seen>,
    ignored: Vec<Ignored>,
    ignored_at: HashMap<(String, String), usize>,
    duplicates: HashMap<Kind, usize>,
    old_nodes: usize,
    /// Files with a list that is empty and does not say of what.
    empty_lists: Vec<usize>,
    /// In the current file: objects used, and the others by kind.
    used_here: usize,
    others_here: Vec<(String, usize)>,
    core_nodes_here: bool,
}

/// A kind's own vector in the inventory.
trait Stored: Sized + PartialEq {
    fn stored(inventory: &mut Inventory) -> &mut Vec<Self>;
    fn key(&self) -> (String, String);
}

macro_rules! stored {
    ($($type:ident $field:ident)+) => {
        $(impl Stored for $type {
            fn stored(inventory: &mut Inventory) -> &mut Vec<Self> {
                &mut inventory.$field
            }
            fn key(&self) -> (String, String) {
                (self.metadata.namespace.clone().unwrap_or_default(), self.name().to_owned())
            }
        })+
    };
}

stored! {
    Node nodes
    BackingImage backing_images
    BackingImageManager managers
    BackingImageDataSource data_sources
    Replica replicas
    Setting settings
    Volume volumes
}

impl Collector {
    pub(crate) fn begin(&mut self, file: &str) {
        self.files.push(file.to_owned());
        self.used_here = 0;
        self.others_here.clear();
        self.core_nodes_here = false;
    }

    pub(crate) fn next_document(&mut self) {
        self.document += 1;
    }

    pub(crate) fn add(&mut self, object: Object) -> Result<(), CaptureError> {
        let kind = object.kind();
        self.used_here += 1;
        self.read_from_here(kind);
        match object {
            Object::Node(o) => {
                self.old_nodes += usize::from(o.api_version.ends_with("/v1beta1"));
                self.store(kind, o)
            }
            Object::BackingImage(o) => self.store(kind, o),
            Object::BackingImageManager(o) => self.store(kind, o),
            Object::BackingImageDataSource(o) => self.store(kind, o),
            Object::Replica(o) => self.store(kind, o),
            Object::Setting(o) => self.store(kind, o),
            Object::Volume(o) => self.store(kind, o),
        }
    }

    /// An object without a name cannot be told from another one; and within one
    /// document everything is kept, as the knowledge base's script keeps it.
    fn store<T: Stored>(&mut self, kind: Kind, object: T) -> Result<(), CaptureError> {
        let (namespace, name) = object.key();
        let file = self.files.len() - 1;
        let objects = T::stored(&mut self.inventory);
        if !name.is_empty() {
            let (document, index) = (self.document, objects.len());
            let label = format!("{} {name}", kind.as_str());
            let seen = self.seen.entry((kind, namespace, name)).or_insert(Seen {
                index,
                document,
                file,
            });
            if seen.document != document {
                if objects[seen.index] != object {
                    return Err(CaptureError::Differs {
                        object: label,
                        first: self.files[seen.file].clone(),
                        second: self.files[file].clone(),
                    });
                }
                *self.duplicates.entry(kind).or_default() += 1;
                return Ok(());
            }
        }
        objects.push(object);
        Ok(())
    }

    pub(crate) fn ignore(&mut self, api_version: &str, kind: &str) {
        self.core_nodes_here |= (api_version, kind) == ("v1", "Node");
        let label = match (api_version, kind) {
            (_, "") => "without a kind".to_owned(),
            ("", kind) => kind.to_owned(),
            (version, kind) => format!("{version} {kind}"),
        };
        match self.others_here.iter_mut().find(|(l, _)| *l == label) {
            Some((_, objects)) => *objects += 1,
            None => self.others_here.push((label, 1)),
        }
        let at = *self
            .ignored_at
            .entry((api_version.to_owned(), kind.to_owned()))
            .or_insert_with(|| {
                self.ignored.push(Ignored {
                    api_version: api_version.to_owned(),
                    kind: kind.to_owned(),
                    objects: 0,
                });
                self.ignored.len() - 1
            });
        self.ignored[at].objects += 1;
    }

    /// A list without items; `kind` if the list says of what.
    pub(crate) fn empty_list(&mut self, api_version: &str, kind: Option<&str>) {
        let how = kind.map(|kind| How::of(api_version, kind));
        match how {
            Some(How::Typed(kind)) => self.read_from_here(kind),
            Some(How::OldNode) => self.read_from_here(Kind::Node),
            Some(How::Ignore) => return,
            None => self.empty_lists.push(self.files.len() - 1),
        }
        self.used_here += 1;
    }

    fn read_from_here(&mut self, kind: Kind) {
        let file = self.files.len() - 1;
        let sources = self.sources.entry(kind).or_default();
        if sources.last() != Some(&file) {
            sources.push(file);
        }
    }

    /// Ends a file, which must have had something of use in it.
    pub(crate) fn end(&mut self) -> Result<(), CaptureError> {
        if self.used_here > 0 {
            return Ok(());
        }
        const SHOWN: usize = 3;
        let objects: usize = self.others_here.iter().map(|(_, n)| n).sum();
        let mut kinds: Vec<String> = self
            .others_here
            .iter()
            .take(SHOWN)
            .map(|(label, n)| format!("{n} {label}"))
            .collect();
        if self.others_here.len() > SHOWN {
            kinds.push("…".to_owned());
        }
        let found = match objects {
            0 => "an empty list of another kind".to_owned(),
            1 => format!("holds 1 object ({})", kinds.join(", ")),
            n => format!("holds {n} objects ({})", kinds.join(", ")),
        };
        Err(CaptureError::NoLonghorn {
            file: self.files.last().cloned().unwrap_or_default(),
            found,
            core_nodes: self.core_nodes_here,
        })
    }

    pub(crate) fn finish(mut self) -> Inventory {
        let mut node_notes = Vec::new();
        if !self.empty_lists.is_empty() && !self.sources.contains_key(&Kind::Node) {
            let files = std::mem::take(&mut self.empty_lists);
            node_notes.push(format!(
                "the list in {} is empty and does not say of what; it is taken for the list of \
                 nodes. A wrong namespace gives an empty list too",
                self.files[files[0]]
            ));
            self.sources.insert(Kind::Node, files);
        }
        if self.old_nodes > 0 {
            node_notes.push(format!(
                "{} of API version longhorn.io/v1beta1: their conditions were not read",
                self.old_nodes
            ));
        }
        for &kind in Kind::ALL {
            let objects = match kind {
                Kind::Node => self.inventory.nodes.len(),
                Kind::BackingImage => self.inventory.backing_images.len(),
                Kind::BackingImageManager => self.inventory.managers.len(),
                Kind::BackingImageDataSource => self.inventory.data_sources.len(),
                Kind::Replica => self.inventory.replicas.len(),
                Kind::Setting => self.inventory.settings.len(),
                Kind::Volume => self.inventory.volumes.len(),
            };
            let state = match self.sources.get(&kind) {
                Some(files) => CoverageState::Read {
                    objects,
                    sources: files.iter().map(|f| self.files[*f].clone()).collect(),
                },
                // No finding needs them.
                None if kind == Kind::Volume => continue,
                None => CoverageState::NotRead {
                    reason: self.why_not_read(kind),
                },
            };
            let mut notes = if kind == Kind::Node {
                std::mem::take(&mut node_notes)
            } else {
                Vec::new()
            };
            if let Some(duplicates) = self.duplicates.get(&kind) {
                notes.push(format!("{duplicates} given more than once, taken once"));
            }
            self.inventory
                .coverage
                .push(Coverage { kind, state, notes });
        }
        self.inventory.ignored = self.ignored;
        self.inventory
    }

    fn why_not_read(&self, kind: Kind) -> String {
        let other_version = self
            .ignored
            .iter()
            .find(|i| i.kind == kind.as_str() && i.api_version.starts_with("longhorn.io/"));
        match (other_version, self.empty_lists.first()) {
            (Some(other), _) => format!("API version {} is not understood", other.api_version),
            (None, Some(file)) => format!(
                "not given; the list in {} is empty and does not say of what",
                self.files[*file]
            ),
            (None, None) => "not given".to_owned(),
        }
    }
}
