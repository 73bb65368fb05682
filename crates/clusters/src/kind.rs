//! A cluster that the `kind` command makes and deletes, or one of its that is there.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::NamedTempFile;

use crate::{Cluster, ClusterError};

/// What kind is told.
#[derive(Clone, Debug, Default)]
pub struct KindOptions {
    /// Use the cluster of this name, and leave it; without it, one is made and deleted.
    pub existing: Option<String>,
    /// The node image; kind's own if not given.
    pub image: Option<String>,
    /// A file with kind's cluster configuration.
    pub config: Option<PathBuf>,
}

/// A kind cluster.
#[derive(Debug)]
pub struct KindCluster {
    name: String,
    /// False once it is deleted, and from the begin if it was there before.
    ours: bool,
    kubeconfig: NamedTempFile,
}

impl KindCluster {
    /// Makes a cluster with a name that no other run uses, or finds the one named.
    ///
    /// # Errors
    ///
    /// [`ClusterError`] if there is no `kind`, or with what it said; a cluster that
    /// was half made is deleted.
    pub fn start(options: &KindOptions) -> Result<Self, ClusterError> {
        let kubeconfig = NamedTempFile::with_prefix("fixname-kubeconfig-")
            .map_err(|e| ClusterError::new(format!("make a kubeconfig: {e}")))?;
        if let Some(name) = &options.existing {
            let text = kind([
                OsStr::new("get"),
                "kubeconfig".as_ref(),
                "--name".as_ref(),
                name.as_ref(),
            ])?;
            std::fs::write(kubeconfig.path(), text)
                .map_err(|e| ClusterError::new(format!("write a kubeconfig: {e}")))?;
            return Ok(Self {
                name: name.clone(),
                ours: false,
                kubeconfig,
            });
        }
        // Without kind nothing is made, and nothing can be left behind.
        kind(["version"])?;
        let mut cluster = Self {
            name: format!("fixname-{}", std::process::id()),
            ours: true,
            kubeconfig,
        };
        let mut arguments: Vec<&OsStr> = vec![
            "create".as_ref(),
            "cluster".as_ref(),
            "--name".as_ref(),
            cluster.name.as_ref(),
            "--kubeconfig".as_ref(),
            cluster.kubeconfig.path().as_ref(),
        ];
        if let Some(image) = &options.image {
            arguments.extend([OsStr::new("--image"), image.as_ref()]);
        }
        if let Some(config) = &options.config {
            arguments.extend([OsStr::new("--config"), config.as_ref()]);
        }
        if let Err(error) = kind(arguments) {
            // What kind left of it must not stay.
            let removed = cluster.remove();
            return Err(match removed {
                Ok(()) => error,
                Err(left) => ClusterError::new(format!("{error}; {left}")),
            });
        }
        Ok(cluster)
    }
}

impl Cluster for KindCluster {
    fn kubeconfig(&self) -> &Path {
        self.kubeconfig.path()
    }

    fn remove(&mut self) -> Result<(), ClusterError> {
        if !std::mem::take(&mut self.ours) {
            return Ok(());
        }
        let name = &self.name;
        kind(["delete", "cluster", "--name", name]).map(drop).map_err(|e| {
            ClusterError::new(format!(
                "the kind cluster {name} is left behind (kind delete cluster --name {name}): {e}"
            ))
        })
    }

    fn keep(&mut self) -> Result<String, ClusterError> {
        self.kubeconfig.disable_cleanup(true);
        let (name, file) = (&self.name, self.kubeconfig.path().display());
        Ok(match std::mem::take(&mut self.ours) {
            true => format!(
                "the kind cluster of it: kubectl --kubeconfig {file}; kind delete cluster --name {name}"
            ),
            false => format!("the kind cluster of it: kubectl --kubeconfig {file}"),
        })
    }
}

impl Drop for KindCluster {
    fn drop(&mut self) {
        // Whoever wants to know whether it worked has called it already.
        let _ = self.remove();
    }
}

/// What `kind` prints.
fn kind<A: AsRef<OsStr>>(arguments: impl IntoIterator<Item = A>) -> Result<String, ClusterError> {
    let mut command = Command::new("kind");
    command.args(arguments);
    // Ctrl-C is for this program, which then deletes what kind has made.
    #[cfg(unix)]
    std::os::unix::process::CommandExt::process_group(&mut command, 0);
    let output = command.output().map_err(|e| {
        ClusterError::new(format!(
            "run kind: {e}; install it from https://kind.sigs.k8s.io, or give --backend container"
        ))
    })?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let last: Vec<&str> = said.trim().lines().rev().take(4).collect();
    let last: Vec<&str> = last.into_iter().rev().collect();
    Err(ClusterError::new(format!("kind: {}", last.join(" / "))))
}
