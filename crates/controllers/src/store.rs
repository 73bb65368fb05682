//! Objects of one kind as a manager's cache holds them: by name, and by what they are
//! looked up by (the indexers of client-go's informers).

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Deref;
use std::sync::Arc;

use fixname_longhorn::{
    BackingImage, BackingImageDataSource, BackingImageManager, Node, Replica, Setting, Volume,
};

/// An object that a [`Store`] finds by more than its name.
pub trait Indexed {
    /// What it is looked up by; nothing unless said otherwise.
    fn looked_up_by(&self) -> impl Iterator<Item = &str> {
        std::iter::empty()
    }
}

impl Indexed for BackingImage {}
impl Indexed for BackingImageDataSource {}
impl Indexed for Setting {}
impl Indexed for Volume {}

/// By the UUIDs of its disks, as its status has them.
impl Indexed for Node {
    fn looked_up_by(&self) -> impl Iterator<Item = &str> {
        let disks = self.status.disk_status.values();
        disks.map(|disk| disk.disk_uuid.as_str())
    }
}

/// By the label with the UUID of its disk.
impl Indexed for BackingImageManager {
    fn looked_up_by(&self) -> impl Iterator<Item = &str> {
        self.disk_label().into_iter()
    }
}

/// By the label with its backing image.
impl Indexed for Replica {
    fn looked_up_by(&self) -> impl Iterator<Item = &str> {
        let labels = self.metadata.labels.as_ref();
        let image = labels.and_then(|labels| labels.get(LABEL_BACKING_IMAGE));
        image.map(String::as_str).into_iter()
    }
}

/// The label by which replicas are found by their backing image.
pub(crate) const LABEL_BACKING_IMAGE: &str = "longhorn.io/backing-image";

/// Objects of one kind. Read as a map from names; cloning shares all of it until one of
/// the clones changes.
#[derive(Clone, Debug)]
pub struct Store<T>(Arc<Content<T>>);

#[derive(Debug)]
struct Content<T> {
    objects: BTreeMap<String, Arc<T>>,
    /// Names by what the objects are looked up by.
    names: BTreeMap<String, BTreeSet<String>>,
}

impl<T> Default for Content<T> {
    fn default() -> Self {
        Self {
            objects: BTreeMap::new(),
            names: BTreeMap::new(),
        }
    }
}

impl<T> Clone for Content<T> {
    fn clone(&self) -> Self {
        Self {
            objects: self.objects.clone(),
            names: self.names.clone(),
        }
    }
}

impl<T> Default for Store<T> {
    fn default() -> Self {
        Self(Arc::default())
    }
}

impl<T> Deref for Store<T> {
    type Target = BTreeMap<String, Arc<T>>;

    fn deref(&self) -> &Self::Target {
        &self.0.objects
    }
}

impl<T: Indexed> Store<T> {
    /// Puts an object there, in the place of one of that name.
    pub fn insert(&mut self, name: String, object: Arc<T>) {
        self.remove(&name);
        let content = Arc::make_mut(&mut self.0);
        for key in object.looked_up_by() {
            match content.names.get_mut(key) {
                Some(names) => _ = names.insert(name.clone()),
                None => _ = (content.names).insert(key.to_owned(), [name.clone()].into()),
            }
        }
        content.objects.insert(name, object);
    }

    /// Takes one out.
    pub fn remove(&mut self, name: &str) -> Option<Arc<T>> {
        if !self.contains_key(name) {
            return None;
        }
        let content = Arc::make_mut(&mut self.0);
        let object = content.objects.remove(name)?;
        for key in object.looked_up_by() {
            if let Some(names) = content.names.get_mut(key) {
                names.remove(name);
                if names.is_empty() {
                    content.names.remove(key);
                }
            }
        }
        Some(object)
    }

    /// Those that are looked up by `key`, in the order of their names.
    pub fn found_by(&self, key: &str) -> impl Iterator<Item = &Arc<T>> + use<'_, T> {
        let names = self.0.names.get(key).into_iter().flatten();
        names.filter_map(|name| self.get(name))
    }
}

impl<T: Indexed + Clone> Store<T> {
    /// Changes an object, if it is there.
    pub fn edit(&mut self, name: &str, change: impl FnOnce(&mut T)) {
        if let Some(mut object) = self.remove(name) {
            change(Arc::make_mut(&mut object));
            self.insert(name.to_owned(), object);
        }
    }
}

impl<T: Indexed> FromIterator<(String, Arc<T>)> for Store<T> {
    fn from_iter<I: IntoIterator<Item = (String, Arc<T>)>>(objects: I) -> Self {
        let mut store = Self::default();
        for (name, object) in objects {
            store.insert(name, object);
        }
        store
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn replica(image: Option<&str>) -> Arc<Replica> {
        let mut replica = Replica::default();
        let label = image.map(|image| (LABEL_BACKING_IMAGE.to_owned(), image.to_owned()));
        replica.metadata.labels = Some(label.into_iter().collect());
        Arc::new(replica)
    }

    fn names(store: &Store<Replica>, image: &str) -> Vec<String> {
        let found = store.found_by(image);
        let name = |found: &Arc<Replica>| {
            let named = store.iter().find(|(_, object)| Arc::ptr_eq(object, found));
            named.expect("it is in the store").0.clone()
        };
        found.map(name).collect()
    }

    #[test]
    fn what_is_replaced_edited_or_removed_is_found_by_what_it_is_now() {
        let mut store: Store<Replica> = ["b", "a", "c"]
            .map(|name| (name.to_owned(), replica(Some("parrot"))))
            .into_iter()
            .collect();
        assert_eq!(names(&store, "parrot"), ["a", "b", "c"]);

        store.insert("b".to_owned(), replica(Some("macaw")));
        assert_eq!(names(&store, "parrot"), ["a", "c"]);
        assert_eq!(names(&store, "macaw"), ["b"]);

        store.edit("a", |a| a.metadata.labels = None);
        assert_eq!(names(&store, "parrot"), ["c"]);

        assert!(store.remove("c").is_some());
        assert!(store.remove("c").is_none());
        assert!(names(&store, "parrot").is_empty());
        assert_eq!(store.len(), 2);
    }

    #[test]
    fn a_clone_does_not_follow() {
        let mut store = Store::default();
        store.insert("a".to_owned(), replica(Some("parrot")));
        let before = store.clone();
        store.remove("a");
        assert_eq!(names(&before, "parrot"), ["a"]);
        assert!(store.is_empty());
    }
}
