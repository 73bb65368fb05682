//! Which API server to play on: the arguments that verbs have in common.

use std::path::PathBuf;

use clap::ValueEnum;
use fixname_replay::BackendError;
use fixname_replay::backend::{ContextOptions, Definitions, KindOptions, MadeBackend};

/// The arguments in common.
#[derive(clap::Args)]
pub(super) struct Place {
    /// Where to play.
    #[arg(long, value_enum, default_value = "embedded", env = "FIXNAME_BACKEND")]
    pub(super) backend: Where,
    /// The kubeconfig of `--backend context`; kubectl's default if not given.
    #[arg(long, value_name = "FILE", env = "FIXNAME_KUBECONFIG")]
    kubeconfig: Option<PathBuf>,
    /// The context of `--backend context`; the current one if not given.
    #[arg(long, value_name = "NAME", env = "FIXNAME_CONTEXT")]
    context: Option<String>,
    /// The image of `--backend container`, one that behaves like k3s.
    #[arg(long, value_name = "NAME:TAG", env = "FIXNAME_CONTAINER_IMAGE")]
    container_image: Option<String>,
    /// For `--backend kind`, use the cluster of this name, and leave it.
    #[arg(long, value_name = "NAME", env = "FIXNAME_KIND_CLUSTER")]
    kind_cluster: Option<String>,
    /// The node image of `--backend kind`; kind's own if not given.
    #[arg(long, value_name = "IMAGE", env = "FIXNAME_KIND_IMAGE")]
    kind_image: Option<String>,
    /// The cluster configuration of `--backend kind`.
    #[arg(long, value_name = "FILE", env = "FIXNAME_KIND_CONFIG")]
    kind_config: Option<PathBuf>,
    /// On a real API server, model seconds that pass in one second.
    #[arg(long, value_name = "N", default_value_t = 10.0, value_parser = scale, env = "FIXNAME_TIME_SCALE")]
    pub(super) time_scale: f64,
}

impl Place {
    /// The cluster of `--backend context`.
    pub(super) fn cluster(&self) -> ContextOptions {
        ContextOptions {
            kubeconfig: self.kubeconfig.clone(),
            context: self.context.clone(),
            namespace: None,
            time_scale: self.time_scale,
            beside_longhorn: false,
            definitions: None,
        }
    }

    /// The control plane of `--backend container`.
    pub(super) fn container(
        &self,
        definitions: Option<Definitions>,
    ) -> Result<MadeBackend, BackendError> {
        MadeBackend::container(
            self.container_image.as_deref(),
            self.time_scale,
            definitions,
        )
    }

    /// The cluster of `--backend kind`.
    pub(super) fn kind(
        &self,
        definitions: Option<Definitions>,
    ) -> Result<MadeBackend, BackendError> {
        let options = KindOptions {
            existing: self.kind_cluster.clone(),
            image: self.kind_image.clone(),
            config: self.kind_config.clone(),
        };
        MadeBackend::kind(&options, self.time_scale, definitions)
    }
}

/// Where to play.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Where {
    /// In this process, in virtual time.
    Embedded,
    /// etcd and kube-apiserver, started and stopped on loopback.
    ControlPlane,
    /// A control plane in a container: k3s, or `--container-image`.
    Container,
    /// A cluster that the kind command makes and deletes.
    Kind,
    /// A cluster that is there, by kubeconfig and context.
    Context,
}

impl Where {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Embedded => "embedded",
            Self::ControlPlane => "control-plane",
            Self::Container => "container",
            Self::Kind => "kind",
            Self::Context => "context",
        }
    }

    /// Whether time is real there.
    pub(super) fn is_real(self) -> bool {
        self != Self::Embedded
    }
}

fn scale(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(scale) if (0.1..=100.0).contains(&scale) => Ok(scale),
        _ => Err("a number from 0.1 to 100".to_owned()),
    }
}
