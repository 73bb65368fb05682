//! A cluster that is made for the suite and removed after it: a control plane in a
//! container, or a kind cluster. What is played there is played as on any other.

use std::sync::Mutex;

use fixname_clusters::container::ContainerCluster;
use fixname_clusters::kind::{KindCluster, KindOptions};
use fixname_clusters::{Cluster, ClusterError};

use super::{Backend, BackendError, ContextBackend, ContextOptions, Definitions};
use crate::event::RunResult;
use crate::run::RunOptions;
use crate::scenario::Scenario;

/// The backend of a cluster that lives as long as it.
#[derive(Debug)]
pub struct MadeBackend {
    name: &'static str,
    context: ContextBackend,
    cluster: Mutex<Box<dyn Cluster>>,
}

impl MadeBackend {
    /// A control plane in a container of that image, or of k3s.
    ///
    /// # Errors
    ///
    /// [`BackendError`] if no Docker engine answers or the image cannot be started.
    pub fn container(
        image: Option<&str>,
        time_scale: f64,
        definitions: Option<Definitions>,
    ) -> Result<Self, BackendError> {
        let cluster = ContainerCluster::start(image)?;
        Self::on("container", Box::new(cluster), time_scale, definitions)
    }

    /// A cluster that the `kind` command makes, or one of its that is there.
    ///
    /// # Errors
    ///
    /// [`BackendError`] if there is no `kind`, or with what it said.
    pub fn kind(
        options: &KindOptions,
        time_scale: f64,
        definitions: Option<Definitions>,
    ) -> Result<Self, BackendError> {
        let cluster = KindCluster::start(options)?;
        Self::on("kind", Box::new(cluster), time_scale, definitions)
    }

    /// The cluster, for what is played there besides scenarios.
    pub fn context(&self) -> &ContextBackend {
        &self.context
    }

    fn on(
        name: &'static str,
        cluster: Box<dyn Cluster>,
        time_scale: f64,
        definitions: Option<Definitions>,
    ) -> Result<Self, BackendError> {
        let kubeconfig = cluster.kubeconfig().to_owned();
        Ok(Self {
            name,
            context: ContextBackend::connect(ContextOptions {
                kubeconfig: Some(kubeconfig),
                context: None,
                namespace: None,
                time_scale,
                beside_longhorn: false,
                definitions,
            })?,
            cluster: Mutex::new(cluster),
        })
    }
}

impl From<ClusterError> for BackendError {
    fn from(error: ClusterError) -> Self {
        Self::new(error)
    }
}

impl Backend for MadeBackend {
    fn name(&self) -> &'static str {
        self.name
    }

    fn time_scale(&self) -> Option<f64> {
        self.context.time_scale()
    }

    fn run(
        &self,
        scenario: &Scenario,
        options: &RunOptions,
        cancelled: &(dyn Fn() -> bool + Sync),
    ) -> Result<RunResult, BackendError> {
        self.context.run(scenario, options, cancelled)
    }

    fn finish(&self) -> Result<Vec<String>, BackendError> {
        // A kind cluster that was there before is left as it was.
        let left = self.context.finish();
        let mut cluster = self
            .cluster
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        match left {
            Ok(mut kept) if !kept.is_empty() => {
                kept.push(cluster.keep()?);
                Ok(kept)
            }
            left => {
                cluster.remove()?;
                left
            }
        }
    }
}
