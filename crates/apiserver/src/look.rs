//! Looks at a server's objects from within the process, past HTTP: for hooks and
//! for checks, which would else turn every object into text and back.

use std::sync::Weak;

use bytes::Bytes;

use crate::server::{ApiServer, Inner};

/// A server that whoever holds this does not keep alive, as a hook of it must not.
#[derive(Clone)]
pub struct WeakApiServer(Weak<Inner>);

impl std::fmt::Debug for WeakApiServer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("WeakApiServer").finish_non_exhaustive()
    }
}

impl WeakApiServer {
    /// The server, if it is still there.
    #[must_use]
    pub fn upgrade(&self) -> Option<ApiServer> {
        let inner = self.0.upgrade()?;
        Some(ApiServer { inner })
    }
}

/// An object as it is stored.
#[derive(Clone, Debug)]
pub struct Object {
    /// Its name.
    pub name: String,
    /// Its `resourceVersion`.
    pub version: u64,
    /// The whole object as JSON, in the version that was asked for.
    pub json: Bytes,
}

impl ApiServer {
    /// The same server, not kept alive.
    #[must_use]
    pub fn downgrade(&self) -> WeakApiServer {
        WeakApiServer(std::sync::Arc::downgrade(&self.inner))
    }

    /// The objects of a resource, of one namespace or of all, in the order of a list;
    /// none if the resource is not served. Hooks and faults do not see such a look.
    #[must_use]
    pub fn objects(
        &self,
        (group, version, plural): (&str, &str, &str),
        namespace: Option<&str>,
    ) -> Vec<Object> {
        let state = self.state();
        let Some(resource) = state.registry.get(group, version, plural) else {
            return Vec::new();
        };
        let Some(table) = state.store.peek(&resource.table) else {
            return Vec::new();
        };
        let prefix = namespace.map_or_else(String::new, |namespace| format!("{namespace}/"));
        let stored = table.range(&prefix, None);
        stored
            .map(|stored| Object {
                name: stored.name().to_owned(),
                version: stored.version,
                json: crate::convert::to_bytes(&resource, stored),
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAMESPACES: (&str, &str, &str) = ("", "v1", "namespaces");

    #[test]
    fn a_look_finds_what_is_stored() {
        let server = ApiServer::builder().build();
        let found = server.objects(NAMESPACES, None);
        let names: Vec<&str> = found.iter().map(|object| object.name.as_str()).collect();
        let every_cluster = ["default", "kube-node-lease", "kube-public", "kube-system"];
        assert_eq!(names, every_cluster);

        let first: serde_json::Value = serde_json::from_slice(&found[0].json).expect("it is JSON");
        assert_eq!(first["kind"], "Namespace");
        let version = found[0].version.to_string();
        assert_eq!(first["metadata"]["resourceVersion"], version.as_str());
    }

    #[test]
    fn there_is_nothing_in_other_places() {
        let server = ApiServer::builder().build();
        assert!(server.objects(NAMESPACES, Some("default")).is_empty());
        let unknown = ("longhorn.io", "v1beta2", "nodes");
        assert!(server.objects(unknown, None).is_empty());
    }

    #[test]
    fn a_weak_server_ends_with_the_last_strong_one() {
        let server = ApiServer::builder().build();
        let weak = server.downgrade();
        assert!(weak.upgrade().is_some());
        drop(server);
        assert!(weak.upgrade().is_none());
    }
}
