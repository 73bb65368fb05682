//! Which cluster is meant: kubectl's flags, and the client that follows from them.

use std::path::PathBuf;

use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};

use crate::exit::{Exit, Failure};

/// kubectl's flags for a cluster.
#[derive(clap::Args)]
#[group(skip)]
pub(crate) struct Flags {
    /// The kubeconfig; kubectl's default if not given, and in a pod the
    /// cluster it runs in.
    #[arg(long, value_name = "FILE", env = "FIXNAME_KUBECONFIG")]
    kubeconfig: Option<PathBuf>,
    /// The context; the current one if not given.
    #[arg(long, value_name = "NAME", env = "FIXNAME_CONTEXT")]
    context: Option<String>,
    /// Act as this user or service account.
    #[arg(long = "as", value_name = "USER", env = "FIXNAME_AS")]
    user: Option<String>,
}

/// A cluster that can be asked.
pub(crate) struct Cluster {
    pub(crate) client: Client,
    /// Where it is, for messages.
    pub(crate) url: String,
    /// The namespace of the context.
    pub(crate) namespace: String,
}

impl Flags {
    /// Reads the kubeconfig; asks nobody yet.
    pub(crate) async fn cluster(&self) -> Result<Cluster, Failure> {
        let config = self.config().await?;
        let (url, namespace) = (
            config.cluster_url.to_string(),
            config.default_namespace.clone(),
        );
        let client = Client::try_from(config).map_err(|e| wrong(&e.to_string()))?;
        Ok(Cluster {
            client,
            url,
            namespace,
        })
    }

    async fn config(&self) -> Result<Config, Failure> {
        let options = KubeConfigOptions {
            context: self.context.clone(),
            ..KubeConfigOptions::default()
        };
        let config = match (&self.kubeconfig, &self.context) {
            (Some(path), _) => {
                let file = Kubeconfig::read_from(path).map_err(|e| wrong(&e.to_string()))?;
                Config::from_custom_kubeconfig(file, &options)
                    .await
                    .map_err(|e| wrong(&e.to_string()))
            }
            (None, Some(_)) => Config::from_kubeconfig(&options)
                .await
                .map_err(|e| wrong(&e.to_string())),
            (None, None) => Config::infer().await.map_err(|e| wrong(&e.to_string())),
        };
        let mut config = config?;
        config.auth_info.impersonate.clone_from(&self.user);
        Ok(config)
    }
}

fn wrong(what: &str) -> Failure {
    Failure::usage(
        format!("cannot use the kubeconfig: {what}"),
        "kubectl config get-contexts lists what there is; --kubeconfig and --context choose",
    )
}

/// The cluster cannot be reached, or refuses.
pub(crate) fn unreachable(message: impl Into<String>, next: Option<&str>) -> Failure {
    Failure::Told {
        exit: Exit::Environment,
        message: message.into(),
        next: next.map(str::to_owned),
    }
}

/// An error with everything below it: where nobody answers, what is wrong
/// stands in the innermost one.
pub(crate) fn whole_message(error: &dyn std::error::Error) -> String {
    let mut message = error.to_string();
    let mut source = error.source();
    while let Some(inner) = source {
        let text = inner.to_string();
        if !message.contains(&text) {
            message += &format!(": {text}");
        }
        source = inner.source();
    }
    message
}
