//! DELETE of one object and of collections.
//!
//! Finalizers, propagation and graceful deletion as in
//! `apiserver/pkg/registry/generic/registry/store.go`.

use std::sync::Arc;

use bytes::Bytes;
use serde_json::{Value, json};

use crate::admission::Operation;
use crate::builtin::Kind;
use crate::meta;
use crate::read::Selection;
use crate::reply::Reply;
use crate::request::{Call, Target};
use crate::resource::text;
use crate::status::{Failure, FieldError};
use crate::store::Stored;

/// `DeleteOptions`, from the body or the query.
#[derive(Debug, Clone, Default)]
pub(crate) struct Options {
    grace_seconds: Option<i64>,
    uid: Option<String>,
    version: Option<String>,
    propagation: Option<String>,
    orphan: Option<bool>,
    dry_run: bool,
}

/// Members of the options that have another type than Go decodes into.
fn check_types(options: &Value) -> Result<(), Failure> {
    type Fits = fn(&Value) -> bool;
    let members: [(&str, &str, Fits); 4] = [
        ("gracePeriodSeconds", "int64", Value::is_i64),
        (
            "propagationPolicy",
            "v1.DeletionPropagation",
            Value::is_string,
        ),
        ("orphanDependents", "bool", Value::is_boolean),
        ("dryRun", "[]string", Value::is_array),
    ];
    for (key, wanted, fits) in members {
        if let Some(found) = options.get(key).filter(|v| !v.is_null() && !fits(v)) {
            return Err(Failure::new(
                500,
                "",
                format!(
                    "json: cannot unmarshal {} into Go struct field DeleteOptions.{key} of type {wanted}",
                    meta::go_kind(found)
                ),
            ));
        }
    }
    Ok(())
}

impl Options {
    /// Pods of a job stay behind unless the client says otherwise.
    fn warn(&self, call: &Call, target: &Target) {
        if target.resource.behaviour == Kind::Job
            && self.propagation.is_none()
            && self.orphan.is_none()
        {
            call.warn("child pods are preserved by default when jobs are deleted; set propagationPolicy=Background to remove them or set propagationPolicy=Orphan to suppress this warning".to_owned());
        }
    }

    pub(crate) fn background() -> Self {
        Self {
            propagation: Some("Background".to_owned()),
            ..Self::default()
        }
    }

    pub(crate) fn foreground() -> Self {
        Self {
            propagation: Some("Foreground".to_owned()),
            ..Self::default()
        }
    }

    pub(crate) fn with_uid(mut self, uid: &str) -> Self {
        self.uid = Some(uid.to_owned());
        self
    }

    fn decode(call: &Call, body: &[u8]) -> Result<Self, Failure> {
        let mut options = Self {
            dry_run: call.query.dry_run()?,
            ..Self::default()
        };
        if body.is_empty() {
            options.grace_seconds = match call.query.get("gracePeriodSeconds") {
                None => None,
                Some(text) => Some(text.parse().map_err(|_| {
                    Failure::bad_request(format!(
                        "strconv.ParseInt: parsing {}: invalid syntax",
                        crate::quote::quote(text)
                    ))
                })?),
            };
            options.propagation = call.query.get("propagationPolicy").map(str::to_owned);
            options.orphan = call
                .query
                .has("orphanDependents")
                .then(|| call.query.flag("orphanDependents"));
        } else {
            let value: Value = serde_json::from_slice(body).map_err(|e| {
                let why = if e.is_eof() {
                    "unexpected end of JSON input".to_owned()
                } else {
                    e.to_string()
                };
                Failure::new(
                    500,
                    "",
                    format!("couldn't get version/kind; json parse error: {why}"),
                )
            })?;
            if !value.is_object() {
                return Err(Failure::new(
                    500,
                    "",
                    format!(
                        "couldn't get version/kind; json parse error: json: cannot unmarshal {} into Go value of type struct {{ APIVersion string \"json:\\\"apiVersion,omitempty\\\"\"; Kind string \"json:\\\"kind,omitempty\\\"\" }}",
                        meta::go_kind(&value)
                    ),
                ));
            }
            check_types(&value)?;
            let kind = text(&value, "/kind");
            if !(kind.is_empty() || kind == "DeleteOptions") {
                return Err(Failure::new(
                    500,
                    "",
                    format!(
                        "no kind {} is registered for version \"v1\" in scheme \"pkg/runtime/scheme.go:110\"",
                        crate::quote::quote(kind)
                    ),
                ));
            }
            options.grace_seconds = value.get("gracePeriodSeconds").and_then(Value::as_i64);
            let string = |pointer: &str| {
                value
                    .pointer(pointer)
                    .and_then(Value::as_str)
                    .map(str::to_owned)
            };
            options.uid = string("/preconditions/uid");
            options.version = string("/preconditions/resourceVersion");
            options.propagation = string("/propagationPolicy");
            options.orphan = value.get("orphanDependents").and_then(Value::as_bool);
            if let Some(Value::Array(runs)) = value.get("dryRun") {
                for run in runs {
                    if run != "All" {
                        return Err(invalid_options(FieldError::not_supported(
                            "dryRun",
                            &json!([run]),
                            &["All".to_owned()],
                        )));
                    }
                    options.dry_run = true;
                }
            }
        }
        if let Some(policy) = &options.propagation {
            if options.orphan.is_some() {
                return Err(invalid_options(FieldError::invalid_str(
                    "propagationPolicy",
                    policy,
                    "orphanDependents and deletionPropagation cannot be both set",
                )));
            }
            if !matches!(policy.as_str(), "Foreground" | "Background" | "Orphan") {
                return Err(invalid_options(FieldError::not_supported(
                    "propagationPolicy",
                    &Value::from(policy.as_str()),
                    &["Foreground", "Background", "Orphan", "nil"].map(str::to_owned),
                )));
            }
        }
        Ok(options)
    }

    /// The finalizers that the object must have because of these options.
    fn finalizers(&self, object: &Value) -> Vec<String> {
        let present = meta::finalizers(object);
        // Events have no dependents (`DefaultGarbageCollectionPolicy`).
        if text(object, "/kind") == "Event" && text(object, "/apiVersion") == "v1" {
            return present;
        }
        let has = |name: &str| present.iter().any(|f| f == name);
        let (orphan, foreground) = match (self.orphan, self.propagation.as_deref()) {
            (Some(orphan), _) => (orphan, false),
            (None, Some("Orphan")) => (true, false),
            (None, Some("Foreground")) => (false, true),
            (None, Some(_)) => (false, false),
            // `DefaultGarbageCollectionPolicy` of jobs: their pods stay.
            (None, None) if text(object, "/kind") == "Job" && !has("foregroundDeletion") => {
                (true, false)
            }
            (None, None) => (has("orphan"), has("foregroundDeletion")),
        };
        let mut wanted: Vec<String> = present
            .iter()
            .filter(|f| *f != "orphan" && *f != "foregroundDeletion")
            .cloned()
            .collect();
        if orphan {
            wanted.push("orphan".to_owned());
        }
        if foreground {
            wanted.push("foregroundDeletion".to_owned());
        }
        wanted
    }
}

fn invalid_options(error: FieldError) -> Failure {
    Failure::invalid("meta.k8s.io", "DeleteOptions", "", &[error])
}

/// What a deletion came to.
pub(crate) enum Outcome {
    /// The object is gone.
    Gone(Arc<Stored>),
    /// It stays until its finalizers are removed, or its time is over.
    Pending(Bytes),
    /// Tried only; the object as it would be.
    Tried(Arc<Stored>),
}

/// DELETE of one object.
pub(crate) async fn one(
    call: &Call,
    target: &Target,
    name: &str,
    body: Bytes,
) -> Result<Reply, Failure> {
    let options = Options::decode(call, &body)?;
    options.warn(call, target);
    match object(call, target, name, &options).await? {
        Outcome::Pending(json) => crate::read::reply_object(call, &target.resource, 200, json),
        Outcome::Gone(stored) | Outcome::Tried(stored) => {
            let resource = &target.resource;
            if resource.behaviour.returns_deleted_object() {
                let json = crate::convert::to_bytes(resource, &stored);
                return crate::read::reply_object(call, resource, 200, json);
            }
            let mut details = json!({"name": name, "kind": resource.plural, "uid": stored.uid});
            if !resource.group.is_empty() {
                details["group"] = Value::String(resource.group.clone());
            }
            Ok(Reply::value(
                200,
                &json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "details": details}),
            ))
        }
    }
}

/// Deletes one object; also used by the collector.
pub(crate) async fn object(
    call: &Call,
    target: &Target,
    name: &str,
    options: &Options,
) -> Result<Outcome, Failure> {
    loop {
        if let Some(outcome) = attempt(call, target, name, options).await? {
            return Ok(outcome);
        }
    }
}

async fn attempt(
    call: &Call,
    target: &Target,
    name: &str,
    options: &Options,
) -> Result<Option<Outcome>, Failure> {
    let resource = &target.resource;
    let server = &call.server;
    let key = target.key(name);
    let existing = server
        .state()
        .get(&resource.table, &key)
        .ok_or_else(|| target.not_found(name))?;
    if resource.behaviour == Kind::Namespace
        && matches!(name, "default" | "kube-system" | "kube-public")
    {
        return Err(Failure::forbidden(
            "",
            "namespaces",
            name,
            "this namespace may not be deleted",
        ));
    }
    let old = crate::convert::to_value(resource, &existing);
    check_preconditions(target, name, options, &existing)?;
    let mut request =
        crate::write::admission_request(call, target, Operation::Delete, options.dry_run);
    name.clone_into(&mut request.name);
    request.old_object = Some(old.clone());
    crate::write::mutate_delete(server, &mut request).await?;
    crate::write::validate(server, &request).await?;

    let now = server.now();
    let mut new = old.clone();
    let finalizers = options.finalizers(&old);
    let changed = finalizers != meta::finalizers(&old);
    if changed {
        let list = (!finalizers.is_empty()).then(|| Value::from(finalizers.clone()));
        meta::set(&mut new, "finalizers", list);
    }
    let grace = graceful(resource.behaviour, &old, options);
    let holds_content = resource.behaviour == Kind::Namespace
        && old
            .pointer("/spec/finalizers")
            .and_then(Value::as_array)
            .is_some_and(|f| !f.is_empty());
    let holds_instances = resource.behaviour == Kind::Definition;
    if holds_instances && !meta::is_terminating(&old) {
        let mut with: Vec<String> = finalizers.clone();
        if !with.iter().any(|f| f == crate::crd::FINALIZER) {
            with.push(crate::crd::FINALIZER.to_owned());
        }
        meta::set(&mut new, "finalizers", Some(Value::from(with)));
    }
    let pending = !meta::finalizers(&new).is_empty() || holds_content;
    let is_graceful = matches!(grace, Grace::Start(_) | Grace::Shorten(_));
    if !is_graceful && !pending && !matches!(grace, Grace::Pending) {
        // Nothing holds the object: it goes now.
        let mut state = server.state();
        match state.get(&resource.table, &key) {
            Some(now) if now.version == existing.version => {}
            Some(_) => return Ok(None),
            None => return Err(target.not_found(name)),
        }
        let mut last = old;
        if resource.behaviour == Kind::Pod && !meta::is_terminating(&last) {
            // A graceful deletion of no seconds: marked, and gone at once.
            let next = meta::generation(&last) + 1;
            meta::set(&mut last, "generation", Some(Value::from(next)));
            meta::set(
                &mut last,
                "deletionTimestamp",
                Some(Value::String(crate::clock::rfc3339(now))),
            );
            meta::set(
                &mut last,
                "deletionGracePeriodSeconds",
                Some(Value::from(0)),
            );
        }
        if options.dry_run {
            let version = existing.version;
            crate::convert::to_storage(resource, &mut last);
            let tried = crate::server::seal_as(resource, key, &last, version);
            return Ok(Some(Outcome::Tried(Arc::new(tried))));
        }
        let stored = state.remove(resource, key, last);
        drop(state);
        server.inner.collector.removed(server, resource, &stored);
        return Ok(Some(Outcome::Gone(stored)));
    }
    if matches!(grace, Grace::Pending) && !changed {
        return Ok(Some(Outcome::Pending(crate::convert::to_bytes(
            resource, &existing,
        ))));
    }
    match grace {
        Grace::Start(seconds) | Grace::Shorten(seconds) => {
            let at = now + jiff::SignedDuration::from_secs(seconds);
            meta::set(
                &mut new,
                "deletionTimestamp",
                Some(Value::String(crate::clock::rfc3339(at))),
            );
            meta::set(
                &mut new,
                "deletionGracePeriodSeconds",
                Some(Value::from(seconds)),
            );
            if matches!(grace, Grace::Start(_)) && meta::generation(&new) > 0 {
                let next = meta::generation(&new) + 1;
                meta::set(&mut new, "generation", Some(Value::from(next)));
            }
        }
        Grace::None | Grace::Pending => mark(resource.behaviour, &mut new, &old, now),
    }
    let mut state = server.state();
    match state.get(&resource.table, &key) {
        Some(now) if now.version == existing.version => {}
        Some(_) => return Ok(None),
        None => return Err(target.not_found(name)),
    }
    if new == old {
        return Ok(Some(Outcome::Pending(crate::convert::to_bytes(
            resource, &existing,
        ))));
    }
    if options.dry_run {
        return Ok(Some(Outcome::Pending(Bytes::from(new.to_string()))));
    }
    let stored = state.put(resource, key, new);
    if resource.behaviour == Kind::Definition {
        crate::crd::register(&mut state, &stored)?;
    }
    drop(state);
    server
        .inner
        .collector
        .noticed(server, resource, Some(&existing), &stored);
    Ok(Some(Outcome::Pending(crate::convert::to_bytes(
        resource, &stored,
    ))))
}

/// Marks an object as being deleted, if it is not marked yet.
fn mark(kind: Kind, new: &mut Value, old: &Value, now: jiff::Timestamp) {
    if kind == Kind::Namespace {
        if !meta::is_terminating(old) {
            meta::set(
                new,
                "deletionTimestamp",
                Some(Value::String(crate::clock::rfc3339(now))),
            );
        }
        new["status"]["phase"] = Value::from("Terminating");
        return;
    }
    if !meta::is_terminating(old) {
        if meta::generation(new) > 0 {
            let next = meta::generation(new) + 1;
            meta::set(new, "generation", Some(Value::from(next)));
        }
        meta::set(
            new,
            "deletionTimestamp",
            Some(Value::String(crate::clock::rfc3339(now))),
        );
    }
    if kind == Kind::Definition {
        // The real server's definition strategy sets no grace period.
        crate::crd::mark_terminating(new, &crate::clock::rfc3339(now));
        if !meta::is_terminating(old) {
            return;
        }
    }
    meta::set(new, "deletionGracePeriodSeconds", Some(Value::from(0)));
}

fn check_preconditions(
    target: &Target,
    name: &str,
    options: &Options,
    existing: &Stored,
) -> Result<(), Failure> {
    let resource = &target.resource;
    // What outlives its deletion has a storage of its own, with its own words.
    if matches!(resource.behaviour, Kind::Namespace | Kind::Definition) {
        let version = existing.version.to_string();
        for (what, wanted, found) in [
            ("UID", &options.uid, &existing.uid),
            ("ResourceVersion", &options.version, &version),
        ] {
            if let Some(wanted) = wanted.as_ref().filter(|wanted| *wanted != found) {
                return Err(Failure::conflict(
                    &resource.group,
                    &resource.plural,
                    name,
                    &format!(
                        "Precondition failed: {what} in precondition: {wanted}, {what} in object meta: {found}"
                    ),
                ));
            }
        }
        return Ok(());
    }
    if let Some(uid) = &options.uid
        && *uid != existing.uid
    {
        return Err(Failure::conflict(
            &resource.group,
            &resource.kind,
            name,
            &format!(
                "the UID in the precondition ({uid}) does not match the UID in record ({}). The object might have been deleted and then recreated",
                existing.uid
            ),
        ));
    }
    if let Some(version) = &options.version
        && *version != existing.version.to_string()
    {
        return Err(Failure::conflict(
            &resource.group,
            &resource.kind,
            name,
            &format!(
                "the ResourceVersion in the precondition ({version}) does not match the ResourceVersion in record ({}). The object might have been modified",
                existing.version
            ),
        ));
    }
    Ok(())
}

enum Grace {
    /// Not a kind, or not a state, that is deleted gracefully.
    None,
    /// Starts now, with so many seconds.
    Start(i64),
    /// Was started, and gets fewer seconds.
    Shorten(i64),
    /// Was started; nothing changes.
    Pending,
}

/// Only pods are deleted gracefully (`pkg/registry/core/pod/strategy.go`).
fn graceful(kind: Kind, old: &Value, options: &Options) -> Grace {
    if kind != Kind::Pod {
        return Grace::None;
    }
    let asked = options.grace_seconds.map(|s| if s < 0 { 1 } else { s });
    if meta::is_terminating(old) {
        let running = meta::get(old, "deletionGracePeriodSeconds")
            .and_then(Value::as_i64)
            .unwrap_or_default();
        if running == 0 {
            return Grace::None;
        }
        return match asked {
            Some(0) => Grace::None,
            Some(asked) if asked < running => Grace::Shorten(asked),
            _ => Grace::Pending,
        };
    }
    let default = old
        .pointer("/spec/terminationGracePeriodSeconds")
        .and_then(Value::as_i64)
        .unwrap_or(30);
    let mut seconds = asked.unwrap_or(default);
    let phase = text(old, "/status/phase");
    if text(old, "/spec/nodeName").is_empty() || matches!(phase, "Succeeded" | "Failed") {
        seconds = 0;
    }
    if seconds == 0 {
        Grace::None
    } else {
        Grace::Start(seconds)
    }
}

/// DELETE of a collection: each object that matches, one after the other.
pub(crate) async fn collection(
    call: &Call,
    target: &Target,
    body: Bytes,
) -> Result<Reply, Failure> {
    let options = Options::decode(call, &body)?;
    let selection = Selection::of(call, target)?;
    options.warn(call, target);
    let page = crate::read::collect(call, target, &selection)?;
    let resource = &target.resource;
    let mut items = Vec::with_capacity(page.items.len());
    for stored in &page.items {
        let one = Target {
            namespace: stored.namespace().to_owned(),
            ..target.clone()
        };
        match object(call, &one, stored.name(), &options).await {
            Ok(_) => {}
            Err(failure) if failure.code() == 404 => {}
            Err(failure) => return Err(failure),
        }
        let mut item = crate::convert::to_value(resource, stored);
        if let Some(item) = item.as_object_mut().filter(|_| !resource.is_custom()) {
            // Items of typed lists do not say what they are.
            item.remove("kind");
            item.remove("apiVersion");
        }
        items.push(item);
    }
    let mut list = json!({"kind": resource.list_kind, "apiVersion": resource.api_version(),
        "metadata": {"resourceVersion": page.version.to_string()}, "items": items});
    if resource.is_custom() {
        // The real server sets the token of its last page, and only typed
        // lists leave an empty one out.
        list["metadata"]["continue"] = json!("");
    }
    Ok(Reply::value(200, &list))
}
