//! Puts a population into an API server: nodes.longhorn.io with their status,
//! several requests at a time. Looks first, and refuses a cluster where a
//! Longhorn runs unless told otherwise: its node controller would meet nodes
//! that do not exist.
//!
//! [`inspect`] only reads. [`apply`] may be stopped and begun again: nodes that
//! are there already and were made by it are brought up to date.

use std::time::Duration;

use fixname_longhorn::{Kind, Node};
use futures::stream::{StreamExt, TryStreamExt};
use k8s_openapi::api::apps::v1::DaemonSet;
use k8s_openapi::api::core::v1::Namespace;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::{ListParams, PostParams};
use kube::{Api, Client, ResourceExt};
use thiserror::Error;

pub use crate::node::LABEL;
use crate::population::Population;

/// How often somebody else may write a node between our reading and writing it.
const CONFLICTS: usize = 5;

/// How long a definition may take until its kind is served.
const SERVED_WITHIN: Duration = Duration::from_secs(30);
/// Waits between the tries of one request.
const RETRIES: [Duration; 4] = [
    Duration::from_millis(200),
    Duration::from_secs(1),
    Duration::from_secs(3),
    Duration::from_secs(10),
];

/// How to put a population into an API server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// The namespace of the nodes.
    pub namespace: String,
    /// Requests at a time.
    pub parallel: usize,
    /// Whether a running Longhorn is no obstacle.
    pub beside_longhorn: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            namespace: fixname_longhorn::NAMESPACE.to_owned(),
            parallel: 16,
            beside_longhorn: false,
        }
    }
}

/// What a cluster has before anything is written.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Target {
    /// The namespace where a Longhorn runs.
    pub longhorn: Option<String>,
    /// Whether nodes.longhorn.io is defined.
    pub has_definition: bool,
    /// Whether the namespace is there.
    pub has_namespace: bool,
    /// Nodes of Longhorn that are there already.
    pub nodes: u64,
}

/// What was written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Applied {
    /// Nodes that were not there before.
    pub created: u64,
    /// Nodes of an earlier population, overwritten.
    pub updated: u64,
    /// Whether it was stopped before the end.
    pub stopped: bool,
}

/// Why a population could not be put there. What was written stays; it may be
/// begun again.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ApplyError {
    /// The API server refused, or did not answer.
    #[error("{what}: {error}")]
    Api {
        /// What was tried.
        what: String,
        /// What came back.
        #[source]
        error: Box<kube::Error>,
    },
    /// A Longhorn runs there.
    #[error("a Longhorn runs there (daemonset longhorn-manager in namespace {0})")]
    Longhorn(String),
    /// A node of that name was not made by this program.
    #[error("node {0} is there already, and is not from a population")]
    Foreign(String),
    /// The definition was accepted, but the kind is not served.
    #[error("nodes.longhorn.io is not served {} s after its definition", SERVED_WITHIN.as_secs())]
    NotServed,
}

fn during(what: impl Into<String>) -> impl FnOnce(kube::Error) -> ApplyError {
    let what = what.into();
    move |error| ApplyError::Api {
        what,
        error: Box::new(error),
    }
}

fn is_code(error: &kube::Error, code: u16) -> bool {
    matches!(error, kube::Error::Api(status) if status.code == code)
}

/// Nothing where the server answers "not found".
fn there<T>(answer: Result<T, kube::Error>) -> Result<Option<T>, kube::Error> {
    match answer {
        Ok(found) => Ok(Some(found)),
        Err(error) if is_code(&error, 404) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Looks at a cluster, and writes nothing.
///
/// # Errors
/// When the server does not answer, or does not let us look.
pub async fn inspect(client: &Client, namespace: &str) -> Result<Target, ApplyError> {
    let daemons: Api<DaemonSet> = Api::all(client.clone());
    let by_name = ListParams::default().fields("metadata.name=longhorn-manager");
    // An API server without workloads has no daemon sets at all.
    let longhorn = there(daemons.list(&by_name).await)
        .map_err(during("look for a Longhorn"))?
        .and_then(|list| list.items.into_iter().next())
        .map(|daemon| daemon.namespace().unwrap_or_default());
    let definitions: Api<CustomResourceDefinition> = Api::all(client.clone());
    let definition = definitions.get_opt("nodes.longhorn.io").await;
    let has_definition = definition
        .map_err(during("get CRD nodes.longhorn.io"))?
        .is_some();
    let namespaces: Api<Namespace> = Api::all(client.clone());
    let found = namespaces.get_opt(namespace).await;
    let has_namespace = found
        .map_err(during(format!("get namespace {namespace}")))?
        .is_some();
    let mut nodes = 0;
    if has_definition && has_namespace {
        let api: Api<Node> = Api::namespaced(client.clone(), namespace);
        let one = there(api.list_metadata(&ListParams::default().limit(1)).await)
            .map_err(during("list nodes.longhorn.io"))?;
        if let Some(one) = one {
            let rest = one.metadata.remaining_item_count.unwrap_or(0);
            nodes = one.items.len() as u64 + u64::try_from(rest).unwrap_or(0);
        }
    }
    Ok(Target {
        longhorn,
        has_definition,
        has_namespace,
        nodes,
    })
}

/// Creates the definition and the namespace if they are missing, and then all
/// nodes. `done` hears how many nodes are through; once `stop` says so, nothing
/// new is begun.
///
/// # Errors
/// At the first node that cannot be written, after some tries.
pub async fn apply(
    client: &Client,
    population: &Population,
    options: &Options,
    stop: &(dyn Fn() -> bool + Sync),
    done: &mut (dyn FnMut(u64) + Send),
) -> Result<Applied, ApplyError> {
    let target = inspect(client, &options.namespace).await?;
    if let Some(namespace) = target.longhorn.filter(|_| !options.beside_longhorn) {
        return Err(ApplyError::Longhorn(namespace));
    }
    if !target.has_definition {
        define(client).await?;
    }
    if !target.has_namespace {
        create_namespace(client, &options.namespace).await?;
    }
    let api: Api<Node> = Api::namespaced(client.clone(), &options.namespace);
    let mut source = population.clone();
    let nodes = (0..population.spec().nodes)
        .take_while(|_| !stop())
        .map(move |node| source.node(node));
    let mut requests = futures::stream::iter(nodes)
        .map(|node| write(&api, &options.namespace, node))
        .buffer_unordered(options.parallel.max(1));
    let mut applied = Applied::default();
    while let Some(created) = requests.try_next().await? {
        if created {
            applied.created += 1;
        } else {
            applied.updated += 1;
        }
        done(applied.created + applied.updated);
    }
    applied.stopped = applied.created + applied.updated < population.spec().nodes;
    Ok(applied)
}

async fn define(client: &Client) -> Result<(), ApplyError> {
    let definitions: Api<CustomResourceDefinition> = Api::all(client.clone());
    let definition = fixname_longhorn::crds::crd(Kind::Node, &fixname_longhorn::crds::newest());
    definitions
        .create(&PostParams::default(), &definition)
        .await
        .map_err(during("create CRD nodes.longhorn.io"))?;
    let began = tokio::time::Instant::now();
    let api: Api<Node> = Api::all(client.clone());
    while began.elapsed() < SERVED_WITHIN {
        let answer = there(api.list_metadata(&ListParams::default().limit(1)).await);
        if answer.map_err(during("list nodes.longhorn.io"))?.is_some() {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    Err(ApplyError::NotServed)
}

async fn create_namespace(client: &Client, name: &str) -> Result<(), ApplyError> {
    let namespaces: Api<Namespace> = Api::all(client.clone());
    let mut namespace = Namespace::default();
    namespace.metadata.name = Some(name.to_owned());
    namespaces
        .create(&PostParams::default(), &namespace)
        .await
        .map_err(during(format!("create namespace {name}")))?;
    Ok(())
}

/// One node, with its status. True if it was not there before.
async fn write(api: &Api<Node>, namespace: &str, mut node: Node) -> Result<bool, ApplyError> {
    let name = node.name_any();
    // The server gives these out itself, and refuses to be told.
    node.metadata.uid = None;
    node.metadata.resource_version = None;
    node.metadata.creation_timestamp = None;
    node.metadata.generation = None;
    node.metadata.namespace = Some(namespace.to_owned());
    let post = PostParams::default();
    let created = patiently(async || api.create(&post, &node).await).await;
    let (version, is_new) = match created {
        Ok(created) => (created.resource_version(), true),
        // Also where an answer was lost and the second try met the first one's node.
        Err(error) if is_code(&error, 409) => {
            let old = patiently(async || api.get(&name).await).await;
            let old = old.map_err(during(format!("get node {name}")))?;
            if old.labels().get(LABEL.0).map(String::as_str) != Some(LABEL.1) {
                return Err(ApplyError::Foreign(name));
            }
            node.metadata.resource_version = old.resource_version();
            let new = overwrite(api, &mut node, async |n| api.replace(&name, &post, n).await);
            let new = new.await.map_err(during(format!("replace node {name}")))?;
            (new.resource_version(), false)
        }
        Err(error) => return Err(during(format!("create node {name}"))(error)),
    };
    // A status sent with a creation is dropped by the server.
    node.metadata.resource_version = version;
    overwrite(api, &mut node, async |n| {
        api.replace_status(&name, &post, n).await
    })
    .await
    .map_err(during(format!("write the status of node {name}")))?;
    Ok(is_new)
}

/// Writes over what a controller may just have written: what a population says of its
/// own node counts.
async fn overwrite(
    api: &Api<Node>,
    node: &mut Node,
    write: impl AsyncFn(&Node) -> Result<Node, kube::Error>,
) -> Result<Node, kube::Error> {
    for _ in 0..CONFLICTS {
        match patiently(async || write(node).await).await {
            Err(error) if is_code(&error, 409) => {
                let now = patiently(async || api.get(&node.name_any()).await).await?;
                node.metadata.resource_version = now.resource_version();
            }
            answer => return answer,
        }
    }
    write(node).await
}

/// Tries again where the server is only busy, or the connection broke.
async fn patiently<T>(request: impl AsyncFn() -> Result<T, kube::Error>) -> Result<T, kube::Error> {
    for wait in RETRIES {
        match request().await {
            Err(error) if is_passing(&error) => tokio::time::sleep(wait).await,
            answer => return answer,
        }
    }
    request().await
}

fn is_passing(error: &kube::Error) -> bool {
    match error {
        kube::Error::Api(status) => matches!(status.code, 429 | 500 | 503 | 504),
        kube::Error::HyperError(_) | kube::Error::Service(_) => true,
        _ => false,
    }
}
