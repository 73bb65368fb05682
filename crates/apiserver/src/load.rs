//! Loading: puts objects that were read from somewhere else into a server, as
//! far as they can be the same here. Reads no files.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use bytes::Bytes;
use http::{Method, Request};
use http_body_util::{BodyExt, Full};
use serde_json::{Value, json};

use crate::admission::UserInfo;
use crate::builtin::Kind;
use crate::meta;
use crate::resource::{Resource, text};
use crate::server::ApiServer;

/// What came of loading, besides the objects.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Loaded {
    /// Objects that are in the server now.
    pub objects: usize,
    /// Namespaces that had to be made for them.
    pub namespaces: Vec<String>,
    /// What could not be taken over as it was, in words.
    pub notes: Vec<String>,
}

/// Objects that cannot be loaded; those before them are in the server.
#[derive(Debug, thiserror::Error)]
#[error("load {} of the objects", refused.len())]
pub struct LoadError {
    /// The number of each object in what was given (from 0), and why.
    pub refused: Vec<(usize, String)>,
}

impl ApiServer {
    /// Creates these objects, with their status, in an order that works:
    /// definitions, namespaces, owners before dependents, events last.
    ///
    /// Uids are made anew, and references from owners and events follow them.
    /// A missing namespace is made. Versions, generations, times of creation
    /// and managed fields are not taken over; an object that was being deleted
    /// is deleted here too if finalizers hold it.
    ///
    /// # Errors
    /// [`LoadError`] with every object that the server refuses; the others are
    /// loaded.
    pub async fn load(&self, objects: &[Value]) -> Result<Loaded, LoadError> {
        let mut loading = Loading {
            server: self,
            user: Arc::new(UserInfo::admin()),
            uids: BTreeMap::new(),
            done: Loaded::default(),
            refused: Vec::new(),
        };
        for index in order(objects) {
            if let Err(why) = loading.one(&objects[index]).await {
                loading.refused.push((index, why));
            } else {
                loading.done.objects += 1;
            }
        }
        if loading.refused.is_empty() {
            Ok(loading.done)
        } else {
            loading.refused.sort();
            Err(LoadError {
                refused: loading.refused,
            })
        }
    }
}

/// Which objects come first: by kind, then owners before what they own.
fn order(objects: &[Value]) -> Vec<usize> {
    let rank = |object: &Value| match text(object, "/kind") {
        "CustomResourceDefinition" => 0,
        "Namespace" => 1,
        "Event" => 3,
        // They would be called for what is loaded after them.
        "MutatingWebhookConfiguration" | "ValidatingWebhookConfiguration" => 4,
        _ => 2,
    };
    let by_uid: BTreeMap<&str, usize> = objects
        .iter()
        .enumerate()
        .map(|(i, object)| (meta::text(object, "uid"), i))
        .filter(|(uid, _)| !uid.is_empty())
        .collect();
    let mut waits_for = vec![0_usize; objects.len()];
    let mut dependents: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for (i, object) in objects.iter().enumerate() {
        for owner in meta::owner_uids(object) {
            if let Some(owner) = by_uid.get(&*owner).filter(|owner| **owner != i) {
                waits_for[i] += 1;
                dependents.entry(*owner).or_default().push(i);
            }
        }
    }
    let mut sorted: Vec<usize> = (0..objects.len()).collect();
    sorted.sort_by_key(|i| rank(&objects[*i]));
    let mut result = Vec::with_capacity(objects.len());
    let mut taken = BTreeSet::new();
    let mut ready: VecDeque<usize> = VecDeque::new();
    for first in &sorted {
        if waits_for[*first] == 0 {
            ready.push_back(*first);
        }
        while let Some(i) = ready.pop_front() {
            if !taken.insert(i) {
                continue;
            }
            result.push(i);
            for dependent in dependents.get(&i).into_iter().flatten() {
                waits_for[*dependent] -= 1;
                // A dependent of a later rank is reached by the loop around this one.
                if waits_for[*dependent] == 0
                    && rank(&objects[*dependent]) <= rank(&objects[*first])
                {
                    ready.push_back(*dependent);
                }
            }
        }
    }
    // Those that own each other in a circle come last.
    result.extend(sorted.into_iter().filter(|i| !taken.contains(i)));
    result
}

struct Loading<'a> {
    server: &'a ApiServer,
    user: Arc<UserInfo>,
    /// Uid where the object came from → uid here.
    uids: BTreeMap<String, String>,
    done: Loaded,
    refused: Vec<(usize, String)>,
}

impl Loading<'_> {
    async fn one(&mut self, given: &Value) -> Result<(), String> {
        let (api_version, kind) = (text(given, "/apiVersion"), text(given, "/kind"));
        let resource = self
            .server
            .state()
            .registry
            .by_kind(api_version, kind)
            .ok_or_else(|| format!("kind {kind} of {api_version} is not served"))?;
        let name = meta::name(given);
        let called = format!("{kind} {}", crate::quote::quote(name));
        let mut object = given.clone();
        let namespace = self.namespace(&resource, &mut object).await?;
        let collection = collection(&resource, &namespace);
        let old = meta::of_mut(&mut object).clone();
        self.clean(&resource, &called, &mut object);
        let path = format!("{collection}/{name}");
        let created = match resource.behaviour {
            // Every cluster has some; what is loaded says how they look.
            Kind::Namespace if self.exists(&path).await => {
                self.ask(Method::PATCH, &path, &object).await?
            }
            _ => self.ask(Method::POST, &collection, &object).await?,
        };
        if let Some(uid) = old.get("uid").and_then(Value::as_str) {
            self.uids
                .insert(uid.to_owned(), meta::text(&created, "uid").to_owned());
        }
        let path = format!("{collection}/{}", meta::name(&created));
        let status = object.get("status").filter(|s| **s != json!({}));
        if let Some(status) = status
            && resource.has_status
        {
            let mut with_status = created;
            with_status["status"] = status.clone();
            self.ask(Method::PUT, &format!("{path}/status"), &with_status)
                .await?;
        }
        if old.contains_key("deletionTimestamp") {
            if meta::finalizers(&object).is_empty() {
                self.done.notes.push(format!(
                    "{called} was being deleted; here it is not, since no finalizer holds it"
                ));
            } else {
                self.ask(
                    Method::DELETE,
                    &path,
                    &json!({"propagationPolicy": "Background"}),
                )
                .await?;
            }
        }
        Ok(())
    }

    /// The namespace of an object; one that is missing is made.
    async fn namespace(
        &mut self,
        resource: &Resource,
        object: &mut Value,
    ) -> Result<String, String> {
        if !resource.namespaced {
            return Ok(String::new());
        }
        let name = match meta::text(object, "namespace") {
            "" => "default".to_owned(),
            name => name.to_owned(),
        };
        if !self.exists(&format!("/api/v1/namespaces/{name}")).await {
            let namespace = json!({"metadata": {"name": name}});
            self.ask(Method::POST, "/api/v1/namespaces", &namespace)
                .await?;
            self.done.namespaces.push(name.clone());
        }
        Ok(name)
    }

    /// Takes away what belongs to the server that the object comes from.
    fn clean(&mut self, resource: &Resource, called: &str, object: &mut Value) {
        let uids = &self.uids;
        let notes = &mut self.done.notes;
        let meta = meta::of_mut(object);
        for key in [
            "uid",
            "resourceVersion",
            "generation",
            "creationTimestamp",
            "deletionTimestamp",
            "deletionGracePeriodSeconds",
            "managedFields",
            "selfLink",
        ] {
            meta.remove(key);
        }
        if let Some(Value::Array(owners)) = meta.get_mut("ownerReferences") {
            owners.retain_mut(|owner| {
                let here = uids.get(text(owner, "/uid"));
                match here {
                    Some(here) => owner["uid"] = Value::from(here.as_str()),
                    // The garbage collector would take the object away.
                    None => notes.push(format!(
                        "the owner of {called}, {} {}, is not among the objects: its reference is left out",
                        text(owner, "/kind"),
                        crate::quote::quote(text(owner, "/name")),
                    )),
                }
                here.is_some()
            });
        }
        for regarding in ["involvedObject", "regarding"] {
            if let Some(here) = uids.get(text(object, &format!("/{regarding}/uid"))) {
                object[regarding]["uid"] = Value::from(here.as_str());
            }
        }
        if resource.behaviour == Kind::Definition {
            if let Some(map) = object.as_object_mut() {
                map.remove("status");
            }
            if text(object, "/spec/conversion/strategy") == "Webhook" {
                object["spec"]["conversion"] = json!({"strategy": "None"});
                notes.push(format!(
                    "{called} names a conversion webhook, which is not called: versions differ in apiVersion alone"
                ));
            }
        }
        // A namespace's own finalizer would be kept for ever without its status.
        if resource.behaviour == Kind::Namespace
            && let Some(map) = object.as_object_mut()
        {
            map.retain(|key, _| matches!(key.as_str(), "apiVersion" | "kind" | "metadata"));
        }
    }

    async fn exists(&self, path: &str) -> bool {
        self.ask(Method::GET, path, &Value::Null).await.is_ok()
    }

    /// One request to the server itself; the error is its message.
    async fn ask(&self, method: Method, path: &str, body: &Value) -> Result<Value, String> {
        let media = match method {
            Method::PATCH => "application/merge-patch+json",
            _ => "application/json",
        };
        let bytes = match body {
            Value::Null => Bytes::new(),
            body => Bytes::from(body.to_string()),
        };
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header(http::header::CONTENT_TYPE, media)
            .header(http::header::USER_AGENT, "load")
            .body(Full::new(bytes))
            .map_err(|e| format!("{path} is no path: {e}"))?;
        let response = self
            .server
            .answer(request, self.user.clone())
            .await
            .map_err(|e| e.to_string())?;
        let is_success = response.status().is_success();
        let body = response
            .into_body()
            .collect()
            .await
            .map_err(|e| e.to_string())?
            .to_bytes();
        let value: Value = serde_json::from_slice(&body)
            .unwrap_or_else(|_| json!({"message": String::from_utf8_lossy(&body).trim_end()}));
        if is_success {
            Ok(value)
        } else {
            Err(text(&value, "/message").to_owned())
        }
    }
}

/// The path of a resource's objects.
fn collection(resource: &Resource, namespace: &str) -> String {
    let root = if resource.group.is_empty() {
        format!("/api/{}", resource.version)
    } else {
        format!("/apis/{}/{}", resource.group, resource.version)
    };
    if resource.namespaced {
        format!("{root}/namespaces/{namespace}/{}", resource.plural)
    } else {
        format!("{root}/{}", resource.plural)
    }
}
