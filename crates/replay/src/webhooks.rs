//! Longhorn's webhooks as a hook of the embedded API server: requests of one user
//! are judged by the pure rules, which see what the server has stored.

use std::sync::{Arc, Mutex, PoisonError, RwLock};

use fixname_apiserver::{
    Admission, AdmissionRequest, ApiServer, Cause, Denial, Operation, Verdict, WeakApiServer,
};
use fixname_controllers::webhooks::{
    self, Cluster, MUTATOR, Patch, Refusal, Request, VALIDATOR, Webhooks,
};
use fixname_longhorn::objects::GROUP;
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
    server: WeakApiServer,
    rng: Mutex<ChaCha8Rng>,
    last_patch: LastPatch,
}

impl Hook {
    pub(crate) fn new(webhooks: Webhooks, judged: Judged, server: &ApiServer, seed: u64) -> Self {
        Self {
            webhooks: InForce(Arc::new(RwLock::new(webhooks))),
            judged,
            server: server.downgrade(),
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

    /// What the rules see from a namespace. A kind that the server does not serve has
    /// no objects.
    fn cluster(&self, webhooks: &Webhooks, namespace: &str) -> Cluster {
        let (server, namespace) = (self.server.clone(), namespace.to_owned());
        let mut cluster = Cluster::read_by(move |source| {
            let (group, version, plural, is_namespaced) = source.api();
            let namespace = is_namespaced.then_some(namespace.as_str());
            let Some(server) = server.upgrade() else {
                return Vec::new();
            };
            let stored = server.objects((group, version, plural), namespace);
            let objects = stored.iter();
            objects
                .filter_map(|object| serde_json::from_slice(&object.json).ok())
                .collect()
        });
        cluster.machine_cpus = webhooks.machine_cpus;
        cluster
    }

    /// The random numbers of one request.
    fn draw(&self) -> ChaCha8Rng {
        let mut rng = self.rng.lock().unwrap_or_else(PoisonError::into_inner);
        ChaCha8Rng::from_rng(&mut *rng)
    }

    fn mutated(&self, request: &mut AdmissionRequest) -> Result<(), Denial> {
        request.check_convertible()?;
        let asked = asked(request);
        let webhooks = self.webhooks.get();
        let cluster = self.cluster(&webhooks, &request.namespace);
        let patch = webhooks
            .mutate(&asked, &cluster, &mut self.draw())
            .map_err(|refusal| denial(MUTATOR, refusal))?;
        if patch.is_empty() {
            return Ok(());
        }
        let mut object = request.object.take().unwrap_or_default();
        let applied = webhooks::apply(&mut object, &patch);
        request.replace_object(object);
        if webhooks::is_decodable(&patch) {
            *self
                .last_patch
                .lock()
                .unwrap_or_else(PoisonError::into_inner) = Some(patch);
        }
        applied.map_err(internal)
    }

    fn validated(&self, request: &AdmissionRequest) -> Result<(), Denial> {
        let asked = asked(request);
        let webhooks = self.webhooks.get();
        let cluster = self.cluster(&webhooks, &request.namespace);
        webhooks
            .validate(&asked, &cluster, &mut self.draw())
            .map_err(|refusal| denial(VALIDATOR, refusal))
    }
}

impl Admission for Hook {
    fn mutate<'a>(&'a self, request: &'a mut AdmissionRequest) -> Verdict<'a> {
        Box::pin(async move {
            if self.judges(request) {
                self.mutated(request)?;
            }
            Ok(())
        })
    }

    fn validate<'a>(&'a self, request: &'a AdmissionRequest) -> Verdict<'a> {
        Box::pin(async move {
            if self.judges(request) {
                self.validated(request)?;
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
