//! What the backends with a real API server share: real time, a namespace for
//! each run, and its removal.

use std::collections::BTreeSet;
use std::fmt::Debug;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use fixname_apiserver::Faults;
use fixname_controllers::Part;
use fixname_controllers::driver::{Admission, ModelClock};
use fixname_longhorn::{
    BackingImage, BackingImageDataSource, BackingImageManager, Node, Replica, Setting, Volume,
};
use k8s_openapi::api::core::v1::Namespace;
use kube::api::{DeleteParams, ListParams, Patch, PatchParams};
use kube::config::Kubeconfig;
use kube::core::NamespaceResourceScope;
use kube::{Api, Client, Resource, ResourceExt};
use serde::de::DeserializeOwned;
use serde_json::json;

use super::kept::keep;
use super::{BackendError, Definitions, Session, create_namespace, load_crds, wait_until_served};
use crate::event::{Failure, RunResult, Verdict};
use crate::run::{RunOptions, run};
use crate::scenario::Scenario;

/// How long a namespace may take to go.
const REMOVAL: Duration = Duration::from_secs(60);

/// What becomes of a run's namespace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NamespaceEnd {
    /// The whole server goes anyway.
    Leave,
    /// It is emptied and deleted; if that fails, so does the run.
    Remove,
    /// It is somebody's: what the run put there goes, the namespace stays.
    Empty,
}

pub(crate) fn runtime() -> Result<tokio::runtime::Runtime, BackendError> {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    builder.enable_all().build().map_err(BackendError::new)
}

/// A namespace that no other run, of this process or another, uses.
pub(super) fn unique_namespace() -> String {
    static RUNS: AtomicU32 = AtomicU32::new(1);
    let run = RUNS.fetch_add(1, Ordering::Relaxed);
    format!("fixname-replay-{}-{run}", std::process::id())
}

/// A namespace of a real API server, for one run.
pub(crate) struct Place {
    pub(crate) client: Client,
    /// How programs reach it.
    pub(crate) kubeconfig: Kubeconfig,
    pub(crate) namespace: String,
    pub(crate) end: NamespaceEnd,
    /// Model seconds that pass in one second.
    pub(crate) time_scale: f64,
}

impl Place {
    /// Loads the CRDs and makes the namespace, unless they are there.
    pub(crate) async fn prepare(&self, given: Option<&Definitions>) -> Result<(), BackendError> {
        load_crds(&self.client, &fixname_longhorn::crds::newest(), given).await?;
        let namespaces: Api<Namespace> = Api::all(self.client.clone());
        let there = namespaces.get_opt(&self.namespace).await;
        if there.map_err(BackendError::new)?.is_none() {
            create_namespace(&self.client, &self.namespace).await?;
        }
        wait_until_served(&self.client, &self.namespace).await
    }

    /// Plays a scenario there, and leaves nothing of it behind.
    pub(super) async fn run(
        &self,
        scenario: &Scenario,
        options: &RunOptions,
        cancelled: &(dyn Fn() -> bool + Sync),
    ) -> Result<RunResult, BackendError> {
        self.prepare(options.definitions.as_ref()).await?;
        let there = match self.end {
            NamespaceEnd::Empty => there(&self.client, &self.namespace).await?,
            _ => BTreeSet::new(),
        };
        let session = Session {
            client: self.client.clone(),
            server: None,
            faults: Faults::new(options.seed),
            kubeconfig: Some(self.kubeconfig.clone()),
            namespace: self.namespace.clone(),
            clock: ModelClock::new(super::EPOCH, self.time_scale),
            admission: match options.parts.has(Part::Webhooks) {
                true => Admission::Played,
                false => Admission::Cluster,
            },
            webhooks: None,
            // A real server has a latency of its own.
            latency: Duration::ZERO,
        };
        let mut result = run(scenario, options, &session, cancelled).await;
        if let (Some(folder), Verdict::Failed) = (&options.keep_on_failure, result.result) {
            match self.end {
                NamespaceEnd::Leave => {
                    keep(&mut result, Some(folder), &self.client, &self.namespace).await;
                }
                _ => result.kept = Some(format!("namespace {}", self.namespace)),
            }
            return Ok(result);
        }
        if let Err(error) = self.clean_up(&there).await {
            result.result = Verdict::Failed;
            result.failures.push(Failure {
                step: "clean-up".to_owned(),
                line: None,
                expected: format!("nothing to be left in namespace {}", self.namespace),
                found: vec![error],
                log: Vec::new(),
            });
        }
        Ok(result)
    }

    /// Does what becomes of the namespace; what was there before the run stays.
    pub(crate) async fn clean_up(&self, there: &BTreeSet<String>) -> Result<(), String> {
        if self.end == NamespaceEnd::Leave {
            return Ok(());
        }
        let Self {
            client, namespace, ..
        } = self;
        release::<BackingImage>(client, namespace, there).await?;
        release::<BackingImageDataSource>(client, namespace, there).await?;
        release::<BackingImageManager>(client, namespace, there).await?;
        release::<Node>(client, namespace, there).await?;
        release::<Volume>(client, namespace, there).await?;
        release::<Replica>(client, namespace, there).await?;
        release::<Setting>(client, namespace, there).await?;
        match self.end {
            NamespaceEnd::Remove => remove(client, namespace).await,
            _ => Ok(()),
        }
    }
}

/// The UIDs of the objects that are there already.
async fn there(client: &Client, namespace: &str) -> Result<BTreeSet<String>, BackendError> {
    async fn of<T: Kept>(client: &Client, namespace: &str) -> kube::Result<Vec<String>> {
        let api: Api<T> = Api::namespaced(client.clone(), namespace);
        let objects = api.list(&ListParams::default()).await?;
        Ok(objects.iter().filter_map(ResourceExt::uid).collect())
    }
    let mut uids = BTreeSet::new();
    for found in [
        of::<BackingImage>(client, namespace).await,
        of::<BackingImageDataSource>(client, namespace).await,
        of::<BackingImageManager>(client, namespace).await,
        of::<Node>(client, namespace).await,
        of::<Replica>(client, namespace).await,
        of::<Setting>(client, namespace).await,
        of::<Volume>(client, namespace).await,
    ] {
        uids.extend(found.map_err(BackendError::new)?);
    }
    Ok(uids)
}

async fn remove(client: &Client, namespace: &str) -> Result<(), String> {
    let api: Api<Namespace> = Api::all(client.clone());
    let deleted = api.delete(namespace, &DeleteParams::default()).await;
    deleted.map_err(|e| e.to_string())?;
    let deadline = tokio::time::Instant::now() + REMOVAL;
    while tokio::time::Instant::now() < deadline {
        if api
            .get_opt(namespace)
            .await
            .map_err(|e| e.to_string())?
            .is_none()
        {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(250)).await;
    }
    Err(format!("it is still there after {} s", REMOVAL.as_secs()))
}

/// An object kind of Longhorn's that runs leave behind.
trait Kept:
    Resource<DynamicType = (), Scope = NamespaceResourceScope> + Clone + Debug + DeserializeOwned
{
}
impl<T> Kept for T where
    T: Resource<DynamicType = (), Scope = NamespaceResourceScope>
        + Clone
        + Debug
        + DeserializeOwned
{
}

/// Takes the finalizers off the objects of a kind and deletes them: no Longhorn is
/// there that would.
async fn release<T: Kept>(
    client: &Client,
    namespace: &str,
    there: &BTreeSet<String>,
) -> Result<(), String> {
    let api: Api<T> = Api::namespaced(client.clone(), namespace);
    let text = |e: kube::Error| format!("{}: {e}", T::plural(&()));
    let found = api.list(&ListParams::default()).await.map_err(text)?.items;
    let ours = |object: &T| object.uid().is_none_or(|uid| !there.contains(&uid));
    for object in found.into_iter().filter(ours) {
        let patch = Patch::Merge(json!({"metadata": {"finalizers": null}}));
        let released = api
            .patch(&object.name_any(), &PatchParams::default(), &patch)
            .await;
        match released {
            Ok(_) => {}
            Err(kube::Error::Api(status)) if status.code == 404 => continue,
            Err(error) => return Err(text(error)),
        }
        match api
            .delete(&object.name_any(), &DeleteParams::default())
            .await
        {
            Ok(_) => {}
            Err(kube::Error::Api(status)) if status.code == 404 => {}
            Err(error) => return Err(text(error)),
        }
    }
    Ok(())
}
