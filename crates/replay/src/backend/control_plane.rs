//! etcd and kube-apiserver as programs on loopback, started once for a suite and
//! stopped with it. Each run has a namespace of its own.

use fixname_controlplane::{ControlPlane, Error, Options};
use kube::config::Kubeconfig;

use super::real::{self, NamespaceEnd, Place};
use super::{Backend, BackendError};
use crate::event::RunResult;
use crate::run::RunOptions;
use crate::scenario::Scenario;

/// The backend of real control-plane programs.
#[derive(Debug)]
pub struct ControlPlaneBackend {
    plane: ControlPlane,
    time_scale: f64,
}

impl ControlPlaneBackend {
    /// Starts the programs. Model time runs `time_scale` times as fast as the clock.
    ///
    /// # Errors
    ///
    /// [`BackendError`] if they are not found (with where to get them) or do not start.
    pub fn start(time_scale: f64) -> Result<Self, BackendError> {
        let plane = ControlPlane::start_blocking(Options::default())
            .map_err(|error: Error| BackendError::new(error))?;
        Ok(Self { plane, time_scale })
    }

    /// A place for one run. Everything goes with the programs' data folder.
    pub(crate) async fn place(&self) -> Result<Place, BackendError> {
        let namespace = real::unique_namespace();
        let client = self.plane.client(&namespace).await;
        Ok(Place {
            client: client.map_err(BackendError::new)?,
            kubeconfig: Kubeconfig::from_yaml(self.plane.kubeconfig())
                .map_err(BackendError::new)?,
            namespace,
            end: NamespaceEnd::Leave,
            time_scale: self.time_scale,
        })
    }
}

impl Backend for ControlPlaneBackend {
    fn name(&self) -> &'static str {
        "control-plane"
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
            let place = self.place().await?;
            place.run(scenario, options, cancelled).await
        })
    }
}
