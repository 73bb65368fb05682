//! What a check sees of the cluster at one moment.

use std::fmt::Debug;
use std::sync::Arc;

use fixname_apiserver::ApiServer;
use fixname_controllers::{Indexed, Store, View};
use kube::api::ListParams;
use kube::core::NamespaceResourceScope;
use kube::{Api, Client, Resource, ResourceExt};
use serde::de::DeserializeOwned;

use super::{Mismatch, Observer};

impl Observer<'_> {
    /// What there is now. Of a server in this process only what was written since the last
    /// look is read.
    pub(super) async fn view(&self) -> Result<Arc<View>, Mismatch> {
        let Some(server) = self.server else {
            return Ok(Arc::new(list_all(self.client, self.namespace).await?));
        };
        let version = Some(server.resource_version());
        if let Some(view) = self.last.at(version) {
            return Ok(view);
        }
        let before = self.last.latest().unwrap_or_default();
        let view = Arc::new(look(server, self.namespace, &before)?);
        self.last.keep(version, &view);
        Ok(view)
    }
}

async fn list_all(client: &Client, namespace: &str) -> Result<View, Mismatch> {
    Ok(View {
        nodes: list(client, namespace).await?,
        images: list(client, namespace).await?,
        managers: list(client, namespace).await?,
        data_sources: list(client, namespace).await?,
        ..View::default()
    })
}

async fn list<T>(client: &Client, namespace: &str) -> Result<Store<T>, Mismatch>
where
    T: Resource<DynamicType = (), Scope = NamespaceResourceScope>
        + Clone
        + Debug
        + DeserializeOwned
        + Indexed,
{
    let api: Api<T> = Api::namespaced(client.clone(), namespace);
    let list = api.list(&ListParams::default()).await;
    let list = list.map_err(|e| vec![format!("the API server did not answer: {e}")])?;
    let objects = list.into_iter();
    Ok(objects
        .map(|object| (object.name_any(), Arc::new(object)))
        .collect())
}

fn look(server: &ApiServer, namespace: &str, before: &View) -> Result<View, Mismatch> {
    Ok(View {
        nodes: newest(server, namespace, &before.nodes)?,
        images: newest(server, namespace, &before.images)?,
        managers: newest(server, namespace, &before.managers)?,
        data_sources: newest(server, namespace, &before.data_sources)?,
        ..View::default()
    })
}

/// The objects of one kind; those that are still what they were are not read again.
fn newest<T>(server: &ApiServer, namespace: &str, before: &Store<T>) -> Result<Store<T>, Mismatch>
where
    T: Resource<DynamicType = ()> + DeserializeOwned + Indexed,
{
    let (group, version, plural) = (T::group(&()), T::version(&()), T::plural(&()));
    let stored = server.objects((&group, &version, &plural), Some(namespace));
    let objects = stored.into_iter().map(|stored| {
        let is_same = |known: &&Arc<T>| {
            known.meta().resource_version.as_deref() == Some(stored.version.to_string().as_str())
        };
        let object = match before.get(&stored.name).filter(is_same) {
            Some(known) => known.clone(),
            None => {
                let read = serde_json::from_slice(&stored.json);
                Arc::new(read.map_err(|e| vec![format!("{plural} {}: {e}", stored.name)])?)
            }
        };
        Ok((stored.name, object))
    });
    objects.collect()
}
