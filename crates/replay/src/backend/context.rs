//! A cluster that is there: a context of a kubeconfig. Everything happens in
//! namespaces made for it, which are removed again, as are the CRDs if they were
//! not there before; or in one that is given, and stays. A cluster where a Longhorn
//! runs is refused, unless nothing is played there.

use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};

use k8s_openapi::api::apps::v1::DaemonSet;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::{DeleteParams, ListParams};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Api, Client, Config, ResourceExt};

use super::real::{self, NamespaceEnd, Place};
use super::{Backend, BackendError, Definitions, load_crds, needed_definitions};
use crate::event::RunResult;
use crate::run::RunOptions;
use crate::scenario::Scenario;

/// Which cluster, and how.
#[derive(Clone, Debug)]
pub struct ContextOptions {
    /// The kubeconfig; kubectl's default if not given.
    pub kubeconfig: Option<PathBuf>,
    /// The context; the current one if not given.
    pub context: Option<String>,
    /// The namespace to play in; one made for each run if not given.
    pub namespace: Option<String>,
    /// Model seconds that pass in one second.
    pub time_scale: f64,
    /// A Longhorn may run there: nothing of the model is played.
    pub beside_longhorn: bool,
    /// Definitions to load instead of ours, where they are not there.
    pub definitions: Option<Definitions>,
}

/// The backend of an existing cluster.
#[derive(Debug)]
pub struct ContextBackend {
    config: Config,
    /// The same, for programs that scenarios run.
    kubeconfig: Kubeconfig,
    namespace: Option<String>,
    time_scale: f64,
    /// The CRDs it loaded, and so removes.
    loaded: Vec<String>,
    /// Namespaces of failed runs that were to be kept.
    kept: Mutex<Vec<String>>,
}

impl ContextBackend {
    /// Connects, looks for a Longhorn, and loads the CRDs that are missing.
    ///
    /// # Errors
    ///
    /// [`BackendError`] if the kubeconfig cannot be read, the cluster does not
    /// answer, or a Longhorn runs there.
    pub fn connect(options: ContextOptions) -> Result<Self, BackendError> {
        real::runtime()?.block_on(async {
            let chosen = KubeConfigOptions {
                context: options.context,
                ..KubeConfigOptions::default()
            };
            let kubeconfig = match options.kubeconfig {
                Some(path) => Kubeconfig::read_from(path),
                None => Kubeconfig::read(),
            };
            let mut kubeconfig = kubeconfig.map_err(BackendError::new)?;
            let config = Config::from_custom_kubeconfig(kubeconfig.clone(), &chosen).await;
            let config = config.map_err(BackendError::new)?;
            if chosen.context.is_some() {
                kubeconfig.current_context = chosen.context;
            }
            let client = Client::try_from(config.clone()).map_err(BackendError::new)?;
            if !options.beside_longhorn {
                refuse_longhorn(&client, &config).await?;
            }
            let crds: Api<CustomResourceDefinition> = Api::all(client.clone());
            let there = crds
                .list(&ListParams::default())
                .await
                .map_err(BackendError::new)?;
            let there: Vec<String> = there.iter().map(ResourceExt::name_any).collect();
            let given = options.definitions.as_ref();
            load_crds(&client, &fixname_longhorn::crds::newest(), given).await?;
            let loaded: Vec<String> = match given {
                Some(given) => given.iter().map(ResourceExt::name_any).collect(),
                None => needed_definitions(),
            };
            Ok(Self {
                config,
                kubeconfig,
                namespace: options.namespace,
                time_scale: options.time_scale,
                loaded: loaded
                    .into_iter()
                    .filter(|name| !there.contains(name))
                    .collect(),
                kept: Mutex::default(),
            })
        })
    }
}

impl ContextBackend {
    /// A place for one run. Clients belong to the runtime they are made on.
    pub(crate) fn place(&self) -> Result<Place, BackendError> {
        let (namespace, end) = match &self.namespace {
            Some(name) => (name.clone(), NamespaceEnd::Empty),
            None => (real::unique_namespace(), NamespaceEnd::Remove),
        };
        Ok(Place {
            client: Client::try_from(self.config.clone()).map_err(BackendError::new)?,
            kubeconfig: self.kubeconfig.clone(),
            namespace,
            end,
            time_scale: self.time_scale,
        })
    }
}

impl ContextBackend {
    fn kept(&self) -> MutexGuard<'_, Vec<String>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn refuse_longhorn(client: &Client, config: &Config) -> Result<(), BackendError> {
    let api: Api<DaemonSet> = Api::all(client.clone());
    let params = ListParams::default().fields("metadata.name=longhorn-manager");
    let found = api.list(&params).await.map_err(|e| {
        BackendError::new(format!(
            "look for a Longhorn on {}: {e}",
            config.cluster_url
        ))
    })?;
    match found.iter().next() {
        None => Ok(()),
        Some(longhorn) => Err(BackendError::new(format!(
            "a Longhorn runs on {} (daemonset longhorn-manager in namespace {}); its managers and the model would get in each other's way, so give another context, or --play none",
            config.cluster_url,
            longhorn.namespace().unwrap_or_default()
        ))),
    }
}

impl Backend for ContextBackend {
    fn name(&self) -> &'static str {
        "context"
    }

    fn time_scale(&self) -> Option<f64> {
        Some(self.time_scale)
    }

    fn run(
        &self,
        scenario: &Scenario,
        options: &RunOptions,
        cancelled: &(dyn Fn() -> bool + Sync),
    ) -> Result<RunResult, BackendError> {
        real::runtime()?.block_on(async {
            let place = self.place()?;
            let result = place.run(scenario, options, cancelled).await?;
            if result.kept.is_some() {
                self.kept().push(place.namespace);
            }
            Ok(result)
        })
    }

    fn finish(&self) -> Result<Vec<String>, BackendError> {
        let kept = std::mem::take(&mut *self.kept());
        if !kept.is_empty() {
            // Without their definitions the objects would go as well.
            let mut told = vec![format!(
                "on {}: namespace {} (kubectl delete namespace {})",
                self.config.cluster_url,
                kept.join(", "),
                kept.join(" ")
            )];
            if !self.loaded.is_empty() {
                let loaded = self.loaded.join(" ");
                told.push(format!(
                    "and Longhorn's definitions (kubectl delete crd {loaded})"
                ));
            }
            return Ok(told);
        }
        real::runtime()?.block_on(async {
            let client = Client::try_from(self.config.clone()).map_err(BackendError::new)?;
            let crds: Api<CustomResourceDefinition> = Api::all(client);
            for name in &self.loaded {
                crds.delete(name, &DeleteParams::default())
                    .await
                    .map_err(|e| BackendError::new(format!("remove CRD {name}: {e}")))?;
            }
            Ok(Vec::new())
        })
    }
}
