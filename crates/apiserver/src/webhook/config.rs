//! Configurations as they are stored, and which of their webhooks a request
//! concerns: rules, selectors, `matchPolicy`.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;

use super::operation;
use crate::admission::{AdmissionRequest, Denial, Operation};
use crate::builtin::Kind;
use crate::meta;
use crate::resource::{Resource, text};
use crate::schema::rules::conditions::{self, Condition};
use crate::server::ApiServer;

/// Where a webhook is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Client {
    Url {
        url: String,
        /// Certificates in PEM; none means that nothing is trusted.
        authorities: Vec<u8>,
    },
    /// A service of the cluster, which has no address here.
    Service {
        namespace: String,
        name: String,
        port: i64,
        path: String,
    },
}

/// One webhook of a configuration.
#[derive(Debug, Clone)]
pub(super) struct Hook {
    pub(super) name: String,
    pub(super) client: Client,
    pub(super) timeout: Duration,
    pub(super) ignores_failure: bool,
    pub(super) reinvoked: bool,
    side_effects: String,
    versions: Vec<String>,
    rules: Vec<Value>,
    equivalent: bool,
    object_selector: Value,
    namespace_selector: Value,
    conditions: Vec<Condition>,
}

/// How a webhook is to be called: for which version of the resource.
#[derive(Debug, Clone)]
pub(super) struct Invocation {
    /// The resource as the webhook's rule names it.
    pub(super) resource: Arc<Resource>,
    /// The resource of the request.
    asked: Arc<Resource>,
}

pub(super) fn hooks_of(configuration: &Value) -> Vec<Hook> {
    configuration
        .get("webhooks")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .map(Hook::read)
        .collect()
}

fn texts(value: Option<&Value>) -> impl Iterator<Item = &str> {
    value
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
}

impl Hook {
    /// A stored configuration was checked, so what is missing has its default.
    fn read(value: &Value) -> Self {
        let client = &value["clientConfig"];
        let client = match client.get("service") {
            Some(service) if service.is_object() => Client::Service {
                namespace: text(service, "/namespace").to_owned(),
                name: text(service, "/name").to_owned(),
                port: service["port"].as_i64().unwrap_or(443),
                path: text(service, "/path").to_owned(),
            },
            _ => Client::Url {
                url: text(client, "/url").to_owned(),
                authorities: decode(text(client, "/caBundle")),
            },
        };
        let seconds = value["timeoutSeconds"].as_u64().unwrap_or(10);
        Self {
            name: text(value, "/name").to_owned(),
            client,
            timeout: Duration::from_secs(seconds),
            ignores_failure: text(value, "/failurePolicy") == "Ignore",
            reinvoked: text(value, "/reinvocationPolicy") == "IfNeeded",
            side_effects: text(value, "/sideEffects").to_owned(),
            versions: texts(value.get("admissionReviewVersions"))
                .map(str::to_owned)
                .collect(),
            rules: value["rules"].as_array().cloned().unwrap_or_default(),
            equivalent: text(value, "/matchPolicy") != "Exact",
            object_selector: value["objectSelector"].clone(),
            namespace_selector: value["namespaceSelector"].clone(),
            conditions: Condition::parse_all(&value["matchConditions"]),
        }
    }

    pub(super) fn bears_dry_run(&self) -> bool {
        matches!(self.side_effects.as_str(), "None" | "NoneOnDryRun")
    }

    /// The first version of the message that both sides know.
    pub(super) fn review_version(&self) -> Option<&str> {
        let mut versions = self.versions.iter().map(String::as_str);
        versions.find(|v| matches!(*v, "v1" | "v1beta1"))
    }

    /// How this webhook is called for the request; `None` if it is not.
    pub(super) fn invocation(
        &self,
        server: &ApiServer,
        request: &AdmissionRequest,
    ) -> Result<Option<Invocation>, Denial> {
        let namespace_labels = match self.namespace_selects(server, request) {
            Ok(false) => return Ok(None),
            other => other,
        };
        if !self.object_selects(request) {
            return Ok(None);
        }
        let registry = server.state().registry.clone();
        let asked = registry.get(&request.group, &request.version, &request.resource);
        let Some(asked) = asked else {
            return Ok(None);
        };
        let matches = |resource: &Resource| {
            self.rules
                .iter()
                .any(|rule| rule_matches(rule, resource, request))
        };
        let found = if matches(&asked) {
            Some(asked.clone())
        } else if self.equivalent {
            registry
                .equivalents(&asked)
                .into_iter()
                .find(|other| matches(other))
        } else {
            None
        };
        let Some(resource) = found else {
            return Ok(None);
        };
        namespace_labels?;
        let invocation = Invocation { resource, asked };
        Ok(self
            .conditions_hold(request, &invocation)?
            .then_some(invocation))
    }

    /// Whether the match conditions let the webhook be called; one that cannot
    /// be evaluated counts as a failure of the webhook.
    fn conditions_hold(
        &self,
        request: &AdmissionRequest,
        invocation: &Invocation,
    ) -> Result<bool, Denial> {
        if self.conditions.is_empty() {
            return Ok(true);
        }
        let message = super::review::request("", "v1", request, invocation);
        match conditions::all_hold(&self.conditions, &message["request"]) {
            Ok(hold) => Ok(hold),
            Err(_) if self.ignores_failure => Ok(false),
            Err(why) => {
                let (group, resource) = (&request.group, &request.resource);
                Err(Denial::forbidden(group, resource, &request.name, &why))
            }
        }
    }

    fn object_selects(&self, request: &AdmissionRequest) -> bool {
        is_empty(&self.object_selector)
            || [&request.object, &request.old_object]
                .into_iter()
                .flatten()
                .any(|object| selects(&self.object_selector, meta::labels(object).as_ref()))
    }

    /// An error when the namespace cannot be looked up.
    fn namespace_selects(
        &self,
        server: &ApiServer,
        request: &AdmissionRequest,
    ) -> Result<bool, Denial> {
        let is_namespace = request.group.is_empty() && request.resource == "namespaces";
        let namespace = request.admission_namespace();
        if (namespace.is_empty() && !is_namespace) || is_empty(&self.namespace_selector) {
            return Ok(true);
        }
        if is_namespace
            && request.subresource.is_empty()
            && matches!(request.operation, Operation::Create | Operation::Update)
            && let Some(object) = &request.object
        {
            return Ok(selects(
                &self.namespace_selector,
                meta::labels(object).as_ref(),
            ));
        }
        let table = crate::resource::TableKey {
            group: String::new(),
            plural: "namespaces".to_owned(),
        };
        let found = server.state().get(&table, namespace);
        match found {
            Some(found) => Ok(selects(&self.namespace_selector, found.labels.as_ref())),
            None => Err(Denial::plain(
                404,
                "NotFound",
                format!("namespaces {} not found", crate::quote::quote(namespace)),
            )),
        }
    }
}

fn decode(base64: &str) -> Vec<u8> {
    use base64::Engine;
    // It was checked when the configuration was stored.
    base64::engine::general_purpose::STANDARD
        .decode(base64)
        .unwrap_or_default()
}

/// `predicates/rules/rules.go`
fn rule_matches(rule: &Value, resource: &Resource, request: &AdmissionRequest) -> bool {
    let any =
        |key: &str, wanted: &str| texts(rule.get(key)).any(|given| given == "*" || given == wanted);
    // A namespace counts as an object of the cluster.
    let cluster = request.admission_namespace().is_empty() || resource.behaviour == Kind::Namespace;
    let in_scope = match text(rule, "/scope") {
        "Namespaced" => !cluster,
        "Cluster" => cluster,
        _ => true,
    };
    in_scope
        && any("operations", operation(request.operation))
        && any("apiGroups", &resource.group)
        && any("apiVersions", &resource.version)
        && texts(rule.get("resources")).any(|given| {
            let (main, sub) = given.split_once('/').unwrap_or((given, ""));
            (main == "*" || main == resource.plural) && (sub == "*" || sub == request.subresource)
        })
}

fn is_empty(selector: &Value) -> bool {
    let none = |key: &str| match selector.get(key) {
        Some(Value::Object(map)) => map.is_empty(),
        Some(Value::Array(list)) => list.is_empty(),
        _ => true,
    };
    none("matchLabels") && none("matchExpressions")
}

/// Whether a `metav1.LabelSelector` holds for labels.
fn selects(selector: &Value, labels: Option<&BTreeMap<String, String>>) -> bool {
    let label = |key: &str| labels?.get(key).map(String::as_str);
    let by_label = selector
        .get("matchLabels")
        .and_then(Value::as_object)
        .into_iter()
        .flatten()
        .all(|(key, value)| label(key) == value.as_str());
    let by_expression = selector
        .get("matchExpressions")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .all(|expression| {
            let found = label(text(expression, "/key"));
            let within = || texts(expression.get("values")).any(|v| Some(v) == found);
            match text(expression, "/operator") {
                "In" => found.is_some() && within(),
                "NotIn" => found.is_none() || !within(),
                "Exists" => found.is_some(),
                "DoesNotExist" => found.is_none(),
                _ => false,
            }
        });
    by_label && by_expression
}

impl Invocation {
    /// The resource that the request names.
    pub(super) fn asked(&self) -> &Resource {
        &self.asked
    }

    /// An object of the request, in the version that the webhook asks for. A custom
    /// resource may say that it is of another kind, which is refused only later.
    pub(super) fn convert(&self, object: &Value) -> Value {
        let mut object = object.clone();
        between(&self.asked, &self.resource, &mut object);
        if self.resource.is_custom() {
            object["kind"] = Value::from(self.resource.kind.as_str());
            object["apiVersion"] = Value::from(self.resource.api_version());
        }
        object
    }

    /// The other way round.
    pub(super) fn convert_back(&self, object: &mut Value) {
        between(&self.resource, &self.asked, object);
    }
}

fn between(from: &Resource, to: &Resource, object: &mut Value) {
    if (&from.group, &from.version) == (&to.group, &to.version) {
        return;
    }
    crate::convert::to_storage(from, object);
    if to.behaviour == Kind::EventV1 {
        crate::core_rules::event_from_core(object);
    } else {
        object["apiVersion"] = Value::String(to.api_version());
    }
}
