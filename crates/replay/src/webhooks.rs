//! Longhorn's webhooks as a hook of the embedded API server: requests of one user
//! are judged by the pure rules, which see the cluster through a client.

use std::sync::{Arc, Mutex, PoisonError, RwLock};

use fixname_apiserver::{Admission, AdmissionRequest, Cause, Denial, Operation, Verdict};
use fixname_controllers::webhooks::{
    self, Cluster, MUTATOR, Patch, Refusal, Request, VALIDATOR, Webhooks,
};
use fixname_longhorn::objects::GROUP;
use kube::Client;
use kube::api::{ApiResource, DynamicObject, ListParams};
use kube::core::GroupVersionKind;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use serde_json::Value;

/// Who Longhorn's managers are to the API server.
pub(crate) const CONTROLLER: &str = "system:serviceaccount:longhorn-system:longhorn";

/// The last patch that the mutating webhook answered with.
pub(crate) type LastPatch = Arc<Mutex<Option<Vec<Patch>>>>;

/// Whose requests are judged.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Judged {
    /// Everybody's, as in a real cluster.
    Everybody,
    /// One user's: what the recorder itself wrote was not judged.
    User(&'static str),
}

/// The rules in force; they change when a cluster is upgraded.
#[derive(Clone, Debug)]
pub(crate) struct InForce(Arc<RwLock<Webhooks>>);

impl InForce {
    fn get(&self) -> Webhooks {
        self.0
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Puts another release's rules in force.
    pub(crate) fn set(&self, webhooks: Webhooks) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = webhooks;
    }
}

/// The hook.
pub(crate) struct Hook {
    webhooks: InForce,
    judged: Judged,
    /// Reads the cluster as the administrator; reads are not judged.
    client: Client,
    rng: Mutex<ChaCha8Rng>,
    last_patch: LastPatch,
}

impl Hook {
    pub(crate) fn new(webhooks: Webhooks, judged: Judged, client: Client, seed: u64) -> Self {
        Self {
            webhooks: InForce(Arc::new(RwLock::new(webhooks))),
            judged,
            client,
            rng: Mutex::new(ChaCha8Rng::seed_from_u64(seed)),
            last_patch: LastPatch::default(),
        }
    }

    /// Where the rules can be exchanged.
    pub(crate) fn in_force(&self) -> InForce {
        self.webhooks.clone()
    }

    fn judges(&self, request: &AdmissionRequest) -> bool {
        let is_judged = match self.judged {
            Judged::Everybody => true,
            Judged::User(user) => request.user.name == user,
        };
        request.group == GROUP && is_judged
    }

    /// Where the last patch can be read.
    pub(crate) fn last_patch(&self) -> LastPatch {
        Arc::clone(&self.last_patch)
    }

    /// The random numbers of one request. A lock is not held over a wait.
    fn draw(&self) -> ChaCha8Rng {
        let mut rng = self.rng.lock().unwrap_or_else(PoisonError::into_inner);
        ChaCha8Rng::from_rng(&mut *rng)
    }

    async fn mutated(&self, request: &mut AdmissionRequest) -> Result<(), Denial> {
        let asked = asked(request);
        let webhooks = self.webhooks.get();
        let cluster = see(&self.client, &request.namespace, &webhooks, &asked).await?;
        let patch = webhooks
            .mutate(&asked, &cluster, &mut self.draw())
            .map_err(|refusal| denial(MUTATOR, refusal))?;
        if patch.is_empty() {
            return Ok(());
        }
        let mut object = request.object.take().unwrap_or_default();
        let applied = webhooks::apply(&mut object, &patch);
        request.object = Some(object);
        if webhooks::is_decodable(&patch) {
            *self
                .last_patch
                .lock()
                .unwrap_or_else(PoisonError::into_inner) = Some(patch);
        }
        applied.map_err(internal)
    }

    async fn validated(&self, request: &AdmissionRequest) -> Result<(), Denial> {
        let asked = asked(request);
        let webhooks = self.webhooks.get();
        let cluster = see(&self.client, &request.namespace, &webhooks, &asked).await?;
        webhooks
            .validate(&asked, &cluster, &mut self.draw())
            .map_err(|refusal| denial(VALIDATOR, refusal))
    }
}

impl Admission for Hook {
    fn mutate<'a>(&'a self, request: &'a mut AdmissionRequest) -> Verdict<'a> {
        Box::pin(async move {
            if self.judges(request) {
                self.mutated(request).await?;
            }
            Ok(())
        })
    }

    fn validate<'a>(&'a self, request: &'a AdmissionRequest) -> Verdict<'a> {
        Box::pin(async move {
            if self.judges(request) {
                self.validated(request).await?;
            }
            Ok(())
        })
    }
}

/// The request as the rules see it.
fn asked(request: &AdmissionRequest) -> Request<'_> {
    /// Stands for an object that there is not.
    static NONE: Value = Value::Null;
    Request {
        operation: match request.operation {
            Operation::Create => webhooks::Operation::Create,
            Operation::Update => webhooks::Operation::Update,
            Operation::Delete => webhooks::Operation::Delete,
        },
        resource: &request.resource,
        subresource: &request.subresource,
        old: request.old_object.as_ref().unwrap_or(&NONE),
        new: request.object.as_ref().unwrap_or(&NONE),
    }
}

/// What the cluster shows of the kinds that are asked for. A kind that the server
/// does not know has no objects.
async fn see(
    client: &Client,
    namespace: &str,
    webhooks: &Webhooks,
    asked: &Request<'_>,
) -> Result<Cluster, Denial> {
    let mut cluster = Cluster::default();
    cluster.machine_cpus = webhooks.machine_cpus;
    for source in webhooks.needs(asked) {
        let (group, version, plural, kind, is_namespaced) = source.api();
        let kind = GroupVersionKind::gvk(group, version, kind);
        let resource = ApiResource::from_gvk_with_plural(&kind, plural);
        let api: kube::Api<DynamicObject> = match is_namespaced {
            true => kube::Api::namespaced_with(client.clone(), namespace, &resource),
            false => kube::Api::all_with(client.clone(), &resource),
        };
        match api.list(&ListParams::default()).await {
            Ok(found) => {
                let objects = found.items.into_iter();
                let values = objects.filter_map(|object| serde_json::to_value(object).ok());
                cluster.add(*source, values);
            }
            Err(kube::Error::Api(status)) if status.code == 404 => {}
            Err(error) => return Err(internal(format!("list {plural}: {error}"))),
        }
    }
    Ok(cluster)
}

fn denial(webhook: &str, refusal: Refusal) -> Denial {
    let denial = Denial::webhook(webhook, refusal.code, refusal.reason, &refusal.message);
    match refusal.field {
        Some(field) => denial.with_cause(Cause {
            reason: "FieldValueInvalid",
            message: refusal.message,
            field,
        }),
        None => denial,
    }
}

/// `NewInternalError` of the API server, which names the error as a cause as well.
fn internal(why: impl std::fmt::Display) -> Denial {
    let why = why.to_string();
    let message = format!("Internal error occurred: {why}");
    Denial::plain(500, "InternalError", message).with_cause(Cause {
        reason: "",
        message: why,
        field: String::new(),
    })
}
