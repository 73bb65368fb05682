//! Kubernetes clusters that live as long as a value does: a control plane in a
//! container ([`container`]), or a cluster that the `kind` command makes ([`kind`]).
//!
//! Both end with a kubeconfig file, private to this user, and both are removed when
//! they are dropped, also when a test panics; [`Cluster::remove`] says whether
//! that worked.

pub mod container;
pub mod kind;

use std::fmt::Debug;
use std::path::Path;

/// A cluster that is there.
pub trait Cluster: Debug + Send + Sync {
    /// The kubeconfig that leads to it. The file goes with the cluster.
    fn kubeconfig(&self) -> &Path;

    /// Removes it, unless it was there before.
    ///
    /// # Errors
    ///
    /// [`ClusterError`] with what is left behind and how to remove it.
    fn remove(&mut self) -> Result<(), ClusterError>;

    /// Leaves it and its kubeconfig where they are when this is dropped. Returns how
    /// to reach it, and how to remove it.
    ///
    /// # Errors
    ///
    /// [`ClusterError`] if the kubeconfig could not be kept.
    fn keep(&mut self) -> Result<String, ClusterError>;
}

/// A cluster could not be made, or not be removed.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct ClusterError {
    /// What failed, and what to do.
    pub message: String,
}

impl ClusterError {
    fn new(message: impl std::fmt::Display) -> Self {
        Self {
            message: message.to_string(),
        }
    }
}
