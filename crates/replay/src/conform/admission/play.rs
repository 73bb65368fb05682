//! Sends one row's request to an API server on which the row's objects exist and
//! the model of Longhorn's webhooks judges one user.

use std::collections::BTreeSet;
use std::sync::PoisonError;

use fixname_controllers::webhooks::Webhooks;
use fixname_longhorn::crds::{crd, loose_crd};
use fixname_longhorn::{Kind, NAMESPACE};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::Client;
use kube::api::{Api, PostParams};
use kube::client::Body;
use serde_json::{Map, Value, json};

use super::format::{After, Answer, Known, OWN, Object, Operation, PatchStep, Row};
use crate::backend::{BackendError, Definitions, create_namespace, embedded};
use crate::webhooks::{CONTROLLER, Hook, Judged};

/// What the server answered, and the object afterwards.
pub(super) struct Played {
    pub(super) answer: Answer,
    pub(super) after: After,
}

/// Plays a row on the embedded API server.
pub(super) fn embedded(
    row: &Row,
    webhooks: &Webhooks,
    seed: u64,
    definitions: Option<&Definitions>,
) -> Result<Played, BackendError> {
    embedded::virtual_time()?.block_on(async {
        // No garbage collector ran where the rows were recorded.
        let server = embedded::builder(seed).collector(false).build();
        let client = server.client(NAMESPACE);
        let hook = Hook::new(webhooks.clone(), Judged::User(CONTROLLER), &server, seed);
        let last_patch = hook.last_patch();
        server.add_admission(hook);
        load_crds(row, &client, definitions).await?;
        create_namespace(&client, NAMESPACE).await?;
        let player = Player {
            row,
            admin: client,
            user: server.client_as(CONTROLLER, NAMESPACE),
            namespace: NAMESPACE,
        };
        player.set_up().await?;
        let (code, body) = player.send().await?;
        let patch = last_patch
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        let patch = patch.unwrap_or_default().into_iter().map(|step| PatchStep {
            op: step.op.to_owned(),
            path: step.path,
            value: step.value,
        });
        Ok(Played {
            answer: super::answer(code, &body, patch.collect()),
            after: player.after(&body).await?,
        })
    })
}

/// The definitions of the kinds that the row names, those given or ours, which are as
/// strict as the official ones;
/// the recordings were made with those of v1.9.1 for v1.8.1 and v1.9.1, and those of
/// v1.12.1 for later versions.
async fn load_crds(
    row: &Row,
    client: &Client,
    given: Option<&Definitions>,
) -> Result<(), BackendError> {
    let api: Api<CustomResourceDefinition> = Api::all(client.clone());
    let others = row.cluster.iter().map(|other| other.resource.plural);
    let named: BTreeSet<&str> = others.chain([row.resource.resource]).collect();
    for known in OWN.iter().filter(|known| named.contains(known.plural)) {
        let typed = Kind::ALL.iter().find(|kind| kind.plural() == known.plural);
        let mut given = given.into_iter().flat_map(|given| given.iter());
        let given = given.find(|crd| crd.spec.names.plural == known.plural);
        let crd = match (given, typed) {
            (Some(given), _) => given.clone(),
            (None, Some(kind)) => crd(*kind, &row.version),
            (None, None) => loose_crd(known.kind, known.plural),
        };
        api.create(&PostParams::default(), &crd)
            .await
            .map_err(|error| BackendError::new(format!("load Longhorn's CRDs: {error}")))?;
    }
    Ok(())
}

struct Player<'a> {
    row: &'a Row,
    admin: Client,
    user: Client,
    namespace: &'a str,
}

/// An HTTP request that asks for something.
struct Ask<'a> {
    method: &'a str,
    url: String,
    content_type: &'a str,
    body: Value,
}

impl Player<'_> {
    fn target(&self) -> &'static Known {
        let plural = self.row.resource.resource;
        let known = OWN.iter().find(|known| known.plural == plural);
        known.expect("every kind that is modelled is one of Longhorn's")
    }

    fn url(&self, known: &Known, namespace: &str) -> String {
        let root = match known.group {
            "" => format!("/api/{}", known.version),
            group => format!("/apis/{group}/{}", known.version),
        };
        match known.is_namespaced {
            true => format!("{root}/namespaces/{namespace}/{}", known.plural),
            false => format!("{root}/{}", known.plural),
        }
    }

    async fn ask(&self, client: &Client, ask: Ask<'_>) -> Result<(u16, Value), BackendError> {
        let body = match &ask.body {
            Value::Null => Vec::new(),
            body => body.to_string().into_bytes(),
        };
        let request = http::Request::builder()
            .method(ask.method)
            .uri(ask.url)
            .header("content-type", ask.content_type)
            .body(Body::from(body))
            .map_err(BackendError::new)?;
        let response = client.send(request).await.map_err(BackendError::new)?;
        let code = response.status().as_u16();
        let bytes = response
            .into_body()
            .collect_bytes()
            .await
            .map_err(BackendError::new)?;
        Ok((code, serde_json::from_slice(&bytes).unwrap_or_default()))
    }

    /// Makes what exists before the request.
    async fn set_up(&self) -> Result<(), BackendError> {
        for other in &self.row.cluster {
            self.make(other.resource, &other.object).await?;
        }
        if let Some(old) = &self.row.old {
            self.make(self.target(), old).await?;
        }
        Ok(())
    }

    async fn make(&self, known: &Known, object: &Object) -> Result<(), BackendError> {
        let body = typed(known, &object.value);
        let own = body["metadata"]["namespace"].as_str();
        let namespace = own.unwrap_or(self.namespace).to_owned();
        if namespace != self.namespace {
            let api: Api<k8s_openapi::api::core::v1::Namespace> = Api::all(self.admin.clone());
            if api
                .get_opt(&namespace)
                .await
                .map_err(BackendError::new)?
                .is_none()
            {
                create_namespace(&self.admin, &namespace).await?;
            }
        }
        let url = self.url(known, &namespace);
        let status = body.get("status").cloned();
        let made = self.admin_ask("POST", url.clone(), body.clone()).await?;
        let url = format!("{url}/{}", object.name());
        if let Some(status) = status {
            let patch = json!({"status": status});
            self.admin_ask("PATCH", format!("{url}/status"), patch)
                .await?;
        }
        if object.deleting {
            let finalizers = made["metadata"]["finalizers"].as_array();
            if finalizers.is_none_or(Vec::is_empty) {
                return Err(BackendError::new(format!(
                    "make the recorded cluster: {} is being deleted without a finalizer",
                    object.name()
                )));
            }
            self.admin_ask("DELETE", url, Value::Null).await?;
        }
        Ok(())
    }

    async fn admin_ask(
        &self,
        method: &str,
        url: String,
        body: Value,
    ) -> Result<Value, BackendError> {
        let content_type = match method {
            "PATCH" => "application/merge-patch+json",
            _ => "application/json",
        };
        let ask = Ask {
            method,
            url,
            content_type,
            body,
        };
        let (code, body) = self.ask(&self.admin, ask).await?;
        if (200..300).contains(&code) {
            return Ok(body);
        }
        let message = body["message"].as_str().unwrap_or_default();
        Err(BackendError::new(format!(
            "make the recorded cluster: {code} {message}"
        )))
    }

    /// Sends the row's request.
    async fn send(&self) -> Result<(u16, Value), BackendError> {
        let target = self.target();
        let url = self.url(target, self.namespace);
        let place = || {
            let name = self.row.old.as_ref().map(Object::name).unwrap_or_default();
            match self.row.resource.is_status {
                true => format!("{url}/{name}/status"),
                false => format!("{url}/{name}"),
            }
        };
        let ask = match self.row.operation {
            Operation::Create => Ask {
                method: "POST",
                content_type: "application/json",
                body: self
                    .row
                    .new
                    .as_ref()
                    .map(|new| typed(target, &new.value))
                    .unwrap_or_default(),
                url,
            },
            Operation::Update => Ask {
                method: "PATCH",
                url: place(),
                content_type: "application/merge-patch+json",
                body: json!(self.row.patch_sent),
            },
            Operation::Delete => Ask {
                method: "DELETE",
                url: place(),
                content_type: "application/json",
                body: Value::Null,
            },
        };
        self.ask(&self.user, ask).await
    }

    /// The object after the request, with its metadata cut down as recorded.
    async fn after(&self, answered: &Value) -> Result<After, BackendError> {
        let old = self.row.old.as_ref().map(Object::name);
        let name = old.or_else(|| answered["metadata"]["name"].as_str());
        let url = self.url(self.target(), self.namespace);
        let ask = Ask {
            method: "GET",
            url: format!("{url}/{}", name.unwrap_or_default()),
            content_type: "application/json",
            body: Value::Null,
        };
        let (code, body) = self.ask(&self.admin, ask).await?;
        Ok(match (code, body) {
            (200, Value::Object(object)) => After::There(cut_down(object)),
            _ => After::Gone,
        })
    }
}

fn typed(known: &Known, object: &Map<String, Value>) -> Value {
    let mut object = Value::Object(object.clone());
    object["apiVersion"] = match known.group {
        "" => json!(known.version),
        group => json!(format!("{group}/{}", known.version)),
    };
    object["kind"] = json!(known.kind);
    object
}

fn cut_down(mut object: Map<String, Value>) -> Object {
    for field in ["apiVersion", "kind"] {
        object.remove(field);
    }
    let mut deleting = false;
    if let Some(Value::Object(metadata)) = object.get_mut("metadata") {
        deleting = metadata.contains_key("deletionTimestamp");
        let kept = [
            "name",
            "labels",
            "annotations",
            "finalizers",
            "ownerReferences",
        ];
        metadata.retain(|field, _| kept.contains(&field.as_str()));
    }
    Object {
        value: object,
        deleting,
    }
}
