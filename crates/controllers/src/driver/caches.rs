//! The caches of one process: watches on Longhorn's kinds, merged into one
//! [`View`], with what changed handed on as the triggers of controllers.

use std::collections::BTreeSet;
use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;

use fixname_longhorn::{
    BackingImage, BackingImageDataSource, BackingImageManager, Kind, Node, Replica, Setting, Volume,
};
use futures::stream::{BoxStream, SelectAll};
use futures::{FutureExt, StreamExt};
use kube::runtime::{WatchStreamExt, watcher};
use kube::{Api, Client, Resource, ResourceExt};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::de::DeserializeOwned;
use tokio::sync::mpsc::{self, UnboundedSender};

use super::{ModelClock, Sender};
use crate::store::{Indexed, Store};
use crate::trace::TraceItem;
use crate::view::View;

/// A change of one object: what was there before, and what is there now.
#[derive(Clone, Debug)]
pub enum Seen {
    /// A node.
    Node(Option<Arc<Node>>, Option<Arc<Node>>),
    /// A backing image.
    Image(Option<Arc<BackingImage>>, Option<Arc<BackingImage>>),
    /// A manager.
    Manager(
        Option<Arc<BackingImageManager>>,
        Option<Arc<BackingImageManager>>,
    ),
    /// A data source.
    DataSource(
        Option<Arc<BackingImageDataSource>>,
        Option<Arc<BackingImageDataSource>>,
    ),
    /// A replica.
    Replica(Option<Arc<Replica>>, Option<Arc<Replica>>),
    /// A setting.
    Setting(Option<Arc<Setting>>, Option<Arc<Setting>>),
    /// A volume.
    Volume(Option<Arc<Volume>>, Option<Arc<Volume>>),
}

/// A watch broke in a way that trying again does not mend by itself; the watch
/// goes on trying, the caller should say so.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("watch {kind} objects: {message}")]
pub struct CacheError {
    /// The plural of the kind.
    pub kind: &'static str,
    /// What the client said.
    pub message: String,
}

/// An object kind that is cached.
trait Cached:
    Resource<DynamicType = (), Scope = kube::core::NamespaceResourceScope>
    + Clone
    + Debug
    + DeserializeOwned
    + Indexed
    + Send
    + Sync
    + 'static
{
    const PLURAL: &'static str;
    fn store(view: &mut View) -> &mut Store<Self>;
    fn shown(view: &View) -> &Store<Self>;
    fn seen(old: Option<Arc<Self>>, new: Option<Arc<Self>>) -> Seen;
}

macro_rules! cached {
    ($($kind:ident($plural:expr) => $store:ident, $seen:ident;)+) => {
        $(
            impl Cached for $kind {
                const PLURAL: &'static str = $plural;
                fn store(view: &mut View) -> &mut Store<Self> {
                    &mut view.$store
                }
                fn shown(view: &View) -> &Store<Self> {
                    &view.$store
                }
                fn seen(old: Option<Arc<Self>>, new: Option<Arc<Self>>) -> Seen {
                    Seen::$seen(old, new)
                }
            }
        )+
    };
}

cached! {
    Node(Kind::Node.plural()) => nodes, Node;
    BackingImage(Kind::BackingImage.plural()) => images, Image;
    BackingImageManager(Kind::BackingImageManager.plural()) => managers, Manager;
    BackingImageDataSource(Kind::BackingImageDataSource.plural()) => data_sources, DataSource;
    Replica(Kind::Replica.plural()) => replicas, Replica;
    Setting(Kind::Setting.plural()) => settings, Setting;
    Volume(Kind::Volume.plural()) => volumes, Volume;
}

/// Watches on the kinds that have to do with backing images.
fn all_watches(client: &Client, namespace: &str) -> Vec<Changes> {
    vec![
        watch::<Node>(client, namespace),
        watch::<BackingImage>(client, namespace),
        watch::<BackingImageManager>(client, namespace),
        watch::<BackingImageDataSource>(client, namespace),
        watch::<Replica>(client, namespace),
        watch::<Setting>(client, namespace),
    ]
}

fn all_kinds() -> BTreeSet<&'static str> {
    let kinds = Kind::ALL.iter().filter(|kind| **kind != Kind::Volume);
    kinds.map(|kind| kind.plural()).collect()
}

/// How late caches are: on a busy machine, a process may work with an object that
/// somebody else has changed since, and its write is refused.
#[derive(Clone, Copy, Debug)]
pub(super) struct Lag {
    pub(super) clock: ModelClock,
    /// At most.
    pub(super) longest: Duration,
    pub(super) seed: u64,
}

/// Each watch is late for itself.
fn all_late(watches: Vec<Changes>, lag: Lag) -> Vec<Changes> {
    if lag.longest.is_zero() {
        return watches;
    }
    let watches = watches.into_iter().zip(0..);
    watches.map(|(watch, n)| late(watch, lag, n)).collect()
}

/// What arrives while something is held back comes with it.
fn late(watch: Changes, lag: Lag, kind: u64) -> Changes {
    const AT_ONCE: usize = 1_000;
    let mut rng = ChaCha8Rng::seed_from_u64(lag.seed);
    rng.set_stream(kind);
    watch
        .ready_chunks(AT_ONCE)
        .then(move |changes| {
            let (clock, span) = (lag.clock, lag.longest.mul_f64(rng.random::<f64>()));
            async move {
                clock.sleep(span).await;
                futures::stream::iter(changes)
            }
        })
        .flatten()
        .boxed()
}

/// A step of one watch, to be applied to caches.
type Change = Arc<dyn Fn(&mut Caches) -> Vec<Seen> + Send + Sync>;

/// What a watch brings.
type Changes = BoxStream<'static, Result<Change, CacheError>>;

/// Watches of one manager, for caches that share what they bring, each at its own
/// pace: Longhorn's controllers share their informers.
pub(super) struct Watches {
    changes: SelectAll<Changes>,
    unsynced: BTreeSet<&'static str>,
    readers: Vec<UnboundedSender<Change>>,
}

impl Watches {
    /// On a namespace; nothing is asked for before they [`run`](Self::run).
    pub(super) fn on(client: &Client, namespace: &str, lag: Lag) -> Self {
        let mut watches = all_watches(client, namespace);
        watches.push(watch::<Volume>(client, namespace));
        let mut unsynced = all_kinds();
        unsynced.insert(Volume::PLURAL);
        Self {
            changes: futures::stream::select_all(all_late(watches, lag)),
            unsynced,
            readers: Vec::new(),
        }
    }

    /// Caches that they feed.
    pub(super) fn caches(&mut self) -> Caches {
        let (reader, changes) = mpsc::unbounded_channel();
        self.readers.push(reader);
        let changes = futures::stream::unfold(changes, async |mut changes| {
            Some((Ok(changes.recv().await?), changes))
        });
        Caches {
            view: View::default(),
            unsynced: self.unsynced.clone(),
            changes: futures::stream::select_all([changes.boxed()]),
        }
    }

    /// Feeds them for ever, and notes what goes wrong.
    pub(super) async fn run(mut self, sender: Sender) {
        while let Some(change) = self.changes.next().await {
            match change {
                // Caches that are gone need nothing any more.
                Ok(change) => self
                    .readers
                    .retain(|reader| reader.send(Arc::clone(&change)).is_ok()),
                Err(error) => sender.note(TraceItem::Trouble(error.to_string())),
            }
        }
    }
}

/// The caches.
pub struct Caches {
    /// What they show.
    pub view: View,
    unsynced: BTreeSet<&'static str>,
    changes: SelectAll<Changes>,
}

impl Caches {
    /// Starts to watch all kinds but volumes in a namespace.
    pub fn watch(client: &Client, namespace: &str) -> Self {
        Self::of(all_watches(client, namespace))
    }

    /// The same, but what the watches bring shows late.
    pub(super) fn watch_late(client: &Client, namespace: &str, lag: Lag) -> Self {
        Self::of(all_late(all_watches(client, namespace), lag))
    }

    fn of(watches: Vec<Changes>) -> Self {
        Self {
            view: View::default(),
            unsynced: all_kinds(),
            changes: futures::stream::select_all(watches),
        }
    }

    /// True once every kind has been listed.
    pub fn are_synced(&self) -> bool {
        self.unsynced.is_empty()
    }

    /// Waits for the next change and applies it.
    ///
    /// # Errors
    ///
    /// [`CacheError`] if a watch failed; it is tried again by itself.
    pub async fn next(&mut self) -> Result<Vec<Seen>, CacheError> {
        match self.changes.next().await {
            Some(change) => Ok(change?(self)),
            // Watches never end, but an empty set must not spin.
            None => std::future::pending().await,
        }
    }

    /// Applies what has arrived, without waiting.
    ///
    /// # Errors
    ///
    /// [`CacheError`] if a watch failed; it is tried again by itself.
    pub fn catch_up(&mut self) -> Result<Vec<Seen>, CacheError> {
        let mut seen = Vec::new();
        while let Some(Some(change)) = self.changes.next().now_or_never() {
            seen.extend(change?(self));
        }
        Ok(seen)
    }

    /// Takes an object that was written through this process, unless the watch
    /// has brought a newer one already.
    pub(super) fn remember(&mut self, object: crate::effect::Object) {
        crate::effect::each_object!(object, object => remember(&mut self.view, *object));
    }

    /// True if the caches show an object as it was written, or newer, or one that has
    /// its name and is still to go: the real code looks for the name alone
    /// (`verifyCreation`, `datastore/longhorn.go:3991` at v1.9.1).
    pub(super) fn show(&self, object: &crate::effect::Object) -> bool {
        crate::effect::each_object!(object, object => shows(&self.view, &**object))
    }
}

fn shows<T: Cached>(view: &View, object: &T) -> bool {
    let cached = T::shown(view).get(&object.name_any());
    cached
        .is_some_and(|cached| version(&**cached) >= version(object) || !is_same(&**cached, object))
}

/// Whether it is one object, not a later one of the same name.
fn is_same(one: &impl Resource, other: &impl Resource) -> bool {
    one.meta().uid == other.meta().uid
}

fn remember<T: Cached>(view: &mut View, object: T) {
    let store = T::store(view);
    let name = object.name_any();
    // An object that has left the cache may have been deleted since; only the
    // watch may bring it (back), or one of the same name.
    if let Some(cached) = store.get(&name)
        && is_same(&**cached, &object)
        && version(&**cached) < version(&object)
    {
        store.insert(name, Arc::new(object));
    }
}

/// Resource versions are opaque to clients in general, but ordered numbers on
/// every server this runs against; one that is not never replaces anything.
fn version(object: &impl Resource) -> u64 {
    let version = object.meta().resource_version.as_deref();
    version.and_then(|v| v.parse().ok()).unwrap_or_default()
}

fn watch<T: Cached>(client: &Client, namespace: &str) -> Changes {
    let api: Api<T> = Api::namespaced(client.clone(), namespace);
    let events = watcher(api, watcher::Config::default()).default_backoff();
    let mut listed = BTreeSet::new();
    events
        .map(move |event| {
            use watcher::Event;
            match event {
                Ok(Event::Init) => {
                    listed.clear();
                    Ok(nothing())
                }
                Ok(Event::InitApply(object)) => {
                    listed.insert(object.name_any());
                    Ok(upsert(object))
                }
                Ok(Event::Apply(object)) => Ok(upsert(object)),
                Ok(Event::Delete(object)) => {
                    let (name, object) = (object.name_any(), Arc::new(object));
                    Ok(change(move |caches| {
                        T::store(&mut caches.view).remove(&name);
                        vec![T::seen(Some(Arc::clone(&object)), None)]
                    }))
                }
                Ok(Event::InitDone) => {
                    let listed = std::mem::take(&mut listed);
                    Ok(change(move |caches| {
                        caches.unsynced.remove(T::PLURAL);
                        let store = T::store(&mut caches.view);
                        let gone = store.keys().filter(|name| !listed.contains(*name));
                        let gone: Vec<String> = gone.cloned().collect();
                        let gone = gone.iter().filter_map(|name| store.remove(name));
                        gone.map(|object| T::seen(Some(object), None)).collect()
                    }))
                }
                // 410 is no trouble: the server has forgotten the version the watch was
                // at, and the watch lists anew, as client-go's informers do.
                Err(
                    watcher::Error::WatchError(status)
                    | watcher::Error::WatchStartFailed(kube::Error::Api(status)),
                ) if status.code == 410 => Ok(nothing()),
                Err(error) => Err(CacheError {
                    kind: T::PLURAL,
                    message: error.to_string(),
                }),
            }
        })
        .boxed()
}

fn nothing() -> Change {
    change(|_| Vec::new())
}

fn change(step: impl Fn(&mut Caches) -> Vec<Seen> + Send + Sync + 'static) -> Change {
    Arc::new(step)
}

fn upsert<T: Cached>(object: T) -> Change {
    let (name, object) = (object.name_any(), Arc::new(object));
    change(move |caches| {
        let store = T::store(&mut caches.view);
        let old = store.get(&name).cloned();
        let new = match &old {
            Some(old) if version(&**old) > version(&*object) => old,
            _ => &object,
        };
        let new = Arc::clone(new);
        store.insert(name.clone(), Arc::clone(&new));
        vec![T::seen(old, Some(new))]
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn manager(uid: &str, version: &str) -> BackingImageManager {
        let mut manager = BackingImageManager::named("backing-image-manager-8e00-aaaa");
        manager.metadata.uid = Some(uid.to_owned());
        manager.metadata.resource_version = Some(version.to_owned());
        manager
    }

    #[test]
    fn what_was_written_shows_at_once() {
        let mut view = View::default();
        assert!(!shows(&view, &manager("a", "5")));
        (view.managers).insert(
            "backing-image-manager-8e00-aaaa".to_owned(),
            Arc::new(manager("a", "5")),
        );
        assert!(!shows(&view, &manager("a", "9")));
        remember(&mut view, manager("a", "9"));
        assert!(shows(&view, &manager("a", "9")));
    }

    #[test]
    fn a_namesake_on_its_way_out_is_taken_for_what_was_made_and_stays() {
        let mut view = View::default();
        let (old, new) = (manager("a", "5"), manager("b", "9"));
        let name = old.name_any();
        view.managers.insert(name.clone(), Arc::new(old));
        assert!(shows(&view, &new));
        remember(&mut view, new);
        let cached = view.managers.get(&name).map(|m| m.metadata.uid.clone());
        assert_eq!(cached, Some(Some("a".to_owned())));
    }
}
