//! A control plane in one container: k3s, or an image that behaves like it (port
//! 6443, kubeconfig in `/etc/rancher/k3s/k3s.yaml`, the same line when it is ready).

use std::io::Write;
use std::path::Path;
use std::time::Duration;

use tempfile::{NamedTempFile, TempDir};
use testcontainers_modules::k3s::{K3s, KUBE_SECURE_PORT};
use testcontainers_modules::testcontainers::runners::SyncRunner;
use testcontainers_modules::testcontainers::{Container, ContainerRequest, ImageExt};

use crate::{Cluster, ClusterError};

/// How long it may take until it is ready, the download of the image not counted.
const STARTUP: Duration = Duration::from_secs(180);

/// A control plane in a container.
#[derive(Debug)]
pub struct ContainerCluster {
    container: Option<Container<K3s>>,
    /// Where the container writes its own kubeconfig.
    folder: TempDir,
    /// The same, with the port that leads into the container.
    kubeconfig: NamedTempFile,
}

impl ContainerCluster {
    /// Starts a container of `image` (`NAME:TAG`; the k3s module's own if not given).
    ///
    /// # Errors
    ///
    /// [`ClusterError`] if no Docker engine answers, the image cannot be had, or it
    /// is not ready in time.
    pub fn start(image: Option<&str>) -> Result<Self, ClusterError> {
        let folder = tempfile::Builder::new()
            .prefix("fixname-k3s-")
            .tempdir()
            .map_err(ClusterError::new)?;
        let k3s = K3s::default().with_conf_mount(folder.path());
        // k3s runs containers of its own, for which it needs the machine.
        let mut request: ContainerRequest<K3s> = k3s
            .with_privileged(true)
            .with_userns_mode("host")
            .with_startup_timeout(STARTUP);
        if let Some(image) = image {
            let (name, tag) = split(image)?;
            request = request.with_name(name).with_tag(tag);
        }
        let container = request
            .start()
            .map_err(|e| ClusterError::new(format!("start a control plane in a container: {e}")))?;
        let kubeconfig = kubeconfig(&container)?;
        Ok(Self {
            container: Some(container),
            folder,
            kubeconfig,
        })
    }
}

/// The kubeconfig that the container wrote, with the port that leads into it.
fn kubeconfig(container: &Container<K3s>) -> Result<NamedTempFile, ClusterError> {
    let port = container
        .get_host_port_ipv4(KUBE_SECURE_PORT)
        .map_err(|e| ClusterError::new(format!("the container's port: {e}")))?;
    let text = container
        .image()
        .read_kube_config()
        .map_err(|e| ClusterError::new(format!("the container's kubeconfig: {e}")))?;
    let text = text.replace(
        "https://127.0.0.1:6443",
        &format!("https://127.0.0.1:{port}"),
    );
    let write = || {
        let mut file = NamedTempFile::with_prefix("fixname-kubeconfig-")?;
        file.write_all(text.as_bytes())?;
        Ok(file)
    };
    write().map_err(|e: std::io::Error| ClusterError::new(format!("write a kubeconfig: {e}")))
}

impl Cluster for ContainerCluster {
    fn kubeconfig(&self) -> &Path {
        self.kubeconfig.path()
    }

    fn remove(&mut self) -> Result<(), ClusterError> {
        match self.container.take() {
            None => Ok(()),
            Some(container) => {
                let id = container.id().to_owned();
                container.rm().map_err(|e| {
                    ClusterError::new(format!(
                        "the container {id} is left behind (docker rm -f {id}): {e}"
                    ))
                })
            }
        }
    }

    fn keep(&mut self) -> Result<String, ClusterError> {
        let Some(container) = self.container.take() else {
            return Ok("a container that is gone".to_owned());
        };
        let id = container.id().to_owned();
        // Dropping it would remove it.
        std::mem::forget(container);
        self.folder.disable_cleanup(true);
        self.kubeconfig.disable_cleanup(true);
        Ok(format!(
            "the container of it: kubectl --kubeconfig {}; docker rm -f {id}",
            self.kubeconfig.path().display()
        ))
    }
}

/// `NAME:TAG`; a colon before a slash belongs to a registry's port.
fn split(image: &str) -> Result<(&str, &str), ClusterError> {
    match image.rsplit_once(':') {
        Some((name, tag)) if !name.is_empty() && !tag.is_empty() && !tag.contains('/') => {
            Ok((name, tag))
        }
        _ => Err(ClusterError::new(format!(
            "an image is written NAME:TAG, such as rancher/k3s:v1.34.4-k3s1; found {image:?}"
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::split;

    #[test]
    fn an_image_has_a_name_and_a_tag() {
        assert_eq!(split("a/b:c").unwrap(), ("a/b", "c"));
        assert_eq!(split("host:5000/a:c").unwrap(), ("host:5000/a", "c"));
        for wrong in ["", "a", "a:", ":b", "host:5000/a"] {
            assert!(split(wrong).is_err(), "{wrong}");
        }
    }
}
