//! The `binding` subresource of pods, by which a scheduler gives a pod its node
//! (`pkg/registry/core/pod/storage/storage.go`).

use bytes::Bytes;
use serde_json::{Value, json};

use crate::meta;
use crate::quote::quote;
use crate::resource::text;
use crate::status::{Failure, FieldError};

/// What a pod is bound to.
pub(crate) struct Binding {
    node: String,
    annotations: Option<Value>,
    /// Guards against a pod that was replaced meanwhile.
    uid: String,
    version: String,
}

impl Binding {
    pub(crate) fn decode(body: &Bytes, name: &str) -> Result<Self, Failure> {
        let (binding, _) = crate::json::parse(body).map_err(|e| {
            Failure::bad_request(format!(
                "the object provided is unrecognized (must be of type Binding): {e}"
            ))
        })?;
        let named = meta::name(&binding);
        if !named.is_empty() && named != name {
            return Err(Failure::bad_request(format!(
                "name in URL does not match name in Binding object: {named}"
            )));
        }
        let kind = text(&binding, "/target/kind");
        let node = text(&binding, "/target/name");
        let mut errors = Vec::new();
        if !matches!(kind, "" | "Node") {
            errors.push(FieldError::not_supported(
                "target.kind",
                &Value::from(kind),
                &["Node", "<empty>"].map(str::to_owned),
            ));
        }
        if node.is_empty() {
            errors.push(FieldError::required("target.name", ""));
        }
        if let Some(error) = errors.first() {
            return Err(Failure::new(500, "", error.text()));
        }
        Ok(Self {
            node: node.to_owned(),
            annotations: meta::get(&binding, "annotations").cloned(),
            uid: meta::text(&binding, "uid").to_owned(),
            version: meta::text(&binding, "resourceVersion").to_owned(),
        })
    }

    /// The pod with its node.
    pub(crate) fn apply(&self, pod: &Value, now: &str) -> Result<Value, Failure> {
        let name = meta::name(pod);
        let conflict = |why: String| Err(Failure::conflict("", "pods/binding", name, &why));
        let uid = meta::text(pod, "uid");
        if !self.uid.is_empty() && self.uid != uid {
            return conflict(format!(
                "Precondition failed: UID in precondition: {}, UID in object meta: {uid}",
                self.uid
            ));
        }
        let version = meta::text(pod, "resourceVersion");
        if !self.version.is_empty() && self.version != version {
            return conflict(format!(
                "Precondition failed: ResourceVersion in precondition: {}, ResourceVersion in object meta: {version}",
                self.version
            ));
        }
        if meta::is_terminating(pod) {
            return conflict(format!(
                "pod {name} is being deleted, cannot be assigned to a host"
            ));
        }
        let node = text(pod, "/spec/nodeName");
        if !node.is_empty() {
            return conflict(format!(
                "pod {name} is already assigned to node {}",
                quote(node)
            ));
        }
        let mut bound = pod.clone();
        bound["spec"]["nodeName"] = Value::from(self.node.as_str());
        if let Some(Value::Object(more)) = &self.annotations {
            let annotations = meta::of_mut(&mut bound)
                .entry("annotations")
                .or_insert_with(|| json!({}));
            for (key, value) in more {
                annotations[key] = value.clone();
            }
        }
        let scheduled = json!({"type": "PodScheduled", "status": "True",
            "lastProbeTime": null, "lastTransitionTime": now});
        let conditions = &mut bound["status"]["conditions"];
        match conditions.as_array_mut() {
            None => *conditions = json!([scheduled]),
            Some(all) => {
                all.retain(|c| text(c, "/type") != "PodScheduled");
                all.push(scheduled);
            }
        }
        Ok(bound)
    }
}
