//! What the server serves: one [`Resource`] for each (group, version, plural),
//! and the [`Registry`] that requests are looked up in.
//!
//! Built-in kinds come from [`crate::builtin`], the rest from definitions
//! ([`crate::crd`]). A resource never changes: a new definition replaces it.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;

use crate::builtin::Kind;
use crate::schema::Schema;

/// Where the objects of a resource are stored: versions of a resource share
/// one table, and so do the two groups of events.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct TableKey {
    pub(crate) group: String,
    pub(crate) plural: String,
}

/// One column of `kubectl get`.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Column {
    pub(crate) name: String,
    pub(crate) kind: String,
    pub(crate) format: String,
    pub(crate) description: String,
    pub(crate) priority: i64,
    pub(crate) path: String,
}

/// The `scale` subresource of a definition.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ScalePaths {
    pub(crate) spec_replicas: String,
    pub(crate) status_replicas: String,
    pub(crate) label_selector: Option<String>,
}

/// One served (group, version, plural).
#[derive(Debug)]
pub(crate) struct Resource {
    pub(crate) group: String,
    pub(crate) version: String,
    pub(crate) plural: String,
    pub(crate) singular: String,
    pub(crate) kind: String,
    pub(crate) list_kind: String,
    pub(crate) short_names: Vec<String>,
    pub(crate) categories: Vec<String>,
    pub(crate) namespaced: bool,
    pub(crate) behaviour: Kind,
    pub(crate) has_status: bool,
    pub(crate) scale: Option<ScalePaths>,
    pub(crate) schema: Option<Arc<Schema>>,
    pub(crate) columns: Vec<Column>,
    pub(crate) selectable: Vec<String>,
    pub(crate) storage_version: String,
    pub(crate) table: TableKey,
    /// Changes with each change of the definition: an object written under
    /// another epoch is pruned and defaulted again when it is read.
    pub(crate) epoch: u64,
    /// A warning for requests of a deprecated version.
    pub(crate) deprecation: Option<String>,
    /// `conversion.strategy` is `Webhook`, which this server cannot call.
    pub(crate) foreign_conversion: bool,
}

impl Resource {
    /// `apiVersion` of the resource's objects.
    pub(crate) fn api_version(&self) -> String {
        group_version(&self.group, &self.version)
    }

    pub(crate) fn storage_api_version(&self) -> String {
        group_version(&self.table.group, &self.storage_version)
    }

    /// The Go package of the internal types, which some errors show.
    pub(crate) fn go_package(&self) -> &'static str {
        match self.group.as_str() {
            "coordination.k8s.io" => "coordination",
            "batch" => "batch",
            "apiextensions.k8s.io" => "apiextensions",
            _ => "core",
        }
    }

    pub(crate) fn is_custom(&self) -> bool {
        self.behaviour == Kind::Custom
    }
}

/// The group, empty for the core one, and the version that an `apiVersion` names.
pub(crate) fn split_group_version(api_version: &str) -> (&str, &str) {
    api_version.split_once('/').unwrap_or(("", api_version))
}

/// `group/version`, or the bare version of the core group.
pub(crate) fn group_version(group: &str, version: &str) -> String {
    if group.is_empty() {
        version.to_owned()
    } else {
        format!("{group}/{version}")
    }
}

/// The served versions of one resource.
type Versions = BTreeMap<String, Arc<Resource>>;

/// All that is served at one moment.
#[derive(Debug, Default, Clone)]
pub(crate) struct Registry {
    /// group → plural → version → resource. No look-up makes a text: each request has several.
    resources: BTreeMap<String, BTreeMap<String, Versions>>,
    /// The stored definitions, by (group, plural), as far as discovery needs.
    order: BTreeMap<String, Vec<String>>,
}

impl Registry {
    pub(crate) fn add(&mut self, resource: Resource) {
        let versions = self.order.entry(resource.group.clone()).or_default();
        if !versions.contains(&resource.version) {
            versions.push(resource.version.clone());
            versions.sort_by(|a, b| compare_versions(b, a));
        }
        self.resources
            .entry(resource.group.clone())
            .or_default()
            .entry(resource.plural.clone())
            .or_default()
            .insert(resource.version.clone(), Arc::new(resource));
    }

    pub(crate) fn remove(&mut self, group: &str, plural: &str) {
        let Some(resources) = self.resources.get_mut(group) else {
            return;
        };
        resources.remove(plural);
        let mut left: Vec<String> = Vec::new();
        for version in resources.values().flat_map(BTreeMap::keys) {
            if !left.contains(version) {
                left.push(version.clone());
            }
        }
        left.sort_by(|a, b| compare_versions(b, a));
        if left.is_empty() {
            self.order.remove(group);
        } else {
            self.order.insert(group.to_owned(), left);
        }
    }

    pub(crate) fn get(&self, group: &str, version: &str, plural: &str) -> Option<Arc<Resource>> {
        let versions = self.resources.get(group)?.get(plural)?;
        versions.get(version).cloned()
    }

    /// Any served version of a resource: the storage version if it is served.
    pub(crate) fn any(&self, group: &str, plural: &str) -> Option<Arc<Resource>> {
        let versions = self.resources.get(group)?.get(plural)?;
        versions
            .values()
            .find(|r| r.version == r.storage_version)
            .or_else(|| versions.values().next())
            .cloned()
    }

    /// The other served resources that show the same objects, as the real
    /// server's equivalence map has them: versions, and the groups of events.
    pub(crate) fn equivalents(&self, resource: &Resource) -> Vec<Arc<Resource>> {
        self.resources
            .values()
            .flat_map(BTreeMap::values)
            .flat_map(BTreeMap::values)
            .filter(|other| {
                other.table == resource.table
                    && (&other.group, &other.version) != (&resource.group, &resource.version)
            })
            .cloned()
            .collect()
    }

    /// The resource of a kind, as owner references name it.
    pub(crate) fn by_kind(&self, api_version: &str, kind: &str) -> Option<Arc<Resource>> {
        let (group, version) = split_group_version(api_version);
        let mut resources = self.resources.get(group)?.values();
        resources
            .find_map(|versions| versions.get(version).filter(|r| r.kind == kind))
            .cloned()
    }

    /// Groups in a stable order, with their versions, the preferred one first.
    pub(crate) fn groups(&self) -> impl Iterator<Item = (&String, &Vec<String>)> {
        self.order.iter()
    }

    pub(crate) fn serves(&self, group: &str, version: &str) -> bool {
        self.order
            .get(group)
            .is_some_and(|versions| versions.iter().any(|v| v == version))
    }

    /// The resources of one group and version, by plural.
    pub(crate) fn of_version<'a>(
        &'a self,
        group: &'a str,
        version: &'a str,
    ) -> impl Iterator<Item = &'a Arc<Resource>> {
        let resources = self.resources.get(group).into_iter();
        resources
            .flat_map(BTreeMap::values)
            .filter_map(move |versions| versions.get(version))
    }

    /// One version of each resource.
    pub(crate) fn all(&self) -> Vec<Arc<Resource>> {
        self.resources
            .iter()
            .flat_map(|(group, resources)| resources.keys().map(move |plural| (group, plural)))
            .filter_map(|(group, plural)| self.any(group, plural))
            .collect()
    }
}

/// Kubernetes' order of version names: v2 > v1 > v1beta2 > v1beta1 > v1alpha1 > rest.
pub(crate) fn compare_versions(a: &str, b: &str) -> std::cmp::Ordering {
    match (rank(a), rank(b)) {
        (Some(x), Some(y)) => x.cmp(&y),
        (Some(_), None) => std::cmp::Ordering::Greater,
        (None, Some(_)) => std::cmp::Ordering::Less,
        // Other names sort by the alphabet, the first one is preferred.
        (None, None) => b.cmp(a),
    }
}

fn rank(version: &str) -> Option<(u8, u64, u64)> {
    let rest = version.strip_prefix('v')?;
    let digits = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let major: u64 = rest.get(..digits)?.parse().ok()?;
    let tail = rest.get(digits..)?;
    if tail.is_empty() {
        return Some((2, major, 0));
    }
    for (word, stability) in [("beta", 1), ("alpha", 0)] {
        if let Some(minor) = tail.strip_prefix(word) {
            return Some((stability, major, minor.parse().ok()?));
        }
    }
    None
}

/// A string below an object's members, such as `/spec/name`, or the empty string.
/// Unlike `Value::pointer` it makes no text of each step.
pub(crate) fn text<'a>(value: &'a Value, pointer: &str) -> &'a str {
    pointer
        .split('/')
        .skip(1)
        .try_fold(value, |value, key| value.get(key))
        .and_then(Value::as_str)
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::compare_versions;

    #[test]
    fn versions_sort_as_kubernetes_does() {
        let mut versions = vec![
            "foo1", "v1alpha1", "v10", "v1", "v1beta2", "v2beta1", "v2", "bar",
        ];
        versions.sort_by(|a, b| compare_versions(b, a));
        assert_eq!(
            versions,
            [
                "v10", "v2", "v1", "v2beta1", "v1beta2", "v1alpha1", "bar", "foo1"
            ]
        );
    }
}
