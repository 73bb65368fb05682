//! What the backends with a real API server share: real time, a namespace for
//! each run, and its removal.

use std::fmt::Debug;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use fixname_controllers::driver::{Admission, ModelClock};
use fixname_longhorn::{
    BackingImage, BackingImageDataSource, BackingImageManager, Node, Replica, Setting,
};
use k8s_openapi::api::core::v1::Namespace;
use kube::api::{DeleteParams, ListParams, Patch, PatchParams};
use kube::{Api, Client, Resource, ResourceExt};
use serde::de::DeserializeOwned;
use serde_json::json;

use super::{BackendError, Session, create_namespace, load_crds, wait_until_served};
use crate::event::{Failure, RunResult, Verdict};
use crate::run::{RunOptions, run};
use crate::scenario::Scenario;

/// How long a namespace may take to go.
const REMOVAL: Duration = Duration::from_secs(60);

/// What becomes of a run's namespace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NamespaceEnd {
    /// The whole server goes anyway.
    Leave,
    /// It is emptied and deleted; if that fails, so does the run.
    Remove,
}

pub(super) fn runtime() -> Result<tokio::runtime::Runtime, BackendError> {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    builder.enable_all().build().map_err(BackendError::new)
}

/// A namespace that no other run, of this process or another, uses.
pub(super) fn unique_namespace() -> String {
    static RUNS: AtomicU32 = AtomicU32::new(1);
    let run = RUNS.fetch_add(1, Ordering::Relaxed);
    format!("fixname-replay-{}-{run}", std::process::id())
}

pub(super) async fn run_in(
    client: &Client,
    namespace: &str,
    time_scale: f64,
    end: NamespaceEnd,
    scenario: &Scenario,
    options: &RunOptions,
    cancelled: &(dyn Fn() -> bool + Sync),
) -> Result<RunResult, BackendError> {
    load_crds(client).await?;
    create_namespace(client, namespace).await?;
    wait_until_served(client, namespace).await?;
    let session = Session {
        client: client.clone(),
        server: None,
        namespace: namespace.to_owned(),
        clock: ModelClock::new(super::EPOCH, time_scale),
        admission: Admission::Played,
        webhooks: None,
        // A real server has a latency of its own.
        latency: Duration::ZERO,
    };
    let mut result = run(scenario, options, &session, cancelled).await;
    if end == NamespaceEnd::Remove
        && let Err(error) = remove(client, namespace).await
    {
        result.result = Verdict::Failed;
        result.failures.push(Failure {
            step: "clean-up".to_owned(),
            line: None,
            expected: format!("namespace {namespace} to be removed"),
            found: vec![error],
            log: Vec::new(),
        });
    }
    Ok(result)
}

async fn remove(client: &Client, namespace: &str) -> Result<(), String> {
    release::<BackingImage>(client, namespace).await?;
    release::<BackingImageDataSource>(client, namespace).await?;
    release::<BackingImageManager>(client, namespace).await?;
    release::<Node>(client, namespace).await?;
    release::<Replica>(client, namespace).await?;
    release::<Setting>(client, namespace).await?;
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

/// Takes the finalizers off all objects of a kind and deletes them: no Longhorn
/// is there that would.
async fn release<T>(client: &Client, namespace: &str) -> Result<(), String>
where
    T: Resource<DynamicType = (), Scope = kube::core::NamespaceResourceScope>
        + Clone
        + Debug
        + DeserializeOwned,
{
    let api: Api<T> = Api::namespaced(client.clone(), namespace);
    let text = |e: kube::Error| format!("{}: {e}", T::plural(&()));
    for object in api.list(&ListParams::default()).await.map_err(text)? {
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
