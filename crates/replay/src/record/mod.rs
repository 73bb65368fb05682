//! A cluster that was recorded becomes a scenario: its disks, images, volumes and
//! settings, and expectations that state what is. `found` reads disks and images out of
//! an inventory, `volumes` and `settings` the rest, `names` gives other names, `text`
//! writes the file, `given` begins a scenario with a cluster.
//!
//! Only what a scenario can say is in it: disks that are ready, images with the disks
//! they want, volumes of images with the disks of their replicas, settings that were
//! changed. The copies that lose come in a second step, so that the disk that has the
//! name there has it here, and so do the replicas that wait for them.

mod found;
pub(crate) mod given;
mod names;
mod settings;
#[cfg(test)]
mod tests;
mod text;
mod volumes;

use fixname_diagnose::{Options, diagnose};
use fixname_longhorn::{
    BackingImage, BackingImageDataSource, BackingImageManager, Coverage, CoverageState, Inventory,
    Kind, Node, Replica, Setting, Volume,
};
use fixname_naming::{LonghornVersion, Resolved, resolve};
use kube::api::ListParams;
use kube::{Api, Client};

use crate::load::{LoadError, parse};
use found::Found;

/// What to make of a cluster.
#[derive(Clone, Debug)]
pub struct RecordOptions {
    /// The scenario's name.
    pub name: String,
    /// The version that runs there, if the objects do not say so.
    pub longhorn: Option<Resolved>,
    /// Everything, not only what a collision needs.
    pub whole: bool,
    /// Other names for nodes, disks, images and volumes, and no settings but numbers that
    /// images depend on; UUIDs keep their first four digits.
    pub anonymize: bool,
}

/// A scenario that was made.
#[derive(Clone, Debug)]
pub struct Recorded {
    /// Its file.
    pub text: String,
    /// What of the cluster it does not say, and why.
    pub notes: Vec<String>,
}

/// No scenario can be made of a cluster.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RecordError {
    /// Disks are what a scenario is about.
    #[error("no nodes were read, so nothing is known about disks")]
    NoNodes,
    /// Nothing says which version runs.
    #[error("nothing says which Longhorn version runs")]
    NoVersion,
    /// There is no filesystem disk with a UUID.
    #[error("there is no filesystem disk that is ready and has a UUID")]
    NoDisk,
    /// A name or a UUID that no Kubernetes API server and no scenario takes.
    #[error("{what} {name:?} cannot be in a scenario")]
    Name {
        /// What is called so.
        what: &'static str,
        /// Its name.
        name: String,
    },
    /// What was made is no scenario, which is a defect of this program.
    #[error("what was made of it is no scenario: {0}")]
    Invalid(LoadError),
}

/// Makes a scenario of a cluster.
///
/// # Errors
///
/// [`RecordError`]; names that are refused are taken with [`RecordOptions::anonymize`].
pub fn record(inventory: &Inventory, options: &RecordOptions) -> Result<Recorded, RecordError> {
    if !inventory.has_read(Kind::Node) {
        return Err(RecordError::NoNodes);
    }
    let report = diagnose(
        inventory,
        &Options {
            longhorn: options.longhorn.clone(),
            manager_image: None,
        },
    );
    let version = report.running.longhorn_version.as_deref();
    let version: LonghornVersion = version
        .and_then(|version| version.parse().ok())
        .ok_or(RecordError::NoVersion)?;
    let resolved = resolve(&version).map_err(|_| RecordError::NoVersion)?;
    let mut found = Found::read(inventory, &report, resolved.release())?;
    found.notes.extend(resolved.note());
    if !options.whole {
        found.shrink();
    }
    found.keep_unused_copies();
    let found = if options.anonymize {
        found.keep_settings_of_images();
        names::anonymous(found)
    } else {
        names::check(&found)?;
        found
    };
    let text = text::written(&found, &options.name);
    parse("", &text).map_err(RecordError::Invalid)?;
    Ok(Recorded {
        text,
        notes: found.notes,
    })
}

/// Reads what [`record`] looks at from a cluster: lists seven of Longhorn's kinds in a
/// namespace, and changes nothing. Volumes and replicas, of which only volumes are made,
/// need not be readable.
///
/// # Errors
///
/// What the API server refused of the other five.
pub async fn read_cluster(client: &Client, namespace: &str) -> Result<Inventory, kube::Error> {
    async fn list<T>(client: &Client, namespace: &str) -> Result<Vec<T>, kube::Error>
    where
        T: kube::Resource<DynamicType = (), Scope = kube::core::NamespaceResourceScope>
            + Clone
            + std::fmt::Debug
            + serde::de::DeserializeOwned,
    {
        let api: Api<T> = Api::namespaced(client.clone(), namespace);
        Ok(api.list(&ListParams::default()).await?.items)
    }
    let nodes: Vec<Node> = list(client, namespace).await?;
    let backing_images: Vec<BackingImage> = list(client, namespace).await?;
    let managers: Vec<BackingImageManager> = list(client, namespace).await?;
    let data_sources: Vec<BackingImageDataSource> = list(client, namespace).await?;
    let settings: Vec<Setting> = list(client, namespace).await?;
    let replicas = readable(list::<Replica>(client, namespace).await)?;
    let volumes = readable(list::<Volume>(client, namespace).await)?;
    let read = |kind: Kind, objects: usize| Coverage {
        kind,
        state: CoverageState::Read {
            objects,
            sources: vec!["the cluster".to_owned()],
        },
        notes: Vec::new(),
    };
    let mut coverage = vec![
        read(Kind::Node, nodes.len()),
        read(Kind::BackingImage, backing_images.len()),
        read(Kind::BackingImageManager, managers.len()),
        read(Kind::BackingImageDataSource, data_sources.len()),
        read(Kind::Setting, settings.len()),
    ];
    let others = [
        (Kind::Replica, replicas.as_ref().map(Vec::len)),
        (Kind::Volume, volumes.as_ref().map(Vec::len)),
    ];
    coverage.extend(others.map(|(kind, objects)| match objects {
        Some(objects) => read(kind, objects),
        None => Coverage {
            kind,
            state: CoverageState::NotRead {
                reason: "the cluster refused to list them".to_owned(),
            },
            notes: Vec::new(),
        },
    }));
    Ok(Inventory {
        nodes,
        backing_images,
        managers,
        data_sources,
        settings,
        replicas: replicas.unwrap_or_default(),
        volumes: volumes.unwrap_or_default(),
        coverage,
        ..Inventory::default()
    })
}

/// What may not be listed is none, and no error.
fn readable<T>(listed: Result<T, kube::Error>) -> Result<Option<T>, kube::Error> {
    match listed {
        Ok(found) => Ok(Some(found)),
        Err(kube::Error::Api(status)) if status.code == 403 => Ok(None),
        Err(error) => Err(error),
    }
}
