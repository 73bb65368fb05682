//! The other objects that the rules look at, and Longhorn's look-ups among them
//! (`datastore/longhorn.go` and `kubernetes.go`, named function by function).

use std::cell::OnceCell;
use std::sync::Arc;

use serde_json::Value;

use super::rules::Rules;
use super::setting::Definition;
use super::text;

/// How long a label's value may be.
const LONGEST_LABEL: usize = 63;

/// A kind of objects.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Source {
    /// Longhorn's settings.
    Settings,
    /// Backing images.
    BackingImages,
    /// Backups of backing images.
    BackupBackingImages,
    /// Replicas.
    Replicas,
    /// Engines.
    Engines,
    /// Volumes.
    Volumes,
    /// Engine images.
    EngineImages,
    /// Instance managers.
    InstanceManagers,
    /// Longhorn's nodes.
    Nodes,
    /// Restores of the whole system.
    SystemRestores,
    /// Kubernetes' nodes.
    KubernetesNodes,
    /// Secrets, of any namespace.
    Secrets,
    /// Storage classes.
    StorageClasses,
    /// Priority classes.
    PriorityClasses,
}

impl Source {
    /// How many there are.
    const ALL: usize = Self::PriorityClasses as usize + 1;

    /// API group, version and plural; whether only those of the request's namespace count.
    #[must_use]
    pub fn api(self) -> (&'static str, &'static str, &'static str, bool) {
        let longhorn = |plural| ("longhorn.io", "v1beta2", plural, true);
        match self {
            Self::Settings => longhorn("settings"),
            Self::BackingImages => longhorn("backingimages"),
            Self::BackupBackingImages => longhorn("backupbackingimages"),
            Self::Replicas => longhorn("replicas"),
            Self::Engines => longhorn("engines"),
            Self::Volumes => longhorn("volumes"),
            Self::EngineImages => longhorn("engineimages"),
            Self::InstanceManagers => longhorn("instancemanagers"),
            Self::Nodes => longhorn("nodes"),
            Self::SystemRestores => longhorn("systemrestores"),
            Self::KubernetesNodes => ("", "v1", "nodes", false),
            Self::Secrets => ("", "v1", "secrets", false),
            Self::StorageClasses => ("storage.k8s.io", "v1", "storageclasses", false),
            Self::PriorityClasses => ("scheduling.k8s.io", "v1", "priorityclasses", false),
        }
    }
}

/// Gives the objects of a kind.
type Read = Arc<dyn Fn(Source) -> Vec<Value> + Send + Sync>;

/// What the caches of the webhook server show. A kind is read when a rule first looks
/// at it: most requests look at none.
#[derive(Clone, Default)]
pub struct Cluster {
    /// How many CPUs the machine has on which the webhooks run, if that is known.
    pub machine_cpus: Option<u32>,
    read: Option<Read>,
    objects: [OnceCell<Vec<Value>>; Source::ALL],
}

impl std::fmt::Debug for Cluster {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Cluster")
            .field("machine_cpus", &self.machine_cpus)
            .field("objects", &self.objects)
            .finish_non_exhaustive()
    }
}

impl Cluster {
    /// One that `read` gives the objects of.
    pub fn read_by(read: impl Fn(Source) -> Vec<Value> + Send + Sync + 'static) -> Self {
        Self {
            read: Some(Arc::new(read)),
            ..Self::default()
        }
    }

    /// Adds objects of one kind.
    pub fn add(&mut self, source: Source, objects: impl IntoIterator<Item = Value>) {
        self.all(source);
        if let Some(all) = self.objects[source as usize].get_mut() {
            all.extend(objects);
        }
    }

    fn all(&self, source: Source) -> &[Value] {
        let read = || {
            self.read
                .as_ref()
                .map_or_else(Vec::new, |read| read(source))
        };
        self.objects[source as usize].get_or_init(read)
    }

    /// The objects of a kind.
    pub(super) fn list(&self, source: Source) -> impl Iterator<Item = &Value> {
        self.all(source).iter()
    }

    pub(super) fn get(&self, source: Source, name: &str) -> Option<&Value> {
        self.list(source).find(|object| super::name(object) == name)
    }

    /// `GetSecretRO`.
    pub(super) fn has_secret(&self, namespace: &str, name: &str) -> bool {
        self.list(Source::Secrets).any(|secret| {
            super::name(secret) == name && text(&secret["metadata"]["namespace"]) == namespace
        })
    }

    /// Those whose label has a value, as a selector finds them.
    ///
    /// # Errors
    ///
    /// Kubernetes' words, if the value is too long for a label.
    pub(super) fn select<'a>(
        &'a self,
        rules: &Rules,
        source: Source,
        label: (&'a str, &'a str),
    ) -> Result<Vec<&'a Value>, String> {
        let (key, value) = label;
        if value.len() > LONGEST_LABEL {
            let (value, unit) = (super::go::quote(value), super::tags::unit(rules));
            return Err(format!(
                "values[0][{key}]: Invalid value: {value}: must be no more than {LONGEST_LABEL} {unit}"
            ));
        }
        Ok(self.with_label(source, key, value).collect())
    }

    pub(super) fn with_label<'a>(
        &'a self,
        source: Source,
        key: &'a str,
        value: &'a str,
    ) -> impl Iterator<Item = &'a Value> {
        self.list(source)
            .filter(move |object| object["metadata"]["labels"][key] == value)
    }

    /// `GetSettingWithAutoFillingRO`: the value, or the release's default.
    pub(super) fn setting(&self, rules: &Rules, name: &str) -> Result<String, String> {
        let Some(definition) = Definition::of(&rules.version, name) else {
            return Err(format!("setting {name} is not supported"));
        };
        Ok(match self.get(Source::Settings, name) {
            Some(setting) => text(&setting["value"]).to_owned(),
            None => definition.default.to_owned(),
        })
    }

    /// `GetSettingAsBool`.
    pub(super) fn setting_flag(&self, rules: &Rules, name: &str) -> Result<bool, String> {
        super::go::parse_bool(&self.setting(rules, name)?)
    }

    /// `GetSettingAsInt`.
    pub(super) fn setting_number(&self, rules: &Rules, name: &str) -> Result<i64, String> {
        super::go::parse_int(&self.setting(rules, name)?)
    }
}
