//! API servers that scenarios are played on, behind one trait.

mod context;
mod control_plane;
pub(crate) mod embedded;
mod kept;
mod made;
pub(crate) mod real;

use std::sync::Arc;
use std::time::Duration;

use fixname_apiserver::{ApiServer, Faults};
use fixname_controllers::driver::{Admission, ModelClock};
use fixname_naming::LonghornVersion;
use k8s_openapi::api::core::v1::Namespace;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::{ListParams, PostParams};
use kube::config::Kubeconfig;
use kube::{Api, Client, ResourceExt};

pub use context::{ContextBackend, ContextOptions};
pub use control_plane::ControlPlaneBackend;
pub use embedded::EmbeddedBackend;
pub use fixname_clusters::kind::KindOptions;
pub use made::MadeBackend;

use crate::event::RunResult;
use crate::run::RunOptions;
use crate::scenario::Scenario;
use crate::webhooks::InForce;

/// The environment could not be made or reached. Not a verdict on any scenario.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct BackendError {
    /// What failed and what to do, in words.
    pub message: String,
}

impl BackendError {
    pub(crate) fn new(message: impl std::fmt::Display) -> Self {
        Self {
            message: message.to_string(),
        }
    }
}

/// Something that scenarios can be played on.
pub trait Backend: Sync {
    /// Its name on the command line.
    fn name(&self) -> &'static str;

    /// Model seconds that pass in one real second; `None` if the time is virtual.
    fn time_scale(&self) -> Option<f64>;

    /// Plays one scenario in an environment of its own, and removes what it made.
    ///
    /// # Errors
    ///
    /// [`BackendError`] if the environment could not be made.
    fn run(
        &self,
        scenario: &Scenario,
        options: &RunOptions,
        cancelled: &(dyn Fn() -> bool + Sync),
    ) -> Result<RunResult, BackendError>;

    /// Removes what was made for the whole suite, unless a failed run is kept there.
    /// Returns what stays, with how to reach and how to remove it.
    ///
    /// # Errors
    ///
    /// [`BackendError`] if something is left behind.
    fn finish(&self) -> Result<Vec<String>, BackendError> {
        Ok(Vec::new())
    }
}

/// An API server that is ready for one run.
pub(crate) struct Session {
    /// For the scenario's own steps and looks.
    pub(crate) client: Client,
    /// The server itself, if it is ours to meddle with.
    pub(crate) server: Option<ApiServer>,
    /// What the model's requests meet on their way to it.
    pub(crate) faults: Faults,
    /// How others reach it, where that is not the server above.
    pub(crate) kubeconfig: Option<Kubeconfig>,
    pub(crate) namespace: String,
    pub(crate) clock: ModelClock,
    pub(crate) admission: Admission,
    /// The rules of the model's webhooks, where they are in force.
    pub(crate) webhooks: Option<InForce>,
    pub(crate) latency: Duration,
}

/// Whom the model's requests come from on the embedded server: Longhorn's service account.
const MODEL_USER: &str = "system:serviceaccount:longhorn-system:longhorn-service-account";

impl Session {
    /// The client of the model, which meets the faults; the scenario's own steps and
    /// looks do not.
    pub(crate) fn model_client(&self) -> Client {
        let client = match &self.server {
            Some(server) => server.client_as(MODEL_USER, &self.namespace),
            None => self.client.clone(),
        };
        self.faults.before(client, &self.namespace)
    }
}

/// The date on which every run begins: that of the knowledge-base page.
pub(crate) const EPOCH: jiff::Timestamp = jiff::Timestamp::constant(1_762_214_400, 0);

/// Definitions that are loaded instead of ours.
pub type Definitions = Arc<[CustomResourceDefinition]>;

/// The names of the definitions that are needed to play, such as `nodes.longhorn.io`.
pub fn needed_definitions() -> Vec<String> {
    let ours = fixname_longhorn::crds::crds(&fixname_longhorn::crds::newest());
    ours.iter().map(ResourceExt::name_any).collect()
}

/// Loads the definitions given, or ours as of a release, unless they are there.
pub(crate) async fn load_crds(
    client: &Client,
    release: &LonghornVersion,
    given: Option<&Definitions>,
) -> Result<(), BackendError> {
    let api: Api<CustomResourceDefinition> = Api::all(client.clone());
    let crds = given.map_or_else(|| fixname_longhorn::crds::crds(release), Arc::clone);
    for crd in crds.iter() {
        match api.create(&PostParams::default(), crd).await {
            Ok(_) => {}
            Err(kube::Error::Api(status)) if status.reason == "AlreadyExists" => {}
            Err(error) => return Err(BackendError::new(format!("load Longhorn's CRDs: {error}"))),
        }
    }
    Ok(())
}

/// Loads the CRDs and makes the namespace, on a server that serves a new CRD at once.
pub(crate) async fn prepare(
    client: &Client,
    namespace: &str,
    longhorn: &LonghornVersion,
    given: Option<&Definitions>,
) -> Result<(), BackendError> {
    load_crds(client, longhorn, given).await?;
    create_namespace(client, namespace).await
}

pub(crate) async fn create_namespace(client: &Client, name: &str) -> Result<(), BackendError> {
    let api: Api<Namespace> = Api::all(client.clone());
    let namespace = Namespace {
        metadata: kube::core::ObjectMeta {
            name: Some(name.to_owned()),
            ..Default::default()
        },
        ..Namespace::default()
    };
    let created = api.create(&PostParams::default(), &namespace).await;
    created.map_err(|e| BackendError::new(format!("create namespace {name}: {e}")))?;
    Ok(())
}

/// A new CRD is served a moment after it was accepted; a list that works says so.
async fn wait_until_served(client: &Client, namespace: &str) -> Result<(), BackendError> {
    let api: Api<fixname_longhorn::Setting> = Api::namespaced(client.clone(), namespace);
    let images: Api<fixname_longhorn::BackingImage> = Api::namespaced(client.clone(), namespace);
    let mut last = String::new();
    for _ in 0..100 {
        let params = ListParams::default();
        match (api.list(&params).await, images.list(&params).await) {
            (Ok(_), Ok(_)) => return Ok(()),
            (Err(error), _) | (_, Err(error)) => last = error.to_string(),
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    Err(BackendError::new(format!(
        "Longhorn's kinds are not served after 10 s: {last}"
    )))
}
