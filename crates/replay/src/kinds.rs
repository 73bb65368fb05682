//! The kinds that a scenario can name, so that a mistyped one is found before
//! anything is played.

use std::collections::BTreeSet;

use fixname_longhorn::Kind;
use kube::api::{ApiResource, DynamicObject, GroupVersionKind};
use kube::{Api, Client};

use crate::suggest::instead;

/// The API version of Longhorn's own kinds.
const LONGHORN: &str = "longhorn.io/v1beta2";

/// A kind of the API server.
#[derive(Clone, Debug)]
pub(crate) struct Served {
    pub(crate) resource: ApiResource,
    pub(crate) namespaced: bool,
}

/// Kinds of Kubernetes itself: API version, kind, plural, whether in a namespace.
const CORE: [(&str, &str, &str, bool); 9] = [
    ("v1", "ConfigMap", "configmaps", true),
    ("v1", "Event", "events", true),
    ("v1", "Namespace", "namespaces", false),
    ("v1", "Node", "nodes", false),
    ("v1", "Pod", "pods", true),
    ("v1", "Secret", "secrets", true),
    ("v1", "ServiceAccount", "serviceaccounts", true),
    ("batch/v1", "Job", "jobs", true),
    ("coordination.k8s.io/v1", "Lease", "leases", true),
];

/// The verbs of requests, as RBAC has them.
pub(crate) const VERBS: [&str; 8] = [
    "get",
    "list",
    "watch",
    "create",
    "update",
    "patch",
    "delete",
    "deletecollection",
];

/// An object names no kind of the API server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NotServed {
    /// The member that is wrong: `apiVersion`, `kind` or `metadata`.
    pub(crate) member: &'static str,
    /// What is wrong.
    pub(crate) text: String,
}

impl NotServed {
    pub(crate) fn new(member: &'static str, text: impl Into<String>) -> Self {
        let text = text.into();
        Self { member, text }
    }
}

impl From<NotServed> for String {
    fn from(error: NotServed) -> Self {
        error.text
    }
}

/// What the API server calls a kind; of [`LONGHORN`] if no API version is given.
///
/// # Errors
///
/// That there is no such kind, and which was meant.
pub(crate) fn served(api_version: Option<&str>, kind: &str) -> Result<Served, NotServed> {
    let api_version = api_version.unwrap_or(LONGHORN);
    let of_version = || kinds().filter(|(version, ..)| *version == api_version);
    let Some((_, kind, plural, namespaced)) = of_version().find(|(_, name, ..)| *name == kind)
    else {
        if of_version().next().is_none() {
            let versions = kinds().map(|(version, ..)| version);
            let versions: BTreeSet<&str> = versions.collect();
            let instead = instead(api_version, versions);
            let text = format!("there is no API version {api_version:?} here{instead}");
            return Err(NotServed::new("apiVersion", text));
        }
        let instead = instead(kind, of_version().map(|(_, name, ..)| name));
        let text = format!("there is no kind {kind:?} in {api_version}{instead}");
        return Err(NotServed::new("kind", text));
    };
    let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
    let gvk = GroupVersionKind::gvk(group, version, kind);
    Ok(Served {
        resource: ApiResource::from_gvk_with_plural(&gvk, plural),
        namespaced,
    })
}

impl Served {
    /// The objects of this kind, in `namespace` if they are in one.
    pub(crate) fn api(&self, client: &Client, namespace: &str) -> Api<DynamicObject> {
        if self.namespaced {
            Api::namespaced_with(client.clone(), namespace, &self.resource)
        } else {
            Api::all_with(client.clone(), &self.resource)
        }
    }
}

/// Longhorn's own kinds, and what Kubernetes has in a namespace beside them.
pub(crate) fn all() -> impl Iterator<Item = Served> {
    let in_namespace = kinds().filter(|(.., namespaced)| *namespaced);
    in_namespace.filter_map(|(version, kind, ..)| served(Some(version), kind).ok())
}

/// The plurals of all kinds, as URLs and RBAC have them.
pub(crate) fn resources() -> impl Iterator<Item = &'static str> {
    kinds().map(|(_, _, plural, _)| plural)
}

fn kinds() -> impl Iterator<Item = (&'static str, &'static str, &'static str, bool)> {
    let ours = Kind::ALL
        .iter()
        .map(|kind| (LONGHORN, kind.as_str(), kind.plural(), true));
    ours.chain(CORE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mistyped_kind_is_named_with_those_there_are() {
        let image = served(None, "BackingImage").unwrap();
        assert_eq!(image.resource.plural, "backingimages");
        assert_eq!(image.resource.api_version, LONGHORN);
        assert!(!served(Some("v1"), "Node").unwrap().namespaced);
        assert!(served(None, "Node").unwrap().namespaced);
        let error = served(None, "BackingImages").unwrap_err();
        assert_eq!(
            error,
            NotServed::new(
                "kind",
                "there is no kind \"BackingImages\" in longhorn.io/v1beta2; did you mean BackingImage?"
            )
        );
        let error = served(Some("longhorn.io/v1beta3"), "Pod").unwrap_err();
        assert_eq!(
            error,
            NotServed::new(
                "apiVersion",
                "there is no API version \"longhorn.io/v1beta3\" here; did you mean longhorn.io/v1beta2?"
            )
        );
    }
}
