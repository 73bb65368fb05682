//! Webhooks: the configurations that are stored are called as the real
//! server's two admission plugins do
//! (`apiserver/pkg/admission/plugin/webhook`, v1.34).
//!
//! [`Webhooks`] is one more hook behind those in process ([`crate::admission`]).
//! `config` reads configurations and decides who is called, `review` writes and
//! reads the messages, `call` sends them to those that `trust` lets through, `rules` is about the two kinds.

mod call;
mod config;
mod review;
pub(crate) mod rules;
mod trust;

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use crate::admission::{Admission, AdmissionRequest, Denial, Operation, Verdict};
use crate::request::Target;
use crate::resource::TableKey;
use crate::server::ApiServer;
use config::{Hook, Invocation};

/// The group of the two kinds of configurations.
const GROUP: &str = "admissionregistration.k8s.io";
const MUTATING: &str = "mutatingwebhookconfigurations";
const VALIDATING: &str = "validatingwebhookconfigurations";

/// The hook that calls what the stored configurations name.
pub(crate) struct Webhooks {
    server: ApiServer,
}

impl Webhooks {
    /// `None` while there is no configuration, which is the usual case.
    pub(crate) fn of(server: &ApiServer) -> Option<Self> {
        let state = server.state();
        let any = [MUTATING, VALIDATING].into_iter().any(|plural| {
            state
                .store
                .peek(&table(plural))
                .is_some_and(|t| !t.is_empty())
        });
        drop(state);
        any.then(|| Self {
            server: server.clone(),
        })
    }

    /// The hooks of one kind: configurations by name, each in its own order.
    fn hooks(&self, plural: &str) -> Vec<Hook> {
        let state = self.server.state();
        let Some(table) = state.store.peek(&table(plural)) else {
            return Vec::new();
        };
        let configurations: Vec<Value> = table.range("", None).map(|c| c.parse()).collect();
        drop(state);
        configurations.iter().flat_map(config::hooks_of).collect()
    }

    /// Calls one webhook.
    async fn call(
        &self,
        hook: &Hook,
        invocation: &Invocation,
        request: &AdmissionRequest,
        mutating: bool,
    ) -> Result<review::Answer, Trouble> {
        if request.dry_run && !hook.bears_dry_run() {
            return Err(Trouble::Refused(Denial::plain(
                400,
                "BadRequest",
                format!(
                    "admission webhook {} does not support dry run",
                    crate::quote::quote(&hook.name)
                ),
            )));
        }
        let fail = |why: String| Trouble::Call(why);
        let Some(version) = hook.review_version() else {
            return Err(fail(
                "could not create admission objects: webhook does not accept known AdmissionReview versions (v1, v1beta1)"
                    .to_owned(),
            ));
        };
        let uid = self.server.state().new_uid();
        let body = review::request(&uid, version, request, invocation);
        let answered = call::post(&hook.client, hook.timeout, body.to_string().into_bytes())
            .await
            .map_err(|why| fail(format!("failed to call webhook: {why}")))?;
        let answer = review::Answer::read(&answered, &uid, version, mutating)
            .map_err(|why| fail(why.into_text()))?;
        for warning in &answer.warnings {
            request.warn(warning.clone());
        }
        if answer.allowed {
            Ok(answer)
        } else {
            Err(Trouble::Refused(Denial::of_webhook(
                &hook.name,
                answer.status,
            )))
        }
    }

    /// Calls one mutating webhook; answers whether the object changed.
    async fn mutate_with(
        &self,
        hook: &Hook,
        invocation: &Invocation,
        request: &mut AdmissionRequest,
    ) -> Result<bool, Trouble> {
        let answer = self.call(hook, invocation, request, true).await?;
        let Some(patch) = answer.patch else {
            return Ok(false);
        };
        let patch: Vec<Map<String, Value>> = serde_json::from_slice(&patch).map_err(|e| {
            Trouble::Call(format!(
                "received undecodable patch in webhook response: {e}"
            ))
        })?;
        let patch: Vec<Value> = patch.into_iter().map(Value::Object).collect();
        if patch.is_empty() {
            return Ok(false);
        }
        let Some(before) = &request.object else {
            return Err(Trouble::Broken(format!(
                "admission webhook {} attempted to modify the object, which is not supported for this operation",
                crate::quote::quote(&hook.name)
            )));
        };
        let mut object = invocation.convert(before);
        // As the real server's library does it: a `replace` of a member that is
        // not there adds it, which Longhorn's mutating webhook relies on.
        if !crate::json_patch::apply(&mut object, &patch, &mut BTreeSet::new()) {
            return Err(Trouble::Broken(
                "the patch in the webhook response does not apply".to_owned(),
            ));
        }
        invocation.convert_back(&mut object);
        self.shape(request, &mut object).map_err(Trouble::Broken)?;
        let changed = request.object.as_ref() != Some(&object);
        request.replace_object(object);
        Ok(changed)
    }

    /// Prunes and defaults what a webhook made.
    fn shape(&self, request: &AdmissionRequest, object: &mut Value) -> Result<(), String> {
        let resource =
            self.server
                .state()
                .registry
                .get(&request.group, &request.version, &request.resource);
        let Some(resource) = resource else {
            // The definition went meanwhile; the write will say so.
            return Ok(());
        };
        let target = Target {
            resource,
            namespace: request.namespace.clone(),
            subresource: request.subresource.clone(),
        };
        crate::write::shape(&target, object).map(|_| ())
    }

    async fn mutating(&self, request: &mut AdmissionRequest) -> Result<(), Denial> {
        let hooks = self.hooks(MUTATING);
        // Those that want to see the object again if a later one changes it.
        let mut called: BTreeSet<usize> = BTreeSet::new();
        let mut again: BTreeSet<usize> = BTreeSet::new();
        for round in 0..2 {
            for (i, hook) in hooks.iter().enumerate() {
                if round == 1 && !again.contains(&i) {
                    continue;
                }
                let Some(invocation) = hook.invocation(&self.server, request)? else {
                    continue;
                };
                request.check_convertible()?;
                let result = self.mutate_with(hook, &invocation, request).await;
                if matches!(result, Ok(true)) {
                    again.append(&mut called);
                }
                if hook.reinvoked {
                    called.insert(i);
                }
                if let Err(trouble) = result {
                    trouble.decide(hook)?;
                }
            }
        }
        Ok(())
    }

    async fn validating(&self, request: &AdmissionRequest) -> Result<(), Denial> {
        let hooks = self.hooks(VALIDATING);
        let mut calls = Vec::new();
        for hook in &hooks {
            if let Some(invocation) = hook.invocation(&self.server, request)? {
                calls.push(async move {
                    let result = self.call(hook, &invocation, request, false).await;
                    result.map(|_| ()).or_else(|trouble| trouble.decide(hook))
                });
            }
        }
        // All at once, as there; the first in order decides, so that one seed
        // gives one answer.
        futures::future::join_all(calls).await.into_iter().collect()
    }
}

impl Admission for Webhooks {
    fn mutate<'a>(&'a self, request: &'a mut AdmissionRequest) -> Verdict<'a> {
        Box::pin(async move {
            if is_exempt(request) {
                return Ok(());
            }
            self.mutating(request).await
        })
    }

    fn validate<'a>(&'a self, request: &'a AdmissionRequest) -> Verdict<'a> {
        Box::pin(async move {
            if is_exempt(request) {
                return Ok(());
            }
            self.validating(request).await
        })
    }
}

/// Configurations themselves are never shown to webhooks, so that a broken one
/// can be removed.
fn is_exempt(request: &AdmissionRequest) -> bool {
    request.group == GROUP && matches!(request.resource.as_str(), MUTATING | VALIDATING)
}

fn table(plural: &str) -> TableKey {
    TableKey {
        group: GROUP.to_owned(),
        plural: plural.to_owned(),
    }
}

/// Why a webhook did not let a request pass.
enum Trouble {
    /// It could not be called, or its answer not be read: `failurePolicy` decides.
    Call(String),
    /// It said no.
    Refused(Denial),
    /// What it wants cannot be done.
    Broken(String),
}

impl Trouble {
    fn decide(self, hook: &Hook) -> Result<(), Denial> {
        match self {
            Self::Call(_) if hook.ignores_failure => Ok(()),
            Self::Call(why) => Err(Denial::internal(&format!(
                "failed calling webhook {}: {why}",
                crate::quote::quote(&hook.name)
            ))),
            Self::Refused(denial) => Err(denial),
            Self::Broken(why) => Err(Denial::internal(&why)),
        }
    }
}

/// An operation as rules name it.
fn operation(operation: Operation) -> &'static str {
    match operation {
        Operation::Create => "CREATE",
        Operation::Update => "UPDATE",
        Operation::Delete => "DELETE",
    }
}
